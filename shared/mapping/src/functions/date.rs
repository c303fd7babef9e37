//! `date`

use super::*;
use crate::dates;

pub(super) const FUNCTION: Function = Function {
    name: "date",
    input: Kind::Text,
    arguments: &[optional("days", Kind::Number)],
    returns: Kind::Text,
    doc: "The date of a date or date-time, some days later if asked, as yyyy-mm-dd.",
    examples: &[("source.date_created | date", r#""2026-10-17""#), (r#""2026-10-17" | date(30)"#, r#""2026-11-16""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let moment = dates::parse(input_text(input))?;
    let days = call.integer(0, dates::DAYS)?.unwrap_or(0);
    Ok(moment.plus_days(days)?.date().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn takes_the_date_as_it_is_written() {
        assert_eq!(json("'2026-10-17T23:30:00-05:00' | date"), "\"2026-10-17\"");
        assert_eq!(json("'2026-01-01' | date(-1)"), "\"2025-12-31\"");
        for bad in ["17-10-2026", "2026-13-01", "2026-02-30", "", "today", "20261017"] {
            assert!(stops(&format!("'{bad}' | date")).contains("is not a date"), "{bad}");
        }
        assert!(stops("'2026-10-17' | date(999999999)").contains("whole number"));
    }
}
