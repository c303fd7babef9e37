//! The stand-ins as a process of their own, so that their time is not counted as that of the chain.

use std::collections::BTreeMap;
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_sandbox::{Options, Sandbox, woocommerce};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::failed::Failed;

/// Orders put into the shop by one request: the request stays small.
const PORTION: usize = 250;

#[derive(Serialize, Deserialize)]
struct Ready {
    shop: String,
    books: String,
}

/// The child: serves without limits until standard input ends, so that it never outlives its parent.
pub async fn serve() -> Result<(), Failed> {
    let options = Options::default()
        .switch("exact-online", json!({"minute_limit": null, "day_limit": null, "single_access_token": false}));
    let handle = Sandbox::start(options).await.map_err(|error| Failed::StandIn(error.to_string()))?;
    let ready = Ready { shop: handle.woocommerce_url().to_owned(), books: handle.exact_online_url().to_owned() };
    println!("{}", serde_json::to_string(&ready)?);
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
    handle.stop().await;
    Ok(())
}

/// Calls that a stand-in has counted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counted {
    /// All.
    pub total: u64,
    /// `GET orders` → how often.
    pub by_endpoint: BTreeMap<String, u64>,
}

/// The running stand-ins. Dropping this ends them.
pub struct StandIns {
    /// Address of the shop.
    pub shop: String,
    /// Address of the books.
    pub books: String,
    client: reqwest::Client,
    _child: Child,
}

impl StandIns {
    /// Starts them.
    pub async fn start() -> Result<Self, Failed> {
        let program = std::env::current_exe().map_err(Failed::io("this program"))?;
        let mut child = Command::new(program)
            .arg("stand-ins")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(Failed::io("the process of the stand-ins"))?;
        let out = child.stdout.take().ok_or_else(|| Failed::StandIn("no output".into()))?;
        let line = BufReader::new(out).lines().next_line().await.map_err(Failed::io("the stand-ins"))?;
        let ready: Ready = serde_json::from_str(&line.unwrap_or_default())?;
        Ok(Self { shop: ready.shop, books: ready.books, client: reqwest::Client::new(), _child: child })
    }

    /// Puts `n` generated orders of 400 customers into the shop, changed on `day`.
    pub async fn add(&self, day: u64, n: usize) -> Result<(), Failed> {
        let body = json!({"seed": day, "n": n, "start": begin_of(day).to_rfc3339(), "step_seconds": 1});
        self.tell(&self.shop, "generate", &body).await.map(drop)
    }

    /// Puts `n` orders into the shop, each of a customer nobody has seen; every fifth is a company.
    pub async fn add_new(&self, n: usize) -> Result<(), Failed> {
        for first in (0..n).step_by(PORTION) {
            let portion = new_customers(first, PORTION.min(n - first));
            self.tell(&self.shop, "orders", &Value::Array(portion)).await?;
        }
        Ok(())
    }

    /// Forgets what was counted on both sides.
    pub async fn reset_counts(&self) -> Result<(), Failed> {
        for side in [&self.shop, &self.books] {
            self.tell(side, "calls/reset", &json!({})).await?;
        }
        Ok(())
    }

    /// What a side has counted.
    pub async fn counted(&self, side: &str) -> Result<Counted, Failed> {
        Ok(serde_json::from_value(self.ask(side, "calls").await?)?)
    }

    /// Asks the inspection door of a side.
    pub async fn ask(&self, side: &str, path: &str) -> Result<Value, Failed> {
        read(self.client.get(format!("{side}/_sandbox/{path}")).send().await?).await
    }

    /// Tells the inspection door of a side.
    pub async fn tell(&self, side: &str, path: &str, body: &Value) -> Result<Value, Failed> {
        read(self.client.post(format!("{side}/_sandbox/{path}")).body(body.to_string()).send().await?).await
    }
}

async fn read(answer: reqwest::Response) -> Result<Value, Failed> {
    let (status, body) = (answer.status(), answer.bytes().await?);
    if !status.is_success() {
        return Err(Failed::StandIn(format!("{status}: {}", String::from_utf8_lossy(&body))));
    }
    if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) }
}

/// When the orders of a day begin. Days lie two apart, so that a run can read those of one day alone.
pub fn begin_of(day: u64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_780_272_000, 0).unwrap_or_default();
    start + TimeDelta::days(2 * i64::try_from(day).unwrap_or_default())
}

/// Generated orders with a customer of their own each; `first` is the number of the first one.
fn new_customers(first: usize, n: usize) -> Vec<Value> {
    let mut orders = woocommerce::generate_orders(first as u64 + 1, n);
    for (order, at) in orders.iter_mut().zip(first..) {
        let id = 1_000_000 + at;
        order["id"] = json!(id);
        order["number"] = json!(id.to_string());
        order["customer_id"] = json!(20_000 + at);
        order["billing"]["email"] = json!(format!("new{at}@example.test"));
        for part in ["billing", "shipping"] {
            order[part]["last_name"] = json!(format!("de Nieuwe {at}"));
            order[part]["address_1"] = json!(format!("Nieuwstraat {at}"));
            if order[part]["company"].as_str().is_some_and(|company| !company.is_empty()) {
                order[part]["company"] = json!(format!("Nieuw {at} BV"));
            }
        }
    }
    orders
}
