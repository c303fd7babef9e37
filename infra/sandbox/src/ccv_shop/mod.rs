//! Stand-in of a CCV Shop web shop: REST API v1 below `/api/rest/v1`, signed both ways.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::inspect;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::state::Store;
use crate::text::text;
use crate::{SandboxError, lock};

mod apps;
mod auth;
mod catalogue;
mod categories;
mod check;
mod deliver;
mod door;
mod errors;
mod generate;
mod invoices;
mod limits;
mod lists;
mod metadata;
mod order_write;
mod orders;
mod people;
mod photos;
mod product_write;
mod products;
mod properties;
mod query;
mod render;
mod resources;
mod rules;
mod seed_orders;
mod seeds;
mod shop;
mod switches;
mod totals;
mod users;
mod variants;
mod write;

pub use auth::{Key, hmac_hex, keys, signature};
pub use deliver::webhook_message;
pub use generate::generate_orders;
pub use switches::Switches;

use metadata::{Endpoint, metadata};

/// Stands for the address of the shop in rows and answers, until they go out.
const SITE: &str = "http://ccv-shop.invalid";
/// Kind of content the shop's own clients ask for.
const OWN_TYPE: &str = "application/vnd.verto.webshop+json";

struct Inner {
    store: Store,
    switches: Switches,
    limits: limits::Limits,
    outbox: deliver::Outbox,
}

/// The stand-in.
pub struct CcvShop {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Fields with an index, because rules look rows up by them.
const INDEXED: &[&str] = &[
    "order_id",
    "product_id",
    "category_id",
    "attribute_id",
    "attributecombination_id",
    "invoice_id",
    "return_id",
    "group_id",
    "usergroup_id",
    "username",
    "productnumber",
    "product_number",
];

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "ccv-shop", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store);
        store.commit().map_err(|source| SandboxError::state("ccv-shop.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let shop = CcvShop {
        inner: Mutex::new(Inner {
            store,
            switches: stored.unwrap_or_default(),
            limits: Default::default(),
            outbox: Default::default(),
        }),
        clock: start.clock,
        site: start.url.into(),
    };
    if let Some(values) = start.switches {
        shop.set_switches(values).map_err(|error| SandboxError::Settings(format!("ccv-shop: {error}")))?;
    }
    let shop = Arc::new(shop);
    let wake = Arc::clone(&lock(&shop.inner).outbox.wake);
    tokio::spawn(deliver::run(Arc::downgrade(&shop), wake));
    Ok(shop)
}

impl Drop for CcvShop {
    fn drop(&mut self) {
        // The sender sees that the shop is gone.
        lock(&self.inner).outbox.wake.notify_one();
    }
}

/// What a handler works with.
struct Ctx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    call: &'a Call,
    endpoint: &'static Endpoint,
    now: DateTime<Utc>,
    /// Two letters; "" is the language of the shop.
    language: String,
    /// For webhooks.
    events: Vec<deliver::Event>,
}

