//! Writing: the shape of a body, then the rules of its kind; nothing is stored when it is only to be validated.

use serde_json::{Map, Value, json};

use super::contract::{Kind, Resource, Schema, contract};
use super::problem::{Errors, capital, problem};
use super::{Tx, query, rules, values};
use crate::message::{Call, Reply};
use crate::text::{decimal, number, whole};

/// Fields of a row.
pub(super) type Fields = Map<String, Value>;

fn body_of(tx: &Tx<'_>, call: &Call) -> Result<Fields, Reply> {
    let kind = call.header("content-type").unwrap_or_default().to_lowercase();
    if !kind.starts_with("application/json") {
        return Err(problem(415, "Unsupported Media Type", ""));
    }
    match call.json() {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => {
            let mut errors = Errors::default();
            errors
                .add("$", tx.words.pick("De inhoud is geen geldig JSON-object.", "The body is no valid JSON object."));
            Err(errors.reply(400, tx.words))
        }
    }
}

fn validate_only(call: &Call) -> bool {
    let asked = call.pairs().into_iter().find(|(name, _)| name.eq_ignore_ascii_case("validateOnly"));
    asked.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
}

/// `POST /v1/{resource}`.
pub(super) fn post(tx: &mut Tx<'_>, resource: &Resource, call: &Call) -> Result<Reply, Reply> {
    let schema = contract().schema(&resource.schema).ok_or_else(|| Reply::empty(404))?;
    let fields = accept(tx, schema, body_of(tx, call)?)?;
    let fields = rules::complete(tx, resource, fields, None)?;
    if validate_only(call) {
        let shown = query::render(tx, resource, schema, &Value::Object(fields), &[], true);
        return Ok(Reply::json(200, &shown));
    }
    let id = tx.insert(&resource.name, fields);
    rules::stored(tx, resource, &id);
    let row = tx.get(&resource.name, &id).cloned().unwrap_or_default();
    let shown = query::render(tx, resource, schema, &row, &[], true);
    let wrapped = resource.name == "debtors" && tx.switches.debtor_answer == "wrapped";
    let shown = if wrapped { json!({"_data": [shown], "_meta": {"totalCount": 1}}) } else { shown };
    Ok(Reply::json(tx.switches.post_status, &shown))
}

/// `PUT /v1/{resource}/{id}`.
pub(super) fn put(tx: &mut Tx<'_>, resource: &Resource, id: &str, call: &Call) -> Result<Reply, Reply> {
    let schema = contract().schema(&resource.schema).ok_or_else(|| Reply::empty(404))?;
    let before = tx.get(&resource.name, id).cloned().ok_or_else(|| tx.not_found(&capital(&resource.name), id))?;
    let sent = accept(tx, schema, body_of(tx, call)?)?;
    let mut fields = before.as_object().cloned().unwrap_or_default();
    if tx.switches.put_replaces {
        fields.retain(|name, _| schema.prop(name).is_none_or(|prop| prop.read_only));
    }
    fields.extend(sent);
    let fields = rules::complete(tx, resource, fields, Some(&before))?;
    if !validate_only(call) {
        tx.replace(&resource.name, id, fields.clone());
    }
    let shown = query::render(tx, resource, schema, &Value::Object(fields), &[], true);
    Ok(Reply::json(200, &shown))
}

/// The fields of a body, with their types, lengths and names checked.
fn accept(tx: &Tx<'_>, schema: &Schema, body: Fields) -> Result<Fields, Reply> {
    let mut errors = Errors::default();
    let fields = read(tx, schema, body, "", &mut errors);
    if errors.is_empty() { Ok(fields) } else { Err(errors.reply(400, tx.words)) }
}

