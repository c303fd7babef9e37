//! `first`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "first",
    input: Kind::List,
    arguments: &[],
    returns: Kind::Any,
    doc: "The first element; empty if there is none.",
    examples: &[(r#"["a", "b"] | first"#, r#""a""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_list(input).first().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn an_empty_list_has_no_first() {
        assert_eq!(json("[] | first"), "null");
        assert!(stops("'abc' | first").contains("needs a list"));
    }
}
