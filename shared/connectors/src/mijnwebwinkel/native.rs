//! Native records made ready for rows. PHP writes an empty object as a list, one entry as that entry and several as a
//! list, numbers as text and text as numbers: everything here takes all of these.

pub mod article;
pub mod customer;
pub mod order;
pub mod refund;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};

/// A text, number or yes/no as text; everything else is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// One or many: a list, one entry without a list around it, or nothing.
pub fn many(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Object(map) if map.is_empty() => Vec::new(),
        // A list whose keys have gaps comes as an object with numbers for names.
        Value::Object(map) if map.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_digit())) => {
            map.values().cloned().collect()
        }
        Value::Object(_) => vec![value.clone()],
        _ => Vec::new(),
    }
}

/// The fields of an object; an empty list is one without fields.
pub fn group(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// A number, also when it comes as text.
pub fn decimal(value: &Value) -> Option<Decimal> {
    let text = text(value);
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// A yes/no, also when it comes as a number or text.
pub fn flag(value: &Value) -> bool {
    matches!(text(value).as_str(), "true" | "1" | "yes")
}

/// An id as text; none, and zero, are empty.
pub fn number_of(value: &Value) -> String {
    Some(text(value)).filter(|id| id != "0").unwrap_or_default()
}

/// The number of an order: test orders have a letter behind it.
pub fn number(order: &Value) -> String {
    text(&order["number"])
}

pub(super) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

pub(super) fn plain(value: Decimal) -> Value {
    Value::String(value.normalize().to_string())
}

/// Given and family name: the shop has one field, and what follows the first word is the family name.
pub(super) fn names(full: &str) -> (String, String) {
    let full = full.split_whitespace().collect::<Vec<_>>().join(" ");
    match full.split_once(' ') {
        Some((first, last)) => (first.to_owned(), last.to_owned()),
        None => (String::new(), full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_many_and_none_are_lists() {
        assert_eq!(many(&json!({"rate": "21"})), [json!({"rate": "21"})]);
        assert_eq!(many(&json!([1, 2])).len(), 2);
        assert_eq!(many(&json!({"0": 1, "3": 2})), [json!(1), json!(2)]);
        assert!(many(&json!({})).is_empty() && many(&json!([])).is_empty() && many(&Value::Null).is_empty());
        assert!(group(&json!([])).is_empty());
        assert_eq!((text(&json!(2001)), text(&json!(" 2013T "))), ("2001".into(), "2013T".into()));
        assert_eq!(decimal(&json!("8.181818")), Some(Decimal::new(8_181_818, 6)));
        assert_eq!((decimal(&json!("")), flag(&json!("1")), flag(&json!(false))), (None, true, false));
    }

    #[test]
    fn one_name_becomes_two() {
        assert_eq!(names("Jan  de Vries"), ("Jan".into(), "de Vries".into()));
        assert_eq!(names(" Bakker "), (String::new(), "Bakker".into()));
    }
}
