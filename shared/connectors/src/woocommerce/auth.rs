//! How a shop is shown the keys: Basic over https, OAuth 1.0a signatures over http, or the query string over https for
//! hosts that strip the `Authorization` header.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use ring::hmac;

use crate::http::Request;
use crate::http::request::encode;

/// How the keys are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `Authorization: Basic`; the shop takes it only over TLS.
    Basic,
    /// One-legged OAuth 1.0a in the query string; the secret itself never travels.
    Oauth1,
    /// `consumer_key` and `consumer_secret` in the query string; only over TLS.
    Query,
}

/// Hash of the OAuth signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA1, for shops behind old plugins.
    Sha1,
}

impl Hash {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "HMAC-SHA256",
            Self::Sha1 => "HMAC-SHA1",
        }
    }

    fn sign(self, key: &str, text: &str) -> String {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), text.as_bytes()))
    }
}

/// The keys of a connection and how to show them.
#[derive(Clone)]
pub struct Keys {
    key: String,
    secret: String,
    /// What the user chose; `None` is `auto`.
    chosen: Option<Mode>,
    hash: Hash,
    /// Address the shop knows itself by, where a proxy makes it differ from the url.
    signed_base: Option<String>,
}

impl Keys {
    /// Reads the secrets `key` and `secret` and the options `auth`, `signature` and `site_url`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let wrong = |row: &str, code: &str, message: String, advice: &str| {
            Failure::settings(Cause::new(code, message).advice(advice).in_row(row).at_connection(&connection.name))
        };
        let secret = |name: &str| {
            connection.secret(name).map(|text| text.trim().to_owned()).ok_or_else(|| {
                wrong(
                    &format!("credentials.{name}"),
                    "missing_credentials",
                    format!("the consumer {name} is missing"),
                    "make a key in WooCommerce under Settings, Advanced, REST API",
                )
            })
        };
        let (key, hidden) = (secret("key")?, secret("secret")?);
        if key.starts_with("cs_") || hidden.starts_with("ck_") {
            let message = "the consumer key and the consumer secret are swapped".to_owned();
            return Err(wrong("credentials", "swapped_credentials", message, "key starts with ck_, secret with cs_"));
        }
        let chosen = match connection.option("auth").as_deref() {
            None | Some("auto") => None,
            Some("basic") => Some(Mode::Basic),
            Some("oauth1") => Some(Mode::Oauth1),
            Some("query") => Some(Mode::Query),
            Some(other) => {
                let message = format!("«{other}» is no way to show the keys");
                return Err(wrong("auth", "bad_option", message, "use auto, basic, oauth1 or query"));
            }
        };
        let hash = match connection.option("signature").as_deref() {
            None | Some("sha256") => Hash::Sha256,
            Some("sha1") => Hash::Sha1,
            Some(other) => {
                let message = format!("«{other}» is no signature hash");
                return Err(wrong("signature", "bad_option", message, "use sha256 or sha1"));
            }
        };
        let signed_base = connection.option("site_url").map(|url| url.trim_end_matches('/').to_owned());
        Ok(Self { key, secret: hidden, chosen, hash, signed_base })
    }

    /// The way to begin with: what the user chose, else by the scheme.
    pub fn mode(&self, base: &str) -> Mode {
        let by_scheme = if base.starts_with("https://") { Mode::Basic } else { Mode::Oauth1 };
        self.chosen.unwrap_or(by_scheme)
    }

    /// The user left the choice to Koppel.
    pub fn is_auto(&self) -> bool {
        self.chosen.is_none()
    }

    /// The address that the shop knows itself by was set.
    pub fn has_own_address(&self) -> bool {
        self.signed_base.is_some()
    }

    /// Adds the keys to a request.
    pub fn sign(&self, request: Request, mode: Mode, base: &str, now: DateTime<Utc>) -> Request {
        match mode {
            Mode::Basic => {
                let pair = STANDARD.encode(format!("{}:{}", self.key, self.secret));
                request.header("Authorization", format!("Basic {pair}"))
            }
            Mode::Query => request.query("consumer_key", &self.key).query("consumer_secret", &self.secret),
            Mode::Oauth1 => {
                let nonce = uuid::Uuid::new_v4().simple().to_string();
                self.sign_oauth(request, base, now.timestamp(), &nonce)
            }
        }
    }

    fn sign_oauth(&self, request: Request, base: &str, timestamp: i64, nonce: &str) -> Request {
        let request = request
            .query("oauth_consumer_key", &self.key)
            .query("oauth_nonce", nonce)
            .query("oauth_signature_method", self.hash.name())
            .query("oauth_timestamp", timestamp);
        let base = self.signed_base.as_deref().unwrap_or(base);
        let url = format!("{base}/{}", request.path.trim_start_matches('/'));
        let text = base_string(request.method.name(), &url, &request.query);
        let signature = self.hash.sign(&format!("{}&", self.secret), &text);
        request.query("oauth_signature", signature)
    }
}

