//! Calls to a WooCommerce shop, one function per call.

use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, Window};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::FACTS;
use super::auth::{Keys, Mode};
use super::judge::{NOT_RECOGNISED, WooCommerceJudge, is_missing};
use crate::http::request::encode;
use crate::http::{Answer, Deps, HttpClient, Request};

/// Below the shop's address.
const API: &str = "wp-json/wc/v3";
/// Decimals of amounts: enough to recompute the tax of each rate.
const DECIMALS: &str = "6";

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// The records.
    pub records: Vec<Value>,
    /// How many records the whole list has, when the shop tells.
    pub total: Option<u64>,
}

/// The part of a list to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Changed after this moment, not at it: the filter is exclusive.
    pub modified_after: DateTime<Utc>,
    /// Records to pass over.
    pub offset: u64,
    /// Most records, up to 100.
    pub size: u32,
}

/// Calls one shop.
#[derive(Debug)]
pub struct WooCommerceClient {
    http: HttpClient,
    keys: Keys,
    /// The host strips the `Authorization` header: found out once, true as long as the process lives.
    by_query: AtomicBool,
    connection: String,
}

impl WooCommerceClient {
    /// A client for a connection with its `url`, `key` and `secret`.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let url = connection.option("url").ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_url", "the address of the shop is missing")
                    .advice("set url to https://shop.example")
                    .in_row("url")
                    .at_connection(&connection.name),
            )
        })?;
        Ok(Self {
            http: HttpClient::new(connection, shop_address(&url), &FACTS.limits, deps)?,
            keys: Keys::of(connection)?,
            by_query: AtomicBool::new(false),
            connection: connection.name.clone(),
        })
    }

    /// `GET orders`: one part of the changed orders, by rising id.
    pub async fn orders(&self, part: &Part, calls: &Calls) -> Result<List, Failure> {
        let request = Request::get(format!("{API}/orders"))
            .query(
                "modified_after",
                part.modified_after.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z'),
            )
            .query("dates_are_gmt", "true")
            .query("orderby", "id")
            .query("order", "asc")
            .query("per_page", part.size)
            .query("offset", part.offset)
            .query("dp", DECIMALS);
        let answer = self.send(request, calls).await?;
        let records = match json(&answer)? {
            Value::Array(list) => list,
            _ => return Err(unexpected("a list of orders")),
        };
        Ok(List { records, total: answer.header_number("x-wp-total") })
    }

    /// `GET orders`: ids, numbers and dates of the changed orders, and nothing else. Up to `most` of them.
    pub async fn changed_orders(&self, window: &Window, most: usize, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z').to_owned();
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut request = Request::get(format!("{API}/orders"))
                .query("modified_after", moment(window.since))
                .query("modified_before", moment(window.until))
                .query("dates_are_gmt", "true")
                .query("orderby", "id")
                .query("order", "asc")
                .query("per_page", 100)
                .query("offset", all.len())
                .query("_fields", "id,number,status,date_modified_gmt");
            if !window.statuses.is_empty() {
                request = request.query("status", window.statuses.join(","));
            }
            let Value::Array(mut list) = json(&self.send(request, calls).await?)? else {
                return Err(unexpected("a list of orders"));
            };
            let last = list.len() < 100;
            all.append(&mut list);
            if last || all.len() >= most {
                return Ok(all);
            }
        }
    }

    /// `GET orders/{id}`; `None` when the shop has no such order.
    pub async fn order(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let request = Request::get(format!("{API}/orders/{}", encode(id))).query("dp", DECIMALS);
        let answer = self.send(request, calls).await?;
        if is_missing(&answer) {
            return Ok(None);
        }
        json(&answer).map(Some)
    }

    /// `GET webhooks`: one page of all there are, by rising id.
    pub async fn webhooks(&self, page: u32, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = Request::get(format!("{API}/webhooks"))
            .query("orderby", "id")
            .query("order", "asc")
            .query("per_page", 100)
            .query("page", page);
        match json(&self.send(request, calls).await?)? {
            Value::Array(list) => Ok(list),
            _ => Err(unexpected("a list of webhooks")),
        }
    }

    /// `POST webhooks`. The shop pings the address while this call runs.
    pub async fn create_webhook(&self, body: Value, calls: &Calls) -> Result<Value, Failure> {
        json(&self.send(Request::post(format!("{API}/webhooks")).json(body), calls).await?)
    }

    /// `PUT webhooks/{id}`.
    pub async fn update_webhook(&self, id: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        json(&self.send(Request::put(format!("{API}/webhooks/{}", encode(id))).json(body), calls).await?)
    }

    /// `GET system_status`: versions and settings. Needs the key of an administrator or shop manager.
    pub async fn system_status(&self, calls: &Calls) -> Result<Value, Failure> {
        let request = Request::get(format!("{API}/system_status")).query("_fields", "environment,settings");
        json(&self.send(request, calls).await?)
    }

    /// Signs and sends. When a host over https shows no keys to the shop, they are tried once in the query string.
    async fn send(&self, request: Request, calls: &Calls) -> Result<Answer, Failure> {
        let chosen = self.keys.mode(self.http.base());
        let mode = if self.by_query.load(Ordering::Relaxed) { Mode::Query } else { chosen };
        let failure = match self.send_as(mode, request.clone(), calls).await {
            Err(failure) => failure,
            answer => return answer,
        };
        let stripped = self.keys.is_auto()
            && mode == Mode::Basic
            && matches!(&failure, Failure::Auth(cause) if cause.code == NOT_RECOGNISED);
        if !stripped {
            return Err(failure);
        }
        let Ok(answer) = self.send_as(Mode::Query, request, calls).await else { return Err(failure) };
        if !self.by_query.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                connection = %self.connection,
                "the shop's host strips the Authorization header: the keys go in the query string; set auth: query, or \
                 let the host pass the header on"
            );
        }
        Ok(answer)
    }

    async fn send_as(&self, mode: Mode, request: Request, calls: &Calls) -> Result<Answer, Failure> {
        let request = self.keys.sign(request, mode, self.http.base(), self.http.now());
        self.http.send(request, &WooCommerceJudge, calls).await
    }
}

/// The address of the shop, also when somebody pasted that of the API.
fn shop_address(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    url.find("/wp-json").map_or(url, |at| &url[..at])
}

fn json(answer: &Answer) -> Result<Value, Failure> {
    answer.json().map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause))
}

fn unexpected(what: &str) -> Failure {
    Failure::retry(
        RetryReason::Unavailable,
        None,
        Cause::new("unexpected_answer", format!("the shop did not answer {what}"))
            .advice("look for a plugin that changes the REST API"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_the_api_is_cut_to_that_of_the_shop() {
        assert_eq!(shop_address("https://shop.test/wp-json/wc/v3/"), "https://shop.test");
        assert_eq!(shop_address(" https://shop.test/winkel/ "), "https://shop.test/winkel");
    }
}
