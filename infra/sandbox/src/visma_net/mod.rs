//! Stand-in of Visma.net: Visma Connect, the ERP service (v1/v2) and the sales order service (v3), one company, on one
//! address. Driven by the contract; the rules of single kinds are in `rules/` and `orders/`.

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

mod actions;
mod background;
mod body;
mod catalogue;
mod connect;
mod contract;
mod errors;
mod files;
mod limits;
mod orders;
mod query;
mod render;
mod route;
mod rows;
mod rules;
mod seeds;
mod setup;
mod stock;
mod switches;

pub use connect::{CLIENT_ID, CLIENT_SECRET, CUSTOMER_TENANT_ID, SCOPES, TENANT_ID};
pub use switches::Switches;

use contract::contract;
use limits::Door;
use rows::Tx;

struct Inner {
    store: Store,
    switches: Switches,
    limits: limits::Limits,
}

/// The stand-in.
pub struct VismaNet {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Fields with an index, because rows are looked up by them.
const INDEXED: &[&str] = &["item", "inventoryId", "_customer"];

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "visma-net", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store, start.clock.now());
        store.commit().map_err(|source| SandboxError::state("visma-net.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let system = VismaNet {
        inner: Mutex::new(Inner { store, switches: stored.unwrap_or_default(), limits: Default::default() }),
        clock: start.clock,
        site: start.url.into(),
    };
    if let Some(values) = start.switches {
        system.set_switches(values).map_err(|error| SandboxError::Settings(format!("visma-net: {error}")))?;
    }
    Ok(Arc::new(system))
}

/// The path without the old address in front of it, cut at its slashes and decoded; and which address it was.
fn parts(call: &Call) -> (Door, Vec<String>) {
    let path = call.path.trim_matches('/');
    let old = "API/controller/api/";
    let (door, path) = match path.get(..old.len()) {
        Some(front) if front.eq_ignore_ascii_case(old) => (Door::Old, &path[old.len()..]),
        _ => (Door::Current, path),
    };
    (door, path.split('/').filter(|part| !part.is_empty()).map(crate::message::decode).collect())
}

impl VismaNet {
    fn tx<'a>(&'a self, inner: &'a mut Inner, now: DateTime<Utc>) -> (Tx<'a>, &'a mut limits::Limits) {
        let tx = Tx { store: &mut inner.store, switches: &inner.switches, site: &self.site, now };
        (tx, &mut inner.limits)
    }

    fn api(&self, inner: &mut Inner, call: &Call, now: DateTime<Utc>) -> Reply {
        let (door, segments) = parts(call);
        let method = if call.method == "HEAD" { "GET" } else { &call.method };
        let found = contract().find(method, &segments);
        let endpoint = found.as_ref().map(|found| found.endpoint);
        let old = door == Door::Old;
        if old && (!inner.switches.old_base || endpoint.is_some_and(|endpoint| endpoint.v3)) {
            return Reply::empty(404);
        }
        if let Err(reply) = connect::check(&inner.store, &inner.switches, call, endpoint, now) {
            return reply;
        }
        if let Err(reply) = inner.limits.admit(&inner.switches, door, now) {
            return reply;
        }
        let (mut tx, _) = self.tx(inner, now);
        actions::settle(&mut tx);
        if tx.store.commit().is_err() {
            return Reply::empty(500);
        }
        let reply = match found {
            None if contract().other_verb(&segments) => Reply::empty(405),
            None => errors::message(404, "No such resource."),
            Some(found) => carried_out(&mut tx, &found, call),
        };
        inner.limits.headers(&inner.switches, door, reply, now)
    }
}

/// Runs a request, at once or as a job.
fn carried_out(tx: &mut Tx<'_>, found: &contract::Found, call: &Call) -> Reply {
    let job = match background::wanted(call) {
        Ok(wanted) => wanted && found.endpoint.background && !found.endpoint.v3,
        Err(reply) => return reply,
    };
    let reply = match route::answer(tx, found, call) {
        Ok(reply) => reply,
        Err(reply) => {
            tx.store.rollback();
            reply
        }
    };
    if job { background::accept(tx, call, &reply) } else { reply }
}

impl System for VismaNet {
    fn endpoint(&self, call: &Call) -> String {
        let (_, segments) = parts(call);
        let method = if call.method == "HEAD" { "GET" } else { &call.method };
        match contract().find(method, &segments) {
            Some(found) => found.endpoint.short(),
            None => segments.join("/"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let reply = match (call.method.as_str(), call.path.as_str()) {
            ("POST", "/connect/token") => connect::token(&inner.store, &inner.switches, call, now),
            ("GET", "/.well-known/openid-configuration") => connect::discovery(&self.site),
            _ => self.api(inner, call, now),
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
        let (mut tx, limits) = self.tx(inner, now);
        let reply = match (call.method.as_str(), path) {
            ("POST", ["authorise"]) => Reply::json(200, &connect::issue(tx.store, tx.switches, TENANT_ID, SCOPES, now)),
            ("POST", ["tokens", "revoke"]) => {
                connect::revoke(tx.store);
                Reply::empty(204)
            }
            ("POST", ["limits", "reset"]) => {
                limits.clear();
                Reply::empty(204)
            }
            ("POST", ["limits", "spend"]) => inspect::with_body(call, |body| {
                let calls = body.get("calls").and_then(Value::as_i64).ok_or("limits: calls (a number) is missing")?;
                limits.spend(calls, now);
                Ok(Reply::empty(204))
            }),
            // Changed past the rules that a call is held to, as a person at a screen or another app can.
            ("POST", ["rows", table, key]) => inspect::with_body(call, |body| {
                let fields = body.as_object().cloned().ok_or("a row is an object")?;
                let mut row = tx.fields(table, key).ok_or_else(|| format!("no row \"{key}\" in {table}"))?;
                row.extend(fields);
                tx.put(table, key, row);
                Ok(Reply::empty(204))
            }),
            ("DELETE", ["rows", table, key]) => {
                Reply::empty(if tx.store.delete(table, key).is_some() { 204 } else { 404 })
            }
            ("POST", ["stock"]) => inspect::with_body(call, |body| stock::insert(&mut tx, body)),
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

    /// By name, letters of whatever case.
    fn table(&self, name: &str) -> Option<Vec<Value>> {
        let mut inner = lock(&self.inner);
        let (mut tx, _) = self.tx(&mut inner, self.clock.now());
        actions::settle(&mut tx);
        let _ = tx.store.commit();
        let known = inner.store.tables().into_iter().find(|table| table.eq_ignore_ascii_case(name));
        let known = known.or_else(|| route::is_table(name).then(|| name.to_owned()))?;
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
        inner.store.clear().map_err(|error| error.to_string())?;
        seeds::fill(&mut inner.store, self.clock.now());
        let switches = json!(inner.switches);
        inner.store.put("_switches", "all", switches);
        inner.limits.clear();
        inner.store.commit().map_err(|error| error.to_string())
    }
}
