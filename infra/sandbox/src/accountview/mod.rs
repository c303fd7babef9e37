//! Stand-in of AccountView through the AccountView.Net web API: consent, tokens, and one installation with two
//! administrations, driven by a data dictionary.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Europe::Amsterdam;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::host::System;
use crate::inspect;
use crate::message::{Call, Reply};
use crate::registry::Start;
use crate::state::Store;
use crate::{SandboxError, lock};

mod catalogue;
mod dictionary;
mod errors;
mod filter;
mod oauth;
mod read;
mod rules;
mod seeds;
mod switches;
mod system;
mod values;
mod write;

pub use oauth::{CLIENT_ID, CLIENT_SECRET, READ_SCOPE, REDIRECT_URI};
pub use switches::Switches;

use dictionary::{Dictionary, Object};
use errors::{Refusal, unknown_object};

/// The id of the company with data; its code is `KOP`.
pub const COMPANY: &str = "10021";
/// The id of a company without data; its code is `TWE`.
pub const OTHER_COMPANY: &str = "10022";

struct Inner {
    store: Store,
    switches: Switches,
}

/// The stand-in.
pub struct AccountView {
    inner: Mutex<Inner>,
    clock: Clock,
}

/// Starts the stand-in.
pub fn build(start: Start<'_>) -> Result<Arc<dyn System>, SandboxError> {
    let opened = Store::open(start.folder, "accountview", &[]);
    let store = opened.map_err(|source| SandboxError::state(start.folder.unwrap_or("memory".as_ref()), source))?;
    let stored = store.get("_switches", "all").and_then(|row| serde_json::from_value(row.clone()).ok());
    let is_new = store.is_empty();
    let books =
        AccountView { inner: Mutex::new(Inner { store, switches: stored.unwrap_or_default() }), clock: start.clock };
    if let Some(values) = start.switches {
        books.set_switches(values).map_err(|error| SandboxError::Settings(format!("accountview: {error}")))?;
    }
    if is_new {
        books.reset().map_err(SandboxError::Settings)?;
    }
    Ok(Arc::new(books))
}

/// One request at work.
struct Tx<'a> {
    store: &'a mut Store,
    switches: &'a Switches,
    dictionary: &'static Dictionary,
    company: String,
    now: DateTime<Utc>,
}

impl Tx<'_> {
    fn table(&self, name: &str) -> String {
        format!("{}/{name}", self.company)
    }

    /// An object that the user has rights for.
    fn object(&self, code: &str) -> Result<&'static Object, Refusal> {
        let object = self.dictionary.object(code).ok_or_else(|| unknown_object(code))?;
        if self.switches.forbidden_objects.contains(&object.code) {
            return Err(Refusal::new(format!("U heeft geen rechten voor '{}'.", object.code)));
        }
        Ok(object)
    }

    /// Today on the clock of the installation.
    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&Amsterdam).date_naive()
    }

    /// There are books for the year of this date.
    fn book_year(&self, date: &str) -> Result<(), Refusal> {
        let day = values::day(date).ok_or_else(|| Refusal::new(format!("Boekdatum '{date}' is ongeldig.")))?;
        let last = self.switches.last_book_year.unwrap_or(i32::MAX);
        if (self.switches.first_book_year..=last).contains(&day.year()) {
            return Ok(());
        }
        Err(Refusal::new(format!("Er is geen administratie voor boekjaar {}.", day.year())))
    }

    /// The day lies in a year with books and in no closed period.
    fn open_day(&self, date: &str) -> Result<(), Refusal> {
        self.book_year(date)?;
        let closed = self.switches.closed_until.as_deref().and_then(|day| day.parse::<NaiveDate>().ok());
        if values::day(date) <= closed && closed.is_some() {
            return Err(Refusal::new("De periode is afgesloten."));
        }
        Ok(())
    }

    fn record_id(&mut self) -> String {
        format!("R{:09}", self.store.next_number("record", 1))
    }

    /// Stores a row and stamps it, as far as its table has fields for that.
    fn put(&mut self, table: &str, key: &str, mut fields: write::Fields) {
        let known = self.dictionary.table(table);
        let has = |name: &str| known.is_some_and(|table| table.field(name).is_some());
        let now = self.now.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S").to_string();
        if has("INP_DATE") && !fields.contains_key("INP_DATE") {
            fields.insert("INP_DATE".into(), json!(now));
        }
        if has("CNG_DATE") {
            fields.insert("CNG_DATE".into(), json!(now));
        }
        if has("CNG_NR") {
            let next = fields.get("CNG_NR").and_then(Value::as_i64).unwrap_or_default() + 1;
            fields.insert("CNG_NR".into(), json!(next));
        }
        let table = self.table(table);
        self.store.put(&table, key, Value::Object(fields));
    }
}

