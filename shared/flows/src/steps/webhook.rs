//! Webhook: a delivery becomes a hint. Verified on the raw bytes, taken down, enqueued, answered; nothing else happens
//! before the answer. What changed is read from the source by fetch, so polling stays the truth.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::document::Entity;
use koppel_core::keys::{NonEmpty, RecordKey, Tenant};
use koppel_core::message::Step;
use koppel_core::ports::store::partition;
use koppel_core::ports::webhook::{Delivery, Hint, Refused};
use koppel_core::ports::{Condition, Key, QueueMessage, WebhookReceiver};

use crate::Engine;
use crate::config::load_current;
use crate::hints::{self, Taken};
use crate::runs::read_required;
use crate::{connections, webhooks};

/// Configuration and secret are read this seldom.
const KNOWN_FOR: TimeDelta = TimeDelta::seconds(60);
/// A wrong signature may mean a new secret; it is looked for this seldom, because anybody can send one.
const RELOAD_AFTER: TimeDelta = TimeDelta::seconds(5);
/// Counts are written this seldom: what anybody can send must not cost a write each.
const WRITE_COUNTS_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Counts are kept this long.
const KEEP_COUNTS: TimeDelta = TimeDelta::days(30);

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// What became of the delivery, in one word: also the name under which it is counted.
    pub outcome: &'static str,
}

/// Receivers that were made, by tenant and connection.
#[derive(Default)]
pub struct Receivers(Mutex<HashMap<(Tenant, String), Arc<Known>>>);

/// A connection that takes deliveries.
struct Known {
    receiver: Arc<dyn WebhookReceiver>,
    /// Flows that want to hear of it.
    flows: Vec<(String, Entity)>,
    config_version: u64,
    read_at: DateTime<Utc>,
    counts: Arc<Mutex<Counts>>,
}

/// Counts that are not written yet.
#[derive(Default)]
struct Counts {
    fresh: BTreeMap<&'static str, u64>,
    written_at: Option<DateTime<Utc>>,
}

/// Handles one delivery to `/webhook/<tenant>/<connection>`.
pub async fn receive(engine: &Engine, tenant: &Tenant, connection: &str, delivery: &Delivery) -> Answer {
    match receive_known(engine, tenant, connection, delivery).await {
        Ok(answer) => answer,
        Err(failure) => {
            // The shop counts it as failed; the sweep brings the record.
            tracing::error!(
                connection,
                class = failure.class(),
                code = failure.cause().code,
                "a delivery could not be taken down"
            );
            Answer { status: 503, outcome: "not_taken" }
        }
    }
}

async fn receive_known(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    delivery: &Delivery,
) -> Result<Answer, Failure> {
    let Some(mut known) = known(engine, tenant, connection, KNOWN_FOR).await? else {
        return Ok(Answer { status: 404, outcome: "unknown" });
    };
    let mut verified = known.receiver.verify(delivery);
    if verified.as_ref().is_err_and(|refused| refused.reason == "wrong_signature")
        && let Some(renewed) = self::known(engine, tenant, connection, RELOAD_AFTER).await?
        && renewed.read_at > known.read_at
    {
        known = renewed;
        verified = known.receiver.verify(delivery);
    }
    let answer = match verified {
        Ok(Hint::Ping) => Answer { status: 200, outcome: "ping" },
        Ok(Hint::Ignored { why }) => Answer { status: 200, outcome: if why == "topic" { "other_topic" } else { why } },
        Ok(Hint::Record { entity, key, delivery: id }) => {
            let record = Told { entity, key: &key, delivery: &id, body: &delivery.body };
            Answer { status: 200, outcome: act(engine, tenant, connection, &known, record).await? }
        }
        Err(Refused { status, reason }) => {
            tracing::warn!(connection, status, reason, "a delivery was refused");
            Answer { status, outcome: reason }
        }
    };
    count(engine, tenant, connection, &known.counts, answer.outcome).await;
    Ok(answer)
}

/// A record that a genuine delivery tells of.
struct Told<'a> {
    entity: Entity,
    key: &'a RecordKey,
    delivery: &'a NonEmpty,
    body: &'a [u8],
}

