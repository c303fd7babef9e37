//! What can be set. Where the real behaviour is not known, the default is the strictest form.

use serde::{Deserialize, Serialize};

/// All switches; see the README of the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Calls per hour for the company and application together; null: no limit.
    pub hourly_limit: Option<i64>,
    /// Calls per hour over the old address; null: no limit.
    pub old_base_hourly_limit: Option<i64>,
    /// Calls per second; null: no limit.
    pub burst_limit: Option<i64>,
    /// Calls per second over the old address; null: no limit.
    pub old_base_burst_limit: Option<i64>,
    /// The old address still answers.
    pub old_base: bool,
    /// How long a token lives.
    pub token_seconds: i64,
    /// Status when client or secret are wrong.
    pub invalid_client_status: u16,
    /// The company's administrator approved the application.
    pub approved: bool,
    /// One token may carry the scopes of both services.
    pub mixed_scopes: bool,
    /// Scopes the application was not granted.
    pub missing_scopes: Vec<String>,
    /// `mixed`, `400` or `500`: status of business errors of v1/v2.
    pub business_error_status: String,
    /// `error` or `ignore`: a field of v1/v2 with a wrapper it should not have, or without the one it needs.
    pub wrong_wrapper: String,
    /// `error` or `ignore`: a field of v1/v2 nobody knows, or that is read only.
    pub unknown_fields: String,
    /// `error` or `ignore`: the same in v3.
    pub v3_unknown_fields: String,
    /// Texts of v1/v2 are held to the lengths that are known from v3.
    pub v1_lengths: bool,
    /// Rows of a page when no size is asked for.
    pub default_page_size: usize,
    /// Largest page, where it is not known.
    pub max_page_size: usize,
    /// Each item carries `metadata`, not just the first.
    pub metadata_on_every_item: bool,
    /// `error` or `ignore`: a date filter without its condition, or the other way round.
    pub lone_date_filter: String,
    /// `utc` or `oslo`: what stamps without an offset mean.
    pub stamps_zone: String,
    /// `mixed`, `always` or `never`: stamps of v1/v2 carry their offset.
    pub stamps_with_offset: String,
    /// Texts in filters are compared with their case.
    pub case_sensitive_filters: bool,
    /// A text in a filter may be a part of the value.
    pub filters_by_part: bool,
    /// `one_box` or `separate`: `customerRefNumber` and `externalReference` are the same field on screen.
    pub external_reference: String,
    /// Lists do not show rows younger than this.
    pub list_lag_seconds: i64,
    /// `Location` of a create names another host than the one called.
    pub location_elsewhere: bool,
    /// A create of v3 gives the order back.
    pub v3_post_body: bool,
    /// Status when a manual order number is there already.
    pub duplicate_order_status: u16,
    /// Lists of v3 tell how many rows there are.
    pub v3_total_count: bool,
    /// Largest page of a list of v3.
    pub v3_max_page_size: usize,
    /// Stock of v3 asked for since a moment: only the warehouses where it changed are shown.
    pub v3_changed_positions_only: bool,
    /// `If-Match: *` is accepted.
    pub if_match_star: bool,
    /// A price without `hasManualPrice` is kept.
    pub keep_unflagged_prices: bool,
    /// Alternative numbers are looked up in order lines.
    pub resolve_alternate_ids: bool,
    /// Stock items may stand on a credit note.
    pub credit_note_stock_items: bool,
    /// Release actions are done when they answer.
    pub release_at_once: bool,
    /// Seconds a queued release takes.
    pub release_seconds: i64,
    /// Polls that answer `Started` before a background call is finished.
    pub background_polls: i64,
    /// `document` or `line`: where VAT is rounded.
    pub vat_rounding: String,
    /// Customers get their number from the series.
    pub customer_numbers_automatic: bool,
    /// Last day of the closed periods; null: none is closed.
    pub closed_until: Option<String>,
    /// Orders may be dated into closed periods.
    pub orders_in_closed_periods: bool,
    /// The licence of the company is valid.
    pub licensed: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            hourly_limit: Some(500),
            old_base_hourly_limit: Some(500),
            burst_limit: None,
            old_base_burst_limit: Some(10),
            old_base: true,
            token_seconds: 3600,
            invalid_client_status: 400,
            approved: true,
            mixed_scopes: true,
            missing_scopes: Vec::new(),
            business_error_status: "mixed".into(),
            wrong_wrapper: "error".into(),
            unknown_fields: "error".into(),
            v3_unknown_fields: "ignore".into(),
            v1_lengths: true,
            default_page_size: 100,
            max_page_size: 500,
            metadata_on_every_item: false,
            lone_date_filter: "error".into(),
            stamps_zone: "oslo".into(),
            stamps_with_offset: "mixed".into(),
            case_sensitive_filters: true,
            filters_by_part: false,
            external_reference: "one_box".into(),
            list_lag_seconds: 0,
            location_elsewhere: true,
            v3_post_body: false,
            duplicate_order_status: 409,
            v3_total_count: false,
            v3_max_page_size: 100,
            v3_changed_positions_only: true,
            if_match_star: false,
            keep_unflagged_prices: false,
            resolve_alternate_ids: false,
            credit_note_stock_items: false,
            release_at_once: false,
            release_seconds: 5,
            background_polls: 1,
            vat_rounding: "document".into(),
            customer_numbers_automatic: true,
            closed_until: None,
            orders_in_closed_periods: false,
            licensed: true,
        }
    }
}

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("business_error_status", &self.business_error_status, &["mixed", "400", "500"][..]),
            ("wrong_wrapper", &self.wrong_wrapper, &["error", "ignore"][..]),
            ("unknown_fields", &self.unknown_fields, &["error", "ignore"][..]),
            ("v3_unknown_fields", &self.v3_unknown_fields, &["error", "ignore"][..]),
            ("lone_date_filter", &self.lone_date_filter, &["error", "ignore"][..]),
            ("stamps_zone", &self.stamps_zone, &["utc", "oslo"][..]),
            ("stamps_with_offset", &self.stamps_with_offset, &["mixed", "always", "never"][..]),
            ("external_reference", &self.external_reference, &["one_box", "separate"][..]),
            ("vat_rounding", &self.vat_rounding, &["document", "line"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        if self.closed_until.as_ref().is_some_and(|day| day.parse::<chrono::NaiveDate>().is_err()) {
            return Err("switches: closed_until is no day".into());
        }
        for (name, size) in [
            ("default_page_size", self.default_page_size),
            ("max_page_size", self.max_page_size),
            ("v3_max_page_size", self.v3_max_page_size),
        ] {
            if size == 0 {
                return Err(format!("switches: {name} is at least 1"));
            }
        }
        if ![400, 401].contains(&self.invalid_client_status) {
            return Err("switches: invalid_client_status is 400 or 401".into());
        }
        if ![400, 409].contains(&self.duplicate_order_status) {
            return Err("switches: duplicate_order_status is 400 or 409".into());
        }
        Ok(())
    }
}
