//! Tests of the connector: the calls it makes against a small server that holds each of them to what is known of the API,
//! the default rows, and the behaviour of the sandbox.

mod contract;
mod customers;
mod orders;
mod reading;
mod rows;
mod sandbox;

use std::sync::{Arc, Mutex};

use koppel_core::NonEmpty;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use serde_json::{Value, json};

use super::Asperion;
use super::auth::token_keeper;
use crate::http::testing::server::{Reply, Seen, TestServer};
use crate::http::testing::{self, HandClock};

const ADMINISTRATION: u64 = 4711;

/// A connector with a token, on a server that answers as `answer` says.
struct World {
    asperion: Asperion,
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
        let found = Arc::clone(&breaches);
        let server = TestServer::start(move |seen| {
            if seen.path == "/connect/token" {
                let tokens =
                    json!({"access_token":"a-1","refresh_token":"r-1","expires_in":3600,"token_type":"Bearer"});
                return Reply::json(200, tokens);
            }
            found.lock().unwrap().extend(contract::breaches(seen));
            answer(seen)
        })
        .await;
        let (clock, _, deps) = testing::world();
        let connection = connection(&server.url, options);
        let calls = Calls::default();
        token_keeper(&connection, &deps).unwrap().exchange_code("code", &calls).await.unwrap();
        server.take();
        calls.take();
        let asperion = Asperion::new(&connection, &deps).unwrap();
        Self { asperion, server, clock, calls, breaches }
    }

    /// What was asked since the last time, as `GET debtors`.
    fn lines(&self) -> Vec<String> {
        self.server.take().iter().map(|seen| format!("{} {}", seen.method, path(seen))).collect()
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

fn connection(url: &str, options: Value) -> Connection {
    let mut all = json!({"administration":ADMINISTRATION,"url":url,"redirect_uri":"https://koppel.example/back","debtor_account":1300,
            "vat_account":1510});
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    testing::connection("asperion", all, &[("client_id", "client-id"), ("client_secret", "client-secret")])
}

/// The path below `/v1/`.
fn path(seen: &Seen) -> &str {
    seen.path.strip_prefix("/v1/").unwrap_or(&seen.path)
}

/// A last page.
fn list(rows: impl serde::Serialize) -> Reply {
    Reply::json(200, json!({"_data": rows, "_meta": {"administrationId": ADMINISTRATION, "nextPage": null}}))
}

fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

fn keys<const N: usize>(texts: [&str; N]) -> Vec<NonEmpty> {
    texts.map(key).to_vec()
}