impl Ctx<'_> {
    /// The refusal of what is documented but not in this stand-in.
    fn left_out(&self) -> Reply {
        errors::left_out(&self.call.method, &self.call.path, self.endpoint.resource())
    }

    /// The time as rows keep it.
    fn stamp(&self) -> String {
        self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// The language of a request, when it is another one than that of the shop.
fn language(call: &Call, store: &Store) -> String {
    let asked = call.header("accept-language").unwrap_or_default().get(..2).unwrap_or_default().to_lowercase();
    let known = store.rows("languages").skip(1).any(|row| text(row, "iso_code") == asked);
    if known { asked } else { String::new() }
}

fn id(part: &str) -> i64 {
    part.parse().unwrap_or_default()
}

fn route(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    match (ctx.call.method.as_str(), parts) {
        ("GET", ["categorytree"]) => return Ok(categories::tree(ctx)),
        ("GET", ["webshops", shop, "settings"]) => return shop::settings(ctx, id(shop)),
        ("GET", ["webshops", shop, "merchant"]) => return shop::merchant(ctx, id(shop)),
        _ => {}
    }
    let resource = ctx.endpoint.resource();
    if resources::find(resource).is_none() {
        return Err(ctx.left_out());
    }
    match (ctx.call.method.as_str(), parts) {
        ("GET", [resource]) => lists::list(ctx, resource, None),
        ("GET", [resource, row]) => lists::get(ctx, resource, id(row)),
        ("GET", [parent, row, resource]) => lists::list(ctx, resource, Some((parent, id(row)))),
        ("POST", [resource]) => write::create(ctx, resource, None),
        ("POST", [parent, row, resource]) => write::create(ctx, resource, Some((parent, id(row)))),
        ("PATCH", [resource, row]) => write::patch(ctx, resource, id(row)),
        ("DELETE", [resource, row]) => write::delete(ctx, resource, id(row)),
        ("PUT", [parent, row, resource]) => write::replace(ctx, (parent, id(row)), resource),
        _ => Err(ctx.left_out()),
    }
}

impl CcvShop {
    /// Something customers or staff do: no key, no limit, but webhooks.
    fn inside(
        &self,
        inner: &mut Inner,
        call: &Call,
        work: impl FnOnce(&mut Ctx<'_>) -> Result<Reply, String>,
    ) -> Result<Reply, String> {
        let endpoint = metadata().endpoint("GET", &["orders"]).ok_or("the endpoints were not read")?;
        let (store, switches, now) = (&mut inner.store, &inner.switches, self.clock.now());
        let mut ctx = Ctx { store, switches, call, endpoint, now, language: String::new(), events: Vec::new() };
        let reply = work(&mut ctx)?;
        let events = std::mem::take(&mut ctx.events);
        inner.outbox.queue(&inner.store, switches, &events, &self.site);
        Ok(reply)
    }

    fn api(&self, inner: &mut Inner, call: &Call, parts: &[&str], now: DateTime<Utc>) -> Reply {
        let switches = &inner.switches;
        let key = match auth::check(call, switches, now) {
            Ok(key) => key,
            Err(reply) => return reply,
        };
        let signed = |reply: Reply| {
            let mut reply = reply;
            reply.body = render::with_site(reply.body, &self.site);
            let wants_own = call.header("accept").is_some_and(|accept| accept.contains(OWN_TYPE));
            if wants_own && let Some(header) = reply.headers.iter_mut().find(|(name, _)| name == "Content-Type") {
                header.1 = OWN_TYPE.into();
            }
            auth::sign(reply, call, key, switches, now)
        };
        if !switches.api_app_installed {
            return signed(errors::error("500.90", "The app that opens the API is not installed."));
        }
        let methods = metadata().methods(parts);
        if methods.is_empty() {
            return signed(errors::no_resource(&call.path));
        }
        let Some(endpoint) = methods.into_iter().find(|endpoint| endpoint.method == call.method) else {
            return signed(errors::method(&call.method, &call.path));
        };
        if let Err(reply) = inner.limits.admit(switches, key, endpoint, now) {
            return signed(reply);
        }
        if let Some(code) = switches.refusals.get(&format!("{} {}", endpoint.method, endpoint.resource())) {
            return signed(errors::error(code, "Refused by a switch."));
        }
        if call.body.len() > switches.body_bytes_max {
            return signed(errors::error("500.80", "The payload is too large."));
        }
        let language = language(call, &inner.store);
        let mut ctx = Ctx { store: &mut inner.store, switches, call, endpoint, now, language, events: Vec::new() };
        let reply = match route(&mut ctx, parts) {
            Ok(reply) => {
                let events = std::mem::take(&mut ctx.events);
                if switches.webhooks_for_api_writes {
                    inner.outbox.queue(&inner.store, switches, &events, &self.site);
                }
                reply
            }
            Err(reply) => {
                inner.store.rollback();
                reply
            }
        };
        signed(reply)
    }

    /// A picture of a product; they are there for everyone.
    fn picture(inner: &Inner, file: &str) -> Reply {
        let stored = inner.store.get("_images", file).and_then(|row| STANDARD.decode(text(row, "source")).ok());
        match stored {
            Some(bytes) => Reply::typed(200, crate::pictures::kind(&bytes).unwrap_or("image/gif"), bytes),
            None => Reply::typed(404, "text/html; charset=utf-8", "<html><body>Not found</body></html>"),
        }
    }
}

impl System for CcvShop {
    fn endpoint(&self, call: &Call) -> String {
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let rest = parts.strip_prefix(&["api", "rest", "v1"]).unwrap_or(&parts);
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        rest.iter().map(|part| if number(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let reply = match (call.method.as_str(), parts.as_slice()) {
            (_, ["api", "rest", "v1", rest @ ..]) => self.api(inner, call, rest, now),
            ("GET", ["data", "upload", "Shop", "images", file]) => Self::picture(inner, file),
            _ => Reply::typed(404, "text/html; charset=utf-8", "<html><body>Not found</body></html>"),
        };
        // Clients may set their clock by it, so it is that of the shop.
        let reply = reply.with("Date", now.to_rfc2822().replace("+0000", "GMT"));
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
        let reply = match (call.method.as_str(), path) {
            ("GET", ["webhooks"]) => Reply::json(200, &inner.outbox.to_json()),
            ("POST", ["app", "handshake"]) => {
                inspect::with_body(call, |body| apps::handshake(inner, &body, &self.site))
            }
            ("POST", ["app", "uninstall"]) => {
                inspect::with_body(call, |body| apps::uninstall(inner, &body, &self.site))
            }
            ("POST", ["app", "install"]) => inspect::with_body(call, |body| apps::install(&body)),
            ("POST", ["limits", "reset"]) => {
                inner.limits.clear();
                Reply::empty(204)
            }
            ("POST", ["generate"]) => inspect::with_body(call, |body| generate::insert(&mut inner.store, &body, now)),
            ("POST", ["catalogue"]) => catalogue::seeds(&mut inner.store, inner.switches.prices_include_vat),
            ("POST", ["products", "generate"]) => inspect::with_body(call, |body| {
                catalogue::generate(&mut inner.store, &body, inner.switches.prices_include_vat, now)
            }),
            ("POST", ["orders"]) => {
                inspect::with_body(call, |body| self.inside(inner, call, |ctx| door::insert(ctx, body)))
            }
            ("PATCH", ["orders", order]) => {
                inspect::with_body(call, |body| self.inside(inner, call, |ctx| door::change(ctx, order, &body)))
            }
            // A row as it is, past every rule: what staff makes at a screen that the API has no call for.
            ("POST", ["rows", table, key]) => inspect::with_body(call, |body| {
                if !body.is_object() {
                    return Err("a row is an object".into());
                }
                inner.store.put(table, key, body);
                Ok(Reply::empty(204))
            }),
            ("DELETE", ["orders", order]) => self
                .inside(inner, call, |ctx| Ok(door::remove(ctx, order)))
                .unwrap_or_else(|error| inspect::problem(500, &error)),
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
        let switches = crate::text::merged(&json!(inner.switches), values)?;
        let read: Switches = serde_json::from_value(switches.clone()).map_err(|error| format!("switches: {error}"))?;
        read.check()?;
        inner.switches = read;
        inner.store.put("_switches", "all", switches);
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
