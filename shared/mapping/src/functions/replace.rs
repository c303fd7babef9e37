//! `replace`

use super::*;
use crate::limits;

pub(super) const FUNCTION: Function = Function {
    name: "replace",
    input: Kind::Text,
    arguments: &[one("from", Kind::Text), one("to", Kind::Text)],
    returns: Kind::Text,
    doc: "Puts one text in the place of every occurrence of another.",
    examples: &[(r#""a/b/c" | replace("/", " - ")"#, r#""a - b - c""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let (text, from, to) = (input_text(input), call.text(0), call.text(1));
    if from.is_empty() {
        return Err("the text to replace is empty".to_owned());
    }
    // The size is known before anything is built, so no cell can ask for more memory than the cap.
    let hits = text.matches(from.as_ref()).count();
    let size = (text.len() - hits * from.len()).saturating_add(hits.saturating_mul(to.len()));
    if size > limits::TEXT_BYTES {
        return Err(TEXT_TOO_LONG.to_owned());
    }
    Ok(text.replace(from.as_ref(), &to).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn refuses_to_grow_without_bound_or_to_replace_nothing() {
        assert!(stops("'abc' | replace('', 'x')").contains("is empty"));
        assert_eq!(json("'aaa' | replace('aa', 'b')"), "\"ba\"");
    }
}
