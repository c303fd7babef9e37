//! The signature of a request and of an answer: HMAC-SHA512 over `public key|METHOD|address|body|date`.
//!
//! The address is path and query exactly as they are sent, the body the exact bytes. So both are made once, signed, and sent.

use chrono::{DateTime, SecondsFormat, Utc};
use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use ring::hmac;

/// The keys of one shop.
#[derive(Clone)]
pub struct Keys {
    public: String,
    secret: hmac::Key,
}

impl Keys {
    /// Reads the secrets `public_key` and `secret_key`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let secret = |name: &str, what: &str| {
            connection.secret(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).ok_or_else(
                || {
                    Failure::settings(
                        Cause::new("missing_credentials", format!("the {what} key is missing"))
                            .advice("make a pair of keys in the shop under My web shop, Settings, API settings")
                            .in_row(format!("credentials.{name}"))
                            .at_connection(&connection.name),
                    )
                },
            )
        };
        let (public, hidden) = (secret("public_key", "public")?, secret("secret_key", "secret")?);
        if public == hidden {
            return Err(Failure::settings(
                Cause::new("same_credentials", "the public key and the secret key are the same text")
                    .advice("copy both again from My web shop, Settings, API settings")
                    .in_row("credentials")
                    .at_connection(&connection.name),
            ));
        }
        Ok(Self { public, secret: hmac::Key::new(hmac::HMAC_SHA512, hidden.as_bytes()) })
    }

    /// The public key, which goes along with every request.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The signature, as small hexadecimal digits.
    pub fn sign(&self, method: &str, address: &str, body: &[u8], date: &str) -> String {
        hex(hmac::sign(&self.secret, &self.message(method, address, body, date)).as_ref())
    }

    /// The signature is right; compared in constant time.
    pub fn verify(&self, method: &str, address: &str, body: &[u8], date: &str, signature: &str) -> bool {
        let Some(signature) = unhex(signature.trim()) else { return false };
        hmac::verify(&self.secret, &self.message(method, address, body, date), &signature).is_ok()
    }

    fn message(&self, method: &str, address: &str, body: &[u8], date: &str) -> Vec<u8> {
        let mut message = format!("{}|{method}|{address}|", self.public).into_bytes();
        message.extend_from_slice(body);
        message.push(b'|');
        message.extend_from_slice(date.as_bytes());
        message
    }
}

// Keys never reach a log.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A moment as the shop wants it in `x-date`.
pub fn date(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Bytes as small hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of hexadecimal digits; `None` when they are none.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::testing::connection;

    fn keys() -> Keys {
        let secrets = [("public_key", "test_public"), ("secret_key", "test_secret")];
        Keys::of(&connection("ccv-shop", json!({}), &secrets)).unwrap()
    }

    const DATE: &str = "2026-01-02T03:04:05Z";

    #[test]
    fn the_signature_covers_method_address_body_and_date() {
        // Worked out apart from this code, from the rule alone.
        assert_eq!(
            keys().sign("GET", "/api/rest/v1/orders/?start=0&size=2", b"", DATE),
            "60724b7faf6fb5a50525aa563845385eb76032dbf3cde583873acba92d2c3e480b8a565c9f3b119905064b3fdb74df07cbb2556809098decd4aed3b93c1ef53d"
        );
        assert_eq!(
            keys().sign("PATCH", "/api/rest/v1/products/42", br#"{"stock":7}"#, DATE),
            "641b1616bf7ea08459e1d04c8310c49ea5a73af4649c1be0510014ad445faa72f72c21c3bf5f715c110cc83817b7176dba46f2e2e45b0ff622c5cdb3472f4107"
        );
        assert_eq!(date(DATE.parse().unwrap()), DATE);
    }

    #[test]
    fn a_signature_of_anything_else_is_refused() {
        let keys = keys();
        let good = keys.sign("GET", "/a", b"{}", DATE);
        assert!(keys.verify("GET", "/a", b"{}", DATE, &good));
        assert!(keys.verify("GET", "/a", b"{}", DATE, &good.to_uppercase()));
        for (method, address, body) in [("PUT", "/a", "{}"), ("GET", "/a?", "{}"), ("GET", "/a", "{} ")] {
            assert!(!keys.verify(method, address, body.as_bytes(), DATE, &good), "{method} {address} {body}");
        }
        for bad in ["", "zz", &good[1..], &good[2..], "é"] {
            assert!(!keys.verify("GET", "/a", b"{}", DATE, bad), "{bad}");
        }
    }

    #[test]
    fn mistakes_with_the_keys_are_named_and_never_shown() {
        let missing = Keys::of(&connection("ccv-shop", json!({}), &[("public_key", "p")])).unwrap_err();
        assert!(missing.to_string().contains("secret key is missing"), "{missing}");
        let same = Keys::of(&connection("ccv-shop", json!({}), &[("public_key", "p"), ("secret_key", "p")]));
        assert_eq!(same.unwrap_err().cause().code, "same_credentials");
        assert!(!format!("{:?}", keys()).contains("test_"));
    }
}
