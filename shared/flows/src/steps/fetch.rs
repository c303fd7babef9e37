//! Fetch: reads changed records page by page and passes them on in chunks, lane by lane.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::RecordKey;
use koppel_core::message::{
    CHUNK_MAX_BYTES, CHUNK_MAX_DOCUMENTS, FetchTask, Gone, Header, MapTask, SourceRecord, Step, Task, lane_of,
};
use koppel_core::outcome::Outcome;
use koppel_core::ports::{Calls, FetchQuery, QueueMessage, Source};
use serde_json::json;

use crate::Engine;
use crate::config::Unpublished;
use crate::connections;
use crate::hints;
use crate::ledger::{self, Entry, State};
use crate::loaded::{LoadedFlow, Way, flow_of_version};
use crate::runs::{self, RecordResult, Told};
use crate::steps::settle;
use crate::{on_their_way, trail, waiting};

/// One invocation reads pages for this long, then hands the next page to another.
const READ_FOR: TimeDelta = TimeDelta::seconds(40);

/// Runs the step.
pub async fn fetch(engine: &Engine, task: FetchTask) -> Result<(), Failure> {
    let header = &task.header;
    let flow = flow_of_version(engine, &header.tenant, &header.flow, header.config_version).await?;
    if hints::is_hint(&header.run) {
        hints::begin(engine, &task, &flow.flow.from).await?;
    }
    let result = read(engine, &flow, &task).await;
    settle::source_failure(engine, &flow, header, result).await
}

async fn read(engine: &Engine, flow: &LoadedFlow, task: &FetchTask) -> Result<(), Failure> {
    let header = &task.header;
    let source = connections::source(engine, &flow.tenant, &flow.config, &flow.flow.from).await?;
    if !task.ids.is_empty() {
        return read_by_id(engine, flow, task, &*source).await;
    }
    let stop_at = engine.clock.now() + READ_FOR;
    let (mut page, mut number) = (task.page.clone(), task.page_number);
    loop {
        let calls = Calls::new(flow.priority);
        let query = FetchQuery { entity: flow.flow.entity, since: task.since, page: page.clone() };
        let read = match source.fetch_page(&query, &calls).await {
            Ok(read) => read,
            // What was read is not read again: the page that has to wait does so in a message of its own.
            Err(Failure::Retry { reason: RetryReason::Throttled, .. }) if number > task.page_number => {
                return go_on(engine, task, page, number).await;
            }
            Err(failure) => return Err(failure),
        };
        let page_header = Header { chunk: format!("page-{number}"), ..header.clone() };
        tracing::info!(
            flow = flow.name,
            run = header.run,
            connection = flow.flow.from,
            page = number,
            records = read.records.len(),
            "read a page"
        );
        let told = hints::judge(engine, task, &flow.flow.from, &read.records).await?;
        runs::report_hints(engine, &page_header, told).await?;
        let (mut gone, mut told_on) = (Vec::new(), Vec::new());
        for id in &read.gone {
            match bury(engine, flow, &page_header, id).await? {
                Buried::Ended(result) => gone.push(*result),
                Buried::ToTell(one) => told_on.push(one),
            }
        }
        let chunks = pass_on(engine, flow, &page_header, read.records, told_on).await?;
        // Reported after the chunks are on their way: a crash in between repeats the page under the same keys.
        let taken = gone.iter().map(|result| &result.key).collect();
        let told = Told { chunks, taken, results: &gone, calls: calls.count() };
        runs::report(engine, &page_header, Step::Fetch, told).await?;
        page = read.next;
        number += 1;
        match &page {
            None => return runs::fetched_all(engine, header, Some(task.until)).await,
            Some(_) if engine.clock.now() >= stop_at => return go_on(engine, task, page, number).await,
            Some(_) => {}
        }
    }
}

/// Reads on at this page, in another message.
async fn go_on(engine: &Engine, task: &FetchTask, page: Option<String>, number: u32) -> Result<(), Failure> {
    let header = Header { chunk: format!("page-{number}"), ..task.header.clone() };
    let next = Task::Fetch(FetchTask { header, page, page_number: number, ..task.clone() });
    engine.queue.send(Step::Fetch, &[QueueMessage::pack(&next)?]).await
}

