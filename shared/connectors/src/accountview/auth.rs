//! Consent and tokens: OAuth 2 with an authorization code; the keeper of the kit renews under one lease.
//!
//! Whether a renewal gives a new refresh token is not documented. One that comes is taken as rotating and single-use;
//! when none comes the old one stays in use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::profile::Profile;
use crate::http::judge::default_verdict;
use crate::http::oauth2::{TokenEndpoint, TokenError, TokenKeeper, TokenSet};
use crate::http::request::encode;
use crate::http::{Answer, Deps, HttpClient, Judge, Request, Verdict};

/// The one site.
const SITE: &str = "https://www.accountview.net";
/// A token that is refused while it is younger was refused for another reason.
const MIN_AGE: Duration = Duration::from_secs(60);

/// The address of a connection: the site, or the option `url` in its place.
pub(super) fn site(connection: &Connection) -> String {
    connection.option("url").unwrap_or_else(|| SITE.to_owned()).trim_end_matches('/').to_owned()
}

/// The keeper of a connection's tokens; also what asks for consent.
pub fn token_keeper(connection: &Connection, deps: &Deps) -> Result<TokenKeeper, Failure> {
    let http = HttpClient::new(connection, &site(connection), &Limits::default(), deps)?;
    let scope = Profile::of(connection)?.scope().to_owned();
    let endpoint = Endpoint { connection: connection.clone(), scope, http };
    Ok(TokenKeeper::new(connection, Arc::new(endpoint), deps))
}

struct Endpoint {
    connection: Connection,
    scope: String,
    http: HttpClient,
}

impl Endpoint {
    fn secret(&self, name: &str) -> Result<&str, Failure> {
        self.connection.secret(name).ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_credential", format!("the credential {name} is missing"))
                    .advice("copy API key and API secret from the menu Developer on accountview.net into credentials")
                    .in_row(name)
                    .at_connection(&self.connection.name),
            )
        })
    }

    fn redirect_uri(&self) -> Result<String, Failure> {
        self.connection.option("redirect_uri").ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_redirect_uri", "the address that AccountView.Net returns to is missing")
                    .advice("set redirect_uri to exactly the redirect URI of the application on accountview.net")
                    .in_row("redirect_uri")
                    .at_connection(&self.connection.name),
            )
        })
    }

    async fn post(&self, mut form: Vec<(&str, String)>, calls: &Calls) -> Result<TokenSet, TokenError> {
        // In the body: a Basic header is not looked at.
        form.push(("client_id", self.secret("client_id").map_err(TokenError::Failed)?.to_owned()));
        form.push(("client_secret", self.secret("client_secret").map_err(TokenError::Failed)?.to_owned()));
        let renews = form.iter().any(|(name, value)| *name == "grant_type" && value == "refresh_token");
        let issued_at = self.http.now();
        let request = Request::post("api/v3/token").form(form).endpoint("token");
        let answer = self.http.send(request, &TokenJudge, calls).await?;
        if !answer.is_success() {
            return Err(error(&answer, renews));
        }
        let read = answer.json().and_then(|answer| TokenSet::from_answer(&answer, issued_at));
        read.map_err(|cause| TokenError::Lost(Failure::retry(RetryReason::Unavailable, None, cause)))
    }
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        let mut url = format!("{}/ams/authorize.aspx?response_type=code", self.http.base());
        let pairs = [
            ("client_id", self.secret("client_id")?.to_owned()),
            ("redirect_uri", self.redirect_uri()?),
            ("scope", self.scope.clone()),
            ("state", state.to_owned()),
        ];
        for (name, value) in pairs {
            url.push_str(&format!("&{name}={}", encode(&value)));
        }
        Ok(url)
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError> {
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", decode_code(code)),
            ("redirect_uri", self.redirect_uri().map_err(TokenError::Failed)?),
        ];
        self.post(form, calls).await
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        let Some(refresh) = &current.refresh else {
            return Err(TokenError::Dead(Cause::new("no_refresh_token", "the stored tokens cannot be renewed")));
        };
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.clone())];
        let set = self.post(form, calls).await?;
        Ok(TokenSet { refresh: set.refresh.or_else(|| Some(refresh.clone())), ..set })
    }

    fn min_age(&self) -> Duration {
        MIN_AGE
    }
}

/// A code may hold `+`, `/` and `=`, which arrive percent-encoded when it was copied from an address.
fn decode_code(code: &str) -> String {
    let code = code.trim();
    percent_decode_str(code).decode_utf8().map_or_else(|_| code.to_owned(), |text| text.into_owned())
}

/// Lets the error bodies of the token endpoint through; everything else is decided as usual.
struct TokenJudge;

impl Judge for TokenJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let told = answer.json().is_ok_and(|body| body.get("error").is_some());
        if told && (400..500).contains(&answer.status) {
            Verdict::Accept
        } else {
            default_verdict(request, answer, now)
        }
    }
}

/// What an error body of the token endpoint means.
fn error(answer: &Answer, renews: bool) -> TokenError {
    let body = answer.json().unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, said) = (text("error"), text("error_description"));
    let told = if said.is_empty() { error.to_owned() } else { format!("{error}: {said}") };
    match error {
        // Somebody else may have been faster: then a newer one is stored, or soon will be.
        "invalid_grant" if renews => TokenError::Old(Cause::new(
            "refresh_token_refused",
            format!("AccountView.Net refused the refresh token ({told}): it was used before, or it is too old"),
        )),
        "invalid_grant" => TokenError::Dead(Cause::new("grant_refused", format!("the code was refused ({told})"))),
        _ => TokenError::Failed(Failure::settings(
            Cause::new("token_request_refused", format!("AccountView.Net refused the token request ({told})"))
                .advice("compare client_id, client_secret and redirect_uri with the application on accountview.net"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use serde_json::json;

    #[test]
    fn the_consent_address_holds_scope_and_state() {
        let (_, _, deps) = testing::world();
        let options =
            json!({"redirect_uri": "https://koppel.example/back", "profile": {"connection": {"scope": "a b"}}});
        let connection = testing::connection("accountview", options, &[("client_id", "{k}"), ("client_secret", "s")]);
        assert_eq!(
            token_keeper(&connection, &deps).unwrap().authorize_url("st/1").unwrap(),
            "https://www.accountview.net/ams/authorize.aspx?response_type=code&client_id=%7Bk%7D\
             &redirect_uri=https%3A%2F%2Fkoppel.example%2Fback&scope=a%20b&state=st%2F1"
        );
        let bare = testing::connection("accountview", json!({}), &[("client_id", "x")]);
        let failure = token_keeper(&bare, &deps).unwrap().authorize_url("s").unwrap_err();
        assert_eq!(failure.cause().code, "missing_redirect_uri");
    }

    #[test]
    fn every_error_body_of_the_token_endpoint() {
        for (body, renews, wanted) in [
            (r#"{"error":"invalid_grant"}"#, true, "old"),
            (r#"{"error":"invalid_grant"}"#, false, "dead"),
            (r#"{"error":"invalid_client","error_description":"x"}"#, true, "settings"),
        ] {
            let answer = Answer { status: 400, headers: Vec::new(), body: body.into() };
            let kind = match error(&answer, renews) {
                TokenError::Old(_) => "old",
                TokenError::Dead(_) => "dead",
                TokenError::Failed(failure) => failure.class(),
                other => panic!("{other:?}"),
            };
            assert_eq!(kind, wanted);
        }
        assert_eq!(decode_code(" code%2Ba%2Fb%3D"), "code+a/b=");
    }
}
