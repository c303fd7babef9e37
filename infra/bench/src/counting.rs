//! Ports that count what they are asked for, in the units that AWS charges.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::event::Event;
use koppel_core::message::Step;
use koppel_core::ports::{Bus, Condition, Item, Key, Queue, QueueMessage, Store, StoreError, Vault};

/// Everything counted.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests to the store.
    pub store_calls: AtomicU64,
    /// Strongly consistent reads of 4 KiB.
    pub read_units: AtomicU64,
    /// Writes of 1 KiB.
    pub write_units: AtomicU64,
    /// Bytes written to the store.
    pub written_bytes: AtomicU64,
    /// Batches of messages sent.
    pub send_calls: AtomicU64,
    /// Messages sent; each is received and removed once.
    pub messages: AtomicU64,
    /// 64 KiB of messages sent: what a request to a queue is charged by.
    pub message_units: AtomicU64,
    /// Events published.
    pub events: AtomicU64,
    /// Sealings and openings.
    pub vault_calls: AtomicU64,
    /// Purposes that were sealed for: each has a data key of its own, which is then used again.
    pub purposes: Mutex<BTreeSet<String>>,
}

/// Reads a counter.
pub fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Counts {
    /// Everything back to zero.
    pub fn reset(&self) {
        for counter in [
            &self.store_calls,
            &self.read_units,
            &self.write_units,
            &self.written_bytes,
            &self.send_calls,
            &self.messages,
            &self.message_units,
            &self.events,
            &self.vault_calls,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// An absent item is charged as one unit too.
    fn read(&self, bytes: u64) {
        add(&self.read_units, bytes.div_ceil(4096).max(1));
    }
}

/// What an item weighs.
fn weight(key: &Key, value: &str) -> u64 {
    // Beside the texts: names of attributes, version and expiry.
    (key.partition.len() + key.sort.len() + value.len() + 40) as u64
}

fn item_weight(item: &Item) -> u64 {
    weight(&item.key, &item.value)
}

/// A store that counts.
pub struct CountedStore {
    inner: Arc<dyn Store>,
    counts: Arc<Counts>,
}

impl CountedStore {
    /// Counts what `inner` is asked.
    pub fn new(inner: Arc<dyn Store>, counts: Arc<Counts>) -> Self {
        Self { inner, counts }
    }
}

#[async_trait]
impl Store for CountedStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        add(&self.counts.store_calls, 1);
        let item = self.inner.get(key).await?;
        self.counts.read(item.as_ref().map_or(0, item_weight));
        Ok(item)
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        // A request takes a hundred keys at most.
        add(&self.counts.store_calls, (keys.len() as u64).div_ceil(100));
        let items = self.inner.batch_get(keys).await?;
        items.iter().for_each(|item| self.counts.read(item.as_ref().map_or(0, item_weight)));
        Ok(items)
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let bytes = weight(key, value);
        add(&self.counts.store_calls, 1);
        add(&self.counts.write_units, bytes.div_ceil(1024));
        add(&self.counts.written_bytes, bytes);
        self.inner.put(key, value, condition, expires_at).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        add(&self.counts.store_calls, 1);
        add(&self.counts.write_units, 1);
        self.inner.delete(key, condition).await
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        add(&self.counts.store_calls, 1);
        let items = self.inner.query(partition, prefix, after, limit).await?;
        self.counts.read(items.iter().map(item_weight).sum());
        Ok(items)
    }
}

/// A queue that counts.
pub struct CountedQueue {
    inner: Arc<dyn Queue>,
    counts: Arc<Counts>,
}

impl CountedQueue {
    /// Counts what `inner` is asked.
    pub fn new(inner: Arc<dyn Queue>, counts: Arc<Counts>) -> Self {
        Self { inner, counts }
    }
}

#[async_trait]
impl Queue for CountedQueue {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        add(&self.counts.send_calls, 1);
        add(&self.counts.messages, messages.len() as u64);
        let units = messages.iter().map(|message| (message.body.len() as u64).div_ceil(64 * 1024).max(1)).sum();
        add(&self.counts.message_units, units);
        self.inner.send(step, messages).await
    }
}

/// A bus that counts.
pub struct CountedBus {
    inner: Arc<dyn Bus>,
    counts: Arc<Counts>,
}

impl CountedBus {
    /// Counts what `inner` is asked.
    pub fn new(inner: Arc<dyn Bus>, counts: Arc<Counts>) -> Self {
        Self { inner, counts }
    }
}

#[async_trait]
impl Bus for CountedBus {
    async fn publish(&self, event: &Event) -> Result<(), Failure> {
        add(&self.counts.events, 1);
        self.inner.publish(event).await
    }
}

/// A vault that counts.
pub struct CountedVault {
    inner: Arc<dyn Vault>,
    counts: Arc<Counts>,
}

impl CountedVault {
    /// Counts what `inner` is asked.
    pub fn new(inner: Arc<dyn Vault>, counts: Arc<Counts>) -> Self {
        Self { inner, counts }
    }
}

#[async_trait]
impl Vault for CountedVault {
    async fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        add(&self.counts.vault_calls, 1);
        if let Ok(mut purposes) = self.counts.purposes.lock() {
            purposes.insert(context.split('#').take(2).collect::<Vec<_>>().join("#"));
        }
        self.inner.seal(context, plain).await
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        add(&self.counts.vault_calls, 1);
        self.inner.open(context, sealed).await
    }
}
