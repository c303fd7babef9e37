//! The retry decision. Whether an answer is good, is asked again, rejects one record or stops a flow is decided in one
//! place per system, from the request and the answer alone, so that a table of cases can prove it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::error::RetryReason;
use koppel_core::{Cause, Failure};

use super::budget::Learned;
use super::{Answer, Request};

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The answer is what was asked for.
    Accept,
    /// It is not; this is what happens next.
    Fail(Failure),
}

/// Decides on answers. One per system; [`default_verdict`] holds what all systems share.
pub trait Judge: Send + Sync {
    /// Decides on one answer, also on a 2xx that carries errors.
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict;

    /// What the answer's headers tell about the limits.
    fn limits(&self, _answer: &Answer, _now: DateTime<Utc>) -> Vec<Learned> {
        Vec::new()
    }

    /// The answer counts as an error where a system blocks endpoints after too many.
    fn counts_as_error(&self, answer: &Answer) -> bool {
        matches!(answer.status, 400 | 401 | 403 | 404)
    }

    /// An answer that throttles speaks of its endpoint alone; by default the whole connection waits.
    fn throttles_endpoint_only(&self, _answer: &Answer, _now: DateTime<Utc>) -> bool {
        false
    }
}

/// The shared rules alone; for systems without quirks and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultJudge;

impl Judge for DefaultJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        default_verdict(request, answer, now)
    }
}

/// The rules that hold for every system; a connector handles its own error forms before it comes here.
///
/// * 2xx that is no web page: accept
/// * 429: throttled, with the wait of `Retry-After`
/// * 408, 5xx of a gateway or of maintenance, web pages: unavailable, or outcome unknown after a write
/// * 401: the credentials; 403 and 404: the settings; any other 4xx rejects the record
pub fn default_verdict(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
    let status = answer.status;
    let fail = |failure: Failure| Verdict::Fail(failure);
    match status {
        429 => fail(throttled(answer.retry_after(now))),
        408 | 500..=599 => fail(unavailable(request, answer, now)),
        200..=299 if !answer.is_html() => Verdict::Accept,
        401 => fail(Failure::auth(
            Cause::new("not_authorised", "the system refused the credentials (status 401)")
                .advice("check the credentials of the connection, or give consent again"),
        )),
        _ if answer.is_html() => fail(web_page(request, answer)),
        403 => fail(Failure::settings(
            Cause::new("forbidden", "the credentials may not do this (status 403)")
                .advice("give the user of this connection the rights it needs"),
        )),
        404 | 405 | 410 => fail(Failure::settings(
            Cause::new("not_found", format!("{} does not exist (status {status})", request.endpoint_name()))
                .advice("check the address of the connection"),
        )),
        _ => fail(Failure::reject(Cause::new(
            "refused",
            format!("{} was refused (status {status}): {}", request.endpoint_name(), excerpt(answer)),
        ))),
    }
}

/// A limit was reached.
pub fn throttled(after: Option<Duration>) -> Failure {
    Failure::retry(RetryReason::Throttled, after, Cause::new("throttled", "the system asks to slow down (status 429)"))
}

/// The system is down. After a write the outcome is unknown: a gateway may have given up while the system went on.
pub fn unavailable(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Failure {
    let reason = if request.writes() { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    let cause = Cause::new(
        "system_unavailable",
        format!("{} failed (status {}): {}", request.endpoint_name(), answer.status, excerpt(answer)),
    );
    Failure::retry(reason, answer.retry_after(now), cause)
}

/// A web page came instead of data: maintenance, a firewall, or a wrong address; asked again, because it may pass.
pub fn web_page(request: &Request, answer: &Answer) -> Failure {
    let reason = if request.writes() { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    let cause = Cause::new(
        "web_page",
        format!("{} answered a web page instead of data (status {})", request.endpoint_name(), answer.status),
    )
    .advice("when it stays: check the url of the connection, maintenance mode, and firewalls or security plugins");
    Failure::retry(reason, None, cause)
}

/// The first words of a body, for an error text; web pages say nothing useful.
pub fn excerpt(answer: &Answer) -> String {
    if answer.is_html() {
        return "a web page".into();
    }
    let text = answer.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.is_empty() {
        return "no text".into();
    }
    let cut: String = line.chars().take(300).collect();
    if cut.len() < line.len() { format!("{cut}…") } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(request: &Request, status: u16, body: &str) -> String {
        let answer = Answer { status, headers: vec![("retry-after".into(), "7".into())], body: body.into() };
        match default_verdict(request, &answer, Utc::now()) {
            Verdict::Accept => "accept".into(),
            Verdict::Fail(Failure::Retry { after, reason, .. }) => {
                format!("{reason:?} {}", after.map_or("-".into(), |after| after.as_secs().to_string()))
            }
            Verdict::Fail(failure) => failure.class().into(),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let (read, write) = (Request::get("x"), Request::post("x"));
        let page = "<html>maintenance</html>";
        for (status, body, of_read, of_write) in [
            (200, "{}", "accept", "accept"),
            (201, "{}", "accept", "accept"),
            (204, "", "accept", "accept"),
            (200, page, "Unavailable -", "OutcomeUnknown -"),
            (400, "{}", "reject", "reject"),
            (401, "{}", "auth", "auth"),
            (401, page, "auth", "auth"),
            (403, "{}", "settings", "settings"),
            (403, page, "Unavailable -", "OutcomeUnknown -"),
            (404, "{}", "settings", "settings"),
            (404, page, "Unavailable -", "OutcomeUnknown -"),
            (408, "", "Unavailable 7", "OutcomeUnknown 7"),
            (422, "{}", "reject", "reject"),
            (429, page, "Throttled 7", "Throttled 7"),
            (500, "{}", "Unavailable 7", "OutcomeUnknown 7"),
            (502, page, "Unavailable 7", "OutcomeUnknown 7"),
            (503, "", "Unavailable 7", "OutcomeUnknown 7"),
            (504, "", "Unavailable 7", "OutcomeUnknown 7"),
            (520, "", "Unavailable 7", "OutcomeUnknown 7"),
            (526, "", "Unavailable 7", "OutcomeUnknown 7"),
        ] {
            assert_eq!(verdict(&read, status, body), of_read, "read {status} {body}");
            assert_eq!(verdict(&write, status, body), of_write, "write {status} {body}");
        }
        assert_eq!(verdict(&Request::post("x").reads(), 503, ""), "Unavailable 7");
    }
}
