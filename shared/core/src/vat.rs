//! Facts that decide how a sale is taxed. Which VAT code follows from them is a setting, not a rule in code.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::document::{Line, Order};

/// What the VAT decision of one order line looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VatFacts {
    /// ISO 3166 code of the country the goods go to.
    pub country: String,
    /// The buyer acts as a company.
    pub business: bool,
    /// The buyer gave a VAT identification number.
    pub has_vat_number: bool,
    /// The shop charged no VAT on purpose (reverse charge, export).
    pub exempt: bool,
    /// Rate the shop charged, in percent.
    pub rate_percent: Decimal,
}

impl VatFacts {
    /// The facts of one line of an order.
    pub fn of(order: &Order, line: &Line) -> Self {
        Self {
            country: order.ship_to().country.clone(),
            business: order.customer.company.is_some(),
            has_vat_number: order.customer.vat_number.is_some(),
            exempt: order.vat_exempt,
            rate_percent: line.rate_percent().normalize(),
        }
    }

    /// Keys under which a VAT table may answer, the most specific first:
    /// `BE/0/exempt`, `BE/exempt`, `BE/0/business`, `BE/0`, `0` (the last only as a bare rate).
    pub fn table_keys(&self) -> Vec<String> {
        let (country, rate) = (&self.country, self.rate_percent);
        let mut keys = Vec::new();
        if self.exempt {
            keys.push(format!("{country}/{rate}/exempt"));
            keys.push(format!("{country}/exempt"));
            keys.push("exempt".to_owned());
        }
        if self.business {
            keys.push(format!("{country}/{rate}/business"));
        }
        keys.push(format!("{country}/{rate}"));
        keys.push(rate.to_string());
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_key_comes_first() {
        let facts = VatFacts {
            country: "BE".into(),
            business: true,
            has_vat_number: true,
            exempt: true,
            rate_percent: Decimal::ZERO,
        };
        assert_eq!(facts.table_keys(), ["BE/0/exempt", "BE/exempt", "exempt", "BE/0/business", "BE/0", "0"]);
    }
}
