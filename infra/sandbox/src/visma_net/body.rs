//! Bodies: which fields there are, how they are wrapped, what they hold. A field that is absent stays as it is; one
//! with `{"value": null}` is cleared.

use serde_json::{Value, json};

use super::Switches;
use super::contract::{Field, Kind, contract};
use super::errors::{Findings, unreadable};
use super::rows::{Fields, day};
use crate::message::{Call, Reply};
use crate::text::decimal;

/// What a body is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Change,
}

/// Longest texts of v1/v2 as far as the sales order service tells them for the same fields.
fn length(entity: &str, field: &Field) -> Option<usize> {
    field.max.or(match (entity, field.name.as_str()) {
        (_, "addressLine1" | "addressLine2" | "addressLine3" | "city" | "phone1" | "phone2") => Some(50),
        (_, "postalCode") => Some(20),
        ("ContactInfo" | "DocumentContact", "name" | "attention" | "email") => Some(255),
        ("Customer", "name") => Some(255),
        (_, "referenceNumber" | "batchNumber") => Some(15),
        (_, "customerRefNumber" | "externalReference" | "paymentReference" | "paymentRef") => Some(40),
        (_, "description" | "transactionDescription") => Some(255),
        (_, "note") => Some(2048),
        ("Customer", "number") | ("Inventory", "inventoryNumber") => Some(30),
        _ => None,
    })
}

/// Reads a body of v1/v2 into plain fields.
pub(super) fn read(switches: &Switches, entity: &str, call: &Call, verb: Verb) -> Result<Fields, Reply> {
    let body: Value = call.json().map_err(|_| unreadable("The body is not valid JSON."))?;
    fields(switches, entity, &body, verb, "")
}

fn fields(switches: &Switches, entity: &str, body: &Value, verb: Verb, path: &str) -> Result<Fields, Reply> {
    let object = body.as_object().ok_or_else(|| unreadable(&format!("An object is expected at '{path}'.")))?;
    let known = contract().entity(entity);
    let mut read = Fields::new();
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let field = known.field(name).filter(|field| match verb {
            Verb::Create => field.create,
            Verb::Change => field.update,
        });
        let Some(field) = field else {
            if switches.unknown_fields == "error" {
                return Err(unreadable(&format!(
                    "Could not find member '{path}' on object of type '{entity}UpdateDto'."
                )));
            }
            continue;
        };
        let inside = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("value"));
        let plain = match (field.wrap, inside) {
            (true, Some(inside)) => inside,
            (false, None) if value.is_null() => continue, // as if it were not there
            (false, None) => value,
            (wrap, _) => {
                if switches.wrong_wrapper == "error" {
                    let word = if wrap { "needs its value in {\"value\": …}" } else { "is not wrapped" };
                    return Err(unreadable(&format!("Error converting value at '{path}': {name} {word}.")));
                }
                continue;
            }
        };
        read.insert(name.clone(), one(switches, entity, field, plain, verb, &path)?);
    }
    for field in known.fields.iter().filter(|field| verb == Verb::Create && field.required && path.is_empty()) {
        if !super::rows::filled(&read, &field.name) {
            // What the application fills in by itself is asked for by the rules, not here.
            if !["applicationPeriod", "cashAccount", "location"].contains(&field.name.as_str()) {
                return Err(switches.missing(&field.name));
            }
        }
    }
    Ok(read)
}

