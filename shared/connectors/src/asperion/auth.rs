//! Hosts and consent: authorization code with a proof of possession, a refresh token that is taken to work once.
//!
//! What is not published (scopes, life times, rotation, whether a proof is asked for) is done in the form that every
//! server of this kind accepts.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use ring::{digest, hmac};

use crate::http::oauth2::{CodeGrant, CodeSite, CountsFrom, Refusal, TokenEndpoint, TokenError, TokenKeeper, TokenSet};
use crate::http::{Deps, HttpClient};

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
    let endpoint = Endpoint(CodeGrant { connection: connection.clone(), http, site: &CODE_SITE });
    Ok(TokenKeeper::new(connection, Arc::new(endpoint), deps))
}

static CODE_SITE: CodeSite = CodeSite {
    name: "Asperion",
    authorize_path: "connect/authorize",
    token_path: "connect/token",
    credential_advice: "copy it from what Asperion sent when your application was approved into credentials",
    redirect_advice: "set redirect_uri to exactly the address that was given in the application",
    counts_from: CountsFrom::Request,
    error,
};

struct Endpoint(CodeGrant);

impl Endpoint {
    /// The proof of this connection: nobody without the client secret can make it, and it needs no memory between the
    /// page that asks and the code that comes back.
    fn verifier(&self) -> Result<String, Failure> {
        let connection = &self.0.connection;
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.secret("client_secret")?.as_bytes());
        let whose = format!("{}/{}/{}", connection.tenant.0, connection.name, self.0.secret("client_id")?);
        Ok(URL_SAFE_NO_PAD.encode(hmac::sign(&key, whose.as_bytes())))
    }
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        let scope = self.0.connection.option("scope").unwrap_or_else(|| SCOPE.to_owned());
        let digest = digest::digest(&digest::SHA256, self.verifier()?.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        self.0.authorize_url(&[
            ("scope", &scope),
            ("state", state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError> {
        let verifier = self.verifier().map_err(TokenError::Failed)?;
        let set = self.0.exchange_code(code, vec![("code_verifier", verifier)], calls).await?;
        if set.refresh.is_none() {
            // It would work for an hour and then stop for want of a person.
            return Err(TokenError::Failed(Failure::settings(
                Cause::new(
                    "no_refresh_token",
                    "Asperion gave no refresh token, so the consent would end with the hour",
                )
                .advice("add offline_access to the scope of the connection, and have it allowed for the application")
                .in_row("scope")
                .at_connection(&self.0.connection.name),
            )));
        }
        Ok(set)
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.0.refresh(current, calls).await
    }
}

/// What an error body of the token endpoint means.
fn error(refusal: &Refusal, _renews: bool) -> TokenError {
    let told = refusal.told();
    match refusal.error.as_str() {
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
    use crate::http::{Answer, testing};
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
            match error(&Refusal::of(&answer), true) {
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
