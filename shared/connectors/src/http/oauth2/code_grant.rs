//! The grant with an authorization code, as every server of this kind does it; what differs is said in [`CodeSite`].

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{TokenError, TokenSet};
use crate::http::judge::default_verdict;
use crate::http::request::encode;
use crate::http::{Answer, HttpClient, Judge, Request, Verdict};

/// What a system's token endpoint has of its own.
pub struct CodeSite {
    /// As people call it.
    pub name: &'static str,
    /// Path of the page where a person consents, below the address of the client.
    pub authorize_path: &'static str,
    /// Path of the token endpoint.
    pub token_path: &'static str,
    /// Where a credential is to be had.
    pub credential_advice: &'static str,
    /// What the address must be that the system returns to.
    pub redirect_advice: &'static str,
    /// From when the age of a token counts.
    pub counts_from: CountsFrom,
    /// What an error means; true when the request was to renew.
    pub error: fn(&Refusal, bool) -> TokenError,
}

/// From when the age of a token counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountsFrom {
    /// Never too short: a token is not used when it may have ended.
    Request,
    /// Never too long: for a system that refuses to renew a young token and counts that as an error.
    Answer,
}

/// The grant of one connection.
pub struct CodeGrant {
    /// Connection.
    pub connection: Connection,
    /// Calls to the server that hands out tokens: not counted in the budget of the API.
    pub http: HttpClient,
    /// The system.
    pub site: &'static CodeSite,
}

impl CodeGrant {
    /// A credential that must be there.
    pub fn secret(&self, name: &str) -> Result<&str, Failure> {
        self.connection.secret(name).ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_credential", format!("the credential {name} is missing"))
                    .advice(self.site.credential_advice)
                    .in_row(name)
                    .at_connection(&self.connection.name),
            )
        })
    }

    fn redirect_uri(&self) -> Result<String, Failure> {
        self.connection.option("redirect_uri").ok_or_else(|| {
            let message = format!("the address that {} returns to after consent is missing", self.site.name);
            Failure::settings(
                Cause::new("missing_redirect_uri", message)
                    .advice(self.site.redirect_advice)
                    .in_row("redirect_uri")
                    .at_connection(&self.connection.name),
            )
        })
    }

    /// The page where a person consents; `more` follows the usual parameters.
    pub fn authorize_url(&self, more: &[(&str, &str)]) -> Result<String, Failure> {
        let mut url = format!("{}/{}?response_type=code", self.http.base(), self.site.authorize_path);
        let redirect_uri = self.redirect_uri()?;
        let usual = [("client_id", self.secret("client_id")?), ("redirect_uri", redirect_uri.as_str())];
        for (name, value) in usual.iter().chain(more) {
            url.push_str(&format!("&{name}={}", encode(value)));
        }
        Ok(url)
    }

    /// Tokens for the code of a consent.
    pub async fn exchange_code(
        &self,
        code: &str,
        more: Vec<(&str, String)>,
        calls: &Calls,
    ) -> Result<TokenSet, TokenError> {
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", decode_code(code)),
            ("redirect_uri", self.redirect_uri().map_err(TokenError::Failed)?),
        ];
        form.extend(more);
        self.post(form, false, calls).await
    }

    /// A new set for an old one. A server that does not rotate may leave the refresh token out of its answer: the old one
    /// stays in use.
    pub async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        let Some(refresh) = &current.refresh else {
            return Err(TokenError::Dead(Cause::new("no_refresh_token", "the stored tokens cannot be renewed")));
        };
        let form = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", refresh.clone())];
        let mut set = self.post(form, true, calls).await?;
        set.refresh.get_or_insert_with(|| refresh.clone());
        Ok(set)
    }

    async fn post(&self, mut form: Vec<(&str, String)>, renews: bool, calls: &Calls) -> Result<TokenSet, TokenError> {
        for name in ["client_id", "client_secret"] {
            form.push((name, self.secret(name).map_err(TokenError::Failed)?.to_owned()));
        }
        let asked_at = self.http.now();
        let request = Request::post(self.site.token_path).form(form).endpoint(self.site.token_path);
        let answer = self.http.send(request, &TokenJudge, calls).await?;
        if !answer.is_success() {
            return Err((self.site.error)(&Refusal::of(&answer), renews));
        }
        let issued_at = match self.site.counts_from {
            CountsFrom::Request => asked_at,
            CountsFrom::Answer => self.http.now(),
        };
        let read = answer.json().and_then(|answer| TokenSet::from_answer(&answer, issued_at));
        read.map_err(|cause| TokenError::Lost(Failure::retry(RetryReason::Unavailable, None, cause)))
    }
}

/// A code may hold `!`, `+`, `/` and `=`, which arrive percent-encoded when it was copied from an address. It is decoded
/// once, and only when it still is encoded.
fn decode_code(code: &str) -> String {
    let code = code.trim();
    percent_decode_str(code).decode_utf8().map_or_else(|_| code.to_owned(), |text| text.into_owned())
}

/// Lets the error bodies of a token endpoint through; everything else is decided as usual.
pub struct TokenJudge;

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

/// An error body of a token endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Its code, such as `invalid_grant`.
    pub error: String,
    /// Its description, often empty.
    pub description: String,
    /// The header `Reason`, in small letters.
    pub reason: String,
}

impl Refusal {
    /// What an answer says.
    pub fn of(answer: &Answer) -> Self {
        let body = answer.json().unwrap_or(Value::Null);
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let reason = answer.header("reason").unwrap_or_default().to_lowercase();
        Self { error: text("error"), description: text("error_description"), reason }
    }

    /// Code and description, for people.
    pub fn told(&self) -> String {
        if self.description.is_empty() { self.error.clone() } else { format!("{}: {}", self.error, self.description) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_decoded_once() {
        assert_eq!(decode_code("stamp.a%21b%2Bc "), "stamp.a!b+c");
        assert_eq!(decode_code("stamp.a!b+c"), "stamp.a!b+c");
        assert_eq!(decode_code(" code%2Ba%2Fb%3D"), "code+a/b=");
    }

    #[test]
    fn error_bodies_are_read_and_limits_are_not_errors() {
        let answer = |status, body: &str| Answer { status, headers: Vec::new(), body: body.into() };
        let accepts = |answer: &Answer| {
            matches!(TokenJudge.judge(&Request::post("token"), answer, DateTime::UNIX_EPOCH), Verdict::Accept)
        };
        let refused = answer(400, r#"{"error":"invalid_grant","error_description":"used"}"#);
        assert!(accepts(&refused));
        assert_eq!(Refusal::of(&refused).told(), "invalid_grant: used");
        assert!(!accepts(&answer(429, r#"{"error":"slow_down"}"#)));
        assert!(!accepts(&answer(502, r#"{"error":"bad_gateway"}"#)));
        assert!(!accepts(&answer(404, "<html>")));
    }
}
