//! Write: claim → (search) → customer → document → commit, record by record. One record's failure never blocks another.

mod customer;
mod dated;
mod kept;
mod pictures;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::document::Document;
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::RecordKey;
use koppel_core::message::{CustomerDecision, Decision, Header, Step, WriteTask};
use koppel_core::outcome::Outcome;
use koppel_core::ports::target::{CustomerLink, Found, Sent};
use koppel_core::ports::{Calls, Target};
use serde_json::json;

use crate::Engine;
use crate::exists_field;
use crate::ledger::{self, Claim, Entry, State};
use crate::loaded::{LoadedFlow, Way, flow_of_version};
use crate::periods::{self, Periods};
use crate::runs::{self, RecordResult, Told};
use crate::steps::check::describe;
use crate::steps::settle;
use crate::{connections, number_back, on_their_way, origin, refunds, trail, waiting};

/// One invocation writes for this long, then hands the rest to another.
const WRITE_FOR: TimeDelta = TimeDelta::seconds(60);
/// After a lost answer the target gets a moment to finish before it is searched.
const SETTLE_TIME: Duration = Duration::from_secs(5);

/// Runs the step.
pub async fn write(engine: &Engine, task: WriteTask) -> Result<(), Failure> {
    let header = &task.header;
    let flow = flow_of_version(engine, &header.tenant, &header.flow, header.config_version).await?;
    let mut results = Vec::new();
    let asked = Calls::new(flow.priority);
    let prepared = prepare(engine, &flow, &asked).await;
    let (target, mut periods) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            let all = open_records(&task.decisions);
            results.extend(settle::chunk_failed(engine, &flow, header, Step::Write, &all, failure).await?);
            return runs::report(engine, header, Step::Write, Told { results: &results, ..Told::default() }).await;
        }
    };
    if flow.way() == Way::Kept {
        return write_kept(engine, &flow, &*target, &task).await;
    }
    let stop_at = engine.clock.now() + WRITE_FOR;
    let mut again: Option<Failure> = None;
    let mut waiting_records: Vec<&Decision> = Vec::new();
    for decision in &task.decisions {
        // Once the target is down or a limit is reached, the rest would only meet the same answer.
        let blocked = again.as_ref().is_some_and(|f| !is_busy(f));
        if blocked || engine.clock.now() >= stop_at {
            again.get_or_insert_with(out_of_time);
            waiting_records.push(decision);
            continue;
        }
        match write_one(engine, &flow, &*target, header, decision, &mut periods).await {
            Ok(result) => results.push(result),
            Err(failure) => {
                waiting_records.push(decision);
                again = Some(later_of(again, failure));
            }
        }
    }
    if let Some(failure) = again {
        let open = open_records(waiting_records);
        results.extend(settle::chunk_failed(engine, &flow, header, Step::Write, &open, failure).await?);
    }
    let told = Told { results: &results, calls: asked.count(), ..Told::default() };
    runs::report(engine, header, Step::Write, told).await
}

/// The target, and what is known of its periods.
async fn prepare(engine: &Engine, flow: &LoadedFlow, calls: &Calls) -> Result<(Arc<dyn Target>, Periods), Failure> {
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let periods = match flow.way() {
        Way::Documents => Periods::look(engine, flow, &*target, calls).await?,
        Way::Debtors | Way::Kept => Periods::unknown(flow, engine.clock.now()),
    };
    Ok((target, periods))
}

async fn write_kept(engine: &Engine, flow: &LoadedFlow, target: &dyn Target, task: &WriteTask) -> Result<(), Failure> {
    let header = &task.header;
    let written = kept::write_chunk(engine, flow, target, header, &task.decisions).await?;
    // Told before the message comes back: these have ended.
    let told = Told { results: &written.results, calls: written.calls, ..Told::default() };
    runs::report(engine, header, Step::Write, told).await?;
    let Some((failure, waiting)) = written.again else { return Ok(()) };
    let open = open_records(waiting);
    let results = settle::chunk_failed(engine, flow, header, Step::Write, &open, failure).await?;
    runs::report(engine, header, Step::Write, Told { results: &results, ..Told::default() }).await
}

fn open_records<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Vec<(RecordKey, String)> {
    decisions.into_iter().map(|d| (d.record.key.clone(), d.record.label.clone())).collect()
}

fn is_busy(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { reason: RetryReason::Busy | RetryReason::OutcomeUnknown, .. })
}

