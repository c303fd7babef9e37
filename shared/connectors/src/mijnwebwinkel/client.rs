//! Calls to the API, one function per call. Every call carries the tokens; `format=json` is said wherever it is known.

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::FACTS;
use super::auth::Tokens;
use super::judge::MijnWebwinkelJudge;
use super::native;
use super::options::Options;
use crate::http::request::encode;
use crate::http::{Answer, Deps, HttpClient, Method, Request};

/// The one address of all shops.
const ADDRESS: &str = "https://api.myonlinestore.com";
/// Version in the path.
const API: &str = "v1";
/// Most records a page; the API itself gives ten unless it is told otherwise.
pub const LARGEST_PAGE: usize = 100;
/// Most pages of a list that is read as a whole.
const MOST_PAGES: usize = 500;

/// Calls one shop.
#[derive(Debug)]
pub struct MijnWebwinkelClient {
    http: HttpClient,
    tokens: Tokens,
    language: Option<String>,
    brackets: bool,
}

impl MijnWebwinkelClient {
    /// A client for a connection with its `token` and `partner_token`.
    pub fn new(connection: &Connection, options: &Options, deps: &Deps) -> Result<Self, Failure> {
        let url = connection.option("url").unwrap_or_else(|| ADDRESS.into());
        let base = url.trim().trim_end_matches('/').trim_end_matches("/v1");
        Ok(Self {
            http: HttpClient::new(connection, base, &FACTS.limits, deps)?,
            tokens: Tokens::of(connection)?,
            language: options.language.clone(),
            brackets: options.brackets,
        })
    }

    /// The time, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    /// The address of the API.
    pub fn base(&self) -> &str {
        self.http.base()
    }

    /// `GET /store`.
    pub async fn store(&self, calls: &Calls) -> Result<Value, Failure> {
        self.object(self.classic(Request::get(format!("{API}/store"))), calls).await
    }

    /// `GET /orderstatuses`: ids and names, never known by heart.
    pub async fn statuses(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        self.list(self.classic(Request::get(format!("{API}/orderstatuses"))), calls).await
    }

    /// `GET /payment/stores/me/gateways`: ways to pay that the store uses.
    pub async fn gateways(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = self.classic(Request::get(format!("{API}/payment/stores/me/gateways")));
        Ok(native::many(&self.object(request, calls).await?["gateways"]))
    }

    /// `GET /tax-policy/regions`: a bare list by the definition, below a name in practice.
    pub async fn regions(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let answer = self.json(Request::get(format!("{API}/tax-policy/regions")), calls).await?;
        Ok(native::many(answer.get("regions").unwrap_or(&answer)))
    }

    /// A page of `GET /orders`, by rising number.
    pub async fn orders(&self, filter: &[(&str, String)], offset: usize, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = self.page("orders", filter, offset).query("ordering", "asc");
        self.list(request, calls).await
    }

    /// The newest orders of a buyer.
    pub async fn newest_of(&self, debtor: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = Request::get(format!("{API}/orders"))
            .query("debtor_id", debtor)
            .query("ordering", "desc")
            .query("limit", 1);
        self.list(self.classic(request), calls).await
    }

    /// `GET /orders/{number}`; `None` when the shop has no such order.
    pub async fn order(&self, number: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let request = Request::get(format!("{API}/orders/{}", encode(number))).endpoint("GET /v1/orders/*");
        self.one(self.classic(request), calls).await
    }

    /// `PATCH /orders/{number}`: only what stands in the body changes.
    pub async fn update_order(&self, number: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        let request = patch(format!("{API}/orders/{}", encode(number))).endpoint("PATCH /v1/orders/*").json(body);
        self.send(self.classic(request), calls).await.map(drop)
    }

    /// A page of `GET /articles`.
    pub async fn articles(
        &self,
        filter: &[(&str, String)],
        offset: usize,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        self.list(self.page("articles", filter, offset), calls).await
    }

