//! Check: resolves a whole chunk at once and decides per record. Nothing is written to the target.

mod customers;
mod debtors;
mod kept;
mod open;
mod originals;
mod references;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use koppel_core::document::{Document, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::{Action, CheckTask, Decision, Header, MappedRecord, Step, Task, WriteTask};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Calls, QueueMessage, Target};
use koppel_mapping::{Scope, TracedRow};

use crate::Engine;
use crate::exists_field;
use crate::ledger::{self, Entry, State, Versioned};
use crate::loaded::{LoadedFlow, Way, flow_of_version};
use crate::periods::{self, Periods, Placed};
use crate::privacy::content_hash;
use crate::rows::row_cause;
use crate::runs::{self, RecordResult, Told};
use crate::steps::settle;
use crate::{canonical, connections, on_their_way, refunds, waiting};

use customers::{Buyer, Customers, Updating};
use originals::Originals;
use references::References;

/// Runs the step.
pub async fn check(engine: &Engine, task: CheckTask) -> Result<(), Failure> {
    let header = &task.header;
    let flow = flow_of_version(engine, &header.tenant, &header.flow, header.config_version).await?;
    let calls = Calls::new(flow.priority);
    let decided = match flow.way() {
        Way::Documents => decide_chunk(engine, &flow, header, &task.records, &calls).await,
        Way::Debtors => debtors::decide_chunk(engine, &flow, header, &task.records, &calls).await,
        Way::Kept => kept::decide_chunk(engine, &flow, header, &task.records, &calls).await,
    };
    let (decisions, results) = match decided {
        Ok(decided) => decided,
        Err(failure) => {
            let records: Vec<(RecordKey, String)> =
                task.records.iter().map(|r| (r.key.clone(), r.label.clone())).collect();
            (Vec::new(), settle::chunk_failed(engine, &flow, header, Step::Check, &records, failure).await?)
        }
    };
    if !decisions.is_empty() {
        let next = Task::Write(WriteTask { header: header.clone(), decisions });
        engine.queue.send(Step::Write, &[QueueMessage::pack(&next)?]).await?;
    }
    let told = Told { results: &results, calls: calls.count(), ..Told::default() };
    runs::report(engine, header, Step::Check, told).await
}

type Decided = (Vec<Decision>, Vec<RecordResult>);

