//! Runs: started once per flow at a time, told by chunk reports, ended when the funnel adds up.
//!
//! Every step puts one report per chunk under a fixed key, so that a message handled twice counts once.

mod result;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::{FetchTask, Header, Step, Task};
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key, QueueMessage};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::loaded::LoadedFlow;

pub use result::RecordResult;

/// Reports are needed while a run is looked at, not for ever.
const KEEP_REPORTS: TimeDelta = TimeDelta::days(14);
/// A run of which nothing was read after this time has lost its first message (or waits for its source: harmless).
const RESEND_AFTER: TimeDelta = TimeDelta::minutes(10);
/// A run without an end after this time is doubted.
const DOUBTED_AFTER: TimeDelta = TimeDelta::hours(6);
/// A doubted run in which nothing ends for this time is given up, so that its flow can go on. Looked at twice, because a
/// machine that slept has a run that is old but not stuck.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(2);

/// Where a flow stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FlowState {
    /// Everything changed before this moment has been enqueued.
    pub cursor: Option<DateTime<Utc>>,
    /// The run that is under way.
    pub open_run: Option<String>,
    /// When the last run was started.
    pub last_started: Option<DateTime<Utc>>,
    /// Last run that ended, with its funnel.
    pub last_run: Option<(String, Funnel)>,
    /// How well webhooks have told what the sweeps found.
    pub hints: HintCounts,
}

/// Changes that sweeps found, by whether a webhook had told them before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HintCounts {
    /// A webhook had come.
    pub told: u64,
    /// None had come, although it should have.
    pub missed: u64,
}

impl HintCounts {
    fn add(&mut self, other: Self) {
        self.told += other.told;
        self.missed += other.missed;
    }
}

/// A run as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Id: the moment it started.
    pub id: String,
    /// Flow.
    pub flow: String,
    /// Configuration version.
    pub config_version: u64,
    /// Start.
    pub started_at: DateTime<Utc>,
    /// The last page was read: the count of fetched records is final.
    #[serde(default)]
    pub fetched_all: bool,
    /// End, with the funnel.
    #[serde(default)]
    pub finished_at: Option<DateTime<Utc>>,
    /// Set when the run was given up: what is missing.
    #[serde(default)]
    pub incomplete: Option<Cause>,
    /// Class of the failure that ended its reading, such as `retry`; `None` when it was given up without one.
    #[serde(default)]
    pub incomplete_class: Option<String>,
    /// Counts at the end.
    #[serde(default)]
    pub funnel: Funnel,
    /// How well webhooks have told what this run found.
    #[serde(default)]
    pub hints: HintCounts,
    /// The first fetch, to send again when a crash lost it.
    #[serde(default)]
    pub first_fetch: Option<FetchTask>,
    /// Since when it is doubted, and how far it was then.
    #[serde(default)]
    pub doubted: Option<(DateTime<Utc>, u64)>,
}

/// What one step did with one chunk. Told again, a report is added to what it said before: a message that is handled
/// twice may end other records the second time, and what it sent on the first time is on its way all the same.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Report {
    /// Chunks that were sent on to map.
    chunks: BTreeSet<String>,
    /// Records that came in with this chunk.
    taken: BTreeSet<String>,
    /// Records that ended in this step.
    ended: BTreeMap<String, Outcome>,
    calls: usize,
    sealed: String,
    hints: HintCounts,
}

/// What a step tells of a chunk.
#[derive(Default)]
pub struct Told<'a> {
    /// Chunks that were sent on to map.
    pub chunks: BTreeSet<String>,
    /// Records that came in with this chunk: map tells it, and fetch for those it does not pass on.
    pub taken: Vec<&'a RecordKey>,
    /// Records that ended here.
    pub results: &'a [RecordResult],
    /// Calls that were made for the whole chunk.
    pub calls: usize,
}

/// What to read in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Instead of the cursor.
    pub since: Option<DateTime<Utc>>,
    /// Only these records.
    pub ids: Vec<RecordKey>,
}

