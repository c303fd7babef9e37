//! Values as the shop takes them: numbers as numbers, texts within their length.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};

use crate::ccv_shop::native::{decimal, text};

/// Fields of a product that hold a number.
const NUMBERS: [&str; 12] = [
    "price",
    "discount",
    "purchaseprice",
    "container_deposit_price",
    "safety_deposit_price",
    "stock",
    "weight",
    "minimal_order_amount",
    "amount_sold",
    "package_id",
    "brand_id",
    "supplier_id",
];
/// Most letters of a text.
const LENGTHS: [(&str, usize); 6] = [
    ("productnumber", 50),
    ("eannumber", 50),
    ("mpnnumber", 50),
    ("name", 200),
    ("shortdescription", 255),
    ("description", 65_536),
];

/// Whether texts are held to the lengths that the shop is known to have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLimits {
    /// Longer ones are refused: a text that is cut is another one, and a number that is cut finds another product.
    Strict,
    /// The shop decides.
    Off,
}

impl TextLimits {
    /// The option `text_limits`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        match connection.option("text_limits").as_deref() {
            None | Some("strict") => Ok(Self::Strict),
            Some("off") => Ok(Self::Off),
            Some(other) => Err(Failure::settings(
                Cause::new("bad_option", format!("«{other}» is no way to hold texts to a length"))
                    .advice("use strict or off")
                    .in_row("text_limits")
                    .at_connection(&connection.name),
            )),
        }
    }

    /// Refuses a text that is too long.
    pub fn check(self, name: &str, value: &Value) -> Result<(), Failure> {
        let Some((_, most)) = LENGTHS.iter().find(|(field, _)| *field == name) else { return Ok(()) };
        let letters = text(value).chars().count();
        if self == Self::Off || letters <= *most {
            return Ok(());
        }
        Err(Failure::reject(
            Cause::new("text_too_long", format!("{name} has {letters} letters, and the shop takes {most}"))
                .advice(format!("map a shorter text, such as … | left({most}), or set text_limits: off"))
                .in_row(format!("target.{name}")),
        ))
    }
}

/// Fields without what rows leave empty.
pub fn spoken_of(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::Object(inner) => Some((name.clone(), Value::Object(spoken_of(inner)))),
        other => Some((name.clone(), other.clone())),
    };
    fields.iter().filter_map(kept).collect()
}

/// A field as the shop takes it.
pub fn plain(name: &str, value: Value) -> Result<Value, Failure> {
    if !NUMBERS.contains(&name) {
        return Ok(value);
    }
    let negative = matches!(name, "stock");
    let number = decimal(&value).filter(|number| negative || !number.is_sign_negative() || number.is_zero());
    number.map(number_of).ok_or_else(|| {
        Failure::reject(
            Cause::new("bad_value", format!("«{}» is not a number that {name} can have", text(&value)))
                .advice("see the row of this field")
                .in_row(format!("target.{name}")),
        )
    })
}

/// An exact number, without a detour over a float.
pub fn number_of(number: Decimal) -> Value {
    let text = number.normalize().to_string();
    text.parse::<Number>().map_or(Value::String(text), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    #[test]
    fn numbers_are_exact_and_what_is_none_is_refused() {
        assert_eq!(plain("price", json!("12.3400")).unwrap().to_string(), "12.34");
        assert_eq!(plain("stock", json!("-2.5")).unwrap().to_string(), "-2.5");
        assert_eq!(plain("name", json!("12.50")).unwrap(), json!("12.50"));
        for (name, bad) in
            [("price", json!("10,5")), ("price", json!("-1")), ("weight", json!("heavy")), ("stock", json!(""))]
        {
            assert_eq!(plain(name, bad).unwrap_err().cause().code, "bad_value");
        }
    }

    #[test]
    fn a_text_is_never_cut() {
        let strict = TextLimits::of(&connection("ccv-shop", json!({}), &[])).unwrap();
        let long = json!("é".repeat(51));
        let failure = strict.check("productnumber", &long).unwrap_err();
        assert!(failure.to_string().contains("51 letters") && failure.to_string().contains("takes 50"), "{failure}");
        assert!(strict.check("productnumber", &json!("é".repeat(50))).is_ok() && strict.check("memo", &long).is_ok());
        let off = TextLimits::of(&connection("ccv-shop", json!({ "text_limits": "off" }), &[])).unwrap();
        assert!(off.check("productnumber", &long).is_ok());
        assert!(TextLimits::of(&connection("ccv-shop", json!({ "text_limits": "x" }), &[])).is_err());
    }
}
