//! Tokens of Visma Connect: client credentials of a service app, for one company (`tenant_id`).
//!
//! No person consents, so there is nothing to refresh: when a token grows old another one is asked for in the same way.
//! The keeper of the kit sees to it that many processes ask once, and that a token of another company is never used.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::options::Hosts;
use crate::http::oauth2::{Refusal, TokenEndpoint, TokenError, TokenJudge, TokenKeeper, TokenSet};
use crate::http::{Answer, Deps, HttpClient, Request};

/// Rights in the ERP API.
pub(super) const ERP_SCOPES: [&str; 3] =
    ["vismanet_erp_service_api:read", "vismanet_erp_service_api:create", "vismanet_erp_service_api:update"];
/// Rights in the service for sales orders.
pub(super) const ORDER_SCOPES: [&str; 2] = ["visma.net.erp.salesorder:read", "visma.net.erp.salesorder:write"];

/// The keepers of a connection's tokens: for the ERP API and for sales orders. They are the same, unless the connection
/// says that one token must not be for both.
pub(super) fn token_keepers(
    connection: &Connection,
    deps: &Deps,
) -> Result<(Arc<TokenKeeper>, Arc<TokenKeeper>), Failure> {
    let keeper = |scopes: Vec<&str>| -> Result<Arc<TokenKeeper>, Failure> {
        let hosts = Hosts::of(connection);
        // Token calls do not count among the calls of the API, so this client has no limits.
        let http = HttpClient::new(connection, &hosts.connect, &Limits::default(), deps)?;
        let scope = connection.option("scopes").unwrap_or_else(|| scopes.join(" "));
        let endpoint = Endpoint { connection: connection.clone(), http, scope };
        Ok(Arc::new(TokenKeeper::new(connection, Arc::new(endpoint), deps)))
    };
    if connection.flag("separate_tokens") {
        return Ok((keeper(ERP_SCOPES.to_vec())?, keeper(ORDER_SCOPES.to_vec())?));
    }
    let both = keeper(ERP_SCOPES.into_iter().chain(ORDER_SCOPES).collect())?;
    Ok((Arc::clone(&both), both))
}

struct Endpoint {
    connection: Connection,
    http: HttpClient,
    scope: String,
}

impl Endpoint {
    fn given(&self, name: &str, value: Option<String>, advice: &str) -> Result<String, Failure> {
        value.ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_credential", format!("{name} is missing"))
                    .advice(advice)
                    .in_row(name)
                    .at_connection(&self.connection.name),
            )
        })
    }

    fn secret(&self, name: &str) -> Result<String, Failure> {
        let advice = "copy it from the application in the Visma Developer Portal into credentials";
        self.given(name, self.connection.secret(name).map(str::to_owned), advice)
    }

    async fn ask(&self, calls: &Calls) -> Result<TokenSet, TokenError> {
        let form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.secret("client_id").map_err(TokenError::Failed)?),
            ("client_secret", self.secret("client_secret").map_err(TokenError::Failed)?),
            ("scope", self.scope.clone()),
            (
                "tenant_id",
                self.given(
                    "tenant_id",
                    self.connection.option("tenant_id"),
                    "set tenant_id to that of the company: Visma Admin, Company, Configuration",
                )
                .map_err(TokenError::Failed)?,
            ),
        ];
        // Asking twice gives two tokens and changes nothing.
        let request = Request::post("connect/token").form(form).reads().endpoint("connect/token");
        let issued_at = self.http.now();
        let answer = self.http.send(request, &TokenJudge, calls).await.map_err(TokenError::Failed)?;
        if !answer.is_success() {
            return Err(TokenError::Failed(refused(&answer)));
        }
        let read = answer.json().and_then(|answer| TokenSet::from_answer(&answer, issued_at));
        read.map_err(|cause| TokenError::Failed(Failure::retry(RetryReason::Unavailable, None, cause)))
    }
}

#[async_trait]
impl TokenEndpoint for Endpoint {
    fn authorize_url(&self, _state: &str) -> Result<String, Failure> {
        Err(nobody_consents())
    }

    async fn exchange_code(&self, _code: &str, _calls: &Calls) -> Result<TokenSet, TokenError> {
        Err(TokenError::Failed(nobody_consents()))
    }

    async fn refresh(&self, _current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        self.ask(calls).await
    }

    async fn first(&self, calls: &Calls) -> Result<Option<TokenSet>, TokenError> {
        self.ask(calls).await.map(Some)
    }