async fn decide_chunk(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: &[MappedRecord],
    calls: &Calls,
) -> Result<Decided, Failure> {
    let keys: Vec<RecordKey> = records.iter().map(|record| record.key.clone()).collect();
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, &keys).await?;
    let mut results = Vec::new();
    let is_delivered = |entry: &Option<Versioned>| entry.as_ref().is_some_and(|e| e.entry.state == State::Delivered);
    let delivered = keys.iter().zip(&entries).filter(|(_, entry)| is_delivered(entry)).map(|(key, _)| key);
    waiting::remove_all(engine, &flow.tenant, &flow.name, delivered).await?;
    let mut open: Vec<(&MappedRecord, Option<Versioned>, String)> = Vec::new();
    for (record, entry) in records.iter().zip(entries) {
        let hash = document_hash(&record.document);
        match entry.as_ref().map(|e| &e.entry) {
            // The write step has settled it for this very chunk: this message is a late duplicate.
            Some(known) if known.ended_in(header, Step::Write).is_some() => {}
            Some(known) if known.state == State::Delivered => {
                results.push(delivered_before(record, known, &hash));
                if let Some(back) = entry.as_ref().filter(|e| e.entry.gone_at.is_some()) {
                    ledger::mark_back(engine, &flow.tenant, &flow.name, &record.key, back).await?;
                }
            }
            _ => open.push((record, entry, hash)),
        }
    }
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    for (record, ..) in &open {
        if let Some(order) = order_of(record) {
            on_their_way::note(engine, flow, &record.key, order).await?;
        }
    }
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let found = find_existing(flow, &*target, &open, calls).await?;
    let credits = open.iter().filter_map(|(record, ..)| order_of(record)?.credits.as_ref());
    let originals = Originals::look(engine, flow, &*target, &credits.collect::<Vec<_>>(), calls).await?;
    // What only waits costs no more questions.
    let goes_on = |record: &MappedRecord, entry: &Option<Versioned>| {
        is_claimed(entry.as_ref()) || originals.missing(record).is_none()
    };
    let going = open.iter().filter(|(record, entry, _)| goes_on(record, entry));
    let orders: Vec<&Order> = going.filter_map(|(record, ..)| order_of(record)).collect();
    let codes = orders.iter().flat_map(|order| references::codes_of(flow, order));
    let references = References::resolve(engine, flow, &*target, codes, calls).await?;
    let buyers: Vec<Buyer<'_>> = orders.iter().map(|order| Buyer::of(order)).collect();
    let customers = Customers::resolve(engine, flow, &*target, &buyers, calls).await?;

    let periods = Periods::look(engine, flow, &*target, calls).await?;

    let mut decisions = Vec::new();
    for (record, entry, hash) in open {
        let claimed = is_claimed(entry.as_ref());
        let existing = record.document.natural_key().and_then(|key| found.get(&key));
        // A claim without a result is settled by the write step, which knows whose document was found.
        if let Some(existing) = existing.filter(|_| !claimed) {
            results.push(exists(engine, flow, header, record, entry.as_ref(), existing).await?);
            continue;
        }
        if !claimed && let Some(missing) = originals.missing(record) {
            let result = originals.without(engine, flow, header, (record, entry.as_ref()), missing).await?;
            results.push(describe(result, record));
            continue;
        }
        // What may have been posted is searched for first, whatever its period is by now.
        let placed = match (order_of(record).map(|order| order.date), claimed) {
            (Some(date), false) => periods.place(date).map(Some),
            _ => Ok(None),
        };
        let placed = placed.map_err(|shut| shut.failure(&periods, flow, record, None));
        match placed.and_then(|placed| decide(engine, flow, record, hash, &references, &customers, placed)) {
            Ok(decision) => decisions.push(decision),
            Err(failure) => {
                if let Some(order) = order_of(record) {
                    customers.note_review(engine, flow, &record.key, &Buyer::of(order), &failure).await?;
                }
                let result = open::failed(engine, flow, header, record, entry.as_ref(), &failure).await?;
                results.push(describe(result, record));
            }
        }
    }
    Ok((decisions, results))
}

/// Somebody is writing it, or was stopped while writing.
fn is_claimed(entry: Option<&Versioned>) -> bool {
    entry.is_some_and(|e| e.entry.state == State::Claimed)
}

fn key_of(record: &MappedRecord) -> Result<NonEmpty, Failure> {
    record.document.natural_key().ok_or_else(|| {
        Failure::reject(Cause::new("empty_key", "the document has no key, and an empty key is never a key"))
    })
}

fn order_of(record: &MappedRecord) -> Option<&Order> {
    match &record.document {
        Document::Order(order) => Some(order),
        _ => None,
    }
}

/// Documents that the target has, by natural key. A record with a claim is left to the write step.
async fn find_existing(
    flow: &LoadedFlow,
    target: &dyn Target,
    open: &[(&MappedRecord, Option<Versioned>, String)],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Found>, Failure> {
    let Some(document) = flow.flow.document else { return Ok(BTreeMap::new()) };
    let keys: Vec<NonEmpty> = open
        .iter()
        .filter(|(_, entry, _)| !is_claimed(entry.as_ref()))
        .filter_map(|(record, ..)| record.document.natural_key())
        .collect();
    if keys.is_empty() {
        Ok(BTreeMap::new())
    } else {
        target.find_documents_by(document, exists_field::of(flow, document), &keys, calls).await
    }
}

fn delivered_before(record: &MappedRecord, entry: &Entry, hash: &str) -> RecordResult {
    let number = entry.target.as_ref().map(|t| t.number.clone()).unwrap_or_default();
    let result = if entry.content_hash == hash {
        RecordResult::new(&record.key, &record.label, Outcome::Unchanged)
    } else {
        let cause =
            Cause::new("changed_after_delivery", format!("delivered as {number}; changed in the shop since then"))
                .advice("change the document in the target by hand if it matters");
        RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause)
    };
    describe(RecordResult { target_number: number, ..result }, record)
}

