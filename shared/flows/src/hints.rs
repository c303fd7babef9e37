//! Hints: what webhooks have said about records, and the small runs that follow from it.
//!
//! One item per connection and record remembers the last hint. It answers three questions:
//!
//! * Was this delivery here before? Ids of deliveries are kept for a day.
//! * Must the record be read? Not when a read that has not begun yet will see it, or when one has begun for exactly this
//!   content moments ago. The read marks its begin *before* it asks the source, so no change slips in between.
//! * Did the sweep find a change that no webhook had told? That is how loss is measured; see [`judge`].
//!
//! A hint has a run of its own, beside the one run of the flow: it moves no cursor and blocks nobody. The schedule ends
//! it when its funnel adds up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::{NonEmpty, RecordKey, Tenant};
use koppel_core::message::{FetchTask, Header, SourceRecord, Task, lane_of};
use koppel_core::outcome::Funnel;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key, QueueMessage, StoreError};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::runs::{self, Run, put, read_required};

/// Runs of hints begin with this.
const RUN_PREFIX: &str = "webhook-";
/// A record is read once for all that is told of it within this time.
const DEBOUNCE: TimeDelta = TimeDelta::seconds(10);
/// A repeated delivery is recognised for this long.
const REMEMBER_DELIVERIES: TimeDelta = TimeDelta::hours(24);
/// No more ids than this are kept for one record.
const MOST_DELIVERIES: usize = 50;
/// Marks are needed until the sweep has looked at them.
const KEEP_MARKS: TimeDelta = TimeDelta::days(7);
/// A webhook may be this late before its absence counts: shops deliver by a clock of their own.
pub(crate) const PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// The clock of a shop may be this far off.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// Groups in which hints are read, beside those of the lanes: a sweep that reads pages does not hold them up.
const GROUPS: u32 = 16;
/// Two deliveries of one record at the same moment: so often the second one looks again.
const TRIES: usize = 4;

/// The last hint about a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// When the last delivery came.
    at: DateTime<Utc>,
    /// When the read was asked for that covers it.
    asked_at: DateTime<Utc>,
    /// That read has begun.
    begun: bool,
    /// Content of the last delivery, hashed.
    digest: String,
    /// Ids of deliveries, oldest first.
    deliveries: Vec<(String, DateTime<Utc>)>,
}

/// What a delivery changes.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken {
    /// Nothing: it was here before.
    Repeated,
    /// Nothing: a read that is on its way covers it.
    Covered,
    /// The record must be read. Holds what to put back when that cannot be asked for.
    New(Undo),
}

/// The mark before a delivery.
#[derive(Debug, PartialEq)]
pub(crate) struct Undo {
    key: Key,
    before: Option<Mark>,
    version: u64,
}

fn mark_key(tenant: &Tenant, connection: &str, record: &RecordKey) -> Key {
    Key::new(tenant, &["hint", connection], record.as_str())
}

