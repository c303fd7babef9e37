//! Records that are kept in step (products, stock, customers of a shop): what the target has is compared field by field,
//! and only what differs is written.

use std::collections::BTreeMap;

use koppel_core::document::{Document, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::{NonEmpty, RecordKey};
use koppel_core::message::{Action, Decision, Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::Calls;
use koppel_core::ports::target::{Existing, Found, Wanted};
use koppel_mapping::{Scope, TracedRow};
use serde_json::{Map, Value, json};

use super::Decided;
use super::open::{self, Open};
use crate::Engine;
use crate::config::Unpublished;
use crate::ledger::{self, Entry, State};
use crate::loaded::LoadedFlow;
use crate::origin::{self, Before};
use crate::parts::{self, Parts};
use crate::rows::row_cause;
use crate::runs::RecordResult;
use crate::steps::fetch;
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
    let known = parts::known(engine, flow, records).await?;
    let (open, mut results) = open::split(engine, flow, header, records).await?;
    for record in records.iter().filter(|one| !known.contains_key(&one.key) && !one.gone) {
        // Delivered before its variations were remembered.
        if results.iter().any(|result| result.key == record.key && result.outcome == Outcome::Unchanged) {
            parts::arrived(engine, flow, record).await?;
        }
    }
    if open.is_empty() {
        return Ok((Vec::new(), results));
    }
    let mut refused = refuse_shared_keys(engine, flow, &open).await?;
    let asking: Vec<&MappedRecord> = open.iter().map(|one| one.record).collect();
    let before = origin::before(engine, flow, &asking).await?;
    let mut asked = Vec::new();
    for (one, before) in open.iter().zip(before) {
        let left = parts::left(engine, flow, one.record, known.get(&one.record.key), records).await?;
        let fields = match refused.remove(&one.record.key) {
            // Its number belongs to another by now, who is shown.
            Some(_) if one.record.gone => {
                results.push(ended_before(engine, flow, header, one).await?);
                continue;
            }
            Some(cause) => Err(Failure::reject(cause)),
            None if one.record.gone => hiding(engine, flow, one.record, &left),
            None => payload_without(engine, flow, one.record, &left),
        };
        match fields.and_then(|fields| Ok((super::key_of(one.record)?, fields))) {
            Ok((natural_key, fields)) => {
                let ended = match one.record.gone {
                    true => None,
                    false => open::without_news(engine, flow, header, one, &before, &fields).await?,
                };
                match ended {
                    Some(result) => results.push(result),
                    None => asked.push(Asked { one, natural_key, before, fields }),
                }
            }
            Err(failure) => {
                results.push(open::failed(engine, flow, header, one.record, one.entry.as_ref(), &failure).await?);
            }
        }
    }
    let wanted: Vec<Wanted<'_>> =
        asked.iter().map(|asked| Wanted { key: &asked.natural_key, fields: &asked.fields }).collect();
    let found = if wanted.is_empty() {
        BTreeMap::new()
    } else {
        let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
        target.find_wanted(flow.flow.entity, &wanted, calls).await?
    };
    let mut decisions = Vec::new();
    for asked in &asked {
        let one = asked.one;
        let existing = found.get(&asked.natural_key).map(Vec::as_slice).unwrap_or_default();
        match decide(flow, asked, existing) {
            Ok(Verdict::Write(decision)) => decisions.push(*decision),
            Ok(Verdict::Same(_)) if one.record.gone => results.push(ended_before(engine, flow, header, one).await?),
            Ok(Verdict::Skip(_)) if one.record.gone => results.push(ended_before(engine, flow, header, one).await?),
            Ok(Verdict::Same(existing)) => {
                let found = Found { id: existing.id, number: existing.label };
                results.push(open::unchanged(engine, flow, header, one, found).await?);
            }
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

/// A record that the target is asked about.
struct Asked<'a> {
    one: &'a Open<'a>,
    natural_key: NonEmpty,
    before: Before,
    /// Native fields.
    fields: Map<String, Value>,
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

fn decide(flow: &LoadedFlow, asked: &Asked<'_>, of_key: &[Existing]) -> Result<Verdict, Failure> {
    let natural_key = &asked.natural_key;
    let (record, mut fields) = (asked.one.record, asked.fields.clone());
    let hidden = is_hidden(&record.document);
    let leave = hidden && flow.flow.settings.product.unpublished == Unpublished::Leave;
    if leave {
        fields.remove("status");
    }
    let action = match of_key {
        [] if is_never_created(flow.flow.entity) || flow.flow.settings.never_create => {
            return Ok(Verdict::Skip(not_there(flow, natural_key)));
        }
        // What nobody shall see is not brought over: a books' raw materials would fill the shop with drafts.
        [] if hidden => {
            let cause = Cause::new("not_published", "it is not to be seen, and the target does not have it");
            return Ok(Verdict::Skip(cause));
        }
        [] => Action::Create,
        // The number has gone to another article of the shop, which somebody made there.
        [existing] if record.gone && !is_target_of(asked.one, existing) => {
            return Ok(Verdict::Skip(not_there(flow, natural_key)));
        }
        [existing] => {
            asked.before.leave_agreed(flow, &mut fields);
            fields.retain(|name, _| flow.flow.settings.update.is_on(name));
            fields = same::differences(&fields, &existing.fields);
            if fields.is_empty() {
                return Ok(Verdict::Same(existing.clone()));
            }
            Action::Update { id: existing.id.clone() }
        }
        several => return Err(Failure::reject(ambiguous(flow, natural_key, several))),
    };
    Ok(Verdict::Write(Box::new(Decision {
        record: record.clone(),
        natural_key: natural_key.clone(),
        action,
        customer: None,
        payload: Value::Object(fields),
        content_hash: asked.one.hash.clone(),
        from_memory: false,
        dated: None,
    })))
}

/// The record of the target is the one that was delivered.
fn is_target_of(one: &Open<'_>, existing: &Existing) -> bool {
    let target = one.entry.as_ref().and_then(|known| known.entry.target.as_ref());
    target.is_some_and(|target| target.id == existing.id)
}

/// The native fields by which an article that nobody shall see differs from one that is shown; of its variations those of
/// `left` alone.
fn hiding(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    left: &Parts,
) -> Result<Map<String, Value>, Failure> {
    let record = if left.is_empty() { record.clone() } else { parts::only(record, left) };
    let mut hidden = payload(engine, flow, &record)?;
    let mut shown = record;
    if let Document::Product(product) = &mut shown.document {
        product.published = true;
        product.variations.iter_mut().for_each(|variation| variation.published = true);
    }
    let shown = payload(engine, flow, &shown)?;
    hidden.retain(|name, value| !value.is_null() && shown.get(name) != Some(value));
    parts::hiding(&mut hidden, &shown, left);
    Ok(hidden)
}

/// The native fields of a record, with what hides the variations that have left it.
fn payload_without(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
    left: &Parts,
) -> Result<Map<String, Value>, Failure> {
    let mut fields = payload(engine, flow, record)?;
    if !left.is_empty() {
        parts::add(&mut fields, hiding(engine, flow, record, left)?);
    }
    Ok(fields)
}

/// An article that is gone, and that the target does not show, whoever did it: it is not looked at again.
async fn ended_before(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: &Open<'_>,
) -> Result<RecordResult, Failure> {
    let (record, now) = (one.record, engine.clock.now());
    let entry = Entry {
        target: one.entry.as_ref().and_then(|known| known.entry.target.clone()),
        content_hash: one.hash.clone(),
        gone_at: Some(now),
        ..ledger::without_target(State::Delivered, Outcome::Skipped, Step::Check, header, now)
    };
    parts::arrived(engine, flow, record).await?;
    ledger::replace(engine, &flow.tenant, &flow.name, &record.key, one.entry.as_ref(), &entry).await?;
    let cause = fetch::told_before(flow.target_facts.name, &record.label);
    Ok(RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause))
}

/// The native fields of a record.
pub(super) fn payload(
    engine: &Engine,
    flow: &LoadedFlow,
    record: &MappedRecord,
) -> Result<Map<String, Value>, Failure> {
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

/// What would be sent if the target did not have the record. Nothing is asked or stored.
pub(super) fn assume(engine: &Engine, flow: &LoadedFlow, record: &MappedRecord) -> Result<Decision, Failure> {
    let natural_key = super::key_of(record)?;
    let fields = payload(engine, flow, record)?;
    let one = Open { record, entry: None, hash: String::new() };
    let asked = Asked { one: &one, natural_key, before: Before::default(), fields };
    match decide(flow, &asked, &[])? {
        Verdict::Write(decision) => Ok(*decision),
        // Stock is never created, and still a person wants to see what would be sent.
        Verdict::Same(_) | Verdict::Skip(_) => Ok(Decision {
            record: record.clone(),
            natural_key: asked.natural_key,
            action: Action::Create,
            customer: None,
            payload: Value::Object(asked.fields),
            content_hash: String::new(),
            from_memory: false,
            dated: None,
        }),
    }
}
