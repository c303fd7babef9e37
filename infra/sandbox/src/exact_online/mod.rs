//! Stand-in of Exact Online (Dutch site): OAuth server and REST API, one division, driven by the public metadata.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use chrono_tz::Europe::Amsterdam;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::inspect;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::state::Store;
use crate::text::text;
use crate::{SandboxError, lock};

mod catalogue;
mod errors;
mod filter;
mod functions;
mod limits;
mod metadata;
pub mod oauth;
mod query;
mod rules;
mod seeds;
mod shown;
mod stock;
mod switches;
mod sync;
mod values;
mod write;

pub use oauth::{CLIENT_ID, CLIENT_SECRET, REDIRECT_URI};
pub use switches::Switches;

use errors::Words;
use filter::Expr;
use metadata::{Entity, metadata};

/// The division with data.
pub const DIVISION: &str = "123456";
/// A division that exists but that the user may not enter.
pub const FOREIGN_DIVISION: &str = "654321";
const USER: &str = "5a1d0c2e-0000-4000-8000-00000000beef";

struct Inner {
    store: Store,
    switches: Switches,
    limits: limits::Limits,
}

/// The stand-in.
pub struct ExactOnline {
    inner: Mutex<Inner>,
    clock: Clock,
    site: String,
}

/// Fields with an index, because connectors look rows up by them.
const INDEXED: &[&str] = &[
    "YourRef",
    "Email",
    "Code",
    "Account",
    "OrderID",
    "InvoiceID",
    "EntryID",
    "Item",
    "ItemCode",
    "ID",
    "VATCodeID",
    "Name",
    "Barcode",
    "BusinessEmail",
    "Customer",
    "Document",
    "OrderNumber",
    "InvoiceNumber",
    "EntryNumber",
    "PriceList",
    "PriceListPeriod",
];

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "exact-online", INDEXED);
    let mut store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    if store.is_empty() {
        seeds::fill(&mut store, start.clock.now());
        store.commit().map_err(|source| SandboxError::state("exact-online.jsonl".as_ref(), source))?;
    }
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let books = ExactOnline {
        inner: Mutex::new(Inner { store, switches: stored.unwrap_or_default(), limits: Default::default() }),
        clock: start.clock,
        site: start.url.into(),
    };
    if let Some(values) = start.switches {
        books.set_switches(values).map_err(|error| SandboxError::Settings(format!("exact-online: {error}")))?;
    }
    Ok(Arc::new(books))
}

/// A list of rows below a row.
#[derive(Debug, PartialEq, Eq)]
struct Children {
    parent: &'static str,
    list: &'static str,
    child: &'static str,
    link: &'static str,
}

impl Children {
    fn entity(&self) -> Option<&'static Entity> {
        metadata().find(self.child)
    }
}

const CHILDREN: &[Children] = &[
    Children {
        parent: "salesorder/SalesOrders",
        list: "SalesOrderLines",
        child: "salesorder/SalesOrderLines",
        link: "OrderID",
    },
    Children {
        parent: "salesorder/SalesOrders",
        list: "SalesOrderOrderChargeLines",
        child: "salesorder/SalesOrderOrderChargeLines",
        link: "OrderID",
    },
    Children {
        parent: "salesinvoice/SalesInvoices",
        list: "SalesInvoiceLines",
        child: "salesinvoice/SalesInvoiceLines",
        link: "InvoiceID",
    },
    Children {
        parent: "salesinvoice/SalesInvoices",
        list: "SalesInvoiceOrderChargeLines",
        child: "salesinvoice/SalesInvoiceOrderChargeLines",
        link: "InvoiceID",
    },
    Children {
        parent: "salesentry/SalesEntries",
        list: "SalesEntryLines",
        child: "salesentry/SalesEntryLines",
        link: "EntryID",
    },
    Children {
        parent: "generaljournalentry/GeneralJournalEntries",
        list: "GeneralJournalEntryLines",
        child: "generaljournalentry/GeneralJournalEntryLines",
        link: "EntryID",
    },
    Children {
        parent: "salesorder/GoodsDeliveries",
        list: "GoodsDeliveryLines",
        child: "salesorder/GoodsDeliveryLines",
        link: "EntryID",
    },
    Children { parent: "vat/VATCodes", list: "VATPercentages", child: "vat/VatPercentages", link: "VATCodeID" },
    Children { parent: "crm/Accounts", list: "BankAccounts", child: "crm/BankAccounts", link: "Account" },
];

