//! Two tokens in the query of every call: that of the store, made by the merchant for one partner, and that of the
//! partner, which belongs to the deployment.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};

use crate::http::Request;

/// The tokens of a connection.
#[derive(Clone)]
pub struct Tokens {
    store: String,
    partner: String,
}

impl Tokens {
    /// Reads the secrets `token` and `partner_token`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let wrong = |row: &str, code: &str, message: &str, advice: &str| {
            Failure::settings(Cause::new(code, message).advice(advice).in_row(row).at_connection(&connection.name))
        };
        let secret = |name: &str| connection.secret(name).map(|text| text.trim().to_owned()).filter(|t| !t.is_empty());
        let store = secret("token").ok_or_else(|| {
            wrong(
                "credentials.token",
                "missing_credentials",
                "the token of the store is missing",
                "make one in the shop under Settings, API, for the partner whose partner token is used here",
            )
        })?;
        let partner = secret("partner_token").ok_or_else(|| {
            wrong(
                "credentials.partner_token",
                "missing_credentials",
                "the partner token is missing",
                "MyOnlineStore gives it to a registered application; it is the same for all stores of a deployment",
            )
        })?;
        Ok(Self { store, partner })
    }

    /// Adds the tokens to a request.
    #[must_use]
    pub fn sign(&self, request: Request) -> Request {
        request.query("token", &self.store).query("partner_token", &self.partner)
    }
}

// Tokens never reach a log.
impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn tokens(secrets: &[(&str, &str)]) -> Result<Tokens, Failure> {
        Tokens::of(&connection("mijnwebwinkel", json!({}), secrets))
    }

    #[test]
    fn both_are_needed_and_neither_shows() {
        let missing = tokens(&[("token", "store-token")]).unwrap_err();
        assert!(missing.to_string().contains("partner token is missing"), "{missing}");
        assert!(tokens(&[("token", " "), ("partner_token", "p")]).is_err());
        let good = tokens(&[("token", "store-token"), ("partner_token", "partner-1")]).unwrap();
        let request = good.sign(Request::get("v1/store"));
        let shown = format!("{good:?} {request:?}");
        assert!(!shown.contains("store-token") && !shown.contains("partner-1"), "{shown}");
        assert_eq!(request.query.len(), 2);
    }
}
