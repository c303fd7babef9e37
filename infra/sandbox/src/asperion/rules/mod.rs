//! What a row must be like before it is stored, beyond the types of its fields.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::Tx;
use super::contract::Resource;
use super::problem::Errors;
use super::query::same;
use super::values::{self, moment};
use super::write::Fields;
use crate::message::Reply;
use crate::text::{decimal, text, whole};

mod articles;
mod debtors;
mod entries;
mod invoices;
mod orders;

/// Checks a row against the rules of its kind and fills what the system itself knows.
pub(super) fn complete(
    tx: &mut Tx<'_>,
    resource: &Resource,
    fields: Fields,
    before: Option<&Value>,
) -> Result<Fields, Reply> {
    let mut errors = Errors::default();
    let mut row = Value::Object(fields);
    match resource.name.as_str() {
        "debtors" => debtors::check(tx, &mut row, before, &mut errors),
        "articles" => articles::check(tx, &mut row, before, &mut errors),
        "salesinvoiceswithlines" => invoices::check(tx, &mut row, &mut errors),
        "journalentrieswithlines" => entries::check(tx, &mut row, &mut errors),
        "salesorderswithlines" => orders::check(tx, &mut row, &mut errors),
        _ => {}
    }
    if !errors.is_empty() {
        return Err(errors.reply(tx.switches.rule_status, tx.words));
    }
    Ok(row.as_object().cloned().unwrap_or_default())
}

/// What follows when a row is stored.
pub(super) fn stored(tx: &mut Tx<'_>, resource: &Resource, id: &str) {
    if resource.name == "salesorderswithlines" {
        orders::take_from_stock(tx, id);
    }
}

/// A field that must be filled.
fn required(tx: &Tx<'_>, row: &Value, field: &str, place: &str, errors: &mut Errors) -> bool {
    let filled = match row.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    };
    if !filled {
        let told = match tx.words.dutch {
            true => format!("Het veld {place} is verplicht."),
            false => format!("The {place} field is required."),
        };
        errors.add(place, told);
    }
    filled
}

/// A code or number that must be in a list; nothing given is fine.
fn known(tx: &Tx<'_>, list: &str, row: &Value, field: &str, place: &str, errors: &mut Errors) -> Option<Value> {
    let value = row.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""))?;
    let id = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let found = tx.get(list, &id).cloned();
    if found.is_none() {
        unknown(tx, &id, place, errors);
    }
    found
}

fn unknown(tx: &Tx<'_>, value: &str, place: &str, errors: &mut Errors) {
    let told = match tx.words.dutch {
        true => format!("'{value}' bestaat niet in deze administratie."),
        false => format!("'{value}' does not exist in this administration."),
    };
    errors.add(place, told);
}

/// A debtor by the number that people know.
fn debtor_by_number(tx: &Tx<'_>, number: &str) -> Option<Value> {
    tx.rows("debtors").into_iter().find(|row| same(row, "customerNumber", number)).cloned()
}

/// A debtor documents may be made for.
fn usable_debtor(tx: &Tx<'_>, debtor: &Value, place: &str, errors: &mut Errors) {
    if debtor["blocked"] == true {
        errors.add(place, tx.words.pick("De debiteur is geblokkeerd.", "The debtor is blocked."));
    }
}

/// Book year and period are given, exist and are open.
fn period(tx: &Tx<'_>, row: &Value, errors: &mut Errors) {
    let year = required(tx, row, "bookyear", "Bookyear", errors);
    let number = required(tx, row, "bookperiod", "Bookperiod", errors);
    if !year || !number {
        return;
    }
    let of = |field: &str| row.get(field).and_then(whole).unwrap_or_default();
    let asked = (of("bookyear"), of("bookperiod"));
    if values::period(&format!("{}-{}", asked.0, asked.1)).is_none() {
        errors.add("Bookperiod", tx.words.pick("De periode bestaat niet.", "The period does not exist."));
    }
    let closed = tx.switches.closed_until.as_deref().and_then(values::period);
    if closed.is_some_and(|closed| asked <= closed) {
        errors.add("Bookperiod", tx.words.pick("De periode is afgesloten.", "The period is closed."));
    }
}

