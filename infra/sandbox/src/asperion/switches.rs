//! Behaviour that nobody outside has seen yet; each default is the form that is hardest on a client.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values;

/// The switches; the README says what each stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Parts of the API that answer: 1 known, 2 documented by name only, 3 assumed. Others answer 501.
    pub tiers: Vec<u8>,
    /// Last part of the path of sales orders.
    pub sales_orders_path: String,
    /// Calls per minute and administration; null: no limit.
    pub minute_limit: Option<i64>,
    /// A 429 says when to come back.
    pub retry_after: bool,
    /// Life of an access token.
    pub access_seconds: i64,
    /// Life of a refresh token that is not used.
    pub refresh_days: i64,
    /// A refresh token works once.
    pub rotate_refresh: bool,
    /// Without the scope `offline_access` there is no refresh token.
    pub offline_access: bool,
    /// A scope that must be asked for; null: none.
    pub required_scope: Option<String>,
    /// A consent without a code challenge is refused.
    pub pkce_required: bool,
    /// Any redirect URI on this machine is accepted.
    pub loopback_redirects: bool,
    /// Largest `pageSize`.
    pub page_size_max: usize,
    /// A larger one: `refuse` or `cap`.
    pub page_size_over: String,
    /// Rows of a page when nothing is said.
    pub page_size_default: usize,
    /// `…_comparison` works on: `documented` (only `InvoiceNumber`) or `all` texts.
    pub comparisons: String,
    /// Filters that are only assumed to exist work; otherwise they are ignored.
    pub assumed_filters: bool,
    /// A parameter nobody knows: `ignore` or `refuse`.
    pub unknown_parameters: String,
    /// Texts in filters are compared with their case.
    pub case_sensitive_filters: bool,
    /// A field nobody knows in a body: `refuse` or `ignore`.
    pub unknown_fields: String,
    /// A field that only the system fills: `refuse` or `ignore`.
    pub read_only_fields: String,
    /// Longest text by property.
    pub lengths: BTreeMap<String, usize>,
    /// Status of a POST that worked.
    pub post_status: u16,
    /// A new debtor comes back `plain` or `wrapped` in `_data`.
    pub debtor_answer: String,
    /// A PUT empties what it leaves out.
    pub put_replaces: bool,
    /// Status of a broken business rule.
    pub rule_status: u16,
    /// Amounts of invoice lines include VAT.
    pub amounts_include_vat: bool,
    /// How far a `vatAmount` may be from what the rate gives.
    pub vat_tolerance: String,
    /// What must be zero in a journal entry: `amounts`, or `amounts_and_vat` of its lines.
    pub entry_balance: String,
    /// Types of journals that take entries.
    pub entry_journals: Vec<String>,
    /// Invoices below zero are taken.
    pub negative_invoices: bool,
    /// Last closed period, e.g. `2026-10`; null: none.
    pub closed_until: Option<String>,
    /// Codes of debtor kinds.
    pub debtor_kinds: Vec<String>,
    /// Codes of payment methods.
    pub payment_methods: Vec<String>,
    /// Value of `ActiveState` of an article that is in use.
    pub active: String,
    /// Value of one that is not.
    pub inactive: String,
    /// Value that lists both.
    pub active_and_inactive: String,
    /// A null property is left out of answers.
    pub omit_nulls: bool,
}

impl Default for Switches {
    fn default() -> Self {
        let lengths = [
            ("description", 60),
            ("longDescription", 4000),
            ("name", 50),
            ("attentionTo", 50),
            ("address", 50),
            ("addressLine2", 50),
            ("addressLine3", 50),
            ("postCode", 10),
            ("city", 50),
            ("countryCode", 2),
            ("emailAddress", 100),
            ("phoneNumber", 20),
            ("mobileNumber", 20),
            ("vatNumber", 20),
            ("cocNumber", 20),
            ("customerNumber", 20),
            ("comments", 500),
            ("invoiceNumber", 20),
            ("sourceDocumentNumber", 20),
            ("reference", 30),
            ("code", 30),
            ("characteristic1", 50),
            ("characteristic2", 50),
            ("characteristic3", 50),
            ("characteristic4", 50),
            ("characteristic5", 50),
        ];
        Self {
            tiers: vec![1, 2],
            sales_orders_path: "salesorderwithlines".into(),
            minute_limit: Some(60),
            retry_after: false,
            access_seconds: 3600,
            refresh_days: 15,
            rotate_refresh: true,
            offline_access: true,
            required_scope: None,
            pkce_required: false,
            loopback_redirects: true,
            page_size_max: 100,
            page_size_over: "refuse".into(),
            page_size_default: 25,
            comparisons: "documented".into(),
            assumed_filters: true,
            unknown_parameters: "ignore".into(),
            case_sensitive_filters: false,
            unknown_fields: "refuse".into(),
            read_only_fields: "refuse".into(),
            lengths: lengths.map(|(name, most)| (name.to_owned(), most)).into(),
            post_status: 201,
            debtor_answer: "plain".into(),
            put_replaces: true,
            rule_status: 400,
            amounts_include_vat: false,
            vat_tolerance: "0.02".into(),
            entry_balance: "amounts".into(),
            entry_journals: vec!["Memorial".into(), "Bank".into()],
            negative_invoices: true,
            closed_until: None,
            debtor_kinds: ["STD", "PART", "ZAK"].map(str::to_owned).into(),
            payment_methods: ["OVB", "INC", "KAS"].map(str::to_owned).into(),
            active: "Active".into(),
            inactive: "Inactive".into(),
            active_and_inactive: "All".into(),
            omit_nulls: false,
        }
    }
}

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("page_size_over", &self.page_size_over, &["refuse", "cap"][..]),
            ("comparisons", &self.comparisons, &["documented", "all"][..]),
            ("unknown_parameters", &self.unknown_parameters, &["ignore", "refuse"][..]),
            ("unknown_fields", &self.unknown_fields, &["refuse", "ignore"][..]),
            ("read_only_fields", &self.read_only_fields, &["refuse", "ignore"][..]),
            ("debtor_answer", &self.debtor_answer, &["plain", "wrapped"][..]),
            ("entry_balance", &self.entry_balance, &["amounts", "amounts_and_vat"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        for (name, status) in [("post_status", self.post_status), ("rule_status", self.rule_status)] {
            let fits = if name == "post_status" { 200..300 } else { 400..500 };
            if !fits.contains(&status) {
                return Err(format!("switches: {name} {status} is out of {}–{}", fits.start, fits.end - 1));
            }
        }
        if self.page_size_max == 0 || self.page_size_default == 0 {
            return Err("switches: a page holds at least one row".into());
        }
        if crate::text::parse_decimal(&self.vat_tolerance).is_none() {
            return Err(format!("switches: vat_tolerance \"{}\" is no amount", self.vat_tolerance));
        }
        if self.closed_until.as_ref().is_some_and(|period| values::period(period).is_none()) {
            return Err("switches: closed_until is no period such as 2026-10".into());
        }
        Ok(())
    }
}
