//! Reads the problems of a tenant from its state: stopped connections, waiting records, runs, and orders that are missing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;

use super::{Alert, Detail, Severity};
use crate::Engine;
use crate::config::{Config, FlowConfig, StoredConfig};
use crate::connections::{self, Stopped};
use crate::runs;
use crate::steps::low_budget::Low;
use crate::steps::{dead_man, low_budget};
use crate::waiting::{self, WaitReason, Waiting};

/// The other side is away: retries may still help for this long.
const QUIET_OUTAGE: TimeDelta = TimeDelta::minutes(30);
/// Records that wait for the other side or for a limit: their retries go on for longer.
const QUIET_PARKED: TimeDelta = TimeDelta::hours(1);
/// Causes and records that one alert lists.
const LISTED: usize = 10;

/// All problems there are now, each under its key.
pub(super) async fn find(engine: &Engine, tenant: &Tenant, stored: &StoredConfig) -> Result<Vec<Alert>, Failure> {
    let config = &stored.config;
    let stopped = connections::all_stopped(engine, tenant).await?;
    let mut found: Vec<Alert> = stopped
        .iter()
        .filter(|(name, _)| config.connections.contains_key(*name))
        .map(|(name, stopped)| of_connection(config, name, stopped))
        .collect();
    let low = low_budget::low(engine, tenant).await?;
    found.extend(
        low.iter().filter(|(name, _)| config.connections.contains_key(*name)).map(|(name, low)| of_budget(name, low)),
    );
    for (name, flow) in &config.flows {
        let list = waiting::list(engine, tenant, name).await?;
        found.extend(of_waiting(name, flow, list, &stopped));
        if !stopped.contains_key(&flow.from) {
            found.extend(of_last_run(engine, tenant, name, flow).await?);
        }
        found.extend(of_missing(engine, tenant, name, flow).await?);
    }
    Ok(found)
}

fn of_connection(config: &Config, name: &str, stopped: &Stopped) -> Alert {
    let flows: Vec<&str> =
        config.flows.iter().filter(|(_, f)| f.from == name || f.to == name).map(|(flow, _)| flow.as_str()).collect();
    let flows = if flows.is_empty() { "no flow".to_owned() } else { flows.join(", ") };
    match stopped.probe_at() {
        None => Alert::new(
            format!("consent/{name}"),
            Severity::Critical,
            format!("«{name}» needs consent again"),
            stopped.since,
        )
        .with(vec![Detail {
            what: stopped.cause.message.clone(),
            todo: Some(with_advice(&stopped.cause, &format!("koppel connect {name}"))),
            ..Detail::default()
        }])
        .meanwhile(format!("What uses it stands still: {flows}. Nothing is lost: it is caught up after consent.")),
        Some(_) => {
            Alert::new(format!("down/{name}"), Severity::Critical, format!("«{name}» does not answer"), stopped.since)
                .quiet_for(QUIET_OUTAGE)
                .with(vec![detail_of(&stopped.cause)])
                .meanwhile(format!(
                    "It is asked again every few minutes and goes on by itself; {flows} waits. Nothing is lost."
                ))
        }
    }
}

fn of_budget(name: &str, low: &Low) -> Alert {
    Alert::new(format!("budget/{name}"), Severity::Warning, format!("«{name}» has few calls left today"), low.since)
        .with(vec![detail_of(&low.cause)])
        .meanwhile("Orders go first. What has no calls left waits and goes on by itself. Nothing is lost.")
}

