//! Stand-in of Asperion: identity server and REST API of one user with two administrations, as far as the API is
//! known, driven by the contract in `data/`. What nobody outside has seen yet is a switch.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::inspect;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::state::Store;
use crate::{SandboxError, lock};

mod catalogue;
mod contract;
mod limits;
pub mod oauth;
mod problem;
mod query;
mod rules;
mod seeds;
mod switches;
mod values;
mod write;

pub use oauth::{CLIENT_ID, CLIENT_SECRET, REDIRECT_URI};
pub use switches::Switches;

use contract::{Operation, Resource, contract};
use problem::{Words, problem};
use write::Fields;

/// The administration with data.
pub const ADMINISTRATION: &str = "4711";
/// The one a request without `X-Tenant-Id` lands in: it is empty.
pub const DEFAULT_ADMINISTRATION: &str = "1000";
/// One that exists but that the user may not enter.
pub const FOREIGN_ADMINISTRATION: &str = "9999";

/// Fields with an index.
const INDEXED: &[&str] = &["code", "customerNumber"];

struct Inner {
    store: Store,
    switches: Switches,
    limits: limits::Limits,
}

/// The stand-in.
pub struct Asperion {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "asperion", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store, &Switches::default(), start.clock.now());
        store.commit().map_err(|source| SandboxError::state("asperion.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let books = Asperion {
        inner: Mutex::new(Inner { store, switches: stored.unwrap_or_default(), limits: Default::default() }),
        clock: start.clock,
        site: start.url.into(),
    };
    if let Some(values) = start.switches {
        books.set_switches(values).map_err(|error| SandboxError::Settings(format!("asperion: {error}")))?;
    }
    Ok(Arc::new(books))
}

/// One request at work.
struct Tx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    site: &'a str,
    administration: String,
    now: DateTime<Utc>,
    words: Words,
}

impl Tx<'_> {
    fn table(&self, name: &str) -> String {
        if name == "administrations" { name.into() } else { format!("{}/{name}", self.administration) }
    }

    fn get(&self, table: &str, id: &str) -> Option<&Value> {
        self.store.get(&self.table(table), id)
    }

    /// Rows of a kind; administrations that are closed to the user are not among them.
    fn rows(&self, table: &str) -> Vec<&Value> {
        let table = self.table(table);
        let closed = |row: &&Value| row.get("_open").is_some_and(|open| open == false);
        self.store.rows(&table).filter(|row| !closed(row)).collect()
    }

    fn administration_name(&self) -> Value {
        self.store.get("administrations", &self.administration).map(|row| row["name"].clone()).unwrap_or_default()
    }

    /// Stores a new row; it gets a number unless it has one. Its key.
    fn insert(&mut self, table: &str, mut fields: Fields) -> String {
        let own = fields.get("id").filter(|id| !id.is_null()).cloned();
        let sequence = format!("{}/{table}", self.administration);
        let id = own.unwrap_or_else(|| json!(self.store.next_number(&sequence, 1001)));
        let key = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        fields.insert("id".into(), id);
        let table = self.table(table);
        self.store.put(&table, &key, Value::Object(fields));
        key
    }

    fn replace(&mut self, table: &str, id: &str, fields: Fields) {
        let table = self.table(table);
        self.store.put(&table, id, Value::Object(fields));
    }

    fn not_found(&self, kind: &str, id: &str) -> Reply {
        let detail = match self.words.dutch {
            true => format!("{kind} {id} bestaat niet."),
            false => format!("{kind} {id} does not exist."),
        };
        problem(404, self.words.pick("Niet gevonden.", "Not Found"), &detail)
    }
}

