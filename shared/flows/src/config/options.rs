//! What a connection takes, as its connector declares it in `settings.yaml`.

use koppel_core::error::Cause;
use koppel_core::system::SystemFacts;

/// One option of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionFacts {
    /// Key in `koppel.yaml`.
    pub name: String,
    /// A secret: written under `credentials`.
    pub secret: bool,
    /// The connection does not work without it.
    pub required: bool,
    /// Label, in English.
    pub label: String,
}

/// The options that a connector declares.
pub fn declared(facts: &SystemFacts) -> Result<Vec<OptionFacts>, Cause> {
    let broken = |what: String| Cause::new("broken_connector", format!("settings.yaml of {}: {what}", facts.id));
    let value: serde_json::Value = serde_saphyr::from_str(facts.settings).map_err(|e| broken(e.to_string()))?;
    let mut declared = Vec::new();
    for option in value.get("connection").and_then(serde_json::Value::as_array).into_iter().flatten() {
        // What has a default works without being written down.
        let has_default = option.get("default").is_some_and(|default| !default.is_null());
        declared.push(OptionFacts {
            name: option["name"].as_str().unwrap_or_default().to_owned(),
            secret: option["secret"].as_bool().unwrap_or(false),
            required: option["required"].as_bool().unwrap_or(false) && !has_default,
            label: option["label"]["en"].as_str().unwrap_or_default().to_owned(),
        });
    }
    if declared.is_empty() { Err(broken("it declares no options".into())) } else { Ok(declared) }
}
