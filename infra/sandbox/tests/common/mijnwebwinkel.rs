//! A client of the MijnWebwinkel shop.
// Each test file uses a part of it; a helper of tests may panic as tests do.
#![allow(dead_code, clippy::unwrap_used)]

use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_TOKEN};
use koppel_sandbox::{Handle, Inspector, Options, Sandbox};
use serde_json::Value;

use super::common::{client, json_of};

pub struct Store {
    pub client: reqwest::Client,
    pub sandbox: Handle,
}

impl Store {
    /// A shop with these switches.
    pub async fn open(switches: Value) -> Self {
        let sandbox = Sandbox::start(Options::default().switch("mijnwebwinkel", switches)).await.unwrap();
        Self { client: client(), sandbox }
    }

    pub fn inspector(&self) -> Inspector {
        self.sandbox.system("mijnwebwinkel").unwrap()
    }

    pub fn switch(&self, values: Value) {
        self.inspector().set_switches(values).unwrap();
    }

    fn url(&self, path: &str) -> String {
        let sign = if path.contains('?') { '&' } else { '?' };
        let base = self.sandbox.url("mijnwebwinkel");
        format!("{base}/v1/{path}{sign}token={STORE_TOKEN}&partner_token={PARTNER_TOKEN}")
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }

    /// What a GET that works answers.
    pub async fn value(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        let status = answer.status();
        let value = json_of(answer).await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    pub async fn list(&self, path: &str) -> Vec<Value> {
        self.value(path).await.as_array().unwrap().clone()
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> reqwest::Response {
        self.client.request(method.parse().unwrap(), self.url(path)).json(body).send().await.unwrap()
    }

    /// What a write that works answers.
    pub async fn made(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.send(method, path, &body).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Status and description of a write that does not.
    pub async fn denied(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        told(self.send(method, path, &body).await).await
    }

    /// Status and description of a GET that does not.
    pub async fn refused(&self, path: &str) -> (u16, String) {
        told(self.get(path).await).await
    }
}

async fn told(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body = json_of(answer).await;
    (status, body["description"].as_str().unwrap_or_default().to_owned())
}

/// One field of all rows.
pub fn names(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|row| row[field].as_str().map_or_else(|| row[field].to_string(), str::to_owned)).collect()
}
