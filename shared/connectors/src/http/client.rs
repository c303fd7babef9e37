//! The HTTP client of one connection. Every call checks the deadline, takes from the budget, is judged, is logged in
//! one line and recorded for the trail; credentials never leave the host they belong to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, Clock, Exchange};
use koppel_core::system::Limits;
use koppel_core::{Cause, Failure};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::budget::CallBudget;
use super::judge::{Judge, Verdict};
use super::{Answer, Body, Deps, Redactor, Request, tls, transport};

/// Longest time to reach the other side.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of a whole call.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a body that is recorded.
const RECORDED: usize = 64 * 1024;
/// Most bytes of an answer; a larger one is not a page of records.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Most redirects within the host.
const REDIRECTS: usize = 5;

/// The HTTP client of one connection.
pub struct HttpClient {
    connection: String,
    base: Url,
    http: reqwest::Client,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    budget: CallBudget,
    redactor: Redactor,
    at_once: Option<Semaphore>,
}

impl HttpClient {
    /// A client for `connection` at `base`. Uses the options `ca_file`, `allow_plain_http`, `calls_per_minute`, `calls_per_hour`
    /// and `calls_per_day`.
    pub fn new(connection: &Connection, base: &str, limits: &Limits, deps: &Deps) -> Result<Self, Failure> {
        let at = |failure: Failure| failure.map_cause(|cause| cause.at_connection(&connection.name));
        let base = base_address(base, connection.flag("allow_plain_http")).map_err(at)?;
        let tls = tls::config(connection.option("ca_file").as_deref()).map_err(at)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("Koppel/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Retrying is a decision of the judge and the chain, never of the library.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| {
                at(Failure::settings(Cause::new("http_unavailable", format!("no HTTP client can be made: {error}"))))
            })?;
        Ok(Self {
            connection: connection.name.clone(),
            base,
            http,
            timeout: TOTAL_TIMEOUT,
            clock: Arc::clone(&deps.clock),
            budget: CallBudget::new(connection, limits, deps)?,
            redactor: Redactor::of(connection),
            at_once: limits.concurrency.map(|calls| Semaphore::new(calls as usize)),
        })
    }

    /// The base address, without a slash at its end.
    pub fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The time, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The budget of this connection.
    pub fn budget(&self) -> &CallBudget {
        &self.budget
    }

    /// The full address of a request, as it goes over the wire. Fails when it would leave the host.
    pub fn address(&self, request: &Request) -> Result<String, Failure> {
        let absolute = request.path.contains("://");
        let mut text = if absolute {
            request.path.clone()
        } else {
            format!("{}/{}", self.base(), request.path.trim_start_matches('/'))
        };
        if !request.query.is_empty() {
            text.push(if text.contains('?') { '&' } else { '?' });
            text.push_str(&request.query_text());
        }
        if absolute {
            let url = Url::parse(&text).map_err(|error| self.foreign(&format!("not an address ({error})")))?;
            if !same_origin(&url, &self.base) {
                return Err(self.foreign(url.host_str().unwrap_or("nowhere")));
            }
        }
        Ok(text)
    }

    /// Makes the call and lets `judge` decide on the answer.
    pub async fn send(&self, request: Request, judge: &dyn Judge, calls: &Calls) -> Result<Answer, Failure> {
        let result = self.try_send(&request, judge, calls).await;
        result.map_err(|failure| {
            failure.map_cause(|mut cause| {
                cause.message = self.redactor.text(&cause.message);
                cause.at_connection(&self.connection)
            })
        })
    }

    async fn try_send(&self, request: &Request, judge: &dyn Judge, calls: &Calls) -> Result<Answer, Failure> {
        let address = self.address(request)?;
        let (endpoint, method) = (request.endpoint_name(), request.method.name());
        let _slot = match &self.at_once {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        self.check_deadline(calls)?;
        self.budget.take(calls.priority, &endpoint, method).await?;
        // Again: taking from a shared budget may have lasted, and who is late must not write.
        self.check_deadline(calls)?;
        let answer = self.follow(request, address, calls).await?;
        let now = self.now();
        let verdict = judge.judge(request, &answer, now);
        self.budget.learn(&judge.limits(&answer, now), now).await;
        match verdict {
            Verdict::Accept => {
                self.budget.succeeded(&endpoint, method).await;
                Ok(answer)
            }
            Verdict::Fail(failure) => {
                if judge.counts_as_error(&answer) {
                    self.budget.failed(&endpoint, method).await;
                }
                if let Failure::Retry { reason: RetryReason::Throttled, after: Some(after), .. } = &failure {
                    if judge.throttles_endpoint_only(&answer, now) {
                        self.budget.block_endpoint(&endpoint, now, *after).await;
                    } else {
                        self.budget.block(now, *after).await;
                    }
                }
                Err(failure)
            }
        }
    }

    /// Sends, and follows redirects of reads within the host.
    async fn follow(&self, request: &Request, address: String, calls: &Calls) -> Result<Answer, Failure> {
        let mut address = address;
        for _ in 0..=REDIRECTS {
            let answer = self.exchange(request, &address, calls).await?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let Some(location) = answer.header("location") else { return Ok(answer) };
            let here = Url::parse(&address).map_err(|error| self.foreign(&error.to_string()))?;
            let next = here.join(location).map_err(|error| self.foreign(&error.to_string()))?;
            if !same_origin(&next, &self.base) || request.writes() {
                return Err(self.redirected(&here, &next));
            }
            address = next.into();
        }
        Err(Failure::settings(
            Cause::new("redirect_loop", format!("{} keeps redirecting", self.base())).advice("check the url"),
        ))
    }

    /// One exchange over the wire, logged and recorded.
    async fn exchange(&self, request: &Request, address: &str, calls: &Calls) -> Result<Answer, Failure> {
        let shown = self.shown(request, address);
        let begun = Instant::now();
        let result = self.transfer(request, address).await;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = result.as_ref().ok().map(|answer| answer.status);
        tracing::debug!(
            connection = %self.connection,
            method = request.method.name(),
            // Without the query: filters hold e-mail addresses.
            path = shown.split('?').next().unwrap_or_default(),
            status,
            duration_ms,
            "call"
        );
        calls.record(Exchange {
            method: request.method.name().to_owned(),
            path: shown,
            request: self.recorded_request(request),
            status,
            response: result.as_ref().ok().and_then(|answer| self.recorded_body(answer)),
            duration_ms,
        });
        result
    }

    async fn transfer(&self, request: &Request, address: &str) -> Result<Answer, Failure> {
        let host = self.base.host_str().unwrap_or_default();
        let lost = |error: reqwest::Error| transport::failure(request, host, &error);
        let method = reqwest::Method::from_bytes(request.method.name().as_bytes()).unwrap_or_default();
        let mut builder = self.http.request(method, address).header("Accept", "application/json");
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        builder = match &request.body {
            Body::Empty => builder,
            Body::Json(value) => builder.header("Content-Type", "application/json").body(value.to_string()),
            Body::Form(pairs) => builder.form(pairs),
            Body::File { media_type, bytes } => builder.header("Content-Type", media_type).body(bytes.clone()),
        };
        let mut response = builder.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_ANSWER {
                return Err(Failure::reject(Cause::new(
                    "answer_too_large",
                    format!("{host} answered more than 64 MB"),
                )));
            }
        }
        Ok(Answer { status, headers, body })
    }

    fn check_deadline(&self, calls: &Calls) -> Result<(), Failure> {
        let Some(deadline) = calls.deadline else { return Ok(()) };
        let timeout = chrono::Duration::from_std(self.timeout).unwrap_or_default();
        if self.now() + timeout <= deadline {
            return Ok(());
        }
        Err(Failure::retry(
            RetryReason::Busy,
            None,
            Cause::new("out_of_time", "the time of this step is used up; the rest follows in the next one"),
        ))
    }

    /// Path and query without the host and without secrets.
    fn shown(&self, request: &Request, address: &str) -> String {
        let below = address.strip_prefix(self.base()).unwrap_or(address);
        let plain = self.redactor.address(below, &[]);
        // A redirected or absolute address already holds its query; a plain one is shown readable, not encoded.
        match plain.split_once('?') {
            Some((path, _)) if !request.query.is_empty() && path.ends_with(request.path.trim_start_matches('/')) => {
                self.redactor.address(path, &request.query)
            }
            _ => plain,
        }
    }

    fn recorded_request(&self, request: &Request) -> Option<Value> {
        match &request.body {
            Body::Empty => None,
            Body::Json(value) => Some(self.recorded(value)),
            Body::File { media_type, bytes } => Some(Value::String(file_note(bytes.len(), media_type))),
            Body::Form(pairs) => {
                let map = pairs.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
                let mut map: serde_json::Map<String, Value> = map;
                // In a form of OAuth even a short `code` is a credential.
                for (name, value) in &mut map {
                    if super::redact::is_secret(name) {
                        *value = Value::String(super::redact::HIDDEN.into());
                    }
                }
                Some(self.recorded(&Value::Object(map)))
            }
        }
    }

    fn recorded_body(&self, answer: &Answer) -> Option<Value> {
        if answer.body.is_empty() {
            return None;
        }
        let kind = answer.header("content-type").unwrap_or_default();
        if kind.starts_with("image/") {
            return Some(Value::String(file_note(answer.body.len(), kind)));
        }
        match answer.json() {
            Ok(value) => Some(self.recorded(&value)),
            Err(_) => Some(cut(&self.redactor.text(&answer.text()))),
        }
    }

    fn recorded(&self, value: &Value) -> Value {
        let clean = self.redactor.json(value);
        let text = clean.to_string();
        if text.len() <= RECORDED { clean } else { cut(&text) }
    }

    fn redirected(&self, from: &Url, to: &Url) -> Failure {
        let mut address = to.clone();
        address.set_query(None);
        // What the redirect did to the host and to the front of the path is what the url setting needs as well.
        let tail = from.path().strip_prefix(self.base.path().trim_end_matches('/')).unwrap_or_default().to_owned();
        let target = address.as_str().strip_suffix(tail.as_str()).unwrap_or(address.as_str()).to_owned();
        Failure::settings(
            Cause::new("redirected", format!("{} redirects to {target}", self.base()))
                .advice(format!("set url to {target}; credentials are never sent to another address")),
        )
    }

    fn foreign(&self, what: &str) -> Failure {
        Failure::settings(Cause::new(
            "foreign_address",
            format!("an address outside {} was given ({what}); credentials are never sent there", self.base()),
        ))
    }
}

