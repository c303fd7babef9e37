//! `koppel explain`: which filter a record passed, and which row or setting decided each of its values.

use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, Priority};
use koppel_core::{Cause, NonEmpty};
use koppel_flows::config::StoredConfig;
use koppel_flows::connections;
use koppel_flows::steps::explain::{ByRow, BySetting, Explained, explain as explain_record};
use koppel_flows::steps::preview;
use serde_json::Value;

use super::{apply, plan, trail};
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::lines::with_line;
use crate::output::table::Column;
use crate::output::{Output, Table};
use crate::place::{Place, known_flow};

/// Longest value in a table; `--json` has them whole.
const LONGEST: usize = 48;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flow, as in koppel.yaml
    flow: String,
    /// Id of the record in the source, or the number it was last shown under
    record: String,
    /// Explain with the configuration file as it stands, before it is applied
    #[arg(long)]
    draft: bool,
    /// Show empty values too
    #[arg(long)]
    full: bool,
}

/// Runs the command.
pub async fn explain(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = if args.draft { plan::draft(global, &place)? } else { place.config().await? };
    known_flow(&stored.config, &args.flow)?;
    let flow = preview::load(&place.engine, &place.tenant, &args.flow, &stored.config, &stored.file).await?;
    let record = record(&place, &stored, args).await?;
    let explained = explain_record(&place.engine, &flow, &record).await;
    // Lines of the user's own file, when it is here.
    let text = apply::read(&global.file).map(|(_, text)| text).unwrap_or_default();
    let own = Own { file: &stored.file, text: &text, flow: &args.flow };
    show(output, &explained, &own, args.full);
    output.document(&explained);
    Ok(Exit::Done)
}

/// The record by the number it is known under, else by its id.
async fn record(place: &Place, stored: &StoredConfig, args: &Args) -> Result<SourceRecord, CliError> {
    let asked = args.record.trim();
    let known = trail::labels(place, &args.flow).await?;
    let mut keys: Vec<RecordKey> = known.into_iter().filter(|(label, _)| label == asked).map(|(_, key)| key).collect();
    keys.extend(NonEmpty::new(asked));
    let from = stored.config.flows.get(&args.flow).map(|flow| (flow.from.as_str(), flow.entity));
    let Some((from, entity)) = from else { return Err(not_found(asked)) };
    let source = connections::source(&place.engine, &place.tenant, &stored.config, from).await?;
    for key in keys {
        let found = source.fetch_one(entity, &key, &Calls::new(Priority::Orders)).await;
        if let Some(found) = found.map_err(|failure| failure.map_cause(|cause| cause.at_connection(from)))? {
            return Ok(found);
        }
    }
    Err(not_found(asked))
}

fn not_found(asked: &str) -> CliError {
    let cause = Cause::new("not_found", format!("the source has no record «{asked}»"));
    CliError::new(Exit::Failed, cause.advice("give the id that the source has for it, as koppel trail shows it"))
}

/// The user's own file.
struct Own<'a> {
    file: &'a str,
    text: &'a str,
    flow: &'a str,
}

impl Own<'_> {
    /// File and line of a key of the flow.
    fn place(&self, row: &str) -> String {
        let cause = Cause::new("", "").in_file(self.file).in_flow(self.flow).in_row(row);
        with_line(cause, self.file, self.text).place.file.unwrap_or_default()
    }
}

