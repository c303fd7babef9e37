//! The dead man's switch: does what the shop has really arrive? Asked of the shop itself, each quarter of an hour,
//! with one cheap call, because a chain that stands still cannot report itself.
//!
//! * A flow whose cursor is older than six of its intervals (and an hour) should have run. When the shop has newer
//!   records that pass the filter, that is told. A run that is still on its way is given the time it needs.
//! * Records that were changed longer ago than that must be delivered or wait. What is neither, and passes the filter
//!   when it is read again, is missing. Each stretch of time is looked at once, and what was missing again and again.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Failure, RetryReason};
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::ports::{Calls, Changed, Condition, Key, Priority, Source, Window};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::{Schedule, StoredConfig};
use crate::ledger::{self, State};
use crate::loaded::{LoadedFlow, current_flow};
use crate::runs::{self, FlowState, put, read_required};
use crate::steps::map::{Around, Mapped, map_record};
use crate::{connections, waiting};

/// Time between two checks.
const EACH: TimeDelta = TimeDelta::minutes(15);
/// Intervals that may pass without a complete run,
const INTERVALS: usize = 6;
/// and at least this.
const AT_LEAST: TimeDelta = TimeDelta::hours(1);
/// Sources leave out what was changed in the very second of the edge.
const EDGE: TimeDelta = TimeDelta::seconds(2);
/// Nothing older is looked at.
const LOOK_BACK: TimeDelta = TimeDelta::hours(24);
/// Most records that are read again to see whether they pass the filter.
const READ_AGAIN: usize = 20;
/// Records that are named.
const NAMED: usize = 10;

/// Orders that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    /// How many.
    pub count: u64,
    /// The first, as the merchant knows them.
    pub records: Vec<String>,
    /// When the oldest was changed.
    pub since: DateTime<Utc>,
    /// The flow has not read anything since; `None` when it runs and these were passed over.
    pub unread_since: Option<DateTime<Utc>>,
}

/// What is remembered of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Watch {
    /// Last check.
    checked_at: Option<DateTime<Utc>>,
    /// Everything changed before has arrived or is among the missing.
    arrived_until: Option<DateTime<Utc>>,
    /// The run that was on its way, and how far it was.
    progress: Option<(String, u64)>,
    /// What is missing.
    missing: Option<Missing>,
}

