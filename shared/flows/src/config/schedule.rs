//! When a flow runs: every so often, or by cron in a time zone.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::error::Cause;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a flow runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Interval, such as `5m`, `2h`, `1d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// Cron expression with five fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Time zone of the cron expression; default UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl Schedule {
    /// The first moment after `last` at which the flow is due.
    pub fn next_after(&self, last: DateTime<Utc>) -> Result<DateTime<Utc>, Cause> {
        match (&self.every, &self.cron) {
            (Some(every), None) => Ok(last + parse_duration(every)?),
            (None, Some(cron)) => {
                let zone = match &self.timezone {
                    Some(name) => Tz::from_str(name).map_err(|_| {
                        Cause::new("unknown_timezone", format!("«{name}» is not a time zone"))
                            .advice("use a name such as Europe/Amsterdam")
                    })?,
                    None => Tz::UTC,
                };
                let pattern = croner::Cron::from_str(cron)
                    .map_err(|error| Cause::new("bad_cron", format!("«{cron}» is not a cron expression: {error}")))?;
                let next = pattern
                    .find_next_occurrence(&last.with_timezone(&zone), false)
                    .map_err(|error| Cause::new("bad_cron", format!("«{cron}» never comes: {error}")))?;
                Ok(next.with_timezone(&Utc))
            }
            _ => Err(Cause::new("bad_schedule", "a schedule has either «every» or «cron»")
                .advice("write schedule: { every: 5m } or schedule: { cron: \"*/10 7-19 * * 1-5\", timezone: Europe/Amsterdam }")),
        }
    }
}

/// Reads `30s`, `5m`, `2h`, `1d`.
pub fn parse_duration(text: &str) -> Result<TimeDelta, Cause> {
    let wrong = || {
        Cause::new("bad_duration", format!("«{text}» is not a duration"))
            .advice("write 30s, 5m, 2h or 1d, of at least 1s")
    };
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let delta = match unit.trim() {
        "s" => TimeDelta::try_seconds(number),
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    delta.filter(|d| *d > TimeDelta::zero() && *d <= TimeDelta::days(366)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_counts_from_the_last_run() {
        let schedule = Schedule { every: Some("5m".into()), ..Schedule::default() };
        assert_eq!(schedule.next_after(at("2026-11-22T05:00:00Z")).unwrap(), at("2026-11-22T05:05:00Z"));
    }

    #[test]
    fn cron_follows_the_wall_clock_through_a_change_to_summer_time() {
        let schedule = Schedule {
            cron: Some("0 8 * * *".into()),
            timezone: Some("Europe/Amsterdam".into()),
            ..Schedule::default()
        };
        assert_eq!(schedule.next_after(at("2026-03-28T12:00:00Z")).unwrap(), at("2026-03-29T06:00:00Z"));
        assert_eq!(schedule.next_after(at("2026-03-27T12:00:00Z")).unwrap(), at("2026-03-28T07:00:00Z"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "5", "m", "0m", "5 weeks", "999999999999d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(Schedule::default().next_after(at("2026-11-22T05:00:00Z")).is_err());
        let both = Schedule { every: Some("5m".into()), cron: Some("* * * * *".into()), timezone: None };
        assert!(both.next_after(at("2026-11-22T05:00:00Z")).is_err());
    }
}
