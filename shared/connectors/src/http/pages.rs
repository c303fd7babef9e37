//! Page tokens: what a connector needs to continue a list, as opaque text that travels in a message.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use koppel_core::{Cause, Failure};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Packs and unpacks page tokens.
pub struct PageToken;

impl PageToken {
    /// Packs `state`.
    pub fn pack<T: Serialize>(state: &T) -> Result<String, Failure> {
        let text = serde_json::to_vec(state).map_err(|error| bad(&error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// Unpacks what [`PageToken::pack`] made.
    pub fn unpack<T: DeserializeOwned>(token: &str) -> Result<T, Failure> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| bad(&error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))
    }
}

fn bad(why: &str) -> Failure {
    Failure::reject(
        Cause::new("bad_page_token", format!("the page token cannot be read: {why}"))
            .advice("start the run again; it continues from its cursor"),
    )
}
