//! The queue port on SQLite: durable FIFO queues with groups, de-duplication, visibility time-outs and dead letters.
//!
//! Only the oldest message of a group can be handed out, so a group is in order and never in two hands. Bodies are
//! sealed: they carry records on their way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use koppel_core::message::Step;
use koppel_core::ports::{Clock, Queue, QueueMessage};
use koppel_core::{Cause, Failure};
use rusqlite::{Connection, params};
use tokio::sync::Notify;

use super::database::Database;
use super::sql_queue::{self as sql, HandOut};
use super::sweep::Sweeper;
use super::vault::EmbeddedVault;
use super::{from_micros, micros};
use crate::queue::{DeadLetter, Depth, Receipt, Received, ReceivingQueue, Settled};

/// The same de-duplication id within this time is the same message.
pub const DEDUP_WINDOW: TimeDelta = TimeDelta::minutes(5);

/// How the queues behave.
#[derive(Clone, Copy, Debug)]
pub struct QueueSettings {
    /// How long a message stays in hand when nobody extends it. Short, because after a crash nobody gets the message
    /// earlier; a host extends it for as long as a step runs.
    pub visibility: Duration,
    /// Failed attempts after which a message becomes a dead letter.
    pub max_attempts: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { visibility: Duration::from_secs(30), max_attempts: 5 }
    }
}

/// Queues in the `message` table.
pub struct EmbeddedQueue {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    vault: Arc<EmbeddedVault>,
    sweeper: Arc<Sweeper>,
    settings: QueueSettings,
    wake: [Notify; Step::QUEUED.len()],
}

impl EmbeddedQueue {
    /// Queues in `database`.
    pub fn new(
        database: Arc<Database>,
        clock: Arc<dyn Clock>,
        vault: Arc<EmbeddedVault>,
        sweeper: Arc<Sweeper>,
        settings: QueueSettings,
    ) -> Self {
        Self { database, clock, vault, sweeper, settings, wake: Default::default() }
    }

    fn wake(&self, step: Step) {
        if let Some(notify) = self.notify(step) {
            notify.notify_one();
        }
    }

    fn notify(&self, step: Step) -> Option<&Notify> {
        Step::QUEUED.iter().position(|queued| *queued == step).and_then(|index| self.wake.get(index))
    }

    fn opened(&self, step: Step, body: &[u8]) -> Result<String, Failure> {
        String::from_utf8(self.vault.open_now(&context(step), body)?)
            .map_err(|_| Failure::reject(Cause::new("message_not_text", "a message in the queue is not text")))
    }

    /// Settles with a receipt and wakes whoever waits for the next message of the group.
    async fn settle(
        &self,
        receipt: &Receipt,
        work: impl FnOnce(&Connection, HandOut) -> rusqlite::Result<Settled> + Send + 'static,
    ) -> Result<Settled, Failure> {
        let Some(hand_out) = HandOut::parse(&receipt.token) else { return Ok(Settled::Stale) };
        let settled = self.database.write(move |connection| work(connection, hand_out)).await?;
        self.wake(receipt.step);
        Ok(settled)
    }
}

fn context(step: Step) -> String {
    format!("queue#{step}")
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::days(365))
}

#[async_trait]
impl Queue for EmbeddedQueue {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        if self.notify(step).is_none() {
            return Err(Failure::reject(Cause::new("step_without_queue", format!("the step {step} has no queue"))));
        }
        self.sweeper.when_due();
        let mut sealed = Vec::with_capacity(messages.len());
        for message in messages {
            let body = self.vault.seal_now(&context(step), message.body.as_bytes())?;
            sealed.push((message.group.clone(), message.dedup_id.clone(), body));
        }
        let clock = self.clock.clone();
        let work = move |connection: &Connection| {
            let now = clock.now();
            for (group, dedup_id, body) in &sealed {
                if sql::is_new(connection, step, dedup_id, micros(now), micros(now - DEDUP_WINDOW))? {
                    sql::insert(connection, step, group, dedup_id, body, micros(now))?;
                }
            }
            Ok(())
        };
        self.database.write(work).await?;
        self.wake(step);
        Ok(())
    }
}

