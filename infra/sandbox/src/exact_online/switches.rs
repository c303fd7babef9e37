//! Behaviour that is unknown, or that differs from one licence or administration to the next.

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
            ("language", &self.language, &["nl", "en"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        if !(200..300).contains(&self.post_status) {
            return Err(format!("switches: post_status {} is no 2xx status", self.post_status));
        }
        Ok(())
    }
}
