//! The calls: bearer token, division in the path, `$select` on every list, a full answer on every creation.

mod bulk;
pub(super) mod sync;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::auth::{Site, token_keeper};
use super::errors::{self, Decision, Facts};
use super::{FACTS, odata};
use crate::http::oauth2::TokenKeeper;
use crate::http::{Answer, Deps, HttpClient, Judge, Learned, Request, Verdict, Window};

/// Code of the failure that asks for another token.
const TOKEN_REFUSED: &str = "token_refused";
/// More pages than any list that is read here can have: a chain of links that goes in circles ends.
const PAGES_MAX: usize = 500;

/// The calls of one connection.
pub(super) struct Client {
    name: String,
    http: HttpClient,
    tokens: TokenKeeper,
    zone: Tz,
    division: Option<String>,
    search_contacts: bool,
    search_addresses: bool,
}

impl Client {
    /// Prepares the calls; nothing is sent.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let site = Site::of(connection)?;
        let division = connection.option("division");
        if let Some(text) = &division
            && text.parse::<u32>().is_err()
        {
            return Err(Failure::settings(
                Cause::new("bad_division", format!("«{text}» is not the code of a division"))
                    .advice("give the number of the division, as `koppel test` lists it")
                    .in_row("division")
                    .at_connection(&connection.name),
            ));
        }
        Ok(Self {
            name: connection.name.clone(),
            http: HttpClient::new(connection, &site.base, &FACTS.limits, deps)?,
            tokens: token_keeper(connection, deps)?,
            zone: site.zone,
            division,
            search_contacts: connection.option("search_contacts").is_none() || connection.flag("search_contacts"),
            search_addresses: connection.flag("search_addresses"),
        })
    }

    /// E-mail addresses are also looked for on contacts.
    pub fn searches_contacts(&self) -> bool {
        self.search_contacts
    }

    /// Delivery addresses are looked for before they are created.
    pub fn searches_addresses(&self) -> bool {
        self.search_addresses
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    /// Now, on the clock of the site, as dates in answers are.
    pub fn local_now(&self) -> NaiveDateTime {
        self.http.now().with_timezone(&self.zone).naive_local()
    }

    /// All rows of a list.
    pub async fn list(&self, entity: &'static str, select: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        self.pages(self.get(entity, "", select)?, entity, calls).await
    }

    /// The rows in which one of `fields` is one of `literals`, in as few calls as filters allow.
    pub async fn search(
        &self,
        entity: &'static str,
        fields: &[&str],
        literals: &[String],
        select: &str,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let term = |literal: &String| fields.iter().map(|field| format!("{field} eq {literal}")).collect();
        let terms: Vec<Vec<String>> = literals.iter().map(term).collect();
        self.search_terms(entity, &terms, select, calls).await
    }

    /// The delivery addresses of an account (a GUID literal).
    pub async fn delivery_addresses(&self, account: &str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let filter = format!("Account eq {account} and Type eq 4");
        let select = "ID,Account,Type,AddressLine1,AddressLine2,AddressLine3,Postcode,City,Country";
        self.pages(self.get("crm/Addresses", &filter, select)?, "crm/Addresses", calls).await
    }

    /// Creates a record and gives it back as Exact keeps it.
    pub async fn create(&self, entity: &'static str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        // Without this header most entities answer with nulls.
        let request = Request::post(self.path(entity)?).json(body).header("Prefer", "return=representation");
        let answer = self.send(request.endpoint(entity), entity, calls).await?;
        Ok(answer.get("d").cloned().unwrap_or(Value::Null))
    }

    /// Changes the given fields of a record.
    pub async fn update(&self, entity: &'static str, id: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        let path = format!("{}({})", self.path(entity)?, odata::guid(id)?);
        self.send(Request::put(path).json(body).endpoint(entity), entity, calls).await.map(|_| ())
    }

    /// How long ago the tokens were renewed; `None` before the first consent.
    pub async fn age_of_tokens(&self) -> Result<Option<TimeDelta>, Failure> {
        self.tokens.stored_age().await
    }

    /// The division as the user may see it, when the app may list divisions.
    pub async fn own_division(&self, calls: &Calls) -> Result<Option<Value>, Failure> {
        let select = "Code,Currency,BlockingStatus,ArchiveDate";
        let rows = match self.list("system/Divisions", select, calls).await {
            Err(failure) if failure.cause().code == "scope_missing" => return Ok(None),
            other => other?,
        };
        Ok(rows.into_iter().find(|row| odata::field(row, "Code") == self.division))
    }

    /// Says who is connected and to which division; names the reachable ones when the division is not among them.
    pub async fn introduce(&self, calls: &Calls) -> Result<String, Failure> {
        let me = Request::get("api/v1/current/Me").query("$select", "CurrentDivision,FullName,UserName");
        let rows = self.pages(me.endpoint("current/Me"), "current/Me", calls).await?;
        let me = rows.first().ok_or_else(|| {
            Failure::settings(Cause::new("nobody", "Exact Online does not say who is connected"))
                .map_cause(|c| self.at(c))
        })?;
        let user = odata::field(me, "FullName").or_else(|| odata::field(me, "UserName")).unwrap_or_default();
        let current = odata::field(me, "CurrentDivision").unwrap_or_default();
        // The division the user looked at last serves to read the list, never to write: it changes with every click.
        let path = format!("api/v1/{current}/system/Divisions");
        let request = Request::get(path).query("$select", "Code,Description,Status,BlockingStatus");
        let divisions = match self.pages(request.endpoint("system/Divisions"), "system/Divisions", calls).await {
            Ok(divisions) => divisions,
            Err(failure) if failure.cause().code == "scope_missing" => {
                return self.introduce_without_list(&user, calls).await;
            }
            Err(failure) => return Err(failure),
        };
        let named = |row: &Value| {
            let code = odata::field(row, "Code").unwrap_or_default();
            format!("{code} {}", odata::field(row, "Description").unwrap_or_default()).trim().to_owned()
        };
        let found = divisions.iter().find(|row| odata::field(row, "Code") == self.division);
        match (&self.division, found) {
            (Some(_), Some(row)) => Ok(format!("{user}, division {}", named(row))),
            (wanted, _) => {
                let list: Vec<String> = divisions.iter().map(named).collect();
                let message = match wanted {
                    Some(code) => format!("{user} may not use division {code}"),
                    None => "no division is chosen".to_owned(),
                };
                Err(Failure::settings(
                    self.at(Cause::new("division_not_reachable", message))
                        .advice(format!("set division to one of: {}", list.join("; ")))
                        .in_row("division"),
                ))
            }
        }
    }

    /// The app may not list divisions: then a read in the division itself is the proof.
    async fn introduce_without_list(&self, user: &str, calls: &Calls) -> Result<String, Failure> {
        let probe = self.get("crm/Accounts", "Status eq 'C'", "ID")?.query("$top", 1);
        self.send(probe, "crm/Accounts", calls).await?;
        let division = self.division.clone().unwrap_or_default();
        Ok(format!("{user}, division {division} (the app may not read its name)"))
    }

    fn path(&self, entity: &str) -> Result<String, Failure> {
        match &self.division {
            Some(division) => Ok(format!("api/v1/{division}/{entity}")),
            None => Err(Failure::settings(
                self.at(Cause::new("missing_division", "the division is missing"))
                    .advice(format!("run koppel test {} and set division to one of those it lists", self.name))
                    .in_row("division"),
            )),
        }
    }

    fn get(&self, entity: &'static str, filter: &str, select: &str) -> Result<Request, Failure> {
        let mut request = Request::get(self.path(entity)?).endpoint(entity);
        if !filter.is_empty() {
            request = request.query("$filter", filter);
        }
        Ok(request.query("$select", select))
    }

    /// Follows a list to its end. A link is used as it came; the client refuses one that leaves the host.
    async fn pages(&self, first: Request, entity: &'static str, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        let mut request = first;
        for _ in 0..PAGES_MAX {
            let (rows, next) = self.one_page(request, entity, calls).await?;
            found.extend(rows);
            match next {
                Some(next) => request = Request::get(next).endpoint(entity),
                None => return Ok(found),
            }
        }
        Err(Failure::settings(self.at(Cause::new("endless_list", format!("the list {entity} does not end")))))
    }

    /// One call with a JSON answer.
    async fn send(&self, request: Request, entity: &'static str, calls: &Calls) -> Result<Value, Failure> {
        let answer = self.answer(request, entity, calls).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer
            .json()
            .map_err(|cause| Failure::retry(koppel_core::error::RetryReason::OutcomeUnknown, None, self.at(cause)))
    }

    /// One call, and one more with another token when the first was refused.
    async fn answer(&self, request: Request, entity: &'static str, calls: &Calls) -> Result<Answer, Failure> {
        let judge = ExactJudge { entity };
        let token = self.tokens.access_token(calls).await?;
        match self.http.send(request.clone().bearer(&token), &judge, calls).await {
            Err(Failure::Auth(cause)) if cause.code == TOKEN_REFUSED => {
                let token = self.tokens.access_token_after_refusal(&token, calls).await?;
                self.http.send(request.bearer(&token), &judge, calls).await
            }
            other => other,
        }
    }

    fn at(&self, cause: Cause) -> Cause {
        cause.at_connection(&self.name)
    }
}

