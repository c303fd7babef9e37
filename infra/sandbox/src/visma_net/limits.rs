//! Calls per hour in fixed windows, with the headers that tell how many are left.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Switches;
use super::errors::message;
use crate::message::Reply;

const HOUR: i64 = 3_600;

/// Which budget a call is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Door {
    /// The current addresses.
    Current,
    /// The deprecated one.
    Old,
}

impl Door {
    fn policy(self) -> &'static str {
        match self {
            Self::Current => "4-fixed-window",
            Self::Old => "6-fixed-window",
        }
    }

    fn limits(self, switches: &Switches) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Current => (switches.hourly_limit, switches.burst_limit),
            Self::Old => (switches.old_base_hourly_limit, switches.old_base_burst_limit),
        }
    }
}

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

/// Counters per budget.
#[derive(Debug, Default)]
pub(super) struct Limits {
    hours: HashMap<Door, Window>,
    seconds: HashMap<Door, Window>,
}

impl Limits {
    /// Counts a call, or refuses it.
    pub fn admit(&mut self, switches: &Switches, door: Door, now: DateTime<Utc>) -> Result<(), Reply> {
        let (hourly, burst) = door.limits(switches);
        let at = now.timestamp();
        let hour = self.hours.entry(door).or_default().at(at - at.rem_euclid(HOUR));
        let second = self.seconds.entry(door).or_default().at(at);
        let refused = |wait: i64| message(429, "Rate limit is exceeded. Try again later.").with("Retry-After", wait);
        if hourly.is_some_and(|limit| hour.used >= limit) {
            let wait = hour.start + HOUR - at;
            return Err(self.headers(switches, door, refused(wait), now));
        }
        if burst.is_some_and(|limit| second.used >= limit) {
            return Err(self.headers(switches, door, refused(1), now));
        }
        hour.used += 1;
        second.used += 1;
        Ok(())
    }

    /// Adds the four headers to an answer.
    pub fn headers(&self, switches: &Switches, door: Door, reply: Reply, now: DateTime<Utc>) -> Reply {
        let (Some(limit), Some(window)) = (door.limits(switches).0, self.hours.get(&door)) else { return reply };
        reply
            .with("X-RateLimit-Limit", limit)
            .with("X-RateLimit-Remaining", (limit - window.used).max(0))
            .with("X-RateLimit-Reset", window.start + HOUR - now.timestamp())
            .with("X-RateLimit-Policy", door.policy())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Uses up a part of the budget without calls being made.
    pub fn spend(&mut self, calls: i64, now: DateTime<Utc>) {
        let at = now.timestamp();
        self.hours.entry(Door::Current).or_default().at(at - at.rem_euclid(HOUR)).used += calls;
    }
}