fn out_of_time() -> Failure {
    let cause = Cause::new("out_of_time", "the rest of the chunk is written by the next invocation");
    Failure::retry(RetryReason::Busy, Some(Duration::ZERO), cause)
}

/// Of two reasons to come back, the one that says more: anything before «busy».
fn later_of(before: Option<Failure>, now: Failure) -> Failure {
    match before {
        Some(before) if is_busy(&now) && !is_busy(&before) => before,
        _ => now,
    }
}

/// Writes one record. `Err` only for what the engine can help with by handing out the message again, and for a stopped
/// connection; everything else is settled here.
async fn write_one(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    decision: &Decision,
    periods: &mut Periods,
) -> Result<RecordResult, Failure> {
    // Another day may be found for it while it is posted.
    let mut decision = decision.clone();
    let record = decision.record.clone();
    let record = &record;
    let key = ledger::key(&flow.tenant, &flow.name, &record.key);
    let claimed = match flow.way() {
        Way::Documents => ledger::claim(engine, key, header).await?,
        // A customer may be delivered again, with other content; a document never.
        Way::Debtors | Way::Kept => ledger::claim_content(engine, key, header, &decision.content_hash).await?,
    };
    let claim = match claimed {
        Ok(claim) => claim,
        Err(delivered) => return Ok(describe(delivered_result(header, &decision, &delivered), record)),
    };
    let calls = Calls::new(flow.priority).until(claim.until);
    let delivered = deliver(engine, flow, target, header, &mut decision, claim, periods, &calls).await;
    let decision = &decision;
    match delivered {
        Ok(sent) => {
            let used = calls.count();
            let payload = json!({ "payload": decision.payload, "answer": sent, "calls": calls.take() });
            let summary = format!("{} as {}", outcome_of(decision), sent.number);
            trail::write(engine, header, Step::Write, &record.key, summary, &payload).await?;
            Ok(created(decision, &sent, used))
        }
        Err(failure) => {
            // The target was asked, and what it refused was built of links that may no longer be true.
            let is_of_date = failure.cause().place.row.as_deref() == Some(periods::SETTING);
            let doubtful = decision.from_memory && calls.count() > 0 && !is_of_date;
            let payload = json!({ "payload": decision.payload, "failure": failure.cause(), "calls": calls.take() });
            trail::write(engine, header, Step::Write, &record.key, failure.cause().message.clone(), &payload).await?;
            match failure {
                Failure::Reject(_) | Failure::Settings(_) => {
                    let known = (&record.key, record.label.as_str());
                    let entries =
                        ledger::entries(engine, &flow.tenant, &flow.name, std::slice::from_ref(&record.key)).await?;
                    let before = entries.into_iter().next().flatten();
                    if doubtful {
                        super::check::forget(engine, flow, decision, &failure).await?;
                    }
                    let result =
                        settle::failed(engine, flow, header, Step::Write, known, before.as_ref(), &failure).await?;
                    if doubtful {
                        waiting::once_more(engine, &flow.tenant, &flow.name, &record.key).await?;
                    }
                    Ok(describe(result, record))
                }
                other => Err(other),
            }
        }
    }
}

