//! The calls: bearer token, company in a header, lists paged by the key of their last row, answers keyed by table.

use chrono::{DateTime, NaiveDateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::Value;

use super::FACTS;
use super::auth::{site, token_keeper};
use super::errors::{self, Facts, TOKEN_REFUSED};
use super::foxpro::{self, Filter};
use crate::http::judge::default_verdict;
use crate::http::oauth2::TokenKeeper;
use crate::http::{Answer, Deps, HttpClient, Judge, Request, Verdict};

/// Rows of a page, unless the connection says otherwise. The largest that is accepted is not known; this was seen in use.
const PAGE_SIZE: usize = 200;
/// More pages than any list has.
const PAGES_MAX: usize = 2_000;

/// What is asked of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    /// Business object.
    pub object: String,
    /// Table of its rows in the answer.
    pub table: String,
    /// Field that it is paged by.
    pub key: String,
    /// Fields of the rows.
    pub fields: Vec<String>,
    /// Numbered filters.
    pub filters: Vec<Filter>,
    /// One of the filters suffices.
    pub any: bool,
    /// A raw condition.
    pub expression: Option<String>,
}

/// Which door a list is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `accountviewdata`.
    Data,
    /// `accountviewsystemdata`: the dictionary.
    System,
}

/// The calls of one connection.
pub(super) struct Client {
    name: String,
    http: HttpClient,
    tokens: TokenKeeper,
    company: Option<String>,
    page_size: usize,
}

