//! Orders that come, change and go.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{TABLE, build, key, lines, not_found, read};
use crate::message::{Call, Reply};
use crate::text::{amount, text};
use crate::visma_net::body::{Verb, read_v3};
use crate::visma_net::errors::{Findings, problem};
use crate::visma_net::rows::{Fields, Tx, encoded, field, filled, version};

fn body(call: &Call) -> Result<Value, Reply> {
    let body = call.json().ok().filter(Value::is_object);
    body.ok_or_else(|| problem(400, "Bad Request", "The body is not a JSON object.", &call.path))
}

/// `POST /SalesOrders`.
pub(super) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let mut findings = Findings::default();
    let mut input = read_v3(tx.switches, "SalesOrder", &body(call)?, Verb::Create, "", &mut findings);
    if !filled(&input, "type") {
        findings.add("0001-NullNotAllowed", "type", "The order type is missing.");
    }
    number_lines(&mut input, "orderLines", 0);
    let kind = tx.get("salesordertype", field(&input, "type")).cloned().unwrap_or_default();
    let own = field(&input, "orderId").to_owned();
    match (kind["_manual"] == true, own.is_empty()) {
        (true, true) => findings.add("0001-NullNotAllowed", "orderId", "Orders of this type are numbered by hand."),
        (false, false) if !kind.is_null() => {
            findings.add("0004-ValueNotAllowed", "orderId", "Orders of this type get their number from the series.");
        }
        _ => {}
    }
    let taken = kind["_manual"] == true && tx.get(TABLE, &key(text(&kind, "orderType"), &own)).is_some();
    if taken && tx.switches.duplicate_order_status == 400 {
        findings.add("0003-InvalidValue", "orderId", "There is an order with this number.");
    }
    let mut row = build::order(tx, call, &input, findings)?;
    if taken {
        return Err(problem(409, "Conflict", "There is an order with this number.", &call.path));
    }
    let id = if own.is_empty() { next(tx, &kind) } else { own };
    row.insert("orderId".into(), json!(id));
    row.insert("attachments".into(), json!([]));
    row.insert("_shipments".into(), json!([]));
    let kind = field(&row, "type").to_owned();
    let place = key(&kind, &id);
    store(tx, &place, row, input);
    let shown = tx.get(TABLE, &place).cloned().unwrap_or_default();
    let encoded = encoded(&id);
    let reply = match tx.switches.v3_post_body {
        true => Reply::json(201, &read::shown(&shown, &["All"])),
        false => Reply::empty(201),
    };
    Ok(reply
        .with("Location", tx.location(&format!("/api/v3/SalesOrders/{kind}/{encoded}")))
        .with("ETag", format!("\"{}\"", version(&shown))))
}

/// The next number of a series: letters stay, digits count on.
fn next(tx: &mut Tx<'_>, kind: &Value) -> String {
    let first = text(kind, "_first");
    let letters: String = first.chars().take_while(|letter| !letter.is_ascii_digit()).collect();
    let width = first.len() - letters.len();
    let number = tx.store.next_number(&format!("order {}", text(kind, "orderType")), 1);
    format!("{letters}{number:0width$}")
}

fn number_lines(fields: &mut Fields, name: &str, last: i64) {
    for (at, line) in fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().enumerate() {
        line["lineId"] = json!(last + 1 + at as i64);
    }
}

fn store(tx: &mut Tx<'_>, place: &str, mut row: Fields, input: Fields) {
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, place, row.clone());
    lines::book(tx, &Value::Object(row), Decimal::ONE);
}

/// Rebuilds an order after a change; its bookings move with it.
fn rebuild(tx: &mut Tx<'_>, call: &Call, place: &str, input: Fields, findings: Findings) -> Result<Reply, Reply> {
    let before = tx.get(TABLE, place).cloned().ok_or_else(|| not_found(call))?;
    let mut row = build::order(tx, call, &input, findings)?;
    for name in ["orderId", "attachments", "_shipments", "_created", "_files_modified"] {
        if let Some(value) = before.get(name) {
            row.insert(name.into(), value.clone());
        }
    }
    lines::book(tx, &before, -Decimal::ONE);
    store(tx, place, row, input);
    accepted(tx, place)
}

fn accepted(tx: &Tx<'_>, place: &str) -> Result<Reply, Reply> {
    let row = tx.get(TABLE, place).cloned().unwrap_or_default();
    Ok(Reply::empty(202).with("ETag", format!("\"{}\"", version(&row))))
}

/// What was sent for an order so far; refused when the order is past changing.
fn open_input(tx: &Tx<'_>, call: &Call, place: &str) -> Result<Fields, Reply> {
    let row = tx.get(TABLE, place).ok_or_else(|| not_found(call))?;
    let shipped = row["_shipments"].as_array().is_some_and(|list| !list.is_empty());
    if !["Open", "Hold", "CreditHold", "BackOrder"].contains(&text(row, "_status")) || shipped {
        let mut findings = Findings::default();
        let code = if shipped { "1810-LineAlreadyCompleted" } else { "0005-InvalidState" };
        findings.add(code, "status", &format!("An order that is {} does not change.", text(row, "_status")));
        findings.told(&call.path)?;
    }
    Ok(row["_input"].as_object().cloned().unwrap_or_default())
}

