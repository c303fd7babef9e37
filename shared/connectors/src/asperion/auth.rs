//! Hosts and consent: authorization code with a proof of possession, a refresh token that is taken to work once.
//!
//! What is not published (scopes, life times, rotation, whether a proof is asked for) is done in the form that every
//! server of this kind accepts.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use ring::{digest, hmac};
use serde_json::Value;

use crate::http::judge::default_verdict;
use crate::http::oauth2::{TokenEndpoint, TokenError, TokenKeeper, TokenSet};
use crate::http::request::encode;
use crate::http::{Answer, Deps, HttpClient, Judge, Request, Verdict};

/// Without it a server of this kind gives no refresh token.
const SCOPE: &str = "offline_access";

/// Addresses of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// Of the API.
    pub api: String,
    /// Of the identity server.
    pub identity: String,
}

impl Site {
    /// Production or the vendor's sandbox, or the addresses in `url` and `identity_url`.
    pub fn of(connection: &Connection) -> Self {
        let suffix = match connection.option("environment").as_deref() {
            Some("sandbox") => "-sandbox",
            _ => "",
        };
        let own = |name: &str| connection.option(name).map(|url| url.trim_end_matches('/').to_owned());
        let api = own("url");
        // One address for both is what a stand-in has.
        let identity = own("identity_url").or_else(|| api.clone());
        Self {
            api: api.unwrap_or_else(|| format!("https://api{suffix}.asperion.nl")),
            identity: identity.unwrap_or_else(|| format!("https://identity{suffix}.asperion.nl")),
        }
    }
}

/// Keeps the tokens of a connection, and is what asks for consent.
pub fn token_keeper(connection: &Connection, deps: &Deps) -> Result<TokenKeeper, Failure> {
    // The identity server is another host, whose calls are not counted with those of the API.
    let http = HttpClient::new(connection, &Site::of(connection).identity, &Limits::default(), deps)?;
    let endpoint = Endpoint { connection: connection.clone(), http };
    Ok(TokenKeeper::new(connection, Arc::new(endpoint), deps))
}

struct Endpoint {
    connection: Connection,
    http: HttpClient,
}

impl Endpoint {
    fn secret(&self, name: &str) -> Result<&str, Failure> {
        self.connection.secret(name).ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_credential", format!("the credential {name} is missing"))
                    .advice("copy it from what Asperion sent when your application was approved into credentials")
                    .in_row(name)
                    .at_connection(&self.connection.name),
            )
        })
    }

    fn redirect_uri(&self) -> Result<String, Failure> {
        self.connection.option("redirect_uri").ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_redirect_uri", "the address that Asperion returns to after consent is missing")
                    .advice("set redirect_uri to exactly the address that was given in the application")
                    .in_row("redirect_uri")
                    .at_connection(&self.connection.name),
            )
        })
    }

    /// The proof of this connection: nobody without the client secret can make it, and it needs no memory between the
    /// page that asks and the code that comes back.
    fn verifier(&self) -> Result<String, Failure> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret("client_secret")?.as_bytes());
        let whose = format!("{}/{}/{}", self.connection.tenant.0, self.connection.name, self.secret("client_id")?);
        Ok(URL_SAFE_NO_PAD.encode(hmac::sign(&key, whose.as_bytes())))
    }

    async fn post(&self, mut form: Vec<(&str, String)>, calls: &Calls) -> Result<TokenSet, TokenError> {
        form.push(("client_id", self.secret("client_id").map_err(TokenError::Failed)?.to_owned()));
        form.push(("client_secret", self.secret("client_secret").map_err(TokenError::Failed)?.to_owned()));
        let issued_at = self.http.now();
        let request = Request::post("connect/token").form(form).endpoint("connect/token");
        let answer = self.http.send(request, &TokenJudge, calls).await?;
        if !answer.is_success() {
            return Err(error(&answer));
        }
        let read = answer.json().and_then(|answer| TokenSet::from_answer(&answer, issued_at));
        read.map_err(|cause| TokenError::Lost(Failure::retry(RetryReason::Unavailable, None, cause)))
    }
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        let scope = self.connection.option("scope").unwrap_or_else(|| SCOPE.to_owned());
        let digest = digest::digest(&digest::SHA256, self.verifier()?.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let mut url = format!("{}/connect/authorize?response_type=code", self.http.base());
        for (name, value) in [
            ("client_id", self.secret("client_id")?),
            ("redirect_uri", &self.redirect_uri()?),
            ("scope", &scope),
            ("state", state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ] {
            url.push_str(&format!("&{name}={}", encode(value)));
        }
        Ok(url)
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError> {
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.trim().to_owned()),
            ("redirect_uri", self.redirect_uri().map_err(TokenError::Failed)?),
            ("code_verifier", self.verifier().map_err(TokenError::Failed)?),
        ];
        let set = self.post(form, calls).await?;
        if set.refresh.is_none() {
            // It would work for an hour and then stop for want of a person.
            return Err(TokenError::Failed(Failure::settings(
                Cause::new(
                    "no_refresh_token",
                    "Asperion gave no refresh token, so the consent would end with the hour",
                )
                .advice("add offline_access to the scope of the connection, and have it allowed for the application")
                .in_row("scope")
                .at_connection(&self.connection.name),
            )));
        }
        Ok(set)
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        let Some(refresh) = &current.refresh else {
            return Err(TokenError::Dead(Cause::new("no_refresh_token", "the stored tokens cannot be renewed")));
        };
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.clone())];
        let mut set = self.post(form, calls).await?;
        // A server that does not rotate may leave the token out of its answer.
        set.refresh.get_or_insert_with(|| refresh.clone());
        Ok(set)
    }
}

