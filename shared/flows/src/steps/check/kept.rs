//! Records that are kept in step (products, stock, customers of a shop): what the target has is compared field by field,
//! and only what differs is written.

use std::collections::BTreeMap;

use koppel_core::document::{Document, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::{Action, Decision, Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::Calls;
use koppel_core::ports::target::{Existing, Found};
use koppel_mapping::{Scope, TracedRow};
use serde_json::{Map, Value, json};

use super::Decided;
use super::open::{self, Open};
use crate::Engine;
use crate::config::Unpublished;
use crate::ledger::{self, Entry, State};
use crate::loaded::LoadedFlow;
use crate::rows::row_cause;
use crate::runs::RecordResult;
use crate::{absent, connections, owners, same, waiting};

/// What to do with one record.
enum Verdict {
    Write(Box<Decision>),
    /// The target has it as it should be.
    Same(Existing),
    /// Left alone, and why.
    Skip(Cause),
}

/// Decides what to do with each record of a chunk.
pub async fn decide_chunk(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: &[MappedRecord],
    calls: &Calls,
) -> Result<Decided, Failure> {
    let (open, mut results) = open::split(engine, flow, header, records).await?;
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    let mut refused = refuse_shared_keys(engine, flow, &open).await?;
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let wanted: Vec<NonEmpty> = open
        .iter()
        .filter(|one| !refused.contains_key(&one.record.key))
        .filter_map(|one| one.record.document.natural_key())
        .collect();
    let found =
        if wanted.is_empty() { BTreeMap::new() } else { target.find_records(flow.flow.entity, &wanted, calls).await? };
    let mut decisions = Vec::new();
    for one in &open {
        let verdict = match refused.remove(&one.record.key) {
            Some(cause) => Err(Failure::reject(cause)),
            None => decide(engine, flow, one.record, &one.hash, &found),
        };
        match verdict {
            Ok(Verdict::Write(decision)) => decisions.push(*decision),
            Ok(Verdict::Same(existing)) => results.push(unchanged(engine, flow, header, one, &existing).await?),
            Ok(Verdict::Skip(cause)) => {
                let record = one.record;
                waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
                if let Some(sku) = absent::article_of(&record.document) {
                    pass_over(engine, flow, header, one, &sku).await?;
                }
                results.push(RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause));
            }
            Err(failure) => {
                results.push(open::failed(engine, flow, header, one.record, one.entry.as_ref(), &failure).await?);
            }
        }
    }
    Ok((decisions, results))
}

/// Records whose natural key belongs to another record too: in this chunk, or delivered before.
async fn refuse_shared_keys(
    engine: &Engine,
    flow: &LoadedFlow,
    open: &[Open<'_>],
) -> Result<BTreeMap<RecordKey, Cause>, Failure> {
    let mut first: BTreeMap<NonEmpty, &MappedRecord> = BTreeMap::new();
    let mut refused = BTreeMap::new();
    let mut keyed = Vec::new();
    for one in open {
        let Some(natural_key) = one.record.document.natural_key() else { continue };
        match first.get(&natural_key) {
            Some(other) if other.key != one.record.key => {
                refused.insert(one.record.key.clone(), owners::duplicate(&natural_key, &other.key, &other.label));
            }
            _ => {
                first.insert(natural_key.clone(), one.record);
                keyed.push((&one.record.key, natural_key));
            }
        }
    }
    refused.extend(owners::taken(engine, flow, &keyed).await?);
    Ok(refused)
}

fn decide(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    hash: &str,
    found: &BTreeMap<NonEmpty, Vec<Existing>>,
) -> Result<Verdict, Failure> {
    let natural_key = super::key_of(record)?;
    let mut fields = payload(engine, flow, record)?;
    let hidden = is_hidden(&record.document);
    let leave = hidden && flow.flow.settings.product.unpublished == Unpublished::Leave;
    if leave {
        fields.remove("status");
    }
    let of_key = found.get(&natural_key).map(Vec::as_slice).unwrap_or_default();
    let action = match of_key {
        [] if is_never_created(flow.flow.entity) || flow.flow.settings.never_create => {
            return Ok(Verdict::Skip(not_there(flow, &natural_key)));
        }
        // What nobody shall see is not brought over: a books' raw materials would fill the shop with drafts.
        [] if hidden => {
            let cause = Cause::new("not_published", "it is not to be seen, and the target does not have it");
            return Ok(Verdict::Skip(cause));
        }
        [] => Action::Create,
        [existing] => {
            fields.retain(|name, _| flow.flow.settings.update.is_on(name));
            fields = same::differences(&fields, &existing.fields);
            if fields.is_empty() {
                return Ok(Verdict::Same(existing.clone()));
            }
            Action::Update { id: existing.id.clone() }
        }
        several => return Err(Failure::reject(ambiguous(flow, &natural_key, several))),
    };
    Ok(Verdict::Write(Box::new(Decision {
        record: record.clone(),
        natural_key,
        action,
        customer: None,
        payload: Value::Object(fields),
        content_hash: hash.to_owned(),
        from_memory: false,
    })))
}

/// The native fields of a record.
fn payload(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<Map<String, Value>, Failure> {
    let value = in_scope(engine, flow, record, |scope| flow.target_rows.evaluate(scope));
    match value.map_err(|error| Failure::reject(row_cause(&error)))?.to_json() {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// The native fields of a record, with the row that decided each.
pub(super) fn trace(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<Vec<TracedRow>, Failure> {
    let traced = in_scope(engine, flow, record, |scope| flow.target_rows.evaluate_traced(scope));
    Ok(traced.map_err(|error| Failure::reject(row_cause(&error)))?.rows)
}

/// Evaluates over what the target's rows may look at.
fn in_scope<T>(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord, evaluate: impl FnOnce(&Scope<'_>) -> T) -> T {
    let document = serde_json::to_value(&record.document).unwrap_or_default();
    let document = document.as_object().and_then(|tagged| tagged.values().next()).cloned().unwrap_or_default();
    let settings = &flow.flow.settings;
    let settings = json!({ "product": settings.product, "stock": settings.stock, "price": settings.price });
    let (document, settings) = (super::view(&document), super::view(&settings));
    let scope = Scope::new(engine.clock.now())
        .with_ref(crate::canonical::name(flow.flow.entity), &document)
        .with_ref("settings", &settings);
    evaluate(&scope)
}

/// Stock and prices belong to articles.
fn is_never_created(entity: Entity) -> bool {
    matches!(entity, Entity::Stock | Entity::Prices)
}

fn is_hidden(document: &Document) -> bool {
    matches!(document, Document::Product(product) if !product.published)
}

fn not_there(flow: &LoadedFlow, natural_key: &NonEmpty) -> Cause {
    let system = flow.target_facts.name;
    let cause = Cause::new("not_in_target", format!("{system} does not have «{natural_key}»"));
    match flow.flow.entity {
        entity if is_never_created(entity) => {
            cause.advice("bring the article over with a flow of products, or leave it out with filter.where")
        }
        _ => cause.in_row("settings.never_create"),
    }
}

fn ambiguous(flow: &LoadedFlow, natural_key: &NonEmpty, several: &[Existing]) -> Cause {
    let ids: Vec<&str> = several.iter().map(|existing| existing.id.as_str()).collect();
    let system = flow.target_facts.name;
    Cause::new(
        "ambiguous_key",
        format!(
            "{system} has «{natural_key}» {} times (ids {}), and guessing would damage one",
            ids.len(),
            ids.join(", ")
        ),
    )
    .advice(format!("give each of them a key of its own in {system}"))
}

/// Remembers a record whose article the target does not have. It stands in the ledger, so that whoever delivers it later takes
/// it off the waiting list.
async fn pass_over(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: &Open<'_>,
    article: &NonEmpty,
) -> Result<(), Failure> {
    let record = one.record;
    if one.entry.as_ref().is_none_or(|known| known.entry.state != State::Skipped) {
        let entry = ledger::without_target(State::Skipped, Outcome::Skipped, Step::Check, header, engine.clock.now());
        ledger::replace(engine, &flow.tenant, &flow.name, &record.key, one.entry.as_ref(), &entry).await?;
    }
    absent::note(engine, flow, article, &record.key, &record.label).await
}

async fn unchanged(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: &Open<'_>,
    existing: &Existing,
) -> Result<RecordResult, Failure> {
    let record = one.record;
    let entry = Entry {
        target: Some(Found { id: existing.id.clone(), number: existing.label.clone() }),
        content_hash: one.hash.clone(),
        ..ledger::without_target(State::Delivered, Outcome::Unchanged, Step::Check, header, engine.clock.now())
    };
    if let Some(natural_key) = record.document.natural_key() {
        owners::own(engine, flow, &natural_key, &record.key, &record.label).await?;
    }
    waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
    ledger::replace(engine, &flow.tenant, &flow.name, &record.key, one.entry.as_ref(), &entry).await?;
    let result = RecordResult::new(&record.key, &record.label, Outcome::Unchanged);
    Ok(RecordResult { target_number: existing.label.clone(), ..result })
}

/// What would be sent if the target did not have the record. Nothing is asked or stored.
pub(super) fn assume(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<Decision, Failure> {
    match decide(engine, flow, record, "", &BTreeMap::new())? {
        Verdict::Write(decision) => Ok(*decision),
        // Stock is never created, and still a person wants to see what would be sent.
        Verdict::Same(_) | Verdict::Skip(_) => Ok(Decision {
            record: record.clone(),
            natural_key: super::key_of(record)?,
            action: Action::Create,
            customer: None,
            payload: Value::Object(payload(engine, flow, record)?),
            content_hash: String::new(),
            from_memory: false,
        }),
    }
}
