//! Calls per minute. Nothing is published about a limit, so by default one is kept that a careful client stays under.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Switches;
use super::problem::problem;
use crate::message::Reply;

const MINUTE_MS: i64 = 60_000;

/// Counters per administration.
#[derive(Debug, Default)]
pub(super) struct Limits {
    minute: HashMap<String, (i64, i64)>,
}

impl Limits {
    /// Counts a call, or refuses it.
    pub fn admit(&mut self, switches: &Switches, administration: &str, now: DateTime<Utc>) -> Result<(), Reply> {
        let ms = now.timestamp_millis();
        let start = ms - ms.rem_euclid(MINUTE_MS);
        let (window, used) = self.minute.entry(administration.into()).or_default();
        if *window != start {
            (*window, *used) = (start, 0);
        }
        if switches.minute_limit.is_some_and(|limit| *used >= limit) {
            let reply = problem(429, "Too Many Requests", "");
            let seconds = (start + MINUTE_MS - ms + 999) / 1000;
            return Err(if switches.retry_after { reply.with("Retry-After", seconds) } else { reply });
        }
        *used += 1;
        Ok(())
    }

    /// Uses up calls without their being made.
    pub fn spend(&mut self, administration: &str, calls: i64, now: DateTime<Utc>) {
        let ms = now.timestamp_millis();
        let start = ms - ms.rem_euclid(MINUTE_MS);
        let (window, used) = self.minute.entry(administration.into()).or_default();
        if *window != start {
            (*window, *used) = (start, 0);
        }
        *used += calls;
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.minute.clear();
    }
}
