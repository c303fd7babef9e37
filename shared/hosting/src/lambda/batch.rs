//! One batch of SQS messages through a step.
//!
//! The rules of a FIFO queue: messages of one group are handled in order, and after the first that is not finished the
//! rest of its group is given back untouched. Groups do not wait for each other. What is not finished either waits
//! (its visibility is changed) or, after [`TRIES`] failed tries, is set aside in the dead-letter queue by the handler
//! itself: the redrive policy of the queue counts receives and cannot tell a failure from a wait, so it is set high and
//! only the last resort.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use koppel_core::error::RetryReason;
use koppel_core::event::{Event, EventKind};
use koppel_core::message::{Header, Step, Task};
use koppel_core::ports::{Bus, Clock, Store};
use koppel_core::{Cause, Failure};

use super::attempts::{Attempts, TRIES, back_off};

/// No new message is begun with less than this left of the invocation,
const BEGIN_MARGIN: Duration = Duration::from_secs(10);
/// and none may still run with less than this left, so that there is time to settle it.
const END_MARGIN: Duration = Duration::from_secs(3);
/// SQS lets a message be invisible for 12 hours from its receipt.
const LONGEST_WAIT: Duration = Duration::from_secs(11 * 3600 + 1800);
/// When nobody said how long to wait: for a limit, and for a claim that somebody else holds.
const THROTTLED_WAIT: Duration = Duration::from_secs(30);
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// A message as it was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Id of the message.
    pub id: String,
    /// Names this receipt.
    pub receipt: String,
    /// FIFO group.
    pub group: String,
    /// JSON of a task.
    pub body: String,
    /// How often it was received, this time included.
    pub received: u64,
}

/// What can be done with a message that is not finished.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Hides messages for `delay` from now.
    async fn postpone(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), Failure>;

    /// Puts a copy into the dead-letter queue, with the cause.
    async fn bury(&self, delivery: &Delivery, cause: &Cause) -> Result<(), Failure>;
}

/// Handles batches of one step.
pub struct Batch<'a> {
    /// The step whose queue this is.
    pub step: Step,
    /// Where harmless receives are remembered.
    pub store: &'a dyn Store,
    /// Where it is told that a message was set aside.
    pub bus: &'a dyn Bus,
    /// Time.
    pub clock: &'a dyn Clock,
    /// What to do with a message that is not finished.
    pub settle: &'a dyn Settle,
}

/// How one message ended.
enum End {
    /// It can be removed.
    Done,
    /// It waits this long, and its group with it.
    Wait(Duration),
    /// It stays as it is: its waiting time could not be decided.
    Keep,
}

/// What to say when it was not the step that asked for another try.
fn defect(code: &str, message: &str) -> Failure {
    Failure::retry(RetryReason::OutcomeUnknown, None, Cause::new(code, message))
}

