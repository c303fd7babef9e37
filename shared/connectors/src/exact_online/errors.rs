//! What an answer of Exact Online means: the decision table, apart from the wire so that every row can be tested.
//!
//! Texts are localized to the connected user's language, so the status decides and phrases only make the advice better.
//! The one surprise: business validation arrives as HTTP 500 with Exact's own JSON error. That is for good; a 500
//! without it is not.

use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::error::RetryReason;
use koppel_core::ports::PERIOD_CLOSED;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::closed_period;

/// Wait after a 429 that names no moment: the error limit of one endpoint, which lasts an hour.
pub(super) const ERROR_LIMIT_WAIT: Duration = Duration::from_secs(3_600);
/// Longest text of the other side that is passed on.
const TEXT_MAX_CHARS: usize = 400;

/// The parts of an answer that the decision looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The call may have changed something.
    pub writes: bool,
    /// Path without base and division, for messages: `salesorder/SalesOrders`.
    pub endpoint: &'a str,
    /// HTTP status.
    pub status: u16,
    /// `Reason` header.
    pub reason: Option<&'a str>,
    /// `X-RateLimit-Reset`, epoch milliseconds.
    pub day_reset: Option<i64>,
    /// `X-RateLimit-Minutely-Reset`, epoch milliseconds.
    pub minute_reset: Option<i64>,
    /// Body.
    pub body: &'a str,
    /// The moment of the decision.
    pub now: DateTime<Utc>,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// The answer is good.
    Accept,
    /// The token is no longer accepted: refresh it when it is old enough and try once more.
    TokenRefused,
    /// It failed.
    Fail(Failure),
}

/// Decides.
pub(super) fn decide(facts: &Facts<'_>) -> Decision {
    let (at, message) = (facts.endpoint, error_message(facts.body));
    let said = message.as_deref();
    Decision::Fail(match facts.status {
        // A maintenance page may come with 200: what is neither empty nor JSON is not an answer of the API.
        200..=299 if facts.body.trim().is_empty() || is_json(facts.body) => return Decision::Accept,
        200..=299 => lost(facts, "Exact Online answered with a page instead of data"),
        401 => return Decision::TokenRefused,
        400 => bad_request(at, said.unwrap_or(facts.body)),
        403 => forbidden(at, facts.reason, said.unwrap_or(facts.body)),
        404 => Failure::settings(
            Cause::new("not_found", format!("Exact Online has no «{at}» in this division"))
                .advice("check the division, and whether the record was deleted in Exact Online meanwhile"),
        ),
        405 | 406 | 410 | 415 => Failure::settings(
            Cause::new("query_refused", format!("Exact Online refused the call to {at} (HTTP {})", facts.status))
                .advice("the API has changed; update Koppel"),
        ),
        429 => throttled(facts),
        500 => match said {
            Some(text) => validation(at, text),
            None => lost(facts, "Exact Online failed without saying why"),
        },
        _ => lost(facts, "Exact Online is not available"),
    })
}

/// The human text of `{"error":{"message":{"value":"…"}}}`, on one line and of a sane length.
pub(super) fn error_message(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let message = body.get("error")?.get("message")?;
    let text = message.get("value").unwrap_or(message).as_str()?;
    let text = one_line(text);
    Some(if text.is_empty() { "(no text)".to_owned() } else { text })
}

fn is_json(body: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TEXT_MAX_CHARS).collect()
}

fn has(text: &str, phrases: &[&str]) -> bool {
    let text = text.to_lowercase();
    phrases.iter().any(|phrase| text.contains(phrase))
}

