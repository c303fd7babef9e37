//! A plan as a person reads it: a table, the differences, the reasons, and what would be booked.

use koppel_core::document::Entity;
use koppel_core::outcome::Outcome;
use koppel_flows::plan::{Amounts, CustomerAct, Plan, PlannedCustomer, PlannedRecord};
use koppel_flows::runs::RecordResult;
use serde_json::Value;

use crate::output::style::of_outcome;
use crate::output::table::{Cell, Column};
use crate::output::{Output, Table, amount, count, moment, reasons};

/// Longest value in a line of differences; `--json` has them whole.
const LONGEST_VALUE: usize = 60;

/// Shows it.
pub fn plan(output: Output, plan: &Plan, full: bool) {
    if !plan.records.is_empty() {
        output.table(&table(plan));
    }
    section(output, "VAT numbers", &numbers(plan));
    section(output, "Differences", &differences(plan));
    if full {
        for record in plan.records.iter().filter(|record| record.would_be_sent()) {
            let payload = serde_json::to_string_pretty(&record.payload).unwrap_or_default();
            output.text(&format!("\n{} would be sent as:\n{payload}", record.result.label));
        }
    }
    let left = plan.records.iter().filter(|record| !record.would_be_sent()).map(|record| &record.result);
    let left =
        left.filter_map(|result| result.cause.as_ref().map(|cause| (result.label.as_str(), would(result), cause)));
    reasons(output, "Not delivered", left);
    let results = plan.records.iter().map(|record| &record.result);
    let warned =
        results.flat_map(|result| result.warnings.iter().map(|cause| (result.label.as_str(), "warning", cause)));
    reasons(output, "Warnings", warned);
    if plan.totals.documents > 0 {
        output.text("");
        output.table(&sums("VAT code", "none", &plan.totals.by_vat_code));
        output.text("");
        output.table(&sums("revenue account", "of the article", &plan.totals.by_revenue_account));
        output.text(&format!(
            "{}, {}",
            count(plan.totals.documents, "document", "documents"),
            count(plan.new_customers, "new customer", "new customers")
        ));
    }
    output.note("\nOnly a run finds out:");
    for note in &plan.notes {
        output.note(&format!("  {note}"));
    }
    let limit = plan.limit.map(|limit| format!(", at most {limit}")).unwrap_or_default();
    output.note(&format!("\nread what changed since {}{limit}", moment(plan.since)));
    output.note(&format!("{}: {}", plan.flow, plan.funnel));
    output.note(&format!("calls: {}; nothing was written", plan.calls));
}

/// The word for what would happen.
fn act(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Filtered => "filter",
        Outcome::Unchanged => "leave",
        Outcome::Skipped => "skip",
        Outcome::Created => "create",
        Outcome::Updated => "update",
        Outcome::Rejected => "reject",
        Outcome::Parked => "wait",
    }
}

/// As [`act`], with what waits for a decision told from what waits by itself.
fn would(result: &RecordResult) -> &'static str {
    match &result.cause {
        Some(cause) if cause.code == koppel_flows::review::CODE => "review",
        _ => act(result.outcome),
    }
}

fn table(plan: &Plan) -> Table {
    let what = match plan.entity {
        Entity::Orders => "order",
        Entity::Refunds => "refund",
        Entity::Products => "article",
        Entity::Stock => "stock of",
        Entity::Customers => "customer",
        Entity::Prices => "price of",
    };
    let mut table = Table::new(&[
        (what, Column::Left),
        ("status", Column::Left),
        ("would", Column::Left),
        ("as", Column::Left),
        ("for", Column::Flexible),
        ("who", Column::Left),
        ("lines", Column::Right),
        ("net", Column::Right),
        ("tax", Column::Right),
        ("total", Column::Right),
        ("fields", Column::Flexible),
    ]);
    for record in &plan.records {
        let result = &record.result;
        table.row([
            result.label.as_str().into(),
            result.status.as_str().into(),
            Cell::coloured(would(result), of_outcome(result.outcome)),
            name_of(record).into(),
            result.customer.as_str().into(),
            record.customer.as_ref().map(who).unwrap_or_default().into(),
            if result.lines == 0 { String::new() } else { result.lines.to_string() }.into(),
            amount(result.net).into(),
            amount(result.tax).into(),
            amount(result.total).into(),
            result.fields.join(", ").into(),
        ]);
    }
    table
}

/// What the target calls it, or would.
fn name_of(record: &PlannedRecord) -> &str {
    match record.result.target_number.as_str() {
        "" => &record.natural_key,
        number => number,
    }
}

fn who(customer: &PlannedCustomer) -> String {
    let address = if customer.new_address { ", new address" } else { "" };
    match customer.act {
        CustomerAct::Create => format!("new{address}"),
        CustomerAct::Update => format!("{}, changed if it differs{address}", customer.code),
        CustomerAct::Use => format!("{}{address}", customer.code),
    }
}

/// Those that VIES was asked about.
fn numbers(plan: &Plan) -> Vec<String> {
    let told = plan.records.iter().filter_map(|record| Some((&record.result.label, record.vat_number.as_ref()?)));
    told.map(|(label, said)| format!("  {label}  {said}")).collect()
}

fn differences(plan: &Plan) -> Vec<String> {
    let lines = plan.records.iter().flat_map(|record| {
        record.changes.iter().map(|change| {
            let (before, after) = (value(&change.before), value(&change.after));
            format!("  {}  {}: {before} → {after}", record.result.label, change.field)
        })
    });
    lines.collect()
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST_VALUE - 1).collect();
    short.push('…');
    short
}

fn sums(head: &'static str, none: &str, sums: &[Amounts]) -> Table {
    let mut table = Table::new(&[
        (head, Column::Left),
        ("lines", Column::Right),
        ("net", Column::Right),
        ("tax as charged", Column::Right),
        ("", Column::Left),
    ]);
    for sum in sums {
        table.row([
            if sum.code.is_empty() { none } else { sum.code.as_str() }.into(),
            sum.lines.to_string().into(),
            amount(Some(sum.net)).into(),
            amount(Some(sum.tax)).into(),
            sum.currency.as_str().into(),
        ]);
    }
    table
}

fn section(output: Output, title: &str, lines: &[String]) {
    if !lines.is_empty() {
        output.text(&format!("\n{title}:\n{}", lines.join("\n")));
    }
}
