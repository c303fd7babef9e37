//! `lower`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "lower",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Turns all letters into small letters.",
    examples: &[(r#""Info@Example.COM" | lower"#, r#""info@example.com""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).to_lowercase().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn knows_letters_beyond_ascii() {
        assert_eq!(json("'ÉÖ' | lower"), "\"éö\"");
    }
}