    /// Another company, application, address or set of rights needs another token.
    fn audience(&self) -> String {
        let part = |text: Option<String>| text.unwrap_or_default();
        let client = self.connection.secret("client_id").map(str::to_owned);
        [part(self.connection.option("tenant_id")), part(client), self.http.base().to_owned(), self.scope.clone()]
            .join("\n")
    }
}

fn nobody_consents() -> Failure {
    Failure::settings(
        Cause::new("no_consent_needed", "Visma Net is reached with the credentials of an application")
            .advice("approve the application in Visma App Store, and run koppel test"),
    )
}

/// What an error body of the token endpoint means. None of them ends by itself, and none needs a consent of Koppel's kind.
fn refused(answer: &Answer) -> Failure {
    let Refusal { error, description: told, .. } = Refusal::of(answer);
    let told = if told.is_empty() { String::new() } else { format!(": {told}") };
    match error.as_str() {
        "invalid_client" | "unauthorized_client" => Failure::auth(
            Cause::new("client_refused", format!("Visma Connect refuses the application ({error}{told})"))
                .advice("check client_id and client_secret; the secret may have been renewed in the Developer Portal")
                .in_row("client_id"),
        ),
        "invalid_scope" => Failure::settings(
            Cause::new("scope_refused", format!("Visma Connect refuses the rights that were asked for{told}"))
                .advice("add them to the application in the Developer Portal, and let the company approve it again")
                .in_row("scopes"),
        ),
        "invalid_grant" | "access_denied" | "invalid_tenant" => Failure::auth(
            Cause::new("not_approved", format!("the company has not approved the application ({error}{told})"))
                .advice("let its integration administrator approve the application in Visma App Store; check tenant_id")
                .in_row("tenant_id"),
        ),
        _ => Failure::settings(
            Cause::new("token_refused", format!("Visma Connect gave no token ({error}{told})"))
                .advice("check tenant_id, client_id and client_secret"),
        ),
    }
}

/// The rights that a token names; `None` when it does not tell. The token is only read: who checks it is Visma.
pub(super) fn scopes_of(token: &str) -> Option<Vec<String>> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    match claims.get("scope").or_else(|| claims.get("scp"))? {
        Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Value::Array(list) => Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use serde_json::json;

    #[test]
    fn every_error_body_of_the_token_endpoint() {
        for (status, error, class, code) in [
            (400, "invalid_client", "auth", "client_refused"),
            (401, "unauthorized_client", "auth", "client_refused"),
            (400, "invalid_scope", "settings", "scope_refused"),
            (400, "invalid_grant", "auth", "not_approved"),
            (400, "invalid_request", "settings", "token_refused"),
        ] {
            let body = json!({"error": error, "error_description": "why"}).to_string().into_bytes();
            let failure = refused(&Answer { status, headers: Vec::new(), body });
            assert_eq!((failure.class(), failure.cause().code.as_str()), (class, code), "{error}");
            assert!(failure.to_string().contains("why"), "{failure}");
        }
    }

    #[test]
    fn the_rights_of_a_token_are_read_in_both_forms() {
        let token = |claims: Value| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let wanted = Some(vec!["a:read".to_owned(), "b:write".to_owned()]);
        assert_eq!(scopes_of(&token(json!({"scope": ["a:read", "b:write"]}))), wanted);
        assert_eq!(scopes_of(&token(json!({"scope": "a:read b:write"}))), wanted);
        assert_eq!(scopes_of(&token(json!({"sub": "x"}))), None);
        assert_eq!(scopes_of("opaque"), None);
    }

    #[tokio::test]
    async fn what_is_missing_is_named_before_anything_is_sent() {
        let (_, _, deps) = testing::world();
        for (options, secrets, row) in [
            (json!({"tenant_id": "t"}), vec![("client_secret", "s")], "client_id"),
            (json!({"tenant_id": "t"}), vec![("client_id", "c")], "client_secret"),
            (json!({}), vec![("client_id", "c"), ("client_secret", "s")], "tenant_id"),
        ] {
            let connection = testing::connection("visma-net", options, &secrets);
            let (keeper, _) = token_keepers(&connection, &deps).unwrap();
            let failure = keeper.access_token(&Calls::default()).await.unwrap_err();
            assert_eq!((failure.class(), failure.cause().place.row.as_deref()), ("settings", Some(row)), "{failure}");
        }
    }
}
