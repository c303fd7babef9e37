//! Personal keys: stored only as keyed hashes, so that the store alone tells nobody who bought.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use koppel_core::error::Failure;
use koppel_core::keys::Tenant;
use koppel_core::ports::{Condition, Key, StoreError};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::Engine;

/// Makes keyed hashes for one tenant.
#[derive(Clone)]
pub struct KeyedHash(hmac::Key);

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHash")
    }
}

impl KeyedHash {
    /// Opens the tenant's key; makes and seals one on first use.
    pub async fn open(engine: &Engine, tenant: &Tenant) -> Result<Self, Failure> {
        let store_key = Key::new(tenant, &["secret-hash-key"], "1");
        let context = format!("hash-key#{tenant}");
        for _ in 0..2 {
            if let Some(item) = engine.store.get(&store_key).await? {
                let sealed = STANDARD.decode(item.value.trim_matches('"')).unwrap_or_default();
                let opened = engine.vault.open(&context, &sealed).await?;
                return Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &opened)));
            }
            let mut fresh = [0_u8; 32];
            SystemRandom::new().fill(&mut fresh).map_err(|_| {
                Failure::retry(
                    koppel_core::error::RetryReason::Unavailable,
                    None,
                    koppel_core::Cause::new("no_randomness", "the machine gave no random bytes"),
                )
            })?;
            let sealed = STANDARD.encode(engine.vault.seal(&context, &fresh).await?);
            match engine.store.put(&store_key, &format!("\"{sealed}\""), Condition::Absent, None).await {
                // Read back what is stored: another process may have been first.
                Ok(_) | Err(StoreError::ConditionFailed) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(StoreError::Unavailable("the hash key could not be stored".into()).into())
    }

    /// The keyed hash of a personal key, for one purpose.
    pub fn of(&self, purpose: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(context.sign())
    }
}

/// A cause without anybody's address: causes are kept and told in the clear, and systems quote what they were sent.
pub fn without_addresses(cause: koppel_core::Cause) -> koppel_core::Cause {
    koppel_core::Cause {
        message: masked_addresses(&cause.message),
        advice: cause.advice.as_deref().map(masked_addresses),
        ..cause
    }
}

/// A text without anybody’s address.
pub(crate) fn masked_addresses(text: &str) -> String {
    let ends_word = |c: char| c.is_whitespace() || "«»\"'(),;<>[]{}`".contains(c);
    let mut out = String::with_capacity(text.len());
    for part in text.split_inclusive(ends_word) {
        let word = part.trim_end_matches(ends_word);
        let is_address = !word.contains("://")
            && word.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
        out.push_str(if is_address { "(e-mail address)" } else { word });
        out.push_str(&part[word.len()..]);
    }
    out
}

/// SHA-256 of content, to recognise what has not changed.
pub fn content_hash(value: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, value.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_cause_is_masked_and_the_rest_stays() {
        for (text, kept) in [
            ("«jan@example.test» is taken", "«(e-mail address)» is taken"),
            ("no customer Jan.de.Vries+shop@example.test, 2 times", "no customer (e-mail address), 2 times"),
            ("look at https://jan@shop.test/x", "look at https://jan@shop.test/x"),
            ("item A@B, 5 @ 3.25 each", "item A@B, 5 @ 3.25 each"),
        ] {
            assert_eq!(masked_addresses(text), kept);
        }
    }
}
