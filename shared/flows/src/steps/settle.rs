//! What happens to records that cannot go on: waiting list, ledger, result; the same rules in every step.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Failure, RetryReason};
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::RecordKey;
use koppel_core::message::{Header, Step};
use koppel_core::outcome::Outcome;
use koppel_core::ports::{Condition, Key};

use crate::Engine;
use crate::ledger::{self, State, Versioned};
use crate::loaded::LoadedFlow;
use crate::privacy::without_addresses;
use crate::runs::{self, RecordResult};
use crate::{connections, waiting};

/// Waits up to this long stay in the queue; longer ones are parked, so that the queue drains.
pub const LONGEST_WAIT_IN_QUEUE: Duration = Duration::from_secs(15 * 60);

/// After this time of failing, a chunk is parked (and a run that cannot read is ended).
const FAILING_FOR_LONG: TimeDelta = TimeDelta::minutes(5);

/// The engine can help by handing out the same message again soon.
pub fn is_short_retry(failure: &Failure) -> bool {
    matches!(failure, Failure::Retry { after, .. } if after.is_none_or(|after| after <= LONGEST_WAIT_IN_QUEUE))
}

/// Settles one record that failed: it is put on the waiting list and its result says why.
pub async fn failed(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    step: Step,
    record: (&RecordKey, &str),
    before: Option<&Versioned>,
    failure: &Failure,
) -> Result<RecordResult, Failure> {
    let (key, label) = record;
    let failure = &failure.clone().map_cause(|cause| without_addresses(cause).in_flow(&flow.name).of_record(label));
    waiting::put_waiting(engine, &flow.tenant, &flow.name, record, header.config_version, failure).await?;
    let (state, outcome) = match failure {
        Failure::Reject(_) => (State::Rejected, Outcome::Rejected),
        _ => (State::Parked, Outcome::Parked),
    };
    let entry = ledger::without_target(state, outcome, step, header, engine.clock.now());
    ledger::settle(engine, &flow.tenant, &flow.name, key, before, &entry).await?;
    tracing::warn!(
        flow = flow.name,
        run = header.run,
        record = key.as_str(),
        class = failure.class(),
        code = failure.cause().code,
        "the record is {outcome}"
    );
    Ok(RecordResult::new(key, label, outcome).because(failure.cause().clone()))
}

/// A failure that concerns a whole chunk: a short retry goes back to the engine, anything else settles every record.
///
/// A short retry that goes on for long becomes a long one: the records are parked and the queue drains.
pub async fn chunk_failed(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    step: Step,
    records: &[(RecordKey, String)],
    failure: Failure,
) -> Result<Vec<RecordResult>, Failure> {
    let connection = &flow.flow.to;
    if !is_over(engine, flow, header, step, connection, &failure).await? {
        return Err(failure);
    }
    let failure = failure.map_cause(|cause| without_addresses(cause).at_connection(connection));
    note_connection(engine, flow, connection, &failure).await?;
    let mut results = Vec::new();
    for (key, label) in records {
        results.push(failed(engine, flow, header, step, (key, label), None, &failure).await?);
    }
    Ok(results)
}

/// The engine cannot help any more by handing out the message again: the wait is long, or the connection is paused, or
/// the failing has lasted. A connection that is down by then is paused, so that nothing else runs into it.
async fn is_over(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    step: Step,
    connection: &str,
    failure: &Failure,
) -> Result<bool, Failure> {
    let Failure::Retry { reason: RetryReason::Unavailable | RetryReason::OutcomeUnknown, .. } = failure else {
        return Ok(!is_short_retry(failure));
    };
    if is_short_retry(failure)
        && !has_failed_for_long(engine, header, step).await?
        && connections::stopped(engine, &flow.tenant, connection).await?.is_none()
    {
        return Ok(false);
    }
    connections::pause_if_down(engine, &flow.tenant, &flow.config, connection, failure).await?;
    Ok(true)
}

/// The same chunk has failed in the same step for minutes.
async fn has_failed_for_long(engine: &Engine, header: &Header, step: Step) -> Result<bool, Failure> {
    let now = engine.clock.now();
    let key = Key::new(&header.tenant, &["failing", &header.flow, &header.run], format!("{}#{step}", header.chunk));
    match engine.store.get(&key).await? {
        Some(item) => {
            let since: DateTime<Utc> = runs::read_required(&item.value)?;
            Ok(now - since > FAILING_FOR_LONG)
        }
        None => {
            runs::put(engine, &key, &now, Condition::Always, Some(now + TimeDelta::days(1))).await?;
            Ok(false)
        }
    }
}

/// Stops a connection whose consent is gone; tells when a flow needs settings.
pub async fn note_connection(
    engine: &Engine,
    flow: &LoadedFlow,
    connection: &str,
    failure: &Failure,
) -> Result<(), Failure> {
    match failure {
        Failure::Auth(cause) => connections::stop(engine, &flow.tenant, connection, cause).await,
        Failure::Settings(cause) => {
            let kind = EventKind::FlowNeedsSettings { flow: flow.name.clone(), cause: (**cause).clone() };
            engine.bus.publish(&Event { tenant: flow.tenant.clone(), at: engine.clock.now(), kind }).await
        }
        Failure::Retry { .. } | Failure::Reject(_) => Ok(()),
    }
}

/// The source could not be read: a short wait repeats the page, anything else ends the run where it stands.
///
/// The cursor stays, so the next run reads the same records again.
pub async fn source_failure(
    engine: &Engine,
    flow: &LoadedFlow,
    header: &Header,
    result: Result<(), Failure>,
) -> Result<(), Failure> {
    let Err(failure) = result else { return Ok(()) };
    let failure =
        failure.map_cause(|cause| without_addresses(cause).in_flow(&flow.name).at_connection(&flow.flow.from));
    if !is_over(engine, flow, header, Step::Fetch, &flow.flow.from, &failure).await? {
        return Err(failure);
    }
    note_connection(engine, flow, &flow.flow.from, &failure).await?;
    tracing::error!(flow = flow.name, run = header.run, class = failure.class(), cause = %failure, "the source could not be read");
    runs::abandon(engine, header, &failure).await
}
