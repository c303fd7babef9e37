//! Stand-in of a MijnWebwinkel (MyOnlineStore) shop: API `v1`, two tokens in the query, written from the definition.

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

mod articles;
mod auth;
mod catalogue;
mod categories;
mod contract;
mod credit;
mod customers;
mod dates;
mod errors;
mod generate;
mod images;
mod lists;
mod order_write;
mod orders;
mod payments;
mod reference;
mod seeds;
mod switches;
mod totals;

pub use auth::{OTHER_PARTNER_TOKEN, PARTNER_TOKEN, STORE_TOKEN};
pub use generate::generate_orders;
pub use switches::Switches;

/// Id of the store.
pub const STORE_ID: &str = "0000005e-0000-4000-8000-000000000001";

/// An id that follows from a kind and a number.
pub(crate) fn uuid_of(kind: u32, number: i64) -> String {
    format!("{kind:08x}-0000-4000-8000-{number:012}")
}

struct Inner {
    store: Store,
    switches: Switches,
    limits: auth::Limits,
}

/// The stand-in.
pub struct MijnWebwinkel {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Fields with an index, because rules look rows up by them.
const INDEXED: &[&str] = &["sku", "email"];

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "mijnwebwinkel", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store);
        store.commit().map_err(|source| SandboxError::state("mijnwebwinkel.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let inner = Inner { store, switches: stored.unwrap_or_default(), limits: Default::default() };
    let shop = MijnWebwinkel { inner: Mutex::new(inner), clock: start.clock, site: start.url.into() };
    if let Some(values) = start.switches {
        shop.set_switches(values).map_err(|error| SandboxError::Settings(format!("mijnwebwinkel: {error}")))?;
    }
    Ok(Arc::new(shop))
}

/// What a handler works with.
struct Ctx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    call: &'a Call,
    now: DateTime<Utc>,
    site: &'a str,
}

impl Ctx<'_> {
    /// A yes/no parameter.
    fn flag(&self, name: &str) -> bool {
        self.call.param(name).is_some_and(|value| value == "true" || value == "1")
    }

    /// Values of a list parameter, in the form that is understood.
    fn list_param(&self, name: &str) -> Vec<String> {
        let how = self.switches.array_query.as_str();
        let brackets = format!("{name}[]");
        let pairs = self.call.pairs().into_iter();
        pairs
            .filter(|(key, _)| *key == brackets && how != "repeat" || key == name && how != "brackets")
            .map(|(_, value)| value)
            .collect()
    }

    /// The rows of a page.
    fn page<T>(&self, rows: Vec<T>) -> Vec<T> {
        let number =
            |name: &str, usual: usize| self.call.param(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
        rows.into_iter().skip(number("offset", 0)).take(number("limit", 10).min(100)).collect()
    }

    /// A moment of a row lies between two parameters; a row without it lies in no window.
    fn within(&self, row: &Value, field: &str, from: &str, to: &str) -> bool {
        let zone = self.switches.zone();
        let bound = |name: &str| self.call.param(name).and_then(|text| dates::moment(&text, zone));
        let (from, to) = (bound(from), bound(to));
        if from.is_none() && to.is_none() {
            return true;
        }
        let Some(at) = dates::read(row, field) else { return false };
        from.is_none_or(|from| at > from || at == from && self.switches.start_dates_inclusive)
            && to.is_none_or(|to| at <= to)
    }

    fn parsed(&self) -> Option<Value> {
        self.call.json().ok()
    }

    /// The body of a classic endpoint, held to the definition.
    fn body(&self, kind: &str, mode: char) -> Result<Value, Reply> {
        let body = self.parsed().ok_or_else(|| errors::classic(400, "The body is not valid JSON."))?;
        match contract::check_body(kind, mode, &body, self.switches).as_slice() {
            [] => Ok(body),
            wrong => Err(errors::wrong_body(wrong)),
        }
    }

    /// The body of a newer endpoint, held to the definition.
    fn problem_body(&self, kind: &str, mode: char) -> Result<Value, Reply> {
        let body = self.parsed().ok_or_else(|| errors::problem(400, "The body is not valid JSON."))?;
        match contract::check_body(kind, mode, &body, self.switches).as_slice() {
            [] => Ok(body),
            wrong => Err(errors::invalid(wrong)),
        }
    }
}

