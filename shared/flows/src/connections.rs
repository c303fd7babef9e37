//! Connections at run time: opened with their secrets, stopped while they need consent, and paused while they are down.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::Tenant;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Calls, Condition, Key, Priority, Source, Target};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::{Config, ConnectionConfig};
use crate::runs::{put, read_required};
use crate::waiting;

/// Minutes between the probes of a connection that is down; the last one repeats.
const PROBE_AFTER_MINUTES: [i64; 5] = [1, 2, 5, 10, 15];

/// Why a connection is stopped, and how it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub since: DateTime<Utc>,
    /// What happened.
    pub cause: Cause,
    /// How it goes on.
    #[serde(default)]
    pub kind: StopKind,
}

/// How a stopped connection goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopKind {
    /// By a person's consent.
    #[default]
    NeedsConsent,
    /// By itself, as soon as a probe is answered.
    Down {
        /// When it is asked next.
        probe_at: DateTime<Utc>,
        /// How often it was asked already.
        probes: usize,
    },
}

impl Stopped {
    /// When the connection is probed; `None` when it waits for a person.
    pub fn probe_at(&self) -> Option<DateTime<Utc>> {
        match self.kind {
            StopKind::NeedsConsent => None,
            StopKind::Down { probe_at, .. } => Some(probe_at),
        }
    }
}

