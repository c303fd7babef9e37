//! Arguments of a request, checked as the WordPress REST API checks them: all at once, before permission is asked.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Europe::Amsterdam;
use serde_json::Value;

use super::errors::invalid_params;
use crate::message::{Call, Reply};

/// Query arguments, with PHP's brackets taken off the names.
#[derive(Debug, Clone, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads them from the query.
    pub(super) fn of(call: &Call) -> Self {
        let strip = |name: String| name.split_once('[').map_or(name.clone(), |(stem, _)| stem.to_owned());
        Self(call.pairs().into_iter().map(|(name, value)| (strip(name), value)).collect())
    }

    /// As if an argument was not sent.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| known != name);
        self
    }

    /// The last value of a name, as PHP has it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name; each may be a comma list.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        values
            .flat_map(|(_, value)| value.split(','))
            .map(|part| part.trim().to_owned())
            .filter(|p| !p.is_empty())
            .collect()
    }

    /// yes-values of PHP's filter.
    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some("1" | "true" | "TRUE" | "yes" | "on"))
    }
}

/// Collects what is wrong with the arguments.
pub(super) struct Check<'a> {
    params: &'a Params,
    wrong: Vec<(String, &'static str, String)>,
}

impl<'a> Check<'a> {
    /// Starts a check.
    pub(super) fn new(params: &'a Params) -> Self {
        Self { params, wrong: Vec::new() }
    }

    fn fail(&mut self, name: &str, code: &'static str, message: String) {
        self.wrong.push((name.into(), code, message));
    }

    /// A whole number within bounds.
    pub(super) fn int(&mut self, name: &str, default: i64, min: Option<i64>, max: Option<i64>) -> i64 {
        let Some(text) = self.params.get(name) else { return default };
        let Ok(value) = text.trim().parse::<i64>() else {
            self.fail(name, "rest_invalid_type", format!("{name} is not of type integer."));
            return default;
        };
        let outside = min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max);
        if outside {
            let message = match (min, max) {
                (Some(min), Some(max)) => format!("{name} must be between {min} (inclusive) and {max} (inclusive)"),
                (Some(min), None) => format!("{name} must be greater than or equal to {min}"),
                _ => format!("{name} must be less than or equal to {}", max.unwrap_or_default()),
            };
            self.fail(name, "rest_out_of_bounds", message);
        }
        value
    }

    /// One of a list of words.
    pub(super) fn one_of(&mut self, name: &str, default: &str, allowed: &[&str]) -> String {
        let Some(value) = self.params.get(name) else { return default.into() };
        if !allowed.contains(&value) {
            let message = format!("{name} is not one of {}.", words(allowed));
            self.fail(name, "rest_not_in_enum", message);
        }
        value.into()
    }

    /// A list of words.
    pub(super) fn many_of(&mut self, name: &str, allowed: &[&str]) -> Vec<String> {
        let values = self.params.list(name);
        for (at, value) in values.iter().enumerate() {
            if !allowed.contains(&value.as_str()) {
                self.fail(name, "rest_not_in_enum", format!("{name}[{at}] is not one of {}.", words(allowed)));
                break;
            }
        }
        values
    }

    /// A list of whole numbers.
    pub(super) fn ints(&mut self, name: &str) -> Vec<i64> {
        let values = self.params.list(name);
        let mut numbers = Vec::new();
        for (at, value) in values.iter().enumerate() {
            match value.parse() {
                Ok(number) => numbers.push(number),
                Err(_) => {
                    self.fail(name, "rest_invalid_type", format!("{name}[{at}] is not of type integer."));
                    break;
                }
            }
        }
        numbers
    }

    /// A moment: with a zone it is that moment, without one it is UTC when `dates_are_gmt` says so, else local time
    /// of the site. A date without a time is refused.
    pub(super) fn moment(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let text = self.params.get(name)?.to_owned();
        let found = parse_moment(&text, self.params.flag("dates_are_gmt"));
        if found.is_none() {
            self.fail(name, "rest_invalid_date", "Invalid date.".into());
        }
        found
    }

    /// An e-mail address.
    pub(super) fn email(&mut self, name: &str) -> Option<String> {
        let text = self.params.get(name)?.to_owned();
        if !is_email(&text) {
            self.fail(name, "rest_invalid_email", "Invalid email address.".into());
        }
        Some(text)
    }

    /// All found mistakes as one answer.
    pub(super) fn done(self) -> Result<(), Reply> {
        if self.wrong.is_empty() { Ok(()) } else { Err(invalid_params(&self.wrong)) }
    }
}