// Holds redacted parts only, so that a connector can derive Debug.
impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("connection", &self.connection)
            .field("base", &self.base())
            .finish_non_exhaustive()
    }
}

/// What is recorded of a file: never its content.
fn file_note(bytes: usize, media_type: &str) -> String {
    format!("a file of {bytes} bytes ({media_type})")
}

fn cut(text: &str) -> Value {
    if text.len() <= RECORDED {
        return Value::String(text.to_owned());
    }
    let end = (0..=RECORDED).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    Value::String(format!("{}… (cut, {} bytes in all)", &text[..end], text.len()))
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// Checks the base address: https, or plain http on this machine or on demand.
fn base_address(text: &str, allow_plain_http: bool) -> Result<Url, Failure> {
    let wrong = |why: String| {
        Failure::settings(
            Cause::new("bad_url", format!("«{text}» cannot be used as url: {why}"))
                .advice("give the address as https://shop.example"),
        )
    };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::settings(
            Cause::new("bad_url", "the url holds a user name or password")
                .advice("put credentials under credentials, not in the url"),
        ));
    }
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(wrong("it names no host".into())),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback || allow_plain_http => {}
        "http" => {
            return Err(Failure::settings(
                Cause::new("plain_http", format!("«{text}» is not encrypted"))
                    .advice("use https://, or set allow_plain_http: true when the network in between is trusted"),
            ));
        }
        other => return Err(wrong(format!("«{other}» is neither https nor http"))),
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests;