/// Takes a delivery down: one read, one conditional write.
pub(crate) async fn take(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    record: &RecordKey,
    delivery: &NonEmpty,
    body: &[u8],
) -> Result<Taken, Failure> {
    let key = mark_key(tenant, connection, record);
    let digest = URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, body));
    for _ in 0..TRIES {
        let now = engine.clock.now();
        let item = engine.store.get(&key).await?;
        let before: Option<Mark> = item.as_ref().map(|item| read_required(&item.value)).transpose()?;
        let Some((mark, covered)) = next_mark(before.as_ref(), delivery, &digest, now) else {
            return Ok(Taken::Repeated);
        };
        let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
        match put(engine, &key, &mark, condition, Some(now + KEEP_MARKS)).await {
            Ok(_) if covered => return Ok(Taken::Covered),
            Ok(version) => return Ok(Taken::New(Undo { key, before, version })),
            Err(Failure::Retry { reason: RetryReason::Busy, .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StoreError::ConditionFailed.into())
}

/// The mark after a delivery, and whether a read on its way covers it; `None` for a repeated one.
fn next_mark(before: Option<&Mark>, delivery: &NonEmpty, digest: &str, now: DateTime<Utc>) -> Option<(Mark, bool)> {
    let mut deliveries = before.map(|mark| mark.deliveries.clone()).unwrap_or_default();
    deliveries.retain(|(_, at)| now - *at < REMEMBER_DELIVERIES);
    if deliveries.iter().any(|(id, _)| id == delivery.as_str()) {
        return None;
    }
    deliveries.push((delivery.as_str().to_owned(), now));
    let surplus = deliveries.len().saturating_sub(MOST_DELIVERIES);
    deliveries.drain(..surplus);
    let covered = before.filter(|mark| now - mark.asked_at < DEBOUNCE && (!mark.begun || mark.digest == digest));
    let mark = Mark {
        at: now,
        asked_at: covered.map_or(now, |mark| mark.asked_at),
        begun: covered.is_some_and(|mark| mark.begun),
        digest: digest.to_owned(),
        deliveries,
    };
    Some((mark, covered.is_some()))
}

/// Forgets a delivery whose read could not be asked for, so that it may come again.
pub(crate) async fn undo(engine: &Engine, undo: Undo) -> Result<(), Failure> {
    match undo.before {
        Some(mark) => {
            let expires = Some(engine.clock.now() + KEEP_MARKS);
            put(engine, &undo.key, &mark, Condition::Version(undo.version), expires).await.map(|_| ())
        }
        None => Ok(engine.store.delete(&undo.key, Condition::Version(undo.version)).await?),
    }
}

/// The run belongs to a hint.
pub fn is_hint(run: &str) -> bool {
    run.starts_with(RUN_PREFIX)
}

/// The message that has a record read: a chunk of one.
pub(crate) fn message(
    tenant: &Tenant,
    flow: &str,
    config_version: u64,
    record: &RecordKey,
    now: DateTime<Utc>,
) -> Result<QueueMessage, Failure> {
    let name: String = record.as_str().chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let header = Header {
        tenant: tenant.clone(),
        flow: flow.to_owned(),
        run: format!("{RUN_PREFIX}{}-{name}", now.format("%Y%m%dT%H%M%S%3fZ")),
        config_version,
        chunk: "ids".to_owned(),
        lane: 0,
    };
    let task = FetchTask {
        header,
        since: now,
        until: now,
        page: None,
        page_number: 0,
        ids: vec![record.clone()],
        hints_since: None,
    };
    let group = format!("{tenant}#{flow}#webhook-{}", lane_of(record.as_str(), GROUPS));
    Ok(QueueMessage { group, ..QueueMessage::pack(&Task::Fetch(task))? })
}

/// The read of a hint begins: what is told from now on needs another one. Opens its run.
pub(crate) async fn begin(engine: &Engine, task: &FetchTask, connection: &str) -> Result<(), Failure> {
    let header = &task.header;
    let (tenant, flow) = (&header.tenant, &header.flow);
    let now = engine.clock.now();
    let run = Run {
        id: header.run.clone(),
        flow: flow.clone(),
        config_version: header.config_version,
        started_at: task.until,
        ..Run::default()
    };
    // The list before the run: one that is listed and not there is taken off the list, one that is there is ended.
    let listed = open_key(tenant, flow, &run.id);
    engine.store.put(&listed, "true", Condition::Always, Some(now + KEEP_MARKS)).await?;
    runs::put_new(engine, tenant, &run).await?;
    // And after it: the schedule may have taken it off in between, and would never end the run.
    engine.store.put(&listed, "true", Condition::Always, Some(now + KEEP_MARKS)).await?;
    for record in &task.ids {
        let key = mark_key(tenant, connection, record);
        let Some(item) = engine.store.get(&key).await? else { continue };
        let mark: Mark = read_required(&item.value)?;
        if !mark.begun {
            let mark = Mark { begun: true, ..mark };
            // When a delivery comes in between, this message is handled again: busy is a short retry.
            put(engine, &key, &mark, Condition::Version(item.version), item.expires_at).await?;
        }
    }
    Ok(())
}

fn open_key(tenant: &Tenant, flow: &str, run: &str) -> Key {
    Key::new(tenant, &["open-hint", flow], run)
}

/// Ends the runs of hints whose funnel adds up, and gives up those that have been open for hours.
pub(crate) async fn finish(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Vec<Run>, Failure> {
    let mut ended = Vec::new();
    for item in crate::items::all(engine, &partition(tenant, &["open-hint", flow]), "").await? {
        if let Some(run) = runs::end_one(engine, tenant, flow, &item.key.sort).await? {
            ended.extend(run);
            engine.store.delete(&item.key, Condition::Always).await?;
        }
    }
    Ok(ended)
}

/// Which of the changes that a sweep reads had been told by a webhook.
///
/// Each change is judged once, in the run whose window it falls into: from the end of the run before to the end of this
/// one, both less the patience. Sweeps read five minutes back, so what was too fresh in one run is there again in the
/// next. What changed before the webhooks were registered is not judged.
pub(crate) async fn judge(
    engine: &Engine,
    task: &FetchTask,
    connection: &str,
    records: &[SourceRecord],
) -> Result<runs::HintCounts, Failure> {
    let tenant = &task.header.tenant;
    let mut counts = runs::HintCounts::default();
    let Some(since) = task.hints_since else { return Ok(counts) };
    let Some(registered) = crate::webhooks::registered_at(engine, tenant, connection).await? else {
        return Ok(counts);
    };
    let window = (since - PATIENCE).max(registered)..(task.until - PATIENCE);
    let (keys, changed): (Vec<Key>, Vec<DateTime<Utc>>) = records
        .iter()
        .filter_map(|record| Some((record, record.modified_at.filter(|at| window.contains(at))?)))
        .map(|(record, at)| (mark_key(tenant, connection, &record.key), at))
        .unzip();
    if keys.is_empty() {
        return Ok(counts);
    }
    for (item, changed) in engine.store.batch_get(&keys).await?.into_iter().zip(changed) {
        let mark: Option<Mark> = item.map(|item| read_required(&item.value)).transpose()?;
        if mark.is_some_and(|mark| mark.at >= changed - SKEW) {
            counts.told += 1;
        } else {
            counts.missed += 1;
        }
    }
    Ok(counts)
}

/// What to say about a hint that nobody has ended.
pub(crate) fn stuck(flow: &str, funnel: &Funnel) -> Cause {
    Cause::new("run_incomplete", format!("the run did not end: {funnel}"))
        .advice("look at the dead letters: koppel status")
        .in_flow(flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn id(text: &str) -> NonEmpty {
        NonEmpty::new(text).unwrap()
    }

    #[test]
    fn a_read_covers_what_is_told_before_it_begins_or_what_it_has_seen() {
        let (first, covered) = next_mark(None, &id("a"), "1", at(0)).unwrap();
        assert!(!covered);
        let (second, covered) = next_mark(Some(&first), &id("b"), "2", at(3)).unwrap();
        assert!(covered, "the read has not begun");
        let begun = Mark { begun: true, ..second };
        assert!(next_mark(Some(&begun), &id("c"), "2", at(4)).unwrap().1, "the read sees this content");
        let (third, covered) = next_mark(Some(&begun), &id("c"), "3", at(4)).unwrap();
        assert!(!covered && !third.begun, "another content needs another read");
        assert!(!next_mark(Some(&begun), &id("c"), "2", at(10)).unwrap().1, "not for ever");
    }

    #[test]
    fn a_delivery_is_known_for_a_day_and_the_list_stays_short() {
        let (mut mark, _) = next_mark(None, &id("a"), "1", at(0)).unwrap();
        assert!(next_mark(Some(&mark), &id("a"), "1", at(86_399)).is_none());
        assert!(next_mark(Some(&mark), &id("a"), "1", at(86_400)).is_some());
        for n in 0..100 {
            mark = next_mark(Some(&mark), &id(&n.to_string()), "1", at(n)).unwrap().0;
        }
        assert_eq!(mark.deliveries.len(), MOST_DELIVERIES);
    }
}
