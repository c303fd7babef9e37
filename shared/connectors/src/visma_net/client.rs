//! The calls: two services, one token (or two), lists in three shapes, keys that come in `Location` alone.

mod background;
mod lists;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value};

use super::auth::token_keepers;
use super::errors::{self, Decision, Facts};
use super::options::{Hosts, whole};
use super::{FACTS, wire};
use crate::http::oauth2::TokenKeeper;
use crate::http::{Answer, Deps, HttpClient, Judge, Learned, Request, Verdict, Window};

pub(super) use lists::List;

/// Code of the failure that asks for another token.
const TOKEN_REFUSED: &str = "token_refused";
/// Code of the failure that says that there is no such record.
const NOT_FOUND: &str = "not_found";
/// Rows a page when nothing else is set; larger pages are cut down without a word.
const PAGE_SIZE: u32 = 500;

/// Which service is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// v1 and v2.
    Erp,
    /// Sales orders and stock, v3.
    Orders,
}

/// A record that was made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Created {
    /// Its key.
    pub key: String,
    /// What the answer holds beside it: nothing, as a rule.
    pub body: Value,
}

/// The calls of one connection.
pub(super) struct Client {
    name: String,
    erp: HttpClient,
    orders: HttpClient,
    erp_tokens: Arc<TokenKeeper>,
    order_tokens: Arc<TokenKeeper>,
    /// Sent along where a company wants it.
    company_id: Option<String>,
    /// Creations of the ERP API run in the background.
    in_background: bool,
    page_size: u32,
}

impl Client {
    /// Prepares the calls; nothing is sent.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let hosts = Hosts::of(connection);
        let (erp_tokens, order_tokens) = token_keepers(connection, deps)?;
        Ok(Self {
            name: connection.name.clone(),
            erp: HttpClient::new(connection, &hosts.erp, &FACTS.limits, deps)?,
            orders: HttpClient::new(connection, &hosts.orders, &FACTS.limits, deps)?,
            erp_tokens,
            order_tokens,
            company_id: connection.option("company_id"),
            in_background: connection.flag("background_calls"),
            page_size: whole(connection, "page_size", 1, 5_000)?.unwrap_or(PAGE_SIZE),
        })
    }

    /// The moment, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.erp.now()
    }

    /// Tokens for both services, for who wants to see what they allow.
    pub async fn tokens(&self, calls: &Calls) -> Result<[String; 2], Failure> {
        Ok([self.erp_tokens.access_token(calls).await?, self.order_tokens.access_token(calls).await?])
    }

    /// One record of the ERP API; `None` when there is none with this key.
    pub async fn get(&self, path: &str, endpoint: &'static str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let request = Request::get(path).endpoint(endpoint);
        let answer = none_when_absent(self.answer(Service::Erp, request, endpoint, calls).await)?;
        answer.map(|answer| self.json(&answer)).transpose()
    }

    /// One record of the service for orders with its version; `None` when there is none with this key.
    pub async fn get_order(
        &self,
        path: &str,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<Option<(Value, Option<String>)>, Failure> {
        let request = Request::get(path).endpoint(endpoint);
        let answer = none_when_absent(self.answer(Service::Orders, request, endpoint, calls).await)?;
        let Some(answer) = answer else { return Ok(None) };
        let version = answer.header("etag").map(str::to_owned);
        Ok(Some((self.json(&answer)?, version)))
    }

    /// A file with its media type.
    pub async fn file(&self, url: &str, endpoint: &'static str, calls: &Calls) -> Result<Option<Answer>, Failure> {
        let foreign = url.contains("://") && !url.starts_with(&format!("{}/", self.erp.base()));
        if foreign {
            return Ok(None);
        }
        none_when_absent(self.answer(Service::Erp, Request::get(url).endpoint(endpoint), endpoint, calls).await)
    }

    /// The full address of a path of the ERP API.
    pub fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.erp.base())
    }

    /// Creates a record of the ERP API of a plain body.
    pub async fn create(
        &self,
        path: &str,
        body: &Map<String, Value>,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<Created, Failure> {
        let mut request = Request::post(path).json(wire::wrap(body)).endpoint(endpoint);
        if self.in_background {
            request = request.header("erp-api-background", "subscription");
        }
        let answer = self.answer(Service::Erp, request, endpoint, calls).await?;
        let answer = self.finished(answer, endpoint, calls).await?;
        self.created(&answer, endpoint)
    }

    /// Changes the fields of a plain body.
    pub async fn update(
        &self,
        path: &str,
        body: &Map<String, Value>,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let request = Request::put(path).json(wire::wrap(body)).endpoint(endpoint);
        self.answer(Service::Erp, request, endpoint, calls).await.map(|_| ())
    }

    /// Creates a record of the service for orders.
    pub async fn create_order(
        &self,
        body: &Map<String, Value>,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<Created, Failure> {
        let request = Request::post("api/v3/SalesOrders").json(Value::Object(body.clone())).endpoint(endpoint);
        let answer = self.answer(Service::Orders, request, endpoint, calls).await?;
        self.created(&answer, endpoint)
    }

    /// Changes an order that still has this version.
    pub async fn change_order(
        &self,
        path: &str,
        version: &str,
        body: Value,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<(), Failure> {
        let request = Request::new(crate::http::Method::Patch, path).json(body).header("If-Match", version);
        self.answer(Service::Orders, request.endpoint(endpoint), endpoint, calls).await.map(|_| ())
    }

    /// The key stands in `Location`; where an answer has a body, its own field does as well.
    fn created(&self, answer: &Answer, endpoint: &'static str) -> Result<Created, Failure> {
        let body = if answer.body.is_empty() { Value::Null } else { answer.json().unwrap_or_default() };
        let key = answer.header("location").and_then(wire::location_key);
        let named = ["orderId", "referenceNumber", "batchNumber", "number", "contactId"];
        let key = key.or_else(|| named.iter().find_map(|name| wire::field(&body, name)));
        match key {
            Some(key) => Ok(Created { key, body }),
            None => Err(Failure::retry(
                RetryReason::OutcomeUnknown,
                None,
                Cause::new("no_key_answered", format!("Visma Net took the {endpoint} but did not say its key"))
                    .at_connection(&self.name),
            )),
        }
    }

    fn json(&self, answer: &Answer) -> Result<Value, Failure> {
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer.json().map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause.at_connection(&self.name)))
    }

    /// One call, and one more with another token when the first was refused.
    async fn answer(
        &self,
        service: Service,
        request: Request,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<Answer, Failure> {
        let (http, tokens) = match service {
            Service::Erp => (&self.erp, &self.erp_tokens),
            Service::Orders => (&self.orders, &self.order_tokens),
        };
        let request = match (&self.company_id, service) {
            (Some(id), Service::Erp) => {
                request.header("ipp-company-id", id.clone()).header("ipp-application-type", "Visma.net Financials")
            }
            _ => request,
        };
        let judge = VismaJudge { endpoint };
        let token = tokens.access_token(calls).await?;
        match http.send(request.clone().bearer(&token), &judge, calls).await {
            Err(Failure::Auth(cause)) if cause.code == TOKEN_REFUSED => {
                let token = tokens.access_token_after_refusal(&token, calls).await?;
                http.send(request.bearer(&token), &judge, calls).await
            }
            other => other,
        }
    }
}

fn none_when_absent(answer: Result<Answer, Failure>) -> Result<Option<Answer>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Failure::Settings(cause)) if cause.code == NOT_FOUND => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Reads the facts off an answer and asks the decision table.
struct VismaJudge {
    endpoint: &'static str,
}

