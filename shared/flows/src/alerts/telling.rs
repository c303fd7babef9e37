//! Decides what is due to be told, and claims it, so that two hosts tell it once.
//!
//! A claim is a conditional write with a lease: it is settled after the channels have answered. A host that dies in
//! between lets the lease end, and another tells it; then a message may come twice, but none is lost. A channel that
//! fails is tried again alone.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::error::{Failure, RetryReason};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Condition, Key};

use super::digest::{self, DigestState};
use super::words::{self, Message};
use super::{Alert, Kind, Sending, Told, ignoring_others, key, stored_alerts, write};
use crate::Engine;
use crate::config::load_current;
use crate::runs::put;

/// While a problem lasts it is told again after these times.
const AGAIN: [TimeDelta; 3] = [TimeDelta::hours(1), TimeDelta::hours(4), TimeDelta::hours(24)];
/// Further causes of a problem are told at most this often.
const MORE: TimeDelta = TimeDelta::hours(1);
/// Telling takes no longer than this.
const LEASE: TimeDelta = TimeDelta::minutes(2);
/// A channel that failed is tried again after this time,
const TRY_AGAIN: TimeDelta = TimeDelta::minutes(5);
/// and given up after so many tries: the next stage begins anew.
const TRIES: u32 = 12;

/// Something that this host tells.
#[derive(Debug)]
pub struct Outgoing {
    /// What to tell.
    pub message: Message,
    /// The channels that do not have it yet.
    pub channels: Vec<String>,
    slot: Slot,
    sending: Sending,
    version: u64,
}

#[derive(Debug)]
enum Slot {
    Alert(Box<Alert>),
    Digest(DigestState),
}

/// Claims what is due to be told through `channels`. Nothing is claimed when there are none.
pub async fn take(engine: &Engine, tenant: &Tenant, channels: &[String]) -> Result<Vec<Outgoing>, Failure> {
    let mut taken = Vec::new();
    if channels.is_empty() {
        return Ok(taken);
    }
    let Some(stored) = load_current(&*engine.store, tenant).await? else { return Ok(taken) };
    let (now, zone) = (engine.clock.now(), stored.config.alerts.as_ref().map_or(Tz::UTC, |alerts| alerts.zone()));
    for (mut alert, version) in stored_alerts(engine, tenant).await? {
        let Some(kind) = due(&alert, now) else { continue };
        let Some(sending) = claim(alert.told.sending.take(), kind, now) else { continue };
        alert.told.sending = Some(sending.clone());
        let Some(version) = write(engine, tenant, &alert, Condition::Version(version)).await? else { continue };
        let message = words::message(&alert, kind, now, zone, tenant);
        taken.push(outgoing(message, channels, Slot::Alert(Box::new(alert)), sending, version));
    }
    if let Some(config) = stored.config.alerts.as_ref().and_then(|alerts| alerts.digest.as_ref())
        && let Some((mut state, version)) = digest::due(engine, tenant, config).await?
        && let Some(sending) = claim(state.sending.take(), Kind::Digest, now)
    {
        state.sending = Some(sending.clone());
        let condition = version.map_or(Condition::Absent, Condition::Version);
        if let Some(version) = write_digest(engine, tenant, &state, condition).await? {
            let message = digest::message(engine, tenant, &stored, state.from, zone).await?;
            taken.push(outgoing(message, channels, Slot::Digest(state), sending, version));
        }
    }
    Ok(taken)
}

fn outgoing(message: Message, channels: &[String], slot: Slot, sending: Sending, version: u64) -> Outgoing {
    let channels = channels.iter().filter(|name| !sending.done.contains(*name)).cloned().collect();
    Outgoing { message, channels, slot, sending, version }
}

