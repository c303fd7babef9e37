//! Receiving from queues: the side of a queue that only an engine and its host see.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::message::Step;
use koppel_core::ports::Queue;

/// Proof of holding a message. A later hand-out of the same message makes it stale.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Queue.
    pub step: Step,
    /// What the engine knows the hand-out by.
    pub token: String,
}

/// A message in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// To settle it with.
    pub receipt: Receipt,
    /// FIFO group.
    pub group: String,
    /// JSON of a task.
    pub body: String,
    /// How often it was handed out, this time included.
    pub received: u32,
    /// How many of those were failed attempts.
    pub attempts: u32,
}

/// What became of a message that was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// As asked.
    Done,
    /// It has failed too often and lies with the dead letters now.
    Buried,
    /// Nothing: the message is gone or somebody else has it.
    Stale,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// FIFO group.
    pub group: String,
    /// JSON of a task.
    pub body: String,
    /// Failed attempts.
    pub attempts: u32,
    /// When it was given up, where the engine knows.
    pub died_at: Option<DateTime<Utc>>,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Can be handed out now, or follow on something that can or is.
    pub waiting: u64,
    /// Being handled.
    pub in_hand: u64,
    /// Wait for a later moment, or behind a message that does.
    pub delayed: u64,
    /// Dead letters.
    pub dead: u64,
    /// When the first delayed message can be handed out, where the engine knows.
    pub next_due: Option<DateTime<Utc>>,
}

/// A queue that a host receives from.
///
/// Per group one hand-out at a time, in order; groups in parallel. A message that is not settled within the visibility
/// time-out is handed out again, which counts as a failed attempt; too many of those and it becomes a dead letter.
#[async_trait]
pub trait ReceivingQueue: Queue {
    /// Takes at most `max` messages.
    async fn receive(&self, step: Step, max: usize) -> Result<Vec<Received>, Failure>;

    /// The message is done. Doing this twice is harmless.
    async fn ack(&self, receipt: &Receipt) -> Result<Settled, Failure>;

    /// Keeps the message in hand for `longer` from now.
    async fn extend(&self, receipt: &Receipt, longer: Duration) -> Result<Settled, Failure>;

    /// Gives the message back, to be handed out again after `wait`. `counts` says whether it was a failed attempt;
    /// an engine that cannot tell the difference counts every hand-out.
    async fn retry_after(&self, receipt: &Receipt, wait: Duration, counts: bool) -> Result<Settled, Failure>;

    /// Makes the message a dead letter at once. An engine that cannot does as after a failed attempt.
    async fn bury(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        self.retry_after(receipt, Duration::ZERO, true).await
    }

    /// How long a message stays in hand when nobody extends it.
    fn visibility(&self) -> Duration;

    /// How full the queue is.
    async fn depth(&self, step: Step) -> Result<Depth, Failure>;

    /// The oldest dead letters, at most `max`.
    async fn dead_letters(&self, step: Step, max: usize) -> Result<Vec<DeadLetter>, Failure>;

    /// Sends all dead letters again and says how many there were.
    async fn redrive(&self, step: Step) -> Result<u64, Failure>;

    /// Returns when there may be something to receive, at the latest after `at_most`.
    async fn wait(&self, _step: Step, at_most: Duration) {
        tokio::time::sleep(at_most).await;
    }
}
