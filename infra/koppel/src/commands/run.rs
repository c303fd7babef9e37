//! `koppel run`: runs a flow once and shows what became of every record.

mod tables;

use koppel_core::document::Entity;
use koppel_core::keys::RecordKey;
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::{Cause, NonEmpty};
use koppel_flows::config::Config;
use koppel_flows::loaded::parse_since;
use koppel_flows::runs::{self, RecordResult, Run, Scope};
use koppel_flows::{connections, number_back, waiting};
use serde_json::json;

use crate::cli::Global;
use crate::drive;
use crate::error::{CliError, Exit};
use crate::output::{Output, Progress, count, reasons};
use crate::place::{Place, known_flow};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flow, as in koppel.yaml
    flow: String,
    /// Read what changed since this date, in place of since the last run
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Read only these records, by their id in the source; may be repeated
    #[arg(long = "id", value_name = "ID", conflicts_with = "since")]
    ids: Vec<String>,
}

/// Runs the command.
pub async fn run(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = place.config().await?;
    let flow = args.flow.as_str();
    known_flow(&stored.config, flow)?;
    let scope = scope(args)?;
    may_run(&place, &stored.config, flow).await?;
    finish_open_run(&place, output, flow).await?;
    let waiting = if scope == Scope::default() { due(&place, flow, stored.version).await? } else { Vec::new() };
    let mut before = None;
    if !waiting.is_empty() {
        output
            .note(&format!("{} tried again first:", count(waiting.len(), "waiting record is", "waiting records are")));
        let ended = one_run(&place, output, flow, Scope { since: None, ids: waiting }).await?;
        show(output, &ended);
        output.note("");
        before = Some(ended);
    }
    let ended = one_run(&place, output, flow, scope).await?;
    show(output, &ended);
    let numbers = tell_numbers(&place, output, &stored.config, flow).await?;
    let mut document = ended.to_json();
    if let Some(numbers) = numbers {
        document["numbers"] = numbers;
    }
    if let Some(before) = &before {
        document["waiting"] = before.to_json();
    }
    output.document(&document);
    let mut exit = Exit::Done;
    for ended in before.iter().chain([&ended]) {
        if end_of(&place, &stored.config, &ended.run).await? == Exit::Attention {
            exit = Exit::Attention;
        }
    }
    Ok(exit)
}

/// Numbers of documents go back to where the records came from; a stack does it by its schedule.
async fn tell_numbers(
    place: &Place,
    output: Output,
    config: &Config,
    flow: &str,
) -> Result<Option<serde_json::Value>, CliError> {
    let Some(settings) = config.flows.get(flow).filter(|_| place.embedded.is_some()) else { return Ok(None) };
    let Some(field) = settings.settings.number_back.as_deref() else { return Ok(None) };
    let told = number_back::tell(&place.engine, &place.tenant, config, flow).await?;
    if told.noted > 0 {
        let numbers = count(told.noted, "number of a document", "numbers of documents");
        output.note(&format!("{numbers} noted in {field} of {}", settings.from));
    }
    reasons(output, "Not noted", told.failed.iter().map(|(label, cause)| (label.as_str(), "number", cause)));
    Ok(Some(json!({ "noted": told.noted, "failed": told.failed })))
}

/// A run that has ended, with what became of its records.
struct Ended {
    run: Run,
    entity: Entity,
    records: Vec<RecordResult>,
    chunk_calls: usize,
}

impl Ended {
    fn record_calls(&self) -> usize {
        self.records.iter().map(|record| record.calls).sum()
    }

    fn to_json(&self) -> serde_json::Value {
        let run = &self.run;
        json!({
            "run": run.id, "flow": run.flow, "funnel": run.funnel, "adds_up": run.funnel.adds_up(),
            "records": self.records, "incomplete": run.incomplete,
            "calls": { "chunks": self.chunk_calls, "records": self.record_calls() },
        })
    }
}

/// Starts a run and brings it to its end.
async fn one_run(place: &Place, output: Output, flow: &str, scope: Scope) -> Result<Ended, CliError> {
    let Some(id) = runs::start(&place.engine, &place.tenant, flow, scope).await? else {
        let cause = Cause::new("run_open", "another process has just started a run of this flow");
        return Err(CliError::new(Exit::Failed, cause.advice("see koppel status").in_flow(flow)));
    };
    let run = drive::to_the_end(place, flow, &id, &Progress::new(&output, flow)).await?;
    let (mut records, chunk_calls) = runs::results(&place.engine, &place.tenant, flow, &id).await?;
    records.sort_by(|a, b| order_of(a).cmp(&order_of(b)));
    let entity = place.config().await?.config.flows.get(flow).map_or(Entity::Orders, |flow| flow.entity);
    Ok(Ended { run, entity, records, chunk_calls })
}