/// Reads single records; one that the source no longer has ends here.
async fn read_by_id(engine: &Engine, flow: &LoadedFlow, task: &FetchTask, source: &dyn Source) -> Result<(), Failure> {
    let header = Header { chunk: "ids".to_owned(), ..task.header.clone() };
    let calls = Calls::new(flow.priority);
    let (mut records, mut gone, mut told_on) = (Vec::new(), Vec::new(), Vec::new());
    for id in &task.ids {
        match source.fetch_one(flow.flow.entity, id, &calls).await? {
            Some(record) => records.push(record),
            None => match bury(engine, flow, &header, id).await? {
                Buried::Ended(result) => gone.push(*result),
                Buried::ToTell(one) => told_on.push(one),
            },
        }
    }
    let chunks = pass_on(engine, flow, &header, records, told_on).await?;
    let taken = gone.iter().map(|result| &result.key).collect();
    let told = Told { chunks, taken, results: &gone, calls: calls.count() };
    runs::report(engine, &header, Step::Fetch, told).await?;
    runs::fetched_all(engine, &task.header, None).await
}

/// What becomes of a record that the source no longer has.
enum Buried {
    /// It ends here.
    Ended(Box<RecordResult>),
    /// The target shows it, and shall not: this goes the way of every record.
    ToTell(Gone),
}

/// A record that the source no longer has: it leaves the waiting list, ledger and trail remember it, and its result says
/// what to do about what was delivered.
async fn bury(engine: &Engine, flow: &LoadedFlow, header: &Header, id: &RecordKey) -> Result<Buried, Failure> {
    let waited = waiting::get(engine, &flow.tenant, &flow.name, id).await?;
    on_their_way::forget(engine, flow, id).await?;
    let known = ledger::mark_gone(engine, &flow.tenant, &flow.name, id, header).await?;
    let number = known.as_ref().and_then(|k| k.target.as_ref()).map(|t| t.number.clone()).unwrap_or_default();
    let to_tell = known.as_ref().filter(|entry| is_shown(flow, entry) && !number.is_empty());
    let hidden = known.as_ref().is_some_and(|entry| entry.content_hash == ledger::TOLD_GONE);
    let cause = match known.as_ref().map(|k| k.state) {
        Some(State::Delivered) if hidden => told_before(flow.target_facts.name, &number),
        state => gone_cause(flow.target_facts.name, state, &number),
    };
    if known.is_some() || waited.is_some() {
        let payload = json!({ "gone": cause });
        trail::write(engine, header, Step::Fetch, id, cause.message.clone(), &payload).await?;
    }
    // Last: a crash before this leaves it on the list, and it is read again.
    waiting::remove(engine, &flow.tenant, &flow.name, id).await?;
    if to_tell.is_some() {
        return Ok(Buried::ToTell(Gone { key: id.clone(), number }));
    }
    let label = waited.map_or_else(|| id.as_str().to_owned(), |waited| waited.label);
    let result = RecordResult::new(id, &label, Outcome::Skipped).because(cause.in_flow(&flow.name).of_record(&label));
    Ok(Buried::Ended(Box::new(RecordResult { target_number: number, ..result })))
}

/// An article that the target has of this record, shows, and shall not show any more.
fn is_shown(flow: &LoadedFlow, entry: &Entry) -> bool {
    flow.way() == Way::Kept
        && flow.flow.entity == Entity::Products
        && flow.flow.settings.product.unpublished != Unpublished::Leave
        && entry.state == State::Delivered
        && entry.content_hash != ledger::TOLD_GONE
}

/// The target was told before.
pub(super) fn told_before(target: &str, number: &str) -> Cause {
    Cause::new("gone_and_hidden", format!("the source no longer has it, and {target} does not show {number} any more"))
}

/// What a person must know about a record that is gone, by how far it had come.
fn gone_cause(target: &str, state: Option<State>, number: &str) -> Cause {
    match state {
        Some(State::Delivered) => Cause::new(
            "gone_after_delivery",
            format!("the source no longer has this record, but it was delivered to {target} as {number}"),
        )
        .advice(format!("cancel {number} in {target} by hand when it must not count any more")),
        Some(State::Exists) => Cause::new(
            "gone_but_exists",
            format!("the source no longer has this record, but {target} has it as {number}"),
        )
        .advice(format!("cancel {number} in {target} by hand when it must not count any more")),
        Some(State::Claimed) => Cause::new(
            "gone_while_writing",
            format!("the source no longer has this record, and it is not known whether it reached {target}"),
        )
        .advice(format!("look for it in {target}, and cancel it by hand when it is there")),
        Some(State::Rejected | State::Parked | State::Gone | State::Skipped) | None => {
            Cause::new("gone", "the source no longer has this record")
        }
    }
}

