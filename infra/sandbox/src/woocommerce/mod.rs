//! Stand-in of a WooCommerce 11.0.1 shop: REST API v3 below `/wp-json/wc/v3`, seeded with recorded answers.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::inspect;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::state::Store;
use crate::{SandboxError, lock};

mod attributes;
mod auth;
mod bundles;
mod catalogue;
mod currencies;
mod customers;
mod deliver;
mod errors;
mod generate;
mod media;
mod order_write;
mod orders;
mod product_attributes;
mod product_fields;
mod product_list;
mod products;
mod reference;
mod refunds;
mod render;
mod request;
mod seeds;
mod stock;
mod terms;
mod totals;
mod variations;
mod webhooks;
mod wholesale;
mod wordpress;
mod words;

pub use auth::Key;
pub use deliver::webhook_signature;
pub use generate::generate_orders;
use request::Params;
pub use wordpress::{WP_APPLICATION_PASSWORD, WP_USER};

/// The keys of the shop: one that may do everything, one that only reads, one that only writes.
pub fn keys() -> &'static [Key] {
    const KEYS: &[Key] = &[
        Key {
            key: "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1",
            secret: "cs_68568b8871d2d70d583699ea3665e0297f6ebe28",
            read: true,
            write: true,
        },
        Key {
            key: "ck_349fe14cbe9a902983657d5cdb631baa0efd6567",
            secret: "cs_a6e5b15029acbf51ee842292643ac966a9f4c93a",
            read: true,
            write: false,
        },
        Key {
            key: "ck_d9b9ebec4f72e5aba7ad44f1501baedda6a16315",
            secret: "cs_6180c108a0cf5312b0c7e9df57906a6a19648a3d",
            read: false,
            write: true,
        },
    ];
    KEYS
}

/// Behaviour that differs from shop to shop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Switches {
    /// Every request counts as TLS, as behind a terminator the site is set up for.
    pub behind_tls: bool,
    /// A request with `X-Forwarded-Proto: https` counts as TLS.
    pub trust_forwarded_proto: bool,
    /// The web server eats the `Authorization` header.
    pub strip_authorization: bool,
    /// Orders live in their own tables: a write of only `meta_data` moves `date_modified`.
    pub hpos: bool,
    /// Catalogue prices include tax.
    pub prices_include_tax: bool,
    /// Tax is rounded over the order, not per line.
    pub tax_round_at_subtotal: bool,
    /// Home address the shop thinks it has, when it differs from where it listens; OAuth signs it.
    pub site_url: Option<String>,
    /// Webhooks wait this long before they are sent; what changes meanwhile goes out once.
    pub webhook_delay_ms: u64,
    /// So many of a hundred deliveries are lost on the way.
    pub webhook_drop_percent: u32,
    /// So many of a hundred deliveries are sent twice.
    pub webhook_duplicate_percent: u32,
    /// The shop keeps stock at all; without it written quantities do nothing.
    pub manage_stock: bool,
    /// A picture whose address has no ending of one is taken by the type its server tells.
    pub image_by_type: bool,
    /// `dates_are_gmt` is obeyed; without it times without a zone are always those of the site.
    pub dates_are_gmt: bool,
    /// The payment gateways can pay back; without it a refund must say `api_refund: false`.
    pub gateway_refunds: bool,
    /// The plugin for prices of roles.
    pub wholesale: Wholesale,
}

/// Editions of the plugin for prices of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wholesale {
    /// It is not there.
    None,
    /// One role, one price.
    Free,
    /// Roles of one's own, prices from a quantity on.
    Premium,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            behind_tls: false,
            trust_forwarded_proto: true,
            strip_authorization: false,
            hpos: true,
            prices_include_tax: false,
            tax_round_at_subtotal: false,
            site_url: None,
            webhook_delay_ms: 0,
            webhook_drop_percent: 0,
            webhook_duplicate_percent: 0,
            manage_stock: true,
            image_by_type: false,
            dates_are_gmt: true,
            gateway_refunds: true,
            wholesale: Wholesale::None,
        }
    }
}

struct Inner {
    store: Store,
    switches: Switches,
    nonces: auth::Nonces,
    outbox: deliver::Outbox,
}

