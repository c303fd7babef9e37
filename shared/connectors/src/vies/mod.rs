//! VIES, the service of the European Commission that tells whether a VAT number of a member state is valid.
//!
//! It is no system of the registry: no flow reads it or writes it. What is known of it:
//!
//! * `POST /check-vat-number` with `countryCode` and `vatNumber` answers `valid`, with name and address where the member
//!   state gives them; these are left where they are. The same question as a GET (`/ms/{country}/vat/{number}`, with
//!   `isValid` and `userError`) has the number in its address, where it would be logged, so it is not used.
//! * An error is `{"actionSucceed": false, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}`, with status 200 as well. None of
//!   its codes but `INVALID_INPUT` says anything about the number. Whoever reads only `valid` takes all of them for "invalid".
//! * `MS_MAX_CONCURRENT_REQ` and `GLOBAL_MAX_CONCURRENT_REQ` (also with `_TIME`) are over in a moment, so they are asked again
//!   at once; `MS_UNAVAILABLE`, `TIMEOUT`, `SERVICE_UNAVAILABLE`, `IP_BLOCKED`, `VAT_BLOCKED` are left to the waiting list.
//! * `GET /check-status` tells which member states can be asked: `countries[]` with `countryCode` and `availability`.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::keys::Tenant;
use koppel_core::ports::{Calls, VatNumbers};
use koppel_core::system::Limits;
use koppel_core::vat::{VatAnswer, VatNumber};
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::http::{Answer, Deps, HttpClient, Judge, Request, Verdict};

/// Its own address.
pub const ADDRESS: &str = "https://ec.europa.eu/taxation_customs/vies/rest-api";

/// Longest wait for one answer: a member state that needs longer does not answer at all.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);
/// Pauses before a question is asked again that found the service busy.
const PAUSES_MS: [u64; 2] = [300, 900];

/// The client of the service.
pub struct Vies {
    http: HttpClient,
}

impl Vies {
    /// A client of the service at `url`; at its own address when none is given.
    pub fn new(url: Option<&str>, deps: &Deps) -> Result<Self, Failure> {
        // What a client wants of a connection is a name; there are no credentials and no limits that anybody publishes.
        let connection = Connection {
            tenant: Tenant::default(),
            name: "vies".to_owned(),
            system: "vies".to_owned(),
            options: serde_json::Map::new(),
            secrets: std::collections::BTreeMap::new(),
        };
        let http = HttpClient::new(&connection, url.unwrap_or(ADDRESS), &Limits::default(), deps)
            .map_err(|failure| failure.map_cause(|cause| cause.in_row("settings.vat_number.url")))?;
        Ok(Self { http })
    }

    async fn ask(&self, request: Request, calls: &Calls) -> Result<Answer, String> {
        // Exchanges have the number in them, so they are not kept with those of the step.
        let unseen = calls.beside(calls.priority);
        match tokio::time::timeout(LONGEST_ANSWER, self.http.send(request, &Everything, &unseen)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(failure.cause().code.clone()),
            Err(_) => Err("no_answer".to_owned()),
        }
    }

    async fn check_once(&self, number: &VatNumber, calls: &Calls) -> VatAnswer {
        let body = json!({ "countryCode": number.country(), "vatNumber": number.number() });
        match self.ask(Request::post("check-vat-number").reads().json(body), calls).await {
            Ok(answer) => said(&answer),
            Err(why) => VatAnswer::Unknown { why },
        }
    }
}

#[async_trait]
impl VatNumbers for Vies {
    async fn check(&self, number: &VatNumber, calls: &Calls) -> VatAnswer {
        for pause_ms in PAUSES_MS {
            match self.check_once(number, calls).await {
                VatAnswer::Unknown { why } if why.contains("MAX_CONCURRENT_REQ") => {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                answer => return answer,
            }
        }
        self.check_once(number, calls).await
    }

    async fn resting_countries(&self, calls: &Calls) -> Result<Vec<String>, Failure> {
        let down = |why: String| {
            Failure::retry(
                koppel_core::error::RetryReason::Unavailable,
                None,
                Cause::new("vies_unavailable", format!("VIES does not answer ({why})"))
                    .advice("try again later; until then settings.vat_number.unknown decides about orders"),
            )
        };
        let answer = self.ask(Request::get("check-status"), calls).await.map_err(down)?;
        let status = answer.json().map_err(|_| down(format!("status {}", answer.status)))?;
        let available = status["vow"]["available"].as_bool();
        if !answer.is_success() || available == Some(false) {
            return Err(down(error_of(&status).unwrap_or_else(|| format!("status {}", answer.status))));
        }
        let countries = status["countries"].as_array().ok_or_else(|| down("it tells no countries".to_owned()))?;
        let rests = |country: &&Value| {
            country["availability"].as_str().is_some_and(|text| !text.eq_ignore_ascii_case("available"))
        };
        Ok(countries.iter().filter(rests).filter_map(|one| one["countryCode"].as_str()).map(str::to_owned).collect())
    }
}

/// Every answer is read as it is: only what the body says counts, whatever the status.
struct Everything;

impl Judge for Everything {
    fn judge(&self, _request: &Request, _answer: &Answer, _now: DateTime<Utc>) -> Verdict {
        Verdict::Accept
    }
}

/// What an answer says of the number: only a clear yes or no counts.
fn said(answer: &Answer) -> VatAnswer {
    let unknown = |why: String| VatAnswer::Unknown { why };
    let Ok(body) = answer.json() else { return unknown(format!("status_{}", answer.status)) };
    match error_of(&body) {
        Some(code) if code == "INVALID_INPUT" => return VatAnswer::Invalid,
        Some(code) => return unknown(code),
        None if !answer.is_success() => return unknown(format!("status_{}", answer.status)),
        None => {}
    }
    match body.get("valid").or_else(|| body.get("isValid")).and_then(Value::as_bool) {
        Some(true) => VatAnswer::Valid,
        Some(false) => VatAnswer::Invalid,
        None => unknown("no_verdict".to_owned()),
    }
}

/// The code of an error in either of its shapes. `VALID` and `INVALID` stand in the same place and are none.
fn error_of(body: &Value) -> Option<String> {
    let wrapped = body["errorWrappers"].as_array().and_then(|errors| errors.first()).map(|one| &one["error"]);
    let failed = body["actionSucceed"] == false;
    let code = wrapped.or_else(|| body.get("userError")).and_then(Value::as_str).map(str::trim).unwrap_or_default();
    match code {
        "VALID" | "INVALID" if !failed => None,
        "" if !failed => None,
        "" => Some("no_code".to_owned()),
        // It is shown to people and kept: never more than a code.
        code if code.len() <= 40 && code.chars().all(|c| c.is_ascii_uppercase() || c == '_') => Some(code.to_owned()),
        _ => Some("unreadable_code".to_owned()),
    }
}

#[cfg(test)]
mod tests;