/// Sends records on to map; returns the names of their chunks.
async fn pass_on(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    records: Vec<SourceRecord>,
    gone: Vec<Gone>,
) -> Result<BTreeSet<String>, Failure> {
    let (mut messages, mut names) = (Vec::new(), BTreeSet::new());
    for (lane, number, records) in chunks(records, flow.lanes) {
        let chunk = format!("{}-{lane}-{number}", header.chunk);
        names.insert(chunk.clone());
        let header = Header { chunk, lane, ..header.clone() };
        messages.push(QueueMessage::pack(&Task::Map(MapTask { header, records, gone: Vec::new() }))?);
    }
    // After the records: who has taken the number of one that is gone is known by then.
    let mut by_lane: BTreeMap<u32, Vec<Gone>> = BTreeMap::new();
    for one in gone {
        by_lane.entry(lane_of(&one.number, flow.lanes)).or_default().push(one);
    }
    for (lane, gone) in by_lane {
        for (number, gone) in gone.chunks(CHUNK_MAX_DOCUMENTS).enumerate() {
            let chunk = format!("{}-{lane}-gone-{number}", header.chunk);
            names.insert(chunk.clone());
            let header = Header { chunk, lane, ..header.clone() };
            let task = MapTask { header, records: Vec::new(), gone: gone.to_vec() };
            messages.push(QueueMessage::pack(&Task::Map(task))?);
        }
    }
    if !messages.is_empty() {
        engine.queue.send(Step::Map, &messages).await?;
    }
    Ok(names)
}

/// Splits records into lanes, and lanes into chunks that fit a message: (lane, number, records).
fn chunks(records: Vec<SourceRecord>, lanes: u32) -> Vec<(u32, usize, Vec<SourceRecord>)> {
    let mut by_lane: BTreeMap<u32, Vec<SourceRecord>> = BTreeMap::new();
    for record in records {
        by_lane.entry(lane_of(&record.partition, lanes)).or_default().push(record);
    }
    let mut chunks = Vec::new();
    for (lane, records) in by_lane {
        let (mut chunk, mut bytes, mut number) = (Vec::new(), 0, 0);
        for record in records {
            let size = record.raw.to_string().len() + 256;
            if !chunk.is_empty() && (chunk.len() == CHUNK_MAX_DOCUMENTS || bytes + size > CHUNK_MAX_BYTES) {
                chunks.push((lane, number, std::mem::take(&mut chunk)));
                (bytes, number) = (0, number + 1);
            }
            bytes += size;
            chunk.push(record);
        }
        chunks.push((lane, number, chunk));
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use koppel_core::NonEmpty;

    fn record(n: usize, bytes: usize) -> SourceRecord {
        SourceRecord {
            key: NonEmpty::new(n.to_string()).unwrap(),
            label: n.to_string(),
            partition: format!("customer {}", n % 7),
            modified_at: None,
            raw: serde_json::Value::String("x".repeat(bytes)),
        }
    }

    #[test]
    fn chunks_keep_to_count_and_size_and_a_customer_keeps_its_lane() {
        let split = chunks((0..250).map(|n| record(n, 10)).collect(), 1);
        assert_eq!(split.iter().map(|c| c.2.len()).collect::<Vec<_>>(), [100, 100, 50]);
        let split = chunks((0..5).map(|n| record(n, 300_000)).collect(), 1);
        assert_eq!(split.iter().map(|c| c.2.len()).collect::<Vec<_>>(), [2, 2, 1]);
        let split = chunks((0..70).map(|n| record(n, 10)).collect(), 4);
        for customer in 0..7 {
            let name = format!("customer {customer}");
            let lanes: std::collections::BTreeSet<u32> =
                split.iter().filter(|c| c.2.iter().any(|r| r.partition == name)).map(|c| c.0).collect();
            assert_eq!(lanes.len(), 1);
        }
    }
}
