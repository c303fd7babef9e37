//! Closed periods: on which day a document is dated when the books have closed that of its own date.
//!
//! What is closed comes from the list of the target, where it has one (kept for an hour), and from refusals, which are
//! believed for as long: so of a period that is closed one document an hour is refused, and no more. Nothing is guessed: a
//! period of which nothing is known is open until the target says otherwise. Where there is no list, a period is a month.

mod memory;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure};
use koppel_core::message::MappedRecord;
use koppel_core::ports::{Calls, Period, Target};

use crate::Engine;
use crate::config::ClosedPeriod;
use crate::loaded::LoadedFlow;

use memory::Known;
pub use memory::Trial;

/// How long a refusal, or the list of the target, is believed.
const BELIEVED: TimeDelta = TimeDelta::hours(1);
/// Code of the warning that a document did not get its own date.
pub const DATED_LATER: &str = "dated_later";
/// Key of the setting, for causes.
pub const SETTING: &str = "settings.closed_period";

/// What is known of the periods of a target.
#[derive(Debug)]
pub struct Periods {
    policy: ClosedPeriod,
    /// Name of the target.
    system: &'static str,
    /// What the target tells, by first day.
    told: Option<Vec<Period>>,
    /// What documents have met, by name of the period.
    met: BTreeMap<String, Known>,
    now: DateTime<Utc>,
}

/// The day that a document is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The day.
    pub date: NaiveDate,
    /// Closed periods that were passed over; none when it is the document's own date.
    pub closed: Vec<String>,
}

/// A document that no day was found for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Its own date.
    date: NaiveDate,
    /// Closed periods, that of its own date first.
    closed: Vec<String>,
    /// Since when it is known.
    refused_at: Option<DateTime<Utc>>,
}

impl Placed {
    /// The document's own date.
    pub fn own(date: NaiveDate) -> Self {
        Self { date, closed: Vec::new() }
    }
}

impl Periods {
    /// Nothing is known: every document keeps its date.
    pub fn unknown(flow: &LoadedFlow, now: DateTime<Utc>) -> Self {
        Self::of(flow.flow.settings.closed_period, flow.target_facts.name, now)
    }

    fn of(policy: ClosedPeriod, system: &'static str, now: DateTime<Utc>) -> Self {
        Self { policy, system, told: None, met: BTreeMap::new(), now }
    }

    /// What is known without asking the target.
    pub async fn remembered(engine: &Engine, flow: &LoadedFlow) -> Result<Self, Failure> {
        let known = Self::unknown(flow, engine.clock.now());
        let Some(document) = flow.flow.document else { return Ok(known) };
        let met = memory::met(engine, flow, document).await?;
        let told = match known.policy {
            ClosedPeriod::Reject => None,
            ClosedPeriod::FirstOpenDay => memory::told(engine, flow, document).await?,
        };
        Ok(Self { met, told, ..known })
    }

    /// What is known, and what the target tells. It is only asked when a document may get another date.
    pub async fn look(engine: &Engine, flow: &LoadedFlow, target: &dyn Target, calls: &Calls) -> Result<Self, Failure> {
        let mut known = Self::remembered(engine, flow).await?;
        if let (ClosedPeriod::FirstOpenDay, Some(document), None) =
            (known.policy, flow.flow.document, known.told.as_ref())
        {
            known.told = memory::ask(engine, flow, document, target, calls).await?;
        }
        Ok(known)
    }

    /// The day on which a document of this date is posted: its own, or the first one after it that is open.
    pub fn place(&self, date: NaiveDate) -> Result<Placed, Shut> {
        if !self.is_closed(date) {
            return Ok(Placed::own(date));
        }
        let mut closed = vec![self.name_of(date)];
        let refused_at = self.met.get(&self.name_of(date)).map(|known| known.at);
        // A document is not dated later than the day on which it is posted.
        let last = self.now.date_naive();
        let later = |day: NaiveDate| self.next_start(day).filter(|start| *start <= last);
        let mut next = if self.policy == ClosedPeriod::FirstOpenDay { later(date) } else { None };
        while let Some(day) = next {
            if !self.is_closed(day) {
                return Ok(Placed { date: day, closed });
            }
            closed.push(self.name_of(day));
            next = later(day);
        }
        Err(Shut { date, closed, refused_at })
    }

    /// The period of a day, as the target calls it, or its month.
    pub fn name_of(&self, day: NaiveDate) -> String {
        self.listed(day).map_or_else(|| day.format("%Y-%m").to_string(), |period| period.name.clone())
    }

