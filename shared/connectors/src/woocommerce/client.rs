//! Calls to a WooCommerce shop, one function per call.

use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, Window};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::FACTS;
use super::auth::{Keys, Mode};
use super::judge::{FileJudge, NOT_RECOGNISED, WooCommerceJudge, WordPressJudge, is_missing};
use crate::http::request::encode;
use crate::http::{Answer, Deps, HttpClient, Request};

/// Below the shop's address.
const API: &str = "wp-json/wc/v3";
/// The API of the plugin Wholesale Suite: paths that begin with it stand beside WooCommerce's own.
pub const WHOLESALE: &str = "wholesale/v1";
/// Decimals of amounts: enough to recompute the tax of each rate.
pub const DECIMALS: &str = "6";

/// Most records a page.
pub const LARGEST_PAGE: usize = 100;
/// Most pages of a list that is read as a whole.
const MOST_PAGES: usize = 500;

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// The records.
    pub records: Vec<Value>,
    /// How many records the whole list has, when the shop tells.
    pub total: Option<u64>,
}

/// A list that is read part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Orders, with decimals enough to recompute the tax of each rate.
    Orders,
    /// Refunds over all orders, by the moment they were made; WooCommerce 9.0 or later.
    Refunds,
    /// Products, without their variations.
    Products,
    /// Which variations there are, over all products; WooCommerce 10.3 or later.
    Variations,
    /// Accounts of every role: without saying so only those of the role `customer` are shown.
    Customers,
}

impl Listed {
    fn path(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Refunds => "refunds",
            Self::Products => "products",
            Self::Variations => "variations",
            Self::Customers => "customers",
        }
    }

    /// The filter for what is new since a moment. A refund has no date of a change: it is made once.
    fn since(self) -> &'static str {
        match self {
            Self::Refunds => "after",
            _ => "modified_after",
        }
    }

    /// What is asked for beside the part.
    fn query(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Orders | Self::Refunds => &[("dp", DECIMALS)],
            Self::Products => &[],
            Self::Variations => &[("_fields", "id,parent_id")],
            Self::Customers => &[("role", "all")],
        }
    }
}

/// The part of a list to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Changed after this moment, not at it: the filter is exclusive. `None` where a list has no such filter.
    pub modified_after: Option<DateTime<Utc>>,
    /// Records to pass over.
    pub offset: u64,
    /// Most records, up to 100.
    pub size: u32,
}

/// A WordPress user with an application password: for what the keys of WooCommerce do not open.
#[derive(Clone)]
pub struct WordPressUser {
    /// Login.
    pub name: String,
    /// Application password.
    pub password: String,
}

impl WordPressUser {
    /// The secrets `wp_user` and `wp_application_password`; `None` unless both are there.
    pub fn of(connection: &Connection) -> Option<Self> {
        let secret = |name: &str| connection.secret(name).map(|text| text.trim().to_owned());
        Some(Self { name: secret("wp_user")?, password: secret("wp_application_password")? })
    }
}

