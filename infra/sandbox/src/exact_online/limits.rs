//! Calls per minute and per day, and the block on an endpoint that gave too many errors.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};

use super::Switches;
use crate::message::Reply;

#[derive(Debug, Default)]
struct Window {
    start: i64,
    used: i64,
}

impl Window {
    fn at(&mut self, start: i64) -> &mut Self {
        if self.start != start {
            *self = Self { start, used: 0 };
        }
        self
    }
}

/// Counters per division, errors per endpoint.
#[derive(Debug, Default)]
pub(super) struct Limits {
    minute: HashMap<String, Window>,
    day: HashMap<String, Window>,
    errors: HashMap<String, Vec<DateTime<Utc>>>,
    blocked: HashMap<String, DateTime<Utc>>,
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

impl Limits {
    /// Counts a call, or refuses it with a 429 that carries only the headers of the limit that was hit.
    pub fn admit(
        &mut self,
        switches: &Switches,
        division: &str,
        endpoint: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Reply> {
        if let Some(until) = self.blocked.get(endpoint) {
            if now < *until {
                return Err(Reply::empty(429));
            }
            self.blocked.remove(endpoint);
            self.errors.remove(endpoint);
        }
        let ms = now.timestamp_millis();
        let minute = self.minute.entry(division.into()).or_default().at(ms - ms.rem_euclid(MINUTE_MS));
        let day = self.day.entry(division.into()).or_default().at(ms - ms.rem_euclid(DAY_MS));
        if switches.minute_limit.is_some_and(|limit| minute.used >= limit) {
            return Err(minutely(Reply::empty(429), switches.minute_limit, minute));
        }
        if switches.day_limit.is_some_and(|limit| day.used >= limit) {
            return Err(daily(Reply::empty(429), switches.day_limit, day));
        }
        minute.used += 1;
        day.used += 1;
        Ok(())
    }

    /// Adds the six headers to an answer.
    pub fn headers(&mut self, switches: &Switches, division: &str, reply: Reply) -> Reply {
        let reply = match self.day.get(division) {
            Some(day) => daily(reply, switches.day_limit, day),
            None => reply,
        };
        match self.minute.get(division) {
            Some(minute) => minutely(reply, switches.minute_limit, minute),
            None => reply,
        }
    }

    /// Remembers an answer that counts as an error; too many in an hour block the endpoint for an hour.
    pub fn note(&mut self, switches: &Switches, endpoint: &str, status: u16, now: DateTime<Utc>) {
        let Some(limit) = switches.error_limit else { return };
        if !matches!(status, 400 | 401 | 403 | 404) {
            return;
        }
        let seen = self.errors.entry(endpoint.into()).or_default();
        seen.push(now);
        seen.retain(|at| now - *at < Duration::hours(1));
        if i64::try_from(seen.len()).unwrap_or(i64::MAX) > limit {
            self.blocked.insert(endpoint.into(), now + Duration::hours(1));
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Uses up the budget of a division without calls being made.
    pub fn spend(&mut self, division: &str, calls: i64, now: DateTime<Utc>) {
        let ms = now.timestamp_millis();
        self.minute.entry(division.into()).or_default().at(ms - ms.rem_euclid(MINUTE_MS)).used += calls;
        self.day.entry(division.into()).or_default().at(ms - ms.rem_euclid(DAY_MS)).used += calls;
    }
}

fn daily(reply: Reply, limit: Option<i64>, window: &Window) -> Reply {
    let Some(limit) = limit else { return reply };
    reply
        .with("X-RateLimit-Limit", limit)
        .with("X-RateLimit-Remaining", (limit - window.used).max(0))
        .with("X-RateLimit-Reset", window.start + DAY_MS)
}

fn minutely(reply: Reply, limit: Option<i64>, window: &Window) -> Reply {
    let Some(limit) = limit else { return reply };
    reply
        .with("X-RateLimit-Minutely-Limit", limit)
        .with("X-RateLimit-Minutely-Remaining", (limit - window.used).max(0))
        .with("X-RateLimit-Minutely-Reset", window.start + MINUTE_MS)
}