/// The path in lower case: it is compared without case.
fn path_of(call: &Call) -> String {
    call.segments().join("/").to_lowercase()
}

impl AccountView {
    fn api(inner: &mut Inner, call: &Call, path: &str, now: DateTime<Utc>) -> Reply {
        let Inner { store, switches } = inner;
        let switches: &Switches = switches;
        let scope = match oauth::check(store, switches, call, now) {
            Ok(scope) => scope,
            Err(reply) => return reply,
        };
        if path == "companies" && call.method == "GET" {
            return Reply::json(200, &Value::Array(store.rows("_companies").cloned().collect()));
        }
        let refuse = |refusal: &Refusal| refusal.reply(switches);
        let company = call.header("x-company").unwrap_or_default().trim().to_owned();
        if store.get("_companies", &company).is_none() {
            return refuse(&Refusal::new(format!("Onderneming '{company}' is niet gevonden.")));
        }
        if switches.backend_offline {
            return Reply::typed(503, "text/plain", "The AccountView server is not reachable.");
        }
        let write = call.method != "GET";
        if write && switches.write_scope.as_deref().is_some_and(|wanted| !scope.split(' ').any(|one| one == wanted)) {
            return Reply::empty(403);
        }
        if write && !call.header("content-type").is_some_and(|kind| kind.to_lowercase().contains("application/json")) {
            return Reply::empty(415);
        }
        let dictionary = dictionary::dictionary(&switches.dictionary, switches.sales_invoices);
        let mut tx = Tx { store: &mut *store, switches, dictionary, company, now };
        let done = match (call.method.as_str(), path) {
            ("GET", "accountviewdata") => read::answer(&tx, call),
            ("GET", "accountviewsystemdata") => system::data(&tx, call),
            ("GET", "accountviewsystembusinessobjects") => system::objects(&tx),
            ("POST", "accountviewdata") => write::post(&mut tx, call),
            ("PUT", "accountviewdata") => write::put(&mut tx, call),
            ("DELETE", "accountviewdata") => return Reply::empty(405),
            _ => return Reply::empty(404),
        };
        done.unwrap_or_else(|refusal| {
            store.rollback();
            refusal.reply(switches)
        })
    }

    /// Runs `work` on the company with data.
    fn tx<T>(&self, inner: &mut Inner, work: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        let Inner { store, switches } = inner;
        let dictionary = dictionary::dictionary(&switches.dictionary, switches.sales_invoices);
        work(&mut Tx { store, switches, dictionary, company: COMPANY.into(), now: self.clock.now() })
    }
}

