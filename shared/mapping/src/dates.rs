//! Dates as shops write them. A moment keeps the zone it was written with; nothing is converted between zones.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::value::quoted;

/// How far a date may be moved: a century either way.
pub(crate) const DAYS: RangeInclusive<i64> = -36_525..=36_525;

/// A date, perhaps with a time, perhaps with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    date: NaiveDate,
    time: Option<NaiveTime>,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    Utc,
    Offset(FixedOffset),
}

/// Reads `yyyy-mm-dd`, optionally followed by `T` or a space, a time and a zone; or the `/Date(milliseconds)/` of OData.
pub(crate) fn parse(text: &str) -> Result<Moment, String> {
    read(text.trim())
        .ok_or_else(|| format!("{} is not a date: it must be written yyyy-mm-dd, with or without a time", quoted(text)))
}

fn read(text: &str) -> Option<Moment> {
    if let Some(inside) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        let moment = DateTime::from_timestamp_millis(inside.parse().ok()?)?.naive_utc();
        return in_reach(Moment { date: moment.date(), time: Some(moment.time()), zone: Some(Zone::Utc) });
    }
    let date = text.get(..10)?;
    // The library reads `+026-1- 7` too; what a shop writes has digits only.
    if !date.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() }) {
        return None;
    }
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return in_reach(Moment { date, time: None, zone: None });
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = (rest[..end].trim_end(), &rest[end..]);
    if !clock.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.')) {
        return None;
    }
    let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|form| NaiveTime::parse_from_str(clock, form).ok())?;
    let zone = match zone {
        "" => None,
        "Z" => Some(Zone::Utc),
        offset => {
            let moment =
                DateTime::parse_from_str(&format!("2000-01-01T00:00:00{offset}"), "%Y-%m-%dT%H:%M:%S%z").ok()?;
            Some(Zone::Offset(*moment.offset()))
        }
    };
    in_reach(Moment { date, time: Some(time), zone })
}

/// Four-digit years only: what lies outside is a mistake in the source, and other systems refuse it.
fn in_reach(moment: Moment) -> Option<Moment> {
    (1..=9999).contains(&moment.date.year()).then_some(moment)
}

impl Moment {
    pub(crate) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    pub(crate) fn plus_days(self, days: i64) -> Result<Self, String> {
        let by = Days::new(days.unsigned_abs());
        let date = if days < 0 { self.date.checked_sub_days(by) } else { self.date.checked_add_days(by) };
        date.and_then(|date| in_reach(Moment { date, ..self }))
            .ok_or_else(|| "the date lies beyond the year 9999".to_owned())
    }

    pub(crate) fn date(&self) -> String {
        self.date.format("%Y-%m-%d").to_string()
    }

    pub(crate) fn datetime(&self) -> String {
        let moment = NaiveDateTime::new(self.date, self.time.unwrap_or_default());
        let zone = match self.zone {
            None => String::new(),
            Some(Zone::Utc) => "Z".to_owned(),
            Some(Zone::Offset(offset)) => offset.to_string(),
        };
        format!("{}{zone}", moment.format("%Y-%m-%dT%H:%M:%S"))
    }

    /// Writes the moment after a pattern of `YYYY YY MM M DD D HH mm ss`.
    pub(crate) fn format(&self, pattern: &str) -> String {
        let time = self.time.unwrap_or_default();
        let mut written = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            let (token, number, width) = match rest {
                _ if rest.starts_with("YYYY") => (4, self.date.year().unsigned_abs(), 4),
                _ if rest.starts_with("YY") => (2, self.date.year().unsigned_abs() % 100, 2),
                _ if rest.starts_with("MM") => (2, self.date.month(), 2),
                _ if rest.starts_with('M') => (1, self.date.month(), 1),
                _ if rest.starts_with("DD") => (2, self.date.day(), 2),
                _ if rest.starts_with('D') => (1, self.date.day(), 1),
                _ if rest.starts_with("HH") => (2, time.hour(), 2),
                _ if rest.starts_with("mm") => (2, time.minute(), 2),
                _ if rest.starts_with("ss") => (2, time.second(), 2),
                _ => {
                    written.push(c);
                    rest = &rest[c.len_utf8()..];
                    continue;
                }
            };
            written.push_str(&format!("{number:0width$}"));
            rest = &rest[token..];
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_texts_are_refused_without_panic() {
        for text in [
            "",
            "2026",
            "2026-10-1é",
            "2026-10-17T",
            "2026-10-17T25:00",
            "2026-10-17Tx+",
            "/Date(x)/",
            "/Date(9999999999999999)/",
            "0000-01-01",
            "2026-10-17T10:00+99:99",
            "+026-10-17",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forms_of_the_shops_are_read() {
        for (text, written) in [
            ("2026-10-17 14:03:52", "2026-10-17T14:03:52"),
            ("2026-10-17T14:03:52+0200", "2026-10-17T14:03:52+02:00"),
            ("2026-10-17T14:03:52.1234567Z", "2026-10-17T14:03:52Z"),
            (" 2026-10-17 ", "2026-10-17T00:00:00"),
        ] {
            assert_eq!(parse(text).map(|moment| moment.datetime()).as_deref(), Ok(written));
        }
    }
}