/// Server trouble: a read simply happens again, a write may have happened and is searched for first.
fn lost(facts: &Facts<'_>, what: &str) -> Failure {
    let reason = if facts.writes { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    Failure::retry(
        reason,
        None,
        Cause::new("unavailable", format!("{what} ({}, HTTP {})", facts.endpoint, facts.status)),
    )
}

fn bad_request(at: &str, text: &str) -> Failure {
    let text = one_line(text);
    // These phrases come from the protocol library and are not localized.
    if has(&text, &["the property name"]) && has(&text, &["not valid"]) {
        return Failure::settings(
            Cause::new("unknown_field", format!("{at} does not know a field that was sent: {text}"))
                .advice("correct the name in the target rows of the flow"),
        );
    }
    if has(&text, &["converting the value"]) {
        return Failure::reject(
            Cause::new("wrong_type", format!("{at} cannot read a value that was sent: {text}"))
                .advice("give the field a value of the named type in the target rows of the flow"),
        );
    }
    if has(&text, &["valid top-level resource"]) {
        return Failure::settings(
            Cause::new("wrong_shape", format!("{at} cannot read the shape of what was sent: {text}"))
                .advice("lines must be a list, also when there is one; check the target rows of the flow"),
        );
    }
    if has(&text, &["$select", "$filter", "query syntax"]) {
        return Failure::settings(
            Cause::new("query_refused", format!("{at} refused the query: {text}"))
                .advice("Exact Online does not allow this search for the app; see «To confirm on a live account»"),
        );
    }
    Failure::reject(
        Cause::new("refused", format!("{at} refused the request: {text}"))
            .advice("correct the record or the target rows of the flow, then deliver it again"),
    )
}

fn forbidden(at: &str, reason: Option<&str>, text: &str) -> Failure {
    // The header may carry more words than the reason itself.
    let reason = reason.map(str::trim).unwrap_or_default();
    let named = |name: &str| reason.to_lowercase().starts_with(&name.to_lowercase());
    if named("BlockedUser") || named("InactiveUser") {
        let which = if named("BlockedUser") { "blocked" } else { "not active" };
        return Failure::auth(
            Cause::new("user_blocked", format!("the user who gave consent is {which} in Exact Online"))
                .advice("restore the user, or connect again with another user"),
        );
    }
    let (code, message, advice) = if named("BlockedCustomer") {
        ("customer_blocked", "Exact has blocked this customer's subscription".to_owned(), "contact Exact")
    } else if named("LicenseExpired") || named("LicenceExpired") {
        ("licence_expired", "the Exact Online licence has ended".to_owned(), "renew the licence")
    } else if named("DivisionBlocked") {
        ("division_blocked", "the division is blocked".to_owned(), "unblock the division in Exact Online")
    } else if named("NoDivisionAccess") {
        (
            "no_division_access",
            "the user who gave consent may not open this division".to_owned(),
            "give the user access to the division, or choose another division",
        )
    } else if has(text, &["scope"]) {
        (
            "scope_missing",
            format!("the app may not use {at}: the scope is missing"),
            "add the scope to the app registration at Exact, then connect again",
        )
    } else {
        let told = if reason.is_empty() { String::new() } else { format!(" ({})", one_line(reason)) };
        (
            "forbidden",
            format!("Exact Online does not allow the use of {at}{told}"),
            "check the edition and the rights of the user who gave consent",
        )
    };
    Failure::settings(Cause::new(code, message).advice(advice))
}

/// Exact only sends the headers of the limit that was reached. A reset that is past or absent means the error limit.
fn throttled(facts: &Facts<'_>) -> Failure {
    let now = facts.now.timestamp_millis();
    let wait = |reset: Option<i64>| {
        let millis = u64::try_from(reset?.checked_sub(now)?).ok().filter(|millis| *millis > 0)?;
        Some(Duration::from_millis(millis))
    };
    // The longer wait rules when both are sent: after it the call can succeed.
    let (after, which) = match (wait(facts.minute_reset), wait(facts.day_reset)) {
        (Some(minute), Some(day)) => (minute.max(day), "the calls of the day"),
        (Some(minute), None) => (minute, "the calls of the minute"),
        (None, Some(day)) => (day, "the calls of the day"),
        (None, None) => (ERROR_LIMIT_WAIT, "the error answers of this endpoint"),
    };
    Failure::retry(
        RetryReason::Throttled,
        Some(after),
        Cause::new("throttled", format!("Exact Online limits {which} ({})", facts.endpoint)),
    )
}

const EXISTS: &[&str] =
    &["bestaat reeds", "bestaat al", "already exists", "existe déjà", "bereits vorhanden", "existiert bereits"];
const UNIQUE: &[&str] = &["moet zijn: uniek", "must be: unique", "doit être: unique", "eindeutig"];
const MANDATORY: &[&str] = &["verplicht", "mandatory", "obligatoire", "pflicht", "erforderlich"];
const VAT_NUMBER: &[&str] =
    &["btw-nummer", "btw nummer", "vat number", "numéro de tva", "n° tva", "ust-id", "umsatzsteuer-id", "steuernummer"];
const CLOSED: &[&str] =
    &["afgesloten", "closed", "clôturé", "abgeschlossen", "geblokkeerd", "blocked", "bloqué", "gesperrt"];

/// Validation by Exact: passed on in its own words, with advice when the kind is recognised.
fn validation(at: &str, text: &str) -> Failure {
    let (code, advice) = if has(text, VAT_NUMBER) {
        ("vat_number_refused", "correct the VAT number of the customer, or leave the row VATNumber empty")
    } else if has(text, EXISTS) || has(text, UNIQUE) {
        ("already_exists", "the record exists in Exact Online: look for it there, and leave its code out of the rows")
    } else if has(text, MANDATORY) {
        ("mandatory_missing", "give the named field a value in the record, the settings or the target rows")
    } else if closed_period::says(text) {
        (PERIOD_CLOSED, "open the period in Exact Online")
    } else if has(text, CLOSED) {
        ("closed_or_blocked", "open the period, or unblock what the message names, in Exact Online")
    } else {
        ("invalid", "correct what the message names in the record, the settings or Exact Online, then deliver it again")
    };
    Failure::reject(Cause::new(code, format!("Exact Online refused it ({at}): {text}")).advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_780_000_000_000;

    fn facts(status: u16, body: &str) -> Facts<'_> {
        Facts {
            writes: false,
            endpoint: "salesorder/SalesOrders",
            status,
            reason: None,
            day_reset: None,
            minute_reset: None,
            body,
            now: DateTime::from_timestamp_millis(NOW).unwrap(),
        }
    }

    fn failure(facts: &Facts<'_>) -> Failure {
        match decide(facts) {
            Decision::Fail(failure) => failure,
            other => panic!("{other:?}"),
        }
    }

    /// Class and code of the failure that Exact's JSON error with this text makes.
    fn of(status: u16, text: &str) -> (String, String) {
        let body = serde_json::json!({"error":{"code":"","message":{"lang":"","value":text}}}).to_string();
        let failure = failure(&facts(status, &body));
        assert!(failure.cause().message.contains(text) || failure.cause().advice.is_some(), "{failure}");
        (failure.class().to_owned(), failure.cause().code.clone())
    }

    #[test]
    fn every_kind_of_400() {
        for (text, class, code) in [
            ("Please add a $select or a $top=1 statement to the query string.", "settings", "query_refused"),
            (
                "Error processing request stream. The property name 'X' specified for type 'Exact.Web.Api.Models.Y' is not valid.",
                "settings",
                "unknown_field",
            ),
            (
                "Error processing request stream. Error encountered in converting the value from request payload for property 'GLAccount' to type 'Guid'",
                "reject",
                "wrong_type",
            ),
            (
                "Error processing request stream. The request should be a valid top-level resource object.",
                "settings",
                "wrong_shape",
            ),
            ("Bad Request - Error in query syntax.", "settings", "query_refused"),
            (
                "This endpoint has mandatory filtering applied. A GET request must have a $filter parameter",
                "settings",
                "query_refused",
            ),
            ("This $filter parameter is not supported for this resource", "settings", "query_refused"),
            ("Iets anders", "reject", "refused"),
        ] {
            assert_eq!(of(400, text), (class.to_owned(), code.to_owned()), "{text}");
        }
    }

    #[test]
    fn validation_comes_as_500_and_is_passed_on_with_advice() {
        for (text, code) in [
            ("Gegeven bestaat reeds.", "already_exists"),
            ("Data already exists", "already_exists"),
            ("Moet zijn: Uniek - Artikel, Valuta, Eenheid, Aantal, Actief vanaf, Actief tot", "already_exists"),
            ("Verplicht: Artikel", "mandatory_missing"),
            ("Mandatory: Item", "mandatory_missing"),
            ("Obligatoire : Article", "mandatory_missing"),
            ("Ongeldig: Leverdatum", "invalid"),
            ("Ongeldig: Btw-nummer", "vat_number_refused"),
            ("Invalid: VAT number", "vat_number_refused"),
            ("Periode is afgesloten", "period_closed"),
            ("Relatie is geblokkeerd", "closed_or_blocked"),
        ] {
            assert_eq!(of(500, text), ("reject".to_owned(), code.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_500_without_an_error_of_exact_is_not_for_good() {
        for body in ["", "<html>oops</html>", "{}", r#"{"Message":"An error has occurred."}"#] {
            assert_eq!(failure(&facts(500, body)).class(), "retry", "{body}");
        }
        let Failure::Retry { reason, .. } = failure(&Facts { writes: true, ..facts(500, "") }) else { panic!() };
        assert_eq!(reason, RetryReason::OutcomeUnknown);
    }

    #[test]
    fn outages_are_tried_again_and_a_write_is_searched_for_first() {
        for status in [408, 502, 503, 504, 302] {
            let Failure::Retry { reason, .. } = failure(&facts(status, "<html/>")) else { panic!() };
            assert_eq!(reason, RetryReason::Unavailable);
            let Failure::Retry { reason, .. } = failure(&Facts { writes: true, ..facts(status, "") }) else { panic!() };
            assert_eq!(reason, RetryReason::OutcomeUnknown);
        }
        assert_eq!(failure(&facts(200, "<html>maintenance</html>")).class(), "retry");
        assert_eq!(decide(&facts(200, r#"{"d":[]}"#)), Decision::Accept);
        assert_eq!(decide(&facts(204, "")), Decision::Accept);
        assert_eq!(decide(&facts(401, "")), Decision::TokenRefused);
    }

    #[test]
    fn a_403_is_explained_by_its_reason() {
        for (reason, class, code) in [
            ("BlockedUser", "auth", "user_blocked"),
            ("InactiveUser", "auth", "user_blocked"),
            ("BlockedCustomer", "settings", "customer_blocked"),
            ("LicenseExpired", "settings", "licence_expired"),
            ("DivisionBlocked", "settings", "division_blocked"),
            ("NoDivisionAccess: 123", "settings", "no_division_access"),
            ("SomethingNew", "settings", "forbidden"),
        ] {
            let found = failure(&Facts { reason: Some(reason), ..facts(403, "Forbidden") });
            assert_eq!((found.class(), found.cause().code.as_str()), (class, code));
        }
        let scope = failure(&facts(403, "Forbidden - Application Scope Violated. Cannot read"));
        assert_eq!(scope.cause().code, "scope_missing");
        assert_eq!(failure(&facts(403, "Forbidden")).cause().code, "forbidden");
        assert_eq!(failure(&facts(404, "")).class(), "settings");
    }

    #[test]
    fn a_429_waits_for_the_limit_that_was_reached() {
        let after = |day, minute| match failure(&Facts { day_reset: day, minute_reset: minute, ..facts(429, "") }) {
            Failure::Retry { after, reason: RetryReason::Throttled, .. } => after.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(after(None, Some(NOW + 20_000)), Duration::from_secs(20));
        assert_eq!(after(Some(NOW + 7_200_000), None), Duration::from_secs(7_200));
        assert_eq!(after(Some(NOW + 7_200_000), Some(NOW + 20_000)), Duration::from_secs(7_200));
        assert_eq!(after(None, None), ERROR_LIMIT_WAIT);
        assert_eq!(after(Some(NOW - 1), None), ERROR_LIMIT_WAIT);
    }
}
