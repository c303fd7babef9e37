//! Tests of the connector: the calls it makes against a small server that holds each of them to the vendor's metadata,
//! the default rows, and the behaviour of the sandbox.

mod account_source;
mod contract;
mod customers;
mod items;
mod lists;
mod orders;
mod products;
mod rows;
mod sandbox;
mod server;
mod stock;
mod tokens;

use std::sync::Arc;

use koppel_core::NonEmpty;
use koppel_core::ports::Calls;
use serde_json::{Value, json};

use super::ExactOnline;
use super::auth::token_keeper;
use crate::http::testing::{self, HandClock};
use server::{Reply, Seen, Server};

const DIVISION: &str = "1234567";

/// A connector with a token, on a server that answers as `answer` says.
struct World {
    exact: ExactOnline,
    server: Server,
    clock: Arc<HandClock>,
    calls: Calls,
}

impl World {
    async fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(json!({}), answer).await
    }

    async fn with(options: Value, answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let server = Server::start(move |seen| {
            if seen.path == "/api/oauth2/token" {
                return Reply::json(200, include_str!("../fixtures/token.json"));
            }
            answer(seen)
        })
        .await;
        let (clock, _, deps) = testing::world();
        let connection = connection(&server.url, options);
        let calls = Calls::default();
        token_keeper(&connection, &deps).unwrap().exchange_code("code", &calls).await.unwrap();
        server.take();
        calls.take();
        Self { exact: ExactOnline::new(&connection, &deps).unwrap(), server, clock, calls }
    }
}

fn connection(url: &str, options: Value) -> koppel_core::connection::Connection {
    let mut all = json!({"country":"nl","division":DIVISION,"url":url,"redirect_uri":"https://koppel.example/back"});
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    testing::connection("exact-online", all, &[("client_id", "client-id"), ("client_secret", "client-secret")])
}

fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

fn keys<const N: usize>(texts: [&str; N]) -> Vec<NonEmpty> {
    texts.map(key).to_vec()
}

/// `{"d":{"results":[…]}}`
fn list(rows: impl serde::Serialize) -> Reply {
    Reply::json(200, &json!({"d":{"results":rows}}).to_string())
}

/// A GUID that ends in this number.
fn guid(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
