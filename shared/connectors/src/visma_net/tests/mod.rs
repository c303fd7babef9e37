//! Tests of the connector: the calls it makes against a small server that holds each of them to the contract of the API,
//! the default rows, and the behaviour of the sandbox.

mod contract;
mod customers;
mod documents;
mod lists;
mod products;
mod rows;
mod sandbox;
mod search;
mod stock;
mod tokens;

use std::sync::{Arc, Mutex};

use koppel_core::NonEmpty;
use koppel_core::connection::Connection;
use koppel_core::ports::{Calls, FetchQuery};
use serde_json::{Value, json};

use super::VismaNet;
use crate::http::testing::server::{Reply, Seen, TestServer};
use crate::http::testing::{self, HandClock};

/// A connector on a server that answers as a test says. When it goes away, every call has kept the contract.
struct World {
    visma: VismaNet,
    server: TestServer,
    clock: Arc<HandClock>,
    calls: Calls,
    breaches: Arc<Mutex<Vec<String>>>,
}

impl World {
    async fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(json!({}), answer).await
    }

    async fn with(options: Value, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let breaches: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&breaches);
        let server = TestServer::start(move |seen| {
            if seen.path == "/connect/token" {
                return Reply::json(200, include_str!("../fixtures/token.json"));
            }
            noted.lock().unwrap().extend(contract::breaches(seen));
            answer(seen)
        })
        .await;
        let (clock, _, deps) = testing::world();
        let visma = VismaNet::new(&connection(&server.url, options), &deps).unwrap();
        Self { visma, server, clock, calls: Calls::default(), breaches }
    }

    /// What was asked since the last time, as `GET /v1/customer`; tokens apart.
    fn lines(&self) -> Vec<String> {
        let seen = self.server.take();
        seen.iter().filter(|seen| seen.path != "/connect/token").map(line).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let breaches = self.breaches.lock().unwrap();
            assert!(breaches.is_empty(), "against the contract: {breaches:#?}");
        }
    }
}

fn line(seen: &Seen) -> String {
    format!("{} {}", seen.method, seen.path)
}

fn connection(url: &str, options: Value) -> Connection {
    let mut all = json!({"url": url, "tenant_id": "company-1", "customer_class": "10", "credit_order_type": "CM"});
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    testing::connection("visma-net", all, &[("client_id", "client-id"), ("client_secret", "client-secret")])
}

fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

fn keys<const N: usize>(texts: [&str; N]) -> Vec<NonEmpty> {
    texts.map(key).to_vec()
}

/// A creation: nothing but the place.
fn created(location: &str) -> Reply {
    Reply { status: 201, ..Reply::default() }.header("Location", location)
}

/// A list of the ERP API with its count in every row.
fn counted(rows: Value, total: u64) -> Reply {
    let mut rows = rows;
    for row in rows.as_array_mut().unwrap() {
        row["metadata"] = json!({"totalCount": total, "maxPageSize": 1000});
    }
    Reply::json(200, rows)
}

fn query(entity: koppel_core::document::Entity, since: &str) -> FetchQuery {
    FetchQuery { entity, since: since.parse().unwrap(), page: None }
}
