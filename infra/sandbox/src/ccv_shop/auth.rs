//! Signatures: HMAC-SHA512 in lower-case hex over `PUBLIC|METHOD|URI|BODY|DATE`, of requests and of answers.

use chrono::{DateTime, Duration, Utc};
use ring::hmac;

use super::{Switches, errors};
use crate::message::{Call, Reply};

/// A key pair of the shop.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Goes with every request.
    pub public: &'static str,
    /// Signs them.
    pub secret: &'static str,
}

/// The key pairs of the shop; all may do everything.
pub fn keys() -> &'static [Key] {
    const KEYS: &[Key] = &[
        Key { public: "kp9x27wq3m1dzt6r", secret: "Vq8sL2nX0cT5rJ7bW1yE4uH6gM9aZ3kD" },
        Key { public: "ot4h81bv6n0cyf2s", secret: "nG3wR7pK1xB5tQ9mF2vC8jL6dS0yH4zA" },
    ];
    KEYS
}

/// A request may be so much older or younger than the shop's clock.
const SKEW_MINUTES: i64 = 5;

/// Lower-case hex of HMAC-SHA512.
pub fn hmac_hex(secret: &str, message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, secret.as_bytes()), message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signature of a request, or of an answer: then with its body and its date.
pub fn signature(key: &Key, method: &str, uri: &str, body: &[u8], date: &str) -> String {
    let mut message = format!("{}|{method}|{uri}|", key.public).into_bytes();
    message.extend(body);
    message.extend(format!("|{date}").into_bytes());
    hmac_hex(key.secret, &message)
}

/// Path and query as they were sent.
pub(super) fn uri(call: &Call) -> String {
    if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) }
}

/// The three forms of UTC that working clients send.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let stem = ["Z", "+00:00", "+0000"].iter().find_map(|zone| text.strip_suffix(zone))?;
    let naive = chrono::NaiveDateTime::parse_from_str(stem, "%Y-%m-%dT%H:%M:%S").ok()?;
    Some(naive.and_utc())
}

/// The key a request is signed with; the codes of a refusal are unknown, so they are a switch.
pub(super) fn check(call: &Call, switches: &Switches, now: DateTime<Utc>) -> Result<&'static Key, Reply> {
    let refused = |message: &str| errors::error(&switches.auth_code, message);
    let header = |name: &str| {
        call.header(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| refused(&format!("Header {name} is missing.")))
    };
    let (public, date, hash) = (header("x-public")?, header("x-date")?, header("x-hash")?);
    let key = keys().iter().find(|key| key.public == public).ok_or_else(|| refused("The public key is unknown."))?;
    let at = moment(date).ok_or_else(|| refused("Header x-date is no UTC time in ISO 8601."))?;
    if (now - at).abs() > Duration::minutes(SKEW_MINUTES) {
        return Err(refused("Header x-date differs too much from the time of the server."));
    }
    let expected = signature(key, &call.method, &uri(call), &call.body, date);
    if hash != expected {
        return Err(refused("The hash is not right."));
    }
    Ok(key)
}

/// Signs an answer, in the form of the date that the real one uses.
pub(super) fn sign(reply: Reply, call: &Call, key: &Key, switches: &Switches, now: DateTime<Utc>) -> Reply {
    let success = (200..300).contains(&reply.status);
    if !success && !switches.sign_errors || switches.response_signature == "none" {
        return reply;
    }
    let date = now.format("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let mut hash = signature(key, &call.method, &uri(call), &reply.body, &date);
    if switches.response_signature == "wrong" {
        hash = signature(key, &call.method, &uri(call), b"something else", &date);
    }
    reply.with("x-date", date).with("x-hash", hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: Key = Key { public: "test_public", secret: "test_secret" };

    #[test]
    fn known_signatures_come_out() {
        let get = signature(&TEST, "GET", "/api/rest/v1/orders/?start=0&size=2", b"", "2026-01-02T03:04:05Z");
        assert_eq!(
            get,
            "60724b7faf6fb5a50525aa563845385eb76032dbf3cde583873acba92d2c3e480b8a565c9f3b119905064b3fdb74df07cbb2556809098decd4aed3b93c1ef53d"
        );
        let date = "2026-01-02T03:04:05Z";
        let patch = signature(&TEST, "PATCH", "/api/rest/v1/products/42", br#"{"stock":7}"#, date);
        assert_eq!(
            patch,
            "641b1616bf7ea08459e1d04c8310c49ea5a73af4649c1be0510014ad445faa72f72c21c3bf5f715c110cc83817b7176dba46f2e2e45b0ff622c5cdb3472f4107"
        );
    }

    #[test]
    fn three_forms_of_utc_are_read() {
        let all = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05+0000"];
        assert!(all.iter().all(|text| moment(text) == moment(all[0]) && moment(text).is_some()));
        assert_eq!(moment("2026-01-02T03:04:05+01:00"), None);
        assert_eq!(moment("Fri, 02 Jan 2026 03:04:05 GMT"), None);
    }
}