impl Batch<'_> {
    /// Runs every message through `run` and returns the ids of those that SQS must keep.
    pub async fn handle<F, Fut>(&self, deliveries: Vec<Delivery>, deadline: Instant, run: F) -> Vec<String>
    where
        F: Fn(Task) -> Fut,
        Fut: Future<Output = Result<(), Failure>>,
    {
        let mut groups: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for delivery in deliveries {
            groups.entry(delivery.group.clone()).or_default().push(delivery);
        }
        let run = &run;
        join_all(groups.into_values().map(|group| self.handle_group(group, deadline, run))).await.concat()
    }

    async fn handle_group<F, Fut>(&self, group: Vec<Delivery>, deadline: Instant, run: &F) -> Vec<String>
    where
        F: Fn(Task) -> Fut,
        Fut: Future<Output = Result<(), Failure>>,
    {
        for (n, delivery) in group.iter().enumerate() {
            let delay = match self.handle_one(delivery, deadline, run).await {
                End::Done => continue,
                End::Wait(delay) => Some(delay),
                End::Keep => None,
            };
            let kept = &group[n..];
            for behind in &kept[1..] {
                self.forgive(behind).await;
            }
            if let Some(delay) = delay
                && let Err(failure) = self.settle.postpone(kept, delay.min(LONGEST_WAIT)).await
            {
                tracing::warn!(cause = %failure, group = delivery.group, "messages wait for the queue's own time-out");
            }
            return kept.iter().map(|kept| kept.id.clone()).collect();
        }
        Vec::new()
    }

    async fn handle_one<F, Fut>(&self, delivery: &Delivery, deadline: Instant, run: &F) -> End
    where
        F: Fn(Task) -> Fut,
        Fut: Future<Output = Result<(), Failure>>,
    {
        let task = match self.read(delivery) {
            Ok(task) => task,
            // Trying again cannot help, and a dead letter can still be read and redriven after an upgrade.
            Err(cause) => return self.bury(delivery, &cause).await,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left < BEGIN_MARGIN {
            self.forgive(delivery).await;
            return End::Wait(Duration::ZERO);
        }
        let header = task.header().clone();
        let begun = Instant::now();
        let attempt = AssertUnwindSafe(tokio::time::timeout(left - END_MARGIN, run(task))).catch_unwind().await;
        // A step bounds the tries that it asks for itself, by parking; only defects are counted here.
        let (result, asked) = match attempt {
            Ok(Ok(result)) => {
                let asked = matches!(result, Err(Failure::Retry { .. }));
                (result, asked)
            }
            Ok(Err(_)) => {
                (Err(defect("out_of_time", "the step did not finish within the time of one invocation")), false)
            }
            // The panic hook has logged where; the other messages of the batch go on.
            Err(_) => (Err(defect("panic", "the step stopped on a defect of the program")), false),
        };
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(()) => {
                tracing::info!(
                    step = %self.step, flow = header.flow, run = header.run, chunk = header.chunk, duration_ms, "done"
                );
                End::Done
            }
            Err(failure) => self.decide(delivery, &header, failure, asked, duration_ms).await,
        }
    }

    fn read(&self, delivery: &Delivery) -> Result<Task, Cause> {
        let task: Task = serde_json::from_str(&delivery.body).map_err(|error| {
            Cause::new("unreadable_task", format!("the message is not a task of this version: {error}"))
                .advice("redrive it after upgrading, or remove it when no Koppel of this account sent it")
        })?;
        if task.step() != self.step {
            let text = format!("a task for the step {} arrived in the queue of {}", task.step(), self.step);
            return Err(Cause::new("wrong_queue", text));
        }
        Ok(task)
    }

    /// What happens next with a message whose step did not finish.
    async fn decide(
        &self,
        delivery: &Delivery,
        header: &Header,
        failure: Failure,
        harmless: bool,
        duration_ms: u64,
    ) -> End {
        let after = match &failure {
            Failure::Retry { after: Some(after), .. } => Some(*after),
            Failure::Retry { reason: RetryReason::Throttled, .. } => Some(THROTTLED_WAIT),
            Failure::Retry { reason: RetryReason::Busy, .. } => Some(BUSY_WAIT),
            // A step settles the other classes itself, record by record. One that gets here is a defect.
            _ => None,
        };
        let cause = failure.cause();
        tracing::warn!(
            step = %self.step, flow = header.flow, run = header.run, chunk = header.chunk, duration_ms,
            class = failure.class(), code = cause.code, received = delivery.received, harmless, cause = %cause,
            "not finished"
        );
        if harmless {
            self.forgive(delivery).await;
            return End::Wait(after.unwrap_or_else(|| back_off(delivery.received.min(TRIES))));
        }
        let attempts = Attempts { store: self.store, clock: self.clock, step: self.step };
        match attempts.failed(&header.tenant, &delivery.id, delivery.received).await {
            Ok(failed) if failed >= TRIES => self.bury(delivery, cause).await,
            Ok(failed) => End::Wait(after.unwrap_or_else(|| back_off(failed))),
            // With the store down every message fails; none is set aside for that.
            Err(error) => {
                tracing::warn!(cause = %error, "the tries of a message cannot be counted");
                End::Wait(after.unwrap_or_else(|| back_off(delivery.received.min(TRIES))))
            }
        }
    }

    async fn bury(&self, delivery: &Delivery, cause: &Cause) -> End {
        match self.settle.bury(delivery, cause).await {
            Ok(()) => {
                tracing::error!(
                    step = %self.step, message = delivery.id, group = delivery.group, code = cause.code, cause = %cause,
                    "set aside in the dead-letter queue"
                );
                self.tell(delivery).await;
                End::Done
            }
            Err(failure) => {
                tracing::error!(
                    step = %self.step, message = delivery.id, cause = %failure, "cannot be set aside, stays in the queue"
                );
                End::Keep
            }
        }
    }

    /// Alerts tell it to the people. Whose message it is may not be readable: then it concerns whoever runs this.
    async fn tell(&self, delivery: &Delivery) {
        let tenant = self.read(delivery).map(|task| task.header().tenant.clone()).unwrap_or_default();
        let kind = EventKind::DeadLetters { step: self.step, count: 1 };
        let event = Event { tenant, at: self.clock.now(), kind };
        if let Err(failure) = self.bus.publish(&event).await {
            tracing::error!(step = %self.step, cause = %failure, "a dead letter is not told of");
        }
    }

    /// Takes a receive off the count of failures. Without it the message would only be set aside too early.
    async fn forgive(&self, delivery: &Delivery) {
        let Ok(task) = self.read(delivery) else { return };
        let attempts = Attempts { store: self.store, clock: self.clock, step: self.step };
        if let Err(error) = attempts.forgive(&task.header().tenant, &delivery.id).await {
            tracing::warn!(cause = %error, message = delivery.id, "a harmless receive counts as a failed try");
        }
    }
}
