//! `number`

use super::*;
use crate::number;
use crate::value::quoted;

pub(super) const FUNCTION: Function = Function {
    name: "number",
    input: Kind::Any,
    arguments: &[],
    returns: Kind::Number,
    doc: "Reads a text with a decimal point as a number.",
    examples: &[(r#""1234.50" | number"#, "1234.50")],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    match input {
        Value::Number(_) => Ok(input.clone()),
        Value::Text(text) => number::parse_lossy(text.trim()).map(Value::Number).ok_or_else(|| refuse(text)),
        other => Err(format!("{} is not a number", other.shown())),
    }
}

fn refuse(text: &str) -> String {
    let hint = if text.trim().is_empty() {
        ": put | null_if_empty before it"
    } else if text.contains(',') {
        ": numbers have a decimal point and no thousands separator"
    } else {
        ""
    };
    format!("{} is not a number{hint}", quoted(text))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        assert!(stops("'141,55' | number").contains("«141,55» is not a number"));
        assert!(stops("'1.234,50' | number").contains("decimal point"));
        assert!(stops("'' | number").contains("null_if_empty"));
        assert!(stops("'12 st' | number").contains("is not a number"));
        assert!(stops("true | number").contains("is not a number"));
        assert_eq!(json("' -5 ' | number"), "-5");
    }
}