fn show(output: Output, explained: &Explained, own: &Own<'_>, full: bool) {
    output.text(&format!("{}, record {} (id {} in the source)", explained.flow, explained.label, explained.key));
    for passed in &explained.passed {
        output.text(&format!("passed {}: {} [{}]", passed.row, passed.because, own.place(&passed.row)));
    }
    rows(output, "Read from the source", "", &explained.document, own, full);
    if let Some(said) = &explained.vat_number {
        output.text(&format!("\nVAT number: {said}"));
    }
    if !explained.bundles.is_empty() {
        output.text(&format!("\nBundles [{}]:", own.place("settings.bundles")));
        for fate in &explained.bundles {
            output.text(&format!("  line {} ({}): {}", fate.line, cut(&fate.article), fate.became));
        }
    }
    if !explained.codes.is_empty() {
        output.text("\nCodes:");
        output.table(&codes(&explained.codes, own));
    }
    if let Some(cents) = &explained.cents {
        let cents = serde_json::to_value(cents).unwrap_or_default();
        output.text("\nCents:");
        for (name, value) in cents.as_object().into_iter().flatten() {
            output.text(&format!("  {name}: {}", short(value)));
        }
    }
    if let Some(dated) = &explained.dated {
        let closed = dated.closed.join(", ");
        output.text(&format!(
            "\nDated {} instead of {}: {closed} is closed, and {} says first_open_day [{}]",
            dated.date,
            dated.true_date,
            dated.setting,
            own.place(&dated.setting)
        ));
    }
    rows(output, "Sent to the target (ids of the target are placeholders)", "target.", &explained.sent, own, full);
    rows(output, "Customer", "target.customer.", &explained.customer, own, full);
    if let Some(cause) = &explained.stopped {
        output.text(&format!("\nIt ends here: {cause}"));
    }
}

fn rows(output: Output, title: &str, prefix: &str, rows: &[ByRow], own: &Own<'_>, full: bool) {
    let shown: Vec<&ByRow> =
        rows.iter().filter(|row| full || !is_empty(&row.value)).filter(|row| !is_told_in_parts(row, rows)).collect();
    if shown.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("  value", Column::Left),
        ("is", Column::Flexible),
        ("by", Column::Flexible),
        ("in", Column::Left),
    ]);
    for row in shown {
        let path = format!("  {}", row.path);
        table.row([path.into(), short(&row.value).into(), cut(&row.cell).into(), place(row, prefix, own).into()]);
    }
    output.text(&format!("\n{title}:"));
    output.table(&table);
}

/// The parts of a list are shown one by one.
fn is_told_in_parts(row: &ByRow, rows: &[ByRow]) -> bool {
    row.value.is_array() && rows.iter().any(|other| other.path.starts_with(&format!("{}[", row.path)))
}

/// Where the row stands, and whose it is.
fn place(row: &ByRow, prefix: &str, own: &Own<'_>) -> String {
    if row.own {
        let plain: String = without_numbers(&row.path);
        return format!("{} (your own)", own.place(&format!("{prefix}{plain}")));
    }
    let lines: Vec<String> = row.lines.iter().map(usize::to_string).collect();
    match lines.as_slice() {
        [] => row.file.clone(),
        [one] => format!("{} line {one}", row.file),
        _ => format!("{} lines {}", row.file, lines.join(", ")),
    }
}

/// `lines[0].sku` is written as `lines.sku` in a file.
fn without_numbers(path: &str) -> String {
    let mut inside = false;
    let keep = |c: &char| {
        match c {
            '[' => inside = true,
            ']' => {
                inside = false;
                return false;
            }
            _ => {}
        }
        !inside
    };
    path.chars().filter(keep).collect()
}

fn codes(codes: &[BySetting], own: &Own<'_>) -> Table {
    let mut table =
        Table::new(&[("  code", Column::Left), ("is", Column::Left), ("by", Column::Flexible), ("in", Column::Left)]);
    for code in codes {
        let by = match (code.part, code.key.as_str()) {
            ("article_number", _) => "the article number of the line".to_owned(),
            ("mapped", _) => "a row of the mapping".to_owned(),
            (part, "") => format!("{}.{part}", code.setting),
            (part, key) => format!("{}.{part}: {key}", code.setting),
        };
        let place = if code.part == "article_number" { String::new() } else { own.place(&code.setting) };
        table.row([format!("  {}", code.path).into(), code.code.as_str().into(), by.into(), place.into()]);
    }
    table
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::String(text) => cut(text),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let text = text.replace(['\n', '\r', '\t'], " ");
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_is_named_as_in_a_file() {
        assert_eq!(without_numbers("lines[12].taxes[0].amount"), "lines.taxes.amount");
        assert_eq!(without_numbers("reference"), "reference");
    }

    #[test]
    fn values_are_short_and_numbers_are_as_written() {
        assert_eq!(short(&json!(4)), "4");
        assert_eq!(short(&json!("x".repeat(80))).chars().count(), LONGEST);
        assert_eq!(short(&json!(["a"])), "[\"a\"]");
    }
}
