//! `find`, the first element that fits.

use super::*;
use crate::value::EMPTY;

pub(super) const FUNCTION: Function = Function {
    name: "find",
    input: Kind::List,
    arguments: &[one("key", Kind::Text), one("value", Kind::Any)],
    returns: Kind::Any,
    doc: "The first element of a list of groups whose field has a value; empty if there is none.",
    examples: &[(r#"(source.meta_data | find("key", "_vat_number")).value"#, r#""NL001234567B01""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let (key, wanted) = (call.text(0), call.get(1).unwrap_or(&EMPTY));
    for item in input_list(input) {
        // A number is not silently taken for another thing than the text that looks like it.
        if alike(item.get(&key), wanted).map_err(|why| format!("find, field «{key}»: {why}"))? {
            return Ok(item.clone());
        }
    }
    Ok(Value::Empty)
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn finds_the_first_or_nothing() {
        assert_eq!(json("(source.line_items | find('quantity', 2.0)).sku"), "\"MUG-01\"");
        assert_eq!(json("(source.line_items | find('sku', 'X')).name"), "null");
        assert_eq!(json("[1, 'x'] | find('a', 1)"), "null");
        assert!(stops("source.line_items | find('quantity', '2')").contains("cannot be compared"));
    }
}
