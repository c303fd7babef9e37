//! Error answers: problem details, with one list of texts per field, in the language that was asked for.

use serde_json::{Map, Value, json};

use crate::message::{Call, Reply};

/// Dutch unless English comes first in `Accept-Language`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub dutch: bool,
}

impl Words {
    pub fn of(call: &Call) -> Self {
        let first = call.header("accept-language").unwrap_or_default().trim_start().to_lowercase();
        Self { dutch: !first.starts_with("en") }
    }

    pub fn pick<'a>(self, dutch: &'a str, english: &'a str) -> &'a str {
        if self.dutch { dutch } else { english }
    }
}

/// What is wrong with a request, field by field.
#[derive(Debug, Default)]
pub(super) struct Errors {
    list: Vec<(String, String)>,
}

impl Errors {
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.list.push((field.into(), message.into()));
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The answer that lists them.
    pub fn reply(self, status: u16, words: Words) -> Reply {
        let mut fields: Map<String, Value> = Map::new();
        for (field, message) in self.list {
            let texts = fields.entry(field).or_insert_with(|| json!([]));
            if let Some(texts) = texts.as_array_mut() {
                texts.push(json!(message));
            }
        }
        let title =
            words.pick("Er zijn een of meer validatiefouten opgetreden.", "One or more validation errors occurred.");
        let detail = words.pick("Zie errors voor de details.", "See errors for details.");
        details(status, title, detail, Some(Value::Object(fields)))
    }
}

/// Problem details without fields.
pub(super) fn problem(status: u16, title: &str, detail: &str) -> Reply {
    details(status, title, detail, None)
}

fn details(status: u16, title: &str, detail: &str, errors: Option<Value>) -> Reply {
    let trace = format!("00-{}-01", uuid::Uuid::new_v4().simple());
    let mut body = json!({"title": title, "status": status, "detail": detail, "traceId": trace});
    if let Some(errors) = errors {
        body["errors"] = errors;
    }
    Reply::typed(status, "application/problem+json; charset=utf-8", body.to_string())
}

/// A property as errors name it: `lines[0].vatCode` → `Lines[0].VatCode`.
pub(super) fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}
