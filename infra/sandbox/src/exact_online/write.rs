//! Writing: what every resource has in common. The rules of single resources are in `rules/`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::errors::stream;
use super::metadata::{Edm, Entity};
use super::query::{Shape, render};
use super::values::accept;
use super::{Tx, USER, children, rules, sync};
use crate::message::{Call, Reply};
use crate::text::text;

/// Fields of a row.
pub(super) type Fields = Map<String, Value>;

/// What was sent: fields, and the lists below.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub fields: Fields,
    pub lists: Vec<(String, Vec<Fields>)>,
}

impl Sent {
    /// A list below, empty when it was not sent.
    pub fn list(&mut self, name: &str) -> Vec<Fields> {
        let at = self.lists.iter().position(|(known, _)| known == name);
        at.map(|at| self.lists.remove(at).1).unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Post,
    Put,
}

fn top_level() -> Reply {
    stream("The request should be a valid top-level resource object.")
}

/// `POST`.
pub(super) fn post(tx: &mut Tx<'_>, entity: &Entity, call: &Call) -> Result<Reply, Reply> {
    let body = call.json().map_err(|_| top_level())?;
    let mut sent = read(tx, entity, &body, Verb::Post)?;
    check_lengths(tx, entity, &sent.fields)?;
    check_mandatory(tx, entity, &sent)?;
    // The key of an action is its argument; the key of a row is the system's to choose.
    let action = entity.methods == ["POST"];
    if !tx.switches.honour_client_guid && !action {
        sent.fields.remove(&entity.key);
    }
    let key = rules::create(tx, entity, sent)?;
    let row = tx.get(&entity.table, &key).cloned().unwrap_or_else(|| json!({entity.key.as_str(): key}));
    let asked = call.header("prefer").is_some_and(|prefer| prefer.contains("return=representation"));
    let document = [
        "SalesOrders",
        "SalesInvoices",
        "SalesEntries",
        "GeneralJournalEntries",
        "Documents",
        "CompleteSalesOrder",
        "PrintedSalesInvoices",
    ]
    .contains(&entity.name.as_str());
    let shown = if asked || document && tx.switches.documents_return_full {
        row
    } else {
        json!({entity.key.as_str(): key}) // everything else comes back empty
    };
    let mut shown = render(tx, entity, &shown, &Shape::default());
    if action && let Some(row) = tx.get(&entity.table, &key) {
        // Actions have no readable fields; what they report is in the row.
        for (name, value) in row.as_object().into_iter().flatten() {
            shown[name] = value.clone();
        }
    }
    Ok(Reply::json(tx.switches.post_status, &json!({"d": shown})))
}

/// `PUT`: only the sent fields change.
pub(super) fn put(tx: &mut Tx<'_>, entity: &Entity, key: &str, call: &Call) -> Result<Reply, Reply> {
    let row = tx.get(&entity.table, key).and_then(Value::as_object).cloned().ok_or_else(|| Reply::empty(404))?;
    let body = call.json().map_err(|_| top_level())?;
    let mut sent = read(tx, entity, &body, Verb::Put)?;
    sent.fields.remove(&entity.key);
    check_lengths(tx, entity, &sent.fields)?;
    rules::change(tx, entity, key, row, sent.fields)?;
    Ok(Reply::empty(204))
}

/// `DELETE`, with everything below.
pub(super) fn delete(tx: &mut Tx<'_>, entity: &Entity, key: &str) -> Result<Reply, Reply> {
    let row = tx.get(&entity.table, key).cloned().ok_or_else(|| Reply::empty(404))?;
    rules::before_delete(tx, entity, &row)?;
    for list in super::CHILDREN.iter().filter(|list| list.parent == entity.table) {
        for child in tx.children_of(list, key) {
            tx.remove(list.child, text(&child, "ID"));
        }
    }
    tx.remove(&entity.table, key);
    rules::after_delete(tx, entity, &row);
    Ok(Reply::empty(204))
}

/// Reads a body: unknown names and wrong types are refused, read-only fields fall away.
fn read(tx: &Tx<'_>, entity: &Entity, body: &Value, verb: Verb) -> Result<Sent, Reply> {
    let mut sent = Sent::default();
    for (name, value) in body.as_object().ok_or_else(top_level)? {
        if name == "__metadata" {
            continue;
        }
        let Some(prop) = entity.prop(name) else {
            return Err(stream(&format!(
                "The property name '{name}' specified for type '{}' is not valid.",
                entity.type_name()
            )));
        };
        let (here, elsewhere) = match verb {
            Verb::Post => (prop.post, prop.put),
            Verb::Put => (prop.put, prop.post),
        };
        if !here {
            if verb == Verb::Put && elsewhere && tx.switches.put_post_only == "error" {
                return Err(tx.words().invalid(name));
            }
            continue;
        }
        if prop.kind != Edm::Collection {
            sent.fields.insert(name.clone(), accept(prop, value)?);
            continue;
        }
        let child = children(&entity.table, name).and_then(super::Children::entity);
        let rows = value.as_array().ok_or_else(top_level)?;
        if verb == Verb::Put {
            continue; // lines have an address of their own
        }
        let mut list = Vec::new();
        for row in rows {
            let fields = match child {
                Some(child) => read(tx, child, row, verb)?.fields,
                None => row.as_object().cloned().ok_or_else(top_level)?,
            };
            if let Some(child) = child {
                check_lengths(tx, child, &fields)?;
            }
            list.push(fields);
        }
        sent.lists.push((name.clone(), list));
    }
    Ok(sent)
}

/// Texts that do not fit are refused, never cut.
fn check_lengths(tx: &Tx<'_>, entity: &Entity, fields: &Fields) -> Result<(), Reply> {
    const TEXTS: &[&str] = &[
        "SalesOrders",
        "SalesOrderLines",
        "SalesInvoices",
        "SalesInvoiceLines",
        "SalesEntries",
        "SalesEntryLines",
        "GeneralJournalEntryLines",
    ];
    for (name, value) in fields {
        let document = TEXTS.contains(&entity.name.as_str());
        let max = match name.as_str() {
            "YourRef" => tx.switches.your_ref_max,
            "Description" if document => tx.switches.description_max,
            _ => entity.prop(name).and_then(|prop| prop.max),
        };
        let length = value.as_str().map_or(0, |text| text.chars().count());
        if max.is_some_and(|max| length > max) {
            let max = max.unwrap_or_default();
            return Err(tx.words().invalid_because(
                name,
                &format!("maximale lengte is {max}"),
                &format!("maximum length is {max}"),
            ));
        }
    }
    Ok(())
}

fn check_mandatory(tx: &Tx<'_>, entity: &Entity, sent: &Sent) -> Result<(), Reply> {
    for prop in entity.props.iter().filter(|prop| prop.mandatory) {
        // One of both names will do for a contact.
        let excused = match (entity.name.as_str(), prop.name.as_str()) {
            ("Contacts", "FirstName" | "LastName") => {
                ["FirstName", "LastName"].iter().any(|name| filled(&sent.fields, name))
            }
            _ => false,
        };
        let there = if prop.kind == Edm::Collection {
            sent.lists.iter().any(|(name, rows)| *name == prop.name && !rows.is_empty())
        } else {
            filled(&sent.fields, &prop.name)
        };
        if !there && !excused {
            return Err(tx.words().mandatory(&prop.name));
        }
    }
    Ok(())
}

/// True when a field is there and holds something.
pub(super) fn filled(fields: &Fields, name: &str) -> bool {
    match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(_) => true,
    }
}

