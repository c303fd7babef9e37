//! The ledger: what has been delivered. Claim → search → write → commit.
//!
//! A claim is a conditional write with a lease. Whoever finds a claim without a result must search the target by natural
//! key before writing, because the writer before may have been stopped after the target had committed.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::message::{Header, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::Found;
use koppel_core::ports::{Condition, Key, StoreError};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::runs::{put, read_required};

/// How long a claim protects its owner: longer than the slowest call, because no call may begin that could outlive it.
pub const LEASE: TimeDelta = TimeDelta::seconds(90);

/// Content hash of a record whose end the target was told.
pub const TOLD_GONE: &str = "gone";

/// State of one record in one flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody is writing it, or was stopped while writing.
    Claimed,
    /// It is in the target.
    Delivered,
    /// The target had it already; it is not ours.
    Exists,
    /// It can not be delivered as it is.
    Rejected,
    /// It waits: see the waiting list.
    Parked,
    /// The source has it no longer, and it was not delivered.
    Gone,
    /// There is nothing to deliver: it was left out for good, unless that changes.
    Skipped,
}

/// One ledger entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// State.
    pub state: State,
    /// Run that wrote the entry last.
    pub run: String,
    /// Its chunk: pages overlap when records move while they are read, so one run may meet a record in two chunks.
    #[serde(default)]
    pub chunk: String,
    /// How the record ended in that run.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// The step in which it ended: another step that sees the record again in this run leaves it alone.
    #[serde(default)]
    pub step: Option<Step>,
    /// Document in the target.
    #[serde(default)]
    pub target: Option<Found>,
    /// Hash of the content that was delivered.
    #[serde(default)]
    pub content_hash: String,
    /// End of the claim.
    #[serde(default)]
    pub claimed_until: Option<DateTime<Utc>>,
    /// The source was found not to have it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<DateTime<Utc>>,
    /// Last change.
    pub at: DateTime<Utc>,
}

/// An entry with the version that a conditional write needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The entry.
    pub entry: Entry,
    /// Store version.
    pub version: u64,
}

/// A claim that was won.
#[derive(Debug)]
pub struct Claim {
    key: Key,
    version: u64,
    /// The target must be searched before it is written to.
    pub search_first: bool,
    /// It was delivered before: a decision to create it that says nothing of that is older than the delivery, or the target
    /// has lost it since.
    pub was_delivered: bool,
    /// The record may stand on the waiting list.
    pub was_waiting: bool,
    /// No call may outlive this moment.
    pub until: DateTime<Utc>,
}

impl Entry {
    /// The record has ended in this very chunk, in `step`.
    pub fn ended_in(&self, header: &Header, step: Step) -> Option<Outcome> {
        let here = self.run == header.run && self.chunk == header.chunk && self.step == Some(step);
        self.outcome.filter(|_| here)
    }

    /// What is written of a record in a chunk, without a result.
    fn of(state: State, header: &Header, at: DateTime<Utc>) -> Self {
        Self {
            state,
            run: header.run.clone(),
            chunk: header.chunk.clone(),
            outcome: None,
            step: None,
            target: None,
            content_hash: String::new(),
            claimed_until: None,
            gone_at: None,
            at,
        }
    }
}

/// Key of a record's entry.
pub fn key(tenant: &Tenant, flow: &str, record: &RecordKey) -> Key {
    Key::new(tenant, &["ledger", flow], record.as_str())
}

/// The entries of many records, in their order.
pub async fn entries(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    records: &[RecordKey],
) -> Result<Vec<Option<Versioned>>, Failure> {
    let keys: Vec<Key> = records.iter().map(|record| key(tenant, flow, record)).collect();
    let items = engine.store.batch_get(&keys).await?;
    items
        .into_iter()
        .map(|item| item.map(|i| Ok(Versioned { entry: read_required(&i.value)?, version: i.version })).transpose())
        .collect()
}

/// Claims any key: a record, or a customer that several flows may create.
///
/// `Ok(Err(found))` when the thing is delivered already; a retry when somebody else holds a living claim.
pub async fn claim(engine: &Engine, key: Key, header: &Header) -> Result<Result<Claim, Box<Entry>>, Failure> {
    claim_unless(engine, key, header, |_| true).await
}

/// Claims a record that is kept in step: it may be delivered again, with other content.
pub async fn claim_content(
    engine: &Engine,
    key: Key,
    header: &Header,
    content_hash: &str,
) -> Result<Result<Claim, Box<Entry>>, Failure> {
    claim_unless(engine, key, header, |delivered| delivered.content_hash == content_hash).await
}