impl Client {
    /// Prepares the calls; nothing is sent.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let page_size = match connection.option("page_size") {
            None => PAGE_SIZE,
            Some(text) => text.parse().ok().filter(|size| (1..=1_000).contains(size)).ok_or_else(|| {
                Failure::settings(
                    Cause::new("bad_option", format!("«{text}» is not a number of rows from 1 to 1000"))
                        .in_row("page_size")
                        .at_connection(&connection.name),
                )
            })?,
        };
        Ok(Self {
            name: connection.name.clone(),
            http: HttpClient::new(connection, &site(connection), &FACTS.limits, deps)?,
            tokens: token_keeper(connection, deps)?,
            company: connection.option("company"),
            page_size,
        })
    }

    /// The time, from the host's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    /// The companies that the user may use: `Id`, `Description`, `Code`.
    pub async fn companies(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let answer = self.send(Request::get("api/v3/companies").endpoint("companies"), "companies", calls).await?;
        Ok(rows_of(answer))
    }

    /// Says which company the connection means; names those there are when it is none of them.
    pub async fn introduce(&self, calls: &Calls) -> Result<String, Failure> {
        let companies = self.companies(calls).await?;
        let named = |row: &Value| {
            let part = |name: &str| field(row, name).unwrap_or_default();
            format!("{} {} ({})", part("Id"), part("Description"), part("Code"))
        };
        if let Some(row) = companies.iter().find(|row| self.company.is_some() && field(row, "Id") == self.company) {
            return Ok(format!("AccountView, company {}", named(row)));
        }
        let list: Vec<String> = companies.iter().map(named).collect();
        let message = match &self.company {
            // People know the code; the header takes the id.
            Some(code) if companies.iter().any(|row| field(row, "Code").as_ref() == Some(code)) => {
                format!("company is «{code}», the code of a company; its id is needed")
            }
            Some(id) => format!("the user may not use company {id}"),
            None => "no company is chosen".to_owned(),
        };
        Err(Failure::settings(
            self.at(Cause::new("company_not_reachable", message))
                .advice(format!("set company to the id of one of: {}", list.join("; ")))
                .in_row("company"),
        ))
    }

    /// The business objects, with what may be done with them.
    pub async fn objects(&self, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let request = self.request(Request::get("api/v3/accountviewsystembusinessobjects"), "objects")?;
        Ok(rows_of(self.send(request, "business objects", calls).await?))
    }

    /// All rows of a list.
    pub async fn all(&self, door: Door, list: &List, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let (mut found, mut last) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let (rows, next) = self.page(door, list, last.as_deref(), calls).await?;
            found.extend(rows);
            match next {
                None => return Ok(found),
                Some(next) if Some(&next) == last.as_ref() => break,
                next => last = next,
            }
        }
        Err(Failure::settings(self.at(Cause::new("endless_list", format!("the list {} does not end", list.object)))))
    }

    /// One page after the row with the key `last`, and the key to go on with.
    pub async fn page(
        &self,
        door: Door,
        list: &List,
        last: Option<&str>,
        calls: &Calls,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        self.page_of(self.page_size, door, list, last, calls).await
    }

    /// One row, to see that the answer has the table and the key that the profile says.
    pub async fn probe(&self, list: &List, calls: &Calls) -> Result<(), Failure> {
        self.page_of(1, Door::Data, list, None, calls).await.map(|_| ())
    }

    async fn page_of(
        &self,
        size: usize,
        door: Door,
        list: &List,
        last: Option<&str>,
        calls: &Calls,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let path = match door {
            Door::Data => "api/v3/accountviewdata",
            Door::System => "api/v3/accountviewsystemdata",
        };
        let mut request = Request::get(path).query("BusinessObject", &list.object).query("PageSize", size);
        if !list.fields.is_empty() {
            request = request.query("Fields", list.fields.join(","));
        }
        for (name, value) in foxpro::pairs(&list.filters, list.any) {
            request = request.query(name, value);
        }
        if let Some(expression) = &list.expression {
            request = request.query("Filter", expression);
        }
        if let Some(last) = last {
            request = request.query("LastKey", last);
        }
        let request = self.request(request, &list.object)?;
        let answer = self.send(request, &list.object, calls).await?;
        let rows = self.table(answer, list)?;
        // A short page is the last; a full one may be followed by an empty one.
        let next = match rows.last() {
            Some(row) if rows.len() >= size => Some(self.key_of(row, list)?),
            _ => None,
        };
        Ok((rows, next))
    }

    /// Creates a record; what AccountView made of it comes back.
    pub async fn create(&self, object: &str, table: &str, body: Value, calls: &Calls) -> Result<Value, Failure> {
        let answer = self.write(Request::post("api/v3/accountviewdata").json(body), object, calls).await?;
        Ok(table_of(&answer, table).map(|rows| rows.into_iter().next().unwrap_or_default()).unwrap_or_default())
    }

    /// Changes a record.
    pub async fn update(&self, object: &str, body: Value, calls: &Calls) -> Result<(), Failure> {
        self.write(Request::put("api/v3/accountviewdata").json(body), object, calls).await.map(|_| ())
    }

    async fn write(&self, request: Request, object: &str, calls: &Calls) -> Result<Value, Failure> {
        let request = self.request(request, object)?;
        self.send(request, object, calls).await
    }

    /// Names the company and, for the counting of errors, the object.
    fn request(&self, request: Request, object: &str) -> Result<Request, Failure> {
        match &self.company {
            Some(company) => Ok(request.header("x-company", company).endpoint(object)),
            None => Err(Failure::settings(
                self.at(Cause::new("missing_company", "the company is missing"))
                    .advice(format!("run koppel test {} and set company to the id of one that it lists", self.name))
                    .in_row("company"),
            )),
        }
    }

    /// The rows of the list's table. Nothing found has many forms; another table is a profile that does not fit.
    fn table(&self, answer: Value, list: &List) -> Result<Vec<Value>, Failure> {
        if let Some(rows) = table_of(&answer, &list.table) {
            return Ok(rows);
        }
        let others: Vec<&str> = answer.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        Err(Failure::settings(
            self.at(Cause::new(
                "other_table",
                format!("{} answered {} where {} was expected", list.object, others.join(", "), list.table),
            ))
            .advice("run koppel doctor: it compares the profile with the data dictionary"),
        ))
    }

    fn key_of(&self, row: &Value, list: &List) -> Result<String, Failure> {
        field(row, &list.key).ok_or_else(|| {
            Failure::settings(
                self.at(Cause::new(
                    "paging_key_missing",
                    format!("{} does not answer {}, so its second page cannot be asked for", list.object, list.key),
                ))
                .advice("set the key of this part in the profile to the field that AccountView pages by"),
            )
        })
    }

    /// One call with a JSON answer, and one more with another token when the first was refused.
    async fn send(&self, request: Request, at: &str, calls: &Calls) -> Result<Value, Failure> {
        let judge = AccountViewJudge { at: at.to_owned() };
        let token = self.tokens.access_token(calls).await?;
        let answer = match self.http.send(request.clone().bearer(&token), &judge, calls).await {
            Err(Failure::Auth(cause)) if cause.code == TOKEN_REFUSED => {
                let token = self.tokens.access_token_after_refusal(&token, calls).await?;
                self.http.send(request.bearer(&token), &judge, calls).await?
            }
            other => other?,
        };
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        let lost = koppel_core::error::RetryReason::OutcomeUnknown;
        answer.json().map_err(|cause| Failure::retry(lost, None, self.at(cause)))
    }

    fn at(&self, cause: Cause) -> Cause {
        cause.at_connection(&self.name)
    }
}

