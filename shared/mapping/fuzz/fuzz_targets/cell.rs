//! Any text is read or refused, evaluates to a value or an error, and prints back as what it is.
#![no_main]

use std::sync::LazyLock;

use chrono::DateTime;
use koppel_mapping::{Checks, Expression, RowFile, Scope, Value, compile};
use libfuzzer_sys::fuzz_target;

static RECORD: LazyLock<Value> = LazyLock::new(|| {
    let json = r#"{"a": {"b": "text"}, "list": [{"k": 1.5}, {"k": "2"}, null, "x"], "n": -12.345, "t": "Straat 1 &amp; <b>2026-10-17</b>"}"#;
    serde_json::from_str::<serde_json::Value>(json).map(|json| Value::from_json(&json)).unwrap_or_default()
});

fuzz_target!(|text: &str| {
    let scope = Scope::new(DateTime::UNIX_EPOCH).with_ref("source", &RECORD).with_steps(20_000);
    let checks = Checks::new().variable("source");
    if let Ok(expression) = Expression::parse(text) {
        let _ = expression.evaluate(&scope);
        let _ = checks.expression(&expression);
        let printed = expression.to_string();
        // The printed form may pass the limits that the written form just kept.
        if let Ok(again) = Expression::parse(&printed) {
            assert_eq!(again, expression, "printed as {printed}");
        }
    }
    if let Ok(rows) = RowFile::parse("fuzz", text)
        && let Ok(mapping) = compile(&rows, &checks)
    {
        let _ = mapping.evaluate_traced(&scope);
    }
});
