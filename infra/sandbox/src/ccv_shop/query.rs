//! Query parameters, by what the endpoint documents: paging, filters with their types, `expand`, `orderby`.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::metadata::{Endpoint, Kind};
use super::{SITE, Switches, errors};
use crate::message::{Call, Reply};
use crate::text::parse_decimal;

/// Value of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    Text(String),
    Number(Decimal),
    Flag(bool),
}

/// What a list is asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub start: usize,
    pub size: usize,
    pub expand: Vec<String>,
    /// Field, and whether the last comes first.
    pub orderby: Option<(String, bool)>,
    pub filters: Vec<(String, Wanted)>,
    /// Parameters that are kept in the addresses of other pages.
    kept: Vec<String>,
}

impl Query {
    /// Reads the parameters of a call.
    pub fn of(call: &Call, endpoint: &Endpoint, switches: &Switches) -> Result<Self, Reply> {
        let mut query = Self { size: switches.page_size.min(switches.page_size_max), ..Self::default() };
        for raw in call.query.split('&').filter(|raw| !raw.is_empty()) {
            for (name, value) in crate::message::pairs(raw) {
                if name != "start" && name != "size" {
                    query.kept.push(raw.to_owned());
                }
                query.read(endpoint, switches, &name, &value)?;
            }
        }
        Ok(query)
    }

    fn read(&mut self, endpoint: &Endpoint, switches: &Switches, name: &str, value: &str) -> Result<(), Reply> {
        let refuse = |message: String| match switches.unknown_query.as_str() {
            "ignore" => Ok(()),
            _ => Err(errors::schema(switches, &message)),
        };
        let wrong = |message: String| Err(errors::schema(switches, &message));
        match name {
            "expand" => {
                for word in value.split(',').filter(|word| !word.is_empty()) {
                    if endpoint.expand.iter().any(|known| known == word) {
                        self.expand.push(word.to_owned());
                    } else {
                        refuse(format!("\"{word}\" cannot be expanded"))?;
                    }
                }
                return Ok(());
            }
            "orderby" => {
                let (field, last_first) = match value.strip_suffix("_desc") {
                    Some(field) => (field, true),
                    None => (value, false),
                };
                if !endpoint.orderby.iter().any(|known| known == field) {
                    return refuse(format!("orderby \"{value}\" is not known"));
                }
                self.orderby = Some((field.to_owned(), last_first));
                return Ok(());
            }
            _ => {}
        }
        let Some((_, kind)) = endpoint.query.iter().find(|(known, _)| known == name) else {
            return refuse(format!("query parameter \"{name}\" is not known"));
        };
        if name == "start" || name == "size" {
            let Ok(number) = value.parse::<usize>() else {
                return wrong(format!("{name} \"{value}\" is no number"));
            };
            if name == "start" {
                self.start = number;
                return Ok(());
            }
            if number == 0 {
                return wrong("size is at least 1".into());
            }
            if number > switches.page_size_max && switches.size_above_maximum == "refuse" {
                return wrong(format!("size is at most {}", switches.page_size_max));
            }
            self.size = number.min(switches.page_size_max);
            return Ok(());
        }
        let wanted = match kind {
            Kind::Flag => match value {
                "true" => Some(Wanted::Flag(true)),
                "false" => Some(Wanted::Flag(false)),
                "1" if switches.flags_as_digits => Some(Wanted::Flag(true)),
                "0" if switches.flags_as_digits => Some(Wanted::Flag(false)),
                _ => None,
            },
            Kind::Whole => value.parse::<i64>().ok().map(|number| Wanted::Number(number.into())),
            Kind::Number => parse_decimal(value).map(Wanted::Number),
            _ => Some(Wanted::Text(value.to_owned())),
        };
        match wanted {
            Some(wanted) => self.filters.push((name.to_owned(), wanted)),
            None => return wrong(format!("{name} \"{value}\" is not of its type")),
        }
        Ok(())
    }

    /// A filter by its name.
    pub fn filter(&self, name: &str) -> Option<&Wanted> {
        self.filters.iter().find(|(known, _)| known == name).map(|(_, wanted)| wanted)
    }

    /// Address of another page of the same list.
    fn at(&self, call: &Call, start: usize) -> Value {
        let mut parts = vec![format!("start={start}"), format!("size={}", self.size)];
        parts.extend(self.kept.iter().cloned());
        json!(format!("{SITE}{}?{}", call.path, parts.join("&")))
    }

    /// A page: no total, so the end is where `next` is null.
    pub fn page(&self, call: &Call, total: usize, items: Vec<Value>) -> Value {
        let end = self.start + items.len();
        let address = super::auth::uri(call);
        json!({
            "start": self.start,
            "size": self.size,
            "href": format!("{SITE}{address}"),
            "first": self.at(call, 0),
            "previous": if self.start == 0 { Value::Null } else { self.at(call, self.start.saturating_sub(self.size)) },
            "next": if end < total { self.at(call, end) } else { Value::Null },
            "items": items,
        })
    }
}

/// A day, or a moment where that is accepted, as the rows keep it.
pub(super) fn day(switches: &Switches, name: &str, value: &str) -> Result<String, Reply> {
    if chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok() && value.len() == 10 {
        let whole = name.starts_with("max_") && switches.max_date_whole_day;
        return Ok(if whole { format!("{value}T23:59:59Z") } else { format!("{value}T00:00:00Z") });
    }
    let stem = value.trim_end_matches('Z').trim_end_matches("+00:00").replace(' ', "T");
    let is_moment = chrono::NaiveDateTime::parse_from_str(&stem, "%Y-%m-%dT%H:%M:%S").is_ok();
    if is_moment && switches.date_with_time == "accept" {
        return Ok(format!("{stem}Z"));
    }
    Err(errors::schema(switches, &format!("{name} \"{value}\" is no date (YYYY-MM-DD)")))
}