/// The stand-in.
pub struct WooCommerce {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Fields with an index, because connectors and rules look rows up by them.
const INDEXED: &[&str] = &["sku", "global_unique_id", "email", "username", "parent_id", "slug", "order_id", "topic"];

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "woocommerce", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store);
        store.commit().map_err(|source| SandboxError::state("woocommerce.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let shop = WooCommerce {
        inner: Mutex::new(Inner {
            store,
            switches: stored.unwrap_or_default(),
            nonces: Default::default(),
            outbox: Default::default(),
        }),
        clock: start.clock,
        site: start.url.into(),
    };
    if let Some(values) = start.switches {
        shop.set_switches(values).map_err(|error| SandboxError::Settings(format!("woocommerce: {error}")))?;
    }
    let shop = Arc::new(shop);
    let wake = Arc::clone(&lock(&shop.inner).outbox.wake);
    tokio::spawn(deliver::run(Arc::downgrade(&shop), wake));
    Ok(shop)
}

impl Drop for WooCommerce {
    fn drop(&mut self) {
        // The sender sees that the shop is gone.
        lock(&self.inner).outbox.wake.notify_one();
    }
}

/// What a handler works with.
struct Ctx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    key: Option<&'static Key>,
    call: &'a Call,
    params: Params,
    now: DateTime<Utc>,
    site: &'a str,
    /// For webhooks.
    happened: Vec<deliver::Happened>,
    /// Webhooks to ping.
    pings: Vec<i64>,
}

/// What a request asks permission for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    List,
    View,
    Create,
    Edit,
    Delete,
    Batch,
}

impl Ctx<'_> {
    /// Something happened to a record.
    fn happened(&mut self, resource: &'static str, event: &'static str, id: i64) {
        self.happened.push(deliver::Happened { resource, event, id });
    }

    /// Refuses a caller without a key, or with one that may not do this.
    fn allow(&self, need: Need) -> Result<(), Reply> {
        let Some(key) = self.key else {
            let (word, message) = match need {
                Need::List => ("view", "Sorry, you cannot list resources."),
                Need::View => ("view", "Sorry, you cannot view this resource."),
                Need::Create => ("create", "Sorry, you are not allowed to create resources."),
                Need::Edit => ("edit", "Sorry, you are not allowed to edit this resource."),
                Need::Delete => ("delete", "Sorry, you are not allowed to delete this resource."),
                Need::Batch => ("batch", "Sorry, you are not allowed to batch manipulate this resource."),
            };
            return Err(errors::error(401, &format!("woocommerce_rest_cannot_{word}"), message));
        };
        let reads = matches!(need, Need::List | Need::View);
        if reads && !key.read || !reads && !key.write {
            let word = if reads { "read" } else { "write" };
            let message = format!("The API key provided does not have {word} permissions.");
            return Err(errors::error(401, "woocommerce_rest_authentication_error", &message));
        }
        Ok(())
    }

    /// The body: JSON only when it says so; otherwise nothing was sent, as far as WordPress can tell.
    fn body(&self) -> Result<Value, Reply> {
        let is_json = self.call.header("content-type").is_some_and(|kind| kind.to_lowercase().contains("json"));
        if !is_json || self.call.body.is_empty() {
            return Ok(json!({}));
        }
        match self.call.json() {
            Ok(Value::Object(map)) => Ok(Value::Object(map)),
            Ok(_) => Ok(json!({})),
            Err(_) => Err(errors::error_with(
                400,
                "rest_invalid_json",
                "Invalid JSON body passed.",
                json!({"json_error_code": 4, "json_error_message": "Syntax error"}),
            )),
        }
    }
}