/// Opens a connection of a configuration.
pub async fn open(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Connection, Failure> {
    let settings = config.connections.get(name).ok_or_else(|| {
        Failure::settings(Cause::new("unknown_connection", format!("the connection «{name}» is not configured")))
    })?;
    let secrets = crate::config::secrets_of(engine, tenant, name).await?;
    Ok(assemble(tenant, name, settings, secrets))
}

/// Puts a connection together from its parts.
pub fn assemble(
    tenant: &Tenant,
    name: &str,
    settings: &ConnectionConfig,
    secrets: std::collections::BTreeMap<String, String>,
) -> Connection {
    Connection {
        tenant: tenant.clone(),
        name: name.to_owned(),
        system: settings.system.clone(),
        options: settings.options.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        secrets,
    }
}

/// Opens a connection to read from.
pub async fn source(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Arc<dyn Source>, Failure> {
    let connection = open(engine, tenant, config, name).await?;
    engine.systems.source(&connection).map_err(|f| f.map_cause(|c| c.at_connection(name)))
}

/// Opens a connection to write to.
pub async fn target(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<Arc<dyn Target>, Failure> {
    let connection = open(engine, tenant, config, name).await?;
    engine.systems.target(&connection).map_err(|f| f.map_cause(|c| c.at_connection(name)))
}

/// Why a connection is stopped; `None` when it works.
pub async fn stopped(engine: &Engine, tenant: &Tenant, name: &str) -> Result<Option<Stopped>, Failure> {
    engine.store.get(&key(tenant, name)).await?.map(|item| read_required(&item.value)).transpose()
}

/// All stopped connections of a tenant.
pub async fn all_stopped(engine: &Engine, tenant: &Tenant) -> Result<BTreeMap<String, Stopped>, Failure> {
    let items = crate::items::all(engine, &partition(tenant, &["stopped"]), "").await?;
    items.into_iter().map(|item| Ok((item.key.sort, read_required(&item.value)?))).collect()
}

/// Reaches the system of a connection with its credentials: who answers.
pub async fn reach(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<String, Failure> {
    let calls = Calls::new(Priority::Orders);
    let system = config.connections.get(name).map(|connection| connection.system.as_str()).unwrap_or_default();
    let reads = engine.systems.facts(system).is_some_and(|facts| !facts.gets.is_empty());
    let who = if reads {
        source(engine, tenant, config, name).await?.test_connection(&calls).await
    } else {
        target(engine, tenant, config, name).await?.test_connection(&calls).await
    };
    who.map_err(|failure| failure.map_cause(|cause| cause.at_connection(name)))
}

/// Stops a connection that needs consent, and says so once. One that was only down waits for a person from now on.
pub async fn stop(engine: &Engine, tenant: &Tenant, name: &str, cause: &Cause) -> Result<(), Failure> {
    let key = key(tenant, name);
    let item = engine.store.get(&key).await?;
    let before: Option<Stopped> = item.as_ref().map(|item| read_required(&item.value)).transpose()?;
    if before.is_some_and(|before| before.kind == StopKind::NeedsConsent) {
        return Ok(());
    }
    let stopped = Stopped { since: engine.clock.now(), cause: cause.clone(), kind: StopKind::NeedsConsent };
    let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
    if mark(engine, &key, &stopped, condition).await? {
        tell(engine, tenant, EventKind::ConnectionNeedsConsent { connection: name.to_owned(), cause: cause.clone() })
            .await?;
    }
    Ok(())
}

/// Pauses a connection that has failed for long, unless it answers a probe now: then only one of its endpoints or one
/// record is in trouble, and the other records must not wait for it. Returns whether the connection is paused.
pub async fn pause_if_down(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    name: &str,
    failure: &Failure,
) -> Result<bool, Failure> {
    if stopped(engine, tenant, name).await?.is_some() {
        return Ok(true);
    }
    let asked = reach(engine, tenant, config, name).await;
    if !asked.as_ref().is_err_and(is_down) {
        return Ok(false);
    }
    // A system that says how long it is away is not asked before.
    let said = match failure {
        Failure::Retry { after: Some(after), .. } => TimeDelta::from_std(*after).unwrap_or_default(),
        _ => TimeDelta::zero(),
    };
    let now = engine.clock.now();
    let probe_at = now + probe_wait(0).max(said);
    let cause = failure.cause().clone();
    let paused = Stopped { since: now, cause: cause.clone(), kind: StopKind::Down { probe_at, probes: 0 } };
    if mark(engine, &key(tenant, name), &paused, Condition::Absent).await? {
        tracing::warn!(connection = name, code = cause.code, "the connection is down: its flows rest until it answers");
        tell(engine, tenant, EventKind::ConnectionPaused { connection: name.to_owned(), cause }).await?;
    }
    Ok(true)
}

/// Probes a paused connection when it is time; one that answers goes on. Returns whether it goes on.
///
/// The next probe is written down before this one is made, so that two hosts never ask at the same time.
pub async fn probe(engine: &Engine, tenant: &Tenant, config: &Config, name: &str) -> Result<bool, Failure> {
    let key = key(tenant, name);
    let Some(item) = engine.store.get(&key).await? else { return Ok(true) };
    let paused: Stopped = read_required(&item.value)?;
    let StopKind::Down { probe_at, probes } = paused.kind else { return Ok(false) };
    let now = engine.clock.now();
    if probe_at > now {
        return Ok(false);
    }
    let kind = StopKind::Down { probe_at: now + probe_wait(probes + 1), probes: probes + 1 };
    let next = Stopped { kind, ..paused };
    if !mark(engine, &key, &next, Condition::Version(item.version)).await? {
        return Ok(false);
    }
    if !config.connections.contains_key(name) {
        resume(engine, tenant, name).await?;
        return Ok(true);
    }
    match reach(engine, tenant, config, name).await {
        Err(Failure::Auth(cause)) => {
            stop(engine, tenant, name, &cause).await?;
            Ok(false)
        }
        Err(failure) if is_down(&failure) => Ok(false),
        // It answers. What it says (a limit, missing rights) its flows meet and settle by themselves.
        Ok(_) | Err(_) => {
            resume(engine, tenant, name).await?;
            Ok(true)
        }
    }
}

/// Nobody answers. A limit is an answer.
fn is_down(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { reason: RetryReason::Unavailable | RetryReason::OutcomeUnknown, .. })
}

fn probe_wait(probes: usize) -> TimeDelta {
    TimeDelta::minutes(PROBE_AFTER_MINUTES[probes.min(PROBE_AFTER_MINUTES.len() - 1)])
}

/// Lets a connection go on: after consent, or because it answers again. The records that waited for it are due at once.
pub async fn resume(engine: &Engine, tenant: &Tenant, name: &str) -> Result<(), Failure> {
    let key = key(tenant, name);
    let Some(item) = engine.store.get(&key).await? else { return Ok(()) };
    let stopped: Stopped = read_required(&item.value)?;
    if let Some(stored) = crate::config::load_current(&*engine.store, tenant).await? {
        // Before the mark is gone: a crash in between leaves a connection that is probed again.
        let flows = stored.config.flows.iter().filter(|(_, flow)| flow.from == name || flow.to == name);
        for (flow, _) in flows {
            waiting::release(engine, tenant, flow, name).await?;
        }
    }
    engine.store.delete(&key, Condition::Always).await?;
    tracing::info!(connection = name, "the connection goes on");
    let kind = EventKind::ConnectionResumed { connection: name.to_owned(), cause: stopped.cause };
    tell(engine, tenant, kind).await
}

/// Writes a mark; `false` when somebody else was first.
async fn mark(engine: &Engine, key: &Key, stopped: &Stopped, condition: Condition) -> Result<bool, Failure> {
    match put(engine, key, stopped, condition, None).await {
        Ok(_) => Ok(true),
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

async fn tell(engine: &Engine, tenant: &Tenant, kind: EventKind) -> Result<(), Failure> {
    engine.bus.publish(&Event { tenant: tenant.clone(), at: engine.clock.now(), kind }).await
}

fn key(tenant: &Tenant, name: &str) -> Key {
    Key::new(tenant, &["stopped"], name)
}
