//! Error answers: one envelope, texts in the language of the installation, and a status that need not tell.

use serde_json::json;

use super::Switches;
use crate::message::Reply;

/// A refusal, before it is known with which status it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub String);

impl Refusal {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `{"ErrorType":"AccountViewError","ErrorNumbers":null,"ErrorMessage":…}`.
    pub fn reply(&self, switches: &Switches) -> Reply {
        let body = json!({"ErrorType": "AccountViewError", "ErrorNumbers": null, "ErrorMessage": self.0});
        Reply::json(switches.error_status, &body)
    }
}

pub(super) fn unknown_object(code: &str) -> Refusal {
    Refusal::new(format!("Business object '{code}' bestaat niet."))
}

pub(super) fn unknown_field(table: &str, name: &str) -> Refusal {
    Refusal::new(format!("Veld '{name}' bestaat niet in tabel '{table}'."))
}

pub(super) fn mandatory(name: &str) -> Refusal {
    Refusal::new(format!("Veld '{name}' moet worden ingevuld."))
}

pub(super) fn unknown_value(name: &str, value: &str) -> Refusal {
    Refusal::new(format!("'{value}' is geen geldige waarde voor veld '{name}'."))
}
