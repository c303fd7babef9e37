//! Behaviour that is unknown, or that differs from one licence or administration to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The switches; the README says what each stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Calls per minute and division; null: no limit.
    pub minute_limit: Option<i64>,
    /// Calls per day and division; null: no limit.
    pub day_limit: Option<i64>,
    /// Errors per endpoint and hour before the block; null: no block.
    pub error_limit: Option<i64>,
    /// `off`, `required` or `listed_only`.
    pub mandatory_filter: String,
    /// A list without `$select` and `$top` is refused.
    pub require_select: bool,
    /// Largest `$top` that is answered by a bare list.
    pub bare_list_top_max: usize,
    /// Texts in filters are compared with their case.
    pub case_sensitive_filters: bool,
    /// 64-bit numbers go out as text.
    pub int64_as_text: bool,
    /// Longest `YourRef`; null: no limit.
    pub your_ref_max: Option<usize>,
    /// Longest `Description` of orders, invoices, entries and their lines; null: no limit.
    pub description_max: Option<usize>,
    /// A key chosen by the client is kept, and a second one with it refused.
    pub honour_client_guid: bool,
    /// `ignore` or `error`: a POST-only field in a PUT.
    pub put_post_only: String,
    /// A number of an order that exists already is refused.
    pub unique_order_number: bool,
    /// Status of a POST that worked.
    pub post_status: u16,
    /// Orders, invoices and entries come back in full without being asked to.
    pub documents_return_full: bool,
    /// `atom` or `406`: an answer to a client that does not accept JSON.
    pub non_json_accept: String,
    /// `nl` or `en`: the language of the connected user.
    pub language: String,
    /// Value of the `Reason` header of a 403 on every call, e.g. `LicenseExpired`; null: none.
    pub forbidden_reason: Option<String>,
    /// Scopes the application lacks, e.g. `Sales orders`.
    pub missing_scopes: Vec<String>,
    /// Resources the licence or the user's rights do not include, e.g. `SalesInvoices`.
    pub forbidden_resources: Vec<String>,
    /// A new access token ends the one before it.
    pub single_access_token: bool,
    /// The last refresh token works again as long as the pair it gave was not used.
    pub refresh_grace: bool,
    /// Any redirect URI on this machine is accepted.
    pub loopback_redirects: bool,
    /// A posted `InvoiceDate` of a sales invoice is kept.
    pub keep_invoice_date: bool,
    /// Direct invoices (8023, 8024) and warehouses are in the licence.
    pub direct_invoices: bool,
    /// Only `UnitPrice` sent: the discount of the customer is taken off.
    pub customer_discount_on_unit_price: bool,
    /// Last day of the closed periods, e.g. `2026-10-31`; null: none is closed.
    pub closed_until: Option<String>,
    /// Orders cannot be dated into a closed period either.
    pub closed_period_for_orders: bool,
    /// Currencies of the administration, with what one of them is worth in its own currency.
    pub currencies: BTreeMap<String, String>,
    /// `positive`, `negative` or `any`: sign of the lines of credit notes (8021, 8024), taken together.
    pub credit_line_sign: String,
    /// `Class_01` … must name a property of that assortment.
    pub item_class_must_exist: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            minute_limit: Some(60),
            day_limit: Some(5000),
            error_limit: Some(10),
            mandatory_filter: "listed_only".into(),
            require_select: true,
            bare_list_top_max: 60,
            case_sensitive_filters: false,
            int64_as_text: true,
            your_ref_max: Some(30),
            description_max: Some(60),
            honour_client_guid: false,
            put_post_only: "ignore".into(),
            unique_order_number: true,
            post_status: 201,
            documents_return_full: true,
            non_json_accept: "atom".into(),
            language: "nl".into(),
            forbidden_reason: None,
            missing_scopes: Vec::new(),
            forbidden_resources: Vec::new(),
            single_access_token: true,
            refresh_grace: false,
            loopback_redirects: true,
            keep_invoice_date: false,
            direct_invoices: true,
            customer_discount_on_unit_price: true,
            closed_until: None,
            closed_period_for_orders: true,
            currencies: [("EUR", "1"), ("USD", "0.92"), ("GBP", "1.16"), ("CHF", "1.04"), ("DKK", "0.134")]
                .map(|(code, worth)| (code.to_owned(), worth.to_owned()))
                .into(),
            credit_line_sign: "positive".into(),
            item_class_must_exist: true,
        }
    }
}

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("mandatory_filter", &self.mandatory_filter, &["off", "required", "listed_only"][..]),
            ("put_post_only", &self.put_post_only, &["ignore", "error"][..]),
            ("non_json_accept", &self.non_json_accept, &["atom", "406"][..]),
            ("credit_line_sign", &self.credit_line_sign, &["positive", "negative", "any"][..]),
            ("language", &self.language, &["nl", "en"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        if let Some((code, worth)) = self
            .currencies
            .iter()
            .find(|(_, worth)| crate::text::parse_decimal(worth).is_none_or(|worth| worth.is_zero()))
        {
            return Err(format!("switches: currencies: {code} \"{worth}\" is no amount"));
        }
        if self.closed_until.as_ref().is_some_and(|day| super::values::moment(day).is_none()) {
            return Err("switches: closed_until is no day".into());
        }
        if !(200..300).contains(&self.post_status) {
            return Err(format!("switches: post_status {} is no 2xx status", self.post_status));
        }
        Ok(())
    }
}