async fn act(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    known: &Known,
    told: Told<'_>,
) -> Result<&'static str, Failure> {
    let flows: Vec<&str> =
        known.flows.iter().filter(|(_, entity)| *entity == told.entity).map(|(name, _)| name.as_str()).collect();
    if flows.is_empty() {
        return Ok("no_flow");
    }
    let undo = match hints::take(engine, tenant, connection, told.key, told.delivery, told.body).await? {
        Taken::Repeated => return Ok("repeated"),
        Taken::Covered => return Ok("covered"),
        Taken::New(undo) => undo,
    };
    let now = engine.clock.now();
    let messages: Result<Vec<QueueMessage>, Failure> =
        flows.iter().map(|flow| hints::message(tenant, flow, known.config_version, told.key, now)).collect();
    if let Err(failure) = engine.queue.send(Step::Fetch, &messages?).await {
        if let Err(undone) = hints::undo(engine, undo).await {
            tracing::warn!(connection, code = undone.cause().code, "a hint is lost until the next sweep");
        }
        return Err(failure);
    }
    tracing::info!(connection, record = told.key.as_str(), flows = flows.len(), "a webhook has the record read");
    Ok("accepted")
}

/// What is known of a connection, not older than `fresh_for`; `None` when it takes no deliveries.
async fn known(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    fresh_for: TimeDelta,
) -> Result<Option<Arc<Known>>, Failure> {
    let name = (tenant.clone(), connection.to_owned());
    let now = engine.clock.now();
    let before = engine.receivers.0.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
    if let Some(known) = before.as_ref().filter(|known| now - known.read_at < fresh_for) {
        return Ok(Some(known.clone()));
    }
    let counts = before.map(|known| known.counts.clone()).unwrap_or_default();
    let made = make(engine, tenant, connection, counts).await?;
    let mut receivers = engine.receivers.0.lock().unwrap_or_else(PoisonError::into_inner);
    // Only what exists is kept, so that nobody can fill the memory with names.
    match &made {
        Some(known) => _ = receivers.insert(name, known.clone()),
        None => _ = receivers.remove(&name),
    }
    Ok(made)
}

async fn make(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    counts: Arc<Mutex<Counts>>,
) -> Result<Option<Arc<Known>>, Failure> {
    let Some(secret) = webhooks::secret(engine, tenant, connection).await? else { return Ok(None) };
    let Some(stored) = load_current(&*engine.store, tenant).await? else { return Ok(None) };
    let Some(settings) = stored.config.connections.get(connection) else { return Ok(None) };
    // Verifying needs no credentials of the shop, so they stay sealed.
    let opened = connections::assemble(tenant, connection, settings, BTreeMap::new());
    let Some(receiver) = engine.systems.webhook_receiver(&opened, &secret)? else { return Ok(None) };
    let flows = stored.config.flows.iter().filter(|(_, flow)| flow.webhook && !flow.paused && flow.from == connection);
    Ok(Some(Arc::new(Known {
        receiver,
        flows: flows.map(|(name, flow)| (name.clone(), flow.entity)).collect(),
        config_version: stored.version,
        read_at: engine.clock.now(),
        counts,
    })))
}

/// Counts in memory, and writes now and then. Losing a few counts matters less than writing one per request.
async fn count(engine: &Engine, tenant: &Tenant, connection: &str, counts: &Mutex<Counts>, outcome: &'static str) {
    let now = engine.clock.now();
    let fresh = {
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.fresh.entry(outcome).or_default() += 1;
        if counts.written_at.is_some_and(|at| now - at < WRITE_COUNTS_EVERY) {
            return;
        }
        counts.written_at = Some(now);
        std::mem::take(&mut counts.fresh)
    };
    if let Err(failure) = write_counts(engine, tenant, connection, now, &fresh).await {
        tracing::info!(connection, code = failure.cause().code, "the counts of deliveries are written later");
        let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, number) in fresh {
            *counts.fresh.entry(outcome).or_default() += number;
        }
    }
}

async fn write_counts(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    now: DateTime<Utc>,
    fresh: &BTreeMap<&'static str, u64>,
) -> Result<(), Failure> {
    let key = Key::new(tenant, &["webhook-count", connection], now.format("%Y-%m-%d").to_string());
    let item = engine.store.get(&key).await?;
    let mut counts: BTreeMap<String, u64> =
        item.as_ref().map(|item| read_required(&item.value)).transpose()?.unwrap_or_default();
    for (outcome, number) in fresh {
        *counts.entry((*outcome).to_owned()).or_default() += number;
    }
    let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
    crate::runs::put(engine, &key, &counts, condition, Some(now + KEEP_COUNTS)).await?;
    Ok(())
}

/// What became of the deliveries of a connection in the last 30 days, by outcome.
pub async fn delivery_counts(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
) -> Result<BTreeMap<String, u64>, Failure> {
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for item in crate::items::all(engine, &partition(tenant, &["webhook-count", connection]), "").await? {
        let day: BTreeMap<String, u64> = read_required(&item.value)?;
        for (outcome, number) in day {
            *sum.entry(outcome).or_default() += number;
        }
    }
    Ok(sum)
}
