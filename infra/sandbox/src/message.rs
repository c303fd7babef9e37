//! A request and an answer as the stand-ins see them: read completely, free of any HTTP library.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Verb in capitals.
    pub method: String,
    /// Path as sent, still percent-encoded.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The connection itself is TLS.
    pub tls: bool,
    /// The caller sits on this machine.
    pub loopback: bool,
    /// What the addresses in the request gave when they were loaded; None: nothing.
    pub fetched: Vec<(String, Option<crate::fetch::Fetched>)>,
}

impl Call {
    /// First header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Query parameters, decoded, in the order sent.
    pub fn pairs(&self) -> Vec<(String, String)> {
        pairs(&self.query)
    }

    /// First query parameter of that name.
    pub fn param(&self, name: &str) -> Option<String> {
        self.pairs().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Path, decoded, split at its slashes.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Decodes a form or query string.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

/// Percent-decodes one text.
pub fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers in the order they are sent.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A JSON answer.
    pub fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", value.to_string())
    }

    /// An answer of another content type.
    pub fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type".into(), content_type.into())], body: body.into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.into(), value.to_string()));
        self
    }

    /// Status 2xx or 3xx.
    pub fn is_success(&self) -> bool {
        (200..400).contains(&self.status)
    }
}
