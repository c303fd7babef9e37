//! Reads `koppel.yaml` and turns every mistake into one message with file, line, key and the nearest known key.

use koppel_core::error::{Cause, nearest};
use serde_json::Value;

use super::Config;

/// Reads the text of a configuration file.
pub fn parse(file: &str, text: &str) -> Result<Config, Cause> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        Cause::new("config_syntax", format!("not valid YAML: {}", first_line(&error.to_string())))
            .advice("check indentation and quotes at that place")
            .in_file(file)
    })?;
    if value.is_null() {
        return Ok(Config::default());
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        explain(file, text, &path, &error.inner().to_string())
    })
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or(text);
    line.strip_prefix("error: ").unwrap_or(line)
}

/// Makes a serde message fit for a person.
fn explain(file: &str, text: &str, path: &str, message: &str) -> Cause {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (code, key, said, advice) = if message.starts_with("unknown field") {
        let (unknown, known) = quoted.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
        let advice = match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("did you mean «{near}»?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let key = if path == "." || path.is_empty() { unknown.to_owned() } else { path.to_owned() };
        let key = if key.ends_with(unknown) { key } else { format!("{key}.{unknown}") };
        ("unknown_key", key, format!("«{unknown}» is not known here"), Some(advice))
    } else if message.starts_with("unknown variant") {
        let (unknown, known) = quoted.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
        let near = nearest(unknown, known.iter().copied()).map(|n| format!("did you mean «{n}»? "));
        let advice = format!("{}known: {}", near.unwrap_or_default(), known.join(", "));
        ("unknown_value", path.to_owned(), format!("«{unknown}» is not a value for this key"), Some(advice))
    } else if message.starts_with("missing field") {
        let field = quoted.first().copied().unwrap_or("");
        ("missing_key", path.to_owned(), format!("«{field}» is missing here"), Some(format!("add «{field}:»")))
    } else {
        ("bad_value", path.to_owned(), message.to_owned(), None)
    };
    let file = match line_of(text, &key) {
        Some(line) => format!("{file} line {line}"),
        None => file.to_owned(),
    };
    let cause = Cause::new(code, said).in_file(file).in_row(key.clone());
    let cause = match key.strip_prefix("flows.").and_then(|rest| rest.split('.').next()) {
        Some(flow) => cause.in_flow(flow),
        None => cause,
    };
    match advice {
        Some(advice) => cause.advice(advice),
        None => cause,
    }
}

/// Line of a dotted key in the text: each part is searched below the one before it.
pub(crate) fn line_of(text: &str, path: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    for part in path.split('.') {
        let part = part.split('[').next().unwrap_or(part);
        let found = (at..lines.len()).find(|&index| {
            let line = lines[index].trim_start();
            line.split([',', '{']).any(|piece| {
                let piece = piece.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
                piece.strip_prefix(part).is_some_and(|rest| {
                    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
                    rest.starts_with(':')
                })
            })
        })?;
        at = found;
    }
    Some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
connections:
  shop:  { system: woocommerce, url: https://shop.example, credentials: { key: "${env:WOO_KEY}", secret: "${env:WOO_SECRET}" } }
  books: { system: exact-online, country: nl, division: 123456 }
flows:
  web-orders:
    from: shop
    to: books
    entity: orders
    document: sales-order
    schedule: { every: 5m }
    since: 2026-01-01
    filter: { status: [processing, completed], where: 'source.total | number > 0' }
    settings:
      vat_code: { by_country: { NL: "4", NO: "0" }, default: "4" }
      payment_terms: "30"
      default_customer: { when: guest, code: "10000" }
      rounding: { line: true, account: "4990", max: "0.05" }
    map:
      reference: '"WEB-" ~ source.number'
"#;

    #[test]
    fn reads_the_whole_file() {
        let config = parse("koppel.yaml", GOOD).unwrap();
        let flow = &config.flows["web-orders"];
        assert_eq!(flow.settings.vat_code.by_country["NO"], Code("0".into()));
        assert_eq!(flow.settings.payment_terms.default, Some(Code("30".into())));
        assert_eq!(flow.settings.rounding.as_ref().unwrap().max.to_string(), "0.05");
        assert_eq!(config.connections["books"].options["division"].to_json(), serde_json::json!(123456));
    }

    use super::super::Code;

    #[test]
    fn an_unknown_key_names_file_line_flow_and_the_nearest_key() {
        let text = GOOD.replace("vat_code:", "vat_cde:");
        let cause = parse("koppel.yaml", &text).unwrap_err();
        assert_eq!(
            cause.to_string(),
            "koppel.yaml line 15, flow web-orders, row flows.web-orders.settings.vat_cde: «vat_cde» is not known here. \
             To do: did you mean «vat_code»?"
        );
    }

    #[test]
    fn a_code_without_quotes_is_refused_because_leading_zeros_would_vanish() {
        let text = GOOD.replace("payment_terms: \"30\"", "payment_terms: 30");
        let cause = parse("koppel.yaml", &text).unwrap_err().to_string();
        assert!(cause.contains("settings.payment_terms") && cause.contains("a code in quotes"), "{cause}");
    }

    #[test]
    fn an_unknown_value_and_a_missing_key_are_named() {
        let cause = parse("koppel.yaml", &GOOD.replace("sales-order", "sales-ordr")).unwrap_err().to_string();
        assert!(cause.contains("did you mean «sales-order»?"), "{cause}");
        let cause = parse("koppel.yaml", &GOOD.replace("    to: books\n", "")).unwrap_err().to_string();
        assert!(cause.contains("«to» is missing here"), "{cause}");
    }

    #[test]
    fn broken_yaml_is_refused_with_its_place() {
        let cause = parse("koppel.yaml", "flows: [").unwrap_err();
        assert_eq!(cause.code, "config_syntax");
    }
}
