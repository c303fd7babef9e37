//! `default`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "default",
    input: Kind::Any,
    arguments: &[one("value", Kind::Any)],
    returns: Kind::Any,
    doc: "Gives another value where there is none. An empty text is a value: put null_if_empty before it.",
    examples: &[
        (r#"none | default("30")"#, r#""30""#),
        (r#"source.company | null_if_empty | default("private")"#, r#""private""#),
        (r#"source.company | default("private")"#, r#""""#),
    ],
    takes_empty: true,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    Ok(if input.is_empty() { call.get(0).cloned().unwrap_or_default() } else { input.clone() })
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn leaves_every_value_alone() {
        assert_eq!(json("false | default(true)"), "false");
        assert_eq!(json("0 | default(1)"), "0");
        assert_eq!(json("none | default(none)"), "null");
    }
}