impl System for AccountView {
    fn endpoint(&self, call: &Call) -> String {
        let path = path_of(call);
        let path = path.strip_prefix("api/v3/").unwrap_or(&path);
        let object = match call.method.as_str() {
            "GET" => filter::param(&call.pairs(), "BusinessObject").map(str::to_owned),
            _ if path == "accountviewdata" => call.json().ok().map(|body| write::object_of(&body).to_owned()),
            _ => None,
        };
        match (path, object) {
            ("accountviewdata", Some(object)) => object.to_uppercase(),
            ("accountviewsystemdata", Some(object)) => format!("system/{}", object.to_lowercase()),
            (path, _) => path.to_owned(),
        }
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let now = self.clock.now();
        let path = path_of(call);
        let reply = match (call.method.as_str(), path.as_str()) {
            ("GET", "ams/authorize.aspx") => oauth::authorize(&mut inner.store, &inner.switches, call, now),
            ("POST", "api/v3/token") => oauth::token(&mut inner.store, &inner.switches, call, now),
            (_, path) => match path.strip_prefix("api/v3/") {
                Some(path) => Self::api(inner, call, path, now),
                None => Reply::empty(404),
            },
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
                let scope = match &inner.switches.write_scope {
                    Some(write) => format!("{READ_SCOPE} {write}"),
                    None => READ_SCOPE.to_owned(),
                };
                Reply::json(200, &oauth::issue(&mut inner.store, &inner.switches, &scope, None, now))
            }
            ("POST", ["catalogue"]) => self.tx(inner, catalogue::seeds),
            ("POST", ["generate"]) => {
                inspect::with_body(call, |body| self.tx(inner, |tx| catalogue::generate(tx, &body)))
            }
            ("POST", ["stock"]) => inspect::with_body(call, |body| self.tx(inner, |tx| catalogue::stock(tx, body))),
            // What a person types in, without any rule.
            ("POST", ["rows", table, key]) => inspect::with_body(call, |body| {
                self.tx(inner, |tx| {
                    let known = tx.dictionary.table(table).ok_or_else(|| format!("no table \"{table}\""))?;
                    for name in body.as_object().ok_or("a row is an object")?.keys() {
                        known.field(name).ok_or_else(|| format!("{table} has no field \"{name}\""))?;
                    }
                    if !seeds::merge(tx, &known.name, key, body.clone()) {
                        seeds::row(tx, &known.name, key, body);
                    }
                    Ok(Reply::empty(204))
                })
            }),
            ("DELETE", ["rows", table, key]) => {
                let gone = inner.store.delete(&format!("{COMPANY}/{}", table.to_uppercase()), key);
                Reply::empty(if gone.is_some() { 204 } else { 404 })
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

    /// By full name, or by the name of the table in the company with data.
    fn table(&self, name: &str) -> Option<Vec<Value>> {
        let inner = lock(&self.inner);
        let dictionary = dictionary::dictionary(&inner.switches.dictionary, inner.switches.sales_invoices);
        let full = match name.contains('/') || name.starts_with('_') {
            true => name.to_owned(),
            false => format!("{COMPANY}/{}", dictionary.table(name)?.name),
        };
        Some(inner.store.rows(&full).cloned().collect())
    }

    fn switches(&self) -> Value {
        json!(lock(&self.inner).switches)
    }

    fn set_switches(&self, values: &Value) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        let merged = crate::text::merged(&json!(inner.switches), values)?;
        let switches: Switches =
            serde_json::from_value(merged.clone()).map_err(|error| format!("switches: {error}"))?;
        switches.check()?;
        let moved = switches.dictionary != inner.switches.dictionary;
        inner.switches = switches;
        if moved {
            refill(inner, self.clock.now())?;
        }
        inner.store.put("_switches", "all", merged);
        inner.store.commit().map_err(|error| error.to_string())
    }

    fn reset(&self) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        inner.store.clear().map_err(|error| error.to_string())?;
        refill(inner, self.clock.now())?;
        let switches = json!(inner.switches);
        inner.store.put("_switches", "all", switches);
        inner.store.commit().map_err(|error| error.to_string())
    }
}

/// Another installation has other tables: its rows begin anew, tokens stay.
fn refill(inner: &mut Inner, now: DateTime<Utc>) -> Result<(), String> {
    for table in inner.store.tables().into_iter().filter(|name| !name.starts_with('_')) {
        let keys: Vec<String> = inner.store.entries(&table).map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            inner.store.delete(&table, &key);
        }
    }
    seeds::fill(&mut inner.store, &inner.switches, now);
    Ok(())
}