/// The rows below a resource under this name.
fn children(table: &str, list: &str) -> Option<&'static Children> {
    CHILDREN.iter().find(|children| children.parent == table && children.list == list)
}

/// One request at work.
struct Tx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    division: String,
    site: &'a str,
    now: DateTime<Utc>,
}

impl Tx<'_> {
    fn words(&self) -> Words {
        Words { dutch: self.switches.language != "en" }
    }

    /// Local wall time, as rows store it.
    fn local(&self) -> String {
        self.now.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
    }

    /// Local midnight.
    fn today(&self) -> String {
        self.now.with_timezone(&Amsterdam).format("%Y-%m-%dT00:00:00").to_string()
    }

    fn table(&self, path: &str) -> String {
        format!("{}/{path}", self.division)
    }

    fn get(&self, path: &str, key: &str) -> Option<&Value> {
        self.store.get(&self.table(path), key)
    }

    fn rows(&self, path: &str) -> Vec<&Value> {
        let table = self.table(path);
        self.store.rows(&table).collect()
    }

    /// The first row with this value in a field.
    fn first(&self, path: &str, field: &str, value: &str) -> Option<&Value> {
        let table = self.table(path);
        match self.store.find(&table, field, value) {
            Some(rows) => rows.into_iter().find(|row| text(row, field) == value),
            None => self.store.rows(&table).find(|row| text(row, field) == value),
        }
    }

    /// Rows below a row, in line order.
    fn children_of(&self, children: &Children, key: &str) -> Vec<Value> {
        let table = self.table(children.child);
        let mut rows: Vec<Value> = match self.store.find(&table, children.link, key) {
            Some(rows) => rows.into_iter().cloned().collect(),
            None => self.store.rows(&table).filter(|row| text(row, children.link) == key).cloned().collect(),
        };
        rows.sort_by_key(|row| row["LineNumber"].as_i64());
        rows
    }

    /// Rows a filter holds for: by index where that is possible, and copied only when they are wanted.
    fn rows_for(&self, entity: &Entity, filter: Option<&Expr>) -> Vec<Cow<'_, Value>> {
        let made = sync::computed(self, entity).or_else(|| functions::rows(self, entity));
        let mut rows: Vec<Cow<'_, Value>> = match made {
            Some(rows) => rows.into_iter().map(Cow::Owned).collect(),
            None => {
                let table = self.table(&entity.table);
                let groups = filter.map(Expr::lookups).unwrap_or_default();
                let found = groups.iter().find_map(|group| {
                    let pairs: Vec<(&str, &str)> = group.iter().map(|(name, value)| (*name, value.as_str())).collect();
                    self.store.find_any(&table, &pairs)
                });
                found.unwrap_or_else(|| self.store.rows(&table).collect()).into_iter().map(Cow::Borrowed).collect()
            }
        };
        if let Some(filter) = filter {
            rows.retain(|row| filter.holds(entity, row, !self.switches.case_sensitive_filters));
        }
        rows
    }
}

impl ExactOnline {
    fn api(&self, inner: &mut Inner, call: &Call, now: DateTime<Utc>) -> Reply {
        let endpoint = self.endpoint(call);
        let segments = call.segments();
        let division = segments.get(2).cloned().unwrap_or_default();
        let limited = format!("{division} {endpoint}");
        if let Err(reply) = oauth::check(&mut inner.store, call, now) {
            inner.limits.note(&inner.switches, &limited, reply.status, now);
            return reply;
        }
        if let Err(reply) = inner.limits.admit(&inner.switches, &division, &limited, now) {
            return reply;
        }
        let mut tx = Tx {
            store: &mut inner.store,
            switches: &inner.switches,
            division: division.clone(),
            site: &self.site,
            now,
        };
        let reply = match route(&mut tx, call, &segments) {
            Ok(reply) => reply,
            Err(reply) => {
                inner.store.rollback();
                reply
            }
        };
        inner.limits.note(&inner.switches, &limited, reply.status, now);
        inner.limits.headers(&inner.switches, &division, reply)
    }
}

