//! `digits`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "digits",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Keeps only the digits 0 to 9.",
    examples: &[(r#""+31 (0)6 1234" | digits"#, r#""31061234""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).chars().filter(char::is_ascii_digit).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn keeps_ascii_digits_only() {
        assert_eq!(json("'a1٢2' | digits"), "\"12\"");
    }
}