/// Starts a run and enqueues its first fetch. `None` when the flow has one under way.
pub async fn start(engine: &Engine, tenant: &Tenant, flow: &str, scope: Scope) -> Result<Option<String>, Failure> {
    let loaded = crate::loaded::current_flow(engine, tenant, flow).await?;
    let now = engine.clock.now();
    let key = state_key(tenant, flow);
    let item = engine.store.get(&key).await?;
    let mut state: FlowState = read(item.as_ref().map(|i| i.value.as_str()))?;
    if state.open_run.is_some() {
        return Ok(None);
    }
    let id = now.format("%Y%m%dT%H%M%S%3fZ").to_string();
    let since = since(&scope, &state, &loaded);
    let first = FetchTask {
        header: Header {
            tenant: tenant.clone(),
            flow: flow.to_owned(),
            run: id.clone(),
            config_version: loaded.version,
            chunk: "page-0".to_owned(),
            lane: 0,
        },
        since,
        until: now,
        page: None,
        page_number: 0,
        ids: scope.ids,
        hints_since: state.cursor.filter(|_| loaded.flow.webhook && scope.since.is_none()),
    };
    let run = Run {
        id: id.clone(),
        flow: flow.to_owned(),
        config_version: loaded.version,
        started_at: now,
        fetched_all: false,
        finished_at: None,
        incomplete: None,
        incomplete_class: None,
        funnel: Funnel::default(),
        hints: HintCounts::default(),
        first_fetch: Some(first.clone()),
        doubted: None,
    };
    state.open_run = Some(id.clone());
    state.last_started = Some(now);
    let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
    let task = Task::Fetch(first);
    // The run before the state, the state before the message: a crash in between leaves an open run whose first fetch
    // `finish` sends again.
    let kept_until = Some(now + KEEP_REPORTS);
    match put(engine, &run_key(tenant, flow, &id), &run, Condition::Absent, kept_until).await {
        // Another host starts one at the very same moment.
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => return Ok(None),
        written => written?,
    };
    if let Err(failure) = put(engine, &key, &state, condition, None).await {
        // Somebody else's run is open, or the store is down: a run that nobody knows of must not stay behind.
        engine.store.delete(&run_key(tenant, flow, &id), Condition::Always).await?;
        return Err(failure);
    }
    engine.queue.send(Step::Fetch, &[QueueMessage::pack(&task)?]).await?;
    Ok(Some(id))
}

/// From when on a run reads: what was asked for, else since the last one with the overlap, never before the flow's own.
pub(crate) fn since(scope: &Scope, state: &FlowState, flow: &LoadedFlow) -> DateTime<Utc> {
    let behind = state.cursor.map(|cursor| cursor - crate::loaded::OVERLAP);
    scope.since.or(behind).unwrap_or(flow.since).max(flow.since)
}