impl WooCommerce {
    /// What the shop's own staff does: without a key.
    fn by_staff(
        &self,
        inner: &mut Inner,
        call: &Call,
        work: impl FnOnce(&mut Ctx<'_>) -> Result<Reply, Reply>,
    ) -> Reply {
        let mut call = call.clone();
        call.headers.push(("content-type".into(), "application/json".into()));
        let mut ctx = Ctx {
            store: &mut inner.store,
            switches: &inner.switches,
            key: keys().iter().find(|key| key.read && key.write),
            params: Params::of(&call),
            call: &call,
            now: self.clock.now(),
            site: &self.site,
            happened: Vec::new(),
            pings: Vec::new(),
        };
        let reply = work(&mut ctx).unwrap_or_else(|reply| reply);
        let happened = std::mem::take(&mut ctx.happened);
        if reply.is_success() {
            inner.outbox.queue(&inner.store, &happened);
        }
        reply
    }

    fn route(&self, ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
        let overridden = ctx.params.get("_method").or(ctx.call.header("x-http-method-override")).map(str::to_uppercase);
        let method = match overridden {
            Some(method) if ctx.call.method == "POST" => method,
            _ => ctx.call.method.clone(),
        };
        let method = match method.as_str() {
            "HEAD" => "GET",
            "PATCH" => "PUT",
            other => other,
        }
        .to_owned();
        match (method.as_str(), parts) {
            ("GET", []) => Ok(render::json(200, &json!({"namespace": "wc/v3", "routes": {}}))),
            ("GET", ["orders"]) => orders::list(ctx),
            ("POST", ["orders"]) => order_write::create(ctx),
            ("GET", ["orders", "statuses"]) => orders::statuses(ctx),
            ("POST" | "PUT", ["orders", "batch"]) => order_write::batch(ctx),
            ("GET", ["orders", order]) => orders::get(ctx, id(order)?),
            ("PUT" | "POST", ["orders", order]) => order_write::update(ctx, id(order)?),
            ("DELETE", ["orders", order]) => order_write::delete(ctx, id(order)?),
            ("GET", ["orders", order, "refunds"]) => refunds::list(ctx, Some(id(order)?)),
            ("POST", ["orders", order, "refunds"]) => refunds::create(ctx, id(order)?),
            ("GET", ["orders", order, "refunds", refund]) => refunds::get(ctx, id(order)?, id(refund)?),
            ("GET", ["orders", order, "notes"]) => refunds::notes(ctx, id(order)?),
            ("POST", ["orders", order, "notes"]) => refunds::add_note(ctx, id(order)?),
            ("GET", ["refunds"]) => refunds::list(ctx, None),
            ("GET", ["products"]) => product_list::list(ctx),
            ("POST", ["products"]) => products::create(ctx),
            ("POST" | "PUT", ["products", "batch"]) => products::batch(ctx),
            (_, ["products", "attributes", ..]) => self.attribute_route(ctx, &method, &parts[2..]),
            (_, ["products", word, rest @ ..]) if terms::Kept::named(word).is_some() => {
                let Some(kept) = terms::Kept::named(word) else { return Err(errors::no_route()) };
                term_route(ctx, &method, kept, rest)
            }
            ("GET", ["products", product]) => products::get(ctx, id(product)?),
            ("PUT" | "POST", ["products", product]) => products::update(ctx, id(product)?),
            ("DELETE", ["products", product]) => products::delete(ctx, id(product)?),
            ("GET", ["products", product, "variations"]) => variations::list(ctx, Some(id(product)?)),
            ("POST", ["products", product, "variations"]) => variations::create(ctx, id(product)?),
            ("POST" | "PUT", ["products", product, "variations", "batch"]) => variations::batch(ctx, id(product)?),
            ("GET", ["products", product, "variations", row]) => variations::get(ctx, id(product)?, id(row)?),
            ("PUT" | "POST", ["products", product, "variations", row]) => {
                variations::update(ctx, id(product)?, id(row)?)
            }
            ("DELETE", ["products", product, "variations", row]) => variations::delete(ctx, id(product)?, id(row)?),
            ("GET", ["variations"]) => variations::list(ctx, None),
            ("GET", ["customers"]) => customers::list(ctx),
            ("POST", ["customers"]) => customers::create(ctx),
            ("POST" | "PUT", ["customers", "batch"]) => customers::batch(ctx),
            ("GET", ["customers", customer]) => customers::get(ctx, id(customer)?),
            ("PUT" | "POST", ["customers", customer]) => customers::update(ctx, id(customer)?),
            ("DELETE", ["customers", customer]) => customers::delete(ctx, id(customer)?),
            ("GET", ["taxes"]) => reference::list(ctx, "taxes"),
            ("GET", ["taxes", "classes"]) => reference::tax_classes(ctx),
            ("GET", ["taxes", tax]) => reference::get(ctx, "taxes", tax, "woocommerce_rest_invalid_id"),
            ("GET", ["payment_gateways"]) => reference::list(ctx, "payment_gateways"),
            ("GET", ["payment_gateways", gateway]) => {
                reference::get(ctx, "payment_gateways", gateway, "woocommerce_rest_payment_gateway_invalid")
            }
            ("GET", ["shipping", "zones"]) => reference::list(ctx, "shipping_zones"),
            ("GET", ["shipping", "zones", zone]) => {
                reference::get(ctx, "shipping_zones", zone, "woocommerce_rest_shipping_zone_invalid")
            }
            ("GET", ["shipping", "zones", zone, "methods"]) => reference::zone_methods(ctx, id(zone)?),
            ("GET", ["shipping", "zones", zone, "locations"]) => reference::zone_locations(ctx, id(zone)?),
            ("GET", ["shipping_methods"]) => reference::shipping_methods(ctx),
            ("GET", ["settings", "tax"]) => reference::list(ctx, "settings_tax"),
            ("GET", ["settings", "tax", setting]) => {
                reference::get(ctx, "settings_tax", setting, "rest_setting_setting_invalid")
            }
            ("GET", ["data", "currencies", "current"]) => reference::currency(ctx),
            ("GET", ["system_status"]) => reference::system_status(ctx),
            ("GET", ["webhooks"]) => webhooks::list(ctx),
            ("POST", ["webhooks"]) => webhooks::create(ctx),
            ("GET", ["webhooks", hook]) => webhooks::get(ctx, id(hook)?),
            ("PUT" | "POST", ["webhooks", hook]) => webhooks::update(ctx, id(hook)?),
            ("DELETE", ["webhooks", hook]) => webhooks::delete(ctx, id(hook)?),
            _ => Err(errors::no_route()),
        }
    }

    /// Below `/products/attributes`.
    fn attribute_route(&self, ctx: &mut Ctx<'_>, method: &str, parts: &[&str]) -> Result<Reply, Reply> {
        match (method, parts) {
            ("GET", []) => reference::list(ctx, "attributes"),
            ("POST", []) => attributes::create(ctx),
            ("POST" | "PUT", ["batch"]) => attributes::batch(ctx),
            ("GET", [attribute]) => attributes::get(ctx, id(attribute)?),
            ("PUT" | "POST", [attribute]) => attributes::update(ctx, id(attribute)?),
            ("DELETE", [attribute]) => attributes::delete(ctx, id(attribute)?),
            (_, [attribute, "terms", rest @ ..]) => {
                let kept = terms::Kept::of_attribute(ctx, id(attribute)?)?;
                term_route(ctx, method, kept, rest)
            }
            _ => Err(errors::no_route()),
        }
    }
}

fn id(text: &str) -> Result<i64, Reply> {
    text.parse().map_err(|_| errors::no_route())
}

/// Below a kind of terms.
fn term_route(ctx: &mut Ctx<'_>, method: &str, kept: terms::Kept, parts: &[&str]) -> Result<Reply, Reply> {
    match (method, parts) {
        ("GET", []) => terms::list(ctx, kept),
        ("POST", []) => terms::create(ctx, kept),
        ("POST" | "PUT", ["batch"]) => terms::batch(ctx, kept),
        ("GET", [term]) => terms::get(ctx, kept, id(term)?),
        ("PUT" | "POST", [term]) => terms::update(ctx, kept, id(term)?),
        ("DELETE", [term]) => terms::delete(ctx, kept, id(term)?),
        _ => Err(errors::no_route()),
    }
}

impl System for WooCommerce {
    fn endpoint(&self, call: &Call) -> String {
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let rest = parts.strip_prefix(&["wp-json", "wc", "v3"]).unwrap_or(&parts);
        let number = |part: &str| part.chars().all(|letter| letter.is_ascii_digit());
        rest.iter().map(|part| if number(part) { "{id}" } else { part }).collect::<Vec<_>>().join("/")
    }

