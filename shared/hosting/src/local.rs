//! The host of one machine: the schedule on a tick, and for each step workers that handle several groups at once.
//!
//! Rules of handling a message:
//!
//! * done → acknowledged;
//! * retry → given back, after the time the other side asked for or a growing one; waiting for a limit or for another
//!   worker is not a failed attempt;
//! * any other failure, a panic included → a failed attempt; too many of those and the queue makes it a dead letter;
//! * what is no task of this step → a dead letter at once;
//! * a message stays in hand for as long as its step runs, and comes back by itself when the process dies.

mod drain;
mod http;
mod waits;
mod worker;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use koppel_core::Failure;
use koppel_core::message::{Step, Task};
use koppel_flows::Engine;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub use drain::{Drain, Drained};
pub use http::serve_http;
pub use waits::Waits;

use crate::notify::Notifier;
use crate::queue::ReceivingQueue;

/// Time between two looks for alerts.
const ALERTS: Duration = Duration::from_secs(10);

/// What the host runs. [`Chain`] in earnest; tests bring their own.
#[async_trait]
pub trait Steps: Send + Sync {
    /// Runs the step that `task` is for.
    async fn run_task(&self, engine: &Engine, task: Task) -> Result<(), Failure>;

    /// Enqueues what is due.
    async fn schedule(&self, engine: &Engine) -> Result<(), Failure>;
}

/// The steps of the chain.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain;

#[async_trait]
impl Steps for Chain {
    async fn run_task(&self, engine: &Engine, task: Task) -> Result<(), Failure> {
        koppel_flows::steps::run_task(engine, task).await
    }

    async fn schedule(&self, engine: &Engine) -> Result<(), Failure> {
        koppel_flows::steps::schedule(engine).await
    }
}

/// How the host works.
#[derive(Clone, Debug)]
pub struct HostSettings {
    /// Groups that one step handles at the same time.
    pub workers: usize,
    /// Time between two looks at the schedule.
    pub tick: Duration,
    /// How often a queue is looked at for messages of other processes; its own wake it at once.
    pub poll: Duration,
    /// How long steps may go on after the host was asked to stop.
    pub grace: Duration,
    /// Waits before a message is handled again.
    pub waits: Waits,
}

impl Default for HostSettings {
    fn default() -> Self {
        Self {
            workers: 4,
            tick: Duration::from_secs(10),
            poll: Duration::from_millis(200),
            grace: Duration::from_secs(60),
            waits: Waits::default(),
        }
    }
}

/// Runs the chain in this process. Cheap to clone.
#[derive(Clone)]
pub struct LocalHost {
    engine: Engine,
    queue: Arc<dyn ReceivingQueue>,
    steps: Arc<dyn Steps>,
    settings: HostSettings,
    notifier: Option<Notifier>,
}

impl LocalHost {
    /// A host that runs the chain on `engine` and receives from `queue`, which must be the engine's own.
    pub fn new(engine: Engine, queue: Arc<dyn ReceivingQueue>) -> Self {
        Self { engine, queue, steps: Arc::new(Chain), settings: HostSettings::default(), notifier: None }
    }

    /// Other settings.
    #[must_use]
    pub fn with(mut self, settings: HostSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Other steps.
    #[must_use]
    pub fn running(mut self, steps: Arc<dyn Steps>) -> Self {
        self.steps = steps;
        self
    }

    /// Sends alerts while it runs.
    #[must_use]
    pub fn alerting(mut self, notifier: Notifier) -> Self {
        self.notifier = Some(notifier);
        self
    }

    /// What the steps work with.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Runs schedule and steps until `stop`, then finishes what is in hand.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let (ask, stopping) = watch::channel(false);
        let mut tasks = self.start(&stopping);
        tasks.spawn(self.clone().tick(stopping.clone()));
        if let Some(notifier) = self.notifier.clone() {
            tasks.spawn(alert(notifier, stopping));
        }
        stop.await;
        tracing::info!("stopping: what is in hand is finished first");
        ask.send_replace(true);
        while tasks.join_next().await.is_some() {}
    }

    /// One round of the schedule; failures and panics are logged, the next round tries again.
    pub async fn schedule(&self) {
        match AssertUnwindSafe(self.steps.schedule(&self.engine)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::error!(
                step = Step::Schedule.name(), class = failure.class(), code = failure.cause().code, cause = %failure,
                "the schedule could not be read"
            ),
            Err(_) => tracing::error!(step = Step::Schedule.name(), "the schedule stopped on a defect of the program"),
        }
    }

    /// One receiving loop for each step.
    fn start(&self, stopping: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for step in Step::QUEUED {
            tasks.spawn(self.clone().serve(step, stopping.clone()));
        }
        tasks
    }

    async fn tick(self, mut stopping: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(self.settings.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.schedule().await,
                () = stopped(&mut stopping) => return,
            }
        }
    }
}

/// Looks for alerts to send. Apart from the schedule: a slow mail server must not keep a flow from its time.
async fn alert(notifier: Notifier, mut stopping: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(ALERTS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                if AssertUnwindSafe(notifier.tick()).catch_unwind().await.is_err() {
                    tracing::error!("sending alerts stopped on a defect of the program; tried again");
                }
            }
            () = stopped(&mut stopping) => return,
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that nobody can ask any more: the same as being asked.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Returns when the process is asked to stop: Ctrl-C, or the signal service managers and containers send.
pub async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            tracing::warn!("Ctrl-C cannot be heard here; end the process to stop it");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
