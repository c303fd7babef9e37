//! Short ways to evaluate one cell or one mapping.

use chrono::{DateTime, TimeZone, Utc};
use koppel_mapping::{Checks, Expression, Finding, Mapping, RowError, RowFile, Scope, Value, compile};
use serde_json::Value as Json;

pub fn run_time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 10, 20, 8, 30, 0).single().unwrap()
}

pub fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// A cell over `source`; the message when it stops.
pub fn cell(text: &str, source: &str) -> Result<Value, String> {
    let scope = Scope::new(run_time()).with("source", json(source));
    Expression::parse(text).map_err(|e| e.to_string())?.evaluate(&scope).map_err(|e| e.to_string())
}

pub fn gives(text: &str, source: &str) -> String {
    match cell(text, source) {
        Ok(value) => value.to_json().to_string(),
        Err(message) => panic!("{text}: {message}"),
    }
}

pub fn stops(text: &str, source: &str) -> String {
    match cell(text, source) {
        Ok(value) => panic!("{text} gave {value:?}"),
        Err(message) => message,
    }
}

/// Checks that know `source` and nothing more.
pub fn checks() -> Checks {
    Checks::new().variable("source")
}

pub fn compiled(yaml: &str, checks: &Checks) -> Result<Mapping, Vec<Finding>> {
    compile(&RowFile::parse("rows/order.yaml", yaml)?, checks)
}

/// The findings of a row file, as text.
pub fn findings(yaml: &str, checks: &Checks) -> Vec<String> {
    compiled(yaml, checks).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

pub fn mapped(yaml: &str, source: &str) -> Result<Value, RowError> {
    let mapping = match compiled(yaml, &checks()) {
        Ok(mapping) => mapping,
        Err(findings) => panic!("{findings:#?}"),
    };
    mapping.evaluate(&Scope::new(run_time()).with("source", json(source)))
}
