//! `split`

use super::*;
use crate::limits;

pub(super) const FUNCTION: Function = Function {
    name: "split",
    input: Kind::Text,
    arguments: &[one("separator", Kind::Text)],
    returns: Kind::List,
    doc: "Cuts a text into a list.",
    examples: &[(r#""red, green" | split(", ")"#, r#"["red", "green"]"#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let separator = call.text(0);
    if separator.is_empty() {
        return Err("the separator is empty".to_owned());
    }
    let parts = input_text(input).split(separator.as_ref()).take(limits::LIST_ITEMS + 1);
    Ok(Value::List(parts.map(Value::from).collect()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn keeps_empty_parts() {
        assert_eq!(json("'a,,b' | split(',')"), r#"["a","","b"]"#);
        assert_eq!(json("'' | split(',')"), r#"[""]"#);
        assert!(stops("'a' | split('')").contains("is empty"));
    }
}
