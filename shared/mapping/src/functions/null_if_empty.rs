//! `null_if_empty`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "null_if_empty",
    input: Kind::Any,
    arguments: &[],
    returns: Kind::Any,
    doc: "Makes an empty text (also one of spaces only), an empty list or an empty group empty.",
    examples: &[(r#""" | null_if_empty"#, "null"), (r#""x" | null_if_empty"#, r#""x""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    let nothing = match input {
        Value::Text(text) => text.trim().is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Group(fields) => fields.is_empty(),
        _ => false,
    };
    Ok(if nothing { Value::Empty } else { input.clone() })
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn keeps_false_and_zero() {
        assert_eq!(json("'  ' | null_if_empty"), "null");
        assert_eq!(json("[] | null_if_empty"), "null");
        assert_eq!(json("0 | null_if_empty"), "0");
        assert_eq!(json("false | null_if_empty"), "false");
    }
}
