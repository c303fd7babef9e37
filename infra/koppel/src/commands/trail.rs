//! `koppel trail`: for one record, per step, what came, what was decided, what was sent and what was answered.

use std::collections::BTreeSet;

use koppel_core::error::nearest;
use koppel_core::keys::RecordKey;
use koppel_core::{Cause, Failure, NonEmpty};
use koppel_flows::config::Config;
use koppel_flows::runs::RecordResult;
use koppel_flows::trail::{self, TrailEntry};
use koppel_flows::{runs, waiting};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::{Output, moment};
use crate::place::{Place, known_flow};

/// Longest value of a payload that is shown without `--full`.
const SHORT: usize = 96;

/// Arguments of `trail`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Order number, or the id of the record in the source
    record: String,
    /// Only in this flow
    #[arg(long, value_name = "FLOW")]
    flow: Option<String>,
    /// Show payloads whole
    #[arg(long)]
    full: bool,
}

/// Runs the command.
pub async fn trail(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = place.config().await?.config;
    if let Some(flow) = &args.flow {
        known_flow(&config, flow)?;
    }
    let flows = config.flows.keys().filter(|flow| args.flow.as_ref().is_none_or(|wanted| wanted == *flow));
    let mut found = Vec::new();
    for flow in flows {
        if let Some((key, entries)) = find(&place, flow, args.record.trim()).await? {
            found.push((flow.clone(), key, entries));
        }
    }
    if found.is_empty() {
        return Err(unknown(&place, &config, args).await?);
    }
    for (flow, key, entries) in &found {
        output.text(&format!("{flow}, record {} (id {key} in the source)", args.record.trim()));
        for entry in entries {
            show(output, entry, args.full);
        }
    }
    output.document(
        &found
            .iter()
            .map(|(flow, key, entries)| json!({ "flow": flow, "key": key, "entries": entries }))
            .collect::<Vec<_>>(),
    );
    Ok(Exit::Done)
}

/// The trail of a record by its key; else by the label that the waiting list or the last run knows it under.
async fn find(place: &Place, flow: &str, record: &str) -> Result<Option<(RecordKey, Vec<TrailEntry>)>, Failure> {
    let mut keys: Vec<RecordKey> = NonEmpty::new(record).into_iter().collect();
    keys.extend(labels(place, flow).await?.into_iter().filter(|(label, _)| label == record).map(|(_, key)| key));
    for key in keys {
        let entries = trail::read(&place.engine, &place.tenant, flow, &key).await?;
        if !entries.is_empty() {
            return Ok(Some((key, entries)));
        }
    }
    Ok(None)
}

/// Labels that are known, with their keys.
pub(super) async fn labels(place: &Place, flow: &str) -> Result<BTreeSet<(String, RecordKey)>, Failure> {
    let (engine, tenant) = (&place.engine, &place.tenant);
    let waiting = waiting::list(engine, tenant, flow).await?;
    let mut labels: BTreeSet<_> = waiting.into_iter().map(|record| (record.label, record.key)).collect();
    labels.extend(last_results(place, flow).await?.into_iter().map(|result| (result.label, result.key)));
    Ok(labels)
}

/// What became of the records of the open run and the last one.
async fn last_results(place: &Place, flow: &str) -> Result<Vec<RecordResult>, Failure> {
    let (engine, tenant) = (&place.engine, &place.tenant);
    let state = runs::state(engine, tenant, flow).await?;
    let mut all = Vec::new();
    for run in state.open_run.into_iter().chain(state.last_run.map(|(run, _)| run)) {
        all.extend(runs::results(engine, tenant, flow, &run).await?.0);
    }
    Ok(all)
}

/// Why there is nothing to show: the record ended before anything was written down, or nobody knows it.
async fn unknown(place: &Place, config: &Config, args: &Args) -> Result<CliError, Failure> {
    let record = args.record.trim();
    let mut known = BTreeSet::new();
    for flow in config.flows.keys() {
        for result in last_results(place, flow).await? {
            if (result.label == record || result.key.as_str() == record)
                && let Some(cause) = result.cause
            {
                let message =
                    format!("it left no trail: {} in the last run, because {}", result.outcome, cause.message);
                return Ok(CliError::new(
                    Exit::Failed,
                    Cause::new("no_trail", message).in_flow(flow).of_record(record),
                ));
            }
        }
        known.extend(labels(place, flow).await?.into_iter().map(|(label, _)| label));
    }
    let message = format!("there is no trail of «{record}»; trails are kept for {} days", trail::KEEP.num_days());
    let cause = Cause::new("no_trail", message);
    // Numbers near each other are different orders, so only a slip in a word is worth a guess.
    let near = nearest(record, known.iter().map(String::as_str).filter(|label| label.parse::<u64>().is_err()));
    let cause = match near {
        Some(near) => cause.advice(format!("did you mean «{near}»?")),
        None => cause.advice("give the number or the id that the source knows it by"),
    };
    Ok(CliError::new(Exit::Failed, cause))
}

fn show(output: Output, entry: &TrailEntry, full: bool) {
    let step = output.style.paint(Colour::Bold, entry.step.name());
    output.text(&format!("├─ {}  {step}  {}  (run {})", moment(entry.at), entry.summary, entry.run));
    let Some(fields) = entry.payload.as_object() else { return };
    for (name, value) in fields {
        if name == "calls" {
            for call in value.as_array().into_iter().flatten() {
                show_call(output, call, full);
            }
            continue;
        }
        if value.is_null() {
            continue;
        }
        output.text(&format!("│    {}: {}", word(name), shown(value, full)));
    }
}

/// What a part of the payload is called.
fn word(name: &str) -> &str {
    match name {
        "source" => "came",
        "document" => "document",
        "cents" => "cents",
        "payload" => "sent",
        "answer" => "answered",
        "failure" => "failed",
        other => other,
    }
}

fn show_call(output: Output, call: &Value, full: bool) {
    let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
    let status = call["status"].as_u64().map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    output.text(&format!("│    call: {} {} → {status} ({} ms)", text("method"), text("path"), call["duration_ms"]));
    for (name, label) in [("request", "sent"), ("response", "answered")] {
        if full && !call[name].is_null() {
            output.text(&format!("│      {label}: {}", shown(&call[name], true)));
        }
    }
}

fn shown(value: &Value, full: bool) -> String {
    if full {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        return text.replace('\n', "\n│    ");
    }
    let text = value.to_string();
    if text.chars().count() <= SHORT {
        return text;
    }
    format!("{}… ({} characters, --full shows all)", text.chars().take(SHORT).collect::<String>(), text.chars().count())
}
