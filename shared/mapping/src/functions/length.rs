//! `length`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "length",
    input: Kind::Any,
    arguments: &[],
    returns: Kind::Number,
    doc: "The number of characters of a text, or of elements of a list.",
    examples: &[(r#""Zoë" | length"#, "3"), ("source.line_items | length", "3")],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    let length = match input {
        Value::Text(_) | Value::Number(_) => plain(input).chars().count(),
        Value::List(items) => items.len(),
        other => return Err(format!("length needs a text or a list, this is {}", other.shown())),
    };
    Ok(Decimal::from(length).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn refuses_what_has_no_length() {
        assert_eq!(json("12.50 | length"), "5");
        assert!(stops("true | length").contains("a text or a list"));
    }
}
