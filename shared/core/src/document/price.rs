//! Prices per price class.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::keys::NonEmpty;

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
    /// Percent of VAT on it, when the source knows: needed to make a price with tax of one without, and back.
    pub vat_percent: Option<Decimal>,
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

/// Between both halves of a natural key. A class has no such sign in it: it is a code of the target.
const BETWEEN: &str = " / ";

impl Price {
    /// Both halves in one: article and price class, once there are both.
    pub fn key(&self) -> Option<NonEmpty> {
        let (sku, class) = (NonEmpty::new(&self.sku)?, NonEmpty::new(&self.price_class)?);
        NonEmpty::new(format!("{sku}{BETWEEN}{class}"))
    }

    /// The halves of a natural key: article and price class.
    pub fn halves(key: &NonEmpty) -> Option<(NonEmpty, NonEmpty)> {
        let (sku, class) = key.as_str().rsplit_once(BETWEEN)?;
        Some((NonEmpty::new(sku)?, NonEmpty::new(class)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_two_halves_whatever_the_article_is_called() {
        let price = Price { sku: "MOK / WIT".into(), price_class: "dealer".into(), ..Price::default() };
        let key = price.key().unwrap();
        let (sku, class) = Price::halves(&key).unwrap();
        assert_eq!((sku.as_str(), class.as_str()), ("MOK / WIT", "dealer"));
        assert_eq!(Price { sku: "MOK".into(), ..Price::default() }.key(), None, "a base price is of no class");
    }
}