/// What is missing in a flow.
pub(crate) async fn missing(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Option<Missing>, Failure> {
    Ok(load(engine, tenant, flow).await?.0.missing)
}

/// Checks one flow, when it is time. A shop that cannot be asked leaves everything as it was.
pub(crate) async fn check(
    engine: &Engine,
    tenant: &Tenant,
    stored: &StoredConfig,
    flow: &str,
    stopped: &BTreeSet<String>,
) -> Result<(), Failure> {
    let Some(config) = stored.config.flows.get(flow) else { return Ok(()) };
    let Some(schedule) = &config.schedule else { return Ok(()) };
    // A stopped connection is told of already, and what waits for it is not missing.
    if config.paused || stopped.contains(&config.from) || stopped.contains(&config.to) {
        return Ok(());
    }
    let now = engine.clock.now();
    let (mut watch, version) = load(engine, tenant, flow).await?;
    if watch.checked_at.is_some_and(|at| now - at < EACH) {
        return Ok(());
    }
    watch.checked_at = Some(now);
    // Written before the shop is asked, so that two hosts do not both ask, and a shop that is down is not asked at once.
    let condition = version.map_or(Condition::Absent, Condition::Version);
    let version = match put(engine, &key(tenant, flow), &watch, condition, None).await {
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => return Ok(()),
        written => written?,
    };
    let loaded = current_flow(engine, tenant, flow).await?;
    let before = watch.missing.clone();
    look(engine, &loaded, schedule, stored.applied_at, &mut watch).await?;
    put(engine, &key(tenant, flow), &watch, Condition::Version(version), None).await?;
    if let Some(missing) = watch.missing.filter(|_| before.is_none()) {
        let (count, oldest) = (missing.count, missing.records.first().cloned().unwrap_or_default());
        let kind = EventKind::DeadMan { flow: flow.to_owned(), count, oldest, since: missing.since };
        engine.bus.publish(&Event { tenant: tenant.clone(), at: now, kind }).await?;
    }
    Ok(())
}

async fn look(
    engine: &Engine,
    flow: &LoadedFlow,
    schedule: &Schedule,
    applied_at: DateTime<Utc>,
    watch: &mut Watch,
) -> Result<(), Failure> {
    let now = engine.clock.now();
    let state = runs::state(engine, &flow.tenant, &flow.name).await?;
    if is_on_its_way(engine, flow, &state, watch).await? {
        return Ok(());
    }
    let source = connections::source(engine, &flow.tenant, &flow.config, &flow.flow.from).await?;
    let calls = Calls::new(Priority::Images);
    let window = |since: DateTime<Utc>, until: DateTime<Utc>| Window {
        entity: flow.flow.entity,
        since,
        until,
        statuses: flow.flow.filter.status.clone(),
    };
    // A flow that never ran was to begin when its configuration came into force.
    let read_until = state.cursor.unwrap_or(applied_at).max(applied_at.min(now));
    let late_at = late_at(schedule, read_until)?;
    if late_at <= now {
        let Some(list) = source.list_changed(&window(read_until, now), &calls).await? else { return Ok(()) };
        watch.missing = (!list.is_empty()).then(|| missing_of(&list, Some(read_until)));
        return Ok(());
    }
    // What was changed before this should have come with a run that is complete.
    let until = now - (late_at - read_until);
    let since = watch.arrived_until.unwrap_or(applied_at).max(now - LOOK_BACK);
    let again = watch.missing.as_ref().map(|missing| missing.since);
    let since = again.map_or(since, |again| again.min(since)).max(flow.since) - EDGE;
    if since >= until {
        watch.missing = None;
        return Ok(());
    }
    let Some(list) = source.list_changed(&window(since, until), &calls).await? else { return Ok(()) };
    let lost = not_arrived(engine, flow, &*source, list, &calls).await?;
    watch.missing = (!lost.is_empty()).then(|| missing_of(&lost, None));
    watch.arrived_until = Some(until);
    Ok(())
}

/// A run is under way and has come further since the last check.
async fn is_on_its_way(
    engine: &Engine,
    flow: &LoadedFlow,
    state: &FlowState,
    watch: &mut Watch,
) -> Result<bool, Failure> {
    let Some(run) = &state.open_run else {
        watch.progress = None;
        return Ok(false);
    };
    let funnel = runs::funnel(engine, &flow.tenant, &flow.name, run).await?;
    let progress = Some((run.clone(), funnel.fetched + funnel.settled()));
    let moved = watch.progress != progress;
    watch.progress = progress;
    Ok(moved)
}

/// When a flow that has read everything up to a moment should have read again.
fn late_at(schedule: &Schedule, read_until: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let mut at = read_until;
    for _ in 0..INTERVALS {
        at = schedule.next_after(at).map_err(Failure::settings)?;
    }
    Ok(at.max(read_until + AT_LEAST))
}

/// Those that are neither delivered nor waiting, and pass the filter.
async fn not_arrived(
    engine: &Engine,
    flow: &LoadedFlow,
    source: &dyn Source,
    list: Vec<Changed>,
    calls: &Calls,
) -> Result<Vec<Changed>, Failure> {
    let waiting: BTreeSet<RecordKey> =
        waiting::list(engine, &flow.tenant, &flow.name).await?.into_iter().map(|record| record.key).collect();
    let keys: Vec<RecordKey> = list.iter().map(|changed| changed.key.clone()).collect();
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, &keys).await?;
    let has_arrived = |state: State| matches!(state, State::Delivered | State::Exists);
    let candidates = list.into_iter().zip(entries).filter(|(changed, entry)| {
        !waiting.contains(&changed.key) && !entry.as_ref().is_some_and(|entry| has_arrived(entry.entry.state))
    });
    let candidates = candidates.map(|(changed, _)| changed);
    if flow.condition.is_none() {
        return Ok(candidates.collect());
    }
    let mut lost = Vec::new();
    for changed in candidates.take(READ_AGAIN) {
        // Only the record itself tells whether the flow's condition lets it pass.
        let Some(record) = source.fetch_one(flow.flow.entity, &changed.key, calls).await? else { continue };
        if !matches!(map_record(engine, flow, &record, &Around::default()), Ok(Mapped::Filtered(_))) {
            lost.push(changed);
        }
    }
    Ok(lost)
}

fn missing_of(list: &[Changed], unread_since: Option<DateTime<Utc>>) -> Missing {
    let mut list: Vec<&Changed> = list.iter().collect();
    list.sort_by_key(|changed| changed.at);
    Missing {
        count: list.len() as u64,
        records: list.iter().take(NAMED).map(|changed| changed.label.clone()).collect(),
        since: unread_since.or(list.first().map(|changed| changed.at)).unwrap_or_default(),
        unread_since,
    }
}

async fn load(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<(Watch, Option<u64>), Failure> {
    Ok(match engine.store.get(&key(tenant, flow)).await? {
        Some(item) => (read_required(&item.value)?, Some(item.version)),
        None => (Watch::default(), None),
    })
}

fn key(tenant: &Tenant, flow: &str) -> Key {
    Key::new(tenant, &["dead-man"], flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_late_after_six_intervals_and_an_hour_and_its_nights_do_not_count() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let every = |text: &str| Schedule { every: Some(text.into()), ..Schedule::default() };
        let read = at("2026-11-20T16:00:00Z");
        assert_eq!(late_at(&every("5m"), read).unwrap(), at("2026-11-20T17:00:00Z"));
        assert_eq!(late_at(&every("1h"), read).unwrap(), at("2026-11-20T22:00:00Z"));
        let office = Schedule { cron: Some("0 9-17 * * 1-5".into()), ..Schedule::default() };
        // A Friday: two runs are left, the next four come on Monday.
        assert_eq!(late_at(&office, at("2026-11-20T15:30:00Z")).unwrap(), at("2026-11-23T12:00:00Z"));
    }
}
