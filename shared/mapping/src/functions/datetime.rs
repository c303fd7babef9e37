//! `datetime`

use super::*;
use crate::dates;

pub(super) const FUNCTION: Function = Function {
    name: "datetime",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "A date or date-time in one form: yyyy-mm-ddThh:mm:ss, with the zone if there is one.",
    examples: &[
        (r#""2026-10-17 14:03" | datetime"#, r#""2026-10-17T14:03:00""#),
        (r#""2026-10-17" | datetime"#, r#""2026-10-17T00:00:00""#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    Ok(dates::parse(input_text(input))?.datetime().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn keeps_the_zone() {
        assert_eq!(json("'2026-10-17T14:03:52.123Z' | datetime"), "\"2026-10-17T14:03:52Z\"");
        assert_eq!(json("'2026-10-17T14:03:52+02:00' | datetime"), "\"2026-10-17T14:03:52+02:00\"");
        assert_eq!(json("'/Date(1792245832000)/' | datetime"), "\"2026-10-17T14:03:52Z\"");
    }
}
