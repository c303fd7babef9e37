//! `starts_with`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "starts_with",
    input: Kind::Text,
    arguments: &[one("part", Kind::Text)],
    returns: Kind::YesNo,
    doc: "Whether a text starts with another.",
    examples: &[(r#""NL001234567B01" | starts_with("NL")"#, "true")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).starts_with(call.text(0).as_ref()).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn minds_capitals() {
        assert_eq!(json("'aba' | starts_with('A')"), "false");
        assert_eq!(json("'aba' | starts_with('a')"), "true");
    }
}
