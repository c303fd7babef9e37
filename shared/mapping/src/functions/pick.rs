//! `pick`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "pick",
    input: Kind::List,
    arguments: &[one("key", Kind::Text)],
    returns: Kind::List,
    doc: "One field of every element; elements without it are left out.",
    examples: &[(r#"source.line_items | pick("sku")"#, r#"["MUG-01", "TEA-07", "POT-03"]"#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let key = call.text(0);
    let picked = input_list(input).iter().map(|item| item.get(&key)).filter(|value| !value.is_empty());
    Ok(Value::List(picked.cloned().collect()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn leaves_out_what_is_not_there() {
        assert_eq!(json("source.line_items | pick('nothing')"), "[]");
    }
}
