//! Calls to a CCV Shop, one function per kind of call: signed, within the limits of each resource, with one more try when
//! only the clocks differ.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::FACTS;
use super::auth::{Keys, date};
use super::judge::{BROKEN_RECORD, CcvShopJudge, REQUEST_REFUSED, Verify, is_missing};
use super::native::list;
use crate::http::judge::{default_verdict, unavailable};
use crate::http::{Answer, Body, CallBudget, Deps, HttpClient, Judge, Method, Request, Verdict};

/// Below the shop's address.
const API: &str = "api/rest/v1";
/// Records a page, unless the connection says otherwise.
const LARGEST_PAGE: u64 = 250;
/// Records a page in a shop that refuses the largest.
const SAFE_PAGE: u64 = 100;
/// Most pages of a list that is read as a whole.
const MOST_PAGES: usize = 1_000;
/// Clocks that differ by less than this do not explain a refusal.
const CLOCKS_AGREE: i64 = 60;

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The records.
    pub items: Vec<Value>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<u64>,
}

/// Calls one shop.
pub struct CcvShopClient {
    http: HttpClient,
    keys: Keys,
    language: String,
    verify: Verify,
    warned: AtomicBool,
    /// Seconds that the shop's clock was ahead of ours in its last answer.
    ahead: AtomicI64,
    /// Seconds that are added to our time in signatures: learned from the shop.
    skew: AtomicI64,
    page_size: AtomicU64,
    /// What may still be called of each resource by each method.
    buckets: Mutex<BTreeMap<String, Arc<CallBudget>>>,
    connection: Connection,
    deps: Deps,
}

