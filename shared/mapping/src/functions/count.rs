//! `count`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "count",
    input: Kind::Any,
    arguments: &[],
    returns: Kind::Number,
    doc: "The number of elements of a list, or of fields of a group.",
    examples: &[("source.line_items | count", "3")],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    match input {
        Value::List(items) => Ok(Decimal::from(items.len()).into()),
        Value::Group(fields) => Ok(Decimal::from(fields.len()).into()),
        other => Err(format!("count needs a list, this is {}", other.shown())),
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn counts_lists_and_groups_only() {
        assert_eq!(json("[] | count"), "0");
        assert!(stops("'abc' | count").contains("needs a list"));
    }
}