/// One alert for each kind of cause: the same repair may help all of its records.
fn of_waiting(
    flow_name: &str,
    flow: &FlowConfig,
    list: Vec<Waiting>,
    stopped: &BTreeMap<String, Stopped>,
) -> Vec<Alert> {
    let mut groups: BTreeMap<(&'static str, String), Vec<Waiting>> = BTreeMap::new();
    for record in list {
        let area = match record.reason {
            WaitReason::Settings => "waiting",
            WaitReason::Rejected => "rejected",
            WaitReason::Review => "review",
            // A stopped connection has an alert of its own.
            WaitReason::Unavailable if !stopped.contains_key(&flow.to) && !stopped.contains_key(&flow.from) => "parked",
            WaitReason::Unavailable | WaitReason::Auth => continue,
        };
        groups.entry((area, record.cause.code.clone())).or_default().push(record);
    }
    groups.into_iter().map(|((area, code), records)| of_group(flow_name, flow, area, &code, &records)).collect()
}

fn of_group(flow_name: &str, flow: &FlowConfig, area: &str, code: &str, records: &[Waiting]) -> Alert {
    let count = records.len() as u64;
    let since = records.iter().map(|record| record.since).min().unwrap_or(DateTime::<Utc>::MIN_UTC);
    let details = details_of(records);
    let first = details.first().map(|detail| detail.what.clone()).unwrap_or_default();
    let more = match details.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", causes(n - 1)),
    };
    let (noun, it) = (noun(flow.entity, count), if count == 1 { "It is" } else { "They are" });
    let (verb, severity, meanwhile, quiet) = match area {
        "waiting" => (
            if count == 1 { "waits" } else { "wait" },
            Severity::Warning,
            format!("{it} tried again by itself now and then, and at once after koppel apply. Nothing is lost."),
            TimeDelta::zero(),
        ),
        "rejected" => (
            if count == 1 { "was rejected" } else { "were rejected" },
            Severity::Warning,
            format!("{it} tried again when it changes in the source or after koppel apply."),
            TimeDelta::zero(),
        ),
        "review" => (
            if count == 1 { "waits for a decision" } else { "wait for a decision" },
            Severity::Warning,
            format!("{it} delivered by itself as soon as it is decided. Nothing is lost."),
            TimeDelta::zero(),
        ),
        _ => (
            "cannot be delivered now",
            Severity::Warning,
            format!("{it} tried again by itself{}. Nothing is lost.", next_try(records)),
            QUIET_PARKED,
        ),
    };
    let meanwhile = if count == 1 {
        meanwhile
    } else {
        meanwhile
            .replace("itself", "themselves")
            .replace("it changes", "they change")
            .replace("as it is decided", "as they are decided")
    };
    let title = format!("{flow_name}: {count} {noun} {verb}: {first}{more}");
    Alert::new(format!("{area}/{flow_name}/{code}"), severity, title, since)
        .quiet_for(quiet)
        .counting(count)
        .with(details)
        .meanwhile(meanwhile)
}

fn next_try(records: &[Waiting]) -> String {
    let next = records.iter().filter_map(|record| record.due_at).min();
    next.map(|at| format!(", next at {} UTC", at.format("%H:%M"))).unwrap_or_default()
}

/// The causes with their records, the most frequent first.
fn details_of(records: &[Waiting]) -> Vec<Detail> {
    let mut details: Vec<Detail> = Vec::new();
    for record in records {
        let what = what_of(&record.cause);
        let at = details.iter().position(|detail| detail.what == what).unwrap_or_else(|| {
            details.push(Detail { what, todo: record.cause.advice.clone(), ..Detail::default() });
            details.len() - 1
        });
        let detail = &mut details[at];
        detail.count += 1;
        if detail.records.len() < LISTED {
            detail.records.push(record.label.clone());
        }
    }
    details.sort_by_key(|detail| std::cmp::Reverse(detail.count));
    details
}

