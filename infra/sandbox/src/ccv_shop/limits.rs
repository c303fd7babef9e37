//! Calls per minute: one count per resource and method, one over everything. All key pairs of the shop share them, unless
//! a switch says otherwise.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::metadata::Endpoint;
use super::{Key, Switches, errors};
use crate::message::Reply;

/// Counters of the running minute.
#[derive(Debug, Default)]
pub(super) struct Limits {
    minute: i64,
    used: HashMap<String, u32>,
    overall: HashMap<String, u32>,
}

/// What has a limit of its own.
fn bucket(switches: &Switches, endpoint: &Endpoint) -> String {
    match switches.limit_by.as_str() {
        "path" => format!("{} {}", endpoint.method, endpoint.pattern.join("/")),
        _ => format!("{} {}", endpoint.method, endpoint.resource()),
    }
}

/// Documented or, for later endpoints, what all others of the method have.
pub(super) fn per_minute(endpoint: &Endpoint) -> u32 {
    endpoint.per_minute.unwrap_or(if endpoint.method == "GET" { 150 } else { 100 })
}

impl Limits {
    /// Counts a call, or refuses it.
    pub fn admit(
        &mut self,
        switches: &Switches,
        key: &Key,
        endpoint: &Endpoint,
        now: DateTime<Utc>,
    ) -> Result<(), Reply> {
        let whose = if switches.limit_per_key { key.public } else { "" };
        let minute = now.timestamp().div_euclid(60);
        if minute != self.minute {
            *self = Self { minute, ..Self::default() };
        }
        let refused = |code: &str, message: &str| {
            let reply = errors::error(code, message);
            Err(match switches.retry_after_seconds {
                Some(seconds) => reply.with("Retry-After", seconds),
                None => reply,
            })
        };
        let overall = self.overall.entry(whose.to_owned()).or_default();
        if switches.overall_minute_limit.is_some_and(|limit| *overall >= limit) {
            return refused("429.11", "The overall limit of the API is reached.");
        }
        let used = self.used.entry(format!("{whose} {}", bucket(switches, endpoint))).or_default();
        if switches.resource_limits && *used >= per_minute(endpoint) {
            return refused("429.10", "The limit of this resource is reached.");
        }
        *used += 1;
        *overall += 1;
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
