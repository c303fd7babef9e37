//! What changed since a moment, in systems whose times have no zone.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// The clock on the wall of a system, and an hour less around the hour that comes twice in autumn: what is changed when it
/// comes for the second time bears a time that seems to lie before a moment of the first.
pub(crate) fn asked(zone: Tz, since: DateTime<Utc>) -> NaiveDateTime {
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc();
    let hour = TimeDelta::hours(1);
    let comes_twice = offset(since + hour) < offset(since) || offset(since) < offset(since - hour);
    since.with_timezone(&zone).naive_local() - if comes_twice { hour } else { TimeDelta::zero() }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Amsterdam;

    use super::*;

    #[test]
    fn in_the_hour_that_comes_twice_nothing_seems_to_lie_before_what_is_asked_for() {
        let moments = (0..=5 * 60)
            .map(|minutes| "2026-10-24T23:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes));
        let local = |at: DateTime<Utc>| at.with_timezone(&Amsterdam).naive_local();
        for since in moments.clone() {
            let from = asked(Amsterdam, since);
            for changed in moments.clone().filter(|changed| *changed >= since) {
                assert!(local(changed) >= from, "changed at {changed}, asked since {since}");
            }
            assert!(local(since) - from <= TimeDelta::hours(1));
        }
        let plain: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        assert_eq!(asked(Amsterdam, plain), local(plain));
    }
}
