//! What the answers of a shop mean. Most errors with status 500 are errors of the record and stay: the code in the body
//! decides, the status only when there is none.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::error::RetryReason;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::auth::Keys;
use crate::http::judge::{default_verdict, excerpt, throttled, unavailable, web_page};
use crate::http::{Answer, Judge, Request, Verdict};

/// Cause code of keys, a signature or a clock that the shop does not accept.
pub const REFUSED_KEYS: &str = "keys_or_clock_refused";
/// Cause code of a record that the shop itself cannot show: it spoils the page it is on.
pub const BROKEN_RECORD: &str = "broken_record";
/// Cause code of a call that the shop did not take as it was.
pub const REQUEST_REFUSED: &str = "request_refused";
/// Cause code of a value that another record has.
pub const NOT_UNIQUE: &str = "not_unique";
/// Cause code of a record that is not there any more.
pub const GONE: &str = "gone_from_target";
/// Cause code of an answer that is not signed as it should be.
pub const NOT_SIGNED: &str = "answer_not_signed";

/// How long to wait when the shop only says that it was too much.
const WAIT: Duration = Duration::from_secs(60);

/// What is done with an answer that is not signed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// It is not used.
    Strict,
    /// It is used, and said once in the log.
    Warn,
}

/// Judges the answer to one call.
pub struct CcvShopJudge<'a> {
    /// The keys of the shop.
    pub keys: &'a Keys,
    /// Path and query as they were sent.
    pub address: &'a str,
    /// What is done with an answer without a good signature.
    pub verify: Verify,
    /// It has been said in the log already.
    pub warned: &'a AtomicBool,
    /// Seconds that the shop's clock is ahead of ours, as the last answer had it; `i64::MIN` before the first.
    pub ahead: &'a AtomicI64,
}

impl Judge for CcvShopJudge<'_> {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        if let Some(date) = answer.header("date").and_then(|text| DateTime::parse_from_rfc2822(text.trim()).ok()) {
            self.ahead.store((date.with_timezone(&Utc) - now).num_seconds(), Ordering::Relaxed);
        }
        if !answer.is_success() {
            return decide(request, answer, now);
        }
        if answer.is_html() {
            return Verdict::Fail(web_page(request, answer));
        }
        if !answer.body.is_empty() && answer.json().is_err() {
            return Verdict::Fail(broken(request, answer, now));
        }
        match self.check_signature(request, answer) {
            Ok(()) => Verdict::Accept,
            Err(failure) => Verdict::Fail(failure),
        }
    }

    // The shop blocks nobody for errors.
    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }

    fn throttles_endpoint_only(&self, answer: &Answer, _now: DateTime<Utc>) -> bool {
        error_code(answer).as_deref() == Some("429.10")
    }
}

impl CcvShopJudge<'_> {
    fn check_signature(&self, request: &Request, answer: &Answer) -> Result<(), Failure> {
        let text = |name: &str| answer.header(name).unwrap_or_default();
        let (date, signature) = (text("x-date"), text("x-hash"));
        if self.keys.verify(request.method.name(), self.address, &answer.body, date, signature) {
            return Ok(());
        }
        let what = if signature.is_empty() { "is not signed" } else { "is signed with something else" };
        let cause = Cause::new(NOT_SIGNED, format!("the answer to {} {what}", request.endpoint_name()))
            .advice(
                "look for a proxy or a firewall that changes answers; when it is meant to, set verify_answers: warn",
            )
            .in_row("verify_answers");
        if self.verify == Verify::Warn {
            if !self.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(%cause, "answers of the shop are used though their signature is not right");
            }
            return Ok(());
        }
        // What was written is written: whoever comes next looks before it writes again.
        if request.writes() {
            return Err(Failure::retry(RetryReason::OutcomeUnknown, None, cause));
        }
        Err(Failure::settings(cause))
    }
}