async fn exists(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    record: &MappedRecord,
    before: Option<&Versioned>,
    found: &Found,
) -> Result<RecordResult, Failure> {
    let now = engine.clock.now();
    let entry = Entry {
        target: Some(found.clone()),
        ..ledger::without_target(State::Exists, Outcome::Skipped, Step::Check, header, now)
    };
    on_their_way::forget(engine, flow, &record.key).await?;
    ledger::settle(engine, &flow.tenant, &flow.name, &record.key, before, &entry).await?;
    refunds::original_arrived(engine, flow, &record.key).await?;
    if before.is_some() {
        crate::waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
    }
    let cause = Cause::new("exists", format!("{} already has it as {}", flow.target_facts.name, found.number));
    let result = RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause);
    Ok(describe(RecordResult { target_number: found.number.clone(), ..result }, record))
}

/// What a record that may be delivered again is compared by: its native fields, or, of a customer of books, its own.
pub(crate) fn fields_of(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    match &record.document {
        Document::Customer(customer) if flow.way() == Way::Debtors => {
            let fields = serde_json::to_value(customer).unwrap_or_default();
            Ok(fields.as_object().cloned().unwrap_or_default())
        }
        _ => kept::payload(engine, flow, record),
    }
}

fn decide(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    content_hash: String,
    references: &References,
    customers: &Customers,
    placed: Option<Placed>,
) -> Result<Decision, Failure> {
    let natural_key = key_of(record)?;
    let order = order_of(record).ok_or_else(|| {
        Failure::settings(Cause::new("not_supported", format!("{} cannot be checked yet", record.document.entity())))
    })?;
    let payload = payload_of(engine, flow, order, references, order.date)?;
    let now = engine.clock.now();
    let buyer = Buyer::of(order);
    let updating = if flow.flow.settings.customer.update { Updating::Changed } else { Updating::Never };
    let customer = customers.decide(flow, &buyer, updating, references, now)?;
    let from_memory =
        references.is_from_memory(references::codes_of(flow, order)) || customers.is_from_memory(flow, &buyer);
    let action = Action::Create;
    let record = record.clone();
    let mut decision =
        Decision { record, natural_key, action, customer, payload, content_hash, from_memory, dated: None };
    if let Some(placed) = placed.filter(|placed| placed.date != order.date) {
        date(engine, flow, &mut decision, references, &placed)?;
    }
    Ok(decision)
}

/// The native payload of an order that is posted on this day.
fn payload_of(
    engine: &Engine,
    flow: &LoadedFlow,
    order: &Order,
    references: &References,
    day: NaiveDate,
) -> Result<serde_json::Value, Failure> {
    let view = references.view(flow, order, day)?;
    let scope = Scope::new(engine.clock.now()).with_ref("order", &view);
    let value = flow.target_rows.evaluate(&scope).map_err(|error| Failure::reject(row_cause(&error)))?;
    let mut payload = value.to_json();
    if let Some(fields) = payload.as_object_mut() {
        // Not sent: the connector compares it with what the target computed.
        fields.insert("_expected_total".into(), serde_json::to_value(order.total).unwrap_or_default());
    }
    Ok(payload)
}

/// Gives a decided document another day. The document itself stays as it is: its key and its hash are those of the source.
fn date(
    engine: &Engine,
    flow: &LoadedFlow,
    decision: &mut Decision,
    references: &References,
    placed: &Placed,
) -> Result<(), Failure> {
    let Some(order) = order_of(&decision.record) else { return Ok(()) };
    let own = order.date;
    let payload = payload_of(engine, flow, order, references, placed.date)?;
    if !payload.to_string().contains(&placed.date.to_string()) {
        return Err(periods::own_date(flow, &decision.record, placed.date));
    }
    decision.record.warnings.retain(|warning| warning.code != periods::DATED_LATER);
    decision.record.warnings.extend(periods::moved(flow, own, placed, &payload));
    decision.payload = payload;
    decision.dated = (placed.date != own).then_some(placed.date);
    Ok(())
}

/// Gives a decided document another day, when its period turned out to be closed while it was posted.
pub(super) async fn redate(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    decision: &mut Decision,
    placed: &Placed,
    calls: &Calls,
) -> Result<(), Failure> {
    let codes = order_of(&decision.record).map(|order| references::codes_of(flow, order)).unwrap_or_default();
    let references = References::resolve(engine, flow, target, codes, calls).await?;
    date(engine, flow, decision, &references, placed)
}