impl Asperion {
    fn tx<'a>(&'a self, store: &'a mut Store, switches: &'a Switches, words: Words) -> Tx<'a> {
        Tx { store, switches, site: &self.site, administration: ADMINISTRATION.into(), now: self.clock.now(), words }
    }

    fn api(&self, inner: &mut Inner, call: &Call, now: DateTime<Utc>) -> Reply {
        let words = Words::of(call);
        if let Err(reply) = oauth::check(&inner.store, &inner.switches, call, now) {
            return reply;
        }
        let administration = match administration(&inner.store, call, words) {
            Ok(administration) => administration,
            Err(reply) => return reply,
        };
        if let Err(reply) = inner.limits.admit(&inner.switches, &administration, now) {
            return reply;
        }
        let mut tx = Tx { administration, ..self.tx(&mut inner.store, &inner.switches, words) };
        match route(&mut tx, call) {
            Ok(reply) => {
                if call.pairs().iter().any(|(name, value)| name.eq_ignore_ascii_case("validateOnly") && value == "true")
                {
                    // Numbers that were given out for it are not used either.
                    inner.store.rollback();
                }
                reply
            }
            Err(reply) => {
                inner.store.rollback();
                reply
            }
        }
    }
}

/// The administration a request is about.
fn administration(store: &Store, call: &Call, words: Words) -> Result<String, Reply> {
    let Some(asked) = call.header("x-tenant-id") else { return Ok(DEFAULT_ADMINISTRATION.into()) };
    let number = asked.trim().parse::<i64>().map_err(|_| {
        let detail = words.pick("X-Tenant-Id is geen nummer.", "X-Tenant-Id is no number.");
        problem(400, "Bad Request", detail)
    })?;
    let row = store.get("administrations", &number.to_string());
    if row.is_none_or(|row| row["_open"] == false) {
        let detail =
            words.pick("U heeft geen toegang tot deze administratie.", "You have no access to this administration.");
        return Err(problem(403, "Forbidden", detail));
    }
    Ok(number.to_string())
}

/// The resource of a path. That of sales orders has a spelling of its own.
fn resource_of(switches: &Switches, name: &str) -> Option<&'static Resource> {
    const ORDERS: &str = "salesorderswithlines";
    if name.eq_ignore_ascii_case(&switches.sales_orders_path) {
        return contract().resource(ORDERS);
    }
    contract().resource(name).filter(|resource| resource.name != ORDERS)
}

fn route(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let not_found = || problem(404, "Not Found", "");
    let segments = call.segments();
    let rest: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let (name, rest) = rest.split_first().ok_or_else(not_found)?;
    let resource = resource_of(tx.switches, name).ok_or_else(not_found)?;
    let open = |operation: &'static Option<Operation>| -> Result<&'static Operation, Reply> {
        let operation = operation.as_ref().ok_or_else(|| problem(405, "Method Not Allowed", ""))?;
        if tx.switches.tiers.contains(&operation.tier) {
            return Ok(operation);
        }
        let detail = "This part of the API is assumed; the switch tiers turns it on.";
        Err(problem(501, "Not Implemented", detail))
    };
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let operation = open(&resource.list)?;
            query::list(tx, resource, operation, call)
        }
        ("GET", [id]) => {
            open(&resource.one)?;
            query::one(tx, resource, id)
        }
        ("POST", []) => {
            open(&resource.post)?;
            write::post(tx, resource, call)
        }
        ("PUT", [id]) => {
            open(&resource.put)?;
            write::put(tx, resource, id, call)
        }
        ("POST", [id, "file"]) => {
            open(&resource.file)?;
            write::file(tx, resource, id, call)
        }
        (_, [] | [_]) => Err(problem(405, "Method Not Allowed", "")),
        _ => Err(not_found()),
    }
}

