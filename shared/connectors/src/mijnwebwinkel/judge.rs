//! What the answers of the API mean. Which status it gives for what is mostly not documented, so the class decides: 401
//! and 403 are the tokens, 404 is gone, other 4xx are for good, 429 and 5xx pass.

use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::http::judge::{default_verdict, excerpt, throttled, unavailable};
use crate::http::{Answer, Judge, Request, Verdict};

/// Cause code of an endpoint that this partner has no right to.
pub const NO_RIGHT: &str = "needs_special_access";
/// Cause code of a record that the shop no longer has.
pub const GONE: &str = "gone_from_target";
/// The wait after a 429 that does not say how long.
const PAUSE: Duration = Duration::from_secs(20);

/// The judge of MijnWebwinkel.
#[derive(Clone, Copy, Debug, Default)]
pub struct MijnWebwinkelJudge;

impl Judge for MijnWebwinkelJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let reads = !request.writes();
        match answer.status {
            200..=299 if answer.body.is_empty() => Verdict::Accept,
            200..=299 if !answer.is_html() && answer.json().is_err() => Verdict::Fail(broken(request, answer, now)),
            401 if !answer.is_html() => Verdict::Fail(refused_tokens(answer)),
            403 if !answer.is_html() && is_restricted(request) => Verdict::Fail(no_right(request, answer)),
            403 if !answer.is_html() => Verdict::Fail(refused_tokens(answer)),
            // The client turns «there is no such record» into nothing.
            404 if reads && !answer.is_html() => Verdict::Accept,
            404 if !answer.is_html() => Verdict::Fail(Failure::reject(
                Cause::new(GONE, format!("the shop no longer has it: {}", said(answer)))
                    .advice("try again: what is missing is looked for anew"),
            )),
            429 => Verdict::Fail(throttled(answer.retry_after(now).or(Some(PAUSE)))),
            400 | 405..=407 | 409..=428 if reads && !answer.is_html() => Verdict::Fail(Failure::settings(
                Cause::new("request_refused", format!("{} was refused: {}", request.endpoint_name(), said(answer)))
                    .advice("compare the options of the connection with the README: array_query, language, time_zone"),
            )),
            400 | 405..=407 | 409..=428 if !answer.is_html() => {
                Verdict::Fail(Failure::reject(Cause::new("refused", format!("the shop refused it: {}", said(answer)))))
            }
            _ => default_verdict(request, answer, now),
        }
    }

    // Nobody is blocked for errors, as far as is known.
    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}

/// The endpoint is open to some partners only.
fn is_restricted(request: &Request) -> bool {
    request.path.contains("/customers") || request.query.iter().any(|(name, _)| name.starts_with("override_"))
}

/// What the shop says, in either form of its errors.
pub fn said(answer: &Answer) -> String {
    let Ok(body) = answer.json() else { return excerpt(answer) };
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    if let Some(errors) = body.get("errors").and_then(Value::as_object).filter(|errors| !errors.is_empty()) {
        let one = |(path, message): (&String, &Value)| {
            format!("{path}: {}", message.as_str().map_or_else(|| message.to_string(), str::to_owned))
        };
        return errors.iter().map(one).collect::<Vec<_>>().join("; ");
    }
    let found = text("description").or(text("detail")).or(text("message")).or(text("title"));
    found.map_or_else(|| excerpt(answer), str::to_owned)
}

fn broken(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Failure {
    unavailable(request, answer, now).map_cause(|mut cause| {
        cause.code = "answer_is_not_json".into();
        cause.message = format!("{} answered something that is not whole JSON", request.endpoint_name());
        cause
    })
}

fn refused_tokens(answer: &Answer) -> Failure {
    Failure::auth(
        Cause::new(
            "tokens_refused",
            format!("MijnWebwinkel refuses the tokens (status {}): {}", answer.status, said(answer)),
        )
        .advice(
            "check, in this order: the token of the store is complete and has not ended; it was made for the partner \
                 whose partner token is used; the package of the shop includes access to the API",
        ),
    )
}

fn no_right(request: &Request, answer: &Answer) -> Failure {
    let what = if request.path.contains("/customers") { "accounts of customers" } else { "this" };
    Failure::settings(
        Cause::new(NO_RIGHT, format!("MijnWebwinkel gives this partner no access to {what}: {}", said(answer))).advice(
            "ask MyOnlineStore for special access; without it customers are read from orders (customers: orders)",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(request: &Request, status: u16, body: &str) -> String {
        let answer = Answer { status, headers: Vec::new(), body: body.into() };
        match MijnWebwinkelJudge.judge(request, &answer, Utc::now()) {
            Verdict::Accept => "accept".into(),
            Verdict::Fail(Failure::Retry { reason, after, cause }) => {
                format!("{reason:?} {} {}", cause.code, after.map_or("-".into(), |after| after.as_secs().to_string()))
            }
            Verdict::Fail(failure) => format!("{} {}", failure.class(), failure.cause().code),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let (read, write) = (Request::get("v1/articles"), Request::post("v1/articles"));
        let error = r#"{"code":400,"message":"Bad Request","description":"name: this value should not be blank."}"#;
        let page = "<!doctype html><html>";
        for (status, body, of_read, of_write) in [
            (200, "[]", "accept", "accept"),
            (204, "", "accept", "accept"),
            (200, "[{\"id\":", "Unavailable answer_is_not_json -", "OutcomeUnknown answer_is_not_json -"),
            (200, page, "Unavailable web_page -", "OutcomeUnknown web_page -"),
            (400, error, "settings request_refused", "reject refused"),
            (401, error, "auth tokens_refused", "auth tokens_refused"),
            (403, error, "auth tokens_refused", "auth tokens_refused"),
            (404, error, "accept", "reject gone_from_target"),
            (409, error, "settings request_refused", "reject refused"),
            (422, error, "settings request_refused", "reject refused"),
            (429, error, "Throttled throttled 20", "Throttled throttled 20"),
            (429, page, "Throttled throttled 20", "Throttled throttled 20"),
            (500, error, "Unavailable system_unavailable -", "OutcomeUnknown system_unavailable -"),
            (503, page, "Unavailable system_unavailable -", "OutcomeUnknown system_unavailable -"),
        ] {
            assert_eq!(verdict(&read, status, body), of_read, "read {status} {body}");
            assert_eq!(verdict(&write, status, body), of_write, "write {status} {body}");
        }
        assert_eq!(verdict(&Request::get("v1/customers"), 403, "{}"), "settings needs_special_access");
    }

    #[test]
    fn both_forms_of_errors_are_quoted() {
        let text = |body: &str| said(&Answer { status: 400, headers: Vec::new(), body: body.into() });
        assert_eq!(text(r#"{"code":404,"message":"Not Found","description":"Order not found."}"#), "Order not found.");
        assert_eq!(text(r#"{"title":"Forbidden","detail":"No.","status":403}"#), "No.");
        assert_eq!(
            text(r#"{"title":"x","errors":{"email":"taken","zipCode":"blank"}}"#),
            "email: taken; zipCode: blank"
        );
        assert_eq!(text("oops"), "oops");
    }
}