    fn addresses(&self, call: &Call) -> Vec<String> {
        media::addresses(call)
    }

    fn answer(&self, call: &Call) -> Reply {
        if let Some((_, file)) = call.path.strip_prefix("/wp-content/uploads/").and_then(|path| path.rsplit_once('/')) {
            return self.picture(file);
        }
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let site = inner.switches.site_url.clone().unwrap_or_else(|| self.site.clone());
        let key = match auth::authenticate(call, &inner.switches, &mut inner.nonces, &site, now.timestamp()) {
            Ok(key) => key,
            Err(reply) => return reply,
        };
        let segments = call.segments();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let wordpress = parts.strip_prefix(&["wp-json", "wp", "v2"]);
        let wholesale = parts.strip_prefix(&["wp-json", "wholesale", "v1"]);
        let Some(parts) = parts.strip_prefix(&["wp-json", "wc", "v3"]).or(wordpress).or(wholesale) else {
            return errors::no_route();
        };
        let mut ctx = Ctx {
            store: &mut inner.store,
            switches: &inner.switches,
            key,
            call,
            params: if inner.switches.dates_are_gmt {
                Params::of(call)
            } else {
                Params::of(call).without("dates_are_gmt")
            },
            now,
            site: &site,
            happened: Vec::new(),
            pings: Vec::new(),
        };
        let done = match wordpress {
            Some(parts) => wordpress::route(&mut ctx, parts),
            None if wholesale.is_some() => wholesale::route(&mut ctx, parts),
            None => self.route(&mut ctx, parts),
        };
        let reply = match done {
            Ok(reply) => {
                let (happened, pings) = (std::mem::take(&mut ctx.happened), std::mem::take(&mut ctx.pings));
                inner.outbox.queue(&inner.store, &happened);
                pings.into_iter().for_each(|hook| inner.outbox.ping(hook));
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
        render::with_site(reply, &site)
    }

    fn inspect(&self, call: &Call, path: &[&str]) -> Option<Reply> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let reply = match (call.method.as_str(), path) {
            ("POST", ["orders"]) => inspect::with_body(call, |body| {
                let (reply, happened) = orders::insert_raw(&mut inner.store, body)?;
                inner.outbox.queue(&inner.store, &happened);
                Ok(reply)
            }),
            ("POST", ["orders", order, "refunds"]) => {
                self.by_staff(inner, call, |ctx| refunds::create(ctx, id(order)?))
            }
            ("DELETE", ["products", product]) => self.by_staff(inner, call, |ctx| products::delete(ctx, id(product)?)),
            ("DELETE", ["products", product, "variations", variation]) => {
                self.by_staff(inner, call, |ctx| variations::delete(ctx, id(product)?, id(variation)?))
            }
            ("DELETE", ["orders", order]) => {
                Reply::empty(if inner.store.delete("orders", order).is_some() { 204 } else { 404 })
            }
            ("POST", ["wholesale", "roles"]) => {
                inspect::with_body(call, |body| Ok(wholesale::insert_role(&mut inner.store, body)))
            }
            ("POST", ["customers"]) => inspect::with_body(call, |body| customers::insert_raw(&mut inner.store, body)),
            ("POST", ["catalogue"]) => catalogue::seeds(&mut inner.store),
            ("POST", ["products", "generate"]) => {
                inspect::with_body(call, |body| catalogue::generate(&mut inner.store, &body, self.clock.now()))
            }
            ("GET", ["webhooks"]) => Reply::json(200, &inner.outbox.to_json()),
            ("POST", ["webhooks"]) => inspect::with_body(call, |body| {
                let status = body["status"].as_str().filter(|status| ["active", "paused", "disabled"].contains(status));
                let status = status.ok_or("status is none of active, paused, disabled")?;
                let hooks: Vec<Value> = inner.store.rows("webhooks").cloned().collect();
                for mut hook in hooks {
                    hook["status"] = json!(status);
                    inner.store.put("webhooks", &hook["id"].to_string(), hook);
                }
                Ok(Reply::empty(204))
            }),
            ("POST", ["bundles"]) => {
                inspect::with_body(call, |body| bundles::insert(&mut inner.store, &body, self.clock.now()))
            }
            ("POST", ["generate"]) => {
                inspect::with_body(call, |body| generate::insert(&mut inner.store, &body, self.clock.now()))
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
        let switches = crate::text::merged(&json!(inner.switches), values)?;
        inner.switches = serde_json::from_value(switches.clone()).map_err(|error| format!("switches: {error}"))?;
        inner.store.put("_switches", "all", switches);
        let yes = |on: bool| if on { "yes" } else { "no" };
        for (id, value) in [
            ("woocommerce_prices_include_tax", yes(inner.switches.prices_include_tax)),
            ("woocommerce_tax_round_at_subtotal", yes(inner.switches.tax_round_at_subtotal)),
        ] {
            if let Some(mut row) = inner.store.get("settings_tax", id).cloned() {
                row["value"] = json!(value);
                inner.store.put("settings_tax", id, row);
            }
        }
        inner.store.commit().map_err(|error| error.to_string())
    }

    fn reset(&self) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        inner.store.clear().map_err(|error| error.to_string())?;
        seeds::fill(&mut inner.store);
        let switches = json!(inner.switches);
        inner.store.put("_switches", "all", switches);
        inner.nonces.clear();
        inner.store.commit().map_err(|error| error.to_string())
    }
}
