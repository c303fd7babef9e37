//! `format_date`

use super::*;
use crate::dates;

pub(super) const FUNCTION: Function = Function {
    name: "format_date",
    input: Kind::Text,
    arguments: &[one("pattern", Kind::Text)],
    returns: Kind::Text,
    doc: "Writes a date with YYYY, YY, MM, M, DD, D, HH, mm and ss; all else stays.",
    examples: &[
        (r#"source.date_created | format_date("DD-MM-YYYY")"#, r#""17-10-2026""#),
        (r#"source.date_created | format_date("D/M/YY HH:mm")"#, r#""17/10/26 14:03""#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    Ok(dates::parse(input_text(input))?.format(&call.text(0)).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn tells_months_from_minutes() {
        assert_eq!(json("'2026-03-05T09:07:01' | format_date('YYYYMMDD HHmmss M D')"), "\"20260305 090701 3 5\"");
        assert_eq!(json("'2026-03-05' | format_date('HH:mm')"), "\"00:00\"");
        assert_eq!(json("'2026-03-05' | format_date('YYYY年M')"), "\"2026年3\"");
    }
}
