//! `trim`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "trim",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Takes away spaces, tabs and line ends on both sides.",
    examples: &[(r#""  Jansen " | trim"#, r#""Jansen""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_text(input).trim().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn trims_every_sort_of_white_space() {
        assert_eq!(json("'\\u00a0\\tx y\\n' | trim"), r#""x y""#);
        assert_eq!(json("5 | trim"), r#""5""#);
        assert!(stops("true | trim").contains("trim needs a text"));
    }
}