    /// Articles by their ids, a hundred a call. A server that does not understand the filter gives others: they are left
    /// out, and when none of those asked for came, the option is wrong.
    pub async fn articles_by_id(&self, ids: &[String], calls: &Calls) -> Result<Vec<Value>, Failure> {
        let name = if self.brackets { "ids[]" } else { "ids" };
        let mut found = Vec::new();
        for part in ids.chunks(LARGEST_PAGE) {
            let mut request = Request::get(format!("{API}/articles"));
            for id in part {
                request = request.query(name, id);
            }
            let rows = self.list(self.classic(request.query("limit", LARGEST_PAGE)), calls).await?;
            let strangers = rows.iter().filter(|row| !part.contains(&native::text(&row["id"]))).count();
            if strangers > 0 {
                return Err(Failure::settings(
                    Cause::new(
                        "ids_not_understood",
                        "MijnWebwinkel does not understand how articles are asked for by id",
                    )
                    .advice(if self.brackets { "set array_query: repeat" } else { "set array_query: brackets" })
                    .in_row("array_query"),
                ));
            }
            found.extend(rows);
        }
        Ok(found)
    }

    /// `GET /articles/{id}`; `None` when the shop has no such article.
    pub async fn article(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let request = Request::get(format!("{API}/articles/{}", encode(id))).query("use_url_id", false);
        self.one(self.classic(request), calls).await
    }

    /// `POST /articles`. Not safe to repeat.
    pub async fn create_article(&self, body: Value, calls: &Calls) -> Result<Value, Failure> {
        self.object(self.classic(Request::post(format!("{API}/articles")).json(body)), calls).await
    }

    /// `PATCH /articles/{id}`: only what stands in the body changes, but lists replace.
    pub async fn update_article(&self, id: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let request = patch(format!("{API}/articles/{}", encode(id))).query("use_url_id", false).json(body);
        self.object(self.classic(request), calls).await
    }

    /// `POST /articles/uploadImage/{id}`; the answer does not tell the id of the picture.
    pub async fn upload_image(&self, id: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        let request = Request::post(format!("{API}/articles/uploadImage/{}", encode(id))).json(body);
        self.send(self.classic(request), calls).await.map(|_| ())
    }

    /// `DELETE /deleteImage/{id}`.
    pub async fn delete_image(&self, id: &str, calls: &Calls) -> Result<(), Failure> {
        let request = Request::new(Method::Delete, format!("{API}/deleteImage/{}", encode(id)));
        self.send(self.classic(request.endpoint("DELETE /v1/deleteImage/*")), calls).await.map(|_| ())
    }

    /// `GET /articlelists/{id}`; `None` when the shop has no such list.
    pub async fn article_list(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        self.one(self.classic(Request::get(format!("{API}/articlelists/{}", encode(id)))), calls).await
    }

    /// `POST /articlelistoptions/{id}`: adds options to a list that is there.
    pub async fn add_options(&self, id: &str, names: &[String], calls: &Calls) -> Result<Value, Failure> {
        let options: Vec<Value> = names.iter().map(|name| json!({"name": name, "price": "0.00"})).collect();
        let request = Request::post(format!("{API}/articlelistoptions/{}", encode(id))).json(Value::Array(options));
        self.object(self.classic(request), calls).await
    }

