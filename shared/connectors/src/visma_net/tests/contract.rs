//! Holds every call to the contract of the API: the path and the query are known, fields of a body exist, have the wrapper
//! that they need and none where they need none, and keep their length. The server of these tests asks for each call.

use std::sync::LazyLock;

use koppel_mapping::FieldCatalogue;
use serde_json::{Map, Value};

use crate::http::testing::server::Seen;
use crate::visma_net::FACTS;

/// Paths, queries, fields and wrappers of what is called.
static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/contract.json")).unwrap());

/// What a call does that the contract does not allow.
pub fn breaches(seen: &Seen) -> Vec<String> {
    let Some((name, about)) = endpoint(seen) else {
        return vec![format!("{} {} is not there", seen.method, seen.path)];
    };
    let mut found = Vec::new();
    for (given, _) in &seen.query {
        let known = about["query"].as_array().into_iter().flatten().any(|known| known == given.as_str());
        // The name of a picture is ours; the service does not look at it.
        if !known && !name.contains("attachment") {
            found.push(format!("{name}: no query {given}"));
        }
    }
    for pair in about["query"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(moment) = pair.strip_suffix("Condition")
            && seen.query(pair).is_some() != seen.query(moment).is_some()
        {
            found.push(format!("{name}: {moment} and its condition go together"));
        }
    }
    for (given, value) in &seen.query {
        if given.ends_with("DateTime") && value.contains('Z') {
            found.push(format!("{name}: {given} takes no letter behind its moment"));
        }
    }
    if !seen.header("authorization").is_some_and(|header| header.starts_with("Bearer ")) {
        found.push(format!("{name}: no token"));
    }
    if name.starts_with("PATCH") && seen.header("if-match").is_none() {
        found.push(format!("{name}: no If-Match"));
    }
    match (about.get("body").and_then(Value::as_object), seen.body.is_empty()) {
        (Some(fields), false) => match serde_json::from_str::<Value>(&seen.body) {
            Ok(Value::Object(body)) => check(&body, fields, &name, seen.method == "POST", &mut found),
            _ => found.push(format!("{name}: the body is no group")),
        },
        (Some(_), true) => found.push(format!("{name}: no body")),
        (None, false) => found.push(format!("{name} takes no body")),
        (None, true) => {}
    }
    found
}

/// The endpoint of a call, by its path without keys.
fn endpoint(seen: &Seen) -> Option<(String, &'static Value)> {
    let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
    let fits = |name: &str| {
        let Some((method, path)) = name.split_once(' ') else { return false };
        let known: Vec<&str> = path.trim_matches('/').split('/').collect();
        method == seen.method
            && known.len() == parts.len()
            && known.iter().zip(&parts).all(|(known, part)| known.starts_with('{') || known == part)
    };
    // A path without keys is meant before one with them.
    let all = CONTRACT.as_object().unwrap().iter().filter(|(name, _)| fits(name));
    all.min_by_key(|(name, _)| name.matches('{').count()).map(|(name, about)| (name.clone(), about))
}

fn check(body: &Map<String, Value>, fields: &Map<String, Value>, at: &str, creates: bool, found: &mut Vec<String>) {
    for (name, value) in body {
        let at = format!("{at} {name}");
        let Some(field) = fields.get(name) else {
            found.push(format!("{at} is no field"));
            continue;
        };
        let wrapped = field["wrap"] == true;
        let inner = match value {
            Value::Object(group) if wrapped && group.len() == 1 && group.contains_key("value") => &group["value"],
            _ if wrapped => {
                found.push(format!("{at} has no wrapper"));
                continue;
            }
            Value::Object(group) if group.contains_key("value") && group.len() == 1 && field.get("open").is_none() => {
                found.push(format!("{at} has a wrapper"));
                continue;
            }
            plain => plain,
        };
        if inner.is_null() || inner.as_str() == Some("") {
            found.push(format!("{at} is empty, and would clear what is there"));
        }
        let length = inner.as_str().map_or(0, |text| text.chars().count() as u64);
        if field["max"].as_u64().is_some_and(|max| length > max) {
            found.push(format!("{at} is too long"));
        }
        let Some(inner_fields) = field.get("fields").and_then(Value::as_object) else { continue };
        match (inner, field["list"] == true) {
            (Value::Array(items), true) => {
                for item in items {
                    match item.as_object() {
                        Some(item) => check(item, inner_fields, &at, creates, found),
                        None => found.push(format!("{at} has an element that is no group")),
                    }
                }
            }
            (Value::Object(group), false) => check(group, inner_fields, &at, creates, found),
            _ => found.push(format!("{at} has another shape")),
        }
    }
    for (name, _) in
        fields.iter().filter(|(name, field)| creates && field["required"] == true && !body.contains_key(*name))
    {
        found.push(format!("{at} {name} is missing"));
    }
}

/// A section of the field catalogue.
pub fn section(name: &str) -> FieldCatalogue {
    let sections: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    FieldCatalogue::parse("fields.yaml", &sections[name].to_string()).unwrap()
}

/// The check itself finds what it is for.
#[test]
fn a_wrong_body_does_not_pass() {
    let seen = |method: &str, path: &str, body: &str| Seen {
        method: method.into(),
        path: path.into(),
        query: vec![("emial".into(), "x".into())],
        headers: vec![("authorization".into(), "Bearer x".into())],
        body: body.into(),
    };
    let customer =
        seen("POST", "/v1/customer", r#"{"name":"x","overrideWithClassValues":{"value":true},"nmae":{"value":1}}"#);
    let found = breaches(&customer).join("\n");
    for wanted in ["no query emial", "name has no wrapper", "overrideWithClassValues has a wrapper", "nmae is no field"]
    {
        assert!(found.contains(wanted), "{wanted}: {found}");
    }
    let order = breaches(&seen("PATCH", "/api/v3/SalesOrders/SO/1", r#"{"currencyId":"123456"}"#)).join("\n");
    assert!(order.contains("no If-Match") && order.contains("too long"), "{order}");
    assert!(breaches(&seen("GET", "/v1/salesorder", "")).join("").contains("is not there"));
}