impl CcvShopClient {
    /// A client for a connection with its `url`, `public_key` and `secret_key`.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let wrong = |row: &str, code: &str, message: String, advice: &str| {
            Failure::settings(Cause::new(code, message).advice(advice).in_row(row).at_connection(&connection.name))
        };
        let url = connection.option("url").ok_or_else(|| {
            let advice = "set url to the address of the shop, such as https://myshop.ccvshop.nl";
            wrong("url", "missing_url", "the address of the shop is missing".into(), advice)
        })?;
        let verify = match connection.option("verify_answers").as_deref() {
            None | Some("strict") => Verify::Strict,
            Some("warn") => Verify::Warn,
            Some(other) => {
                let message = format!("«{other}» is not a way to verify answers");
                return Err(wrong("verify_answers", "bad_option", message, "use strict or warn"));
            }
        };
        let language = connection.option("language").unwrap_or_else(|| "nl".into()).to_lowercase();
        if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
            let message = format!("«{language}» is not a language");
            return Err(wrong("language", "bad_option", message, "give two letters, such as nl or de"));
        }
        let page_size = match connection.option("page_size") {
            None => LARGEST_PAGE,
            Some(text) => text.parse().ok().filter(|size| (2..=LARGEST_PAGE).contains(size)).ok_or_else(|| {
                let message = format!("«{text}» is not a page size");
                wrong("page_size", "bad_option", message, "give a number from 2 to 250")
            })?,
        };
        Ok(Self {
            http: HttpClient::new(connection, shop_address(&url), &FACTS.limits, deps)?,
            keys: Keys::of(connection)?,
            language,
            verify,
            warned: AtomicBool::new(false),
            ahead: AtomicI64::new(0),
            skew: AtomicI64::new(0),
            page_size: AtomicU64::new(page_size),
            buckets: Mutex::default(),
            connection: connection.clone(),
            deps: deps.clone(),
        })
    }

    /// The time, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    /// The address of the shop.
    pub fn base(&self) -> &str {
        self.http.base()
    }

    /// Seconds that the shop's clock was ahead of ours in its last answer.
    pub fn seconds_ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Answers without a good signature were used.
    pub fn used_unsigned(&self) -> bool {
        self.warned.load(Ordering::Relaxed)
    }

    /// Records a page, as far as the shop takes it.
    pub fn page_size(&self) -> u64 {
        self.page_size.load(Ordering::Relaxed)
    }

    /// One page of a list. A shop that refuses large pages gets smaller ones; a record that the shop cannot show is looked
    /// for by halving the page, and left out alone.
    pub async fn page(
        &self,
        path: &str,
        query: &[(&str, String)],
        start: u64,
        size: u64,
        calls: &Calls,
    ) -> Result<Option<Page>, Failure> {
        let mut size = size.min(self.page_size());
        loop {
            let mut request = get(path).query("start", start).query("size", size);
            for (name, value) in query {
                request = request.query(*name, value);
            }
            let failure = match self.send(request, calls).await {
                Ok(answer) if is_missing(&answer) => return Ok(None),
                Ok(answer) => return Ok(Some(page_of(&json(&answer)?, start)?)),
                Err(failure) => failure,
            };
            match &failure {
                Failure::Reject(cause) if cause.code == BROKEN_RECORD && size > 1 => size /= 2,
                Failure::Reject(cause) if cause.code == BROKEN_RECORD => {
                    tracing::warn!(connection = %self.connection.name, path, place = start, %cause, "a record of a list is left out");
                    return Ok(Some(Page { items: Vec::new(), next: Some(start + 1) }));
                }
                Failure::Settings(cause) if cause.code == REQUEST_REFUSED && size > SAFE_PAGE => {
                    tracing::info!(size, SAFE_PAGE, "the shop refuses a page this large");
                    self.page_size.store(SAFE_PAGE, Ordering::Relaxed);
                    size = SAFE_PAGE;
                }
                _ => return Err(failure),
            }
        }
    }

    /// A list as a whole, page by page; empty when what it belongs to is not there.
    pub async fn all(
        &self,
        path: &str,
        query: &[(&str, String)],
        size: u64,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let (mut all, mut start) = (Vec::new(), 0);
        for _ in 0..MOST_PAGES {
            let Some(mut page) = self.page(path, query, start, size, calls).await? else { break };
            all.append(&mut page.items);
            match page.next {
                Some(next) => start = next,
                None => break,
            }
        }
        Ok(all)
    }

    /// A list that comes as a whole; empty when what it belongs to is not there.
    pub async fn whole(&self, path: &str, query: &[(&str, String)], calls: &Calls) -> Result<Vec<Value>, Failure> {
        let found = self.one(path, query, calls).await?;
        found.map_or(Ok(Vec::new()), |body| items(&body))
    }

    /// One record; `None` when there is none.
    pub async fn one(&self, path: &str, query: &[(&str, String)], calls: &Calls) -> Result<Option<Value>, Failure> {
        let mut request = get(path);
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let answer = self.send(request, calls).await?;
        if is_missing(&answer) { Ok(None) } else { json(&answer).map(Some) }
    }

    /// Makes a record. `None` when the shop says that it is done, and not what was made.
    pub async fn create(&self, path: &str, body: Value, calls: &Calls) -> Result<Option<Value>, Failure> {
        let answer = self.send(Request::post(below(path)).json(body), calls).await?;
        if answer.body.is_empty() { Ok(None) } else { json(&answer).map(Some) }
    }

    /// Changes some fields of a record.
    pub async fn change(&self, path: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        self.send(Request::new(Method::Patch, below(path)).json(body), calls).await.map(drop)
    }

    /// Removes a record; one that is gone already is as good.
    pub async fn remove(&self, path: &str, calls: &Calls) -> Result<(), Failure> {
        match self.send(Request::delete(below(path)), calls).await {
            Err(Failure::Reject(cause)) if cause.code == super::judge::GONE => Ok(()),
            result => result.map(drop),
        }
    }

    /// What lies at an address of the shop's own host; `None` when nothing does. It is not signed.
    pub async fn file(&self, url: &str, calls: &Calls) -> Result<Option<Answer>, Failure> {
        let answer = self.http.send(Request::get(url).endpoint("GET pictures"), &FileJudge, calls).await?;
        Ok(answer.is_success().then_some(answer))
    }

    /// All webhooks, with the keys that the shop signs their deliveries with.
    pub async fn webhooks(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let apart = calls.beside(calls.priority);
        let result = self.all("webhooks", &[], LARGEST_PAGE, &apart).await;
        record_without_keys(&apart, calls);
        result
    }

    /// Makes a webhook.
    pub async fn create_webhook(&self, body: Value, calls: &Calls) -> Result<Option<Value>, Failure> {
        let apart = calls.beside(calls.priority);
        let result = self.create("webhooks", body, &apart).await;
        record_without_keys(&apart, calls);
        result
    }

    /// Signs and sends. When the shop refuses and its clock is another than ours, its time is taken over and the call made
    /// once more. So it is when the signature was old before it went out: the call waited for its turn, or the host slept.
    /// Neither says anything of the keys, and refused keys would stop the connection until somebody comes.
    async fn send(&self, request: Request, calls: &Calls) -> Result<Answer, Failure> {
        let resource = resource(&request.path);
        let endpoint = format!("{} {resource}", request.method.name());
        let request = request.endpoint(endpoint);
        let (seen, signed) = (AtomicI64::new(i64::MIN), AtomicI64::new(0));
        let was_late = |result: &Result<Answer, Failure>| {
            let age = self.now().timestamp() - signed.load(Ordering::Relaxed);
            matches!(result, Err(Failure::Auth(_))) && age >= CLOCKS_AGREE
        };
        let mut result = self.send_once(request.clone(), &resource, &seen, &signed, calls).await;
        if was_late(&result) {
            result = self.send_once(request.clone(), &resource, &seen, &signed, calls).await;
            if was_late(&result) {
                let message = "the call went out so late after it was signed that the shop refused it, twice";
                let cause = Cause::new("signed_too_early", message).at_connection(&self.connection.name);
                return Err(Failure::retry(RetryReason::Unavailable, None, cause));
            }
        }
        let (ahead, skew) = (seen.load(Ordering::Relaxed), self.skew.load(Ordering::Relaxed));
        if ahead == i64::MIN {
            return result;
        }
        self.ahead.store(ahead, Ordering::Relaxed);
        if !matches!(&result, Err(Failure::Auth(_))) || (ahead - skew).abs() < CLOCKS_AGREE {
            return result;
        }
        tracing::warn!(connection = %self.connection.name, seconds = ahead, "the clock of the shop is another: its time is used in signatures");
        self.skew.store(ahead, Ordering::Relaxed);
        self.send_once(request, &resource, &seen, &signed, calls).await
    }

    async fn send_once(
        &self,
        request: Request,
        resource: &str,
        ahead: &AtomicI64,
        signed: &AtomicI64,
        calls: &Calls,
    ) -> Result<Answer, Failure> {
        let method = request.method.name();
        let at_shop = |failure: Failure| {
            failure.map_cause(|mut cause| {
                cause.place.connection = Some(self.connection.name.clone());
                cause
            })
        };
        let bucket = self.bucket(method, resource)?;
        bucket.take(calls.priority, &request.endpoint_name(), method).await.map_err(at_shop)?;
        let full = self.http.address(&request)?;
        let address = full.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("/");
        let body = match &request.body {
            // The kit sends exactly this text.
            Body::Json(value) => value.to_string(),
            _ => String::new(),
        };
        signed.store(self.now().timestamp(), Ordering::Relaxed);
        let moment = date(self.now() + TimeDelta::seconds(self.skew.load(Ordering::Relaxed)));
        let signature = self.keys.sign(method, address, body.as_bytes(), &moment);
        let request = request
            .header("x-public", self.keys.public())
            .header("x-date", moment)
            .header("x-hash", signature)
            .header("Accept-Language", &self.language);
        let judge = CcvShopJudge { keys: &self.keys, address, verify: self.verify, warned: &self.warned, ahead };
        self.http.send(request, &judge, calls).await
    }

    /// The calls that one resource still takes by one method. They are counted with those of all processes.
    fn bucket(&self, method: &str, resource: &str) -> Result<Arc<CallBudget>, Failure> {
        let name = format!("{} {method} {resource}", self.connection.name);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get(&name) {
            return Ok(Arc::clone(bucket));
        }
        let limits = Limits { calls_per_minute: Some(calls_per_minute(method, resource)), ..Limits::default() };
        let mut connection = Connection { name: name.clone(), ..self.connection.clone() };
        // Those are of the connection as a whole.
        connection.options.retain(|option, _| !option.starts_with("calls_per_"));
        let bucket = Arc::new(CallBudget::new(&connection, &limits, &self.deps)?);
        buckets.insert(name, Arc::clone(&bucket));
        Ok(bucket)
    }
}

