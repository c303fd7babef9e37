//! What the tests share: a client of the shop, and one of the books.
// Each test file uses a part of it; a helper of tests may panic as tests do.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use base64::Engine as _;
use koppel_sandbox::woocommerce::Key;
use koppel_sandbox::{Handle, Options, Sandbox, ccv_shop, exact_online};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::{Value, json};

/// A client; the crypto provider is set once for the process.
pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// A client that trusts this authority only.
pub fn client_with_ca(pem: &[u8]) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(pem).unwrap();
    reqwest::Client::builder().tls_certs_only([ca]).build().unwrap()
}

/// The body as JSON.
pub async fn json_of(answer: reqwest::Response) -> Value {
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A client of the shop.
pub struct Shop {
    pub client: reqwest::Client,
    pub key: Key,
    base: String,
    clock: koppel_sandbox::Clock,
}

impl Shop {
    pub fn new(sandbox: &Handle) -> Self {
        Self {
            client: client(),
            key: koppel_sandbox::woocommerce::keys()[0],
            base: format!("{}/wp-json/wc/v3", sandbox.woocommerce_url()),
            clock: sandbox.clock().clone(),
        }
    }

    pub fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).basic_auth(self.key.key, Some(self.key.secret)).send().await.unwrap()
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> Result<reqwest::Response, reqwest::Error> {
        self.client.post(self.url(path)).basic_auth(self.key.key, Some(self.key.secret)).json(body).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.try_post(path, body).await.unwrap()
    }

    pub async fn put(&self, path: &str, body: &Value) -> reqwest::Response {
        self.client.put(self.url(path)).basic_auth(self.key.key, Some(self.key.secret)).json(body).send().await.unwrap()
    }

    /// A GET whose query is signed: `sign` gets the parameters and gives them back with the signature.
    pub async fn get_with(
        &self,
        path: &str,
        sign: impl FnOnce(Vec<(String, String)>) -> Vec<(String, String)>,
    ) -> reqwest::Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = sign(koppel_sandbox::message::pairs(query));
        let query = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
            .collect::<Vec<_>>()
            .join("&");
        self.client.get(format!("{}?{query}", self.url(path))).send().await.unwrap()
    }
}

/// A shop where Basic counts.
pub async fn open_shop() -> (Handle, Shop) {
    let sandbox = Sandbox::start(Options::default().switch("woocommerce", json!({"behind_tls": true}))).await.unwrap();
    let shop = Shop::new(&sandbox);
    (sandbox, shop)
}

pub fn percent(text: &str) -> String {
    const SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, SET).to_string()
}

/// Signs parameters as OAuth 1.0a has it.
pub fn oauth(
    key: &Key,
    method: &str,
    url: &str,
    mut params: Vec<(String, String)>,
    algorithm: &str,
    nonce: &str,
    stamp: i64,
) -> Vec<(String, String)> {
    for (name, value) in [
        ("oauth_consumer_key", key.key.to_owned()),
        ("oauth_timestamp", stamp.to_string()),
        ("oauth_nonce", nonce.to_owned()),
        ("oauth_signature_method", algorithm.to_owned()),
    ] {
        params.push((name.into(), value));
    }
    let mut counter = 0;
    let mut encoded: Vec<String> = params
        .iter()
        .map(|(name, value)| {
            let name = match name.strip_suffix("[]") {
                Some(stem) => {
                    counter += 1;
                    format!("{stem}[{}]", counter - 1)
                }
                None => name.clone(),
            };
            format!("{}={}", percent(&name), percent(value))
        })
        .collect();
    encoded.sort();
    let base = format!("{method}&{}&{}", percent(url), percent(&encoded.join("&")));
    let kind = if algorithm == "HMAC-SHA1" { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { hmac::HMAC_SHA256 };
    let tag = hmac::sign(&hmac::Key::new(kind, format!("{}&", key.secret).as_bytes()), base.as_bytes());
    params.push(("oauth_signature".into(), base64::engine::general_purpose::STANDARD.encode(tag)));
    params
}

/// A client of the books with a token of its own.
pub struct Books {
    pub client: reqwest::Client,
    pub sandbox: Arc<Handle>,
    pub token: String,
}

impl Books {
    /// Books with these switches.
    pub async fn open(switches: Value) -> Self {
        Self::with(Options::default().switch("exact-online", switches)).await
    }

    pub async fn with(options: Options) -> Self {
        let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
        let (_, tokens) = sandbox.exact().inspect("POST", "authorise", &json!({}));
        Self { client: client(), sandbox, token: tokens["access_token"].as_str().unwrap().to_owned() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{}/{path}", self.sandbox.exact_online_url(), exact_online::DIVISION)
    }

    pub fn request(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url).bearer_auth(&self.token).header("Accept", "application/json")
    }

    /// A list with options that are encoded here.
    pub async fn get(&self, path: &str, options: &[(&str, &str)]) -> reqwest::Response {
        self.request(reqwest::Method::GET, &self.url(path)).query(options).send().await.unwrap()
    }

    /// Rows of a list, whatever its shape.
    pub async fn rows(&self, path: &str, options: &[(&str, &str)]) -> Vec<Value> {
        let body = json_of(self.get(path, options).await).await;
        let d = &body["d"];
        d.as_array().or_else(|| d["results"].as_array()).unwrap_or_else(|| panic!("{body}")).clone()
    }

    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        self.request(reqwest::Method::POST, &self.url(path)).json(body).send().await.unwrap()
    }

    pub async fn put(&self, path: &str, body: &Value) -> reqwest::Response {
        self.request(reqwest::Method::PUT, &self.url(path)).json(body).send().await.unwrap()
    }

    /// Status and message of an error.
    pub async fn refusal(answer: reqwest::Response) -> (u16, String) {
        let status = answer.status().as_u16();
        (status, json_of(answer).await["error"]["message"]["value"].as_str().unwrap_or_default().to_owned())
    }

    /// GUID of a row by its code.
    pub fn id(&self, path: &str, code: &str) -> String {
        let rows = self.sandbox.exact().documents(path);
        let row = rows.iter().find(|row| row["Code"] == code).unwrap_or_else(|| panic!("no {path} {code}"));
        row["ID"].as_str().unwrap().to_owned()
    }
}

