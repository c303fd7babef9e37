//! Weights: documents hold kilograms, a shop has one unit of its own.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;

/// Decimals of a weight in the unit of the shop.
const DECIMALS: u32 = 6;

/// The unit of a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightUnit {
    /// So many kilograms are one of it.
    kilograms: Decimal,
}

impl WeightUnit {
    /// The option `weight_unit`: `kg` unless it says otherwise.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let kilograms = match connection.option("weight_unit").as_deref() {
            None | Some("kg") => Decimal::ONE,
            Some("g") => Decimal::new(1, 3),
            Some("lbs") => Decimal::new(45_359_237, 8),
            Some("oz") => Decimal::new(28_349_523_125, 12),
            Some(other) => {
                return Err(Failure::settings(
                    Cause::new("bad_option", format!("«{other}» is not a unit of weight"))
                        .advice("use kg, g, lbs or oz, as WooCommerce has it under Settings, Products")
                        .in_row("weight_unit")
                        .at_connection(&connection.name),
                ));
            }
        };
        Ok(Self { kilograms })
    }

    /// A weight of the shop in kilograms; nothing when it is none.
    pub fn to_kilograms(self, text: &str) -> Option<String> {
        let weight: Decimal = text.trim().parse().ok()?;
        Some((weight * self.kilograms).round_dp(DECIMALS).normalize().to_string())
    }

    /// Kilograms in the unit of the shop.
    pub fn of_kilograms(self, weight: Decimal) -> String {
        (weight / self.kilograms).round_dp(DECIMALS).normalize().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    #[test]
    fn each_unit_goes_there_and_back() {
        for (unit, of_the_shop, kilograms) in [("kg", "0.35", "0.35"), ("g", "350", "0.35"), ("lbs", "2", "0.907185")] {
            let unit = connection("woocommerce", serde_json::json!({ "weight_unit": unit }), &[]);
            let unit = WeightUnit::of(&unit).unwrap();
            assert_eq!(unit.to_kilograms(of_the_shop).as_deref(), Some(kilograms));
            assert_eq!(
                unit.of_kilograms(kilograms.parse().unwrap()).parse::<Decimal>().unwrap().round_dp(3),
                of_the_shop.parse().unwrap()
            );
        }
        let wrong = connection("woocommerce", serde_json::json!({ "weight_unit": "stone" }), &[]);
        assert!(WeightUnit::of(&wrong).is_err());
        let kilograms = WeightUnit { kilograms: Decimal::ONE };
        assert_eq!(kilograms.to_kilograms(""), None);
    }
}
