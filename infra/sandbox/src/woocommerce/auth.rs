//! Who calls: consumer keys over TLS (Basic or query string), OAuth 1.0a one-legged otherwise, really verified.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::json;

use super::errors::{error, error_with};
use super::{Switches, keys};
use crate::message::{Call, Reply, decode};

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Consumer key, `ck_` + 40 hex digits.
    pub key: &'static str,
    /// Consumer secret, `cs_` + 40 hex digits.
    pub secret: &'static str,
    /// May read.
    pub read: bool,
    /// May write.
    pub write: bool,
}

/// Nonces seen, per key, with their time stamp.
pub(super) type Nonces = HashMap<(String, String), i64>;

const WINDOW_SECONDS: i64 = 15 * 60;

fn refused(message: &str) -> Reply {
    error(401, "woocommerce_rest_authentication_error", message)
}

/// The key of the caller; None when there is none that counts; an error when one was shown that is wrong.
pub(super) fn authenticate(
    call: &Call,
    switches: &Switches,
    nonces: &mut Nonces,
    site: &str,
    now: i64,
) -> Result<Option<&'static Key>, Reply> {
    let header = call.header("authorization").filter(|_| !switches.strip_authorization);
    if is_tls(call, switches)
        && let Some((name, secret)) = plain_credentials(call, header)
        && let Some(key) = find(&name)
    {
        if key.secret != secret {
            return Err(refused("Consumer secret is invalid."));
        }
        return Ok(Some(key));
    }
    oauth(call, header, nonces, site, now)
}

/// WordPress sees TLS: on the connection itself, or as its configuration tells it behind a terminator.
fn is_tls(call: &Call, switches: &Switches) -> bool {
    let forwarded = call.header("x-forwarded-proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
    call.tls || switches.behind_tls || switches.trust_forwarded_proto && forwarded
}

fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.key == name)
}

/// Query string first, then Basic.
fn plain_credentials(call: &Call, header: Option<&str>) -> Option<(String, String)> {
    if let (Some(key), Some(secret)) = (call.param("consumer_key"), call.param("consumer_secret")) {
        return Some((key, secret));
    }
    let encoded = header?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (key, secret) = text.split_once(':')?;
    Some((key.into(), secret.into()))
}

fn oauth(
    call: &Call,
    header: Option<&str>,
    nonces: &mut Nonces,
    site: &str,
    now: i64,
) -> Result<Option<&'static Key>, Reply> {
    const NAMES: [&str; 5] =
        ["oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method"];
    let mut params = indexed(call.pairs());
    if let Some(list) = header.and_then(|header| header.trim().strip_prefix("OAuth ")) {
        for part in list.split(',') {
            if let Some((name, value)) = part.trim().split_once('=')
                && name != "realm"
            {
                params.push((decode(name), decode(value.trim_matches('"'))));
            }
        }
    }
    let get = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or("");
    let absent: Vec<&str> = NAMES.into_iter().filter(|name| get(name).is_empty()).collect();
    if absent.len() == NAMES.len() {
        return Ok(None);
    }
    if !absent.is_empty() {
        let plural = if absent.len() > 1 { "s" } else { "" };
        let message = format!("Missing OAuth parameter{plural} {}", absent.join(", "));
        return Err(error_with(401, "woocommerce_rest_authentication_missing_parameter", &message, json!({})));
    }
    let key = find(get("oauth_consumer_key")).ok_or_else(|| refused("Consumer key is invalid."))?;
    let algorithm = match get("oauth_signature_method") {
        "HMAC-SHA1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "HMAC-SHA256" => hmac::HMAC_SHA256,
        _ => return Err(refused("Invalid signature - signature method is invalid.")),
    };
    let base = base_string(&call.method, &format!("{site}{}", call.path), &params);
    let secret = hmac::Key::new(algorithm, format!("{}&", key.secret).as_bytes());
    let signed = STANDARD.decode(get("oauth_signature").replace(' ', "+")).unwrap_or_default();
    if hmac::verify(&secret, base.as_bytes(), &signed).is_err() {
        return Err(refused("Invalid signature - provided signature does not match."));
    }
    let stamp: i64 = get("oauth_timestamp").parse().unwrap_or(0);
    if (stamp - now).abs() > WINDOW_SECONDS {
        return Err(refused("Invalid timestamp."));
    }
    nonces.retain(|_, seen| (now - *seen).abs() <= WINDOW_SECONDS);
    if nonces.insert((key.key.into(), get("oauth_nonce").into()), stamp).is_some() {
        return Err(refused("Invalid nonce - nonce has already been used."));
    }
    Ok(Some(key))
}

/// PHP gives `include[]` the next free number; the signature is made over the numbered names.
fn indexed(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut next: HashMap<String, usize> = HashMap::new();
    pairs
        .into_iter()
        .map(|(name, value)| match name.strip_suffix("[]") {
            None => (name, value),
            Some(stem) => {
                let at = next.entry(stem.into()).or_default();
                *at += 1;
                (format!("{stem}[{}]", *at - 1), value)
            }
        })
        .collect()
}

/// METHOD & URL & parameters, all percent-encoded; the parameters twice.
pub(super) fn base_string(method: &str, url: &str, params: &[(String, String)]) -> String {
    let mut encoded: Vec<(String, String)> = params
        .iter()
        .filter(|(name, _)| name != "oauth_signature")
        .map(|(name, value)| (percent(name), percent(value)))
        .collect();
    encoded.sort();
    let query = encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    format!("{method}&{}&{}", percent(url), percent(&query))
}

/// Percent-encoding of RFC 3986.
fn percent(text: &str) -> String {
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn base_string_is_the_one_of_rfc_5849_section_3_4_1() {
        let params = pairs(&[
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("oauth_signature", "left out"),
            ("c2", ""),
            ("a3", "2 q"),
        ]);
        assert_eq!(
            base_string("POST", "http://example.com/request", &params),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D\
             HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }
}
