//! Records of a chunk that may be delivered again: which of them are still open, and how one of them ends.

use koppel_core::document::Document;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::RecordKey;
use koppel_core::message::{Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::Found;
use serde_json::{Map, Value, json};

use super::document_hash;
use crate::Engine;
use crate::ledger::{self, Entry, State, Versioned};
use crate::loaded::LoadedFlow;
use crate::origin::{Before, News};
use crate::runs::RecordResult;
use crate::steps::{fetch, settle};
use crate::{absent, origin, owners, parts, trail, waiting};

/// A record that must be decided.
pub struct Open<'a> {
    pub record: &'a MappedRecord,
    pub entry: Option<Versioned>,
    pub hash: String,
}

/// Splits a chunk into what is open and what was delivered with the same content, which costs no call.
pub async fn split<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: &'a [MappedRecord],
) -> Result<(Vec<Open<'a>>, Vec<RecordResult>), Failure> {
    let keys: Vec<RecordKey> = records.iter().map(|record| record.key.clone()).collect();
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, &keys).await?;
    let (mut open, mut results) = (Vec::new(), Vec::new());
    for (record, entry) in records.iter().zip(entries) {
        let hash = if record.gone { ledger::TOLD_GONE.to_owned() } else { document_hash(&record.document) };
        match entry.as_ref().map(|e| &e.entry) {
            // The write step has settled it for this very chunk: this message is a late duplicate.
            Some(known) if known.ended_in(header, Step::Write).is_some() => {}
            // Told by an earlier message.
            Some(known) if record.gone && known.content_hash == hash => {
                let cause = fetch::told_before(flow.target_facts.name, &record.label);
                results.push(RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause));
            }
            Some(known) if known.state == State::Delivered && known.content_hash == hash && known.gone_at.is_none() => {
                let number = known.target.as_ref().map(|found| found.number.clone()).unwrap_or_default();
                let result = RecordResult::new(&record.key, &record.label, Outcome::Unchanged);
                results.push(RecordResult { target_number: number, ..result });
            }
            _ => open.push(Open { record, entry, hash }),
        }
    }
    waiting::remove_all(engine, &flow.tenant, &flow.name, results.iter().map(|result| &result.key)).await?;
    Ok((open, results))
}

/// Settles a record that cannot be decided: its trail says why, and so does its result.
pub async fn failed(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    record: &MappedRecord,
    entry: Option<&Versioned>,
    failure: &Failure,
) -> Result<RecordResult, Failure> {
    let payload = json!({ "document": record.document, "failure": failure.cause() });
    trail::write(engine, header, Step::Check, &record.key, failure.cause().message.clone(), &payload).await?;
    settle::failed(engine, flow, header, Step::Check, (&record.key, &record.label), entry, failure).await
}

/// Ends a record that the target has as it should be.
pub async fn unchanged(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: &Open<'_>,
    found: Found,
) -> Result<RecordResult, Failure> {
    let record = one.record;
    let number = found.number.clone();
    let entry = Entry {
        target: Some(ledger::impersonal(found)),
        content_hash: one.hash.clone(),
        ..ledger::without_target(State::Delivered, Outcome::Unchanged, Step::Check, header, engine.clock.now())
    };
    if let Some(natural_key) = record.document.natural_key() {
        owners::own(engine, flow, &natural_key, &record.key, &record.label).await?;
    }
    if let Document::Product(product) = &record.document
        && one.entry.as_ref().is_none_or(|known| known.entry.state != State::Delivered)
    {
        // Whoever made it may have died before he told.
        absent::came(engine, flow, &absent::numbers(product)).await?;
    }
    origin::agree(engine, flow, record).await?;
    parts::arrived(engine, flow, record).await?;
    waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
    ledger::replace(engine, &flow.tenant, &flow.name, &record.key, one.entry.as_ref(), &entry).await?;
    let result = RecordResult::new(&record.key, &record.label, Outcome::Unchanged);
    Ok(RecordResult { target_number: number, ..result })
}

/// Ends a record that says nothing new: another flow wrote it, or nothing that matters has changed since both sides
/// agreed. `None` when it goes on.
pub async fn without_news(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: &Open<'_>,
    before: &Before,
    fields: &Map<String, Value>,
) -> Result<Option<RecordResult>, Failure> {
    let known = one.entry.as_ref().and_then(|known| known.entry.target.clone());
    let (found, cause) = match before.news(flow, one.record, fields) {
        News::All | News::Some => return Ok(None),
        News::Echo(stamp) => {
            // The natural key of a person is an address, which is not kept in the clear.
            let natural_key = match &one.record.document {
                Document::Customer(_) => None,
                document => document.natural_key().map(String::from),
            };
            let number = natural_key.unwrap_or_else(|| stamp.record.clone());
            let cause = Cause::new("echo", format!("it is as the flow «{}» wrote it", stamp.flow));
            (known.unwrap_or(Found { id: stamp.record, number }), Some(cause))
        }
        News::None => match known {
            Some(found) => (found, None),
            // Where it is in the target is not known: it is looked for.
            None => return Ok(None),
        },
    };
    let result = unchanged(engine, flow, header, one, found).await?;
    Ok(Some(RecordResult { cause, ..result }))
}
