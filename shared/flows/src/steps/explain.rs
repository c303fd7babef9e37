//! Explain: for one record, which filter it passed, and which row or setting decided each value. Nothing is asked of the
//! target and nothing is stored: ids of the target are placeholders, and closed periods are those that are known.

use chrono::NaiveDate;
use koppel_core::document::{Document, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::message::{MappedRecord, SourceRecord};
use koppel_core::system::{RowsFile, Side};
use koppel_core::vat::VatCheck;
use koppel_mapping::{Scope, TracedRow, Value};
use serde::Serialize;
use serde_json::Value as Json;

use super::{check, map};
use crate::Engine;
use crate::bundles::Fate;
use crate::cents::Sheet;
use crate::config::DefaultCustomerWhen;
use crate::loaded::LoadedFlow;
use crate::periods::{Periods, SETTING};
use crate::rows::row_cause;
use crate::settings::{self, Decider, Ruled};

/// What decided everything about one record.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explained {
    /// Flow.
    pub flow: String,
    /// Id in the source.
    pub key: String,
    /// What a merchant calls it.
    pub label: String,
    /// Filters that it passed.
    pub passed: Vec<Passed>,
    /// Why it ends here: a filter, or something that is wrong. What is decided before it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Cause>,
    /// Values of the canonical document, by rows.
    pub document: Vec<ByRow>,
    /// What became of the lines of bundles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bundles: Vec<Fate>,
    /// What VIES said of the buyer's VAT number, when, and what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vat_number: Option<String>,
    /// Codes, by settings.
    pub codes: Vec<BySetting>,
    /// The proof of cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cents: Option<Sheet>,
    /// The day that the document gets instead of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dated: Option<Dated>,
    /// Values of what is sent, by rows.
    pub sent: Vec<ByRow>,
    /// Values of the customer that is made to exist first, by rows.
    pub customer: Vec<ByRow>,
}

/// Why a document does not have its own date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dated {
    /// The date that it gets.
    pub date: NaiveDate,
    /// Its own.
    pub true_date: NaiveDate,
    /// Periods that are closed in the target.
    pub closed: Vec<String>,
    /// The setting that wants it so.
    pub setting: String,
}

/// A filter that let the record pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Key in the flow.
    pub row: String,
    /// Why it holds.
    pub because: String,
}

/// A value that a row decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ByRow {
    /// Path in the document or in what is sent.
    pub path: String,
    /// Value.
    pub value: Json,
    /// The cell as it is written.
    pub cell: String,
    /// File that the row is in.
    pub file: String,
    /// The row is the user's own.
    pub own: bool,
    /// Lines of a built-in file where this row stands; several when rows of more blocks are alike.
    pub lines: Vec<usize>,
}

/// A code that a setting decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BySetting {
    /// Which code: `payment_terms`, `lines[0].vat_code`.
    pub path: String,
    /// Code.
    pub code: String,
    /// Setting.
    pub setting: String,
    /// Part of it: `force`, `table`, `mapped`, `by_country`, `default`, `when`, or `article_number`.
    pub part: &'static str,
    /// The key that matched, of a table or a country, or the condition.
    pub key: String,
}

