//! Schedule: ends runs whose funnel adds up, probes connections that are down, and starts what is due: flows by their
//! schedule, waiting records by theirs.

use std::collections::BTreeSet;

use koppel_core::Failure;
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::outcome::Outcome;
use koppel_core::ports::store::partition;

use crate::Engine;
use crate::config::{StoredConfig, load_current};
use crate::connections;
use crate::hints;
use crate::number_back;
use crate::runs::{self, Run, Scope};
use crate::steps::{dead_man, low_budget};
use crate::waiting::{self, WaitReason};

/// Most waiting records that one run fetches again.
const WAITING_PER_RUN: usize = 100;

/// Runs the step for every tenant.
pub async fn schedule(engine: &Engine) -> Result<(), Failure> {
    for tenant in tenants(engine).await? {
        let Some(stored) = load_current(&*engine.store, &tenant).await? else { continue };
        crate::webhooks::check_due(engine, &tenant, &stored).await;
        let stopped = still_stopped(engine, &tenant, &stored).await?;
        for flow in stored.config.flows.keys() {
            // One flow that cannot go on must not keep the others from their time.
            if let Err(failure) = schedule_flow(engine, &tenant, &stored, flow, &stopped).await {
                tracing::warn!(flow, class = failure.class(), cause = %failure, "the flow was not scheduled");
            }
        }
        // After all flows have got their time: this asks the sources, which may be slow.
        for flow in stored.config.flows.keys() {
            if let Err(failure) = dead_man::check(engine, &tenant, &stored, flow, &stopped).await {
                tracing::info!(
                    flow,
                    class = failure.class(),
                    code = failure.cause().code,
                    "it is not known what is missing"
                );
            }
        }
        tell_numbers(engine, &tenant, &stored, &stopped).await;
        for name in stored.config.connections.keys() {
            if let Err(failure) = low_budget::check(engine, &tenant, &stored, name).await {
                tracing::info!(connection = name, class = failure.class(), "it is not known how many calls are left");
            }
        }
    }
    Ok(())
}

/// Numbers of documents go back to where their records came from.
async fn tell_numbers(engine: &Engine, tenant: &Tenant, stored: &StoredConfig, stopped: &BTreeSet<String>) {
    for (flow, config) in &stored.config.flows {
        if config.paused || stopped.contains(&config.from) {
            continue;
        }
        match number_back::tell(engine, tenant, &stored.config, flow).await {
            Ok(told) => {
                for (label, cause) in told.failed {
                    tracing::info!(flow, record = label, code = cause.code, "the number of the document was not noted");
                }
            }
            Err(failure) => {
                tracing::warn!(flow, class = failure.class(), cause = %failure, "no numbers of documents were noted");
            }
        }
    }
}

/// Connections that nothing is started for. Those that are down are probed when it is time.
async fn still_stopped(engine: &Engine, tenant: &Tenant, stored: &StoredConfig) -> Result<BTreeSet<String>, Failure> {
    let mut still = BTreeSet::new();
    for (name, stopped) in connections::all_stopped(engine, tenant).await? {
        let due = stopped.probe_at().is_some_and(|at| at <= engine.clock.now());
        let goes_on = due
            && connections::probe(engine, tenant, &stored.config, &name).await.unwrap_or_else(|failure| {
                tracing::warn!(connection = name, class = failure.class(), cause = %failure, "the probe failed");
                false
            });
        if !goes_on {
            still.insert(name);
        }
    }
    Ok(still)
}

