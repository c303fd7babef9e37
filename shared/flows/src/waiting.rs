//! The waiting list: records that were parked or rejected, with the reason and the moment they are tried again.
//!
//! A record leaves the list when it is settled otherwise. Nothing waits in queues.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::{RecordKey, Tenant};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::runs::{put, read_required};

/// Why a record waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The other side was not to be reached, or a limit was used up.
    Unavailable,
    /// Configuration or master data is missing: tried again by itself now and then, and when configuration changes.
    Settings,
    /// The connection needs consent.
    Auth,
    /// Rejected: tried again when configuration changes or the record does.
    Rejected,
    /// Somebody must decide which customer of the target it is for: see `review`.
    Review,
}

/// One record on the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Record.
    pub key: RecordKey,
    /// What a merchant calls it.
    pub label: String,
    /// Why.
    pub reason: WaitReason,
    /// What is wrong.
    pub cause: Cause,
    /// When it is tried again; `None` for never by itself.
    pub due_at: Option<DateTime<Utc>>,
    /// Configuration it failed under: a newer one makes it due.
    pub config_version: u64,
    /// How often it was put here.
    pub times: u32,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Waiting {
    /// Its time has come.
    pub fn is_due(&self, now: DateTime<Utc>, config_version: u64) -> bool {
        let by_change = config_version > self.config_version
            && matches!(self.reason, WaitReason::Settings | WaitReason::Rejected | WaitReason::Review);
        by_change || self.due_at.is_some_and(|due| due <= now)
    }
}

/// Puts a record on the list; its due time backs off from 15 minutes to a day.
pub async fn put_waiting(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    record: (&RecordKey, &str),
    config_version: u64,
    failure: &Failure,
) -> Result<(), Failure> {
    let (record, label) = record;
    let now = engine.clock.now();
    let key = key(tenant, flow, record);
    let before: Option<Waiting> = engine.store.get(&key).await?.map(|item| read_required(&item.value)).transpose()?;
    let times = before.as_ref().map_or(1, |b| b.times.saturating_add(1));
    let (reason, due_at) = match failure {
        Failure::Retry { after, .. } => {
            let wait = after.and_then(|a| TimeDelta::from_std(a).ok()).unwrap_or_else(|| back_off(times));
            (WaitReason::Unavailable, Some(now + wait))
        }
        // Looked at again now and then: somebody may have tidied up the target meanwhile.
        Failure::Settings(cause) if cause.code == crate::review::CODE => {
            (WaitReason::Review, Some(now + back_off(times)))
        }
        Failure::Settings(_) => (WaitReason::Settings, Some(now + back_off(times))),
        // Its flow is stopped until there is consent; then it is due at once.
        Failure::Auth(_) => (WaitReason::Auth, Some(now)),
        Failure::Reject(_) => (WaitReason::Rejected, None),
    };
    let waiting = Waiting {
        key: record.clone(),
        label: label.to_owned(),
        reason,
        cause: failure.cause().clone(),
        due_at,
        config_version,
        times,
        since: before.map_or(now, |b| b.since),
    };
    put(engine, &key, &waiting, Condition::Always, None).await?;
    Ok(())
}

/// How long a record waits that was put on the list this often.
pub(crate) fn back_off(times: u32) -> TimeDelta {
    let minutes = 15_i64.saturating_mul(1_i64 << times.saturating_sub(1).min(7));
    TimeDelta::minutes(minutes.min(24 * 60))
}

/// A record on the list.
pub async fn get(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<Option<Waiting>, Failure> {
    engine.store.get(&key(tenant, flow, record)).await?.map(|item| read_required(&item.value)).transpose()
}

/// Takes a record off the list.
pub async fn remove(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<(), Failure> {
    Ok(engine.store.delete(&key(tenant, flow, record), Condition::Always).await?)
}

/// Takes records off the list that are known to have arrived: a late or repeated message may have put them there.
pub async fn remove_all(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    records: impl Iterator<Item = &RecordKey>,
) -> Result<(), Failure> {
    let keys: Vec<Key> = records.map(|record| key(tenant, flow, record)).collect();
    if keys.is_empty() {
        return Ok(());
    }
    for item in engine.store.batch_get(&keys).await?.into_iter().flatten() {
        engine.store.delete(&item.key, Condition::Always).await?;
    }
    Ok(())
}

/// Makes a record due once more that was put on the list for the first time.
pub async fn once_more(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<(), Failure> {
    let key = key(tenant, flow, record);
    let Some(item) = engine.store.get(&key).await? else { return Ok(()) };
    let waiting: Waiting = read_required(&item.value)?;
    if waiting.times > 1 {
        return Ok(());
    }
    let due = Waiting { due_at: Some(engine.clock.now()), ..waiting };
    put(engine, &key, &due, Condition::Version(item.version), item.expires_at).await?;
    Ok(())
}

/// Makes a record due at once that waits for a decision.
pub async fn decided(engine: &Engine, tenant: &Tenant, flow: &str, record: &RecordKey) -> Result<bool, Failure> {
    let key = key(tenant, flow, record);
    let Some(item) = engine.store.get(&key).await? else { return Ok(false) };
    let waiting: Waiting = read_required(&item.value)?;
    if waiting.reason != WaitReason::Review {
        return Ok(false);
    }
    let due = Waiting { due_at: Some(engine.clock.now()), ..waiting };
    put(engine, &key, &due, Condition::Version(item.version), item.expires_at).await?;
    Ok(true)
}

/// Makes the records due at once that waited for a connection which answers again.
pub async fn release(engine: &Engine, tenant: &Tenant, flow: &str, connection: &str) -> Result<(), Failure> {
    let now = engine.clock.now();
    for item in crate::items::all(engine, &partition(tenant, &["waiting", flow]), "").await? {
        let record: Waiting = read_required(&item.value)?;
        let waited = matches!(record.reason, WaitReason::Unavailable | WaitReason::Auth)
            && record.cause.place.connection.as_deref() == Some(connection);
        if waited && record.due_at.is_none_or(|due| due > now) {
            let due = Waiting { due_at: Some(now), ..record };
            // Whoever changes it at this moment knows more.
            match put(engine, &item.key, &due, Condition::Version(item.version), item.expires_at).await {
                Ok(_) | Err(Failure::Retry { reason: RetryReason::Busy, .. }) => {}
                Err(other) => return Err(other),
            }
        }
    }
    Ok(())
}

/// The whole list of a flow.
pub async fn list(engine: &Engine, tenant: &Tenant, flow: &str) -> Result<Vec<Waiting>, Failure> {
    crate::items::all(engine, &partition(tenant, &["waiting", flow]), "")
        .await?
        .iter()
        .map(|item| read_required(&item.value))
        .collect()
}

fn key(tenant: &Tenant, flow: &str, record: &RecordKey) -> Key {
    Key::new(tenant, &["waiting", flow], record.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_to_a_day() {
        assert_eq!(back_off(1), TimeDelta::minutes(15));
        assert_eq!(back_off(2), TimeDelta::minutes(30));
        assert_eq!(back_off(30), TimeDelta::hours(24));
    }
}