impl System for Asperion {
    fn endpoint(&self, call: &Call) -> String {
        let segments = call.segments();
        match segments.as_slice() {
            [v1, name, rest @ ..] if v1 == "v1" => {
                let name = name.to_lowercase();
                if rest.len() == 2 { format!("{name}/{}", rest[1]) } else { name }
            }
            other => other.join("/"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let reply = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/connect/authorize") => oauth::authorize(&mut inner.store, &inner.switches, call, now),
            ("POST", "/connect/token") => oauth::token(&mut inner.store, &inner.switches, call, now),
            (_, path) if path.starts_with("/v1/") => self.api(inner, call, now),
            _ => Reply::empty(404),
        };
        match inner.store.commit() {
            Ok(()) => reply,
            Err(error) => {
                tracing::error!(%error, "the state could not be stored");
                Reply::typed(500, "text/plain", format!("sandbox: the state could not be stored: {error}"))
            }
        }
    }

    fn inspect(&self, call: &Call, path: &[&str]) -> Option<Reply> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let Inner { store, switches, limits } = inner;
        let mut tx = self.tx(store, switches, Words { dutch: true });
        let reply = match (call.method.as_str(), path) {
            ("POST", ["authorise"]) => Reply::json(200, &oauth::issue(tx.store, switches, "offline_access", now)),
            ("POST", ["limits", "reset"]) => {
                limits.clear();
                Reply::empty(204)
            }
            ("POST", ["limits", "spend"]) => inspect::with_body(call, |body| {
                let calls = body.get("calls").and_then(Value::as_i64).ok_or("limits: calls (a number) is missing")?;
                limits.spend(ADMINISTRATION, calls, now);
                Ok(Reply::empty(204))
            }),
            ("POST", ["rows", name]) => inspect::with_body(call, |body| {
                let resource = contract().resource(name).ok_or_else(|| format!("no resource \"{name}\""))?;
                write::insert_raw(&mut tx, resource, body)
            }),
            ("DELETE", ["rows", name, id]) => {
                let table = tx.table(name);
                Reply::empty(if tx.store.delete(&table, id).is_some() { 204 } else { 404 })
            }
            ("POST", ["stock"]) => inspect::with_body(call, |body| catalogue::stock(&mut tx, body)),
            ("POST", ["book", id]) => inspect::with_body(call, |_| catalogue::book(&mut tx, id)),
            ("POST", ["generate"]) => inspect::with_body(call, |body| catalogue::generate(&mut tx, &body)),
            ("POST", ["catalogue"]) => catalogue::seeds(&mut tx),
            _ => return None,
        };
        match inner.store.commit() {
            Ok(()) => Some(reply),
            Err(error) => Some(inspect::problem(500, &error.to_string())),
        }
    }

    fn tables(&self) -> Vec<String> {
        lock(&self.inner).store.tables()
    }

    /// By full name, or by the name below the administration with data.
    fn table(&self, name: &str) -> Option<Vec<Value>> {
        let inner = lock(&self.inner);
        let own = format!("{ADMINISTRATION}/{name}");
        let full = inner
            .store
            .tables()
            .into_iter()
            .find(|table| table.eq_ignore_ascii_case(name) || table.eq_ignore_ascii_case(&own));
        let known = full.or_else(|| contract().resource(name).map(|_| String::new()))?;
        Some(inner.store.rows(&known).cloned().collect())
    }

    fn switches(&self) -> Value {
        json!(lock(&self.inner).switches)
    }

    fn set_switches(&self, values: &Value) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let merged = crate::text::merged(&json!(inner.switches), values)?;
        let switches: Switches =
            serde_json::from_value(merged.clone()).map_err(|error| format!("switches: {error}"))?;
        switches.check()?;
        inner.switches = switches;
        inner.store.put("_switches", "all", merged);
        inner.store.commit().map_err(|error| error.to_string())
    }

    fn reset(&self) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        inner.store.clear().map_err(|error| error.to_string())?;
        seeds::fill(&mut inner.store, &inner.switches, self.clock.now());
        let switches = json!(inner.switches);
        inner.store.put("_switches", "all", switches);
        inner.limits.clear();
        inner.store.commit().map_err(|error| error.to_string())
    }
}