    /// All categories.
    pub async fn categories(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.page("categories", &[("as_tree", "false".into())], all.len());
            let rows = self.list(page, calls).await?;
            let last = rows.len() < LARGEST_PAGE;
            all.extend(rows);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// `POST /categories`.
    pub async fn create_category(&self, body: Value, calls: &Calls) -> Result<Value, Failure> {
        self.object(self.classic(Request::post(format!("{API}/categories")).json(body)), calls).await
    }

    /// `GET /customers?q=`: accounts whose address may match in part only. Whether it has pages is not known.
    pub async fn customers(&self, text: Option<&str>, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut request = Request::get(format!("{API}/customers"));
        if let Some(text) = text {
            request = request.query("q", text);
        }
        Ok(native::many(&self.object(request.query("embed", "address"), calls).await?["customers"]))
    }

    /// `GET /customers/{id}`; `None` when the shop has no such account.
    pub async fn customer(&self, id: &str, calls: &Calls) -> Result<Option<Value>, Failure> {
        let request = Request::get(format!("{API}/customers/{}", encode(id))).endpoint("GET /v1/customers/*");
        Ok(self.one(request, calls).await?.map(|answer| answer["customer"].clone()))
    }

    /// `POST /customers`.
    pub async fn create_customer(&self, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let answer = self.object(Request::post(format!("{API}/customers")).json(body), calls).await?;
        Ok(answer["customer"].clone())
    }

    /// `PATCH /customers/{id}`.
    pub async fn update_customer(&self, id: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let request = patch(format!("{API}/customers/{}", encode(id))).endpoint("PATCH /v1/customers/*").json(body);
        self.object(request, calls).await
    }

    /// `POST /customers/{id}/addresses`, or `PATCH` of one that is there.
    pub async fn write_address(
        &self,
        id: &str,
        address: Option<&str>,
        body: Value,
        calls: &Calls,
    ) -> Result<Value, Failure> {
        let path = format!("{API}/customers/{}/addresses", encode(id));
        let request = match address {
            None => Request::post(path).endpoint("POST /v1/customers/*/addresses"),
            Some(address) => patch(format!("{path}/{}", encode(address))).endpoint("PATCH /v1/customers/*/addresses/*"),
        };
        self.object(request.json(body), calls).await
    }

    /// What lies at an address of the API's own host; `None` when nothing does. No tokens are shown.
    pub async fn file(&self, url: &str, calls: &Calls) -> Result<Option<Answer>, Failure> {
        let answer = self.http.send(Request::get(url).endpoint("GET pictures"), &FileJudge, calls).await?;
        Ok(answer.is_success().then_some(answer))
    }

    fn page(&self, path: &str, filter: &[(&str, String)], offset: usize) -> Request {
        let mut request = Request::get(format!("{API}/{path}")).query("limit", LARGEST_PAGE).query("offset", offset);
        for (name, value) in filter {
            request = request.query(*name, value);
        }
        self.classic(request)
    }

    /// The older endpoints know formats and languages; the newer ones do not.
    fn classic(&self, request: Request) -> Request {
        let request = request.query("format", "json");
        match &self.language {
            Some(language) => request.query("language", language),
            None => request,
        }
    }

    async fn send(&self, request: Request, calls: &Calls) -> Result<Answer, Failure> {
        self.http.send(self.tokens.sign(request), &MijnWebwinkelJudge, calls).await
    }

    async fn json(&self, request: Request, calls: &Calls) -> Result<Value, Failure> {
        let answer = self.send(request, calls).await?;
        if answer.status == 404 {
            return Err(unexpected("a page of the API"));
        }
        answer.json().map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause))
    }

    async fn one(&self, request: Request, calls: &Calls) -> Result<Option<Value>, Failure> {
        let answer = self.send(request, calls).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        answer.json().map(Some).map_err(|cause| Failure::retry(RetryReason::Unavailable, None, cause))
    }

    async fn object(&self, request: Request, calls: &Calls) -> Result<Value, Failure> {
        let writes = request.writes();
        match self.json(request, calls).await? {
            value @ Value::Object(_) => Ok(value),
            _ if writes => Err(Failure::retry(
                RetryReason::OutcomeUnknown,
                None,
                Cause::new("unexpected_answer", "the shop did not answer the record that was written"),
            )),
            _ => Err(unexpected("one record")),
        }
    }

    async fn list(&self, request: Request, calls: &Calls) -> Result<Vec<Value>, Failure> {
        match self.json(request, calls).await? {
            Value::Array(rows) => Ok(rows),
            _ => Err(unexpected("a list")),
        }
    }
}

fn patch(path: String) -> Request {
    Request::new(Method::Patch, path)
}

pub(super) fn unexpected(what: &str) -> Failure {
    Failure::retry(
        RetryReason::Unavailable,
        None,
        Cause::new("unexpected_answer", format!("the shop did not answer {what}"))
            .advice("when it stays: check url, which is https://api.myonlinestore.com for every shop"),
    )
}

/// The judge of files: nobody looks into them.
#[derive(Clone, Copy, Debug)]
struct FileJudge;

impl crate::http::Judge for FileJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> crate::http::Verdict {
        match answer.status {
            401 | 403 | 404 | 410 => crate::http::Verdict::Accept,
            _ => crate::http::judge::default_verdict(request, answer, now),
        }
    }

    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}
