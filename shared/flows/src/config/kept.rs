//! Settings of flows that keep records in step: products, stock, customers, prices.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Code;

/// The key of `update` for all fields that are not named.
pub const OTHERS: &str = "others";

/// Which fields are written to a record that the target has already. Fields that are not named follow `others`, and
/// `others` is on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Update(pub BTreeMap<String, bool>);

impl Update {
    /// The field is written to records that exist. A leading `_` of a field does not count: `categories` is `_categories`.
    pub fn is_on(&self, field: &str) -> bool {
        let of = |name: &str| self.0.get(name).copied();
        of(field.trim_start_matches('_')).or_else(|| of(OTHERS)).unwrap_or(true)
    }

    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        self.0.is_empty()
    }
}

/// How the quantity that a shop may sell is computed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StockSettings {
    /// Which quantity.
    pub calculation: Calculation,
    /// Warehouses that count; empty counts all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warehouses: Vec<Code>,
    /// Quantity that is kept back of every article.
    #[schemars(with = "String")]
    pub keep_back: Decimal,
    /// Keep back what the source says must stay in each warehouse too.
    pub safety_stock: bool,
    /// Show quantities below zero; otherwise they are zero.
    pub below_zero: bool,
    /// The shop never sees more than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at_most: Option<Decimal>,
    /// Take off what orders of this shop ask for that are still on their way to the books.
    pub minus_orders_on_their_way: Option<bool>,
    /// The shop keeps count of these articles: yes, no, or as the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manage_stock: Option<bool>,
}

/// A way to compute stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calculation {
    /// On the shelf, less what is promised to sales orders.
    #[default]
    Available,
    /// On the shelf.
    OnHand,
    /// What the source itself calls free.
    Free,
    /// On the shelf, less what is promised, with what is on its way in.
    Projected,
}

/// How products are shown in the shop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProductSettings {
    /// Prices in the shop are with tax, or without; unset leaves them as the source has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices_include_tax: Option<bool>,
    /// Category of products that have none, by its names from the root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fallback_category: Vec<String>,
    /// Status of products that are not to be seen.
    pub unpublished: Unpublished,
    /// Names from the root for a category code of the source: `{ "001": ["Clothes", "Shirts"] }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub category_names: BTreeMap<String, Vec<String>>,
}

impl ProductSettings {
    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// How prices of classes of customers are written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PriceSettings {
    /// What a price class of the source is called in the target: `{ DEALER: wholesale_customer }`. With it classes that
    /// are not named are left out; without it a class is called the same on both sides.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, String>,
    /// Prices in the target are with tax, or without; unset leaves them as the source has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices_include_tax: Option<bool>,
    /// Prices from a quantity on are left out.
    pub leave_breaks: bool,
}

impl PriceSettings {
    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

impl StockSettings {
    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of products that are not to be seen: out of their dates, not for the shop, gone from the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unpublished {
    /// A draft: only the merchant sees it.
    #[default]
    Draft,
    /// Private: only whoever is logged in with rights sees it.
    Private,
    /// Left as it is, and never created.
    Leave,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkbox_of_a_field_goes_before_that_of_all_others() {
        let update: Update = serde_saphyr::from_str("{ name: false }").unwrap();
        assert!(!update.is_on("name") && update.is_on("regular_price"));
        let update: Update = serde_saphyr::from_str("{ others: false, categories: true }").unwrap();
        assert!(update.is_on("_categories") && !update.is_on("name"));
    }
}
