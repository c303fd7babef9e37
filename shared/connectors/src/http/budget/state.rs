//! The counters behind a budget, as one small JSON item.
//!
//! Calls are counted in slots and a window is the sum of the slots that reach into it. So a limit also holds when the
//! other side counts in windows that start at another moment than ours. When the system tells what is left and until
//! when, its word replaces our count for that time.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::ports::{BudgetView, BudgetWindow, EndpointErrors, Priority};
use koppel_core::{Cause, Failure};
use serde::{Deserialize, Serialize};

use super::Learned;

/// Share of the hour and the day, in percent, that is kept from work of this priority for what is more urgent. So when
/// time runs short images stop first and orders never stop for anything else.
fn kept_from(priority: Priority) -> u32 {
    match priority {
        Priority::Orders => 0,
        Priority::Refunds | Priority::Customers => 20,
        Priority::Stock => 24,
        Priority::Prices => 28,
        Priority::Products => 32,
        Priority::Images => 36,
    }
}

/// Two resets this near are the same one.
const SAME_RESET: TimeDelta = TimeDelta::seconds(2);

/// A limit's period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// Calls a minute.
    Minute,
    /// Calls an hour.
    Hour,
    /// Calls a day.
    Day,
}

impl Window {
    fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    fn slot(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::seconds(5),
            Self::Hour => TimeDelta::minutes(2),
            Self::Day => TimeDelta::minutes(30),
        }
    }
}

/// The limits to keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub per_minute: Option<u32>,
    pub per_hour: Option<u32>,
    pub per_day: Option<u32>,
    pub errors_per_hour: Option<u32>,
}

impl Rules {
    pub fn unlimited(&self) -> bool {
        let limits = [self.per_minute, self.per_hour, self.per_day, self.errors_per_hour];
        limits.iter().all(Option::is_none)
    }
}

/// No call now; the next one may be made at `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub until: DateTime<Utc>,
    pub code: &'static str,
    pub message: String,
}

/// Everything counted for one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    minute: Counter,
    hour: Counter,
    day: Counter,
    blocked_until: Option<DateTime<Utc>>,
    errors: BTreeMap<String, Errors>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Counter {
    /// Start of a slot → calls in it.
    slots: Vec<(DateTime<Utc>, u32)>,
    told: Option<Told>,
}

/// The system's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    remaining: u32,
    reset: DateTime<Utc>,
}

/// Error answers of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Errors {
    times: Vec<DateTime<Utc>>,
    open_until: Option<DateTime<Utc>>,
    probe_since: Option<DateTime<Utc>>,
    /// Method of the call that failed last.
    failing: String,
    /// A probe by another method was answered well: the circuit is closed, and opens again at the first error.
    on_trial: bool,
}

