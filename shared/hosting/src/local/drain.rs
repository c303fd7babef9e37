//! Running until there is nothing left to do, for commands that do one thing and end.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use koppel_core::Failure;
use koppel_core::message::Step;
use tokio::sync::watch;

use super::LocalHost;

/// A question that is asked again and again.
pub type Question = Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// When a drain ends.
#[derive(Clone, Default)]
pub struct Drain {
    /// Delayed messages that are due within this time are waited for; later ones are left in their queues.
    pub patience: Duration,
    /// Ends at the latest after this time.
    pub timeout: Option<Duration>,
    /// Ends as soon as the answer is yes.
    pub until: Option<Question>,
}

impl Drain {
    /// Ends when nothing can be done within `patience`.
    pub fn patient(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Ends at the latest after `timeout`.
    #[must_use]
    pub fn at_most(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Ends as soon as `question` is answered with yes.
    #[must_use]
    pub fn until(mut self, question: impl Fn() -> BoxFuture<'static, bool> + Send + Sync + 'static) -> Self {
        self.until = Some(Arc::new(question));
        self
    }
}

/// Why a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Nothing is left that could be done now.
    Idle {
        /// When the first of the delayed messages that were left is due.
        next_due: Option<DateTime<Utc>>,
    },
    /// The caller has what it waited for.
    Answered,
    /// The time was over.
    TimedOut,
    /// Asked to stop.
    Stopped,
}

impl LocalHost {
    /// Runs the steps (not the schedule) until nothing is left to do, then finishes what is in hand.
    ///
    /// Other processes may work on the same queues: what they have in hand is waited for.
    pub async fn drain(&self, drain: &Drain, stop: impl Future<Output = ()> + Send) -> Result<Drained, Failure> {
        let (ask, stopping) = watch::channel(false);
        let mut tasks = self.start(&stopping);
        let end = tokio::select! {
            end = self.watch(drain) => end,
            () = stop => Ok(Drained::Stopped),
        };
        ask.send_replace(true);
        while tasks.join_next().await.is_some() {}
        end
    }

    async fn watch(&self, drain: &Drain) -> Result<Drained, Failure> {
        let begun = Instant::now();
        // Short at first, so that a small run does not wait for its own end.
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(question) = &drain.until
                && question().await
            {
                return Ok(Drained::Answered);
            }
            if let Some(next_due) = self.idle(drain.patience).await? {
                return Ok(Drained::Idle { next_due });
            }
            if drain.timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
                return Ok(Drained::TimedOut);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.settings.poll);
        }
    }

    /// `Some` when nothing can be done within `patience`, with the moment when something can.
    ///
    /// Asked in the order of the chain: a step sends on before its message is acknowledged, so work that moves is seen
    /// in one queue or the next.
    async fn idle(&self, patience: Duration) -> Result<Option<Option<DateTime<Utc>>>, Failure> {
        let horizon = self.engine.clock.now() + TimeDelta::from_std(patience).unwrap_or(TimeDelta::days(365));
        let mut next_due: Option<DateTime<Utc>> = None;
        for step in Step::QUEUED {
            let depth = self.queue.depth(step).await?;
            if depth.waiting > 0 || depth.in_hand > 0 || depth.next_due.is_some_and(|due| due <= horizon) {
                return Ok(None);
            }
            next_due = [next_due, depth.next_due].into_iter().flatten().min();
        }
        Ok(Some(next_due))
    }
}