impl Judge for VismaJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        // A picture is no answer in words.
        let is_file = answer.is_success()
            && answer.header("content-type").is_some_and(|kind| kind.starts_with("image/") || kind.contains("octet"));
        let body = if is_file { String::new() } else { answer.text() };
        let facts = Facts {
            writes: request.writes(),
            endpoint: self.endpoint,
            status: answer.status,
            retry_after: answer.retry_after(now),
            body: &body,
        };
        match errors::decide(&facts) {
            Decision::Accept => Verdict::Accept,
            Decision::Fail(failure) => Verdict::Fail(failure),
            Decision::TokenRefused => Verdict::Fail(Failure::auth(
                Cause::new(TOKEN_REFUSED, format!("Visma Net refused the token ({})", self.endpoint))
                    .advice(
                        "check that tenant_id is that of the company (Visma Admin, Company, Configuration): with that of \
                         the customer a token is given, and every call is refused",
                    )
                    .in_row("tenant_id"),
            )),
        }
    }

    /// `X-RateLimit-Reset` counts the seconds that are left.
    fn limits(&self, answer: &Answer, now: DateTime<Utc>) -> Vec<Learned> {
        let told = || {
            let remaining = u32::try_from(answer.header_number("x-ratelimit-remaining")?).ok()?;
            let seconds = i64::try_from(answer.header_number("x-ratelimit-reset")?).ok()?;
            // More than an hour and a bit is no window of an hour: a clock, or a moment.
            let reset = (seconds <= 4_000).then(|| now + TimeDelta::seconds(seconds.max(1)))?;
            Some(Learned { window: Window::Hour, remaining, reset })
        };
        told().into_iter().collect()
    }
}
