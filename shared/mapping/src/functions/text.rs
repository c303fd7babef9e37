//! `text`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "text",
    input: Kind::Any,
    arguments: &[],
    returns: Kind::Text,
    doc: "Turns a number, or yes/no, into text.",
    examples: &[("12.50 | text", r#""12.50""#), ("true | text", r#""true""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    match input {
        Value::Text(_) | Value::Number(_) => Ok(plain(input).into_owned().into()),
        Value::Bool(yes) => Ok(yes.to_string().into()),
        other => Err(format!("text cannot show {}", other.shown())),
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn leaves_lists_and_groups_alone() {
        assert!(stops("source | text").contains("text cannot show a group"));
    }
}