/// A ledger account that can be posted to.
fn account(tx: &Tx<'_>, line: &Value, place: &str, errors: &mut Errors) {
    let place = format!("{place}.LedgerAccountId");
    if !required(tx, line, "ledgerAccountId", &place, errors) {
        return;
    }
    if let Some(account) = known(tx, "ledgeraccounts", line, "ledgerAccountId", &place, errors)
        && account["disabled"] == true
    {
        errors.add(place, tx.words.pick("De grootboekrekening is niet actief.", "The ledger account is disabled."));
    }
}

/// A VAT code for sales that counts on that day; its rate in percent.
fn vat_rate(tx: &Tx<'_>, code: &Value, day: &str, place: &str, errors: &mut Errors) -> Decimal {
    if code["salesCode"] != true {
        errors.add(place, tx.words.pick("Dit is geen btw-code voor verkoop.", "This is no VAT code for sales."));
    }
    let at = moment(day);
    let from = moment(text(code, "validFrom"));
    let until = moment(text(code, "validUntil"));
    let early = from.zip(at).is_some_and(|(from, at)| at < from);
    let late = until.zip(at).is_some_and(|(until, at)| at.date() > until.date());
    if early || late {
        let told = "De btw-code is niet geldig op deze datum.";
        errors.add(place, tx.words.pick(told, "The VAT code is not valid on this date."));
    }
    code.get("percentage").and_then(decimal).unwrap_or_default()
}

/// Amounts have cents, no more.
fn cents(tx: &Tx<'_>, line: &Value, field: &str, place: &str, errors: &mut Errors) -> Decimal {
    let amount = line.get(field).and_then(decimal).unwrap_or_default();
    if amount != amount.round_dp(2) {
        let told = "Een bedrag heeft hoogstens twee decimalen.";
        errors.add(place, tx.words.pick(told, "An amount has at most two decimals."));
    }
    amount
}

/// The VAT of a line: what was sent, when it fits the rate, or else what the rate gives.
fn vat_amount(tx: &Tx<'_>, line: &Value, expected: Decimal, place: &str, errors: &mut Errors) -> Decimal {
    let expected = expected.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    if !line["vatAmount"].is_number() {
        return expected;
    }
    let place = format!("{place}.VatAmount");
    let sent = cents(tx, line, "vatAmount", &place, errors);
    if (sent - expected).abs() > crate::text::dec(&tx.switches.vat_tolerance) {
        let told = match tx.words.dutch {
            true => format!("Het btw-bedrag wijkt af van het tarief; verwacht werd {expected}."),
            false => format!("The VAT amount differs from the rate; expected {expected}."),
        };
        errors.add(place, told);
    }
    sent
}

/// Cost centre and cost unit of a line.
fn cost_places(tx: &Tx<'_>, line: &Value, place: &str, errors: &mut Errors) {
    known(tx, "costcenters", line, "costCenterId", &format!("{place}.CostCenterId"), errors);
    known(tx, "costunits", line, "costUnitId", &format!("{place}.CostUnitId"), errors);
}

/// Lines of a document; none is an error.
fn lines_of(tx: &Tx<'_>, row: &Value, errors: &mut Errors) -> Vec<Value> {
    let lines = row["lines"].as_array().cloned().unwrap_or_default();
    if lines.is_empty() {
        errors.add("Lines", tx.words.pick("Er is ten minste één regel nodig.", "At least one line is required."));
    }
    lines
}

/// A default for a field that was not given.
fn default(row: &mut Value, field: &str, value: impl Into<Value>) {
    if row.get(field).is_none_or(Value::is_null) {
        row[field] = value.into();
    }
}

/// Sets a number with its exact text.
fn set(row: &mut Value, field: &str, value: Decimal) {
    row[field] = crate::text::number(value);
}

/// Today in the administration, at midnight.
fn today(tx: &Tx<'_>) -> Value {
    let now = values::local(tx.now);
    json!(format!("{}T00:00:00", now.get(..10).unwrap_or_default()))
}
