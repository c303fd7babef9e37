//! The calls: bearer token and administration on every one of them, lists to their last page, and one more try with
//! another token when the first was refused.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::auth::{Site, token_keeper};
use super::errors::{self, Facts, TOKEN_REFUSED};
use super::options::Settings;
use super::{FACTS, native};
use crate::http::oauth2::TokenKeeper;
use crate::http::{Answer, Deps, HttpClient, Judge, Request, Verdict};

/// More pages than any list that is read here can have: a chain of links that goes in circles ends.
const PAGES_MAX: usize = 1_000;

/// The calls of one connection.
pub(super) struct Client {
    name: String,
    http: HttpClient,
    tokens: TokenKeeper,
    administration: Option<u64>,
    language: String,
    page_size: u32,
}

impl Client {
    /// Prepares the calls; nothing is sent.
    pub fn new(connection: &Connection, settings: &Settings, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self {
            name: connection.name.clone(),
            http: HttpClient::new(connection, &Site::of(connection).api, &FACTS.limits, deps)?,
            tokens: token_keeper(connection, deps)?,
            administration: settings.administration,
            language: settings.language.clone(),
            page_size: settings.page_size,
        })
    }

    /// Now, on the clock of the administration.
    pub fn local_now(&self) -> NaiveDateTime {
        native::wall_clock(self.http.now())
    }

    /// How long ago the tokens were renewed; `None` before the first consent.
    pub async fn age_of_tokens(&self) -> Result<Option<TimeDelta>, Failure> {
        self.tokens.stored_age().await
    }

    /// All rows of a list.
    pub async fn list(&self, path: &str, query: &[(&str, &str)], calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        let mut link = None;
        for _ in 0..PAGES_MAX {
            let (rows, next) = self.page(path, query, link.as_deref(), calls).await?;
            found.extend(rows);
            match next {
                Some(next) => link = Some(next),
                None => return Ok(found),
            }
        }
        Err(Failure::settings(self.at(Cause::new("endless_list", format!("the list {path} does not end")))))
    }

    /// One page of a list: the first, or the one that the link of the page before leads to.
    pub async fn page(
        &self,
        path: &str,
        query: &[(&str, &str)],
        link: Option<&str>,
        calls: &Calls,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let administration = self.administration()?;
        let request = match link {
            // A link is used as it came; the client refuses one that leaves the host.
            Some(link) => Request::get(link),
            None => {
                let request = Request::get(format!("v1/{path}")).query("pageSize", self.page_size);
                query.iter().fold(request, |request, (name, value)| request.query(*name, *value))
            }
        };
        let answer = self.send(request, path, Some(administration), calls).await?;
        self.check_administration(&answer, administration)?;
        Ok(rows_of(answer))
    }

    /// Creates a record and gives it back as it is kept.
    pub async fn create(&self, path: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let request = Request::post(format!("v1/{path}")).json(body);
        Ok(native::entity(self.send(request, path, Some(self.administration()?), calls).await?))
    }

    /// Replaces a record.
    pub async fn replace(&self, path: &str, endpoint: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let request = Request::put(format!("v1/{path}")).json(body);
        Ok(native::entity(self.send(request, endpoint, Some(self.administration()?), calls).await?))
    }

    /// Has a body checked without storing it.
    pub async fn validate(&self, path: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let request = Request::post(format!("v1/{path}")).query("validateOnly", "true").json(body);
        self.send(request, path, Some(self.administration()?), calls).await
    }

    /// The administrations of the user who gave consent.
    pub async fn administrations(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = Request::get("v1/administrations").query("pageSize", self.page_size);
        // The configured one may not be open to the user, and then nothing could be listed for it.
        Ok(rows_of(self.send(request, "administrations", None, calls).await?).0)
    }

    /// Says which administration answers; names those that can be chosen when it is not among them.
    pub async fn introduce(&self, calls: &Calls) -> Result<String, Failure> {
        let all = self.administrations(calls).await?;
        let named = |row: &Value| {
            let id = native::field(row, "id").unwrap_or_default();
            format!("{id} {}", native::field(row, "name").unwrap_or_default()).trim().to_owned()
        };
        let wanted = self.administration.map(|id| id.to_string());
        let found = all.iter().find(|row| wanted.is_some() && native::field(row, "id") == wanted);
        if let Some(row) = found {
            return Ok(format!("administration {}", named(row)));
        }
        let list: Vec<String> = all.iter().map(named).collect();
        let message = match wanted {
            Some(id) => format!("the user who gave consent may not use administration {id}"),
            None => "no administration is chosen".to_owned(),
        };
        Err(Failure::settings(
            self.at(Cause::new("administration_not_reachable", message))
                .advice(format!("set administration to one of: {}", list.join("; ")))
                .in_row("administration"),
        ))
    }

    fn administration(&self) -> Result<u64, Failure> {
        self.administration.ok_or_else(|| {
            Failure::settings(
                self.at(Cause::new("missing_administration", "the administration is missing"))
                    .advice(format!("run koppel test {} and set administration to one of those it lists", self.name))
                    .in_row("administration"),
            )
        })
    }

    /// Without the header (or with one that it does not know) Asperion answers for the default of the user: then
    /// nothing that was read or would be written is right.
    fn check_administration(&self, answer: &Value, wanted: u64) -> Result<(), Failure> {
        let meta = answer.get("_meta").unwrap_or(&Value::Null);
        match native::field(meta, "administrationId") {
            Some(answered) if answered != wanted.to_string() => Err(Failure::settings(
                self.at(Cause::new(
                    "wrong_administration",
                    format!("administration {wanted} was asked and {answered} answered"),
                ))
                .advice("check the option administration; nothing was written")
                .in_row("administration"),
            )),
            _ => Ok(()),
        }
    }

    /// One call with a JSON answer, and one more with another token when the first was refused.
    async fn send(
        &self,
        request: Request,
        endpoint: &str,
        administration: Option<u64>,
        calls: &Calls,
    ) -> Result<Value, Failure> {
        let judge = AsperionJudge { endpoint };
        let mut request = request
            .header("Accept", "application/json")
            .header("Accept-Language", self.language.clone())
            .endpoint(endpoint);
        if let Some(id) = administration {
            request = request.header("X-Tenant-Id", id.to_string());
        }
        let writes = request.writes();
        let token = self.tokens.access_token(calls).await?;
        let answer = match self.http.send(request.clone().bearer(&token), &judge, calls).await {
            Err(Failure::Auth(cause)) if cause.code == TOKEN_REFUSED => {
                let token = self.tokens.access_token_after_refusal(&token, calls).await?;
                self.http.send(request.bearer(&token), &judge, calls).await?
            }
            other => other?,
        };
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        let reason = if writes { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
        answer.json().map_err(|cause| Failure::retry(reason, None, self.at(cause)))
    }

    fn at(&self, cause: Cause) -> Cause {
        cause.at_connection(&self.name)
    }
}

/// Rows of a list and the link to the next page.
fn rows_of(answer: Value) -> (Vec<Value>, Option<String>) {
    let next = native::field(answer.get("_meta").unwrap_or(&Value::Null), "nextPage");
    let rows = match answer {
        Value::Object(mut fields) => match fields.remove("_data") {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    (rows, next)
}

/// Reads the facts off an answer and asks the decision table.
struct AsperionJudge<'a> {
    endpoint: &'a str,
}

impl Judge for AsperionJudge<'_> {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let facts = Facts {
            writes: request.writes(),
            endpoint: self.endpoint,
            status: answer.status,
            retry_after: answer.retry_after(now),
            body: &answer.text(),
        };
        errors::decide(&facts).map_or(Verdict::Accept, Verdict::Fail)
    }
}
