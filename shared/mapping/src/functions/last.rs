//! `last`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "last",
    input: Kind::List,
    arguments: &[],
    returns: Kind::Any,
    doc: "The last element; empty if there is none.",
    examples: &[(r#"["a", "b"] | last"#, r#""b""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_list(input).last().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn an_empty_list_has_no_last() {
        assert_eq!(json("[] | last"), "null");
    }
}
