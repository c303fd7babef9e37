//! Writes a chunk of records that are kept in step: claims them all, sends them with as few calls as the target allows,
//! and settles each by its own result.

use koppel_core::document::{Document, Entity};
use koppel_core::error::{Failure, RetryReason};
use koppel_core::message::{Action, Decision, Header, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::{Change, Existing, Found, Sent, Wanted};
use koppel_core::ports::{Calls, Target};
use serde_json::{Map, Value, json};

use super::later_of;
use super::pictures::Pictures;
use crate::Engine;
use crate::ledger::{self, Claim, Entry, State};
use crate::loaded::LoadedFlow;
use crate::runs::RecordResult;
use crate::steps::{fetch, settle};
use crate::{absent, origin, owners, parts, same, trail, waiting};

/// What became of a chunk.
pub struct Written<'a> {
    /// Records that have ended.
    pub results: Vec<RecordResult>,
    /// Records that must be handed out again, and why.
    pub again: Option<(Failure, Vec<&'a Decision>)>,
    /// Calls that were made.
    pub calls: usize,
}

struct Claimed<'a> {
    decision: &'a Decision,
    claim: Claim,
    change: Change,
}

impl Claimed<'_> {
    /// It is to be created, and may be in the target all the same.
    fn may_be_there(&self) -> bool {
        self.change.action == Action::Create && (self.claim.search_first || self.claim.was_delivered)
    }
}

/// Writes a chunk.
pub async fn write_chunk<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    decisions: &'a [Decision],
) -> Result<Written<'a>, Failure> {
    let mut written = Written { results: Vec::new(), again: None, calls: 0 };
    let mut claimed = Vec::new();
    for decision in decisions {
        let key = ledger::key(&flow.tenant, &flow.name, &decision.record.key);
        match ledger::claim_content(engine, key, header, &decision.content_hash).await {
            Ok(Ok(claim)) => claimed.push(Claimed { decision, claim, change: change_of(decision) }),
            Ok(Err(entry)) => written.results.push(super::delivered_result(header, decision, &entry)),
            Err(failure) => again(&mut written, failure, decision),
        }
    }
    let claimed = leave_to_others(engine, flow, header, claimed, &mut written).await?;
    let Some(until) = claimed.iter().map(|one| one.claim.until).min() else { return Ok(written) };
    let calls = Calls::new(flow.priority).until(until);
    let mut open = match look_first(engine, flow, target, header, claimed, &calls, &mut written).await {
        Ok(open) => open,
        Err((failure, claimed)) => {
            give_back(engine, header, claimed, &failure, &mut written).await?;
            written.calls = calls.count();
            return Ok(written);
        }
    };
    if flow.flow.entity == Entity::Products {
        let mut pictures = Pictures::of(engine, flow);
        for one in &mut open {
            match pictures.fetch(&one.change.fields, &calls).await {
                Ok(found) => one.change.pictures = found,
                // A picture that cannot be read now is no reason to hold back a price: it is tried with the next change.
                Err(failure) => {
                    tracing::warn!(flow = flow.name, record = one.decision.record.key.as_str(), cause = %failure, "a picture could not be read");
                }
            }
        }
    }
    send(engine, flow, target, header, open, &calls, &mut written).await?;
    written.calls = calls.count();
    Ok(written)
}

/// An article that is gone, and whose number another record of the source has by now: that one is shown.
async fn leave_to_others<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    claimed: Vec<Claimed<'a>>,
    written: &mut Written<'a>,
) -> Result<Vec<Claimed<'a>>, Failure> {
    let gone = claimed.iter().map(|one| one.decision).filter(|decision| decision.record.gone);
    let keyed: Vec<_> = gone.map(|decision| (&decision.record.key, decision.natural_key.clone())).collect();
    if keyed.is_empty() {
        return Ok(claimed);
    }
    let taken = owners::taken(engine, flow, &keyed).await?;
    let mut open = Vec::with_capacity(claimed.len());
    for one in claimed {
        let record = &one.decision.record;
        if !record.gone || !taken.contains_key(&record.key) {
            open.push(one);
            continue;
        }
        let (now, target) = (engine.clock.now(), found_of(one.decision));
        let entry = Entry {
            target,
            content_hash: one.decision.content_hash.clone(),
            gone_at: Some(now),
            ..ledger::without_target(State::Delivered, Outcome::Skipped, Step::Write, header, now)
        };
        ledger::commit(engine, one.claim, entry).await?;
        let cause = fetch::told_before(flow.target_facts.name, &record.label);
        written.results.push(RecordResult::new(&record.key, &record.label, Outcome::Skipped).because(cause));
    }
    Ok(open)
}