fn route(tx: &mut Tx<'_>, call: &Call, segments: &[String]) -> Result<Reply, Reply> {
    let not_found = || Reply::empty(404);
    if let Some(reason) = tx.switches.forbidden_reason.as_ref().filter(|reason| !reason.is_empty()) {
        return Err(errors::error(403, "Forbidden").with("Reason", reason));
    }
    let current = tx.division == "current";
    if !current {
        if tx.division == FOREIGN_DIVISION {
            return Err(errors::error(403, "Forbidden").with("Reason", "NoDivisionAccess"));
        }
        tx.store.get(&format!("{DIVISION}/system/Divisions"), &tx.division).ok_or_else(not_found)?;
    }
    let rest = segments.get(3..).unwrap_or_default();
    let (last, front) = rest.split_last().ok_or_else(not_found)?;
    let counting = last == "$count";
    let path = if counting { front.join("/") } else { rest.join("/") };
    let (path, key) = match path.split_once('(') {
        Some((path, key)) => (path.to_owned(), Some(key.strip_suffix(')').ok_or_else(errors::syntax)?.to_owned())),
        None => (path, None),
    };
    let full = if current { format!("current/{path}") } else { path };
    let entity = metadata().find(&full).ok_or_else(not_found)?;
    if current != (entity.path == "current/Me") {
        return Err(not_found());
    }
    let verb = match call.method.as_str() {
        "GET" | "HEAD" => "GET",
        other => other,
    };
    if !entity.methods.iter().any(|method| method == verb) {
        return Err(errors::error(if verb == "GET" { 404 } else { 403 }, "Forbidden"));
    }
    if tx.switches.missing_scopes.iter().any(|scope| scope.eq_ignore_ascii_case(&entity.scope)) {
        let word = if verb == "GET" { "read" } else { "write" };
        return Err(errors::error(403, &format!("Forbidden - Application Scope Violated. Cannot {word}")));
    }
    if tx.switches.forbidden_resources.iter().any(|name| name.eq_ignore_ascii_case(&entity.name)) {
        return Err(errors::error(403, "Forbidden"));
    }
    let json_wanted = call.header("accept").is_some_and(|accept| accept.to_lowercase().contains("json"));
    let reply = match (verb, key) {
        ("GET", None) if counting => return query::count(tx, entity, call),
        ("GET", None) if entity.filter_mode == "function_parameters" => functions::answer(tx, entity, call)?,
        ("GET", None) => query::list(tx, entity, call)?,
        ("GET", Some(key)) => {
            let key = plain_key(&key)?;
            let shape = query::Shape::of(call, entity)?;
            let row = tx.get(&entity.table, &key).ok_or_else(not_found)?.clone();
            Reply::json(200, &json!({"d": query::render(tx, entity, &row, &shape)}))
        }
        ("POST", None) => write::post(tx, entity, call)?,
        ("PUT", Some(key)) => return write::put(tx, entity, &plain_key(&key)?, call),
        ("DELETE", Some(key)) => return write::delete(tx, entity, &plain_key(&key)?),
        _ => return Err(not_found()),
    };
    if json_wanted {
        return Ok(reply);
    }
    match tx.switches.non_json_accept.as_str() {
        "406" => Err(Reply::empty(406)),
        _ => Ok(query::atom(reply)),
    }
}

/// The key out of an address: `guid'…'`, `'…'` or a number.
fn plain_key(text: &str) -> Result<String, Reply> {
    let values = filter::literals(text).ok_or_else(errors::syntax)?;
    match values.as_slice() {
        [filter::Val::Guid(key) | filter::Val::Text(key)] => Ok(key.clone()),
        [filter::Val::Num(key)] => Ok(key.to_string()),
        _ => Err(errors::syntax()),
    }
}

