//! `contains`

use super::*;
use crate::value::EMPTY;

pub(super) const FUNCTION: Function = Function {
    name: "contains",
    input: Kind::Any,
    arguments: &[one("value", Kind::Any)],
    returns: Kind::YesNo,
    doc: "Whether a text contains a text, or a list an element.",
    examples: &[(r#""gift card" | contains("gift")"#, "true"), ("[1, 2] | contains(3)", "false")],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    match (input, call.get(0).unwrap_or(&EMPTY)) {
        (Value::List(items), wanted) => {
            for item in items {
                if alike(item, wanted)? {
                    return Ok(true.into());
                }
            }
            Ok(false.into())
        }
        (Value::Text(_) | Value::Number(_), wanted @ (Value::Text(_) | Value::Number(_))) => {
            Ok(plain(input).contains(plain(wanted).as_ref()).into())
        }
        (input, wanted) => Err(format!("{} cannot contain {}", input.shown(), wanted.shown())),
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn looks_at_text_or_list() {
        assert_eq!(json("'abc' | contains('')"), "true");
        assert!(stops("['1'] | contains(1)").contains("cannot be compared"));
        assert!(stops("true | contains('x')").contains("cannot contain"));
        assert!(stops("'x' | contains(none)").contains("cannot contain"));
    }
}