/// The record of the target that a decision changes.
fn found_of(decision: &Decision) -> Option<Found> {
    match &decision.action {
        Action::Update { id } => Some(Found { id: id.clone(), number: decision.record.label.clone() }),
        Action::Create => None,
    }
}

fn change_of(decision: &Decision) -> Change {
    let fields = decision.payload.as_object().cloned().unwrap_or_default();
    Change { key: decision.natural_key.clone(), action: decision.action.clone(), fields, pictures: Vec::new() }
}

fn again<'a>(written: &mut Written<'a>, failure: Failure, decision: &'a Decision) {
    let (before, mut waiting) = match written.again.take() {
        Some((before, waiting)) => (Some(before), waiting),
        None => (None, Vec::new()),
    };
    waiting.push(decision);
    written.again = Some((later_of(before, failure), waiting));
}

/// Creations whose earlier claim has no result, or that were decided before another chunk delivered the record: what is
/// there by now is changed instead of created a second time.
async fn look_first<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    claimed: Vec<Claimed<'a>>,
    calls: &Calls,
    written: &mut Written<'a>,
) -> Result<Vec<Claimed<'a>>, (Failure, Vec<Claimed<'a>>)> {
    let doubtful: Vec<Wanted<'_>> = claimed
        .iter()
        .filter(|one| one.may_be_there())
        .map(|one| Wanted { key: &one.change.key, fields: &one.change.fields })
        .collect();
    if doubtful.is_empty() {
        return Ok(claimed);
    }
    let found = match target.find_wanted(flow.flow.entity, &doubtful, calls).await {
        Ok(found) => found,
        Err(failure) => return Err((failure, claimed)),
    };
    let mut open = Vec::new();
    let mut rest = claimed.into_iter();
    while let Some(mut one) = rest.next() {
        let existing = found.get(&one.change.key).and_then(|list| list.first()).filter(|_| one.may_be_there());
        let Some(existing) = existing else {
            open.push(one);
            continue;
        };
        one.change.fields = same::differences(&one.change.fields, &existing.fields);
        one.change.action = Action::Update { id: existing.id.clone() };
        if !one.change.fields.is_empty() {
            open.push(one);
            continue;
        }
        let sent = sent_of(existing);
        let decision = one.decision;
        match delivered(engine, flow, header, one, sent, Outcome::Created).await {
            Ok(result) => written.results.push(result),
            Err(failure) => {
                // It is one of those that come back: the rest may be parked, and nobody would tell of it.
                again(written, failure.clone(), decision);
                open.extend(rest);
                return Err((failure, open));
            }
        }
    }
    Ok(open)
}

fn sent_of(existing: &Existing) -> Sent {
    Sent { id: existing.id.clone(), number: existing.label.clone(), ..Sent::default() }
}

async fn send<'a>(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    open: Vec<Claimed<'a>>,
    calls: &Calls,
    written: &mut Written<'a>,
) -> Result<(), Failure> {
    if open.is_empty() {
        return Ok(());
    }
    for one in &open {
        if let Err(failure) = parts::coming(engine, flow, &one.decision.record).await {
            return give_back(engine, header, open, &failure, written).await;
        }
    }
    let changes: Vec<Change> = open.iter().map(|one| one.change.clone()).collect();
    let sent = match target.send_records(flow.flow.entity, &changes, calls).await {
        Ok(sent) => sent,
        Err(failure) => return give_back(engine, header, open, &failure, written).await,
    };
    let mut results = sent.into_iter();
    for one in open {
        let decision = one.decision;
        match results.next() {
            Some(Ok(sent)) => {
                let outcome = match one.change.action {
                    Action::Create => Outcome::Created,
                    Action::Update { .. } => Outcome::Updated,
                };
                written.results.push(delivered(engine, flow, header, one, sent, outcome).await?);
            }
            Some(Err(failure @ (Failure::Reject(_) | Failure::Settings(_)))) => {
                written.results.push(refused(engine, flow, header, one, &failure).await?);
            }
            Some(Err(failure)) => {
                let rest = vec![one];
                give_back(engine, header, rest, &failure, written).await?;
            }
            // The connector owes one result for each change. Nothing is known of this one.
            None => {
                ledger::leave_open(engine, one.claim, header).await?;
                again(written, unknown(), decision);
            }
        }
    }
    Ok(())
}