/// What would be sent for one record if the target had everything that the settings name. Nothing is asked or stored.
pub(super) fn assume(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<Decision, Failure> {
    if flow.way() != Way::Documents {
        return kept::assume(engine, flow, record);
    }
    let references =
        References::assume(order_of(record).into_iter().flat_map(|order| references::codes_of(flow, order)));
    decide(engine, flow, record, document_hash(&record.document), &references, &Customers::default(), None)
}

/// As [`assume`], with the row that decided each value: of the document on this day, and of its customer.
pub(super) fn trace(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    day: Option<NaiveDate>,
) -> Result<(Vec<TracedRow>, Vec<TracedRow>), Failure> {
    let now = engine.clock.now();
    match &record.document {
        Document::Order(order) => {
            let references = References::assume(references::codes_of(flow, order));
            let view = references.view(flow, order, day.unwrap_or(order.date))?;
            let traced = flow.target_rows.evaluate_traced(&Scope::new(now).with_ref("order", &view));
            let rows = traced.map_err(|error| Failure::reject(row_cause(&error)))?.rows;
            Ok((rows, customers::trace(flow, &Buyer::of(order), &references, now)?))
        }
        Document::Customer(customer) if flow.way() == Way::Debtors => {
            let references = References::assume(references::codes_of_customer(flow, customer));
            Ok((Vec::new(), customers::trace(flow, &Buyer::alone(customer), &references, now)?))
        }
        _ => Ok((kept::trace(engine, flow, record)?, Vec::new())),
    }
}

/// Hash of what matters for delivery: a new status or date alone is not a change.
fn document_hash(document: &Document) -> String {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    if let Some(order) = value.get_mut("order").and_then(serde_json::Value::as_object_mut) {
        // When VIES was asked is no content either: what follows from its answer stands in the order itself.
        for volatile in ["status", "modified_at", "vat_check"] {
            order.remove(volatile);
        }
        if let Some(payment) = order.get_mut("payment").and_then(serde_json::Value::as_object_mut) {
            payment.remove("paid_at");
        }
        // Another refund of the same order does not change this one.
        if let Some(credits) = order.get_mut("credits").and_then(serde_json::Value::as_object_mut) {
            credits.remove("full");
        }
    }
    content_hash(&value)
}

/// Fills in what a table shows about a record.
pub(crate) fn describe(result: RecordResult, record: &MappedRecord) -> RecordResult {
    let Some(order) = order_of(record) else { return result };
    let posted: rust_decimal::Decimal = order
        .lines
        .iter()
        .map(|line| order.currency.round(line.unit_price.unwrap_or_else(|| line.unit_net()) * line.quantity))
        .sum();
    let total = order.currency.round(order.total);
    RecordResult {
        status: order.status.clone(),
        customer: order.customer.debtor_name(),
        lines: order.lines.len(),
        net: Some(posted),
        tax: Some(total - posted),
        total: Some(total),
        warnings: record.warnings.clone(),
        ..result
    }
}

/// The value that rows see of a document.
pub(crate) fn view_json(order: &Order) -> serde_json::Value {
    serde_json::to_value(order).unwrap_or_default()
}

/// Forgets what was known for a record, because the target refused what was built of it.
pub(super) async fn forget(
    engine: &Engine,
    flow: &LoadedFlow,
    decision: &Decision,
    failure: &Failure,
) -> Result<(), Failure> {
    let Some(order) = order_of(&decision.record) else { return Ok(()) };
    let codes = references::codes_of(flow, order);
    // Who was blocked on purpose must not get a second account by the back door.
    let blocked = failure.cause().code.contains("blocked");
    let customer: Vec<&str> = decision
        .customer
        .iter()
        .filter(|_| !blocked)
        .flat_map(|customer| [Some(customer.key_hash.as_str()), customer.matched.alias_hash.as_deref()])
        .flatten()
        .collect();
    tracing::info!(
        flow = flow.name,
        record = decision.record.key.as_str(),
        "what was known of the codes and the customer is asked again"
    );
    crate::links::forget(engine, &flow.tenant, &flow.flow.to, &codes, &customer).await
}

pub(crate) use canonical::view;