fn one(
    switches: &Switches,
    entity: &str,
    field: &Field,
    value: &Value,
    verb: Verb,
    path: &str,
) -> Result<Value, Reply> {
    let wrong =
        |what: &str| Err(unreadable(&format!("Error converting value {value} at '{path}': {what} is expected.")));
    if value.is_null() {
        return Ok(Value::Null);
    }
    match &field.kind {
        Kind::Any => Ok(value.clone()),
        Kind::Bool if value.is_boolean() => Ok(value.clone()),
        Kind::Bool => wrong("true or false"),
        Kind::Whole if value.is_i64() => Ok(value.clone()),
        Kind::Whole => wrong("a whole number"),
        Kind::Number if value.is_number() && decimal(value).is_some() => Ok(value.clone()),
        Kind::Number => wrong("a number"),
        Kind::Date => match value.as_str() {
            Some("") => Ok(Value::Null),
            Some(text) => day(text).map_or_else(|| wrong("a date"), |day| Ok(json!(day))),
            None => wrong("a date"),
        },
        Kind::Entity(inner) => Ok(Value::Object(fields(switches, inner, value, verb, path)?)),
        Kind::List(inner) => {
            let Some(rows) = value.as_array() else { return wrong("a list") };
            if contract().entity(inner).fields.is_empty() {
                return Ok(value.clone());
            }
            let rows = rows.iter().enumerate();
            let read =
                rows.map(|(at, row)| fields(switches, inner, row, verb, &format!("{path}[{at}]")).map(Value::Object));
            Ok(Value::Array(read.collect::<Result<_, _>>()?))
        }
        Kind::Text => {
            let Some(text) = value.as_str() else { return wrong("a text") };
            if let Some(list) = field.values.as_deref() {
                let allowed = contract().values(list);
                if !text.is_empty() && !allowed.iter().any(|one| one == text) {
                    return Err(unreadable(&format!(
                        "Error converting value \"{text}\" at '{path}': it is none of {}.",
                        allowed.join(", ")
                    )));
                }
            }
            let max = length(entity, field).filter(|_| switches.v1_lengths);
            if let Some(max) = max.filter(|max| text.chars().count() > *max) {
                return Err(switches.failed(&format!("'{path}' is too long: it may have {max} characters.")));
            }
            Ok(value.clone())
        }
    }
}

/// Reads a body of v3: plain values; everything that is wrong is gathered.
pub(super) fn read_v3(
    switches: &Switches,
    entity: &str,
    body: &Value,
    verb: Verb,
    path: &str,
    findings: &mut Findings,
) -> Fields {
    let mut read = Fields::new();
    let Some(object) = body.as_object() else {
        findings.unreadable(path, "An object is expected.");
        return read;
    };
    let known = contract().entity(entity);
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let field = known.field(name).filter(|field| match verb {
            Verb::Create => field.create,
            Verb::Change => field.update,
        });
        let Some(field) = field else {
            if switches.v3_unknown_fields == "error" {
                findings.unreadable(&path, "This member is not known.");
            }
            continue;
        };
        if value.is_null() {
            read.insert(name.clone(), Value::Null);
            continue;
        }
        let ok = match &field.kind {
            Kind::Any => Some(value.clone()),
            Kind::Bool => value.is_boolean().then(|| value.clone()),
            Kind::Whole => value.is_i64().then(|| value.clone()),
            Kind::Number => value.is_number().then(|| value.clone()),
            Kind::Date => value.as_str().and_then(v3_moment).map(|at| json!(at)),
            Kind::Entity(inner) => Some(Value::Object(read_v3(switches, inner, value, verb, &path, findings))),
            Kind::List(inner) => value.as_array().map(|rows| {
                let rows = rows.iter().enumerate();
                rows.map(|(at, row)| {
                    Value::Object(read_v3(switches, inner, row, verb, &format!("{path}[{at}]"), findings))
                })
                .collect()
            }),
            Kind::Text => value.as_str().map(|text| {
                if let Some(max) = field.max.filter(|max| text.chars().count() > *max) {
                    findings.add("0002-InvalidLength", &path, &format!("At most {max} characters are allowed."));
                }
                let list = match (name.as_str(), verb) {
                    ("status", Verb::Change) => Some("So3OrderStatusPatch"),
                    ("rule", _) => Some("So3ShippingRule"),
                    _ => field.values.as_deref(),
                };
                if list.is_some_and(|list| !text.is_empty() && !contract().values(list).iter().any(|one| one == text)) {
                    findings.add("0003-InvalidValue", &path, &format!("'{text}' is not one of the values it takes."));
                }
                if name == "email" && !text.is_empty() && !is_email(text) {
                    findings.add("0003-InvalidValue", &path, "It is not an e-mail address.");
                }
                value.clone()
            }),
        };
        match ok {
            Some(value) => {
                read.insert(name.clone(), value);
            }
            None => findings.unreadable(&path, "The value could not be converted."),
        }
    }
    read
}

/// A moment of v3 in UTC; without an offset it is UTC already.
fn v3_moment(text: &str) -> Option<String> {
    if let Ok(at) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&chrono::Utc).format("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    super::query::moment(text).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    !name.is_empty()
        && host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && !text.contains(' ')
        && !host.contains('@')
}