/// Types and words of a JSON body, as the schema of the route has them.
pub(super) fn check_body(body: &Value, rules: &[(&str, Kind<'_>)]) -> Result<(), Reply> {
    let mut wrong = Vec::new();
    for (name, kind) in rules {
        let Some(value) = body.get(*name) else { continue };
        let type_error = |kind: &str| Some(("rest_invalid_type", format!("{name} is not of type {kind}.")));
        let found = match kind {
            Kind::Integer if crate::text::whole(value).is_none() => type_error("integer"),
            Kind::IntegerOrNull if !value.is_null() && crate::text::whole(value).is_none() => type_error("integer"),
            Kind::Array if !value.is_array() => type_error("array"),
            Kind::Object if !value.is_object() => type_error("object"),
            Kind::Text if !matches!(value, Value::String(_) | Value::Number(_)) => type_error("string"),
            Kind::Bool
                if !matches!(value, Value::Bool(_))
                    && !matches!(value.as_str(), Some("true" | "false" | "1" | "0")) =>
            {
                type_error("boolean")
            }
            Kind::OneOf(allowed) if !value.as_str().is_some_and(|word| allowed.contains(&word)) => {
                Some(("rest_not_in_enum", format!("{name} is not one of {}.", words(allowed))))
            }
            _ => None,
        };
        if let Some((code, message)) = found {
            wrong.push(((*name).to_owned(), code, message));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(invalid_params(&wrong)) }
}

/// Type of a field of a body.
pub(super) enum Kind<'a> {
    Integer,
    IntegerOrNull,
    Array,
    Object,
    Text,
    Bool,
    OneOf(&'a [&'a str]),
}

fn words(list: &[&str]) -> String {
    match list {
        [] => String::new(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")).replacen(
            ", and",
            if first.len() == 1 { " and" } else { ", and" },
            1,
        ),
    }
}

pub(super) fn parse_moment(text: &str, gmt: bool) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)) {
        return Some(moment.with_timezone(&Utc));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let local = naive.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    if gmt {
        Some(local.and_utc())
    } else {
        Amsterdam.from_local_datetime(&local).earliest().map(|m| m.with_timezone(&Utc))
    }
}

pub(super) fn is_email(text: &str) -> bool {
    let (name, host) = text.split_once('@').unwrap_or_default();
    !name.is_empty() && host.contains('.') && !host.starts_with('.') && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_zone_is_local_time_of_the_site() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(parse_moment("2026-07-01T12:00:00", false), Some(utc("2026-07-01T10:00:00Z")));
        assert_eq!(parse_moment("2026-12-01T12:00:00", false), Some(utc("2026-12-01T11:00:00Z")));
        assert_eq!(parse_moment("2026-12-01T12:00:00", true), Some(utc("2026-12-01T12:00:00Z")));
        assert_eq!(parse_moment("2026-12-01T12:00:00Z", false), Some(utc("2026-12-01T12:00:00Z")));
        assert_eq!(parse_moment("2026-12-01T12:00:00+01:00", true), Some(utc("2026-12-01T11:00:00Z")));
        assert_eq!(parse_moment("2026-12-01", false), None);
    }

    #[test]
    fn words_of_an_enum_read_as_wordpress_writes_them() {
        assert_eq!(words(&["asc", "desc"]), "asc and desc");
        assert_eq!(words(&["a", "b", "c"]), "a, b, and c");
    }
}
