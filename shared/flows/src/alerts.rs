//! Alerts: problems that a person must know of. Each is told once, again while it lasts, and once when it is over.
//!
//! Problems are read from the state (`problems`), so an alert ends by itself when its reason is gone and no lost event
//! hides one. What the state does not show, such as messages that were set aside, is noted from events (`note`).
//! What is due to be told is claimed with a conditional write (`telling`), so that two hosts tell it once.

mod digest;
mod note;
mod problems;
mod telling;
mod words;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Failure, RetryReason};
use koppel_core::keys::Tenant;
use koppel_core::message::Step;
use koppel_core::ports::store::partition;
use koppel_core::ports::{Condition, Key};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::load_current;
use crate::runs::{put, read_required};

pub use note::note;
pub use telling::{Outgoing, settle, take};
pub use words::{Message, without_personal};

pub use crate::steps::tenants;

/// What is over is forgotten after this time, though nobody could be told.
const KEEP_GONE: TimeDelta = TimeDelta::days(2);

/// After this time a queue shows what lies in it.
const SHOWN_AFTER: TimeDelta = TimeDelta::minutes(5);

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Some records wait for somebody.
    Warning,
    /// Nothing moves, or something may be lost from sight.
    Critical,
}

/// One cause, with what to do about it and the records it keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// What is wrong.
    pub what: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
    /// The first records, as the merchant knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// How many records there are.
    #[serde(default)]
    pub count: u64,
}

/// A problem, and what was told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The same problem has the same key.
    pub key: String,
    /// How much it matters.
    pub severity: Severity,
    /// What and where, in one line.
    pub title: String,
    /// Causes and what to do.
    pub details: Vec<Detail>,
    /// What happens by itself until somebody acts.
    pub meanwhile: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How many records or messages.
    pub count: u64,
    /// Nothing is said before: what may still end by itself does not wake anybody.
    pub quiet_until: DateTime<Utc>,
    /// It was noted from events, and is forgotten at this moment at the latest. `None`: it is read from the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted_until: Option<DateTime<Utc>>,
    /// The problem is gone since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<DateTime<Utc>>,
    /// What was told.
    #[serde(default)]
    pub told: Told,
}

/// What was told of a problem.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The first time.
    pub first: Option<DateTime<Utc>>,
    /// The last time.
    pub last: Option<DateTime<Utc>>,
    /// How often it was told again because it lasts.
    pub stage: usize,
    /// Causes that were told.
    pub causes: BTreeSet<String>,
    /// What is being told at the moment.
    pub sending: Option<Sending>,
}

/// A claim on telling something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sending {
    /// What is told.
    pub kind: Kind,
    /// Nobody else tries before.
    pub until: DateTime<Utc>,
    /// Channels that have it.
    pub done: BTreeSet<String>,
    /// Failed tries.
    pub tries: u32,
}

/// Why something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The problem is new.
    First,
    /// It has a further cause.
    More,
    /// It lasts.
    Again,
    /// It is over.
    Over,
    /// The daily digest.
    Digest,
}

/// What only the host knows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Messages that lie aside, for the steps of which it is known.
    pub dead_letters: Vec<(Step, u64)>,
}

impl Alert {
    fn new(key: String, severity: Severity, title: String, since: DateTime<Utc>) -> Self {
        Self {
            key,
            severity,
            title,
            details: Vec::new(),
            meanwhile: String::new(),
            since,
            count: 0,
            quiet_until: since,
            noted_until: None,
            gone_at: None,
            told: Told::default(),
        }
    }

    fn quiet_for(mut self, quiet: TimeDelta) -> Self {
        self.quiet_until = self.since + quiet;
        self
    }

    fn meanwhile(mut self, text: impl Into<String>) -> Self {
        self.meanwhile = text.into();
        self
    }

    fn with(mut self, details: Vec<Detail>) -> Self {
        self.details = details;
        self
    }