/// `PATCH /SalesOrders/{type}/{orderId}`.
pub(super) fn patch(tx: &mut Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let held = open_input(tx, call, place)?;
    let mut findings = Findings::default();
    let sent = read_v3(tx.switches, "SalesOrder", &body(call)?, Verb::Change, "", &mut findings);
    rebuild(tx, call, place, overlaid(&held, sent), findings)
}

/// A change over what was sent before: parts are merged, an address or a contact is replaced as a whole.
fn overlaid(before: &Fields, sent: Fields) -> Fields {
    let mut after = before.clone();
    for (name, value) in sent {
        let value = match (after.get(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) if !["address", "contact"].contains(&name.as_str()) => {
                Value::Object(overlaid(old, new))
            }
            (_, value) => value,
        };
        after.insert(name, value);
    }
    after
}

/// The list `lines` of a body, read; each at its place.
fn sent_lines(tx: &Tx<'_>, call: &Call, verb: Verb, findings: &mut Findings) -> Result<Vec<Fields>, Reply> {
    let body = body(call)?;
    let list = body["lines"].as_array().filter(|list| !list.is_empty());
    let Some(list) = list else {
        return Err(problem(400, "Bad Request", "There are no lines set to patch", &call.path));
    };
    let lines = list.iter().enumerate();
    Ok(lines
        .map(|(at, line)| read_v3(tx.switches, "SalesOrderLine", line, verb, &format!("lines[{at}]"), findings))
        .collect())
}

fn lines_of(input: &Fields) -> Vec<Value> {
    input.get("orderLines").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// `POST …/lines`.
pub(super) fn add_lines(tx: &mut Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let mut input = open_input(tx, call, place)?;
    let mut findings = Findings::default();
    let sent = sent_lines(tx, call, Verb::Create, &mut findings)?;
    let mut all = lines_of(&input);
    let mut last = all.iter().filter_map(|line| line["lineId"].as_i64()).max().unwrap_or(0);
    for mut line in sent {
        last += 1;
        line.insert("lineId".into(), json!(last));
        all.push(Value::Object(line));
    }
    input.insert("orderLines".into(), Value::Array(all));
    rebuild(tx, call, place, input, findings)
}

/// `PATCH …/lines`.
pub(super) fn patch_lines(tx: &mut Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let mut input = open_input(tx, call, place)?;
    let mut findings = Findings::default();
    let sent = sent_lines(tx, call, Verb::Change, &mut findings)?;
    let mut all = lines_of(&input);
    let mut seen = Vec::new();
    for (at, line) in sent.into_iter().enumerate() {
        let property = format!("lines[{at}].lineId");
        let id = line.get("lineId").and_then(Value::as_i64);
        if seen.contains(&id) {
            findings.add("1817-LineIdIsNotUnique", &property, "The line is there twice.");
        }
        seen.push(id);
        match all.iter_mut().find(|one| id.is_some() && one["lineId"].as_i64() == id) {
            None => findings.add("0200-LineIdDoesNotExist", &property, "There is no such line."),
            Some(old) => {
                let held = old.as_object().cloned().unwrap_or_default();
                *old = Value::Object(overlaid(&held, line));
            }
        }
    }
    input.insert("orderLines".into(), Value::Array(all));
    rebuild(tx, call, place, input, findings)
}

/// `DELETE …/lines?ids=1&ids=2`.
pub(super) fn delete_lines(tx: &mut Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let mut input = open_input(tx, call, place)?;
    let pairs = call.pairs();
    let texts = pairs.iter().filter(|(name, _)| name == "ids").flat_map(|(_, value)| value.split(','));
    let ids: Option<Vec<i64>> = texts.map(|text| text.trim().parse().ok()).collect();
    let ids = ids.filter(|ids| !ids.is_empty() && ids.len() <= 1_000);
    let ids = ids.ok_or_else(|| problem(400, "Bad Request", "ids names 1 to 1000 lines.", &call.path))?;
    let mut findings = Findings::default();
    let mut all = lines_of(&input);
    for id in ids {
        match all.iter().position(|line| line["lineId"] == id) {
            None => findings.add("0200-LineIdDoesNotExist", "ids", &format!("There is no line {id}.")),
            Some(at) => {
                all.remove(at);
            }
        }
    }
    input.insert("orderLines".into(), Value::Array(all));
    rebuild(tx, call, place, input, findings)
}

/// `DELETE /SalesOrders/{type}/{orderId}`: not when something was shipped.
pub(super) fn delete(tx: &mut Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let row = tx.get(TABLE, place).cloned().ok_or_else(|| not_found(call))?;
    let shipped =
        row["_lines"].as_array().into_iter().flatten().any(|line| !amount(line, "quantityOnShipments").is_zero());
    if shipped || ["Completed", "Invoiced"].contains(&text(&row, "_status")) {
        let mut findings = Findings::default();
        findings.add("1825-DeleteSalesOrderWithShippedLines", "orderId", "Something was shipped already.");
        findings.told(&call.path)?;
    }
    lines::book(tx, &row, -Decimal::ONE);
    tx.store.delete(TABLE, place);
    Ok(Reply::empty(202))
}
