//! `abs`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "abs",
    input: Kind::Number,
    arguments: &[],
    returns: Kind::Number,
    doc: "Takes away the minus sign.",
    examples: &[("-5 | abs", "5")],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(input_number(input).abs().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn keeps_decimals() {
        assert_eq!(json("-1.50 | abs"), "1.50");
    }
}