/// Writes down what became of a message; `failed` names the channels that did not take it.
pub async fn settle(
    engine: &Engine,
    tenant: &Tenant,
    outgoing: Outgoing,
    failed: &BTreeSet<String>,
) -> Result<(), Failure> {
    let now = engine.clock.now();
    let Outgoing { channels, slot, mut sending, version, .. } = outgoing;
    sending.done.extend(channels.into_iter().filter(|name| !failed.contains(name)));
    let given_up = sending.tries + 1 >= TRIES;
    let again = (!failed.is_empty() && !given_up).then(|| Sending {
        until: now + TRY_AGAIN,
        tries: sending.tries + 1,
        ..sending.clone()
    });
    match slot {
        Slot::Alert(mut alert) => {
            if again.is_none() && sending.kind == Kind::Over {
                let deleted = engine.store.delete(&key(tenant, &alert.key), Condition::Version(version)).await;
                ignoring_others(deleted)?;
                // When it has come back meanwhile, it is a new problem.
                alert.told = Told::default();
                return merge(engine, tenant, &alert).await;
            }
            if again.is_none() {
                told(&mut alert, sending.kind, now);
            }
            alert.told.sending = again;
            if write(engine, tenant, &alert, Condition::Version(version)).await?.is_none() {
                merge(engine, tenant, &alert).await?;
            }
        }
        Slot::Digest(mut state) => {
            if again.is_none() {
                state.sent(now);
            }
            state.sending = again;
            write_digest(engine, tenant, &state, Condition::Version(version)).await?;
        }
    }
    Ok(())
}

/// The problem has changed while it was told: what was told is kept with what it is now.
async fn merge(engine: &Engine, tenant: &Tenant, told: &Alert) -> Result<(), Failure> {
    for (alert, version) in stored_alerts(engine, tenant).await? {
        if alert.key == told.key {
            let merged = Alert { told: told.told.clone(), ..alert };
            write(engine, tenant, &merged, Condition::Version(version)).await?;
        }
    }
    Ok(())
}

fn told(alert: &mut Alert, kind: Kind, now: DateTime<Utc>) {
    let first = *alert.told.first.get_or_insert(now);
    alert.told.last = Some(now);
    alert.told.causes = causes(alert);
    if kind == Kind::Again {
        alert.told.stage = reached(first, now);
    }
}

fn causes(alert: &Alert) -> BTreeSet<String> {
    alert.details.iter().map(|detail| detail.what.clone()).collect()
}

/// How many of the times have passed; several at once are told once.
fn reached(first: DateTime<Utc>, now: DateTime<Utc>) -> usize {
    AGAIN.iter().filter(|after| now - first >= **after).count()
}

/// What is to be told of an alert now.
fn due(alert: &Alert, now: DateTime<Utc>) -> Option<Kind> {
    let told = &alert.told;
    if alert.gone_at.is_some() {
        let somebody_knows = told.first.is_some() || told.sending.as_ref().is_some_and(|s| !s.done.is_empty());
        return somebody_knows.then_some(Kind::Over);
    }
    let Some(first) = told.first else {
        return (alert.quiet_until <= now).then_some(Kind::First);
    };
    if reached(first, now) > told.stage {
        return Some(Kind::Again);
    }
    let is_new = alert.details.iter().any(|detail| !told.causes.contains(&detail.what));
    (is_new && told.last.is_none_or(|last| now - last >= MORE)).then_some(Kind::More)
}

/// A claim for `kind`; `None` while somebody else tells it, or before it is tried again.
fn claim(before: Option<Sending>, kind: Kind, now: DateTime<Utc>) -> Option<Sending> {
    let until = now + LEASE;
    match before {
        Some(before) if before.kind == kind => (before.until <= now).then_some(Sending { until, ..before }),
        // What is being told about the same problem comes to its end first.
        Some(before) if before.until > now && before.tries == 0 => None,
        _ => Some(Sending { kind, until, done: BTreeSet::new(), tries: 0 }),
    }
}

async fn write_digest(
    engine: &Engine,
    tenant: &Tenant,
    state: &DigestState,
    condition: Condition,
) -> Result<Option<u64>, Failure> {
    match put(engine, &digest_key(tenant), state, condition, None).await {
        Ok(version) => Ok(Some(version)),
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Key of what is remembered of the digest.
pub(super) fn digest_key(tenant: &Tenant) -> Key {
    Key::new(tenant, &["alert-digest"], "1")
}
