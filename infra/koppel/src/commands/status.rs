//! `koppel status`: how everything stands, and what to do about what does not.

use koppel_core::message::Step;
use koppel_core::{Cause, Failure};
use koppel_flows::config::{Config, FlowConfig, StoredConfig};
use koppel_flows::steps::webhook::delivery_counts;
use koppel_flows::waiting::{self, WaitReason};
use koppel_flows::{connections, number_back, runs, webhooks};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::table::{Cell, Column};
use crate::output::{Output, Table, count, moment};
use crate::place::Place;

/// Runs the command.
pub async fn status(global: &Global, output: Output) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = place.config().await?;
    let config = &stored.config;
    let applied = moment(stored.applied_at);
    output.text(&format!("configuration: version {} of {}, applied {applied}\n", stored.version, stored.file));
    let connections = show_connections(&place, output, config).await?;
    let flows = show_flows(&place, output, config).await?;
    let waiting = show_waiting(&place, output, &stored).await?;
    let queues = show_queues(&place, output).await?;
    output.document(&json!({
        "version": stored.version, "file": stored.file, "applied_at": stored.applied_at,
        "connections": connections, "flows": flows, "waiting": waiting, "queues": queues,
    }));
    Ok(Exit::Done)
}

async fn show_connections(place: &Place, output: Output, config: &Config) -> Result<Vec<Value>, Failure> {
    let heads = [("connection", Column::Left), ("system", Column::Left), ("state", Column::Left), ("", Column::Left)];
    let mut table = Table::new(&heads);
    let mut list = Vec::new();
    for (name, connection) in &config.connections {
        let stopped = connections::stopped(&place.engine, &place.tenant, name).await?;
        let (state, remark) = match &stopped {
            None => (Cell::coloured("ok", Some(Colour::Green)), String::new()),
            Some(stopped) => {
                let what = format!("{} (since {})", stopped.cause.message, moment(stopped.since));
                match stopped.probe_at() {
                    None => {
                        (Cell::coloured("stopped", Some(Colour::Red)), format!("{what}. To do: koppel connect {name}"))
                    }
                    Some(next) => (
                        Cell::coloured("paused", Some(Colour::Yellow)),
                        format!("{what}. It goes on by itself; asked again {}", moment(next)),
                    ),
                }
            }
        };
        table.row([name.as_str().into(), connection.system.as_str().into(), state, remark.into()]);
        list.push(json!({ "connection": name, "system": connection.system, "stopped": stopped }));
    }
    output.text(&table.render(output.style, false));
    Ok(list)
}

async fn show_flows(place: &Place, output: Output, config: &Config) -> Result<Vec<Value>, Failure> {
    let mut list = Vec::new();
    for (name, flow) in &config.flows {
        let state = runs::state(&place.engine, &place.tenant, name).await?;
        let (due, next) = next_run(place, flow, state.last_started).map_or_else(
            |cause| (cause.message, None),
            |next| (next.map_or_else(|| "only by koppel run".to_owned(), moment), next),
        );
        let from_to = format!("{} {} → {}", flow.entity, flow.from, flow.to);
        output.text(&format!("\nflow {name}: {from_to}"));
        let last = match &state.last_run {
            Some((id, funnel)) => format!("{id}: {funnel}"),
            None => "none has ended yet".to_owned(),
        };
        output.text(&format!("  last run  {last}"));
        if let Some(open) = &state.open_run {
            let funnel = runs::funnel(&place.engine, &place.tenant, name, open).await?;
            output.text(&format!("  open run  {open}: {} of {} settled", funnel.settled(), funnel.fetched));
        }
        output.text(&format!("  next due  {}", if flow.paused { "paused" } else { &due }));
        let owed = show_numbers(place, output, name, flow).await?;
        let hooks = if flow.webhook { Some(show_webhooks(place, output, flow, state.hints).await?) } else { None };
        list.push(json!({
            "flow": name, "from": flow.from, "to": flow.to, "entity": flow.entity, "paused": flow.paused,
            "last_run": state.last_run.as_ref().map(|(id, funnel)| json!({ "run": id, "funnel": funnel })),
            "open_run": state.open_run, "next_due": next, "cursor": state.cursor, "webhooks": hooks,
            "numbers_to_note": owed,
        }));
    }
    Ok(list)
}

/// Numbers of documents that the source is still to be told.
async fn show_numbers(place: &Place, output: Output, name: &str, flow: &FlowConfig) -> Result<usize, Failure> {
    let owed = number_back::owed(&place.engine, &place.tenant, name).await?;
    if owed.is_empty() {
        return Ok(0);
    }
    let numbers = count(owed.len(), "number of a document is", "numbers of documents are");
    output.text(&format!("  numbers   {numbers} still to be noted in {}", flow.from));
    for (label, cause) in owed.iter().filter_map(|one| Some((&one.label, one.cause.as_ref()?))).take(3) {
        output.text(&format!("            {label}: {cause}"));
    }
    Ok(owed.len())
}