async fn claim_unless(
    engine: &Engine,
    key: Key,
    header: &Header,
    is_done: impl Fn(&Entry) -> bool,
) -> Result<Result<Claim, Box<Entry>>, Failure> {
    let now = engine.clock.now();
    let item = engine.store.get(&key).await?;
    let before: Option<Versioned> = item
        .map(|i| Ok::<_, Failure>(Versioned { entry: read_required(&i.value)?, version: i.version }))
        .transpose()?;
    let mut search_first = false;
    if let Some(Versioned { entry, .. }) = &before {
        match entry.state {
            State::Delivered if is_done(entry) => return Ok(Err(Box::new(entry.clone()))),
            State::Claimed => {
                let until = entry.claimed_until.unwrap_or(now);
                if until > now {
                    return Err(busy(until - now));
                }
                search_first = true;
            }
            State::Delivered | State::Exists | State::Rejected | State::Parked | State::Gone | State::Skipped => {}
        }
    }
    let was_waiting = before.is_some();
    let was_delivered = before.as_ref().is_some_and(|known| known.entry.state == State::Delivered);
    let until = now + LEASE;
    let entry = Entry { claimed_until: Some(until), ..Entry::of(State::Claimed, header, now) };
    let condition = before.map_or(Condition::Absent, |b| Condition::Version(b.version));
    let text = serde_json::to_string(&entry).unwrap_or_default();
    match engine.store.put(&key, &text, condition, None).await {
        Ok(version) => Ok(Ok(Claim { key, version, search_first, was_delivered, was_waiting, until })),
        Err(StoreError::ConditionFailed) => Err(busy_for_a_moment()),
        Err(other) => Err(other.into()),
    }
}

/// Somebody else is at it; come back in a second.
pub fn busy_for_a_moment() -> Failure {
    busy(TimeDelta::seconds(1))
}

fn busy(wait: TimeDelta) -> Failure {
    Failure::retry(
        RetryReason::Busy,
        wait.to_std().ok(),
        Cause::new("claimed", "another worker is writing this record; its claim ends by itself"),
    )
}

/// Ends a claim with a result.
pub async fn commit(engine: &Engine, claim: Claim, entry: Entry) -> Result<(), Failure> {
    put(engine, &claim.key, &entry, Condition::Version(claim.version), None).await?;
    Ok(())
}

/// Gives a claim back without a result: nothing was written, so nobody needs to search.
pub async fn release(engine: &Engine, claim: Claim, header: &Header) -> Result<(), Failure> {
    let entry = Entry::of(State::Parked, header, engine.clock.now());
    commit(engine, claim, entry).await
}

/// Ends a claim as open: the outcome is unknown, so the next one searches at once instead of waiting for the lease.
pub async fn leave_open(engine: &Engine, claim: Claim, header: &Header) -> Result<(), Failure> {
    let now = engine.clock.now();
    let entry = Entry { claimed_until: Some(now), ..Entry::of(State::Claimed, header, now) };
    commit(engine, claim, entry).await
}

/// Writes the entry of a record that ended without being claimed (exists, rejected, parked).
///
/// Never overwrites a claim or a delivery: those know more.
pub async fn settle(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
    before: Option<&Versioned>,
    entry: &Entry,
) -> Result<(), Failure> {
    if before.is_some_and(|b| b.entry.state == State::Delivered) {
        return Ok(());
    }
    replace(engine, tenant, flow, record, before, entry).await
}

/// Writes the entry of a record in the place of what was known, though it may have been delivered.
///
/// Never overwrites a claim: whoever holds it knows more.
pub async fn replace(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
    before: Option<&Versioned>,
    entry: &Entry,
) -> Result<(), Failure> {
    if before.is_some_and(|b| b.entry.state == State::Claimed) {
        return Ok(());
    }
    let condition = before.map_or(Condition::Absent, |b| Condition::Version(b.version));
    match put(engine, &key(tenant, flow, record), entry, condition, None).await {
        // Somebody was faster and knows better.
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Marks a record that the source no longer has, when anything is known of it; returns what was known.
///
/// What was delivered, and a claim whose outcome is unknown, keep their state: they say more than that it is gone.
pub async fn mark_gone(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
    header: &Header,
) -> Result<Option<Entry>, Failure> {
    let Some(Versioned { entry, version }) =
        entries(engine, tenant, flow, std::slice::from_ref(record)).await?.into_iter().next().flatten()
    else {
        return Ok(None);
    };
    let now = engine.clock.now();
    let marked = match entry.state {
        State::Delivered | State::Claimed | State::Exists => entry.clone(),
        State::Rejected | State::Parked | State::Gone | State::Skipped => {
            without_target(State::Gone, Outcome::Skipped, Step::Fetch, header, now)
        }
    };
    let marked = Entry { gone_at: entry.gone_at.or(Some(now)), ..marked };
    put(engine, &key(tenant, flow, record), &marked, Condition::Version(version), None).await?;
    Ok(Some(entry))
}

/// Takes the mark off a record that the source has again.
pub async fn mark_back(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: &RecordKey,
    known: &Versioned,
) -> Result<(), Failure> {
    let entry = Entry { gone_at: None, ..known.entry.clone() };
    put(engine, &key(tenant, flow, record), &entry, Condition::Version(known.version), None).await?;
    Ok(())
}

/// What is kept of a record of the target. The number of an account may be somebody's address: then its id stands for it.
pub fn impersonal(found: Found) -> Found {
    if found.number.contains('@') { Found { number: found.id.clone(), id: found.id } } else { found }
}

/// An entry without a document in the target.
pub fn without_target(state: State, outcome: Outcome, step: Step, header: &Header, now: DateTime<Utc>) -> Entry {
    Entry { outcome: Some(outcome), step: Some(step), ..Entry::of(state, header, now) }
}
