//! `left`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "left",
    input: Kind::Text,
    arguments: &[one("count", Kind::Number)],
    returns: Kind::Text,
    doc: "Keeps at most so many characters from the start.",
    examples: &[(r#""Teapot, blue" | left(6)"#, r#""Teapot""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let count = call.integer(0, 0..=100_000)?.unwrap_or(0);
    Ok(input_text(input).chars().take(count as usize).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn counts_characters() {
        assert_eq!(json("'éèê' | left(2)"), "\"éè\"");
        assert_eq!(json("'ab' | left(9)"), "\"ab\"");
        assert_eq!(json("'ab' | left(0)"), "\"\"");
        assert!(stops("'ab' | left(-1)").contains("whole number"));
        assert!(stops("'ab' | left(1.5)").contains("whole number"));
    }
}
