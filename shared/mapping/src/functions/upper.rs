//! `upper`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "upper",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Turns all letters into capitals.",
    examples: &[(r#""nl" | upper"#, r#""NL""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).to_uppercase().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn may_grow_the_text() {
        assert_eq!(json("'straße' | upper"), "\"STRASSE\"");
    }
}