/// Explains one record, by what is known at this moment.
pub async fn explain(engine: &Engine, flow: &LoadedFlow, record: &SourceRecord) -> Explained {
    let mut explained = Explained {
        flow: flow.name.clone(),
        key: record.key.to_string(),
        label: record.label.clone(),
        ..Explained::default()
    };
    let told = match Periods::remembered(engine, flow).await {
        Ok(periods) => tell(engine, flow, record, &periods, &mut explained).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = told {
        explained.stopped = Some(failure.cause().clone().in_flow(&flow.name).of_record(&record.label));
    }
    explained
}

async fn tell(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &SourceRecord,
    periods: &Periods,
    told: &mut Explained,
) -> Result<(), Failure> {
    let source = Value::from_json(&record.raw);
    let scope = Scope::new(engine.clock.now()).with_ref("source", &source);
    if let Some(reason) = map::filtered(flow, record, &scope)? {
        told.stopped = Some(reason);
        return Ok(());
    }
    told.passed = passed(flow, record);
    let traced = flow.source_rows.evaluate_traced(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
    let built_in = flow.source_facts.rows_for(Side::Source, flow.flow.entity, None);
    told.document = traced.rows.iter().map(|row| by_row(row, built_in)).collect();
    let around = map::Around::look(engine, flow, std::slice::from_ref(record), map::Keep::No).await?;
    let check = around.number(record)?;
    told.vat_number = check.map(VatCheck::text);
    if let Some(mut order) = map::order_of(engine, flow, record, check)?.filter(|_| is_order(flow)) {
        let facts = flow.target_facts;
        let decided =
            settings::decide_and_tell(&mut order, &flow.flow.settings, facts, flow.flow.document, &mut |ruled| {
                told.codes.push(by_setting(ruled));
            });
        decided?;
    }
    let mapped = match map::map_record(engine, flow, record, &around)? {
        map::Mapped::Passed { record, sheet, bundles } => {
            told.cents = sheet;
            told.bundles = bundles;
            record
        }
        map::Mapped::Filtered(result) => {
            told.stopped = result.cause;
            return Ok(());
        }
    };
    sent(engine, flow, &mapped, periods, told)
}

fn sent(
    engine: &Engine,
    flow: &LoadedFlow,
    mapped: &MappedRecord,
    periods: &Periods,
    told: &mut Explained,
) -> Result<(), Failure> {
    let mut day = None;
    if let Document::Order(order) = &mapped.document {
        let placed = periods.place(order.date).map_err(|shut| shut.failure(periods, flow, mapped, None))?;
        if placed.date != order.date {
            day = Some(placed.date);
            told.dated = Some(Dated {
                date: placed.date,
                true_date: order.date,
                closed: placed.closed,
                setting: SETTING.into(),
            });
        }
    }
    let (rows, customer) = check::trace(engine, flow, mapped, day)?;
    let facts = flow.target_facts;
    let built_in = facts.rows_for(Side::Target, flow.flow.entity, flow.flow.document);
    told.sent = rows.iter().map(|row| by_row(row, built_in)).collect();
    let built_in = facts.rows_for(Side::Target, Entity::Customers, None);
    told.customer = customer.iter().map(|row| by_row(row, built_in)).collect();
    Ok(())
}

fn is_order(flow: &LoadedFlow) -> bool {
    flow.flow.entity == Entity::Orders
}

fn passed(flow: &LoadedFlow, record: &SourceRecord) -> Vec<Passed> {
    let mut passed = Vec::new();
    let wanted = &flow.flow.filter.status;
    if !wanted.is_empty() {
        let because = format!("status «{}» is one of {}", map::status_of(&record.raw), wanted.join(", "));
        passed.push(Passed { row: "filter.status".to_owned(), because });
    }
    if let Some(condition) = &flow.flow.filter.condition {
        passed.push(Passed { row: "filter.where".to_owned(), because: format!("«{condition}» holds") });
    }
    passed
}

fn by_row(row: &TracedRow, built_in: Option<&RowsFile>) -> ByRow {
    let text = built_in.filter(|file| file.name == row.origin).map(|file| file.text);
    ByRow {
        path: row.path.clone(),
        value: row.value.to_json(),
        cell: row.cell.clone(),
        file: row.origin.clone(),
        own: text.is_none(),
        lines: text.map(|text| lines_of(text, row)).unwrap_or_default(),
    }
}

/// The lines where a row stands: its name, followed by its cell or by a cell of several lines.
fn lines_of(text: &str, row: &TracedRow) -> Vec<usize> {
    let name = row.path.rsplit('.').next().unwrap_or_default();
    let name = name.split('[').next().unwrap_or_default();
    let plain = |text: &str| text.trim().trim_matches(['"', '\'']).replace("''", "'");
    let cells = text.lines().enumerate().filter_map(|(at, line)| {
        let (key, cell) = line.trim_start().trim_start_matches("- ").split_once(':')?;
        (plain(key) == name).then(|| (at + 1, cell.trim().to_owned()))
    });
    let (exact, other): (Vec<_>, Vec<_>) = cells.partition(|(_, cell)| plain(cell) == plain(&row.cell));
    if !exact.is_empty() {
        return exact.into_iter().map(|(line, _)| line).collect();
    }
    // A constant, or a text that goes on below: only certain when there is one row of this name.
    let open = |cell: &str| cell.is_empty() || cell.starts_with(['>', '|', '{', '[']);
    let other: Vec<usize> = other.into_iter().filter(|(_, cell)| open(cell)).map(|(line, _)| line).collect();
    if other.len() == 1 { other } else { Vec::new() }
}

fn by_setting(ruled: Ruled) -> BySetting {
    let name = ruled.value.name();
    let (part, key) = match ruled.decider {
        Decider::Force => ("force", String::new()),
        Decider::Table(key) => ("table", key),
        Decider::Mapped => ("mapped", String::new()),
        Decider::Country(country) => ("by_country", country),
        Decider::Default => ("default", String::new()),
        Decider::When(when) => ("when", word(when).to_owned()),
        Decider::ArticleNumber => ("article_number", String::new()),
    };
    let path = ruled.line.map_or_else(|| name.to_owned(), |line| format!("lines[{line}].{name}"));
    BySetting { path, code: ruled.code, setting: format!("settings.{}", ruled.setting), part, key }
}

fn word(when: DefaultCustomerWhen) -> &'static str {
    match when {
        DefaultCustomerWhen::Missing => "missing",
        DefaultCustomerWhen::Guest => "guest",
        DefaultCustomerWhen::Always => "always",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "fields:\n  number: source.number\n  note: >-\n    source.note\n    | trim\n  id: source.id\n  \
                        lines:\n    - fields:\n        id: line.id\n    - fields:\n        id: line.id\n";

    fn lines(path: &str, cell: &str) -> Vec<usize> {
        let row = TracedRow { path: path.into(), origin: String::new(), cell: cell.into(), value: Value::Empty };
        lines_of(ROWS, &row)
    }

    #[test]
    fn a_row_is_found_by_its_name_and_its_cell() {
        assert_eq!(lines("number", "source.number"), [2]);
        assert_eq!(lines("note", "source.note | trim"), [3]);
        assert_eq!(lines("id", "source.id"), [6]);
        assert_eq!(lines("lines[3].id", "line.id"), [9, 11], "blocks that are alike cannot be told apart");
        assert_eq!(lines("total", "source.total"), Vec::<usize>::new());
    }
}