async fn of_last_run(
    engine: &Engine,
    tenant: &Tenant,
    name: &str,
    flow: &FlowConfig,
) -> Result<Option<Alert>, Failure> {
    let Some((id, _)) = runs::state(engine, tenant, name).await?.last_run else { return Ok(None) };
    let Some(run) = runs::load(engine, tenant, name, &id).await? else { return Ok(None) };
    let Some(cause) = &run.incomplete else { return Ok(None) };
    let alert = match run.incomplete_class.as_deref() {
        // Its connection has an alert.
        Some("auth") => return Ok(None),
        Some("retry") => Alert::new(
            format!("unread/{name}"),
            Severity::Critical,
            format!("{name}: «{}» cannot be read: {}", flow.from, cause.message),
            run.started_at,
        )
        .quiet_for(QUIET_OUTAGE)
        .meanwhile("Each run tries again from where the last complete one began. Nothing is lost."),
        Some(_) => Alert::new(
            format!("settings/{name}/{}", cause.code),
            Severity::Critical,
            format!("{name} needs other settings: {}", cause.message),
            run.started_at,
        )
        .meanwhile("Nothing is read until then. Nothing is lost: what changes meanwhile is caught up."),
        None => {
            Alert::new(format!("run/{name}"), Severity::Critical, format!("{name}: a run did not end"), run.started_at)
                .meanwhile("The next run goes on; records of this one may have to be sent again.")
        }
    };
    Ok(Some(alert.with(vec![detail_of(cause)])))
}

async fn of_missing(engine: &Engine, tenant: &Tenant, name: &str, flow: &FlowConfig) -> Result<Option<Alert>, Failure> {
    let Some(missing) = dead_man::missing(engine, tenant, name).await? else { return Ok(None) };
    let count = missing.count;
    let noun = noun(flow.entity, count);
    let (title, what, todo) = match &missing.unread_since {
        Some(since) => (
            format!(
                "{name}: nothing has been read since {} UTC, and {count} {noun} came in",
                since.format("%-d %b %H:%M")
            ),
            format!(
                "the flow should have run several times since then; «{}» answers and has newer {}",
                flow.from, flow.entity
            ),
            "look with koppel status whether a run is stuck or messages lie aside, and whether koppel dev or the stack runs",
        ),
        None => (
            format!("{name}: {count} {noun} of «{}» did not arrive", flow.from),
            "they pass the filter of the flow, but were neither delivered nor put on the waiting list".to_owned(),
            "bring them over with koppel run, naming them, and look at koppel trail of one of them",
        ),
    };
    let detail = Detail { what, todo: Some(todo.to_owned()), records: missing.records.clone(), count };
    Ok(Some(
        Alert::new(format!("missing/{name}"), Severity::Critical, title, missing.since)
            .counting(count)
            .with(vec![detail])
            .meanwhile("It is checked again every 15 minutes, and this alert ends by itself when they have arrived.")
            .quiet_for(TimeDelta::zero()),
    ))
}

fn detail_of(cause: &Cause) -> Detail {
    Detail { what: what_of(cause), todo: cause.advice.clone(), ..Detail::default() }
}

/// The sentence, with the place in the configuration when there is one. Flow and record are told elsewhere.
fn what_of(cause: &Cause) -> String {
    let place = [("file ", &cause.place.file), ("row ", &cause.place.row), ("column ", &cause.place.column)];
    let place: Vec<String> =
        place.iter().filter_map(|(label, at)| at.as_ref().map(|at| format!("{label}{at}"))).collect();
    if place.is_empty() { cause.message.clone() } else { format!("{} ({})", cause.message, place.join(", ")) }
}

fn with_advice(cause: &Cause, command: &str) -> String {
    match &cause.advice {
        Some(advice) if advice.contains(command) => advice.clone(),
        Some(advice) => format!("{advice}; then {command}"),
        None => command.to_owned(),
    }
}

fn causes(n: usize) -> String {
    if n == 1 { "1 cause".to_owned() } else { format!("{n} causes") }
}

/// What a merchant calls the records.
fn noun(entity: Entity, count: u64) -> &'static str {
    match (entity, count) {
        (Entity::Orders, 1) => "order",
        (Entity::Orders, _) => "orders",
        (Entity::Refunds, 1) => "refund",
        (Entity::Refunds, _) => "refunds",
        (Entity::Products, 1) => "product",
        (Entity::Products, _) => "products",
        (Entity::Customers, 1) => "customer",
        (Entity::Customers, _) => "customers",
        (Entity::Stock, 1) => "stock level",
        (Entity::Stock, _) => "stock levels",
        (Entity::Prices, 1) => "price",
        (Entity::Prices, _) => "prices",
    }
}