/// Lets the error bodies of the token endpoint through; everything else is decided as usual.
struct TokenJudge;

impl Judge for TokenJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let told = answer.json().is_ok_and(|body| body.get("error").is_some());
        if told && (400..500).contains(&answer.status) && answer.status != 429 {
            Verdict::Accept
        } else {
            default_verdict(request, answer, now)
        }
    }
}

/// What an error body of the token endpoint means.
fn error(answer: &Answer) -> TokenError {
    let body = answer.json().unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, said) = (text("error"), text("error_description"));
    let told = if said.is_empty() { error.to_owned() } else { format!("{error}: {said}") };
    match error {
        // Used, too old, or taken back: from outside these look the same. The keeper first looks whether somebody else
        // has a newer token.
        "invalid_grant" => TokenError::Old(Cause::new("grant_refused", format!("Asperion refused the token ({told})"))),
        _ => TokenError::Failed(Failure::settings(
            Cause::new("token_request_refused", format!("Asperion refused the token request ({told})"))
                .advice("compare client_id, client_secret, redirect_uri and scope with the approved application"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use serde_json::json;

    #[test]
    fn the_environment_decides_the_hosts_and_the_url_takes_their_place() {
        let site = |options| Site::of(&testing::connection("asperion", options, &[]));
        let live = site(json!({}));
        assert_eq!(
            (live.api.as_str(), live.identity.as_str()),
            ("https://api.asperion.nl", "https://identity.asperion.nl")
        );
        let vendors = site(json!({"environment":"sandbox"}));
        assert_eq!(vendors.identity, "https://identity-sandbox.asperion.nl");
        let own = site(json!({"url":"http://127.0.0.1:1/"}));
        assert_eq!((own.api.as_str(), own.identity.as_str()), ("http://127.0.0.1:1", "http://127.0.0.1:1"));
    }

    #[test]
    fn the_consent_address_asks_for_a_refresh_token_and_carries_a_proof() {
        let (_, _, deps) = testing::world();
        let options = json!({"redirect_uri":"https://koppel.example/back","url":"http://127.0.0.1:1"});
        let secrets = [("client_id", "the-id"), ("client_secret", "the-secret")];
        let connection = testing::connection("asperion", options, &secrets);
        let url = token_keeper(&connection, &deps).unwrap().authorize_url("st/1").unwrap();
        let rest =
            url.strip_prefix("http://127.0.0.1:1/connect/authorize?response_type=code&client_id=the-id").unwrap();
        assert!(
            rest.starts_with("&redirect_uri=https%3A%2F%2Fkoppel.example%2Fback&scope=offline_access&state=st%2F1")
        );
        assert!(rest.ends_with("&code_challenge_method=S256") && !url.contains("the-secret"), "{url}");
        let bare = testing::connection("asperion", json!({}), &secrets);
        let failure = token_keeper(&bare, &deps).unwrap().authorize_url("s").unwrap_err();
        assert_eq!(failure.cause().code, "missing_redirect_uri");
    }

    #[test]
    fn every_error_body_of_the_token_endpoint() {
        let kind = |body: &str| {
            let answer = Answer { status: 400, headers: Vec::new(), body: body.into() };
            match error(&answer) {
                TokenError::Old(_) => "old",
                TokenError::Failed(failure) => failure.class(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(kind(r#"{"error":"invalid_grant"}"#), "old");
        assert_eq!(kind(r#"{"error":"invalid_client"}"#), "settings");
        assert_eq!(kind(r#"{"error":"invalid_scope","error_description":"no"}"#), "settings");
    }
}
