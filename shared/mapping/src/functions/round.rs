//! `round`

use super::*;
use rust_decimal::RoundingStrategy;

pub(super) const FUNCTION: Function = Function {
    name: "round",
    input: Kind::Number,
    arguments: &[optional("decimals", Kind::Number)],
    returns: Kind::Number,
    doc: "Rounds to so many decimals (0 unless given), halves away from zero.",
    examples: &[("1.005 | round(2)", "1.01"), ("-2.5 | round", "-3"), ("5 | round(2)", "5.00")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let decimals = call.integer(0, 0..=20)?.unwrap_or(0) as u32;
    let mut rounded = input_number(input).round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    if rounded.scale() < decimals {
        rounded.rescale(decimals);
    }
    Ok(Value::Number(if rounded.is_zero() { rounded.abs() } else { rounded }))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn rounds_exact_decimals() {
        assert_eq!(json("(24.61 / 2) | round(2)"), "12.31");
        assert_eq!(json("-0.001 | round(2)"), "0.00");
        assert!(stops("'1.005' | round(2)").contains("put | number before it"));
        assert!(stops("1 | round(99)").contains("whole number"));
    }
}
