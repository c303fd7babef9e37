//! A connection: one configured, authorised instance of a system.

use std::collections::BTreeMap;
use std::fmt;

use crate::keys::Tenant;

/// Everything a connector needs to reach one instance of its system.
#[derive(Clone, PartialEq)]
pub struct Connection {
    /// Whose it is.
    pub tenant: Tenant,
    /// Name in configuration.
    pub name: String,
    /// System id.
    pub system: String,
    /// Options from configuration (`url`, `country`, `division`, …), never secret.
    pub options: serde_json::Map<String, serde_json::Value>,
    /// Opened secrets (`key`, `secret`, `client_id`, …).
    pub secrets: BTreeMap<String, String>,
}

impl Connection {
    /// A text or number option as text; empty counts as absent.
    pub fn option(&self, name: &str) -> Option<String> {
        match self.options.get(name)? {
            serde_json::Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// A yes/no option.
    pub fn flag(&self, name: &str) -> bool {
        self.option(name).is_some_and(|text| text == "true" || text == "yes")
    }

    /// A secret.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }
}

// Secrets must never reach a log through a careless `{:?}`.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("tenant", &self.tenant)
            .field("name", &self.name)
            .field("system", &self.system)
            .field("options", &self.options)
            .field("secrets", &self.secrets.keys().collect::<Vec<_>>())
            .finish()
    }
}