/// Waiting records whose time has come: a person who runs a flow expects them to be part of it.
async fn due(place: &Place, flow: &str, version: u64) -> Result<Vec<RecordKey>, CliError> {
    let now = place.engine.clock.now();
    let list = waiting::list(&place.engine, &place.tenant, flow).await?;
    Ok(list.into_iter().filter(|record| record.is_due(now, version)).map(|record| record.key).collect())
}

fn scope(args: &Args) -> Result<Scope, CliError> {
    let since = args.since.as_deref().map(parse_since).transpose().map_err(|cause| {
        let cause = Cause { place: Box::default(), ..cause };
        CliError::settings(cause.in_row("--since"))
    })?;
    let empty = || CliError::settings(Cause::new("empty_key", "--id is empty, and an empty key is never a key"));
    let ids = args.ids.iter().map(|id| NonEmpty::new(id).ok_or_else(empty)).collect::<Result<Vec<RecordKey>, _>>()?;
    Ok(Scope { since, ids })
}

/// A stopped connection would only fail again.
async fn may_run(place: &Place, config: &Config, flow: &str) -> Result<(), CliError> {
    let Some(settings) = config.flows.get(flow) else { return Ok(()) };
    for name in [&settings.from, &settings.to] {
        if let Some(stopped) = connections::stopped(&place.engine, &place.tenant, name).await? {
            // A person who runs a flow asks a connection that was down whether it answers again.
            if stopped.probe_at().is_some() {
                connections::reach(&place.engine, &place.tenant, config, name).await?;
                connections::resume(&place.engine, &place.tenant, name).await?;
                continue;
            }
            let message = format!("the connection is stopped: {}", stopped.cause.message);
            let cause = Cause::new(stopped.cause.code, message).advice(format!("run koppel connect {name}"));
            return Err(CliError::new(Exit::Consent, cause.in_flow(flow).at_connection(name)));
        }
    }
    Ok(())
}

/// A run that a crash or a stop left open is brought to its end first: two at once would meet in the same records.
async fn finish_open_run(place: &Place, output: Output, flow: &str) -> Result<(), CliError> {
    let Some(open) = runs::state(&place.engine, &place.tenant, flow).await?.open_run else { return Ok(()) };
    output.aside(&format!("run {open} of {flow} has not ended yet: it is finished first"));
    let run = drive::to_the_end(place, flow, &open, &Progress::new(&output, flow)).await?;
    output.aside(&format!("run {open} has ended: {}", run.funnel));
    Ok(())
}

/// Numbers by their value, other labels after them by their text.
fn order_of(result: &RecordResult) -> (bool, u64, &str) {
    let number = result.label.parse::<u64>().ok();
    (number.is_none(), number.unwrap_or_default(), &result.label)
}

fn show(output: Output, ended: &Ended) {
    let Ended { run, records, chunk_calls, .. } = ended;
    if !records.is_empty() {
        output.table(&tables::of(ended.entity, records));
    }
    let left_out = records
        .iter()
        .filter(|record| !matches!(record.outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged))
        .filter_map(|record| record.cause.as_ref().map(|cause| (record.label.as_str(), record.outcome.name(), cause)));
    reasons(output, "Not delivered", left_out);
    let warned = records
        .iter()
        .flat_map(|record| record.warnings.iter().map(move |cause| (record.label.as_str(), "warning", cause)));
    reasons(output, "Warnings", warned);
    output.note(&format!("{}: {}", run.flow, funnel(&run.funnel)));
    output.note(&format!(
        "calls: {} ({chunk_calls} for whole chunks, {} for single records)",
        chunk_calls + ended.record_calls(),
        ended.record_calls()
    ));
}

fn funnel(funnel: &Funnel) -> String {
    let sum = if funnel.adds_up() { String::new() } else { format!(" (does not add up: {})", funnel.settled()) };
    format!("{funnel}{sum}")
}

/// The exit code, or why the run cannot be trusted.
async fn end_of(place: &Place, config: &Config, run: &Run) -> Result<Exit, CliError> {
    // Records that wait for consent wait for a person: that comes before everything else.
    may_run(place, config, &run.flow).await?;
    if let Some(cause) = &run.incomplete {
        // What a setting has stopped is repaired by whoever runs it; everything else is tried again.
        let exit = if run.incomplete_class.as_deref() == Some("settings") { Exit::Settings } else { Exit::Failed };
        return Err(CliError::new(exit, cause.clone().in_flow(&run.flow)));
    }
    if !run.funnel.adds_up() {
        let cause = Cause::new("funnel", format!("the run does not add up: {}", run.funnel)).in_flow(&run.flow);
        return Err(CliError::new(Exit::Failed, cause.advice("see koppel status, and report this as a defect")));
    }
    let attention = run.funnel.count(Outcome::Rejected) + run.funnel.count(Outcome::Parked);
    Ok(if attention > 0 { Exit::Attention } else { Exit::Done })
}