impl State {
    pub fn to_text(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::reject(Cause::new("budget_not_serialisable", error.to_string())))
    }

    /// Counters that cannot be read (of another version) start again: the system's headers correct them.
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn take(
        &mut self,
        rules: &Rules,
        priority: Priority,
        (endpoint, method): (&str, &str),
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.blocked(now)?;
        self.check_errors(endpoint, method, now)?;
        for (window, limit, counter, code, time) in [
            (Window::Day, rules.per_day, &mut self.day, "day_limit", "of today"),
            (Window::Hour, rules.per_hour, &mut self.hour, "hour_limit", "of this hour"),
        ] {
            let Some(limit) = limit else { continue };
            let keep = kept(limit, priority);
            counter.check(window, limit, keep, now).map_err(|until| Refusal {
                until,
                code,
                message: if keep > 0 {
                    format!("the calls {time} are used up, except those kept for orders and what else is more urgent")
                } else {
                    format!("the {limit} calls {time} are used up")
                },
            })?;
        }
        if let Some(limit) = rules.per_minute {
            self.minute.check(Window::Minute, limit, 0, now).map_err(|until| Refusal {
                until,
                code: "minute_limit",
                message: format!("the {limit} calls of this minute are used up"),
            })?;
        }
        if rules.per_hour.is_some() {
            self.hour.add(Window::Hour, now);
        }
        if rules.per_day.is_some() {
            self.day.add(Window::Day, now);
        }
        if rules.per_minute.is_some() {
            self.minute.add(Window::Minute, now);
        }
        if rules.errors_per_hour.is_none() {
            // A rest that the system asked for is over when its time is: there is no limit of errors to probe for.
            self.errors.remove(endpoint);
        } else if let Some(errors) = self.errors.get_mut(endpoint)
            && errors.probes(method)
        {
            errors.probe_since = Some(now);
        }
        Ok(())
    }

    /// How it stands, for a person.
    pub fn view(&self, rules: &Rules, now: DateTime<Utc>) -> BudgetView {
        let share = |limit: Option<u32>| limit.map_or(0, |limit| kept(limit, Priority::Refunds));
        let limits = [
            (Window::Minute, rules.per_minute, &self.minute, 0),
            (Window::Hour, rules.per_hour, &self.hour, share(rules.per_hour)),
            (Window::Day, rules.per_day, &self.day, share(rules.per_day)),
        ];
        let windows = limits
            .into_iter()
            .filter_map(|(window, limit, counter, kept)| Some(counter.clone().view(window, limit?, kept, now)))
            .collect();
        let endpoints = self
            .errors
            .iter()
            .map(|(endpoint, errors)| EndpointErrors {
                endpoint: endpoint.clone(),
                errors: errors.times.iter().filter(|time| now - **time < TimeDelta::hours(1)).count(),
                rests_until: errors.open_until.filter(|until| *until > now),
            })
            .filter(|endpoint| endpoint.errors > 0 || endpoint.rests_until.is_some())
            .collect();
        BudgetView { windows, blocked_until: self.blocked_until.filter(|until| *until > now), endpoints }
    }

    pub fn blocked(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        match self.blocked_until {
            Some(until) if until > now => {
                Err(Refusal { until, code: "throttled", message: "the system asked to wait".into() })
            }
            _ => Ok(()),
        }
    }

    pub fn block(&mut self, now: DateTime<Utc>, after: Duration) {
        let until = now + TimeDelta::from_std(after).unwrap_or(TimeDelta::hours(1));
        self.blocked_until = self.blocked_until.max(Some(until));
    }

    pub fn learn(&mut self, learned: &Learned, now: DateTime<Utc>) {
        if learned.reset <= now {
            return;
        }
        match learned.window {
            Window::Minute => self.minute.learn(learned),
            Window::Hour => self.hour.learn(learned),
            Window::Day => self.day.learn(learned),
        }
    }

    /// Takes over the stricter of what another copy was told.
    pub fn adopt(&mut self, other: &Self) {
        self.minute.adopt(&other.minute);
        self.hour.adopt(&other.hour);
        self.day.adopt(&other.day);
        self.blocked_until = self.blocked_until.max(other.blocked_until);
    }

    /// A success of this endpoint would change its circuit.
    pub fn is_probing(&self, endpoint: &str) -> bool {
        self.errors.get(endpoint).is_some_and(|errors| errors.open_until.is_some() || errors.on_trial)
    }

    pub fn failed(&mut self, rules: &Rules, endpoint: &str, method: &str, now: DateTime<Utc>) {
        let Some(limit) = rules.errors_per_hour else { return };
        self.errors.retain(|_, errors| errors.is_alive(now));
        let errors = self.errors.entry(endpoint.to_owned()).or_default();
        errors.times.retain(|time| now - *time < TimeDelta::hours(1));
        errors.times.push(now);
        method.clone_into(&mut errors.failing);
        let probe_failed = errors.probe_since.take().is_some() || std::mem::take(&mut errors.on_trial);
        if probe_failed || errors.times.len() >= limit as usize {
            errors.open_until = Some(now + TimeDelta::hours(1));
        }
    }

    /// The system blocks one endpoint: its circuit opens for that long.
    pub fn rest(&mut self, endpoint: &str, now: DateTime<Utc>, after: Duration) {
        let until = now + TimeDelta::from_std(after).unwrap_or(TimeDelta::hours(1));
        let errors = self.errors.entry(endpoint.to_owned()).or_default();
        errors.open_until = errors.open_until.max(Some(until));
        errors.probe_since = None;
    }

    /// The method that failed works again: all is forgotten. When another one works (a search before the write), the
    /// circuit closes on trial: an endpoint answers searches well while it still refuses every write.
    pub fn succeeded(&mut self, endpoint: &str, method: &str) {
        let Some(errors) = self.errors.get_mut(endpoint) else { return };
        if errors.failing == method || errors.failing.is_empty() {
            self.errors.remove(endpoint);
        } else {
            (errors.open_until, errors.probe_since, errors.on_trial) = (None, None, true);
        }
    }

    /// A closed circuit lets everything through, an open one nothing, and after its hour exactly one probe; a circuit on
    /// trial one call at a time of the method that failed. A probe that never reported (its process died) is forgotten
    /// after two minutes.
    fn check_errors(&self, endpoint: &str, method: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(errors) = self.errors.get(endpoint).filter(|errors| errors.probes(method)) else { return Ok(()) };
        let probe_until = errors.probe_since.map(|since| since + TimeDelta::minutes(2));
        let until = [errors.open_until, probe_until].into_iter().flatten().filter(|until| *until > now).max();
        match until {
            Some(until) if errors.times.is_empty() => Err(Refusal {
                until,
                code: "endpoint_rests",
                message: format!("the system has asked to leave {endpoint} alone for a while"),
            }),
            Some(until) => Err(Refusal {
                until,
                code: "error_limit",
                message: format!("{endpoint} answered too many errors; it rests, so that the system does not block it"),
            }),
            None => Ok(()),
        }
    }
}

