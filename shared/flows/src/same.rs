//! When two values of a system mean the same: numbers by their value, whatever their form; nothing is as good as empty.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

/// The one form of a value by which it is compared.
///
/// Numbers and texts that are numbers become one text without trailing zeros; empty texts, lists and objects become
/// null; texts lose the spaces around them, since systems trim and pad.
pub fn normal(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(flag) => Value::Bool(*flag),
        Value::Number(number) => text(&number.to_string()),
        Value::String(string) => text(string.trim()),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(normal).collect();
            if items.is_empty() { Value::Null } else { Value::Array(items) }
        }
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(name, value)| (name.clone(), normal(value)))
                .filter(|(_, v)| !v.is_null())
                .collect();
            if fields.is_empty() { Value::Null } else { Value::Object(fields) }
        }
    }
}

fn text(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    // A code such as «007» is not the number 7.
    let is_code = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
    match text.parse::<Decimal>() {
        Ok(number) if !is_code && !text.starts_with('+') => Value::String(number.normalize().to_string()),
        _ => Value::String(text.to_owned()),
    }
}

/// What is wanted is there: of objects only the fields that are wanted are looked at.
pub fn is_there(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            let nothing = Value::Null;
            wanted.iter().all(|(name, value)| is_there(value, there.get(name).unwrap_or(&nothing)))
        }
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| is_there(wanted, there))
        }
        _ => normal(wanted) == normal(there),
    }
}

/// The fields whose wanted value is not there.
pub fn differences(wanted: &Map<String, Value>, there: &Map<String, Value>) -> Map<String, Value> {
    let nothing = Value::Null;
    let differs = |(name, value): &(&String, &Value)| !is_there(value, there.get(*name).unwrap_or(&nothing));
    wanted.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_do_not_matter_and_values_do() {
        for (wanted, there, same) in [
            (json!("12.50"), json!(12.5), true),
            (json!(""), json!(null), true),
            (json!("stuk"), json!("stuk    "), true),
            (json!("007"), json!("7"), false),
            (json!(0), json!(null), false),
            (json!(false), json!(null), false),
            (json!({ "a": 1 }), json!({ "a": "1.0", "id": 9 }), true),
            (json!({ "a": 1, "b": 2 }), json!({ "a": 1 }), false),
            (json!([["A"], ["B"]]), json!([["A"], ["B"]]), true),
            (json!(["A"]), json!(["A", "B"]), false),
        ] {
            assert_eq!(is_there(&wanted, &there), same, "{wanted} {there}");
        }
    }

    #[test]
    fn only_what_differs_is_left() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let wanted = object(json!({ "name": "Mok", "price": "9.95", "note": null }));
        let there = object(json!({ "name": "Mok", "price": "9.90", "id": 3 }));
        assert_eq!(differences(&wanted, &there), object(json!({ "price": "9.95" })));
    }
}
