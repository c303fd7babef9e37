//! Behaviour that is not known for certain, or that differs from shop to shop.

use serde::{Deserialize, Serialize};

/// The switches; the README says what each stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Calls per minute for each pair of partner and store; null: no limit.
    pub minute_limit: Option<i64>,
    /// A 429 says in `Retry-After` how long to wait.
    pub retry_after: bool,
    /// Status of a call with wrong tokens: 401 or 403.
    pub auth_status: u16,
    /// The token of the store has ended.
    pub token_expired: bool,
    /// A token made for one partner works with the partner token of another.
    pub cross_partner_tokens: bool,
    /// Rights beyond the usual ones: `customers`, `email`, `override_stock`, `override_minimum`, `price_override`.
    pub special_rights: Vec<String>,
    /// `php` (numbers as text, `[]` for what is empty, one or many) or `clean` (as the definition has it).
    pub shape: String,
    /// `refuse` or `cap`: a `limit` above 100.
    pub limit_over_max: String,
    /// `both`, `brackets` (`ids[]=1`) or `repeat` (`ids=1`): how a list is written in a query; what is not understood is
    /// passed over.
    pub array_query: String,
    /// `refuse` or `ignore`: a field or a query parameter that nobody knows, or that cannot be written.
    pub unknown_fields: String,
    /// A text where a number is meant, or the other way round, is refused.
    pub strict_types: bool,
    /// Query parameters that the definition marks as required must be there.
    pub required_query: bool,
    /// `replace` or `merge`: what a PATCH does with `images`.
    pub patch_images: String,
    /// `replace` or `merge`: what a PATCH does with `categories`.
    pub patch_categories: String,
    /// Longest name, article number or title; null: no limit.
    pub text_max: Option<usize>,
    /// An article number may be there once only.
    pub unique_sku: bool,
    /// A new order has the moment of its last change of status.
    pub new_order_sets_status_changed: bool,
    /// An order that takes stock moves `updated_date` of the article.
    pub stock_moves_updated: bool,
    /// Filters that say where to start include that very second.
    pub start_dates_inclusive: bool,
    /// `test=true` shows test orders beside the others, not alone.
    pub test_shows_all: bool,
    /// `negative` or `positive`: quantities and amounts of a credit order as it is read.
    pub credit_signs: String,
    /// The list of customers knows `limit` and `offset`.
    pub customers_paged: bool,
    /// Zone of dates without one.
    pub time_zone: String,
    /// Article prices include VAT.
    pub prices_include_tax: bool,
    /// Kinds of buyers: `B2C`, `B2B` or `ALL`.
    pub business_models: String,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            minute_limit: Some(60),
            retry_after: false,
            auth_status: 401,
            token_expired: false,
            cross_partner_tokens: false,
            special_rights: Vec::new(),
            shape: "php".into(),
            limit_over_max: "refuse".into(),
            array_query: "both".into(),
            unknown_fields: "refuse".into(),
            strict_types: true,
            required_query: true,
            patch_images: "replace".into(),
            patch_categories: "replace".into(),
            text_max: Some(255),
            unique_sku: false,
            new_order_sets_status_changed: false,
            stock_moves_updated: false,
            start_dates_inclusive: false,
            test_shows_all: false,
            credit_signs: "negative".into(),
            customers_paged: false,
            time_zone: "Europe/Amsterdam".into(),
            prices_include_tax: true,
            business_models: "ALL".into(),
        }
    }
}

/// Rights that are asked for one by one.
pub(super) const RIGHTS: &[&str] = &["customers", "email", "override_stock", "override_minimum", "price_override"];

impl Switches {
    /// A value that is none of the known ones, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value, allowed) in [
            ("shape", &self.shape, &["php", "clean"][..]),
            ("limit_over_max", &self.limit_over_max, &["refuse", "cap"][..]),
            ("array_query", &self.array_query, &["both", "brackets", "repeat"][..]),
            ("unknown_fields", &self.unknown_fields, &["refuse", "ignore"][..]),
            ("patch_images", &self.patch_images, &["replace", "merge"][..]),
            ("patch_categories", &self.patch_categories, &["replace", "merge"][..]),
            ("credit_signs", &self.credit_signs, &["negative", "positive"][..]),
            ("business_models", &self.business_models, &["B2C", "B2B", "ALL"][..]),
        ] {
            if !allowed.contains(&value.as_str()) {
                return Err(format!("switches: {name} \"{value}\" is none of {}", allowed.join(", ")));
            }
        }
        if let Some(right) = self.special_rights.iter().find(|right| !RIGHTS.contains(&right.as_str())) {
            return Err(format!("switches: special_rights \"{right}\" is none of {}", RIGHTS.join(", ")));
        }
        if ![401, 403].contains(&self.auth_status) {
            return Err(format!("switches: auth_status {} is neither 401 nor 403", self.auth_status));
        }
        if self.time_zone.parse::<chrono_tz::Tz>().is_err() {
            return Err(format!("switches: time_zone \"{}\" is no zone", self.time_zone));
        }
        Ok(())
    }

    /// The zone of dates.
    pub(super) fn zone(&self) -> chrono_tz::Tz {
        self.time_zone.parse().unwrap_or(chrono_tz::Europe::Amsterdam)
    }

    /// The shapes of PHP.
    pub(super) fn php(&self) -> bool {
        self.shape == "php"
    }

    /// A right that is asked for.
    pub(super) fn right(&self, name: &str) -> bool {
        self.special_rights.iter().any(|right| right == name)
    }
}
