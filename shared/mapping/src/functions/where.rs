//! `where`, the elements that fit.

use super::*;
use crate::cell::eval::order;
use crate::value::EMPTY;

pub(super) const FUNCTION: Function = Function {
    name: "where",
    input: Kind::List,
    arguments: &[one("key", Kind::Text), one("operator", Kind::Text), one("value", Kind::Any)],
    returns: Kind::List,
    doc: "The elements of a list of groups whose field compares so: ==, !=, <, <=, >, >=, starts, ends or contains.",
    examples: &[
        (r#"source.line_items | where("quantity", ">", 0) | pick("sku")"#, r#"["MUG-01", "POT-03"]"#),
        (r#"source.meta_data | where("key", "starts", "pa_") | pick("value")"#, r#"["Blue"]"#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let (key, operator, wanted) = (call.text(0), call.text(1), call.get(2).unwrap_or(&EMPTY));
    let mut found = Vec::new();
    for item in input_list(input) {
        if holds(item.get(&key), &operator, wanted).map_err(|why| format!("where, field «{key}»: {why}"))? {
            found.push(item.clone());
        }
    }
    Ok(Value::List(found))
}

fn holds(value: &Value, operator: &str, wanted: &Value) -> Result<bool, String> {
    let text = |test: fn(&str, &str) -> bool| match (value, wanted) {
        (Value::Empty, _) => Ok(false),
        (Value::Text(_) | Value::Number(_), Value::Text(_) | Value::Number(_)) => {
            Ok(test(&plain(value), &plain(wanted)))
        }
        _ => Err(format!("«{operator}» compares texts, not {} and {}", value.shown(), wanted.shown())),
    };
    let ordered = || order(value, wanted, NOWHERE).map_err(|error| error.message);
    match operator {
        "==" => alike(value, wanted),
        "!=" => alike(value, wanted).map(|same| !same),
        // A line without the field is neither more nor less than anything.
        "<" | "<=" | ">" | ">=" if value.is_empty() => Ok(false),
        "<" => Ok(ordered()?.is_lt()),
        "<=" => Ok(ordered()?.is_le()),
        ">" => Ok(ordered()?.is_gt()),
        ">=" => Ok(ordered()?.is_ge()),
        "starts" => text(|whole, part| whole.starts_with(part)),
        "ends" => text(|whole, part| whole.ends_with(part)),
        "contains" => text(|whole, part| whole.contains(part)),
        _ => Err(format!("unknown operator «{operator}»: use ==, !=, <, <=, >, >=, starts, ends or contains")),
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn compares_like_the_operators_do() {
        assert_eq!(json("source.line_items | where('sku', '!=', 'MUG-01') | count"), "2");
        assert_eq!(json("source.line_items | where('nothing', '==', none) | count"), "3");
        assert_eq!(json("source.line_items | where('name', 'ends', 'pot') | count"), "1");
        assert!(stops("source.line_items | where('sku', '>', 5)").contains("cannot be compared"));
        assert!(stops("source.line_items | where('sku', 'is', 5)").contains("operator"));
    }
}
