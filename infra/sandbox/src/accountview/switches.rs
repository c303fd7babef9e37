//! Behaviour that is unknown, or that differs from one installation to the next.

use serde::{Deserialize, Serialize};

/// The switches; the README says what each stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// `rotating` (a new refresh token each time, the old one is dead), `constant` (the same again) or `omitted`.
    pub refresh_tokens: String,
    /// Life of an access token.
    pub access_seconds: i64,
    /// Life of a refresh token.
    pub refresh_days: i64,
    /// The answer of the token endpoint says how long a token lives.
    pub expires_in: bool,
    /// `state` comes back with the code.
    pub echo_state: bool,
    /// Any redirect URI on this machine is accepted.
    pub loopback_redirects: bool,
    /// Scope that a write needs besides the one for reading; null: none.
    pub write_scope: Option<String>,
    /// Status of an answer with an error: 200, 400 or 500.
    pub error_status: u16,
    /// Nothing found: `404`, `empty` (an empty array) or `missing` (no such key).
    pub nothing_found: String,
    /// A single row is answered as an object, not as an array of one.
    pub single_as_object: bool,
    /// A text that is too long: `error` or `cut`.
    pub too_long: String,
    /// Texts go out as wide as their field.
    pub pad_texts: bool,
    /// A debtor without a number gets the next one; otherwise the number is mandatory.
    pub number_debtors: bool,
    /// A creation answers `posted` (what was sent, and the numbers) or `number` (nothing but the number).
    pub post_answer: String,
    /// Largest page; a larger one is silently made this size.
    pub page_size_max: usize,
    /// The paging key is in the rows.
    pub paging_key_returned: bool,
    /// Paging key of articles: `ART_CODE` or `REC_ID`.
    pub article_paging_key: String,
    /// `Equal` on texts: `begins_with`, as FoxPro compares, or `exact`.
    pub equal: String,
    /// Texts in filters are compared with their case.
    pub case_sensitive_filters: bool,
    /// Operators 42 and 43 are known.
    pub range_operators: bool,
    /// A date literal may have a time.
    pub datetime_literals: bool,
    /// The parameter `Filter` is understood.
    pub raw_filter: bool,
    /// `default` or `other`: which installation this is. A change puts the seeds back.
    pub dictionary: String,
    /// There is an object for sales invoices.
    pub sales_invoices: bool,
    /// The dictionary cannot be read.
    pub dictionary_refused: bool,
    /// Table names in dictionary filters must be padded to eight characters.
    pub dictionary_padded: bool,
    /// Tables that cannot be written through the API.
    pub no_xml_upd: Vec<String>,
    /// Objects the user has no rights for.
    pub forbidden_objects: Vec<String>,
    /// An invoice number of a journal is there once.
    pub unique_invoice_numbers: bool,
    /// Most decimals of an amount in a journal.
    pub amount_decimals: u32,
    /// First year with books.
    pub first_book_year: i32,
    /// Last year with books; null: no end.
    pub last_book_year: Option<i32>,
    /// Last day of the closed periods, e.g. `2026-10-31`.
    pub closed_until: Option<String>,
    /// The installation of the customer cannot be reached.
    pub backend_offline: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            refresh_tokens: "rotating".into(),
            access_seconds: 1_200,
            refresh_days: 30,
            expires_in: true,
            echo_state: true,
            loopback_redirects: true,
            write_scope: None,
            error_status: 200,
            nothing_found: "404".into(),
            single_as_object: false,
            too_long: "error".into(),
            pad_texts: true,
            number_debtors: false,
            post_answer: "posted".into(),
            page_size_max: 1_000,
            paging_key_returned: true,
            article_paging_key: "ART_CODE".into(),
            equal: "begins_with".into(),
            case_sensitive_filters: true,
            range_operators: true,
            datetime_literals: false,
            raw_filter: true,
            dictionary: "default".into(),
            sales_invoices: false,
            dictionary_refused: false,
            dictionary_padded: false,
            no_xml_upd: Vec::new(),
            forbidden_objects: Vec::new(),
            unique_invoice_numbers: true,
            amount_decimals: 2,
            first_book_year: 2020,
            last_book_year: None,
            closed_until: None,
            backend_offline: false,
        }
    }
}

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("refresh_tokens", &self.refresh_tokens, &["rotating", "constant", "omitted"][..]),
            ("nothing_found", &self.nothing_found, &["404", "empty", "missing"][..]),
            ("too_long", &self.too_long, &["error", "cut"][..]),
            ("post_answer", &self.post_answer, &["posted", "number"][..]),
            ("article_paging_key", &self.article_paging_key, &["ART_CODE", "REC_ID"][..]),
            ("equal", &self.equal, &["begins_with", "exact"][..]),
            ("dictionary", &self.dictionary, &["default", "other"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        if ![200, 400, 500].contains(&self.error_status) {
            return Err(format!("switches: error_status {} is none of 200, 400, 500", self.error_status));
        }
        if self.access_seconds < 1 || self.page_size_max < 1 {
            return Err("switches: access_seconds and page_size_max are at least 1".into());
        }
        if self.closed_until.as_ref().is_some_and(|day| day.parse::<chrono::NaiveDate>().is_err()) {
            return Err("switches: closed_until is no day".into());
        }
        Ok(())
    }
}
