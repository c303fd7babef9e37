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
    let (key, value) = (call.text(0), call.get(1).unwrap_or(&EMPTY));
    Ok(input_list(input).iter().find(|item| item.get(&key) == value).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn finds_the_first_or_nothing() {
        assert_eq!(json("(source.line_items | find('quantity', 2.0)).sku"), "\"MUG-01\"");
        assert_eq!(json("(source.line_items | find('sku', 'X')).name"), "null");
        assert_eq!(json("[1, 'x'] | find('a', 1)"), "null");
    }
}
