//! Dates and periods as the API writes them.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Europe::Amsterdam;

const FORM: &str = "%Y-%m-%dT%H:%M:%S";

/// A moment: `YYYY-MM-DDTHH:MM:SS`, without a zone.
pub(super) fn moment(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, FORM).ok()
}

/// The wall time of the administration, as rows hold it.
pub(super) fn local(now: DateTime<Utc>) -> String {
    now.with_timezone(&Amsterdam).format(FORM).to_string()
}

/// A book period: year and number.
pub(super) fn period(text: &str) -> Option<(i64, i64)> {
    let (year, number) = text.split_once('-')?;
    let (year, number) = (year.parse().ok()?, number.parse().ok()?);
    ((1900..=2999).contains(&year) && (1..=13).contains(&number)).then_some((year, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_no_zone_and_always_a_time() {
        assert!(moment("2026-11-02T00:00:00").is_some());
        for wrong in ["2026-11-02", "2026-11-02T00:00:00Z", "2026-11-02T00:00", "02-11-2026"] {
            assert!(moment(wrong).is_none(), "{wrong}");
        }
        assert_eq!(local("2026-06-30T22:30:00Z".parse().unwrap()), "2026-07-01T00:30:00");
        assert_eq!((period("2026-10"), period("2026-14")), (Some((2026, 10)), None));
    }
}
