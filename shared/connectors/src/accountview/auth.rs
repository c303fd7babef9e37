//! Consent and tokens: OAuth 2 with an authorization code; the keeper of the kit renews under one lease.
//!
//! Whether a renewal gives a new refresh token is not documented. One that comes is taken as rotating and single-use;
//! when none comes the old one stays in use.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};

use super::profile::Profile;
use crate::http::oauth2::{CodeGrant, CodeSite, CountsFrom, Refusal, TokenEndpoint, TokenError, TokenKeeper, TokenSet};
use crate::http::{Deps, HttpClient};

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
    let grant = CodeGrant { connection: connection.clone(), http, site: &CODE_SITE };
    Ok(TokenKeeper::new(connection, Arc::new(Endpoint { grant, scope }), deps))
}

/// The credentials go in the body: a Basic header is not looked at.
static CODE_SITE: CodeSite = CodeSite {
    name: "AccountView.Net",
    authorize_path: "ams/authorize.aspx",
    token_path: "api/v3/token",
    credential_advice: "copy API key and API secret from the menu Developer on accountview.net into credentials",
    redirect_advice: "set redirect_uri to exactly the redirect URI of the application on accountview.net",
    counts_from: CountsFrom::Request,
    error,
};

struct Endpoint {
    grant: CodeGrant,
    scope: String,
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        self.grant.authorize_url(&[("scope", &self.scope), ("state", state)])
    }

    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.grant.exchange_code(code, Vec::new(), calls).await
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.grant.refresh(current, calls).await
    }

    fn min_age(&self) -> Duration {
        MIN_AGE
    }
}

/// What an error body of the token endpoint means.
fn error(refusal: &Refusal, renews: bool) -> TokenError {
    let told = refusal.told();
    match refusal.error.as_str() {
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
    use crate::http::{Answer, testing};
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
            let kind = match error(&Refusal::of(&answer), renews) {
                TokenError::Old(_) => "old",
                TokenError::Dead(_) => "dead",
                TokenError::Failed(failure) => failure.class(),
                other => panic!("{other:?}"),
            };
            assert_eq!(kind, wanted);
        }
    }
}
