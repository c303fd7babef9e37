//! What the definition says about queries and bodies, and how a request is held to it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::switches::Switches;
use crate::message::Call;
use crate::text;

/// `data/contract.json`: endpoints, entities, values.
fn contract() -> &'static Value {
    static CONTRACT: OnceLock<Value> = OnceLock::new();
    CONTRACT.get_or_init(|| serde_json::from_str(include_str!("data/contract.json")).unwrap_or_default())
}

/// The endpoint `METHOD path`, with the names of its path parameters as the definition has them.
fn endpoint(method: &str, parts: &[&str]) -> Option<&'static Value> {
    let endpoints = contract()["endpoints"].as_object()?;
    let fits = |name: &str| {
        let (verb, path) = name.split_once(' ')?;
        let known: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let same = known.len() == parts.len()
            && known.iter().zip(parts).all(|(known, part)| known.starts_with('{') || known == part);
        (verb == method && same).then(|| known.iter().filter(|part| part.starts_with('{')).count())
    };
    // `orders/count` before `orders/{order_number}`: the one with fewer names wins.
    let found = endpoints.iter().filter_map(|(name, endpoint)| fits(name).map(|names| (names, endpoint)));
    found.min_by_key(|(names, _)| *names).map(|(_, endpoint)| endpoint)
}

/// The endpoint is in the definition.
pub(super) fn exists(method: &str, parts: &[&str]) -> bool {
    endpoint(method, parts).is_some()
}

/// The path is there, with another verb.
pub(super) fn other_verb(parts: &[&str]) -> bool {
    ["GET", "POST", "PATCH", "DELETE"].iter().any(|verb| exists(verb, parts))
}

/// The status of an answer that worked.
pub(super) fn status(method: &str, parts: &[&str]) -> u16 {
    let status = endpoint(method, parts).and_then(|endpoint| endpoint["status"].as_u64());
    status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200)
}

fn enumeration(name: &str) -> &'static [Value] {
    contract()["enums"][name].as_array().map_or(&[], Vec::as_slice)
}

/// What is wrong with the query.
pub(super) fn check_query(call: &Call, parts: &[&str], switches: &Switches) -> Result<(), String> {
    let Some(endpoint) = endpoint(&call.method, parts) else { return Ok(()) };
    let known = endpoint["query"].as_object();
    let common: Vec<&str> =
        endpoint["query_common"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, value) in call.pairs() {
        let bare = name.strip_suffix("[]").unwrap_or(&name);
        if ["token", "partner_token"].contains(&bare) {
            continue;
        }
        if common.contains(&bare) {
            let list = if bare == "language" { "Language" } else { "Format" };
            if !enumeration(list).iter().any(|known| *known == value) {
                return Err(format!("{bare}: \"{value}\" is no valid choice."));
            }
            continue;
        }
        let Some(record) = known.and_then(|known| known.get(bare)) else {
            if switches.unknown_fields == "refuse" {
                return Err(format!("{bare}: this parameter is unknown."));
            }
            continue;
        };
        check_param(bare, &value, record, switches)?;
    }
    for (name, record) in known.into_iter().flatten() {
        if switches.required_query && record["required"] == true && call.param(name).is_none() {
            return Err(format!("{name}: this parameter is required."));
        }
    }
    Ok(())
}

fn check_param(name: &str, value: &str, record: &Value, switches: &Switches) -> Result<(), String> {
    let kind = record.as_str().or_else(|| record["type"].as_str()).unwrap_or("string");
    let right = match kind.trim_matches(['[', ']']) {
        "int" => value.parse::<i64>().is_ok_and(|number| number >= 0),
        "bool" => ["true", "false", "1", "0"].contains(&value),
        "date" => super::dates::day(value).is_some(),
        "datetime" => super::dates::local(value).is_some(),
        "uuid" => value.parse::<uuid::Uuid>().is_ok(),
        _ => true,
    };
    if !right {
        return Err(format!("{name}: \"{value}\" is no valid {kind}."));
    }
    if let Some(values) = record["values"].as_array()
        && !value.split(',').all(|part| values.iter().any(|known| *known == part))
    {
        return Err(format!("{name}: \"{value}\" is no valid choice."));
    }
    let most = record["max_value"].as_i64();
    if switches.limit_over_max == "refuse" && most.is_some_and(|most| value.parse::<i64>().is_ok_and(|n| n > most)) {
        return Err(format!("{name}: this value should be {} or less.", most.unwrap_or_default()));
    }
    Ok(())
}

/// What is wrong with a body of an entity (`Article`), or of a type (`[ArticleListOption]`): path and message. `mode` is
/// `c` for a new record and `u` for a change.
pub(super) fn check_body(kind: &str, mode: char, body: &Value, switches: &Switches) -> Vec<(String, String)> {
    let mut check = Check { mode, switches, wrong: Vec::new() };
    check.value("", kind, body, true);
    check.wrong
}