/// Lays the fields of a change over what was sent before; objects are merged, lists of lines go by their operation.
pub(super) fn merge(before: &Fields, sent: Fields) -> Fields {
    let mut after = before.clone();
    for (name, value) in sent {
        let value = match (after.get(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(merge(old, new)),
            (_, value) => value,
        };
        after.insert(name, value);
    }
    after
}

/// Lines after a change: `Insert` adds, `Update` and `Delete` name the line by its number.
pub(super) fn merge_lines(
    switches: &Switches,
    before: &[Value],
    sent: &[Value],
    number: &str,
) -> Result<Vec<Value>, Reply> {
    let mut lines = before.to_vec();
    let mut next = lines.iter().filter_map(|line| line[number].as_i64()).max().unwrap_or(0);
    for line in sent {
        let mut fields = line.as_object().cloned().unwrap_or_default();
        let operation = fields.remove("operation").and_then(|word| word.as_str().map(str::to_owned));
        let own = fields.get(number).and_then(Value::as_i64);
        let place = own.and_then(|own| lines.iter().position(|line| line[number] == own));
        match (operation.as_deref().unwrap_or("Insert"), place) {
            ("Insert", _) => {
                next += 1;
                fields.insert(number.into(), json!(next));
                lines.push(Value::Object(fields));
            }
            ("Update", Some(at)) => {
                let old = lines[at].as_object().cloned().unwrap_or_default();
                lines[at] = Value::Object(merge(&old, fields));
            }
            ("Delete", Some(at)) => {
                lines.remove(at);
            }
            _ => return Err(switches.invalid(&format!("There is no line with {number} '{}'.", own.unwrap_or(0)))),
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(entity: &str, body: Value) -> Result<Fields, u16> {
        fields(&Switches::default(), entity, &body, Verb::Create, "").map_err(|reply| reply.status)
    }

    #[test]
    fn wrappers_are_held_to_at_every_level() {
        let good = json!({"name": {"value": "X"}, "overrideWithClassValues": true,
            "mainAddress": {"value": {"city": {"value": "Utrecht"}}}, "note": {"value": null}});
        let read = sent("Customer", good).unwrap();
        assert_eq!((&read["mainAddress"]["city"], &read["note"]), (&json!("Utrecht"), &Value::Null));
        for bad in [
            json!({"name": "X"}),
            json!({"overrideWithClassValues": {"value": true}}),
            json!({"mainAddress": {"city": {"value": "Utrecht"}}}),
            json!({"mainAddress": {"value": {"city": "Utrecht"}}}),
            json!({"attributeLines": {"value": []}}),
            json!({"nmae": {"value": "X"}}),
            json!({"priceClass": {"value": "DEALER"}}),
            json!({"status": {"value": "active"}}),
            json!({"creditLimit": {"value": "10"}}),
        ] {
            assert_eq!(sent("Customer", bad.clone()), Err(400), "{bad}");
        }
        let long = json!({"mainAddress": {"value": {"city": {"value": "x".repeat(51)}}}});
        assert_eq!(sent("Customer", long), Err(500));
        let loose = Switches { wrong_wrapper: "ignore".into(), unknown_fields: "ignore".into(), ..Switches::default() };
        let body = json!({"name": "X", "nmae": 1, "corporateId": {"value": "1"}});
        let read = fields(&loose, "Customer", &body, Verb::Create, "").unwrap();
        assert_eq!(read.len(), 1);
    }

    #[test]
    fn lines_go_by_their_operation() {
        let before = [json!({"lineNumber": 1, "quantity": 1}), json!({"lineNumber": 2, "quantity": 2})];
        let sent = [
            json!({"operation": "Update", "lineNumber": 2, "quantity": 5}),
            json!({"operation": "Delete", "lineNumber": 1}),
            json!({"quantity": 9}),
        ];
        let after = merge_lines(&Switches::default(), &before, &sent, "lineNumber").unwrap();
        assert_eq!(after, [json!({"lineNumber": 2, "quantity": 5}), json!({"lineNumber": 3, "quantity": 9})]);
        let gone = [json!({"operation": "Delete", "lineNumber": 7})];
        assert!(merge_lines(&Switches::default(), &before, &gone, "lineNumber").is_err());
    }
}