fn route(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    if !contract::exists(&ctx.call.method, parts) {
        return Err(match contract::other_verb(parts) {
            true => errors::classic(405, "Method not allowed."),
            false => errors::not_found("Page"),
        });
    }
    contract::check_query(ctx.call, parts, ctx.switches).map_err(|wrong| errors::classic(400, &wrong))?;
    if ctx.call.param("format").as_deref() == Some("xml") {
        return Err(errors::classic(501, "The stand-in answers JSON only."));
    }
    match (ctx.call.method.as_str(), parts) {
        ("GET", ["articles"]) => articles::list(ctx),
        ("POST", ["articles"]) => articles::create(ctx),
        ("GET", ["articles", "count"]) => articles::count(ctx),
        ("POST", ["articles", "uploadImage", id]) => images::upload(ctx, id),
        ("GET", ["articles", id]) => articles::get(ctx, id),
        ("PATCH", ["articles", id]) => articles::update(ctx, id),
        ("DELETE", ["articles", id]) => articles::delete(ctx, id),
        ("DELETE", ["deleteImage", id]) => images::delete(ctx, id),
        ("POST", ["articlefields", id]) => articles::add_fields(ctx, id),
        ("DELETE", ["articlefields", id]) => articles::remove_fields(ctx, id),
        ("GET", ["articlelists", id]) => lists::get(ctx, id),
        ("POST", ["articlelists", id]) => articles::use_lists(ctx, id, true),
        ("DELETE", ["articlelists", id]) => articles::use_lists(ctx, id, false),
        ("POST", ["articlelistoptions", id]) => lists::add_options(ctx, id),
        ("DELETE", ["articlelistoptions", id]) => lists::remove_options(ctx, id),
        ("GET", ["orders"]) => orders::list(ctx),
        ("POST", ["orders"]) => order_write::create(ctx),
        ("GET", ["orders", "count"]) => orders::count(ctx),
        ("POST", ["orders", "credit"]) => credit::create(ctx),
        ("GET", ["orders", number]) => orders::get(ctx, number),
        ("PATCH", ["orders", number]) => orders::update(ctx, number),
        (_, ["orders", number, "payments", rest @ ..]) => payments::route(ctx, number, rest),
        ("GET", ["orderstatuses"]) => reference::list(ctx, "statuses"),
        ("GET", ["payment", "gateways"]) => reference::gateways(ctx, None),
        ("GET", ["payment", "stores", store, "gateways"]) => reference::gateways(ctx, Some(store)),
        (_, ["customers", rest @ ..]) => customers::route(ctx, rest),
        ("GET", ["categories"]) => categories::list(ctx),
        ("POST", ["categories"]) => categories::create(ctx),
        ("GET", ["categories", "count"]) => categories::count(ctx),
        ("GET", ["categories", id]) => categories::get(ctx, id),
        ("PATCH", ["categories", id]) => categories::update(ctx, id),
        ("GET", ["categories", id, "articles"]) => categories::articles(ctx, id),
        (_, ["discountcodes", rest @ ..]) => reference::discount_codes(ctx, rest),
        ("GET", ["offlinelocations"]) => reference::locations(ctx),
        ("GET", ["offlinelocations", id]) => reference::get(ctx, "locations", id, "Location"),
        ("GET", ["shipping", "methods"]) => reference::list(ctx, "shipping_methods"),
        ("GET", ["tax-policy", "regions"]) => reference::regions(ctx),
        ("GET", ["tax-policy", "regions", code]) => reference::region(ctx, code),
        ("GET", ["store"]) => reference::store(ctx),
        _ => Err(errors::not_found("Page")),
    }
}

impl System for MijnWebwinkel {
    fn endpoint(&self, call: &Call) -> String {
        let segments = call.segments();
        let rest = segments.strip_prefix(&["v1".to_owned()]).unwrap_or(&segments);
        let key = |part: &str| part.trim_end_matches('T').parse::<u64>().is_ok() || part.parse::<uuid::Uuid>().is_ok();
        rest.iter().map(|part| if key(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
    }

    fn addresses(&self, call: &Call) -> Vec<String> {
        images::addresses(call)
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        if let Some(reply) = images::serve(&inner.store, &call.path) {
            return reply;
        }
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let Some(parts) = parts.strip_prefix(&["v1"]) else { return errors::not_found("Page") };
        let now = self.clock.now();
        if let Err(reply) = auth::admit(call, parts, &inner.switches, &mut inner.limits, now) {
            return reply;
        }
        let mut ctx = Ctx { store: &mut inner.store, switches: &inner.switches, call, now, site: &self.site };
        let done = route(&mut ctx, parts);
        let reply = match done {
            Ok(reply) => {
                debug_assert_eq!(reply.status, contract::status(&call.method, parts), "{} {}", call.method, call.path);
                reply
            }
            Err(reply) => {
                inner.store.rollback();
                reply
            }
        };
        if let Err(error) = inner.store.commit() {
            tracing::error!(%error, "the state could not be stored");
            return Reply::typed(500, "text/plain", format!("sandbox: the state could not be stored: {error}"));
        }
        reply
    }

    fn inspect(&self, call: &Call, path: &[&str]) -> Option<Reply> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let reply = match (call.method.as_str(), path) {
            ("POST", ["orders"]) => inspect::with_body(call, |body| orders::insert_raw(&mut inner.store, body, now)),
            ("DELETE", [table @ ("orders" | "articles"), key]) => {
                Reply::empty(if inner.store.delete(table, key).is_some() { 204 } else { 404 })
            }
            // A row as it is, past every rule: what staff makes at a screen that the API has no call for.
            ("POST", ["rows", table, key]) => inspect::with_body(call, |body| {
                if !body.is_object() {
                    return Err("a row is an object".into());
                }
                inner.store.put(table, key, body);
                Ok(Reply::empty(204))
            }),
            ("POST", ["generate"]) => inspect::with_body(call, |body| generate::insert(&mut inner.store, &body, now)),
            ("POST", ["catalogue"]) => catalogue::add(&mut inner.store),
            ("POST", ["articles", "generate"]) => {
                inspect::with_body(call, |body| catalogue::generate(&mut inner.store, &inner.switches, &body, now))
            }
            _ => return None,
        };
        if !reply.is_success() {
            inner.store.rollback();
        }
        match inner.store.commit() {
            Ok(()) => Some(reply),
            Err(error) => Some(inspect::problem(500, &error.to_string())),
        }
    }

    fn tables(&self) -> Vec<String> {
        lock(&self.inner).store.tables()
    }

    fn table(&self, name: &str) -> Option<Vec<Value>> {
        let inner = lock(&self.inner);
        inner.store.tables().contains(&name.to_owned()).then(|| inner.store.rows(name).cloned().collect())
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
        seeds::fill(&mut inner.store);
        let switches = json!(inner.switches);
        inner.store.put("_switches", "all", switches);
        inner.limits.clear();
        inner.store.commit().map_err(|error| error.to_string())
    }
}