fn unknown() -> Failure {
    let cause = koppel_core::Cause::new("no_result", "the target gave no result for this record");
    Failure::retry(RetryReason::OutcomeUnknown, Some(super::SETTLE_TIME), cause)
}

/// Ends claims without a result: open ones when the outcome is unknown or an earlier one was.
async fn give_back<'a>(
    engine: &Engine,
    header: &Header,
    claimed: Vec<Claimed<'a>>,
    failure: &Failure,
    written: &mut Written<'a>,
) -> Result<(), Failure> {
    let is_unknown = matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. });
    for one in claimed {
        if is_unknown || one.claim.search_first || one.may_be_there() {
            ledger::leave_open(engine, one.claim, header).await?;
        } else {
            ledger::release(engine, one.claim, header).await?;
        }
        again(written, failure.clone(), one.decision);
    }
    Ok(())
}

async fn delivered(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: Claimed<'_>,
    sent: Sent,
    outcome: Outcome,
) -> Result<RecordResult, Failure> {
    let record = &one.decision.record;
    let found = ledger::impersonal(Found { id: sent.id.clone(), number: sent.number.clone() });
    let summary = format!("{outcome} as {}", found.number);
    let entry = Entry {
        target: Some(found),
        content_hash: one.decision.content_hash.clone(),
        gone_at: record.gone.then(|| engine.clock.now()),
        ..ledger::without_target(State::Delivered, outcome, Step::Write, header, engine.clock.now())
    };
    // All of these before the commit: after it nobody would come back for them.
    if let Document::Product(product) = &record.document
        && !record.gone
        // An earlier claim without a result may have made it.
        && (outcome == Outcome::Created || one.claim.search_first || one.change.fields.contains_key("_variations"))
    {
        absent::came(engine, flow, &absent::numbers(product)).await?;
    }
    origin::written(engine, flow, record, &sent.id).await?;
    parts::arrived(engine, flow, record).await?;
    if !record.gone {
        owners::own(engine, flow, &one.decision.natural_key, &record.key, &record.label).await?;
    }
    if one.claim.was_waiting {
        waiting::remove(engine, &flow.tenant, &flow.name, &record.key).await?;
    }
    ledger::commit(engine, one.claim, entry).await?;
    let payload = json!({ "payload": one.change.fields, "answer": sent });
    trail::write(engine, header, Step::Write, &record.key, summary, &payload).await?;
    let result = RecordResult::new(&record.key, &record.label, outcome);
    Ok(RecordResult {
        target_number: sent.number,
        warnings: record.warnings.clone(),
        fields: names(&one.change.fields),
        ..result
    })
}

/// Which fields were written, as a person calls them.
fn names(fields: &Map<String, Value>) -> Vec<String> {
    fields.keys().map(|name| name.trim_start_matches('_').to_owned()).collect()
}

async fn refused(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    one: Claimed<'_>,
    failure: &Failure,
) -> Result<RecordResult, Failure> {
    let record = &one.decision.record;
    let payload = json!({ "payload": one.change.fields, "failure": failure.cause() });
    ledger::release(engine, one.claim, header).await?;
    trail::write(engine, header, Step::Write, &record.key, failure.cause().message.clone(), &payload).await?;
    let entries = ledger::entries(engine, &flow.tenant, &flow.name, std::slice::from_ref(&record.key)).await?;
    let before = entries.into_iter().next().flatten();
    let known = (&record.key, record.label.as_str());
    settle::failed(engine, flow, header, Step::Write, known, before.as_ref(), failure).await
}