/// Reads the facts off an answer and asks the decision table.
struct AccountViewJudge {
    at: String,
}

impl Judge for AccountViewJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let body = answer.text();
        let facts = Facts { writes: request.writes(), endpoint: &self.at, status: answer.status, body: &body };
        match errors::decide(&facts) {
            None => default_verdict(request, answer, now),
            Some(Ok(())) => Verdict::Accept,
            Some(Err(failure)) => Verdict::Fail(failure),
        }
    }
}

/// A list, or a single row that stands for one.
fn rows_of(value: Value) -> Vec<Value> {
    match value {
        Value::Array(rows) => rows,
        Value::Null => Vec::new(),
        row => vec![row],
    }
}

fn table_of(answer: &Value, table: &str) -> Option<Vec<Value>> {
    let tables = answer.as_object()?;
    let (_, rows) = tables.iter().find(|(name, _)| name.eq_ignore_ascii_case(table))?;
    Some(rows_of(rows.clone()))
}

/// A text or number of a row, without the blanks that its field is padded with; empty counts as absent.
pub(super) fn field(row: &Value, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A number, exactly.
pub(super) fn decimal(row: &Value, name: &str) -> Option<Decimal> {
    let text = field(row, name)?;
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

/// A yes/no field.
pub(super) fn flag(row: &Value, name: &str) -> Option<bool> {
    match field(row, name)?.to_lowercase().as_str() {
        "true" | "1" | ".t." => Some(true),
        "false" | "0" | ".f." => Some(false),
        _ => None,
    }
}

/// A moment on the clock of the installation.
pub(super) fn moment(row: &Value, name: &str) -> Option<NaiveDateTime> {
    let text = field(row, name)?;
    text.trim_end_matches('Z').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn padded_texts_and_plain_numbers_are_read() {
        let row: Value = serde_json::from_str(
            r#"{"A":"10000     ","B":"   ","C":18.3486,"D":true,"E":"2026-11-25T10:00:00","F":null,"G":".T."}"#,
        )
        .unwrap();
        assert_eq!((field(&row, "A").as_deref(), field(&row, "B"), field(&row, "F")), (Some("10000"), None, None));
        assert_eq!(decimal(&row, "C").unwrap().to_string(), "18.3486");
        assert_eq!((flag(&row, "D"), flag(&row, "G"), flag(&row, "A")), (Some(true), Some(true), None));
        assert_eq!(moment(&row, "E").unwrap().to_string(), "2026-11-25 10:00:00");
    }

    #[test]
    fn a_table_is_found_in_any_case_and_one_row_may_stand_alone() {
        assert_eq!(table_of(&json!({"contact": {"SUB_NR": "1"}}), "CONTACT").unwrap().len(), 1);
        assert_eq!(table_of(&json!({"CONTACT": [], "USR_LINK": []}), "CONTACT").unwrap().len(), 0);
        assert_eq!(table_of(&json!({}), "CONTACT"), None);
        assert_eq!(table_of(&Value::Null, "CONTACT"), None);
    }
}