#[async_trait]
impl ReceivingQueue for EmbeddedQueue {
    async fn receive(&self, step: Step, max: usize) -> Result<Vec<Received>, Failure> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        // Looking is cheap, taking is a write: an idle queue is only looked at.
        let clock = self.clock.clone();
        let looked = self.database.read(move |connection| sql::heads(connection, step, micros(clock.now()), 1)).await?;
        if looked.is_empty() || max == 0 {
            return Ok(Vec::new());
        }
        let (clock, settings) = (self.clock.clone(), self.settings);
        let work = move |connection: &Connection| {
            let now = clock.now();
            let until = micros(now + delta(settings.visibility));
            sql::take(connection, step, max, micros(now), until, settings.max_attempts)
        };
        let taken = self.database.write(work).await?;
        for seq in &taken.buried {
            tracing::error!(
                step = step.name(),
                message = seq,
                "a message was dropped too often and is a dead letter now"
            );
        }
        taken
            .messages
            .into_iter()
            .map(|message| {
                Ok(Received {
                    body: self.opened(step, &message.body)?,
                    receipt: Receipt { step, token: message.hand_out.token() },
                    group: message.group,
                    received: message.hand_out.received,
                    attempts: message.attempts,
                })
            })
            .collect()
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        self.settle(receipt, |connection, hand_out| {
            let deleted = connection
                .prepare_cached("DELETE FROM message WHERE seq = ?1 AND received = ?2 AND in_hand = 1")?
                .execute(params![hand_out.seq, hand_out.received])?;
            // A message that is gone was acknowledged before: nothing is left to do.
            let done = deleted == 1 || !sql::exists(connection, hand_out.seq)?;
            Ok(if done { Settled::Done } else { Settled::Stale })
        })
        .await
    }

    async fn extend(&self, receipt: &Receipt, longer: Duration) -> Result<Settled, Failure> {
        let Some(hand_out) = HandOut::parse(&receipt.token) else { return Ok(Settled::Stale) };
        let clock = self.clock.clone();
        let work = move |connection: &Connection| {
            let changed = connection
                .prepare_cached("UPDATE message SET visible_at = ?3 WHERE seq = ?1 AND received = ?2 AND in_hand = 1")?
                .execute(params![hand_out.seq, hand_out.received, micros(clock.now() + delta(longer))])?;
            Ok(if changed == 1 { Settled::Done } else { Settled::Stale })
        };
        Ok(self.database.write(work).await?)
    }

    async fn retry_after(&self, receipt: &Receipt, wait: Duration, counts: bool) -> Result<Settled, Failure> {
        let (clock, max_attempts) = (self.clock.clone(), self.settings.max_attempts);
        self.settle(receipt, move |connection, hand_out| {
            let now = clock.now();
            sql::give_back(connection, hand_out, micros(now), micros(now + delta(wait)), counts, max_attempts)
        })
        .await
    }

    async fn bury(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        let clock = self.clock.clone();
        self.settle(receipt, move |connection, hand_out| {
            let now = micros(clock.now());
            // As a last attempt.
            sql::give_back(connection, hand_out, now, now, true, 1)
        })
        .await
    }

    fn visibility(&self) -> Duration {
        self.settings.visibility
    }

    async fn depth(&self, step: Step) -> Result<Depth, Failure> {
        let clock = self.clock.clone();
        Ok(self.database.read(move |connection| sql::depth(connection, step, micros(clock.now()))).await?)
    }

    async fn dead_letters(&self, step: Step, max: usize) -> Result<Vec<DeadLetter>, Failure> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let letters = self.database.read(move |connection| sql::dead_letters(connection, step, max)).await?;
        letters
            .into_iter()
            .map(|letter| {
                Ok(DeadLetter {
                    body: self.opened(step, &letter.body)?,
                    group: letter.group,
                    attempts: letter.attempts,
                    died_at: from_micros(letter.died_at),
                })
            })
            .collect()
    }

    async fn redrive(&self, step: Step) -> Result<u64, Failure> {
        let clock = self.clock.clone();
        let count = self.database.write(move |connection| sql::redrive(connection, step, micros(clock.now()))).await?;
        self.wake(step);
        Ok(count)
    }

    async fn wait(&self, step: Step, at_most: Duration) {
        let Some(notify) = self.notify(step) else { return tokio::time::sleep(at_most).await };
        // Senders in other processes cannot wake anybody here; the time-out finds their messages.
        let _ = tokio::time::timeout(at_most, notify.notified()).await;
    }
}