/// The claimed part: search when an earlier claim has no result, make the customer exist, create, commit.
#[expect(clippy::too_many_arguments, reason = "what a claimed record needs, and no more")]
async fn deliver(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    decision: &mut Decision,
    claim: Claim,
    periods: &mut Periods,
    calls: &Calls,
) -> Result<Sent, Failure> {
    match send(engine, flow, target, header, decision, &claim, periods, calls).await {
        Ok(sent) => {
            let entry = Entry {
                state: State::Delivered,
                run: header.run.clone(),
                chunk: header.chunk.clone(),
                outcome: Some(outcome_of(decision)),
                step: Some(Step::Write),
                target: Some(Found { id: sent.id.clone(), number: sent.number.clone() }),
                content_hash: decision.content_hash.clone(),
                claimed_until: None,
                gone_at: None,
                at: engine.clock.now(),
            };
            // Before the commit: after it nobody would come back to take the record off the list.
            if claim.was_waiting {
                waiting::remove(engine, &flow.tenant, &flow.name, &decision.record.key).await?;
            }
            if flow.way() == Way::Debtors {
                match outcome_of(decision) {
                    Outcome::Unchanged => origin::agree(engine, flow, &decision.record).await?,
                    _ => origin::written(engine, flow, &decision.record, &sent.id).await?,
                }
            }
            on_their_way::forget(engine, flow, &decision.record.key).await?;
            number_back::owe(engine, flow, &decision.record, &sent.number).await?;
            ledger::commit(engine, claim, entry).await?;
            refunds::original_arrived(engine, flow, &decision.record.key).await?;
            Ok(sent)
        }
        // The answer is lost: the claim stays without a result, and the next one searches before it writes.
        Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, after, cause }) => {
            ledger::leave_open(engine, claim, header).await?;
            let after = after.unwrap_or(SETTLE_TIME).max(SETTLE_TIME);
            Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, after: Some(after), cause })
        }
        Err(failure) => {
            // A claim that must search first still must: whether an earlier writer got through is not known yet.
            if claim.search_first {
                ledger::leave_open(engine, claim, header).await?;
            } else {
                ledger::release(engine, claim, header).await?;
            }
            Err(failure)
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what a claimed record needs, and no more")]
async fn send(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    decision: &mut Decision,
    claim: &Claim,
    periods: &mut Periods,
    calls: &Calls,
) -> Result<Sent, Failure> {
    if flow.way() == Way::Debtors {
        return send_debtor(engine, flow, target, header, decision, calls).await;
    }
    let document = flow.flow.document.ok_or_else(|| {
        Failure::settings(Cause::new("missing_key", "the flow does not say what an order becomes").in_row("document"))
    })?;
    if claim.search_first {
        let key = &decision.natural_key;
        if let Some(found) = target
            .find_documents_by(document, exists_field::of(flow, document), std::slice::from_ref(key), calls)
            .await?
            .remove(key)
        {
            tracing::info!(
                flow = flow.name,
                record = decision.record.key.as_str(),
                "found what an earlier attempt had created"
            );
            return Ok(Sent { id: found.id, number: found.number, ..Sent::default() });
        }
    }
    let link = match &decision.customer {
        Some(wanted) => customer::ensure(engine, flow, target, header, wanted, calls).await?,
        None => CustomerLink::default(),
    };
    dated::send(&dated::To { engine, flow, target, document }, decision, &link, periods, calls).await
}

/// A customer of a customer flow: making it exist is all.
async fn send_debtor(
    engine: &Engine,
    flow: &LoadedFlow,
    target: &dyn Target,
    header: &Header,
    decision: &Decision,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let wanted = decision
        .customer
        .as_ref()
        .ok_or_else(|| Failure::settings(Cause::new("not_supported", "this target keeps no customers")))?;
    let link = customer::ensure(engine, flow, target, header, wanted, calls).await?;
    let number = if link.code.is_empty() { link.id.clone() } else { link.code.clone() };
    Ok(Sent { id: link.id, number, ..Sent::default() })
}

fn delivered_result(header: &Header, decision: &Decision, entry: &Entry) -> RecordResult {
    let number = entry.target.as_ref().map(|t| t.number.clone()).unwrap_or_default();
    let record = &decision.record;
    let outcome = entry.ended_in(header, Step::Write).unwrap_or(Outcome::Unchanged);
    RecordResult { target_number: number, ..RecordResult::new(&record.key, &record.label, outcome) }
}

/// How a record has ended that was sent. Documents are only created; a customer may have been there.
pub(crate) fn outcome_of(decision: &Decision) -> Outcome {
    match (&decision.record.document, &decision.customer) {
        (Document::Customer(_), Some(CustomerDecision { link: Some(_), update: true, .. })) => Outcome::Updated,
        (Document::Customer(_), Some(CustomerDecision { link: Some(_), .. })) => Outcome::Unchanged,
        _ => Outcome::Created,
    }
}

fn created(decision: &Decision, sent: &Sent, calls: usize) -> RecordResult {
    let record = &decision.record;
    let result = RecordResult::new(&record.key, &record.label, outcome_of(decision));
    let mut result = describe(RecordResult { target_number: sent.number.clone(), calls, ..result }, record);
    if let (Some(answered), Some(paid)) = (sent.total, result.total)
        && answered != paid
    {
        result.warnings.push(
            Cause::new("total_differs", format!("the target computed {answered}, but {paid} was paid"))
                .advice("compare the document with the order; settings.rounding and the VAT codes decide this"),
        );
    }
    result
}
