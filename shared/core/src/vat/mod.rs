//! Facts that decide how a sale is taxed. Which VAT code follows from them is a setting, not a rule in code.

mod number;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::document::{Line, Order};

pub use number::{VatAnswer, VatCheck, VatNumber, vat_prefix};

/// Part of a table key: the buyer's VAT number does not count.
const NO_NUMBER: &str = "no-number";

/// What the VAT decision of one order line looks at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VatFacts {
    /// ISO 3166 code of the country the goods go to.
    pub country: String,
    /// The buyer acts as a company.
    pub business: bool,
    /// The buyer gave a VAT identification number.
    pub has_vat_number: bool,
    /// The buyer's VAT number was checked, and does not count.
    pub number_refused: bool,
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
            number_refused: order.vat_check.as_ref().is_some_and(|check| !check.counts),
            exempt: order.vat_exempt,
            rate_percent: line.rate_percent().normalize(),
        }
    }

    /// Keys under which a VAT table may answer, the most specific first:
    /// `BE/0/exempt`, `BE/exempt`, `BE/0/business`, `BE/0`, `0` (the last only as a bare rate).
    ///
    /// Of a buyer whose number does not count `BE/21/no-number` comes first. Where nothing was charged `BE/0/no-number`,
    /// `BE/no-number` and `no-number` stand alone: no entry that means other buyers makes it 0 % by accident.
    pub fn table_keys(&self) -> Vec<String> {
        let (country, rate) = (&self.country, self.rate_percent);
        let mut keys = Vec::new();
        if self.number_refused {
            keys.push(format!("{country}/{rate}/{NO_NUMBER}"));
        }
        if self.is_free_by_mistake() {
            keys.extend(Self::keys_without_number(country));
            return keys;
        }
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

    /// Nothing was charged to a buyer who, without a number that counts, has to pay VAT.
    pub fn is_free_by_mistake(&self) -> bool {
        self.number_refused && self.rate_percent.is_zero()
    }

    /// Keys for buyers of a country whose number does not count, whatever they were charged.
    pub fn keys_without_number(country: &str) -> [String; 2] {
        [format!("{country}/{NO_NUMBER}"), NO_NUMBER.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> VatFacts {
        VatFacts {
            country: "BE".into(),
            business: true,
            has_vat_number: true,
            number_refused: false,
            exempt: true,
            rate_percent: Decimal::ZERO,
        }
    }

    #[test]
    fn a_buyer_without_a_number_that_counts_gets_0_percent_only_by_a_key_of_its_own() {
        let free = VatFacts { number_refused: true, exempt: false, ..facts() };
        assert_eq!(free.table_keys(), ["BE/0/no-number", "BE/no-number", "no-number"]);
        let charged = VatFacts { rate_percent: Decimal::from(21), ..free };
        assert_eq!(charged.table_keys(), ["BE/21/no-number", "BE/21/business", "BE/21", "21"]);
    }

    #[test]
    fn the_most_specific_key_comes_first() {
        let facts = facts();
        assert_eq!(facts.table_keys(), ["BE/0/exempt", "BE/exempt", "exempt", "BE/0/business", "BE/0", "0"]);
    }
}
