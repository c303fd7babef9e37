//! `min`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "min",
    input: Kind::Any,
    arguments: &[Argument { name: "other", kind: Kind::Number, count: Count::Any }],
    returns: Kind::Number,
    doc: "The least of a number and the others, or of a list of numbers.",
    examples: &[("5 | min(3)", "3"), ("[4, 9, 7] | min", "4")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let own = match input {
        Value::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let mut found: Option<Decimal> = None;
    for value in own.iter().chain(call.arguments.iter().map(AsRef::as_ref)) {
        let number = value.as_number().ok_or_else(|| format!("min needs numbers, this is {}", value.shown()))?;
        found = Some(found.map_or(number, |known| known.min(number)));
    }
    Ok(found.map_or(Value::Empty, Value::Number))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn takes_numbers_only() {
        assert_eq!(json("[] | min"), "null");
        assert_eq!(json("2 | min(2.0, 2)"), "2");
        assert!(stops("'5' | min(3)").contains("min needs numbers"));
        assert!(stops("5 | min('3')").contains("must be a number"));
    }
}
