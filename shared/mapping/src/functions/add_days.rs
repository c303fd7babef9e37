//! `add_days`

use super::*;
use crate::dates;

pub(super) const FUNCTION: Function = Function {
    name: "add_days",
    input: Kind::Text,
    arguments: &[one("days", Kind::Number)],
    returns: Kind::Text,
    doc: "A date or date-time some days later, or earlier; a time stays.",
    examples: &[
        (r#""2026-10-17" | add_days(14)"#, r#""2026-10-31""#),
        ("source.date_created | add_days(-1)", r#""2026-10-16T14:03:52""#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let moment = dates::parse(input_text(input))?.plus_days(call.integer(0, dates::DAYS)?.unwrap_or(0))?;
    Ok(if moment.has_time() { moment.datetime() } else { moment.date() }.into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn crosses_months_and_years() {
        assert_eq!(json("'2028-02-28' | add_days(1)"), "\"2028-02-29\"");
        assert!(stops("'9999-12-31' | add_days(1)").contains("beyond"));
    }
}
