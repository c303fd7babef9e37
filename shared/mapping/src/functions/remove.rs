//! `remove`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "remove",
    input: Kind::Text,
    arguments: &[Argument { name: "part", kind: Kind::Text, count: Count::Many }],
    returns: Kind::Text,
    doc: "Takes away every occurrence of each given text.",
    examples: &[(r#""06-12 34 56" | remove(" ", "-")"#, r#""06123456""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let mut text = input_text(input).to_owned();
    for index in 0..call.arguments.len() {
        let part = call.text(index);
        if !part.is_empty() {
            text = text.replace(part.as_ref(), "");
        }
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn ignores_the_empty_text() {
        assert_eq!(json("'abc' | remove('')"), "\"abc\"");
        assert!(stops("'abc' | remove").contains("at least 1"));
    }
}
