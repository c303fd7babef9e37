//! The contract finds engines that do not keep it: each fault here breaks the rule it is about.

// A helper of a test may end the test.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::message::Step;
use koppel_core::ports::{Condition, Item, Key, Queue, QueueMessage, Store, StoreError, Vault};
use koppel_hosting::contract::{self, ManualClock};
use koppel_hosting::embedded::{EmbeddedQueue, IN_MEMORY, QueueSettings};
use koppel_hosting::{DeadLetter, Depth, Receipt, Received, ReceivingQueue, Settled};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    NoCondition,
    Resurrects,
    ReversedBatch,
    ShortQuery,
    LooseDelete,
    CutValue,
}

struct FaultyStore {
    inner: Arc<dyn Store>,
    fault: Fault,
}

#[async_trait]
impl Store for FaultyStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut items = self.inner.batch_get(keys).await?;
        if self.fault == Fault::ReversedBatch {
            items.reverse();
        }
        Ok(items)
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        let condition = if self.fault == Fault::NoCondition { Condition::Always } else { condition };
        let expires_at = if self.fault == Fault::Resurrects { None } else { expires_at };
        let value = if self.fault == Fault::CutValue { &value[..value.len().min(100_000)] } else { value };
        self.inner.put(key, value, condition, expires_at).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        let condition = if self.fault == Fault::LooseDelete { Condition::Always } else { condition };
        self.inner.delete(key, condition).await
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let limit = if self.fault == Fault::ShortQuery { limit.min(5) } else { limit };
        self.inner.query(partition, prefix, after, limit).await
    }
}