fn decide(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
    let Some(code) = error_code(answer) else { return without_code(request, answer, now) };
    let said = said(answer, &code);
    let what = request.endpoint_name();
    let reject = |name: &str, message: String, advice: &str| {
        let cause = Cause::new(name, message);
        let cause = if advice.is_empty() { cause } else { cause.advice(advice) };
        Verdict::Fail(Failure::reject(cause))
    };
    let settings = |name: &str, message: String, advice: &str| {
        Verdict::Fail(Failure::settings(Cause::new(name, message).advice(advice)))
    };
    match code.as_str() {
        "429.10" | "429.11" => Verdict::Fail(throttled(answer.retry_after(now).or(Some(WAIT)))),
        code if code.starts_with("401.") || code.starts_with("403.") => Verdict::Fail(refused_keys(&said)),
        "404.20" | "501.10" | "501.20" | "501.30" | "405.10" => settings(
            "not_in_this_shop",
            format!("the shop does not know {what}: {said}"),
            "check the url, and that the API app is installed and up to date",
        ),
        "500.20" => reject(
            BROKEN_RECORD,
            format!("the shop cannot show a record that {what} asks for: {said}"),
            "open and save the record in the shop, or ask its support",
        ),
        "500.21" | "500.22" | "500.23" => reject(
            "picture_refused",
            format!("the shop did not take a file: {said}"),
            "use a smaller picture, as JPEG or PNG",
        ),
        // The client turns «this id does not exist» into nothing.
        "500.24" => missing(request, &said),
        code if code.starts_with("404.") => missing(request, &said),
        "500.40" => reject(
            NOT_UNIQUE,
            format!("a value is there already: {said}"),
            "look for the other record that has it in the shop",
        ),
        // It is as it should be.
        "500.50" => Verdict::Accept,
        "500.60" => settings(
            "product_limit",
            format!("the shop's subscription allows no more products: {said}"),
            "remove products in the shop, or take a larger subscription",
        ),
        "500.70" => reject(
            "not_allowed_now",
            format!("the shop does not allow this in the state that the record has: {said}"),
            "look at the record in the shop: it may be completed",
        ),
        "500.80" => reject("too_large", format!("{what} was refused, too much at once: {said}"), ""),
        "500.90" => settings(
            "app_missing",
            format!("the shop needs an app for this: {said}"),
            "install the app in the shop's App Store",
        ),
        "500.10" | "500.25" => settings(
            "shop_misconfigured",
            format!("the shop is not set up for {what}: {said}"),
            "ask the support of CCV Shop, with this code",
        ),
        _ if !request.writes() => settings(
            REQUEST_REFUSED,
            format!("{what} was refused: {said}"),
            "look the code up with the support of CCV Shop",
        ),
        _ => reject("refused", format!("{what} was refused: {said}"), ""),
    }
}

fn without_code(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
    match answer.status {
        429 => Verdict::Fail(throttled(answer.retry_after(now).or(Some(WAIT)))),
        401 => Verdict::Fail(refused_keys(&excerpt(answer))),
        403 if !answer.is_html() => Verdict::Fail(refused_keys(&excerpt(answer))),
        404 if !answer.is_html() && names_a_record(request) => missing(request, &excerpt(answer)),
        413 => Verdict::Fail(Failure::reject(Cause::new(
            "too_large",
            format!("{} was refused: too much at once", request.endpoint_name()),
        ))),
        400..=499 if !answer.is_html() && answer.status != 408 && !request.writes() => {
            Verdict::Fail(Failure::settings(
                Cause::new(REQUEST_REFUSED, format!("{} was refused: {}", request.endpoint_name(), excerpt(answer)))
                    .advice("check the url and the options of this connection"),
            ))
        }
        _ => default_verdict(request, answer, now),
    }
}

/// A read finds nothing; a write has nothing to write to.
fn missing(request: &Request, said: &str) -> Verdict {
    if !request.writes() {
        return Verdict::Accept;
    }
    Verdict::Fail(Failure::reject(
        Cause::new(
            GONE,
            format!("the shop no longer has the record that {} is about: {said}", request.endpoint_name()),
        )
        .advice("try again: what is missing is made anew"),
    ))
}

