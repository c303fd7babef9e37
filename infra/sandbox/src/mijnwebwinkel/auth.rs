//! Two tokens in the query, and the calls a pair of them may make.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::errors;
use super::switches::Switches;
use crate::message::{Call, Reply};

/// Token of the partner, as the vendor gives it to an application.
pub const PARTNER_TOKEN: &str = "kpl-partner-4f1d2c7a9be84a5f";
/// Token of the store, made by the merchant for that partner.
pub const STORE_TOKEN: &str = "5b0c3f6e9d2a47c18e7f0a1b2c3d4e5f";
/// Token of another partner, for which the merchant made no token.
pub const OTHER_PARTNER_TOKEN: &str = "kpl-partner-00aa11bb22cc33dd";

/// Calls per minute, by partner and store.
#[derive(Debug, Default)]
pub(super) struct Limits {
    windows: HashMap<String, (i64, i64)>,
}

const MINUTE_SECONDS: i64 = 60;

impl Limits {
    /// Counts a call, or refuses it.
    fn admit(&mut self, pair: String, switches: &Switches, now: DateTime<Utc>) -> Result<(), Reply> {
        let Some(limit) = switches.minute_limit else { return Ok(()) };
        let start = now.timestamp().div_euclid(MINUTE_SECONDS);
        let window = self.windows.entry(pair).or_default();
        if window.0 != start {
            *window = (start, 0);
        }
        if window.1 >= limit {
            let reply = errors::classic(429, "Too many requests.");
            let wait = (start + 1) * MINUTE_SECONDS - now.timestamp();
            return Err(if switches.retry_after { reply.with("Retry-After", wait) } else { reply });
        }
        window.1 += 1;
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.windows.clear();
    }
}

/// Lets a caller in, or says why not.
pub(super) fn admit(
    call: &Call,
    parts: &[&str],
    switches: &Switches,
    limits: &mut Limits,
    now: DateTime<Utc>,
) -> Result<(), Reply> {
    let denied = |text: &str| errors::classic(switches.auth_status, text);
    let partner = call.param("partner_token").unwrap_or_default();
    if ![PARTNER_TOKEN, OTHER_PARTNER_TOKEN].contains(&partner.as_str()) {
        return Err(denied("Invalid partner token."));
    }
    // Two public lists are the same for every shop.
    if call.method == "GET" && matches!(parts, ["orderstatuses"] | ["payment", "gateways"]) {
        return limits.admit(partner, switches, now);
    }
    let token = call.param("token").unwrap_or_default();
    if token != STORE_TOKEN {
        return Err(denied("Invalid token."));
    }
    if switches.token_expired {
        return Err(denied("The token has expired."));
    }
    if partner != PARTNER_TOKEN && !switches.cross_partner_tokens {
        return Err(denied("Invalid token."));
    }
    limits.admit(format!("{partner}+{token}"), switches, now)
}