// The password never reaches a log.
impl std::fmt::Debug for WordPressUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WordPressUser").finish_non_exhaustive()
    }
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

    /// The time, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    /// The address of the shop.
    pub fn base(&self) -> &str {
        self.http.base()
    }

    /// The host strips the `Authorization` header, so the keys go in the query string.
    pub fn keys_go_by_query(&self) -> bool {
        self.by_query.load(Ordering::Relaxed)
    }

    /// The user has said how the shop calls itself.
    pub fn has_own_address(&self) -> bool {
        self.keys.has_own_address()
    }

    /// One part of a list, by rising id.
    pub async fn part(&self, listed: Listed, part: &Part, calls: &Calls) -> Result<List, Failure> {
        let mut request = Request::get(format!("{API}/{}", listed.path()));
        if let Some(moment) = part.modified_after {
            request = request.query(listed.since(), gmt(moment)).query("dates_are_gmt", "true");
        }
        request = request
            .query("orderby", "id")
            .query("order", "asc")
            .query("per_page", part.size)
            .query("offset", part.offset);
        for (name, value) in listed.query() {
            request = request.query(*name, value);
        }
        self.list(request, calls).await
    }

    /// Only `fields` of the records that changed in the window, by rising id. Up to `most` of them.
    pub async fn changed(
        &self,
        listed: Listed,
        window: &Window,
        fields: &str,
        most: usize,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut request = Request::get(format!("{API}/{}", listed.path()))
                .query("modified_after", gmt(window.since))
                .query("modified_before", gmt(window.until))
                .query("dates_are_gmt", "true")
                .query("orderby", "id")
                .query("order", "asc")
                .query("per_page", LARGEST_PAGE)
                .query("offset", all.len())
                .query("_fields", fields);
            if !window.statuses.is_empty() {
                request = request.query("status", window.statuses.join(","));
            }
            let mut list = self.list(request, calls).await?.records;
            let last = list.len() < LARGEST_PAGE;
            all.append(&mut list);
            if last || all.len() >= most {
                return Ok(all);
            }
        }
    }

    /// A whole list below `path`, by rising id, page by page.
    pub async fn all(&self, path: &str, query: &[(&str, &str)], calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut all: Vec<Value> = Vec::new();
        for page in 1..=MOST_PAGES {
            let mut request = Request::get(format!("{API}/{path}"))
                .query("orderby", "id")
                .query("order", "asc")
                .query("per_page", LARGEST_PAGE)
                .query("page", page);
            for (name, value) in query {
                request = request.query(*name, value);
            }
            let mut list = self.list(request, calls).await?;
            let last = match list.total {
                Some(total) => list.records.is_empty() || (all.len() + list.records.len()) as u64 >= total,
                None => list.records.len() < LARGEST_PAGE,
            };
            all.append(&mut list.records);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// `GET` of one page of a list below `path`.
    pub async fn get_list(&self, path: &str, query: &[(&str, &str)], calls: &Calls) -> Result<List, Failure> {
        let mut request = Request::get(format!("{API}/{path}"));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        self.list(request, calls).await
    }

    /// `GET` of one record below `path`; `None` when the shop has no such record.
    pub async fn one(&self, path: &str, query: &[(&str, &str)], calls: &Calls) -> Result<Option<Value>, Failure> {
        let mut request = Request::get(api_path(path));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let answer = self.send(request, calls).await?;
        if is_missing(&answer) {
            return Ok(None);
        }
        json(&answer).map(Some)
    }

    /// `GET orders/{id}`; `None` when the shop has no such order.
    pub async fn order(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        self.one(&format!("orders/{}", encode(id)), &[("dp", DECIMALS)], calls).await
    }

    /// `POST` below `path`; `fields` trims the answer.
    pub async fn post(&self, path: &str, body: Value, fields: Option<&str>, calls: &Calls) -> Result<Value, Failure> {
        let mut request = Request::post(api_path(path)).json(body);
        if let Some(fields) = fields {
            request = request.query("_fields", fields);
        }
        json(&self.send(request, calls).await?)
    }

    /// A call to WordPress itself, as a user with an application password.
    pub async fn wordpress(&self, user: &WordPressUser, request: Request, calls: &Calls) -> Result<Value, Failure> {
        let pair = STANDARD.encode(format!("{}:{}", user.name, user.password));
        let request = request.header("Authorization", format!("Basic {pair}"));
        json(&self.http.send(request, &WordPressJudge, calls).await?)
    }

    /// What lies at an address of the shop's own host; `None` when nothing does. No keys are shown.
    pub async fn file(&self, url: &str, calls: &Calls) -> Result<Option<Answer>, Failure> {
        let answer = self.http.send(Request::get(url).endpoint("GET pictures"), &FileJudge, calls).await?;
        Ok(answer.is_success().then_some(answer))
    }

    /// `GET webhooks`: one page of all there are, by rising id.
    pub async fn webhooks(&self, page: u32, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = Request::get(format!("{API}/webhooks"))
            .query("orderby", "id")
            .query("order", "asc")
            .query("per_page", LARGEST_PAGE)
            .query("page", page);
        Ok(self.list(request, calls).await?.records)
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

    async fn list(&self, request: Request, calls: &Calls) -> Result<List, Failure> {
        let answer = self.send(request, calls).await?;
        match json(&answer)? {
            Value::Array(records) => Ok(List { records, total: answer.header_number("x-wp-total") }),
            _ => Err(unexpected("a list")),
        }
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

/// The path of a call below WooCommerce's API, or below that of the plugin it names.
fn api_path(path: &str) -> String {
    if path.starts_with(WHOLESALE) { format!("wp-json/{path}") } else { format!("{API}/{path}") }
}

/// The address of the shop, also when somebody pasted that of the API.
fn shop_address(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    url.find("/wp-json").map_or(url, |at| &url[..at])
}

/// A moment as the date filters take it, with `dates_are_gmt`.
pub(super) fn gmt(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z').to_owned()
}

fn json(answer: &Answer) -> Result<Value, Failure> {
    answer.json().map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause))
}

pub(super) fn unexpected(what: &str) -> Failure {
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