// Keys never reach a log.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("chosen", &self.chosen).field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// The text that OAuth 1.0a signs: method, address and sorted parameters, the parameters encoded twice.
pub fn base_string(method: &str, url: &str, query: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> = query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}&{}&{}", encode(url), encode(&pairs.join("&")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::testing::connection;

    fn keys(options: serde_json::Value) -> Keys {
        Keys::of(&connection("woocommerce", options, &[("key", "ck_key"), ("secret", "cs_secret")])).unwrap()
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn the_base_string_is_that_of_rfc_5849() {
        // The example of section 3.4.1.1, without the parameters of its body that a shop does not sign.
        let query = pairs(&[
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
            ("c2", ""),
            ("a3", "2 q"),
        ]);
        assert_eq!(
            base_string("POST", "http://example.com/request", &query),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26\
             oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26\
             oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_signature_is_the_published_one() {
        // The photo example of OAuth Core 1.0, appendix A.5, with its token secret in the key.
        let query = pairs(&[
            ("file", "vacation.jpg"),
            ("size", "original"),
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "1191242096"),
            ("oauth_nonce", "kllo9940pd9333jh"),
            ("oauth_version", "1.0"),
        ]);
        let text = base_string("GET", "http://photos.example.net/photos", &query);
        assert_eq!(Hash::Sha1.sign("kd94hf93k423kf44&pfkkdhi9sl3r4s00", &text), "tR3+Ty81lMeYAr/Fid0kMTYa/WM=");
    }

    #[test]
    fn the_signature_covers_the_query_and_comes_last() {
        let request = Request::get("wp-json/wc/v3/orders").query("per_page", 100).query("status", "any");
        let signed = keys(json!({})).sign_oauth(request, "http://shop.test", 1_700_000_000, "n1");
        let (name, value) = signed.query.last().unwrap();
        assert_eq!(name, "oauth_signature");
        let text = "GET&http%3A%2F%2Fshop.test%2Fwp-json%2Fwc%2Fv3%2Forders&oauth_consumer_key%3Dck_key%26oauth_nonce%3Dn1\
                    %26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D1700000000%26per_page%3D100%26status%3Dany";
        assert_eq!(*value, Hash::Sha256.sign("cs_secret&", text));
        let behind = keys(json!({"site_url": "https://www.shop.test/"}));
        let other = behind.sign_oauth(Request::get("wp-json/wc/v3/orders"), "http://shop.test", 1, "n");
        let plain = keys(json!({})).sign_oauth(Request::get("wp-json/wc/v3/orders"), "https://www.shop.test", 1, "n");
        assert_eq!(other.query, plain.query);
    }

    #[test]
    fn the_scheme_decides_unless_the_user_does() {
        assert_eq!(keys(json!({})).mode("https://x.test"), Mode::Basic);
        assert_eq!(keys(json!({"auth": "auto"})).mode("http://x.test"), Mode::Oauth1);
        assert_eq!(keys(json!({"auth": "query"})).mode("https://x.test"), Mode::Query);
        let failure = Keys::of(&connection("woocommerce", json!({"auth": "digest"}), &[("key", "k"), ("secret", "s")]));
        assert!(matches!(failure, Err(Failure::Settings(cause)) if cause.place.row.as_deref() == Some("auth")));
    }

    #[test]
    fn mistakes_with_the_keys_are_named() {
        let missing = Keys::of(&connection("woocommerce", json!({}), &[("key", "ck_1")])).unwrap_err();
        assert!(missing.to_string().contains("consumer secret is missing"), "{missing}");
        let swapped =
            Keys::of(&connection("woocommerce", json!({}), &[("key", "cs_1"), ("secret", "ck_1")])).unwrap_err();
        assert!(swapped.to_string().contains("swapped"), "{swapped}");
        assert!(!format!("{:?}", keys(json!({}))).contains("cs_secret"));
    }
}
