//! `table`

use super::*;
use crate::finding::nearest;

pub(super) const FUNCTION: Function = Function {
    name: "table",
    input: Kind::Text,
    arguments: &[one("name", Kind::Text)],
    returns: Kind::Any,
    doc: "Looks a code up in a table of the settings; empty if it is not there.",
    examples: &[
        (r#"source.payment_method | table("payment_terms")"#, r#""00""#),
        (r#""cash" | table("payment_terms") | default("30")"#, r#""30""#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let name = call.text(0);
    let Some(table) = call.scope.table(&name) else {
        let near = nearest(&name, call.scope.table_names()).map(|near| format!(": did you mean «{near}»?"));
        return Err(format!("there is no table «{name}»{}", near.unwrap_or_default()));
    };
    Ok(table.get(input_text(input)).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn a_missing_table_is_not_a_missing_entry() {
        assert!(stops("'x' | table('payment_term')").contains("did you mean «payment_terms»?"));
    }
}
