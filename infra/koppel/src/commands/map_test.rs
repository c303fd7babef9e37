//! `koppel map test`: what the rows of a flow make of one record, with the mistake shown under its cell.

use std::path::PathBuf;

use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, Priority};
use koppel_core::{Cause, NonEmpty};
use koppel_flows::config::{Config, FlowConfig, parse};
use koppel_flows::connections;
use koppel_flows::steps::preview::{self, Preview};
use serde_json::Value;

use super::apply::read;
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::lines::with_line;
use crate::output::Output;
use crate::place::{Place, known_flow};

/// Arguments of `map test`.
#[derive(Debug, clap::Args)]
pub struct TestArgs {
    /// Flow, as in koppel.yaml
    #[arg(long, value_name = "FLOW")]
    flow: String,
    /// A file with one record as the source gives it (JSON)
    #[arg(long, value_name = "FILE", required_unless_present = "id")]
    record: Option<PathBuf>,
    /// Read this record from the source, by its id
    #[arg(long, value_name = "ID", conflicts_with = "record")]
    id: Option<String>,
}

/// Runs the command.
pub async fn run(global: &Global, output: Output, args: &TestArgs) -> Result<Exit, CliError> {
    let (file, text) = read(&global.file)?;
    let config = parse(&file, &text).map_err(CliError::settings)?;
    known_flow(&config, &args.flow)?;
    let place = Place::open(global).await?;
    let Some(settings) = config.flows.get(&args.flow) else { return Ok(Exit::Failed) };
    let told = |error: CliError| {
        error.map_causes(|cause| with_line(cause, &file, &text)).with_snippets(|cause| caret(cause, settings))
    };
    let engine = &place.engine;
    let flow = preview::load(engine, &place.tenant, &args.flow, &config, &file).await.map_err(|f| told(f.into()))?;
    let record = match (&args.record, &args.id) {
        (Some(path), _) => from_file(path)?,
        (None, id) => from_source(&place, &config, settings, id.as_deref().unwrap_or_default()).await?,
    };
    let preview = preview::preview(engine, &flow, &record).await.map_err(|failure| told(failure.into()))?;
    show(output, &preview);
    output.document(&preview);
    Ok(Exit::Done)
}

fn show(output: Output, preview: &Preview) {
    if let Some(reason) = &preview.filtered {
        return output.text(&format!("filtered: {reason}"));
    }
    let pretty = |value: Value| serde_json::to_string_pretty(&value).unwrap_or_default();
    let part = |title: &str, value: Value| output.text(&format!("{title}:\n{}\n", pretty(value)));
    part("document", serde_json::to_value(&preview.document).unwrap_or_default());
    if let Some(cents) = &preview.cents {
        part("cents", serde_json::to_value(cents).unwrap_or_default());
    }
    if let Some(customer) = &preview.customer {
        part("customer", customer.clone());
    }
    if let Some(payload) = &preview.payload {
        part("payload (ids of the target are placeholders)", payload.clone());
    }
    for warning in &preview.warnings {
        output.text(&format!("warning: {warning}"));
    }
}

fn from_file(path: &std::path::Path) -> Result<SourceRecord, CliError> {
    let (file, text) = read(path)?;
    let raw: Value = serde_json::from_str(&text).map_err(|error| {
        CliError::settings(Cause::new("not_json", format!("the record is not JSON: {error}")).in_file(&file))
    })?;
    if !raw.is_object() {
        let cause = Cause::new("not_a_record", "the file must hold one record, a JSON object").in_file(&file);
        return Err(CliError::settings(cause));
    }
    let text_of = |name: &str| match &raw[name] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let id = NonEmpty::new(text_of("id")).or_else(|| NonEmpty::new("sample"));
    let key = id.ok_or_else(|| CliError::settings(Cause::new("empty_key", "the record has no id")))?;
    let label = NonEmpty::new(text_of("number")).unwrap_or_else(|| key.clone());
    Ok(SourceRecord { key, label: label.into(), partition: String::new(), modified_at: None, raw })
}

async fn from_source(place: &Place, config: &Config, flow: &FlowConfig, id: &str) -> Result<SourceRecord, CliError> {
    let key = NonEmpty::new(id).ok_or_else(|| CliError::settings(Cause::new("empty_key", "--id is empty")))?;
    let source = connections::source(&place.engine, &place.tenant, config, &flow.from).await?;
    let found = source.fetch_one(flow.entity, &key, &Calls::new(Priority::Orders)).await;
    let found = found.map_err(|failure| failure.map_cause(|cause| cause.at_connection(&flow.from)))?;
    found.ok_or_else(|| {
        let cause = Cause::new("not_found", format!("the source has no record with the id {key}"));
        CliError::new(Exit::Failed, cause.at_connection(&flow.from))
    })
}

/// The cell of a user's own row with a mark under what is wrong.
pub fn caret(cause: &Cause, flow: &FlowConfig) -> Option<String> {
    let (row, column) = (cause.place.row.as_deref()?, cause.place.column.as_deref()?);
    let cell = if row == "filter.where" {
        flow.filter.condition.as_deref()
    } else {
        ["", "target.", "target.customer."].iter().find_map(|prefix| flow.map.get(&format!("{prefix}{row}"))?.as_str())
    };
    // Only a cell of one line can be pointed into.
    let cell = cell.filter(|cell| !cell.contains('\n'))?;
    let mut ends = column.split('-').map(|part| part.parse::<usize>().unwrap_or(1).max(1));
    let from = ends.next().unwrap_or(1);
    let to = ends.next().unwrap_or(from).max(from);
    Some(format!("    {cell}\n    {}{}", " ".repeat(from - 1), "^".repeat(to - from + 1)))
}
