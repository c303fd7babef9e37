//! What is kept of periods: the list of the target, what documents have met, and who is finding out.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use koppel_core::document::DocumentType;
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::ports::store::partition;
use koppel_core::ports::{Calls, Condition, Key, Period, Target};
use serde::{Deserialize, Serialize};

use super::{BELIEVED, Periods};
use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::runs::{put, read_required};

/// The doctor tells of refusals for this long.
const KEEP: TimeDelta = TimeDelta::days(31);
/// Who finds out has a claim that lasts no longer.
const TRIAL: TimeDelta = TimeDelta::seconds(90);
/// Others come back after this.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// What a document has met in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub state: State,
    pub at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// A document was refused.
    Closed,
    /// A document was taken.
    Open,
    /// The first document is being posted.
    Trying,
}

impl Known {
    /// It says something now.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        self.state != State::Trying && now < self.at + BELIEVED
    }

    pub fn is_closed(&self, now: DateTime<Utc>) -> bool {
        self.state == State::Closed && self.holds(now)
    }

    fn is_tried(&self, now: DateTime<Utc>) -> bool {
        self.state == State::Trying && now < self.at + TRIAL
    }
}

/// The list of the target, as it is kept.
#[derive(Serialize, Deserialize)]
struct Told {
    periods: Option<Vec<Period>>,
}

/// A document goes into a period of which nothing is known; the others wait for what it meets.
#[derive(Debug, PartialEq, Eq)]
pub enum Trial {
    /// What it meets is to be told.
    Ours,
    /// Nothing has to be found out.
    Known,
}

fn area(flow: &LoadedFlow, document: DocumentType) -> [&str; 3] {
    ["period", &flow.flow.to, document.name()]
}

fn list_key(flow: &LoadedFlow, document: DocumentType) -> Key {
    Key::new(&flow.tenant, &["periods", &flow.flow.to], document.name())
}

pub(super) async fn met(
    engine: &Engine,
    flow: &LoadedFlow,
    document: DocumentType,
) -> Result<BTreeMap<String, Known>, Failure> {
    let items = crate::items::all(engine, &partition(&flow.tenant, &area(flow, document)), "").await?;
    items.into_iter().map(|item| Ok((item.key.sort, read_required(&item.value)?))).collect()
}

pub(super) async fn told(
    engine: &Engine,
    flow: &LoadedFlow,
    document: DocumentType,
) -> Result<Option<Vec<Period>>, Failure> {
    let Some(item) = engine.store.get(&list_key(flow, document)).await? else { return Ok(None) };
    Ok(read_required::<Told>(&item.value)?.periods)
}

/// Asks the target, and keeps what it says; also that it says nothing.
pub(super) async fn ask(
    engine: &Engine,
    flow: &LoadedFlow,
    document: DocumentType,
    target: &dyn Target,
    calls: &Calls,
) -> Result<Option<Vec<Period>>, Failure> {
    let periods = target.list_periods(document, calls).await?.filter(|periods| !periods.is_empty());
    if periods.is_some() {
        let expires = engine.clock.now() + BELIEVED;
        let told = Told { periods: periods.clone() };
        put(engine, &list_key(flow, document), &told, Condition::Always, Some(expires)).await?;
    }
    Ok(periods)
}

impl Periods {
    /// Before a document is posted on this day. Of a past period of which nothing is known one document finds out whether
    /// it is open, for all lanes and flows; the others come back.
    pub async fn begin(&mut self, engine: &Engine, flow: &LoadedFlow, day: NaiveDate) -> Result<Trial, Failure> {
        let Some(document) = flow.flow.document.filter(|_| !self.is_certain(day)) else { return Ok(Trial::Known) };
        let name = self.name_of(day);
        let key = Key::new(&flow.tenant, &area(flow, document), &name);
        let now = engine.clock.now();
        let item = engine.store.get(&key).await?;
        let condition = item.as_ref().map_or(Condition::Absent, |item| Condition::Version(item.version));
        if let Some(item) = item {
            let known: Known = read_required(&item.value)?;
            if known.is_tried(now) {
                return Err(busy(&name));
            }
            if known.holds(now) {
                self.met.insert(name, known);
                return Ok(Trial::Known);
            }
        }
        let trying = Known { state: State::Trying, at: now };
        match put(engine, &key, &trying, condition, Some(now + TRIAL)).await {
            Ok(_) => Ok(Trial::Ours),
            Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Err(busy(&name)),
            Err(other) => Err(other),
        }
    }

    /// A document of this day was refused: for an hour no other one is tried. What the target told before is forgotten.
    pub async fn closed(&mut self, engine: &Engine, flow: &LoadedFlow, day: NaiveDate) -> Result<(), Failure> {
        let known = Known { state: State::Closed, at: engine.clock.now() };
        let name = self.name_of(day);
        self.met.insert(name.clone(), known.clone());
        self.now = known.at;
        let Some(document) = flow.flow.document else { return Ok(()) };
        let key = Key::new(&flow.tenant, &area(flow, document), &name);
        put(engine, &key, &known, Condition::Always, Some(known.at + KEEP)).await?;
        Ok(engine.store.delete(&list_key(flow, document), Condition::Always).await?)
    }

    /// What a trial met besides a refusal. The document has been settled already, so this never fails it: who does not
    /// learn of it finds out again.
    pub async fn end(&mut self, engine: &Engine, flow: &LoadedFlow, day: NaiveDate, is_open: bool) {
        let Some(document) = flow.flow.document else { return };
        let name = self.name_of(day);
        let key = Key::new(&flow.tenant, &area(flow, document), &name);
        let known = Known { state: State::Open, at: engine.clock.now() };
        let stored = if is_open {
            put(engine, &key, &known, Condition::Always, Some(known.at + BELIEVED)).await.map(drop)
        } else {
            engine.store.delete(&key, Condition::Always).await.map_err(Failure::from)
        };
        if is_open {
            self.met.insert(name, known);
        }
        if let Err(failure) = stored {
            tracing::warn!(flow = flow.name, cause = %failure, "what is known of a period could not be kept");
        }
    }

    /// Closed periods that documents were refused in during the last weeks, with the moment.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, DateTime<Utc>)> {
        let closed = self.met.iter().filter(|(_, known)| known.state == State::Closed);
        closed.map(|(name, known)| (name.as_str(), known.at))
    }

    #[cfg(test)]
    pub(super) fn with(self, told: Option<Vec<Period>>, refused: &[(&str, DateTime<Utc>)]) -> Self {
        let mut periods = self.told(told);
        periods.met =
            refused.iter().map(|(name, at)| ((*name).to_owned(), Known { state: State::Closed, at: *at })).collect();
        periods
    }
}

fn busy(name: &str) -> Failure {
    let cause = Cause::new("period_tried", format!("another document finds out whether {name} is open"));
    Failure::retry(RetryReason::Busy, Some(TRY_AGAIN), cause)
}
