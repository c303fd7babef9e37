//! Drives one run to its end: on this machine by doing the work, on a stack by watching it being done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::RetryReason;
use koppel_core::message::{Step, Task};
use koppel_core::{Cause, Failure};
use koppel_flows::Engine;
use koppel_flows::runs::{self, Run};
use koppel_flows::steps::end_run;
use koppel_hosting::local::{Chain, Drain, Drained, HostSettings, LocalHost, Steps, Waits, stop_signal};

use crate::error::{CliError, Exit};
use crate::output::{Progress, moment};
use crate::place::Place;

/// Waits of this length are sat out, whatever the reason.
const PATIENCE: Duration = Duration::from_secs(15);
/// Waits for a limit are sat out up to this length: they end by themselves.
const PATIENCE_WITH_LIMITS: TimeDelta = TimeDelta::minutes(15);
/// What an earlier command left waiting is waited for up to this length.
const PATIENCE_WITH_LEFTOVERS: TimeDelta = TimeDelta::minutes(2);
/// Longest wait after a failure: somebody watches, and may have repaired what was broken.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often a stack is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The steps of the chain, remembering the last failure that sent a message back.
#[derive(Clone, Default)]
struct Watched {
    last: Arc<Mutex<Option<Failure>>>,
}

impl Watched {
    fn last(&self) -> Option<Failure> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Steps for Watched {
    async fn run_task(&self, engine: &Engine, task: Task) -> Result<(), Failure> {
        let result = Chain.run_task(engine, task).await;
        if let Err(failure) = &result {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure.clone());
        }
        result
    }

    async fn schedule(&self, engine: &Engine) -> Result<(), Failure> {
        Chain.schedule(engine).await
    }
}

/// Brings a run to its end and returns it.
pub async fn to_the_end(place: &Place, flow: &str, run: &str, progress: &Progress) -> Result<Run, CliError> {
    let result = match &place.embedded {
        Some(_) => work(place, flow, run, progress).await,
        None => watch(place, flow, run, progress).await,
    };
    progress.end();
    result
}

async fn work(place: &Place, flow: &str, run: &str, progress: &Progress) -> Result<Run, CliError> {
    let watched = Watched::default();
    let settings =
        HostSettings { waits: Waits { longest: LONGEST_WAIT, ..Waits::default() }, ..HostSettings::default() };
    let host =
        LocalHost::new(place.engine.clone(), place.queue.clone()).with(settings).running(Arc::new(watched.clone()));
    let asked = Asked::new(place, flow, run, progress);
    let mut patience = PATIENCE;
    loop {
        let question = asked.clone();
        let drain = Drain::patient(patience).until(move || {
            let question = question.clone();
            Box::pin(async move { question.ended().await })
        });
        let end = host.drain(&drain, stop_signal()).await?;
        // The last message may have ended between the question and the look at the queues.
        if asked.ended().await {
            return asked.answer();
        }
        match end {
            Drained::Stopped => return Err(stopped(flow)),
            Drained::Idle { next_due } => match (next_due, longest_wait(watched.last().as_ref())) {
                (Some(due), Some(limit)) if due - place.engine.clock.now() <= limit => {
                    progress.say(&format!("waits until {}", moment(due)));
                    patience = (due - place.engine.clock.now()).to_std().unwrap_or_default() + PATIENCE;
                }
                _ => return Err(left_open(place, flow, watched.last(), next_due).await?),
            },
            Drained::Answered | Drained::TimedOut => {}
        }
    }
}

async fn watch(place: &Place, flow: &str, run: &str, progress: &Progress) -> Result<Run, CliError> {
    let asked = Asked::new(place, flow, run, progress);
    loop {
        if asked.ended().await {
            return asked.answer();
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop_signal() => return Err(stopped(flow)),
        }
    }
}

/// Asks whether a run has ended.
#[derive(Clone)]
struct Asked {
    engine: Engine,
    tenant: koppel_core::Tenant,
    flow: String,
    run: String,
    progress: Progress,
    answer: Arc<Mutex<Option<Result<Run, Failure>>>>,
}

