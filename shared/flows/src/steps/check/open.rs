//! Records of a chunk that may be delivered again: which of them are still open, and how one of them fails.

use koppel_core::error::Failure;
use koppel_core::keys::RecordKey;
use koppel_core::message::{Header, MappedRecord, Step};
use koppel_core::outcome::Outcome;
use serde_json::json;

use super::document_hash;
use crate::Engine;
use crate::ledger::{self, State, Versioned};
use crate::loaded::LoadedFlow;
use crate::runs::RecordResult;
use crate::steps::settle;
use crate::{trail, waiting};

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
        let hash = document_hash(&record.document);
        match entry.as_ref().map(|e| &e.entry) {
            // The write step has settled it for this very chunk: this message is a late duplicate.
            Some(known) if known.ended_in(header, Step::Write).is_some() => {}
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