    /// Whether the period of a day is open is known, or it is that of today, in which documents are posted all day.
    pub fn is_certain(&self, day: NaiveDate) -> bool {
        let today = self.now.date_naive();
        let is_current = (day.year(), day.month()) >= (today.year(), today.month());
        self.told.is_some() || is_current || self.met.get(&self.name_of(day)).is_some_and(|known| known.holds(self.now))
    }

    /// With what the target tells just now.
    pub fn told(self, told: Option<Vec<Period>>) -> Self {
        Self { told: told.filter(|periods| !periods.is_empty()), ..self }
    }

    /// The target tells its periods.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Nothing can be dated on this day, as far as is known.
    pub fn is_closed(&self, day: NaiveDate) -> bool {
        let refused = self.met.get(&self.name_of(day)).is_some_and(|known| known.is_closed(self.now));
        // A day without a period cannot be posted to either.
        refused || (self.told.is_some() && self.listed(day).is_none_or(|period| !period.open))
    }

    fn listed(&self, day: NaiveDate) -> Option<&Period> {
        // Of two that share a day it belongs to the later one.
        let told = self.told.iter().flatten();
        told.filter(|period| period.start <= day && day <= period.end).max_by_key(|period| period.start)
    }

    fn next_start(&self, day: NaiveDate) -> Option<NaiveDate> {
        match &self.told {
            Some(periods) => periods.iter().map(|period| period.start).filter(|start| *start > day).min(),
            None => day.with_day(1)?.checked_add_months(Months::new(1)),
        }
    }
}

impl Shut {
    /// What to say of a record that cannot be posted. `said` are the words of the target, when it was just asked.
    pub fn failure(&self, periods: &Periods, flow: &LoadedFlow, record: &MappedRecord, said: Option<&str>) -> Failure {
        let system = periods.system;
        let what = format!("{} {} of {}", noun(flow), record.label, self.date);
        let own = self.closed.first().map(String::as_str).unwrap_or_default();
        let known = match (said, self.refused_at) {
            (Some(said), _) => format!(": {}", said.trim_end_matches('.')),
            (None, Some(at)) => format!(
                " (a document in it was refused at {} UTC; it is tried again from {} UTC on)",
                at.format("%H:%M"),
                (at + BELIEVED).format("%H:%M")
            ),
            (None, None) => String::new(),
        };
        match periods.policy {
            ClosedPeriod::Reject => Failure::reject(
                Cause::new(
                    koppel_core::ports::PERIOD_CLOSED,
                    format!("{what} falls in the period {own}, which is closed in {system}{known}"),
                )
                .advice(format!(
                    "open the period in {system}, or set {SETTING}: first_open_day, then it is dated the first open day after it"
                ))
                .in_row(SETTING),
            ),
            ClosedPeriod::FirstOpenDay => Failure::settings(
                Cause::new(
                    "no_open_period",
                    format!(
                        "{what} has no open day up to today: closed in {system} are {}{known}",
                        self.closed.join(", ")
                    ),
                )
                .advice(format!("open a period in {system}, or wait for the next one: it is tried again by itself"))
                .in_row(SETTING),
            ),
        }
    }
}

/// What a person should know of a document that did not get its own date.
pub fn moved(flow: &LoadedFlow, true_date: NaiveDate, placed: &Placed, payload: &serde_json::Value) -> Option<Cause> {
    if placed.date == true_date {
        return None;
    }
    let text = true_date.to_string();
    let fields = payload.as_object().into_iter().flatten();
    let holds = |value: &serde_json::Value| value.as_str().is_some_and(|value| value.contains(&text));
    let place = match fields.filter(|(name, _)| !name.starts_with('_')).find(|(_, value)| holds(value)) {
        Some((name, _)) => format!("{true_date} stands in its {name}"),
        None => format!("no field of it says {true_date}"),
    };
    let message = format!(
        "it is dated {}, because {} is closed in {}: {place}",
        placed.date,
        placed.closed.join(" and "),
        flow.target_facts.name
    );
    Some(Cause::new(DATED_LATER, message).in_row(SETTING))
}

/// What a person calls a record of this flow.
fn noun(flow: &LoadedFlow) -> &'static str {
    if flow.flow.entity == Entity::Refunds { "refund" } else { "order" }
}

/// The rows that make a document do not take the date from where it can be changed.
pub fn own_date(flow: &LoadedFlow, record: &MappedRecord, date: NaiveDate) -> Failure {
    Failure::reject(
        Cause::new(
            koppel_core::ports::PERIOD_CLOSED,
            format!(
                "{} {} should be dated {date}, and its rows give it another date, which is in a period that is closed in {}",
                noun(flow),
                record.label,
                flow.target_facts.name
            ),
        )
        .advice("take the date of the document from order.date in your own rows, or open the period")
        .in_row(SETTING),
    )
}

#[cfg(test)]
mod tests;
