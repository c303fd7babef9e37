//! `country_name`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "country_name",
    input: Kind::Text,
    arguments: &[optional("language", Kind::Text)],
    returns: Kind::Text,
    doc: "The name of a country by its two-letter code, in English or Dutch; empty if there is no such code.",
    examples: &[(r#""BE" | country_name"#, r#""Belgium""#), (r#""DE" | country_name("nl")"#, r#""Duitsland""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let column = match call.text(0).to_lowercase().as_str() {
        "" | "en" => 1,
        "nl" => 2,
        other => return Err(format!("country_name knows the languages en and nl, not «{other}»")),
    };
    let code = input_text(input).trim().to_uppercase();
    let line = COUNTRIES.lines().find(|line| line.split('|').next() == Some(code.as_str()));
    Ok(line.and_then(|line| line.split('|').nth(column)).map_or(Value::Empty, Value::from))
}

/// ISO 3166-1: code, English name, Dutch name.
const COUNTRIES: &str = include_str!("countries.txt");

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn knows_every_code_once() {
        let codes: std::collections::BTreeSet<_> = super::COUNTRIES.lines().map(|line| &line[..2]).collect();
        assert_eq!((codes.len(), super::COUNTRIES.lines().count()), (249, 249));
        for line in super::COUNTRIES.lines() {
            assert!(line.split('|').count() == 3 && line.split('|').all(|part| !part.trim().is_empty()), "{line}");
        }
        assert_eq!(json("'be' | country_name"), "\"Belgium\"");
        assert_eq!(json("'XX' | country_name"), "null");
        assert_eq!(json("'' | country_name"), "null");
        assert!(stops("'BE' | country_name('fr')").contains("en and nl"));
    }
}