// Keys never reach a log.
impl std::fmt::Debug for CcvShopClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CcvShopClient").field("http", &self.http).finish_non_exhaustive()
    }
}

/// Four fifths of what the shop allows a minute of one resource by one method: others may call it too.
fn calls_per_minute(method: &str, resource: &str) -> u32 {
    match (method, resource) {
        ("GET", "productqueries") => 24,
        ("GET", _) => 120,
        _ => 80,
    }
}

/// The resource that a path speaks of: the last part that is no id.
fn resource(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let is_id = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    path.split('/').rev().find(|part| !is_id(part)).unwrap_or_default().to_owned()
}

fn below(path: &str) -> String {
    format!("{API}/{}/", path.trim_matches('/'))
}

fn get(path: &str) -> Request {
    Request::get(below(path))
}

/// The address of the shop, also when somebody pasted that of the API.
fn shop_address(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    url.find("/api/rest").map_or(url, |at| &url[..at])
}

fn page_of(body: &Value, start: u64) -> Result<Page, Failure> {
    let items = items(body)?;
    let next = body["next"].as_str().map(str::trim).filter(|next| !next.is_empty());
    // A shop that caps the page says where it goes on.
    let behind = start + (items.len() as u64).max(1);
    let next = next.map(|next| start_of(next).filter(|next| *next > start).unwrap_or(behind));
    Ok(Page { items, next })
}