/// Text of a field, "" when it is not there.
pub(super) fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Sets a field that is not filled yet.
pub(super) fn default(fields: &mut Fields, name: &str, value: impl Into<Value>) {
    if !filled(fields, name) {
        fields.insert(name.into(), value.into());
    }
}

impl Tx<'_> {
    /// Stores a row: stamps it and gives it the next row version.
    pub(super) fn put(&mut self, path: &str, key: &str, mut fields: Fields) {
        let stamp = self.store.next_number("timestamp", 1000);
        let now = self.local();
        for (name, value) in [("Creator", USER), ("CreatorFullName", "Koppel Sandbox")] {
            default(&mut fields, name, value);
        }
        default(&mut fields, "Created", now.clone());
        for (name, value) in [("Modified", now.as_str()), ("Modifier", USER), ("ModifierFullName", "Koppel Sandbox")] {
            fields.insert(name.into(), json!(value));
        }
        fields.insert("Division".into(), json!(self.division.parse::<i64>().unwrap_or_default()));
        fields.insert("Timestamp".into(), json!(stamp));
        let table = self.table(path);
        self.store.put(&table, key, Value::Object(fields));
    }

    /// Takes a row away and tells the feed of deletions.
    pub(super) fn remove(&mut self, path: &str, key: &str) {
        let table = self.table(path);
        if self.store.delete(&table, key).is_some() {
            sync::deleted(self, path, key);
        }
    }

    /// The key for a new row: a fresh one, or the client's own where that is honoured.
    pub(super) fn new_key(&self, entity_path: &str, key_name: &str, fields: &Fields) -> Result<String, Reply> {
        let own = field(fields, key_name);
        if own.is_empty() {
            return Ok(Uuid::new_v4().to_string());
        }
        if self.get(entity_path, own).is_some() {
            return Err(self.words().exists());
        }
        Ok(own.into())
    }
}

/// Inspection: stores rows as they are, without any rule.
pub(super) fn insert_raw(tx: &mut Tx<'_>, entity: &Entity, body: Value) -> Result<Reply, String> {
    let rows = match body {
        Value::Array(rows) => rows,
        row => vec![row],
    };
    let mut keys = Vec::new();
    for row in rows {
        let Value::Object(mut fields) = row else { return Err("a row is an object".into()) };
        if let Some(name) = fields.keys().find(|name| entity.prop(name).is_none()) {
            return Err(format!("{} has no property \"{name}\"", entity.path));
        }
        let key = match fields.get(&entity.key) {
            Some(Value::String(key)) => key.to_lowercase(),
            Some(key) => key.to_string(),
            None => Uuid::new_v4().to_string(),
        };
        fields.insert(entity.key.clone(), json!(key));
        tx.put(&entity.table, &key, fields);
        keys.push(key);
    }
    Ok(Reply::json(201, &json!({"keys": keys})))
}
