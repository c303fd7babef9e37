//! Documented payloads through the connector: rows, calls, limits, and what is written.

use std::sync::Arc;

use koppel_core::connection::Connection;
use koppel_core::document::Entity;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchQuery, Source};
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::{Value, json};

use super::CcvShopSource;
use super::auth::Keys;
use crate::http::Deps;
use crate::http::testing::server::{Reply, Seen};
use crate::http::testing::{self, MarkingVault, MemoryStore};

mod calls;
mod doctor;
mod hooks;
mod orders;
mod products;
mod rows;
mod sandbox;
mod target;

const SECRETS: [(&str, &str); 2] = [("public_key", "test_public"), ("secret_key", "test_secret")];

fn connection(url: &str, mut options: Value) -> Connection {
    options["url"] = json!(url);
    testing::connection("ccv-shop", options, &SECRETS)
}

fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

/// Path and query of a request as the shop sees it.
fn address(seen: &Seen) -> String {
    let pairs: Vec<String> = seen
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", crate::http::request::encode(name), crate::http::request::encode(value)))
        .collect();
    if pairs.is_empty() { seen.path.clone() } else { format!("{}?{}", seen.path, pairs.join("&")) }
}

/// An answer signed as the shop signs it.
fn signed(seen: &Seen, status: u16, body: &str) -> Reply {
    let keys = Keys::of(&connection("http://x", json!({}))).unwrap();
    let date = "2026-11-22T06:00:00Z";
    let hash = keys.sign(&seen.method, &address(seen), body.as_bytes(), date);
    Reply::json(status, body).header("x-date", date).header("x-hash", hash)
}

/// A page of a list.
fn page(seen: &Seen, all: &[Value]) -> Reply {
    let (start, size) = (seen.number("start"), seen.number("size"));
    let items: Vec<&Value> = all.iter().skip(start).take(size).collect();
    let next =
        (start + size < all.len()).then(|| format!("http://shop.test{}?start={}&size={size}", seen.path, start + size));
    signed(seen, 200, &json!({ "start": start, "size": size, "items": items, "next": next }).to_string())
}

fn error(status: u16, code: &str) -> Reply {
    Reply::json(status, json!({ "status": status, "code": code, "developermessage": "No." }))
}

/// The time of the sandbox, for the connector.
struct SandboxClock(koppel_sandbox::Clock);

impl koppel_core::ports::Clock for SandboxClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

/// A sandbox, and what a connector needs to speak to it.
struct World {
    sandbox: Handle,
    deps: Deps,
    connection: Connection,
    calls: Calls,
}

impl World {
    async fn new(switches: Value, options: Value) -> Self {
        let ports = Options { ports: [("ccv-shop".to_owned(), 0)].into(), ..Options::default() };
        let start = ports.start_time("2026-11-23T10:00:00Z".parse().unwrap()).switch("ccv-shop", switches);
        let sandbox = Sandbox::start(start).await.unwrap();
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let deps = Deps { store: Arc::new(MemoryStore::new(clock.clone())), vault: Arc::new(MarkingVault), clock };
        let mut connection = connection(sandbox.ccv_shop_url(), options);
        let pair = koppel_sandbox::ccv_shop::keys()[0];
        connection.secrets.insert("public_key".into(), pair.public.into());
        connection.secrets.insert("secret_key".into(), pair.secret.into());
        Self { sandbox, deps, connection, calls: Calls::default() }
    }

    fn source(&self) -> CcvShopSource {
        CcvShopSource::new(&self.connection, &self.deps).unwrap()
    }

    /// A reader with other options.
    fn source_with(&self, options: Value) -> CcvShopSource {
        let mut connection = self.connection.clone();
        connection.options.extend(options.as_object().cloned().unwrap());
        CcvShopSource::new(&connection, &self.deps).unwrap()
    }

    fn forward(&self, seconds: i64) {
        self.sandbox.clock().advance(chrono::Duration::seconds(seconds));
    }

    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.sandbox.clock().now()
    }
}

/// Reads all pages of an entity, waiting as the chain would when the calls of a minute are used up.
async fn read_all(
    source: &CcvShopSource,
    entity: Entity,
    since: &str,
    calls: &Calls,
    wait: impl Fn(std::time::Duration),
) -> Vec<SourceRecord> {
    let mut query = FetchQuery { entity, since: since.parse().unwrap(), page: None };
    let mut records = Vec::new();
    for _ in 0..1_000 {
        let page = match source.fetch_page(&query, calls).await {
            Ok(page) => page,
            Err(Failure::Retry { after: Some(after), .. }) => {
                wait(after);
                continue;
            }
            Err(failure) => panic!("{failure:?}"),
        };
        records.extend(page.records);
        query.page = page.next;
        if query.page.is_none() {
            return records;
        }
    }
    panic!("the list never ended");
}
