//! Prices per price class.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Price of one article for one price class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Price {
    /// Article number: half of the natural key.
    pub sku: String,
    /// Price class: the other half.
    pub price_class: String,
    /// Price of one piece.
    pub price: Decimal,
    /// Currency.
    pub currency: String,
    /// The price includes tax.
    pub includes_tax: bool,
    /// Prices from a quantity on.
    pub breaks: Vec<PriceBreak>,
}

/// A price from a quantity on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PriceBreak {
    /// Smallest quantity, in pieces.
    pub from_quantity: Decimal,
    /// Price of one piece.
    pub price: Decimal,
}
