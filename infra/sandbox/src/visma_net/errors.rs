//! Error answers: a message for business errors of v1/v2, the platform's own form, problem details of v3.

use serde_json::{Value, json};
use uuid::Uuid;

use super::Switches;
use crate::message::Reply;

/// `{"message": …}` with this status.
pub(super) fn message(status: u16, text: &str) -> Reply {
    Reply::json(status, &json!({"message": text}))
}

/// A body that cannot be read: always a 400.
pub(super) fn unreadable(text: &str) -> Reply {
    message(400, text)
}

/// Nothing has this key.
pub(super) fn not_found() -> Reply {
    message(404, "No record was found with this key.")
}

/// What the platform says in front of the application.
pub(super) fn platform(status: u16, text: &str, fault: &str) -> Reply {
    Reply::json(
        status,
        &json!({"ExceptionType": "IPPException", "ExceptionMessage": text, "ExceptionFaultCode": fault,
            "ExceptionMessageID": format!("{fault}_{}", Uuid::new_v4()), "ExceptionDetails": ""}),
    )
}

/// Errors of the business rules of v1/v2. The real system gives 400 or 500 for them, and nobody knows which for what.
impl Switches {
    /// A value that points at nothing, or a field that is missing.
    pub(super) fn invalid(&self, text: &str) -> Reply {
        let status = if self.business_error_status == "500" { 500 } else { 400 };
        message(status, text)
    }

    /// A rule that only fails when the record is saved.
    pub(super) fn failed(&self, text: &str) -> Reply {
        let status = if self.business_error_status == "400" { 400 } else { 500 };
        message(status, text)
    }

    /// A value that points at nothing: field and value named.
    pub(super) fn unknown(&self, field: &str, value: &str) -> Reply {
        self.invalid(&format!("'{field}' '{value}' cannot be found in the system."))
    }

    /// A field that must be filled.
    pub(super) fn missing(&self, field: &str) -> Reply {
        self.invalid(&format!("'{field}' cannot be empty."))
    }
}

/// Problem details of v3.
pub(super) fn problem(status: u16, title: &str, detail: &str, instance: &str) -> Reply {
    let body = json!({"type": format!("https://httpstatuses.io/{status}"), "title": title, "status": status,
        "detail": detail, "instance": instance});
    Reply::typed(status, "application/problem+json; charset=utf-8", body.to_string())
}

/// Everything that is wrong with a body of v3, gathered and told at once.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Value>,
    fields: serde_json::Map<String, Value>,
}

impl Findings {
    /// One rule that does not hold: a stable code, and the property it is about.
    pub fn add(&mut self, code: &str, property: &str, text: &str) {
        self.list.push(json!({"code": code, "message": text, "parameters": {"property": property}}));
    }

    /// A property that cannot be read at all.
    pub fn unreadable(&mut self, property: &str, text: &str) {
        let known = self.fields.entry(property).or_insert_with(|| json!([]));
        if let Some(list) = known.as_array_mut() {
            list.push(json!(text));
        }
    }

    /// The answer, when there is anything to say.
    pub fn told(self, instance: &str) -> Result<(), Reply> {
        if self.list.is_empty() && self.fields.is_empty() {
            return Ok(());
        }
        let body = json!({"type": "https://httpstatuses.io/400", "title": "One or more validation errors occurred.",
            "status": 400, "detail": "See details.", "instance": instance, "errors": self.fields, "details": self.list});
        Err(Reply::typed(400, "application/problem+json; charset=utf-8", body.to_string()))
    }
}
