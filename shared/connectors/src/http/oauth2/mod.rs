//! OAuth 2 with rotating refresh tokens: the sealed token set of a connection, and the one keeper that may renew it.
//!
//! A system describes its token endpoint as a [`TokenEndpoint`]; everything that can burn a token (races, lost answers,
//! crashes between the answer and the store) is handled once, in [`TokenKeeper`].

mod code_grant;
mod keeper;
mod stored;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};

pub use code_grant::{CodeGrant, CodeSite, CountsFrom, Refusal, TokenJudge};
pub use keeper::TokenKeeper;
pub use stored::Consent;

/// What a token endpoint handed out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSet {
    /// Access token.
    pub access: String,
    /// Refresh token; `None` where a new grant needs no person.
    #[serde(default)]
    pub refresh: Option<String>,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

impl TokenSet {
    /// Reads the usual answer of a token endpoint; `expires_in` may be a number or a text.
    ///
    /// `issued_at` should be taken before the request was sent, so that ages are never counted too short.
    pub fn from_answer(answer: &serde_json::Value, issued_at: DateTime<Utc>) -> Result<Self, Cause> {
        let text = |name: &str| answer.get(name).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        let access = text("access_token")
            .ok_or_else(|| Cause::new("no_token", "the token endpoint answered without an access token"))?;
        let seconds = match answer.get("expires_in") {
            Some(serde_json::Value::String(text)) => text.trim().parse::<i64>().ok(),
            Some(value) => value.as_i64(),
            None => None,
        };
        Ok(Self {
            access: access.to_owned(),
            refresh: text("refresh_token").map(str::to_owned),
            issued_at,
            expires_at: issued_at + chrono::TimeDelta::seconds(seconds.unwrap_or(600)),
        })
    }
}

impl std::fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSet")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a token endpoint gave no token.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenError {
    /// The access token is too young to be renewed: it stays in use.
    TooEarly(Cause),
    /// The refresh token was used before: somebody else has a newer one, or it is lost.
    Old(Cause),
    /// The refresh token or code will never work again: a person must consent.
    Dead(Cause),
    /// No answer came; the token may have been renewed or not.
    Lost(Failure),
    /// Anything else; the token itself is not touched.
    Failed(Failure),
}

impl From<Failure> for TokenError {
    /// A transport failure: when the outcome is unknown the answer was lost, otherwise nothing happened.
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Retry { reason: koppel_core::error::RetryReason::OutcomeUnknown, .. } => Self::Lost(failure),
            _ => Self::Failed(failure),
        }
    }
}

/// The token endpoint of one system, for one connection.
#[async_trait]
pub trait TokenEndpoint: Send + Sync {
    /// The address where a person consents.
    fn authorize_url(&self, state: &str) -> Result<String, Failure>;

    /// Turns the code of a consent into tokens.
    async fn exchange_code(&self, code: &str, calls: &Calls) -> Result<TokenSet, TokenError>;

    /// Renews a token set.
    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError>;

    /// A first token set where no person is needed (client credentials); `None` where one is.
    async fn first(&self, _calls: &Calls) -> Result<Option<TokenSet>, TokenError> {
        Ok(None)
    }

    /// What its tokens are good for, where that can change under the same connection (a company in the request for a
    /// token): a stored token of another audience is never used. Empty where consent alone decides.
    fn audience(&self) -> String {
        String::new()
    }

    /// Age below which the system refuses to renew; until then a token is used as it is, whatever happens.
    fn min_age(&self) -> Duration {
        Duration::ZERO
    }

    /// How long before its end a token is no longer used.
    fn margin(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// How long before its end a token is renewed by whoever comes along. By default one minute.
    fn renew_ahead(&self) -> Duration {
        Duration::from_secs(60)
    }
}

#[cfg(test)]
mod tests;