/// Calls of a limit that are kept from work of this priority.
fn kept(limit: u32, priority: Priority) -> u32 {
    u32::try_from(u64::from(limit) * u64::from(kept_from(priority)) / 100).unwrap_or(limit)
}

impl Errors {
    /// A call of this method would be a probe.
    fn probes(&self, method: &str) -> bool {
        self.open_until.is_some() || (self.on_trial && self.failing == method)
    }

    fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.open_until.is_some_and(|until| now - until < TimeDelta::days(1))
            || self.times.last().is_some_and(|time| now - *time < TimeDelta::hours(if self.on_trial { 24 } else { 1 }))
    }
}

impl Counter {
    fn view(mut self, window: Window, limit: u32, kept: u32, now: DateTime<Utc>) -> BudgetWindow {
        self.turn(window, now);
        let counted: u32 = self.slots.iter().map(|(_, calls)| calls).sum();
        let left = self.told.map_or(limit.saturating_sub(counted), |told| told.remaining);
        let oldest = self.slots.first().map(|(start, _)| *start + window.slot() + window.length());
        BudgetWindow {
            window: window.name().to_owned(),
            limit,
            used: self.told.map_or(counted, |told| limit.saturating_sub(told.remaining)),
            left,
            kept_for_orders: kept.min(left),
            resets_at: self.told.map(|told| told.reset).or(oldest),
            told: self.told.is_some(),
        }
    }

    fn check(&mut self, window: Window, limit: u32, keep: u32, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        self.turn(window, now);
        if let Some(told) = self.told {
            return if told.remaining > keep { Ok(()) } else { Err(told.reset) };
        }
        let used: u32 = self.slots.iter().map(|(_, calls)| calls).sum();
        if used + keep < limit {
            return Ok(());
        }
        // A call becomes free when the oldest slot leaves the window.
        let oldest = self.slots.first().map_or(now, |(start, _)| *start);
        Err(oldest + window.slot() + window.length())
    }

    fn add(&mut self, window: Window, now: DateTime<Utc>) {
        if let Some(told) = &mut self.told {
            told.remaining = told.remaining.saturating_sub(1);
        }
        match self.slots.last_mut() {
            Some((start, calls)) if now - *start < window.slot() => *calls += 1,
            _ => self.slots.push((now, 1)),
        }
    }

    /// Forgets slots outside the window, and everything before a reset that the system announced.
    fn turn(&mut self, window: Window, now: DateTime<Utc>) {
        if let Some(told) = self.told
            && told.reset <= now
        {
            self.slots.retain(|(start, _)| *start >= told.reset);
            self.told = None;
        }
        self.slots.retain(|(start, _)| now - *start < window.length() + window.slot());
    }

    fn learn(&mut self, learned: &Learned) {
        let new = Told { remaining: learned.remaining, reset: learned.reset };
        self.told = Some(match self.told {
            // Within one window the count only goes down: calls under way are not in the answer yet.
            Some(old) if (old.reset - new.reset).abs() <= SAME_RESET => {
                Told { remaining: old.remaining.min(new.remaining), reset: old.reset.max(new.reset) }
            }
            // An answer of a window that has ended meanwhile.
            Some(old) if old.reset > new.reset => old,
            _ => new,
        });
    }

    fn adopt(&mut self, other: &Self) {
        if let Some(told) = other.told {
            self.learn(&Learned { window: Window::Minute, remaining: told.remaining, reset: told.reset });
        }
    }
}