struct Check<'a> {
    mode: char,
    switches: &'a Switches,
    wrong: Vec<(String, String)>,
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Check<'_> {
    fn say(&mut self, path: &str, message: impl Into<String>) {
        self.wrong.push((if path.is_empty() { "body".into() } else { path.into() }, message.into()));
    }

    fn value(&mut self, path: &str, kind: &str, value: &Value, top: bool) {
        if let Some(inner) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|k| !k.contains('|'))
        {
            let Some(list) = value.as_array() else { return self.say(path, "this value should be a list.") };
            for (at, one) in list.iter().enumerate() {
                self.value(&format!("{path}[{at}]"), inner, one, false);
            }
            return;
        }
        if let Some(inner) = kind.strip_prefix("map(").and_then(|rest| rest.strip_suffix(')')) {
            let Some(map) = value.as_object() else { return self.say(path, "this value should be an object.") };
            for (name, one) in map {
                self.value(&below(path, name), inner, one, false);
            }
            return;
        }
        if let Some(fields) = contract()["entities"][kind].as_object() {
            let Some(map) = value.as_object() else { return self.say(path, "this value should be an object.") };
            return self.object(path, fields, map, top);
        }
        let strict = self.switches.strict_types;
        let right = match kind {
            "string" => value.is_string() || !strict && value.is_number(),
            "int" => value.is_i64() || !strict && text::whole(value).is_some(),
            "num" => value.is_number() || !strict && text::decimal(value).is_some(),
            "bool" => value.is_boolean() || !strict && (*value == 0 || *value == 1),
            "date" => value.as_str().and_then(super::dates::day).is_some(),
            "uuid" => value.as_str().is_some_and(|text| text.parse::<uuid::Uuid>().is_ok()),
            _ => true,
        };
        if !right {
            self.say(path, format!("this value should be of type {kind}."));
        }
    }

    fn object(&mut self, path: &str, fields: &Map<String, Value>, map: &Map<String, Value>, top: bool) {
        let refuse = self.switches.unknown_fields == "refuse";
        for (name, value) in map {
            let place = below(path, name);
            let Some(record) = fields.get(name) else {
                if refuse {
                    self.say(&place, "this field is unknown.");
                }
                continue;
            };
            if !record["in"].as_str().is_some_and(|modes| modes.contains(self.mode)) {
                if refuse {
                    self.say(&place, "this field cannot be written.");
                }
                continue;
            }
            self.field(&place, record, value);
        }
        // An address of a customer is named by its id alone.
        let by_id = fields.contains_key("zipcode") && map.contains_key("id");
        for (name, record) in fields {
            let needed = record["required"] == true && (self.mode == 'c' || !top) && !by_id;
            let writable = record["in"].as_str().is_some_and(|modes| modes.contains(self.mode));
            if needed && writable && map.get(name).is_none_or(|value| value.is_null() || *value == "") {
                self.say(&below(path, name), "this value should not be blank.");
            }
        }
    }

    fn field(&mut self, place: &str, record: &Value, value: &Value) {
        if value.is_null() {
            if record["nullable"] != true {
                self.say(place, "this value should not be null.");
            }
            return;
        }
        let kind = record["type_in"].as_str().or_else(|| record["type"].as_str()).unwrap_or("any");
        let before = self.wrong.len();
        self.value(place, kind, value, false);
        if self.wrong.len() > before {
            return;
        }
        let length = value.as_str().map_or(0, |text| text.chars().count());
        let most = record["max"].as_u64().and_then(|most| usize::try_from(most).ok());
        if let Some(most) = most.filter(|most| length > *most) {
            self.say(place, format!("this value is too long. It should have {most} characters or less."));
        }
        if let Some(list) = record["enum"].as_str()
            && !enumeration(list).contains(value)
        {
            self.say(place, "the value you selected is not a valid choice.");
        }
        if record["pattern"] == "^[A-Z]{2}$"
            && !value
                .as_str()
                .is_some_and(|text| text.len() == 2 && text.chars().all(|letter| letter.is_ascii_uppercase()))
        {
            self.say(place, "this value is not valid.");
        }
        if record["format"] == "email" && !value.as_str().is_some_and(|text| text.contains('@')) {
            self.say(place, "this value is not a valid email address.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(kind: &str, mode: char, body: &Value) -> Vec<String> {
        check_body(kind, mode, body, &Switches::default())
            .into_iter()
            .map(|(path, text)| format!("{path}: {text}"))
            .collect()
    }

    #[test]
    fn bodies_are_held_to_names_types_and_lengths() {
        let good =
            json!({"name": "Mok", "categories": [{"category_id": 1}], "price": {"default": "9.95"}, "stock": null});
        assert_eq!(wrong("Article", 'c', &good), [""; 0]);
        assert_eq!(wrong("Article", 'u', &json!({"stock": 4})), [""; 0]);
        assert_eq!(
            wrong("Article", 'c', &json!({"naam": "x", "url": "y", "stock": "4", "categories": [{}]})),
            [
                "naam: this field is unknown.",
                "url: this field cannot be written.",
                "stock: this value should be of type int.",
                "categories[0].category_id: this value should not be blank.",
                "name: this value should not be blank."
            ]
        );
        assert_eq!(
            wrong("Order", 'u', &json!({"reference": "x".repeat(256)})),
            ["reference: this value is too long. It should have 255 characters or less."]
        );
        assert_eq!(
            wrong("map(string)", 'c', &json!({"barcode": 1})),
            ["barcode: this value should be of type string."]
        );
    }

    #[test]
    fn the_endpoint_with_fewer_names_wins() {
        assert_eq!(endpoint("GET", &["orders", "count"]).unwrap()["query"]["start_date"], "date");
        assert!(exists("PATCH", &["orders", "2001"]));
        assert!(!exists("DELETE", &["orders", "2001"]) && other_verb(&["orders", "2001"]));
        assert_eq!(status("DELETE", &["deleteImage", "1"]), 204);
        assert_eq!(status("POST", &["orders", "1", "payments"]), 201);
    }
}