#[tokio::test]
async fn a_faulty_store_is_found() {
    for (fault, rules) in [
        (
            Fault::NoCondition,
            &["absent_is_granted_once", "a_version_is_granted_once", "of_concurrent_creators_one_wins"][..],
        ),
        (Fault::Resurrects, &["an_expired_item_is_gone_for_readers", "an_expired_item_is_gone_for_conditions"]),
        (Fault::ReversedBatch, &["a_batch_keeps_the_order_of_its_keys"]),
        (Fault::ShortQuery, &["a_page_is_full_whatever_its_bytes"]),
        (Fault::LooseDelete, &["a_delete_keeps_its_condition"]),
        (Fault::CutValue, &["large_values_come_back_whole"]),
    ] {
        let clock = Arc::new(ManualClock::default());
        let inner = common::open(Path::new(IN_MEMORY), clock.clone(), QueueSettings::default()).engine.store;
        let store = Arc::new(FaultyStore { inner, fault });
        let brief = Duration::from_secs(60);
        let report =
            contract::store::all(&contract::store::Fixture { store, clock: clock.clone(), time: clock, brief }).await;
        for rule in rules {
            assert!(report.breaks(rule), "{fault:?} is not found by {rule}: {report}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum QueueFault {
    NoIdentity,
    OneGroup,
    NoGroups,
    LosesOnRetry,
    CountsEverything,
    ForgetsExtension,
    AnyReceipt,
}

struct FaultyQueue {
    inner: Arc<EmbeddedQueue>,
    fault: QueueFault,
    count: AtomicU32,
}

impl FaultyQueue {
    fn next(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed)
    }

    /// The receipt of the latest hand-out, whatever was shown.
    fn receipt(&self, receipt: &Receipt) -> Receipt {
        let token = match (self.fault, receipt.token.split_once('-')) {
            (QueueFault::AnyReceipt, Some((message, "1"))) => format!("{message}-2"),
            _ => receipt.token.clone(),
        };
        Receipt { step: receipt.step, token }
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        for message in messages {
            let mut message = message.clone();
            match self.fault {
                QueueFault::NoIdentity => message.dedup_id = self.next().to_string(),
                QueueFault::NoGroups => message.group = format!("{}\u{0}{}", message.group, self.next()),
                _ => {}
            }
            self.inner.send(step, &[message]).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ReceivingQueue for FaultyQueue {
    async fn receive(&self, step: Step, max: usize) -> Result<Vec<Received>, Failure> {
        let busy = self.inner.depth(step).await?.in_hand > 0;
        let max = if self.fault == QueueFault::OneGroup { usize::from(!busy) } else { max };
        let mut messages = self.inner.receive(step, max).await?;
        for message in &mut messages {
            if let Some((group, _)) = message.group.split_once('\u{0}') {
                message.group = group.to_owned();
            }
        }
        Ok(messages)
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        self.inner.ack(&self.receipt(receipt)).await
    }

    async fn extend(&self, receipt: &Receipt, longer: Duration) -> Result<Settled, Failure> {
        if self.fault == QueueFault::ForgetsExtension {
            return Ok(Settled::Done);
        }
        self.inner.extend(receipt, longer).await
    }

    async fn retry_after(&self, receipt: &Receipt, wait: Duration, counts: bool) -> Result<Settled, Failure> {
        match self.fault {
            QueueFault::LosesOnRetry => self.inner.ack(receipt).await,
            QueueFault::CountsEverything => self.inner.retry_after(receipt, wait, true).await,
            _ => self.inner.retry_after(receipt, wait, counts).await,
        }
    }

    fn visibility(&self) -> Duration {
        self.inner.visibility()
    }

    async fn depth(&self, step: Step) -> Result<Depth, Failure> {
        self.inner.depth(step).await
    }

    async fn dead_letters(&self, step: Step, max: usize) -> Result<Vec<DeadLetter>, Failure> {
        self.inner.dead_letters(step, max).await
    }

    async fn redrive(&self, step: Step) -> Result<u64, Failure> {
        self.inner.redrive(step).await
    }
}

async fn report(fault: QueueFault, rule: &str) -> contract::Report {
    let clock = Arc::new(ManualClock::default());
    let inner = common::open(
        Path::new(IN_MEMORY),
        clock.clone(),
        QueueSettings { max_attempts: 3, ..QueueSettings::default() },
    )
    .queue;
    let fixture = contract::queue::Fixture {
        queue: Arc::new(FaultyQueue { inner, fault, count: AtomicU32::new(0) }),
        time: clock,
        step: Step::Map,
        other_step: Step::Check,
        max_attempts: 3,
        tells_attempts: true,
        brief: Duration::from_secs(60),
    };
    let mut report = contract::Report::default();
    use contract::queue::*;
    match rule {
        "identity" => report.add("identity", the_same_message_twice_is_one(&fixture).await),
        "done" => report.add("done", a_done_message_is_not_accepted_again(&fixture).await),
        "parallel" => report.add("parallel", groups_run_in_parallel(&fixture).await),
        "one hand" => report.add("one hand", a_group_is_in_one_hand(&fixture).await),
        "retry" => report.add("retry", a_retry_waits_for_its_time(&fixture).await),
        "throttled" => report.add("throttled", a_throttled_message_is_never_buried(&fixture).await),
        "extended" => report.add("extended", an_extended_message_stays_in_hand(&fixture).await),
        "stale" => report.add("stale", a_stale_receipt_settles_nothing(&fixture).await),
        other => panic!("no rule {other}"),
    }
    report
}

#[tokio::test]
async fn a_faulty_queue_is_found() {
    for (fault, rule) in [
        (QueueFault::NoIdentity, "identity"),
        (QueueFault::NoIdentity, "done"),
        (QueueFault::OneGroup, "parallel"),
        (QueueFault::NoGroups, "one hand"),
        (QueueFault::LosesOnRetry, "retry"),
        (QueueFault::CountsEverything, "throttled"),
        (QueueFault::ForgetsExtension, "extended"),
        (QueueFault::AnyReceipt, "stale"),
    ] {
        let report = report(fault, rule).await;
        assert!(report.breaks(rule), "{fault:?} is not found");
    }
}

/// Keeps the text as it is.
struct OpenVault;

#[async_trait]
impl Vault for OpenVault {
    async fn seal(&self, _context: &str, plain: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(plain.to_vec())
    }

    async fn open(&self, _context: &str, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(sealed.to_vec())
    }
}

#[tokio::test]
async fn a_vault_that_is_open_is_found() {
    let fixture = contract::vault::Fixture { vault: Arc::new(OpenVault), reopened: Arc::new(OpenVault) };
    let report = contract::vault::all(&fixture).await;
    let broken: Vec<_> = report.broken.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(
        broken,
        [
            "a_sealed_text_does_not_show_the_text",
            "sealing_twice_differs",
            "another_context_is_refused",
            "any_change_is_refused",
            "what_was_not_sealed_is_refused",
        ]
    );
}
