//! Customers of a customer flow into books: found by e-mail, created, and always updated when they have changed.

use koppel_core::document::{Customer, Document};
use koppel_core::error::{Cause, Failure};
use koppel_core::message::{Action, Decision, Header, MappedRecord};
use koppel_core::ports::Calls;

use super::Decided;
use super::customers::{Buyer, Customers, Updating};
use super::open::{self, Open};
use super::references::{self, References};
use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::{connections, origin};

/// Decides what to do with each customer of a chunk.
pub async fn decide_chunk(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: &[MappedRecord],
    calls: &Calls,
) -> Result<Decided, Failure> {
    let (open, mut results) = open::split(engine, flow, header, records).await?;
    let open: Vec<(&Customer, Open<'_>)> = open
        .into_iter()
        .filter_map(|one| match &one.record.document {
            Document::Customer(customer) => Some((&**customer, one)),
            _ => None,
        })
        .collect();
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    let records: Vec<&MappedRecord> = open.iter().map(|(_, one)| one.record).collect();
    let before = origin::before(engine, flow, &records).await?;
    let mut news = Vec::new();
    for ((customer, one), before) in open.into_iter().zip(before) {
        let fields = super::fields_of(engine, flow, one.record)?;
        match open::without_news(engine, flow, header, &one, &before, &fields).await? {
            Some(result) => results.push(result),
            None => news.push((customer, one)),
        }
    }
    let open = news;
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let codes = open.iter().flat_map(|(customer, _)| references::codes_of_customer(flow, customer));
    let references = References::resolve(engine, flow, &*target, codes, calls).await?;
    let buyers: Vec<Buyer<'_>> = open.iter().map(|(customer, _)| Buyer::alone(customer)).collect();
    let customers = Customers::resolve(engine, flow, &*target, &buyers, calls).await?;
    let mut decisions = Vec::new();
    for (customer, one) in open {
        match decide(engine, flow, one.record, customer, one.hash, &references, &customers) {
            Ok(decision) => decisions.push(decision),
            Err(failure) => {
                let buyer = Buyer::alone(customer);
                customers.note_review(engine, flow, &one.record.key, &buyer, &failure).await?;
                results.push(open::failed(engine, flow, header, one.record, one.entry.as_ref(), &failure).await?);
            }
        }
    }
    Ok((decisions, results))
}

fn decide(
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
    let natural_key = super::key_of(record)?;
    let wanted = customers.decide(flow, &buyer, Updating::Always, references, now)?.ok_or_else(|| {
        Failure::settings(Cause::new(
            "not_supported",
            format!("customers cannot be written to {}", flow.target_facts.name),
        ))
    })?;
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
        dated: None,
    })
}
