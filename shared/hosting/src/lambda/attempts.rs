//! How many tries of a message have really failed.
//!
//! SQS counts receives, and a receive is not always a failed try: a throttled record, a held claim, a message behind
//! one that must wait, an invocation that ran out of time. Those are remembered in the store and taken off. What
//! remains are real failures, and also the tries that left no trace because the process died. So a message that kills
//! its function is set aside like any other, and a message that only waits is never set aside.

use std::time::Duration;

use koppel_core::keys::Tenant;
use koppel_core::message::Step;
use koppel_core::ports::{Clock, Condition, Key, Store, StoreError};

/// After this many failed tries a message is set aside.
pub const TRIES: u64 = 5;
/// SQS keeps a message at most this long.
const KEPT: chrono::Duration = chrono::Duration::days(14);

/// Harmless receives of messages, in the store.
pub struct Attempts<'a> {
    /// Where they are kept.
    pub store: &'a dyn Store,
    /// Time.
    pub clock: &'a dyn Clock,
    /// The step that handles the messages.
    pub step: Step,
}

impl Attempts<'_> {
    fn key(&self, tenant: &Tenant, message: &str) -> Key {
        Key::new(tenant, &["receives", self.step.name()], message)
    }

    /// Tries of `message` that failed, when this one, the `received`-th receive, failed too.
    pub async fn failed(&self, tenant: &Tenant, message: &str, received: u64) -> Result<u64, StoreError> {
        if received <= 1 {
            return Ok(1);
        }
        let item = self.store.get(&self.key(tenant, message)).await?;
        let harmless = item.and_then(|item| item.value.parse::<u64>().ok()).unwrap_or(0);
        Ok(received.saturating_sub(harmless).max(1))
    }

    /// Remembers that this receive of `message` was harmless.
    ///
    /// Reading and writing apart is safe: only one receiver holds a message at a time.
    pub async fn forgive(&self, tenant: &Tenant, message: &str) -> Result<(), StoreError> {
        let key = self.key(tenant, message);
        let item = self.store.get(&key).await?;
        let harmless = item.and_then(|item| item.value.parse::<u64>().ok()).unwrap_or(0);
        let ends = self.clock.now() + KEPT;
        self.store.put(&key, &(harmless + 1).to_string(), Condition::Always, Some(ends)).await?;
        Ok(())
    }
}

/// How long the next try waits after the `failed`-th failed one: 30 seconds, then four times as long each time.
pub fn back_off(failed: u64) -> Duration {
    let exponent = u32::try_from(failed.saturating_sub(1)).unwrap_or(u32::MAX).min(4);
    Duration::from_secs(30 * 4_u64.pow(exponent))
}
