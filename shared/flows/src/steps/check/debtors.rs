//! Customers of a customer flow into books: found by e-mail, created, and always updated when they have changed.

use koppel_core::document::{Customer, Document};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::RecordKey;
use koppel_core::message::{Action, Decision, Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::Calls;
use serde_json::json;

use super::customers::{Buyer, Customers, Updating};
use super::references::{self, References};
use super::{Decided, document_hash};
use crate::Engine;
use crate::ledger::{self, State};
use crate::loaded::LoadedFlow;
use crate::runs::RecordResult;
use crate::steps::settle;
use crate::{connections, trail, waiting};

/// Decides what to do with each customer of a chunk.
pub async fn decide_chunk(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: &[MappedRecord],
    calls: &Calls,
) -> Result<Decided, Failure> {
    let keys: Vec<RecordKey> = records.iter().map(|record| record.key.clone()).collect();
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, &keys).await?;
    let (mut open, mut results) = (Vec::new(), Vec::new());
    for (record, entry) in records.iter().zip(entries) {
        let (Document::Customer(customer), hash) = (&record.document, document_hash(&record.document)) else {
            continue;
        };
        match entry.as_ref().map(|e| &e.entry) {
            Some(known) if known.ended_in(&header.run, Step::Write).is_some() => {}
            Some(known) if known.state == State::Delivered && known.content_hash == hash => {
                waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
                let number = known.target.as_ref().map(|found| found.number.clone()).unwrap_or_default();
                let result = RecordResult::new(&record.key, &record.label, Outcome::Unchanged);
                results.push(RecordResult { target_number: number, ..result });
            }
            _ => open.push((record, &**customer, entry, hash)),
        }
    }
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let codes = open.iter().flat_map(|(_, customer, ..)| references::codes_of_customer(flow, customer));
    let references = References::resolve(engine, flow, &*target, codes, calls).await?;
    let buyers: Vec<Buyer<'_>> = open.iter().map(|(_, customer, ..)| Buyer::alone(customer)).collect();
    let customers = Customers::resolve(engine, flow, &*target, &buyers, calls).await?;
    let mut decisions = Vec::new();
    for (record, customer, entry, hash) in open {
        match decide(engine, flow, record, customer, hash, &references, &customers) {
            Ok(decision) => decisions.push(decision),
            Err(failure) => {
                let payload = json!({ "document": record.document, "failure": failure.cause() });
                let summary = failure.cause().message.clone();
                trail::write(engine, header, Step::Check, &record.key, summary, &payload).await?;
                let known = (&record.key, record.label.as_str());
                results.push(settle::failed(engine, flow, header, Step::Check, known, entry.as_ref(), &failure).await?);
            }
        }
    }
    Ok((decisions, results))
}

pub(super) fn decide(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    customer: &Customer,
    content_hash: String,
    references: &References,
    customers: &Customers,
) -> Result<Decision, Failure> {
    let buyer = Buyer::alone(customer);
    let now = engine.clock.now();
    let wanted = customers.decide(flow, &buyer, Updating::Always, references, now)?;
    let natural_key = record.document.natural_key();
    let (Some(wanted), Some(natural_key)) = (wanted, natural_key) else {
        return Err(Failure::settings(Cause::new(
            "not_supported",
            format!("customers cannot be written to {}", flow.target_facts.name),
        )));
    };
    let action = match &wanted.link {
        Some(link) => Action::Update { id: link.id.clone() },
        None => Action::Create,
    };
    let from_memory = references.is_from_memory(references::codes_of_customer(flow, customer))
        || customers.is_from_memory(flow, &buyer);
    Ok(Decision {
        record: record.clone(),
        natural_key,
        action,
        payload: wanted.payload.clone(),
        customer: Some(wanted),
        content_hash,
        from_memory,
    })
}
