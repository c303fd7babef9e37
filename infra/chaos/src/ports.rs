//! The ports of an engine with gates before them. They lie only about what could happen on a real engine: an answer that
//! is lost after the effect looks like a failure, never like a competing writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::RetryReason;
use koppel_core::event::Event;
use koppel_core::message::Step;
use koppel_core::ports::{Bus, Condition, Item, Key, Queue, QueueMessage, Store, StoreError, Vault};
use koppel_core::{Cause, Failure};

use crate::gate::{Chaos, Effect, Fate};

/// A failure that was injected.
pub fn injected(fate: Fate, what: &str) -> Failure {
    let reason = if fate == Fate::Throttled { RetryReason::Throttled } else { RetryReason::Unavailable };
    Failure::retry(reason, None, Cause::new("injected", format!("{what}: {fate:?}")))
}

/// A store with gates.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    chaos: Arc<Chaos>,
    /// Looks at a token in a row: somebody waits for another host to renew it.
    looks: AtomicU32,
}

impl FaultyStore {
    /// Gates before `inner`.
    pub fn new(inner: Arc<dyn Store>, chaos: Arc<Chaos>) -> Self {
        Self { inner, chaos, looks: AtomicU32::new(0) }
    }

    async fn reading(&self) -> Result<Fate, StoreError> {
        let fate = self.chaos.before(Effect::Read).await;
        refused(fate).map_or(Ok(fate), Err)
    }
}

fn refused(fate: Fate) -> Option<StoreError> {
    match fate {
        Fate::Throttled => Some(StoreError::Throttled("injected".into())),
        Fate::Unavailable => Some(StoreError::Unavailable("injected".into())),
        Fate::Conflict => Some(StoreError::ConditionFailed),
        _ => None,
    }
}

fn answered<T>(fate: Fate, result: Result<T, StoreError>) -> Result<T, StoreError> {
    match fate {
        Fate::AnswerLost => Err(StoreError::Unavailable("injected: the answer was lost".into())),
        _ => result,
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        if !key.partition.ends_with("#token") {
            self.looks.store(0, Ordering::Relaxed);
        } else if self.looks.fetch_add(1, Ordering::Relaxed) > 2 {
            // Who polls lets time pass, or the lease of a dead host would never end.
            self.chaos.clock.advance(TimeDelta::seconds(6));
        }
        self.reading().await?;
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.reading().await?;
        self.inner.batch_get(keys).await
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let fate = self.chaos.before(Effect::Write { conditional: condition != Condition::Always }).await;
        if let Some(error) = refused(fate) {
            return Err(error);
        }
        let result = self.inner.put(key, value, condition, expires_at).await;
        self.chaos.after(fate).await;
        answered(fate, result)
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        let fate = self.chaos.before(Effect::Write { conditional: condition != Condition::Always }).await;
        if let Some(error) = refused(fate) {
            return Err(error);
        }
        let result = self.inner.delete(key, condition).await;
        self.chaos.after(fate).await;
        answered(fate, result)
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.reading().await?;
        self.inner.query(partition, prefix, after, limit).await
    }
}

/// A vault with gates.
pub struct FaultyVault {
    inner: Arc<dyn Vault>,
    chaos: Arc<Chaos>,
}

impl FaultyVault {
    /// Gates before `inner`.
    pub fn new(inner: Arc<dyn Vault>, chaos: Arc<Chaos>) -> Self {
        Self { inner, chaos }
    }

    async fn gate(&self) -> Result<(), Failure> {
        match self.chaos.before(Effect::Vault).await {
            fate @ (Fate::Throttled | Fate::Unavailable) => Err(injected(fate, "the vault")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Vault for FaultyVault {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        self.gate().await?;
        self.inner.seal(context, plain).await
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        self.gate().await?;
        self.inner.open(context, sealed).await
    }
}

/// A queue with gates: batches that are sent in part, and messages that arrive again when de-duplication has forgotten
/// them.
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    chaos: Arc<Chaos>,
    copies: AtomicU64,
}

impl FaultyQueue {
    /// Gates before `inner`.
    pub fn new(inner: Arc<dyn Queue>, chaos: Arc<Chaos>) -> Self {
        Self { inner, chaos, copies: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        let fate = self.chaos.before(Effect::Send).await;
        let whole = || self.inner.send(step, messages);
        match fate {
            Fate::Throttled | Fate::Unavailable => return Err(injected(fate, "the queue")),
            Fate::Part => {
                self.inner.send(step, &messages[..messages.len() / 2]).await?;
                return Err(injected(fate, "the queue"));
            }
            Fate::Twice => {
                let number = self.copies.fetch_add(1, Ordering::Relaxed);
                let at = self.chaos.clock.now().timestamp_micros();
                let copies: Vec<QueueMessage> = messages
                    .iter()
                    .map(|message| QueueMessage {
                        dedup_id: format!("{}~{at}~{number}", message.dedup_id),
                        ..message.clone()
                    })
                    .collect();
                whole().await?;
                self.inner.send(step, &copies).await?;
            }
            _ => whole().await?,
        }
        self.chaos.after(fate).await;
        if fate == Fate::AnswerLost { Err(injected(fate, "the queue")) } else { Ok(()) }
    }
}

/// A bus with gates.
pub struct FaultyBus {
    inner: Arc<dyn Bus>,
    chaos: Arc<Chaos>,
}

impl FaultyBus {
    /// Gates before `inner`.
    pub fn new(inner: Arc<dyn Bus>, chaos: Arc<Chaos>) -> Self {
        Self { inner, chaos }
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn publish(&self, event: &Event) -> Result<(), Failure> {
        let fate = self.chaos.before(Effect::Publish).await;
        if fate == Fate::Unavailable {
            return Err(injected(fate, "the bus"));
        }
        self.inner.publish(event).await?;
        self.chaos.after(fate).await;
        Ok(())
    }
}
