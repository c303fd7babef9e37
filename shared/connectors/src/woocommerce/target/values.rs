//! Values are looked at before they are sent: within a batch the shop checks nothing and writes what it makes of them.
//! A price that is no number would empty the price, a quantity that is none would become zero.

use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::woocommerce::native::text;

/// Fields without what rows leave empty.
pub fn spoken_of(fields: &Map<String, Value>) -> Map<String, Value> {
    let kept = |(name, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::Object(inner) => Some((name.clone(), Value::Object(spoken_of(inner)))),
        other => Some((name.clone(), other.clone())),
    };
    fields.iter().filter_map(kept).collect()
}

/// A price as the shop takes it: a text with a point, or an empty one for «not for sale».
pub fn price(value: &Value) -> Result<String, Failure> {
    let text = text(value);
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    match decimal(&text) {
        Some(price) if !price.is_sign_negative() || price.is_zero() => Ok(price.normalize().to_string()),
        _ => Err(wrong("regular_price", &text, "a price")),
    }
}

/// A whole number of pieces.
pub fn pieces(value: &Value) -> Result<i64, Failure> {
    let text = text(value);
    let whole = decimal(&text).filter(|number| number.fract().is_zero()).and_then(|number| i64::try_from(number).ok());
    whole.ok_or_else(|| wrong("stock_quantity", &text, "a whole number"))
}

/// A weight in kilograms; nothing for an empty one.
pub fn weight(value: &Value) -> Result<Option<Decimal>, Failure> {
    let text = text(value);
    if text.trim().is_empty() {
        return Ok(None);
    }
    decimal(&text)
        .filter(|weight| !weight.is_sign_negative())
        .map(Some)
        .ok_or_else(|| wrong("weight", &text, "a weight"))
}

/// One of the words that a field knows.
pub fn word(field: &str, value: &Value, words: &[&str]) -> Result<(), Failure> {
    let text = text(value);
    if words.contains(&text.as_str()) {
        Ok(())
    } else {
        Err(wrong(field, &text, &format!("one of {}", words.join(", "))))
    }
}

/// Two texts of a shop mean the same; numbers by their value.
pub fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim(), other.trim());
    one == other || decimal(one).is_some_and(|number| decimal(other) == Some(number))
}

fn decimal(text: &str) -> Option<Decimal> {
    text.trim().parse().ok()
}

fn wrong(field: &str, text: &str, what: &str) -> Failure {
    Failure::reject(
        Cause::new("bad_value", format!("«{text}» is not {what}"))
            .advice("see the row of this field: the shop would take the value and write something else")
            .in_row(format!("target.{field}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_shop_would_misread_is_not_sent() {
        assert_eq!(price(&json!("12.50")).unwrap(), "12.5");
        assert_eq!((price(&json!("")).unwrap(), price(&json!(0)).unwrap()), (String::new(), "0".into()));
        for bad in [json!("10,5"), json!("abc"), json!("-1")] {
            assert_eq!(price(&bad).unwrap_err().cause().code, "bad_value", "{bad}");
        }
        assert_eq!((pieces(&json!("5.0")).unwrap(), pieces(&json!(-2)).unwrap()), (5, -2));
        for bad in [json!("abc"), json!("1.5"), json!("")] {
            assert!(pieces(&bad).is_err(), "{bad}");
        }
        assert_eq!(weight(&json!("0.350")).unwrap(), Some(Decimal::new(350, 3)));
        assert!(weight(&json!("zwaar")).is_err() && weight(&json!("")).unwrap().is_none());
        assert!(
            word("status", &json!("draft"), &["draft"]).is_ok() && word("status", &json!("nope"), &["draft"]).is_err()
        );
    }

    #[test]
    fn what_is_empty_is_not_spoken_of() {
        let fields = json!({ "name": "Mok", "weight": null, "billing": { "city": "", "phone": null } });
        let spoken = spoken_of(fields.as_object().unwrap());
        assert_eq!(Value::Object(spoken), json!({ "name": "Mok", "billing": { "city": "" } }));
    }
}
