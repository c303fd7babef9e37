//! The documents that refunds credit: a refund goes only when its order is in the target.
//!
//! Usually the ledger of the flow of orders knows; what it does not know is asked by reference. A refund whose order is not
//! there waits for it. An order that was refunded in full before it was booked, and is not on its way, never comes: after a
//! day there is nothing to credit.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::document::{Credits, DocumentType};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::NonEmpty;
use koppel_core::message::{Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::{Calls, Target};
use serde_json::json;

use super::{open, order_of};
use crate::Engine;
use crate::exists_field;
use crate::ledger::{self, State, Versioned};
use crate::loaded::LoadedFlow;
use crate::refunds::{self, WAITS_FOR_ORDER};
use crate::runs::RecordResult;
use crate::{trail, waiting};

/// How long an order may be on its way without anybody knowing of it.
const WAIT: TimeDelta = TimeDelta::hours(24);

/// What is known of the originals of a chunk.
#[derive(Default)]
pub struct Originals {
    /// References of those in the target.
    there: BTreeSet<String>,
    /// Ids of those that are on their way.
    coming: BTreeSet<String>,
}

impl Originals {
    /// Looks for what is credited.
    pub async fn look(
        engine: &Engine,
        flow: &LoadedFlow,
        target: &dyn Target,
        credits: &[&Credits],
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let mut known = Self::default();
        if credits.is_empty() {
            return Ok(known);
        }
        let orders_flows = refunds::orders_flows(&flow.config, &flow.flow);
        let ids: Vec<(NonEmpty, &Credits)> =
            credits.iter().filter_map(|of| Some((NonEmpty::new(&of.order)?, *of))).collect();
        let keys: Vec<NonEmpty> = ids.iter().map(|(id, _)| id.clone()).collect();
        for (name, _) in &orders_flows {
            let entries = ledger::entries(engine, &flow.tenant, name, &keys).await?;
            for (entry, (_, of)) in entries.into_iter().zip(&ids) {
                match entry.map(|entry| entry.entry.state) {
                    Some(State::Delivered | State::Exists) => known.there.insert(of.reference.clone()),
                    Some(State::Claimed | State::Parked | State::Rejected) => known.coming.insert(of.order.clone()),
                    Some(State::Gone | State::Skipped) | None => false,
                };
            }
        }
        let asked: BTreeSet<NonEmpty> = credits
            .iter()
            .filter(|of| !known.there.contains(&of.reference))
            .filter_map(|of| NonEmpty::new(&of.reference))
            .collect();
        let mut documents: Vec<DocumentType> = Vec::new();
        for document in orders_flows.iter().filter_map(|(_, orders)| orders.document) {
            if !documents.contains(&document) {
                documents.push(document);
            }
        }
        if documents.is_empty() {
            documents.extend(flow.flow.document);
        }
        for document in documents {
            let asked: Vec<NonEmpty> =
                asked.iter().filter(|key| !known.there.contains(key.as_str())).cloned().collect();
            if !asked.is_empty() {
                let found = target.find_documents_by(document, exists_field::of(flow, document), &asked, calls).await?;
                known.there.extend(found.into_keys().map(String::from));
            }
        }
        Ok(known)
    }

    /// What a record credits, when that is not in the target.
    pub fn missing<'a>(&self, record: &'a MappedRecord) -> Option<&'a Credits> {
        order_of(record)?.credits.as_ref().filter(|credits| !self.there.contains(&credits.reference))
    }

    /// Settles a refund without its original: it waits, or there is nothing to credit.
    pub async fn without(
        &self,
        engine: &Engine,
        flow: &LoadedFlow,
        header: &Header,
        (record, before): (&MappedRecord, Option<&Versioned>),
        credits: &Credits,
    ) -> Result<RecordResult, Failure> {
        let now = engine.clock.now();
        let waiting = waiting::get(engine, &flow.tenant, &flow.name, &record.key).await?;
        let waited = waiting.as_ref().map_or_else(TimeDelta::zero, |waiting| now - waiting.since);
        let was_skipped = before.is_some_and(|before| before.entry.state == State::Skipped);
        let never_comes = credits.full && !self.coming.contains(&credits.order);
        if never_comes && (waited >= WAIT || was_skipped) {
            return skipped(engine, flow, header, (record, before), credits).await;
        }
        let times = waiting.map_or(1, |waiting| waiting.times.saturating_add(1));
        let mut after = waiting::back_off(times);
        if never_comes {
            after = after.min(WAIT - waited);
        }
        let failure = waits(flow, credits, after.to_std().unwrap_or_default());
        open::failed(engine, flow, header, record, before, &failure).await
    }
}

fn waits(flow: &LoadedFlow, credits: &Credits, after: Duration) -> Failure {
    let target = flow.target_facts.name;
    let names: Vec<&str> = refunds::orders_flows(&flow.config, &flow.flow).into_iter().map(|(name, _)| name).collect();
    let advice = match names.as_slice() {
        [] => format!("it goes by itself once the order is in {target} under this reference"),
        [name] => format!("it goes by itself once the flow «{name}» has delivered the order"),
        several => format!("it goes by itself once one of the flows {} has delivered the order", several.join(", ")),
    };
    let cause = Cause::new(
        WAITS_FOR_ORDER,
        format!("the order {} that refund {} belongs to is not in {target} yet", credits.reference, credits.refund),
    );
    Failure::retry(RetryReason::Unavailable, Some(after), cause.advice(advice))
}

async fn skipped(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    (record, before): (&MappedRecord, Option<&Versioned>),
    credits: &Credits,
) -> Result<RecordResult, Failure> {
    let cause = Cause::new(
        "nothing_to_credit",
        format!("nothing to credit: order {} was refunded before it was booked", credits.reference),
    )
    .in_flow(&flow.name)
    .of_record(&record.label);
    let payload = json!({ "document": record.document, "skipped": cause });
    trail::write(engine, header, Step::Check, &record.key, cause.message.clone(), &payload).await?;
    let entry = ledger::without_target(State::Skipped, Outcome::Skipped, Step::Check, header, engine.clock.now());
    ledger::settle(engine, &flow.tenant, &flow.name, &record.key, before, &entry).await?;
    waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
    Ok(RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause))
}