/// Reads the facts off an answer and asks the decision table.
struct ExactJudge {
    entity: &'static str,
}

impl Judge for ExactJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        // A picture is no answer in words.
        let is_file = answer.header("content-type").is_some_and(|kind| kind.starts_with("image/"));
        let body = if is_file { Default::default() } else { answer.text() };
        let facts = Facts {
            writes: request.writes(),
            endpoint: self.entity,
            status: answer.status,
            reason: answer.header("reason"),
            day_reset: millis(answer, "x-ratelimit-reset"),
            minute_reset: millis(answer, "x-ratelimit-minutely-reset"),
            body: &body,
            now,
        };
        match errors::decide(&facts) {
            Decision::Accept => Verdict::Accept,
            Decision::Fail(failure) => Verdict::Fail(failure),
            Decision::TokenRefused => Verdict::Fail(Failure::auth(
                Cause::new(TOKEN_REFUSED, format!("Exact Online refused the token ({})", self.entity))
                    .advice("connect again"),
            )),
        }
    }

    fn limits(&self, answer: &Answer, _now: DateTime<Utc>) -> Vec<Learned> {
        let told = |window, remaining: &str, reset: &str| {
            let remaining = u32::try_from(answer.header_number(remaining)?).ok()?;
            Some(Learned { window, remaining, reset: DateTime::from_timestamp_millis(millis(answer, reset)?)? })
        };
        [
            told(Window::Day, "x-ratelimit-remaining", "x-ratelimit-reset"),
            told(Window::Minute, "x-ratelimit-minutely-remaining", "x-ratelimit-minutely-reset"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn throttles_endpoint_only(&self, answer: &Answer, now: DateTime<Utc>) -> bool {
        let resets = ["x-ratelimit-reset", "x-ratelimit-minutely-reset"];
        !resets.iter().any(|name| millis(answer, name).is_some_and(|reset| reset > now.timestamp_millis()))
    }
}

fn millis(answer: &Answer, name: &str) -> Option<i64> {
    answer.header(name)?.trim().parse().ok()
}