    fn counting(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Nobody was told and nobody is being told, or nobody could be told for long that it is over.
    fn is_forgotten(&self, now: DateTime<Utc>) -> bool {
        let being_told = |s: &Sending| !s.done.is_empty() || (s.tries == 0 && s.until > now);
        let untold = self.told.first.is_none() && !self.told.sending.as_ref().is_some_and(being_told);
        untold || self.gone_at.is_some_and(|at| now - at > KEEP_GONE)
    }
}

/// Compares the state with the alerts: new problems get one, those that are gone are marked.
pub async fn look(engine: &Engine, tenant: &Tenant, facts: &Facts) -> Result<(), Failure> {
    let Some(stored) = load_current(&*engine.store, tenant).await? else { return Ok(()) };
    let now = engine.clock.now();
    let mut found = problems::find(engine, tenant, &stored).await?;
    for (mut alert, version) in stored_alerts(engine, tenant).await? {
        let before = alert.clone();
        if let Some(at) = found.iter().position(|problem| problem.key == alert.key) {
            let problem = found.swap_remove(at);
            let (since, quiet_until) = match alert.gone_at {
                None => (problem.since.min(alert.since), problem.quiet_until.min(alert.quiet_until)),
                // It is back before anybody heard that it was gone: the same problem still.
                Some(_) => (alert.since, alert.quiet_until),
            };
            alert = Alert { since, quiet_until, gone_at: None, told: alert.told, ..problem };
        } else if alert.gone_at.is_some() || !still_noted(&alert, now, facts) {
            if alert.is_forgotten(now) {
                ignoring_others(engine.store.delete(&key(tenant, &alert.key), Condition::Version(version)).await)?;
                continue;
            }
            alert.gone_at.get_or_insert(now);
        }
        if alert != before {
            write(engine, tenant, &alert, Condition::Version(version)).await?;
        }
    }
    for problem in found {
        write(engine, tenant, &problem, Condition::Absent).await?;
    }
    Ok(())
}

/// What was noted from an event is still so, as far as is known.
fn still_noted(alert: &Alert, now: DateTime<Utc>, facts: &Facts) -> bool {
    let Some(until) = alert.noted_until else { return false };
    // A queue may show a message that was just set aside only after a while.
    let is_fresh = until - note::KEEP_DEAD_LETTERS > now - SHOWN_AFTER;
    let lies_aside = facts.dead_letters.iter().find(|(step, _)| note::dead_letters_key(*step) == alert.key);
    until > now && (is_fresh || lies_aside.is_none_or(|(_, count)| *count > 0))
}

/// The problems that are open, the oldest first.
pub async fn open(engine: &Engine, tenant: &Tenant) -> Result<Vec<Alert>, Failure> {
    let mut alerts: Vec<Alert> =
        stored_alerts(engine, tenant).await?.into_iter().map(|(a, _)| a).filter(|a| a.gone_at.is_none()).collect();
    alerts.sort_by_key(|alert| alert.since);
    Ok(alerts)
}

async fn stored_alerts(engine: &Engine, tenant: &Tenant) -> Result<Vec<(Alert, u64)>, Failure> {
    let items = crate::items::all(engine, &partition(tenant, &["alert"]), "").await?;
    items.into_iter().map(|item| Ok((read_required(&item.value)?, item.version))).collect()
}

/// Writes an alert; somebody else who was first has seen the same state.
async fn write(engine: &Engine, tenant: &Tenant, alert: &Alert, condition: Condition) -> Result<Option<u64>, Failure> {
    match put(engine, &key(tenant, &alert.key), alert, condition, None).await {
        Ok(version) => Ok(Some(version)),
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn ignoring_others(result: Result<(), koppel_core::ports::StoreError>) -> Result<(), Failure> {
    match result {
        Ok(()) | Err(koppel_core::ports::StoreError::ConditionFailed) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

fn key(tenant: &Tenant, alert: &str) -> Key {
    Key::new(tenant, &["alert"], alert)
}