impl Asked {
    fn new(place: &Place, flow: &str, run: &str, progress: &Progress) -> Self {
        Self {
            engine: place.engine.clone(),
            tenant: place.tenant.clone(),
            flow: flow.to_owned(),
            run: run.to_owned(),
            progress: progress.clone(),
            answer: Arc::default(),
        }
    }

    async fn ended(&self) -> bool {
        let answer = match self.look().await {
            Ok(None) => return false,
            Ok(Some(run)) => Ok(run),
            // Another process ends the run at this very moment.
            Err(Failure::Retry { reason: RetryReason::Busy, .. }) => return false,
            Err(failure) => Err(failure),
        };
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        true
    }

    async fn look(&self) -> Result<Option<Run>, Failure> {
        let Self { engine, tenant, flow, run, .. } = self;
        self.progress.show(&runs::funnel(engine, tenant, flow, run).await?);
        end_run(engine, tenant, flow).await?;
        let Some(run) = runs::load(engine, tenant, flow, run).await? else {
            let cause = Cause::new("run_gone", format!("nothing is known of the run {run}")).in_flow(flow);
            return Err(Failure::reject(cause));
        };
        Ok(Some(run).filter(|run| run.finished_at.is_some()))
    }

    fn answer(&self) -> Result<Run, CliError> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        match answer {
            Some(Ok(run)) => Ok(run),
            Some(Err(failure)) => Err(failure.into()),
            None => Err(stopped(&self.flow)),
        }
    }
}

/// How long the first delayed message is waited for; `None` for no longer than the usual patience.
fn longest_wait(failure: Option<&Failure>) -> Option<TimeDelta> {
    match failure {
        Some(Failure::Retry { reason: RetryReason::Throttled | RetryReason::Busy, .. }) => Some(PATIENCE_WITH_LIMITS),
        // Nothing was tried yet: what waits was left by an earlier command.
        None => Some(PATIENCE_WITH_LEFTOVERS),
        Some(_) => None,
    }
}

fn stopped(flow: &str) -> CliError {
    let cause = Cause::new("stopped", "stopped before the run had ended; nothing is lost, the run stays open")
        .advice(format!("go on with koppel run {flow} or koppel dev"));
    CliError::new(Exit::Failed, cause.in_flow(flow))
}

fn gave_up(flow: &str, failure: Option<Failure>, due: Option<DateTime<Utc>>) -> CliError {
    let when = due.map(|due| format!(" after {}", moment(due))).unwrap_or_default();
    let advice = format!("the run stays open: go on with koppel run {flow}{when}, or leave it to koppel dev");
    match failure {
        Some(failure) => CliError::from(failure.map_cause(|cause| {
            let both = cause.advice.as_ref().map_or_else(|| advice.clone(), |known| format!("{known}; {advice}"));
            cause.in_flow(flow).advice(both)
        })),
        None => {
            let cause = Cause::new("run_open", "the run waits and cannot go on now").in_flow(flow);
            CliError::new(Exit::Unreachable, cause.advice(advice))
        }
    }
}

/// Nothing can be done now, and the run has not ended: a message waits, or it lies with the dead letters.
async fn left_open(
    place: &Place,
    flow: &str,
    failure: Option<Failure>,
    due: Option<DateTime<Utc>>,
) -> Result<CliError, CliError> {
    if due.is_none() {
        for step in Step::QUEUED {
            let dead = place.queue.depth(step).await?.dead;
            if dead > 0 {
                let what = format!("the run cannot end: {dead} of its messages failed too often in the step {step}");
                let cause = Cause::new("dead_letters", what).in_flow(flow);
                let advice = "look with koppel dead-letters list, and send them again with koppel dead-letters redrive";
                return Ok(CliError::new(Exit::Failed, cause.advice(advice)));
            }
        }
    }
    Ok(gave_up(flow, failure, due))
}
