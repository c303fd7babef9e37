//! Keeps secrets out of logs, recorded exchanges and error texts: by name (keys, parameters) and by value (everything
//! secret that the connection holds).

use koppel_core::connection::Connection;
use serde_json::Value;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "***";

/// Shorter secrets are not searched for: they would blank out ordinary words.
const SHORTEST: usize = 6;

const NAMES: [&str; 21] = [
    "authorization",
    "consumer_key",
    "consumer_secret",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "id_token",
    "token",
    "partner_token",
    "apikey",
    "api_key",
    "api_secret",
    "secret",
    "password",
    "passwd",
    "code",
    "cookie",
    "set-cookie",
    "x-api-key",
    "assertion",
];

/// Replaces the secrets of one connection.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// A redactor that knows these secrets.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut list = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST) {
            let encoded = super::request::encode(&secret);
            if encoded != secret {
                list.push(encoded);
            }
            list.push(secret);
        }
        // The longest first, so that a secret that contains another one disappears whole.
        list.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets: list }
    }

    /// A redactor for the secrets of a connection.
    pub fn of(connection: &Connection) -> Self {
        Self::new(connection.secrets.values().cloned())
    }

    /// Text without secret values.
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            if clean.contains(secret.as_str()) {
                clean = clean.replace(secret.as_str(), HIDDEN);
            }
        }
        clean
    }

    /// Path and query without secret values and without the values of secret parameters.
    pub fn address(&self, path: &str, query: &[(String, String)]) -> String {
        let (path, inline) = path.split_once('?').unwrap_or((path, ""));
        let mut pairs: Vec<String> = inline
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
                _ => pair.to_owned(),
            })
            .collect();
        pairs.extend(
            query.iter().map(
                |(name, value)| {
                    if is_secret(name) { format!("{name}={HIDDEN}") } else { format!("{name}={value}") }
                },
            ),
        );
        let text = if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) };
        self.text(&text)
    }

    /// JSON without secret values and without the values under secret names.
    pub fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(list) => Value::Array(list.iter().map(|item| self.json(item)).collect()),
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(name, value)| {
                        let hide = is_secret(name) && is_credential(name, value);
                        (name.clone(), if hide { Value::String(HIDDEN.into()) } else { self.json(value) })
                    })
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

/// The name alone tells that the value is secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || name.starts_with("oauth_")
}

/// `code` in a record is an article or country code; only long ones, as OAuth hands them out, are secret.
fn is_credential(name: &str, value: &Value) -> bool {
    !name.eq_ignore_ascii_case("code") || value.as_str().is_some_and(|text| text.len() > 60)
}

// The redactor itself must not leak through a `{:?}`.
impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_vanish_by_name_and_by_value() {
        let redactor = Redactor::new(["cs_secret/1".to_owned(), "abc".to_owned()]);
        assert_eq!(
            redactor.address(
                "x?oauth_nonce=1&page=2",
                &[("consumer_secret".into(), "q".into()), ("s".into(), "cs_secret/1".into())]
            ),
            "x?oauth_nonce=***&page=2&consumer_secret=***&s=***"
        );
        assert_eq!(redactor.text("key cs_secret%2F1 abc"), "key *** abc");
        let json = serde_json::json!({"access_token": "t", "code": "NL", "list": [{"Password": "p", "n": 1}]});
        assert_eq!(
            redactor.json(&json),
            serde_json::json!({"access_token": "***", "code": "NL", "list": [{"Password": "***", "n": 1}]})
        );
    }
}
