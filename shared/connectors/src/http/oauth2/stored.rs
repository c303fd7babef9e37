//! How a token set is stored: sealed, with its lease and its state beside it in the same item, so that every change of
//! any of them is one conditional write.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use koppel_core::ports::Vault;
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};

use super::TokenSet;

/// Whether a person must consent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consent {
    /// Nobody has consented yet.
    #[default]
    Never,
    /// Tokens are there.
    Given,
    /// The tokens died; flows of this connection stop until somebody consents again.
    Needed {
        /// When it was found out.
        since: DateTime<Utc>,
        /// Why.
        cause: Cause,
    },
}

/// The item.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    /// The sealed [`TokenSet`], base64.
    pub sealed: Option<String>,
    /// Grows with each new token set: who holds the higher one holds the newer tokens.
    pub generation: u64,
    /// State.
    pub consent: Consent,
    /// Who renews at this moment.
    pub lease: Option<Lease>,
}

/// The right to renew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub owner: String,
    pub until: DateTime<Utc>,
}

impl Stored {
    pub fn from_text(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| broken(&error.to_string()))
    }

    pub fn to_text(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|error| broken(&error.to_string()))
    }

    pub async fn seal(&mut self, vault: &dyn Vault, context: &str, set: &TokenSet) -> Result<(), Failure> {
        let plain = serde_json::to_vec(set).map_err(|error| broken(&error.to_string()))?;
        self.sealed = Some(STANDARD.encode(vault.seal(context, &plain).await?));
        Ok(())
    }

    pub async fn open(&self, vault: &dyn Vault, context: &str) -> Result<Option<TokenSet>, Failure> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        let sealed = STANDARD.decode(sealed).map_err(|error| broken(&error.to_string()))?;
        let plain = vault.open(context, &sealed).await?;
        serde_json::from_slice(&plain).map(Some).map_err(|error| broken(&error.to_string()))
    }

    /// Somebody else renews and still has time for it.
    pub fn is_leased(&self, now: DateTime<Utc>) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.until > now)
    }
}

fn broken(why: &str) -> Failure {
    Failure::settings(
        Cause::new("token_unreadable", format!("the stored token cannot be read: {why}"))
            .advice("give consent again; check that the vault's key is the one it was sealed with"),
    )
}