fn read(tx: &Tx<'_>, schema: &Schema, body: Fields, path: &str, errors: &mut Errors) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in body {
        let place = format!("{path}{}", capital(&name));
        let Some(prop) = schema.prop(&name) else {
            if tx.switches.unknown_fields == "refuse" {
                let told = match tx.words.dutch {
                    true => format!("Het veld '{name}' bestaat niet op {}.", schema.name),
                    false => format!("Could not find member '{name}' on object of type '{}'.", schema.name),
                };
                errors.add(place, told);
            }
            continue;
        };
        if matches!(prop.kind, Kind::Meta) || value.is_null() {
            continue;
        }
        if prop.read_only {
            if tx.switches.read_only_fields == "refuse" {
                errors.add(place, tx.words.pick("Dit veld kan niet worden gewijzigd.", "This field is read-only."));
            }
            continue;
        }
        let wrong = |kind: &str| format!("The JSON value could not be converted to {kind}. Path: $.{path}{name}");
        let accepted = match &prop.kind {
            Kind::Integer => value.is_number().then(|| whole(&value)).flatten().map(|n| json!(n)).ok_or("System.Int32"),
            Kind::Number => value.is_number().then(|| decimal(&value)).flatten().map(number).ok_or("System.Decimal"),
            Kind::Boolean => value.is_boolean().then(|| value.clone()).ok_or("System.Boolean"),
            Kind::Text if prop.is_date() => {
                value.as_str().and_then(values::moment).map(|_| value.clone()).ok_or("System.DateTime")
            }
            Kind::Text => value.is_string().then(|| value.clone()).ok_or("System.String"),
            Kind::Rows(child) => match (value.get("_data").and_then(Value::as_array), contract().schema(child)) {
                (Some(rows), Some(schema)) => Ok(lines(tx, schema, rows, &place, errors)),
                _ => Err("Lines"),
            },
            Kind::Meta => continue,
        };
        match accepted {
            Ok(value) => {
                let most = tx.switches.lengths.get(&prop.name);
                let long = value.as_str().map_or(0, |text| text.chars().count());
                if let Some(most) = most.filter(|most| long > **most) {
                    let told = match tx.words.dutch {
                        true => format!("Mag niet langer zijn dan {most} tekens."),
                        false => format!("The field must be a string with a maximum length of {most}."),
                    };
                    errors.add(place, told);
                }
                fields.insert(prop.name.clone(), value);
            }
            Err(kind) => errors.add(place, wrong(kind)),
        }
    }
    fields
}

fn lines(tx: &Tx<'_>, schema: &Schema, rows: &[Value], place: &str, errors: &mut Errors) -> Value {
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        match row.as_object() {
            Some(row) => {
                let mut line = read(tx, schema, row.clone(), &format!("{place}[{at}]."), errors);
                line.insert("id".into(), json!(at + 1));
                lines.push(Value::Object(line));
            }
            None => errors.add(format!("{place}[{at}]"), "The JSON value could not be converted to a line."),
        }
    }
    Value::Array(lines)
}

/// `POST /v1/salesinvoiceswithlines/{id}/file`: a document as part `File` of a form.
pub(super) fn file(tx: &mut Tx<'_>, resource: &Resource, id: &str, call: &Call) -> Result<Reply, Reply> {
    if tx.get(&resource.name, id).is_none() {
        return Err(tx.not_found(&capital(&resource.name), id));
    }
    let kind = call.header("content-type").unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data").and_then(|rest| rest.split("boundary=").nth(1));
    let Some(boundary) = boundary.map(|text| text.split(';').next().unwrap_or_default().trim().trim_matches('"'))
    else {
        return Err(problem(415, "Unsupported Media Type", ""));
    };
    let body = String::from_utf8_lossy(&call.body).into_owned();
    let part = body.split(&format!("--{boundary}")).find_map(|part| {
        let (head, content) = part.split_once("\r\n\r\n")?;
        (head.contains("name=\"File\"") || head.contains("name=File")).then(|| (head.to_owned(), content.len()))
    });
    let Some((head, length)) = part.filter(|(head, length)| head.contains("filename=") && *length > 2) else {
        let mut errors = Errors::default();
        errors.add("File", tx.words.pick("File is verplicht.", "The File field is required."));
        return Err(errors.reply(400, tx.words));
    };
    let name = head.split("filename=").nth(1).unwrap_or_default().split(['\r', ';']).next().unwrap_or_default();
    let row = json!({"invoiceId": whole(&json!(id)), "name": name.trim_matches('"'), "bytes": length - 2});
    let key = tx.store.next_number("files", 1).to_string();
    let table = tx.table("files");
    tx.store.put(&table, &key, row);
    Ok(Reply::empty(204))
}

/// Inspection: stores rows as they are, without any rule.
pub(super) fn insert_raw(tx: &mut Tx<'_>, resource: &Resource, body: Value) -> Result<Reply, String> {
    let rows = match body {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let schema = contract().schema(&resource.schema).ok_or("no such kind of row")?;
    let mut keys = Vec::new();
    for row in rows {
        let Value::Object(fields) = row else { return Err("a row is an object".into()) };
        if let Some(name) = fields.keys().find(|name| schema.prop(name).is_none()) {
            return Err(format!("{} has no property \"{name}\"", schema.name));
        }
        keys.push(tx.insert(&resource.name, fields));
    }
    Ok(Reply::json(201, &json!({"keys": keys})))
}
