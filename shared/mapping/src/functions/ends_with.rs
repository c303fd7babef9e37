//! `ends_with`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "ends_with",
    input: Kind::Text,
    arguments: &[one("part", Kind::Text)],
    returns: Kind::YesNo,
    doc: "Whether a text ends with another.",
    examples: &[(r#""invoice.pdf" | ends_with(".pdf")"#, "true")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).ends_with(call.text(0).as_ref()).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn minds_capitals() {
        assert_eq!(json("'aba' | ends_with('A')"), "false");
        assert_eq!(json("'aba' | ends_with('a')"), "true");
    }
}