async fn schedule_flow(
    engine: &Engine,
    tenant: &Tenant,
    stored: &StoredConfig,
    flow: &str,
    stopped: &BTreeSet<String>,
) -> Result<(), Failure> {
    end_run(engine, tenant, flow).await?;
    for run in hints::finish(engine, tenant, flow).await? {
        // One that could not be read is read by the next sweep, which tells what is wrong.
        if run.funnel.fetched > 0 || run.incomplete.is_none() {
            tell(engine, tenant, &run).await?;
        }
    }
    let Some(config) = stored.config.flows.get(flow) else { return Ok(()) };
    if config.paused || stopped.contains(&config.from) || stopped.contains(&config.to) {
        return Ok(());
    }
    let state = runs::state(engine, tenant, flow).await?;
    if state.open_run.is_some() {
        return Ok(());
    }
    let now = engine.clock.now();
    let due: Vec<RecordKey> = waiting::list(engine, tenant, flow)
        .await?
        .into_iter()
        .filter(|record| record.is_due(now, stored.version))
        .map(|record| record.key)
        .take(WAITING_PER_RUN)
        .collect();
    if !due.is_empty() {
        runs::start(engine, tenant, flow, Scope { since: None, ids: due }).await?;
        return Ok(());
    }
    let Some(schedule) = &config.schedule else { return Ok(()) };
    let is_due = match state.last_started {
        None => true,
        Some(last) => schedule.next_after(last).map_err(Failure::settings)? <= now,
    };
    if is_due {
        runs::start(engine, tenant, flow, Scope::default()).await?;
    }
    Ok(())
}

/// Ends the open run of a flow when its funnel adds up, and publishes how it ended.
///
/// Returns the run when this call ended it.
pub async fn end_run(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Option<Run>, Failure> {
    let ended = runs::finish(engine, tenant, flow).await?;
    if let Some(run) = &ended {
        tell(engine, tenant, run).await?;
    }
    Ok(ended)
}

/// Publishes how a run ended.
pub(crate) async fn tell(engine: &Engine, tenant: &Tenant, run: &Run) -> Result<(), Failure> {
    let at = engine.clock.now();
    let (flow, id) = (run.flow.clone(), run.id.clone());
    if let Some(cause) = &run.incomplete {
        tracing::error!(flow, run = id, funnel = %run.funnel, "the run did not end");
        let kind = match run.incomplete_class.as_deref() {
            Some("retry") => EventKind::RunInterrupted { flow: flow.clone(), run: id.clone(), cause: cause.clone() },
            _ => EventKind::FlowNeedsSettings { flow: flow.clone(), cause: cause.clone() },
        };
        engine.bus.publish(&Event { tenant: tenant.clone(), at, kind }).await?;
    }
    tracing::info!(flow, run = id, funnel = %run.funnel, "the run has ended");
    let (rejected, parked) = (run.funnel.count(Outcome::Rejected), run.funnel.count(Outcome::Parked));
    if rejected + parked > 0 {
        let list = waiting::list(engine, tenant, &flow).await?;
        let of = |reason| list.iter().filter(move |waiting| waiting.reason == reason);
        let causes = |reason| of(reason).take(5).map(|w| w.cause.clone().of_record(&w.label)).collect();
        let (flow, run) = (flow.clone(), id.clone());
        if rejected > 0 {
            let causes = causes(WaitReason::Rejected);
            let kind = EventKind::RecordsRejected { flow: flow.clone(), run: run.clone(), count: rejected, causes };
            engine.bus.publish(&Event { tenant: tenant.clone(), at, kind }).await?;
        }
        for reason in [WaitReason::Settings, WaitReason::Review] {
            let count = parked.min(of(reason).count() as u64);
            if count > 0 {
                let (flow, run) = (flow.clone(), run.clone());
                let kind = EventKind::RecordsWaiting { flow, run, count, causes: causes(reason) };
                engine.bus.publish(&Event { tenant: tenant.clone(), at, kind }).await?;
            }
        }
    }
    let kind = EventKind::RunFinished { flow, run: id, funnel: run.funnel.clone() };
    engine.bus.publish(&Event { tenant: tenant.clone(), at, kind }).await
}

/// Tenants that have a configuration.
pub async fn tenants(engine: &Engine) -> Result<Vec<Tenant>, Failure> {
    let root = partition(&Tenant("tenants".into()), &[]);
    Ok(crate::items::all(engine, &root, "").await?.into_iter().map(|item| Tenant(item.key.sort)).collect())
}
