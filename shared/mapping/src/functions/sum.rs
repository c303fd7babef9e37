//! `sum`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "sum",
    input: Kind::List,
    arguments: &[optional("key", Kind::Text)],
    returns: Kind::Number,
    doc: "The sum of a list of numbers, or of one field of every element; empty elements add nothing.",
    examples: &[(r#"source.line_items | sum("total")"#, "64.45"), ("[1, 2.50] | sum", "3.50")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let key = call.get(0).map(plain);
    let mut total = Decimal::ZERO;
    for (index, item) in input_list(input).iter().enumerate() {
        let value = key.as_ref().map_or(item, |key| item.get(key));
        total = match value {
            Value::Empty => Some(total),
            Value::Number(number) => total.checked_add(*number),
            other => return Err(format!("sum: element {}: {} is not a number", index + 1, other.shown())),
        }
        .ok_or("the sum is too large a number")?;
    }
    Ok(total.into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn adds_numbers_only() {
        assert_eq!(json("[] | sum"), "0");
        assert_eq!(json("[0.1, 0.2, none] | sum"), "0.3");
        assert!(stops("['1'] | sum").contains("element 1"));
        assert!(stops("[79228162514264337593543950335, 1] | sum").contains("too large"));
    }
}