/// An answer of CCV Shop, read whole; of a 2xx the signature was checked.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Code of an error, "" when it is none.
    pub fn code(&self) -> String {
        if self.text.is_empty() { String::new() } else { self.json()["code"].as_str().unwrap_or_default().to_owned() }
    }

    pub fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no list: {}", self.text)).clone()
    }
}

/// A client of CCV Shop.
pub struct Ccv {
    pub client: reqwest::Client,
    pub sandbox: Arc<Handle>,
    pub key: ccv_shop::Key,
}

impl Ccv {
    /// A shop with these switches, at a time when no minute ends.
    pub async fn open(switches: Value) -> Self {
        Self::with(Options::default().switch("ccv-shop", switches)).await
    }

    pub async fn with(mut options: Options) -> Self {
        options.ports = [("ccv-shop".to_owned(), 0)].into();
        let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
        sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
        Self { client: client(), sandbox, key: ccv_shop::keys()[0] }
    }

    pub fn date(&self) -> String {
        self.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// A request that is signed as asked; the path goes below the root of the shop.
    pub async fn raw(&self, method: &str, uri: &str, body: Option<&[u8]>, headers: &[(&str, &str)]) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{uri}", self.sandbox.ccv_shop_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>, more: &[(&str, &str)]) -> Answer {
        let uri = format!("/api/rest/v1/{path}");
        let body = body.map(|body| body.to_string().into_bytes());
        let date = self.date();
        let sent = body.clone().unwrap_or_default();
        let hash = ccv_shop::signature(&self.key, method, &uri, &sent, &date);
        let mut headers = vec![("x-public", self.key.public), ("x-date", date.as_str()), ("x-hash", hash.as_str())];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        headers.extend(more);
        let answer = self.raw(method, &uri, body.as_deref(), &headers).await;
        if (200..300).contains(&answer.status) && !self.sandbox.ccv_shop().switches()["response_signature"].eq("none") {
            let date = answer.headers["x-date"].to_str().unwrap();
            let hash = ccv_shop::signature(&self.key, method, &uri, answer.text.as_bytes(), date);
            assert_eq!(answer.headers["x-hash"].to_str().unwrap(), hash, "the answer is signed");
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, Some(body), &[]).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, Some(body), &[]).await
    }

    pub fn switch(&self, values: Value) {
        self.sandbox.ccv_shop().set_switches(values).unwrap();
    }
}
/// A client of Visma.net with a token of its own.
pub struct Visma {
    pub client: reqwest::Client,
    pub sandbox: Arc<Handle>,
    pub token: String,
}

impl Visma {
    /// With these switches, and without a limit on calls unless they set one.
    pub async fn open(mut switches: Value) -> Self {
        if switches.get("hourly_limit").is_none() {
            switches["hourly_limit"] = Value::Null;
        }
        Self::with(Options::default().switch("visma-net", switches)).await
    }

    pub async fn with(options: Options) -> Self {
        let sandbox = Arc::new(Sandbox::start(options).await.unwrap());
        let (_, token) = sandbox.visma().inspect("POST", "authorise", &json!({}));
        Self { client: client(), sandbox, token: token["access_token"].as_str().unwrap().to_owned() }
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.sandbox.visma_net_url());
        self.client.request(method, url).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// A list or a row, whatever its shape.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        json_of(answer).await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> reqwest::Response {
        self.request(method, path).json(body).send().await.unwrap()
    }

    /// Creates something; gives the last part of its address.
    pub async fn create(&self, path: &str, body: &Value) -> String {
        let answer = self.send("POST", path, body).await;
        let place = answer.headers().get("Location").map(|value| value.to_str().unwrap().to_owned());
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!((status, text.as_str()), (201, ""), "{path} {body}");
        koppel_sandbox::message::decode(place.unwrap().rsplit('/').next().unwrap())
    }

    /// Status and message of a refusal.
    pub async fn refusal(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let answer = self.send(method, path, body).await;
        let status = answer.status().as_u16();
        (status, json_of(answer).await["message"].as_str().unwrap_or_default().to_owned())
    }

    /// A row as it is stored.
    pub fn row(&self, table: &str, field: &str, value: &str) -> Value {
        let rows = self.sandbox.visma().documents(table);
        rows.into_iter().find(|row| row[field] == value).unwrap_or_else(|| panic!("no {table} {value}"))
    }
}

/// `{"value": …}`.
pub fn w(value: impl Into<Value>) -> Value {
    json!({"value": value.into()})
}
