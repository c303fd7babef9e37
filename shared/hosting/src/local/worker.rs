//! Receiving for one step: hand out to workers, keep in hand, settle.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures::FutureExt;
use koppel_core::event::{Event, EventKind};
use koppel_core::message::{Step, Task};
use koppel_core::{Cause, Failure, Tenant};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tracing::Instrument;

use super::{LocalHost, stopped};
use crate::queue::{Receipt, Received, Settled};

/// A queue that cannot be received from is tried again after this time: often enough, and the log stays readable.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

impl LocalHost {
    /// Receives and handles until asked to stop, then finishes what is in hand.
    pub(super) async fn serve(self, step: Step, mut stopping: watch::Receiver<bool>) {
        let mut in_hand = JoinSet::new();
        while !*stopping.borrow() {
            while in_hand.try_join_next().is_some() {}
            let free = self.settings.workers.max(1).saturating_sub(in_hand.len());
            let mut idle = true;
            let mut pause = self.settings.poll;
            if free > 0 {
                match self.queue.receive(step, free).await {
                    Ok(messages) => {
                        idle = messages.is_empty();
                        for message in messages {
                            in_hand.spawn(self.clone().handle(step, message));
                        }
                    }
                    Err(failure) => {
                        pause = pause.max(AFTER_TROUBLE);
                        tracing::error!(
                            step = step.name(), class = failure.class(), code = failure.cause().code, cause = %failure,
                            "nothing can be received; tried again"
                        );
                    }
                }
            }
            if idle {
                tokio::select! {
                    () = self.queue.wait(step, pause), if free > 0 => {}
                    Some(_) = in_hand.join_next() => {}
                    () = stopped(&mut stopping) => {}
                }
            }
        }
        let finish = async { while in_hand.join_next().await.is_some() {} };
        if tokio::time::timeout(self.settings.grace, finish).await.is_err() {
            let left = in_hand.len();
            tracing::warn!(
                step = step.name(),
                left,
                "steps did not end in time; their messages come back by themselves"
            );
        }
    }

    async fn handle(self, step: Step, message: Received) {
        let task = match read(step, &message.body) {
            Ok(task) => task,
            Err(cause) => {
                // Trying again cannot help, and a dead letter can still be sent again after an upgrade.
                let settled = self.queue.bury(&message.receipt).await;
                let settled =
                    settled.inspect_err(|failure| tracing::error!(cause = %failure, "a message cannot be set aside"));
                tracing::error!(step = step.name(), code = cause.code, cause = %cause, ?settled, "a message is no task");
                // Whose it is cannot be read: it concerns whoever runs this.
                self.tell_dead_letter(step, Tenant::default()).await;
                return;
            }
        };
        let header = task.header();
        let span = tracing::info_span!(
            "task", step = step.name(), tenant = %header.tenant, flow = header.flow, run = header.run, chunk = header.chunk
        );
        self.work(task, &message).instrument(span).await;
    }

    async fn work(&self, task: Task, message: &Received) {
        let (begun, step, tenant) = (Instant::now(), task.step(), task.header().tenant.clone());
        let keeping = self.keep(message.receipt.clone());
        let result = AssertUnwindSafe(self.steps.run_task(&self.engine, task)).catch_unwind().await;
        drop(keeping);
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let settled = match result {
            Ok(Ok(())) => {
                tracing::info!(duration_ms, "done");
                self.queue.ack(&message.receipt).await
            }
            Ok(Err(failure)) => {
                let (wait, counts) = self.settings.waits.after(&failure, message);
                // Other failures are about a record, and their text may quote it; the code says enough here.
                let cause = matches!(failure, Failure::Retry { .. }).then(|| failure.to_string());
                tracing::warn!(
                    duration_ms,
                    class = failure.class(),
                    code = failure.cause().code,
                    cause = cause.as_deref(),
                    counts,
                    attempts = message.attempts,
                    wait_ms = millis(wait),
                    "not done, tried again"
                );
                self.queue.retry_after(&message.receipt, wait, counts).await
            }
            Err(_) => {
                // The panic hook has said where; what it said does not belong in the log of the flow.
                let wait = self.settings.waits.failed(message);
                tracing::error!(
                    duration_ms,
                    code = "panic",
                    attempts = message.attempts,
                    wait_ms = millis(wait),
                    "the step stopped on a defect of the program"
                );
                self.queue.retry_after(&message.receipt, wait, true).await
            }
        };
        match settled {
            Ok(Settled::Done) => {}
            Ok(Settled::Buried) => {
                tracing::error!("failed too often: the message is a dead letter now");
                self.tell_dead_letter(step, tenant).await;
            }
            Ok(Settled::Stale) => tracing::warn!("the message was handed to another worker meanwhile"),
            // It comes back after its time-out; the ledger knows what was delivered.
            Err(failure) => tracing::error!(cause = %failure, "the message could not be settled"),
        }
    }

    /// Alerts tell it to the people.
    async fn tell_dead_letter(&self, step: Step, tenant: Tenant) {
        let kind = EventKind::DeadLetters { step, count: 1 };
        let event = Event { tenant, at: self.engine.clock.now(), kind };
        if let Err(failure) = self.engine.bus.publish(&event).await {
            tracing::error!(cause = %failure, "a dead letter is not told of");
        }
    }

    /// Keeps a message in hand until the guard is dropped. A task of its own: a step that computes for long without
    /// a pause must not lose its message.
    fn keep(&self, receipt: Receipt) -> Keeping {
        let queue = self.queue.clone();
        let visibility = queue.visibility();
        let keep = async move {
            loop {
                tokio::time::sleep(visibility / 3).await;
                match queue.extend(&receipt, visibility).await {
                    Ok(Settled::Stale) => return,
                    Ok(_) => {}
                    Err(failure) => {
                        tracing::warn!(cause = %failure, "a message could not be kept in hand; tried again")
                    }
                }
            }
        };
        Keeping(tokio::spawn(keep.in_current_span()).abort_handle())
    }
}

struct Keeping(AbortHandle);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn read(step: Step, body: &str) -> Result<Task, Cause> {
    // The text of the error could quote the record, its place cannot.
    let task: Task = serde_json::from_str(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Cause::new("unreadable_task", format!("the message is not a task of this version ({place})"))
            .advice("send it again after upgrading")
    })?;
    if task.step() == step {
        Ok(task)
    } else {
        Err(Cause::new("wrong_queue", format!("a task for the step {} lies in the queue of {step}", task.step())))
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