fn names_a_record(request: &Request) -> bool {
    let path = request.path.split('?').next().unwrap_or_default();
    path.split('/').any(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The error code in an answer, such as `500.24`.
pub fn error_code(answer: &Answer) -> Option<String> {
    let code = match answer.json().ok()?.get("code")? {
        Value::String(code) => code.trim().to_owned(),
        Value::Number(code) => code.to_string(),
        _ => return None,
    };
    (!code.is_empty()).then_some(code)
}

/// A read was accepted, and there is nothing.
pub fn is_missing(answer: &Answer) -> bool {
    !answer.is_success()
}

fn said(answer: &Answer, code: &str) -> String {
    let message = answer.json().ok().and_then(|body| body.get("developermessage")?.as_str().map(str::to_owned));
    match message.filter(|message| !message.trim().is_empty()) {
        Some(message) => format!("{} ({code})", message.chars().take(300).collect::<String>()),
        None => code.to_owned(),
    }
}

fn refused_keys(said: &str) -> Failure {
    Failure::auth(
        Cause::new(REFUSED_KEYS, format!("the shop does not accept the keys, the signature or the time: {said}")).advice(
            "check, in this order: both keys are complete and belong to this shop; the API app is installed; the url is \
             that of the shop itself, without a redirect; the clock of this machine is right to a few minutes",
        ),
    )
}

fn broken(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Failure {
    unavailable(request, answer, now).map_cause(|mut cause| {
        cause.code = "answer_is_not_json".into();
        cause.message = format!("{} answered something that is not whole JSON", request.endpoint_name());
        cause
    })
}

#[cfg(test)]
mod tests {
    use koppel_core::connection::Connection;
    use serde_json::json;

    use super::*;
    use crate::http::Method;
    use crate::http::testing::connection;

    fn shop() -> Connection {
        connection("ccv-shop", json!({}), &[("public_key", "public"), ("secret_key", "hidden")])
    }

    fn judged(request: &Request, answer: &Answer, verify: Verify) -> String {
        let (keys, warned, ahead) = (Keys::of(&shop()).unwrap(), AtomicBool::new(false), AtomicI64::new(0));
        let judge = CcvShopJudge { keys: &keys, address: "/a", verify, warned: &warned, ahead: &ahead };
        match judge.judge(request, answer, Utc::now()) {
            Verdict::Accept => "accept".into(),
            Verdict::Fail(Failure::Retry { reason, cause, .. }) => format!("{reason:?} {}", cause.code),
            Verdict::Fail(failure) => format!("{} {}", failure.class(), failure.cause().code),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let (read, write) =
            (Request::get("api/rest/v1/orders/31/"), Request::new(Method::Patch, "api/rest/v1/products/7/"));
        let page = "<!doctype html><html>";
        let coded = |code: &str| json!({"status": 500, "code": code, "developermessage": "x"}).to_string();
        for (status, body, of_read, of_write) in [
            (429, coded("429.10"), "Throttled throttled", "Throttled throttled"),
            (429, coded("429.11"), "Throttled throttled", "Throttled throttled"),
            (429, page.to_owned(), "Throttled throttled", "Throttled throttled"),
            (401, coded("401.10"), "auth keys_or_clock_refused", "auth keys_or_clock_refused"),
            (401, page.to_owned(), "auth keys_or_clock_refused", "auth keys_or_clock_refused"),
            (403, "{}".to_owned(), "auth keys_or_clock_refused", "auth keys_or_clock_refused"),
            (403, page.to_owned(), "Unavailable web_page", "OutcomeUnknown web_page"),
            (404, coded("404.20"), "settings not_in_this_shop", "settings not_in_this_shop"),
            (404, "{}".to_owned(), "accept", "reject gone_from_target"),
            (405, coded("405.10"), "settings not_in_this_shop", "settings not_in_this_shop"),
            (500, coded("500.10"), "settings shop_misconfigured", "settings shop_misconfigured"),
            (500, coded("500.20"), "reject broken_record", "reject broken_record"),
            (500, coded("500.21"), "reject picture_refused", "reject picture_refused"),
            (500, coded("500.24"), "accept", "reject gone_from_target"),
            (500, coded("500.25"), "settings shop_misconfigured", "settings shop_misconfigured"),
            (500, coded("500.40"), "reject not_unique", "reject not_unique"),
            (500, coded("500.50"), "accept", "accept"),
            (500, coded("500.60"), "settings product_limit", "settings product_limit"),
            (500, coded("500.70"), "reject not_allowed_now", "reject not_allowed_now"),
            (500, coded("500.80"), "reject too_large", "reject too_large"),
            (500, coded("500.90"), "settings app_missing", "settings app_missing"),
            (500, coded("500.99"), "settings request_refused", "reject refused"),
            (501, coded("501.30"), "settings not_in_this_shop", "settings not_in_this_shop"),
            (400, "{}".to_owned(), "settings request_refused", "reject refused"),
            (500, "{}".to_owned(), "Unavailable system_unavailable", "OutcomeUnknown system_unavailable"),
            (503, page.to_owned(), "Unavailable system_unavailable", "OutcomeUnknown system_unavailable"),
            (200, page.to_owned(), "Unavailable web_page", "OutcomeUnknown web_page"),
            (200, "{\"a\":".to_owned(), "Unavailable answer_is_not_json", "OutcomeUnknown answer_is_not_json"),
            (200, "{}".to_owned(), "settings answer_not_signed", "OutcomeUnknown answer_not_signed"),
        ] {
            let answer = Answer { status, headers: Vec::new(), body: body.clone().into() };
            assert_eq!(judged(&read, &answer, Verify::Strict), of_read, "read {status} {body}");
            assert_eq!(judged(&write, &answer, Verify::Strict), of_write, "write {status} {body}");
        }
        let list = Answer { status: 404, headers: Vec::new(), body: "{}".into() };
        assert_eq!(judged(&Request::get("api/rest/v1/orders/"), &list, Verify::Strict), "settings request_refused");
    }

    #[test]
    fn an_answer_is_used_when_its_signature_is_right_or_need_not_be() {
        let read = Request::get("a");
        let keys = Keys::of(&shop()).unwrap();
        let signed = |body: &str| Answer {
            status: 200,
            headers: vec![
                ("x-date".into(), "2026-01-02T03:04:05Z".into()),
                ("x-hash".into(), keys.sign("GET", "/a", body.as_bytes(), "2026-01-02T03:04:05Z")),
            ],
            body: body.into(),
        };
        assert_eq!(judged(&read, &signed("{\"a\": 1}"), Verify::Strict), "accept");
        let changed = Answer { body: "{\"a\":1}".into(), ..signed("{\"a\": 1}") };
        assert_eq!(judged(&read, &changed, Verify::Strict), "settings answer_not_signed");
        assert_eq!(judged(&read, &changed, Verify::Warn), "accept");
        // An empty answer is signed too.
        let empty = Answer { status: 204, ..signed("") };
        assert_eq!(judged(&read, &empty, Verify::Strict), "accept");
    }
}