/// Where the flow stands.
pub async fn state(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<FlowState, Failure> {
    let item = engine.store.get(&state_key(tenant, flow)).await?;
    read(item.as_ref().map(|i| i.value.as_str()))
}

/// Marks the last page as read and moves the cursor. Reads by id leave the cursor where it is.
pub async fn fetched_all(engine: &Engine, header: &Header, cursor: Option<DateTime<Utc>>) -> Result<(), Failure> {
    update_run(engine, header, |run| run.fetched_all = true).await?;
    if let Some(cursor) = cursor {
        let key = state_key(&header.tenant, &header.flow);
        let item = engine.store.get(&key).await?;
        let mut state: FlowState = read(item.as_ref().map(|i| i.value.as_str()))?;
        // A late duplicate of an older run must not move the cursor back.
        if state.cursor.is_none_or(|old| old < cursor) {
            state.cursor = Some(cursor);
            let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
            put(engine, &key, &state, condition, None).await?;
        }
    }
    Ok(())
}

async fn update_run(engine: &Engine, header: &Header, change: impl Fn(&mut Run)) -> Result<(), Failure> {
    let key = run_key(&header.tenant, &header.flow, &header.run);
    let Some(item) = engine.store.get(&key).await? else {
        return Ok(());
    };
    let mut run: Run = read_required(&item.value)?;
    change(&mut run);
    put(engine, &key, &run, Condition::Version(item.version), item.expires_at).await?;
    Ok(())
}

/// Ends the reading of a run that cannot go on. What was read is settled; the cursor stays where it was.
pub async fn abandon(engine: &Engine, header: &Header, failure: &Failure) -> Result<(), Failure> {
    update_run(engine, header, |run| {
        run.fetched_all = true;
        run.incomplete = Some(failure.cause().clone());
        run.incomplete_class = Some(failure.class().to_owned());
    })
    .await
}

/// Puts the report of one step on one chunk.
pub async fn report(engine: &Engine, header: &Header, step: Step, told: Told<'_>) -> Result<(), Failure> {
    let key = Key::new(&header.tenant, &["report", &header.flow, &header.run], format!("{}#{}", header.chunk, step));
    let item = engine.store.get(&key).await?;
    let mut report: Report = read(item.as_ref().map(|i| i.value.as_str()))?;
    let mut results = opened(engine, header, &report).await?;
    results.retain(|before| told.results.iter().all(|now| now.key != before.key));
    results.extend(told.results.iter().cloned());
    report.chunks.extend(told.chunks);
    report.taken.extend(told.taken.into_iter().map(|key| key.as_str().to_owned()));
    report.ended.extend(told.results.iter().map(|r| (r.key.as_str().to_owned(), r.outcome)));
    report.calls += told.calls;
    if !results.is_empty() {
        let plain = serde_json::to_vec(&results).unwrap_or_default();
        report.sealed = STANDARD.encode(engine.vault.seal(&seal_context(header), &plain).await?);
    }
    let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
    put(engine, &key, &report, condition, Some(engine.clock.now() + KEEP_REPORTS)).await?;
    Ok(())
}

/// Puts how well webhooks have told what one page holds.
pub(crate) async fn report_hints(engine: &Engine, header: &Header, hints: HintCounts) -> Result<(), Failure> {
    if hints == HintCounts::default() {
        return Ok(());
    }
    let report = Report { hints, ..Report::default() };
    let key = Key::new(&header.tenant, &["report", &header.flow, &header.run], format!("{}#hints", header.chunk));
    put(engine, &key, &report, Condition::Always, Some(engine.clock.now() + KEEP_REPORTS)).await?;
    Ok(())
}

/// The counts of a run so far.
pub async fn funnel(engine: &Engine, tenant: &Tenant, flow: &str, run: &str) -> Result<Funnel, Failure> {
    Ok(counts(engine, tenant, flow, run).await?.funnel)
}

struct Counts {
    funnel: Funnel,
    hints: HintCounts,
    /// Every chunk that was sent to map has been told by map.
    all_taken: bool,
}

impl Counts {
    /// Everything that was read has ended, and nothing is on its way that is not counted yet.
    fn are_final(&self) -> bool {
        self.all_taken && self.funnel.adds_up()
    }
}

async fn counts(engine: &Engine, tenant: &Tenant, flow: &str, run: &str) -> Result<Counts, Failure> {
    let mut hints = HintCounts::default();
    let (mut sent, mut mapped) = (BTreeSet::new(), BTreeSet::new());
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    // A record that more than one step has told of has ended where it came furthest.
    let mut ended: BTreeMap<(String, String), (u8, Outcome)> = BTreeMap::new();
    for (place, report) in reports(engine, tenant, flow, run).await? {
        let (chunk, step) = place.rsplit_once('#').unwrap_or((&place, ""));
        let rank = rank_of(step);
        hints.add(report.hints);
        sent.extend(report.chunks);
        if step == Step::Map.name() {
            mapped.insert(chunk.to_owned());
        }
        taken.extend(report.taken.into_iter().map(|key| (chunk.to_owned(), key)));
        for (key, outcome) in report.ended {
            let here = ended.entry((chunk.to_owned(), key)).or_insert((rank, outcome));
            if here.0 <= rank {
                *here = (rank, outcome);
            }
        }
    }
    let mut funnel = Funnel { fetched: taken.len() as u64, ..Funnel::default() };
    for (_, outcome) in ended.into_values() {
        funnel.add(outcome, 1);
    }
    Ok(Counts { funnel, hints, all_taken: sent.is_subset(&mapped) })
}

fn rank_of(step: &str) -> u8 {
    step.parse::<Step>().map_or(0, |step| match step {
        Step::Schedule => 0,
        Step::Fetch => 1,
        Step::Map => 2,
        Step::Check => 3,
        Step::Write => 4,
    })
}

/// The results of a report, opened.
async fn opened(engine: &Engine, header: &Header, report: &Report) -> Result<Vec<RecordResult>, Failure> {
    if report.sealed.is_empty() {
        return Ok(Vec::new());
    }
    let sealed = STANDARD.decode(&report.sealed).unwrap_or_default();
    let plain = engine.vault.open(&seal_context(header), &sealed).await?;
    Ok(serde_json::from_slice(&plain).unwrap_or_default())
}

/// How every record of a run ended, and how many calls were made for whole chunks.
pub async fn results(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    run: &str,
) -> Result<(Vec<RecordResult>, usize), Failure> {
    let header = Header {
        tenant: tenant.clone(),
        flow: flow.to_owned(),
        run: run.to_owned(),
        config_version: 0,
        chunk: String::new(),
        lane: 0,
    };
    let mut calls = 0;
    // As in the funnel: a record is shown once a chunk, as it ended furthest.
    let mut furthest: BTreeMap<(String, RecordKey), (u8, RecordResult)> = BTreeMap::new();
    for (place, report) in reports(engine, tenant, flow, run).await? {
        calls += report.calls;
        let (chunk, step) = place.rsplit_once('#').unwrap_or((&place, ""));
        let rank = rank_of(step);
        for result in opened(engine, &header, &report).await? {
            let key = (chunk.to_owned(), result.key.clone());
            if furthest.get(&key).is_none_or(|(known, _)| *known <= rank) {
                furthest.insert(key, (rank, result));
            }
        }
    }
    Ok((furthest.into_values().map(|(_, result)| result).collect(), calls))
}

/// The reports of a run, with chunk and step.
async fn reports(engine: &Engine, tenant: &Tenant, flow: &str, run: &str) -> Result<Vec<(String, Report)>, Failure> {
    let mut reports = Vec::new();
    for item in crate::items::all(engine, &partition(tenant, &["report", flow, run]), "").await? {
        reports.push((item.key.sort, read_required(&item.value)?));
    }
    Ok(reports)
}

/// Ends the open run of a flow when its funnel adds up; gives it up when it has been stuck for hours.
///
/// Returns the run when this call ended it.
pub async fn finish(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Option<Run>, Failure> {
    let state_key = state_key(tenant, flow);
    let Some(item) = engine.store.get(&state_key).await? else {
        return Ok(None);
    };
    let mut state: FlowState = read_required(&item.value)?;
    let Some(id) = state.open_run.clone() else {
        return Ok(None);
    };
    let run_key = run_key(tenant, flow, &id);
    let Some(run_item) = engine.store.get(&run_key).await? else {
        state.open_run = None;
        put(engine, &state_key, &state, Condition::Version(item.version), None).await?;
        return Ok(None);
    };
    let mut run: Run = read_required(&run_item.value)?;
    let now = engine.clock.now();
    if run.finished_at.is_none() {
        let counts = counts(engine, tenant, flow, &id).await?;
        let done = run.fetched_all && counts.are_final();
        (run.funnel, run.hints) = (counts.funnel, counts.hints);
        if !done {
            if !is_stuck(engine, &run_key, &mut run, run_item.version).await? {
                return Ok(None);
            }
            run.incomplete = Some(
                Cause::new("run_incomplete", format!("the run did not end: {}", run.funnel))
                    .advice("look at the dead letters: koppel status")
                    .in_flow(flow),
            );
        }
        run.finished_at = Some(now);
        put(engine, &run_key, &run, Condition::Version(run_item.version), run_item.expires_at).await?;
    }
    state.open_run = None;
    state.last_run = Some((id, run.funnel.clone()));
    state.hints.add(run.hints);
    put(engine, &state_key, &state, Condition::Version(item.version), None).await?;
    Ok(Some(run))
}

/// Stores a run that is not there yet; one that is there is left alone.
pub(crate) async fn put_new(engine: &Engine, tenant: &Tenant, run: &Run) -> Result<(), Failure> {
    let key = run_key(tenant, &run.flow, &run.id);
    match put(engine, &key, run, Condition::Absent, Some(run.started_at + KEEP_REPORTS)).await {
        Ok(_) | Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Ends one run beside the flow's own, when its funnel adds up or it has been open for hours.
///
/// `None` while it goes on; `Some(None)` when there is nothing (more) to end.
pub(crate) async fn end_one(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    id: &str,
) -> Result<Option<Option<Run>>, Failure> {
    let key = run_key(tenant, flow, id);
    let Some(item) = engine.store.get(&key).await? else { return Ok(Some(None)) };
    let mut run: Run = read_required(&item.value)?;
    if run.finished_at.is_some() {
        return Ok(Some(None));
    }
    let now = engine.clock.now();
    let counts = counts(engine, tenant, flow, id).await?;
    let done = run.fetched_all && counts.are_final();
    run.funnel = counts.funnel;
    if !done {
        if !is_stuck(engine, &key, &mut run, item.version).await? {
            return Ok(None);
        }
        run.incomplete = Some(crate::hints::stuck(flow, &run.funnel));
    }
    run.finished_at = Some(now);
    put(engine, &key, &run, Condition::Version(item.version), item.expires_at).await?;
    Ok(Some(Some(run)))
}

/// The run is old and has not moved between two looks. Before that, a first fetch that was lost is sent again.
async fn is_stuck(engine: &Engine, key: &Key, run: &mut Run, version: u64) -> Result<bool, Failure> {
    let now = engine.clock.now();
    // Whatever its age: a machine that slept for hours right after the crash looks for the first time when the run is old.
    if send_lost_fetch(engine, key, run, version).await? || now - run.started_at < DOUBTED_AFTER {
        return Ok(false);
    }
    let moved = run.funnel.fetched + run.funnel.settled();
    match run.doubted {
        Some((since, before)) if before == moved => Ok(now - since >= GIVEN_UP_AFTER),
        _ => {
            run.doubted = Some((now, moved));
            put(engine, key, run, Condition::Version(version), Some(now + KEEP_REPORTS)).await?;
            Ok(false)
        }
    }
}

/// Sends the first fetch again, once, when a crash between the run and its message seems to have lost it. True when it did.
async fn send_lost_fetch(engine: &Engine, key: &Key, run: &Run, version: u64) -> Result<bool, Failure> {
    let now = engine.clock.now();
    let untouched = !run.fetched_all && run.funnel.fetched == 0;
    let Some(first) = run.first_fetch.clone().filter(|_| untouched && now - run.started_at > RESEND_AFTER) else {
        return Ok(false);
    };
    engine.queue.send(Step::Fetch, &[QueueMessage::pack(&Task::Fetch(first))?]).await?;
    let sent = Run { first_fetch: None, ..run.clone() };
    put(engine, key, &sent, Condition::Version(version), Some(now + KEEP_REPORTS)).await?;
    Ok(true)
}

/// A run, when it is still kept.
pub async fn load(engine: &Engine, tenant: &Tenant, flow: &str, run: &str) -> Result<Option<Run>, Failure> {
    match engine.store.get(&run_key(tenant, flow, run)).await? {
        Some(item) => read_required(&item.value).map(Some),
        None => Ok(None),
    }
}

fn state_key(tenant: &Tenant, flow: &str) -> Key {
    Key::new(tenant, &["flow"], flow)
}

fn run_key(tenant: &Tenant, flow: &str, run: &str) -> Key {
    Key::new(tenant, &["run", flow], run)
}

fn seal_context(header: &Header) -> String {
    format!("report#{}#{}#{}", header.tenant, header.flow, header.run)
}

pub(crate) async fn put<T: Serialize>(
    engine: &Engine,
    key: &Key,
    value: &T,
    condition: Condition,
    expires_at: Option<DateTime<Utc>>,
) -> Result<u64, Failure> {
    let text = serde_json::to_string(value).map_err(|error| {
        Failure::reject(Cause::new("not_serialisable", format!("a value cannot be stored: {error}")))
    })?;
    Ok(engine.store.put(key, &text, condition, expires_at).await?)
}

pub(crate) fn read<T: for<'de> Deserialize<'de> + Default>(text: Option<&str>) -> Result<T, Failure> {
    text.map_or_else(|| Ok(T::default()), read_required)
}

pub(crate) fn read_required<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::settings(
            Cause::new("stored_item_unreadable", format!("a stored item cannot be read: {error}"))
                .advice("it was written by another version; see CHANGELOG"),
        )
    })
}