async fn show_webhooks(
    place: &Place,
    output: Output,
    flow: &FlowConfig,
    hints: runs::HintCounts,
) -> Result<Value, Failure> {
    let (engine, tenant, connection) = (&place.engine, &place.tenant, &flow.from);
    let Some(known) = webhooks::registration(engine, tenant, connection).await? else {
        output.text(&format!("  webhooks  none. To do: koppel webhook register {connection} --url https://…"));
        return Ok(Value::Null);
    };
    let counts = delivery_counts(engine, tenant, connection).await?;
    output.text(&format!("  webhooks  to {} since {}", known.url, moment(known.registered_at)));
    let all = hints.told + hints.missed;
    output
        .text(&format!("            {} of {all} changes were told, {} found only by a run", hints.told, hints.missed));
    if !counts.is_empty() {
        let list: Vec<String> = counts.iter().map(|(outcome, number)| format!("{outcome} {number}")).collect();
        output.text(&format!("            deliveries in 30 days: {}", list.join(", ")));
    }
    for finding in &known.mended {
        output.text(&format!("            {} {} ({})", finding.topic, finding.was.text(), moment(known.checked_at)));
    }
    if let Some(problem) = &known.problem {
        output.text(&format!("            could not be looked at ({}): {problem}", moment(known.checked_at)));
    }
    Ok(json!({ "registration": known, "changes": hints, "deliveries": counts }))
}

fn next_run(
    place: &Place,
    flow: &FlowConfig,
    last: Option<chrono::DateTime<chrono::Utc>>,
) -> Result<Option<chrono::DateTime<chrono::Utc>>, Cause> {
    let now = place.engine.clock.now();
    match (&flow.schedule, last) {
        (None, _) => Ok(None),
        (Some(_), None) => Ok(Some(now)),
        (Some(schedule), Some(last)) => schedule.next_after(last).map(|next| Some(next.max(now))),
    }
}

async fn show_waiting(place: &Place, output: Output, stored: &StoredConfig) -> Result<Vec<Value>, Failure> {
    let now = place.engine.clock.now();
    let mut list = Vec::new();
    for flow in stored.config.flows.keys() {
        let mut records = waiting::list(&place.engine, &place.tenant, flow).await?;
        records.sort_by(|a, b| (a.reason as u8, &a.label).cmp(&(b.reason as u8, &b.label)));
        for reason in
            [WaitReason::Auth, WaitReason::Review, WaitReason::Settings, WaitReason::Rejected, WaitReason::Unavailable]
        {
            let of_reason: Vec<_> = records.iter().filter(|record| record.reason == reason).collect();
            if of_reason.is_empty() {
                continue;
            }
            output.text(&format!("\n{flow}: {} waiting, {}", of_reason.len(), told(reason)));
            for record in of_reason {
                let due = if record.is_due(now, stored.version) {
                    "due now".to_owned()
                } else {
                    record.due_at.map_or_else(|| "not by itself".to_owned(), |due| format!("again {}", moment(due)))
                };
                let advice = record.cause.advice.as_ref().map(|a| format!(". To do: {a}")).unwrap_or_default();
                output.text(&format!("  {}  {} ({due}){advice}", record.label, record.cause.message));
                list.push(json!({ "flow": flow, "record": record }));
            }
        }
    }
    Ok(list)
}

fn told(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Unavailable => "because the other side was not to be reached or a limit was used up",
        WaitReason::Settings => "because configuration or master data is missing",
        WaitReason::Auth => "because a connection needs consent",
        WaitReason::Review => "for a decision: koppel review",
        WaitReason::Rejected => "because they cannot be delivered as they are",
    }
}

async fn show_queues(place: &Place, output: Output) -> Result<Vec<Value>, Failure> {
    let mut table = Table::new(&[
        ("queue", Column::Left),
        ("waiting", Column::Right),
        ("in hand", Column::Right),
        ("delayed", Column::Right),
        ("dead letters", Column::Right),
    ]);
    let (mut list, mut all_dead) = (Vec::new(), 0);
    for step in Step::QUEUED {
        let depth = place.queue.depth(step).await?;
        all_dead += depth.dead;
        let dead = Cell::coloured(depth.dead.to_string(), (depth.dead > 0).then_some(Colour::Red));
        let number = |number: u64| Cell::from(number.to_string());
        table.row([step.name().into(), number(depth.waiting), number(depth.in_hand), number(depth.delayed), dead]);
        list.push(json!({
            "step": step, "waiting": depth.waiting, "in_hand": depth.in_hand, "delayed": depth.delayed,
            "dead": depth.dead, "next_due": depth.next_due,
        }));
    }
    output.text("");
    output.table(&table);
    if all_dead > 0 {
        output.note("look at the dead letters with koppel dead-letters list");
    }
    Ok(list)
}