fn start_of(address: &str) -> Option<u64> {
    let (_, query) = address.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("start="))?.parse().ok()
}

fn items(body: &Value) -> Result<Vec<Value>, Failure> {
    match body.get("items") {
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(Value::Null) => Ok(Vec::new()),
        Some(other @ Value::Object(_)) => Ok(list(other)),
        _ => Err(unexpected("a list")),
    }
}

fn json(answer: &Answer) -> Result<Value, Failure> {
    answer.json().map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause))
}

/// The shop answered something else than what it should.
pub(super) fn unexpected(what: &str) -> Failure {
    let cause = Cause::new("unexpected_answer", format!("the shop did not answer {what}"));
    Failure::retry(RetryReason::Unavailable, None, cause.advice("check the url of the connection"))
}

/// Records what was exchanged about webhooks, without the keys that their deliveries are signed with.
fn record_without_keys(apart: &Calls, calls: &Calls) {
    for mut exchange in apart.take() {
        if let Some(response) = &mut exchange.response {
            hide_keys(response);
        }
        calls.record(exchange);
    }
}

fn hide_keys(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "key" {
                    *value = json!(crate::http::redact::HIDDEN);
                } else {
                    hide_keys(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_keys),
        // A body that was cut is text: nothing of it can be told apart.
        Value::String(text) if text.contains("\"key\"") => *value = json!(crate::http::redact::HIDDEN),
        _ => {}
    }
}

/// The judge of files: nobody looks into them.
#[derive(Clone, Copy, Debug)]
struct FileJudge;

impl Judge for FileJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        match answer.status {
            401 | 403 | 404 | 410 => Verdict::Accept,
            500..=599 => Verdict::Fail(unavailable(request, answer, now)),
            _ => default_verdict(request, answer, now),
        }
    }

    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_its_own_calls() {
        for (path, wanted) in [
            ("api/rest/v1/orders/", "orders"),
            ("api/rest/v1/orders/31/", "orders"),
            ("api/rest/v1/orders/31/orderrows/", "orderrows"),
            ("api/rest/v1/attributecombinations/7/", "attributecombinations"),
        ] {
            assert_eq!(resource(path), wanted);
        }
        assert_eq!(calls_per_minute("GET", "orders"), 120);
        assert_eq!((calls_per_minute("PATCH", "products"), calls_per_minute("GET", "productqueries")), (80, 24));
    }

    #[test]
    fn the_address_of_the_api_is_cut_to_that_of_the_shop() {
        assert_eq!(shop_address("https://shop.test/api/rest/v1/"), "https://shop.test");
        assert_eq!(shop_address(" https://shop.test/ "), "https://shop.test");
    }

    #[test]
    fn a_page_ends_when_the_shop_says_so_and_not_when_it_is_short() {
        let page = |body: Value| page_of(&body, 100).unwrap();
        assert_eq!(page(json!({ "items": [{}, {}], "next": null })).next, None);
        let next = |text: &str| page(json!({ "items": [{}, {}], "next": text })).next;
        assert_eq!(next("https://shop.test/api/rest/v1/orders/?start=200&size=100"), Some(200));
        assert_eq!(next("https://shop.test/api/rest/v1/orders/?size=100&start=100"), Some(102), "not again");
        assert_eq!(next("https://shop.test/x"), Some(102));
        assert_eq!(next(""), None);
        assert!(page_of(&json!({ "href": "x" }), 0).is_err());
        assert_eq!(page_of(&json!({ "items": null }), 0).unwrap(), Page::default());
    }

    #[test]
    fn keys_of_webhooks_are_not_recorded() {
        let mut body = json!({ "items": [{ "id": 1, "key": "sign-me" }], "text": "cut: {\"key\":\"sign-me\"" });
        hide_keys(&mut body);
        assert!(!body.to_string().contains("sign-me"), "{body}");
    }
}