impl System for ExactOnline {
    fn endpoint(&self, call: &Call) -> String {
        let segments = call.segments();
        match segments.as_slice() {
            [api, v1, _, rest @ ..] if api == "api" && v1 == "v1" => {
                let path = rest.join("/");
                let path = path.trim_end_matches("/$count");
                let path = path.split('(').next().unwrap_or_default();
                let known = metadata().find(path).or_else(|| metadata().find(&format!("current/{path}")));
                known.map_or_else(|| path.to_owned(), |entity| entity.path.clone())
            }
            [_, oauth, word] if oauth == "oauth2" => format!("oauth2/{word}"),
            other => other.join("/"),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let reply = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/api/oauth2/auth") => oauth::authorize(&mut inner.store, &inner.switches, call, now),
            ("POST", "/api/oauth2/token") => oauth::token(&mut inner.store, &inner.switches, call, now),
            (_, path) if path.starts_with("/api/v1/") => self.api(inner, call, now),
            _ => {
                let known = oauth::check(&mut inner.store, call, now).is_ok();
                let (division, site) = (DIVISION.into(), self.site.as_str());
                let tx = Tx { store: &mut inner.store, switches: &inner.switches, division, site, now };
                shown::answer(&tx, call, known).unwrap_or_else(|| Reply::empty(404))
            }
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
        let reply = match (call.method.as_str(), path) {
            ("POST", ["authorise"]) => {
                let chain = uuid::Uuid::new_v4().to_string();
                Reply::json(200, &oauth::issue(&mut inner.store, &inner.switches, &chain, now))
            }
            ("POST", ["limits", "reset"]) => {
                inner.limits.clear();
                Reply::empty(204)
            }
            ("POST", ["limits", "spend"]) => inspect::with_body(call, |body| {
                let calls = body.get("calls").and_then(Value::as_i64).ok_or("limits: calls (a number) is missing")?;
                let division = body.get("division").and_then(Value::as_str).unwrap_or(DIVISION);
                inner.limits.spend(division, calls, now);
                Ok(Reply::empty(204))
            }),
            ("POST", ["rows", path @ ..]) => inspect::with_body(call, |body| {
                let name = path.join("/");
                let entity = metadata().find(&name).ok_or_else(|| format!("no resource \"{name}\""))?;
                let mut tx = Tx {
                    store: &mut inner.store,
                    switches: &inner.switches,
                    division: DIVISION.into(),
                    site: &self.site,
                    now,
                };
                write::insert_raw(&mut tx, entity, body)
            }),
            ("POST", ["stock"]) => {
                let (division, site) = (DIVISION.into(), self.site.as_str());
                let mut tx = Tx { store: &mut inner.store, switches: &inner.switches, division, site, now };
                inspect::with_body(call, |body| stock::insert(&mut tx, body))
            }
            ("POST", ["generate"]) => {
                let (division, site) = (DIVISION.into(), self.site.as_str());
                let mut tx = Tx { store: &mut inner.store, switches: &inner.switches, division, site, now };
                inspect::with_body(call, |body| catalogue::generate(&mut tx, &body))
            }
            ("POST", ["catalogue"]) => {
                let (division, site) = (DIVISION.into(), self.site.as_str());
                catalogue::seeds(&mut Tx { store: &mut inner.store, switches: &inner.switches, division, site, now })
            }
            ("POST", ["move"]) => {
                let (division, site) = (DIVISION.into(), self.site.as_str());
                stock::move_company(&mut Tx { store: &mut inner.store, switches: &inner.switches, division, site, now })
            }
            // Gone without the rules that an API call is held to, as when a person removed it; the feed tells it.
            ("DELETE", ["rows", path @ .., key]) => {
                let (division, site) = (DIVISION.into(), self.site.as_str());
                let mut tx = Tx { store: &mut inner.store, switches: &inner.switches, division, site, now };
                let key = key.to_lowercase();
                let found = metadata().find(&path.join("/")).filter(|entity| tx.get(&entity.table, &key).is_some());
                if let Some(entity) = found {
                    tx.remove(&entity.table, &key);
                    if entity.table == "logistics/Items" {
                        rules::item_gone(&mut tx, &key);
                    }
                }
                Reply::empty(if found.is_some() { 204 } else { 404 })
            }
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

    /// By full name, by path below the division, or by the last part alone.
    fn table(&self, name: &str) -> Option<Vec<Value>> {
        let inner = lock(&self.inner);
        let full = inner.store.tables().into_iter().find(|table| {
            table.eq_ignore_ascii_case(name)
                || table.to_lowercase().ends_with(&format!("/{}", name.to_lowercase())) && table.starts_with(DIVISION)
        });
        let known = full.or_else(|| metadata().known(name).then(String::new))?;
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
