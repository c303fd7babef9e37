//! `join`

use super::*;
use crate::limits;

pub(super) const FUNCTION: Function = Function {
    name: "join",
    input: Kind::List,
    arguments: &[optional("separator", Kind::Text)],
    returns: Kind::Text,
    doc: "Joins the texts and numbers of a list; empty elements are left out.",
    examples: &[(r#"["red", "green"] | join(", ")"#, r#""red, green""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let separator = call.text(0);
    let mut joined = String::new();
    let mut first = true;
    for item in input_list(input) {
        let part = match item {
            Value::Empty => continue,
            Value::Text(_) | Value::Number(_) => plain(item),
            other => return Err(format!("join needs texts, the list holds {}", other.shown())),
        };
        if !first {
            joined.push_str(&separator);
        }
        first = false;
        joined.push_str(&part);
        if joined.len() > limits::TEXT_BYTES {
            return Err(TEXT_TOO_LONG.to_owned());
        }
    }
    Ok(joined.into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn leaves_out_what_is_empty() {
        assert_eq!(json("['a', none, 1.50] | join('-')"), "\"a-1.50\"");
        assert_eq!(json("['', 'a'] | join('-')"), "\"-a\"");
        assert_eq!(json("[] | join"), "\"\"");
        assert!(stops("[true] | join").contains("join needs texts"));
    }
}
