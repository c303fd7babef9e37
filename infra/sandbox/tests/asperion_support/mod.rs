//! A client of Asperion with a token of its own.
// Each test file uses a part of it; a helper of tests may panic as tests do.
#![allow(dead_code, clippy::unwrap_used)]

use koppel_sandbox::{Handle, Options, Sandbox, asperion};
use serde_json::{Value, json};

pub struct Books {
    pub client: reqwest::Client,
    pub sandbox: Handle,
    pub token: String,
}

/// The body as JSON.
pub async fn json_of(answer: reqwest::Response) -> Value {
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Books {
    /// Books with these switches; no limit unless they set one.
    pub async fn open(switches: Value) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut all = json!({"minute_limit": null});
        for (name, value) in switches.as_object().unwrap() {
            all[name] = value.clone();
        }
        let options = Options::default().switch("asperion", all).start_time("2026-11-25T12:00:00Z".parse().unwrap());
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (_, tokens) = sandbox.asperion().inspect("POST", "authorise", &json!({}));
        Self { client, token: tokens["access_token"].as_str().unwrap().to_owned(), sandbox }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.sandbox.asperion_url())
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url(path) };
        let request = self.client.request(method, url).bearer_auth(&self.token);
        request.header("X-Tenant-Id", asperion::ADMINISTRATION).header("Accept-Language", "en-US")
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.request(reqwest::Method::GET, path).send().await.unwrap();
        (answer.status().as_u16(), json_of(answer).await)
    }

    pub async fn rows(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{body}");
        body["_data"].as_array().unwrap().clone()
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.request(reqwest::Method::POST, path).json(body).send().await.unwrap();
        (answer.status().as_u16(), json_of(answer).await)
    }

    pub async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.request(reqwest::Method::PUT, path).json(body).send().await.unwrap();
        (answer.status().as_u16(), json_of(answer).await)
    }

    pub fn set(&self, switches: Value) {
        self.sandbox.asperion().set_switches(switches).unwrap();
    }
}

/// What is wrong with one field of a refused request.
pub fn told(answer: &(u16, Value), field: &str) -> String {
    answer.1["errors"][field][0].as_str().unwrap_or_else(|| panic!("{answer:?} has no {field}")).to_owned()
}
