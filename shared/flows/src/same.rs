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

/// What is wanted is there: of objects only the fields that are wanted are looked at, and what rows leave empty is not
/// wanted.
fn is_there(wanted: &Value, there: &Value, in_order: bool) -> bool {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            let nothing = Value::Null;
            wanted
                .iter()
                .filter(|(_, value)| !value.is_null())
                .all(|(name, value)| is_there(value, there.get(name).unwrap_or(&nothing), in_order))
        }
        (Value::Array(wanted), Value::Array(there)) if wanted.len() != there.len() => false,
        (Value::Array(wanted), Value::Array(there)) if in_order => {
            wanted.iter().zip(there).all(|(wanted, there)| is_there(wanted, there, true))
        }
        (Value::Array(wanted), Value::Array(there)) => {
            let mut left: Vec<&Value> = there.iter().collect();
            wanted.iter().all(|one| match left.iter().position(|there| is_there(one, there, false)) {
                Some(at) => {
                    left.swap_remove(at);
                    true
                }
                None => false,
            })
        }
        _ => normal(wanted) == normal(there),
    }
}

/// Lists of these fields have an order that somebody sees: the first picture is the main one.
const ORDERED: [&str; 1] = ["_pictures"];

/// The fields whose wanted value is not there. What rows leave empty is not wanted: the target keeps what it has.
///
/// A list under a name with `_` before it was put together from several records of the target (categories, variations,
/// choices), which each system sorts in its own way: its order says nothing.
pub fn differences(wanted: &Map<String, Value>, there: &Map<String, Value>) -> Map<String, Value> {
    let nothing = Value::Null;
    let differs = |(name, value): &(&String, &Value)| {
        let in_order = !name.starts_with('_') || ORDERED.contains(&name.as_str());
        !value.is_null() && !is_there(value, there.get(*name).unwrap_or(&nothing), in_order)
    };
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
            assert_eq!(is_there(&wanted, &there, true), same, "{wanted} {there}");
        }
    }

    #[test]
    fn only_what_differs_is_left() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let wanted = object(json!({ "name": "Mok", "price": "9.95", "note": null }));
        let there = object(json!({ "name": "Mok", "price": "9.90", "id": 3 }));
        assert_eq!(differences(&wanted, &there), object(json!({ "price": "9.95" })));
    }

    #[test]
    fn what_rows_leave_empty_is_not_wanted_and_an_empty_text_is() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let wanted = object(json!({ "text": null, "note": "", "billing": { "city": "Delft", "phone": null } }));
        let there = object(json!({ "text": "by hand", "note": "old", "billing": { "city": "Delft", "phone": "015" } }));
        assert_eq!(differences(&wanted, &there), object(json!({ "note": "" })));
    }

    #[test]
    fn the_order_of_what_was_put_together_says_nothing() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let wanted = object(json!({
            "_categories": [["A", "B"], ["C"]], "_attributes": [{ "name": "Size", "options": ["S", "M"] }],
            "_pictures": [{ "url": "1" }, { "url": "2" }], "options": ["S", "M"],
        }));
        let there = object(json!({
            "_categories": [["C"], ["A", "B"]], "_attributes": [{ "name": "Size", "options": ["M", "S"], "id": 1 }],
            "_pictures": [{ "url": "2" }, { "url": "1" }], "options": ["M", "S"],
        }));
        let differing: Vec<String> = differences(&wanted, &there).into_iter().map(|(name, _)| name).collect();
        assert_eq!(differing, ["_pictures", "options"]);
        let twice = object(json!({ "_categories": [["C"], ["C"]] }));
        assert_eq!(differences(&twice, &there).len(), 1);
    }
}
