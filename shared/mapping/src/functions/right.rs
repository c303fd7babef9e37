//! `right`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "right",
    input: Kind::Text,
    arguments: &[one("count", Kind::Number)],
    returns: Kind::Text,
    doc: "Keeps at most so many characters from the end.",
    examples: &[(r#""NL91ABNA0417164300" | right(4)"#, r#""4300""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let count = call.integer(0, 0..=100_000)?.unwrap_or(0) as usize;
    let text = input_text(input);
    let dropped = text.chars().count().saturating_sub(count);
    Ok(text.chars().skip(dropped).collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn counts_characters() {
        assert_eq!(json("'éèê' | right(2)"), "\"èê\"");
        assert_eq!(json("'ab' | right(9)"), "\"ab\"");
    }
}
