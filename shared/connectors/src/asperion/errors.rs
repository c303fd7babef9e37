//! What an answer of Asperion means: the decision table, apart from the wire so that every row can be tested.
//!
//! Errors are problem details with one list of texts per field. Which status comes when is not published, so the status
//! decides as it does everywhere, and words only make the advice better.

use std::time::Duration;

use koppel_core::error::RetryReason;
use koppel_core::ports::PERIOD_CLOSED;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::closed_period;

/// Wait after a 429 that names no moment.
const THROTTLE_WAIT: Duration = Duration::from_secs(60);
/// Longest text of the other side that is passed on.
const TEXT_MAX_CHARS: usize = 400;
/// Code of the failure that asks for another token.
pub(super) const TOKEN_REFUSED: &str = "token_refused";
/// Code of the failure of a part of the API that is not there.
pub(super) const NOT_OFFERED: &str = "not_offered";

/// The parts of an answer that the decision looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The call may have changed something.
    pub writes: bool,
    /// Last part of the path: `debtors`.
    pub endpoint: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Wait that the answer asks for.
    pub retry_after: Option<Duration>,
    /// Body.
    pub body: &'a str,
}

/// What is wrong with the answer; `None` when it is good.
pub(super) fn decide(facts: &Facts<'_>) -> Option<Failure> {
    let at = facts.endpoint;
    Some(match facts.status {
        // A maintenance page may come with 200: what is neither empty nor JSON is no answer of the API.
        200..=299 if facts.body.trim().is_empty() || is_json(facts.body) => return None,
        200..=299 => lost(facts, "Asperion answered with a page instead of data"),
        401 => Failure::auth(
            Cause::new(TOKEN_REFUSED, format!("Asperion refused the token ({at})")).advice("connect again"),
        ),
        403 => Failure::settings(
            Cause::new("forbidden", format!("Asperion does not allow this ({at}): {}", said(facts.body))).advice(
                "check the administration of the connection, the rights of the user who gave consent, and the package",
            ),
        ),
        404 | 405 | 501 => Failure::settings(
            Cause::new(
                NOT_OFFERED,
                format!("Asperion does not offer «{at}» under this address (HTTP {})", facts.status),
            )
            .advice("see «To confirm on a live account» in the README; names can be corrected with the option profile"),
        ),
        408 | 500..=599 => lost(facts, "Asperion is not available"),
        406 | 415 => Failure::settings(
            Cause::new(
                "query_refused",
                format!("Asperion refused the form of the call to {at} (HTTP {})", facts.status),
            )
            .advice("the API has changed; update Koppel"),
        ),
        429 => Failure::retry(
            RetryReason::Throttled,
            Some(facts.retry_after.unwrap_or(THROTTLE_WAIT)),
            Cause::new("throttled", format!("Asperion asks to slow down ({at})")),
        ),
        _ if !facts.writes => Failure::settings(
            Cause::new("query_refused", format!("Asperion refused the query of {at}: {}", said(facts.body)))
                .advice("a filter or field that was assumed is not there; see «To confirm on a live account»"),
        ),
        _ => refused(at, facts.body),
    })
}

/// Server trouble: a read simply happens again, a write may have happened and is searched for first.
fn lost(facts: &Facts<'_>, what: &str) -> Failure {
    let reason = if facts.writes { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    let cause = Cause::new("unavailable", format!("{what} ({}, HTTP {})", facts.endpoint, facts.status));
    Failure::retry(reason, facts.retry_after, cause)
}

const UNKNOWN_FIELD: &[&str] = &["could not find member", "unknown field", "bestaat niet op", "onbekend veld"];
const WRONG_TYPE: &[&str] = &["could not be converted", "could not convert"];
const READ_ONLY: &[&str] = &["read-only", "kan niet worden gewijzigd"];
const CLOSED: &[&str] = &["closed", "blocked", "disabled", "afgesloten", "geblokkeerd", "niet actief"];
const MANDATORY: &[&str] = &["is required", "verplicht"];
const EXISTS: &[&str] = &["exists already", "already exists", "bestaat al", "is er al", "er is al"];
const UNKNOWN_CODE: &[&str] = &["does not exist", "bestaat niet"];
const TOO_LONG: &[&str] = &["maximum length", "niet langer"];

/// Validation: passed on in Asperion's own words, field by field, with advice when the kind is recognised.
fn refused(at: &str, body: &str) -> Failure {
    let text = said(body);
    let has = |phrases: &[&str]| {
        let lower = text.to_lowercase();
        phrases.iter().any(|phrase| lower.contains(phrase))
    };
    let first = first_field(body);
    let cause = |code: &str, advice: &str| {
        let cause = Cause::new(code, format!("Asperion refused it ({at}): {text}")).advice(advice);
        match &first {
            Some(field) => cause.in_row(field.clone()),
            None => cause,
        }
    };
    if has(UNKNOWN_FIELD) || has(READ_ONLY) {
        let code = if has(UNKNOWN_FIELD) { "unknown_field" } else { "read_only_field" };
        return Failure::settings(cause(code, "correct the name in the target rows of the flow, or leave the row out"));
    }
    Failure::reject(if has(WRONG_TYPE) {
        cause("wrong_type", "give the field a value of the named type in the target rows of the flow")
    } else if closed_period::says(&text) {
        cause(PERIOD_CLOSED, "open the period in Asperion")
    } else if has(CLOSED) {
        cause("closed_or_blocked", "unblock what the message names in Asperion")
    } else if has(EXISTS) {
        cause("already_exists", "the record is in Asperion: look for it there, and leave its number out of the rows")
    } else if has(MANDATORY) {
        cause("mandatory_missing", "give the named field a value in the record, the settings or the target rows")
    } else if has(UNKNOWN_CODE) {
        cause("unknown_code", "correct the code in the settings of the flow, or create it in Asperion")
    } else if has(TOO_LONG) {
        cause("too_long", "shorten it in the source, or give the row a shorter value")
    } else {
        cause(
            "invalid",
            "correct what the message names in the record, the settings or Asperion, then deliver it again",
        )
    })
}

fn is_json(body: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

/// The texts of problem details on one line: those of the fields, else the detail, else the title.
fn said(body: &str) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(body) else { return one_line("(no text)") };
    let fields = problem.get("errors").and_then(Value::as_object).into_iter().flatten();
    let texts: Vec<String> = fields
        .flat_map(|(field, texts)| {
            let texts = texts.as_array().cloned().unwrap_or_else(|| vec![texts.clone()]);
            texts
                .into_iter()
                .filter_map(|text| text.as_str().map(str::to_owned))
                .map(move |text| format!("{field}: {text}"))
        })
        .collect();
    if !texts.is_empty() {
        return one_line(&texts.join("; "));
    }
    let text = ["detail", "title"].iter().find_map(|name| problem.get(name)?.as_str().filter(|text| !text.is_empty()));
    one_line(text.unwrap_or("(no text)"))
}

/// The first field that something is wrong with, as rows call it.
fn first_field(body: &str) -> Option<String> {
    let problem: Value = serde_json::from_str(body).ok()?;
    let field = problem.get("errors")?.as_object()?.keys().next()?;
    let small = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_lowercase().collect::<String>() + letters.as_str()).unwrap_or_default()
    };
    Some(field.split('.').map(small).collect::<Vec<_>>().join("."))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TEXT_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = include_str!("fixtures/error-validation.json");

    fn decided(writes: bool, status: u16, body: &str) -> String {
        let facts = Facts { writes, endpoint: "debtors", status, retry_after: None, body };
        match decide(&facts) {
            None => "good".into(),
            Some(Failure::Retry { reason, .. }) => format!("{reason:?}"),
            Some(failure) => format!("{} {}", failure.class(), failure.cause().code),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        for (status, body, of_read, of_write) in [
            (200, "{}", "good", "good"),
            (201, "", "good", "good"),
            (200, "<html>Onderhoud</html>", "Unavailable", "OutcomeUnknown"),
            (400, PROBLEM, "settings query_refused", "reject period_closed"),
            (422, "{}", "settings query_refused", "reject invalid"),
            (401, "", "auth token_refused", "auth token_refused"),
            (403, "{}", "settings forbidden", "settings forbidden"),
            (404, "{}", "settings not_offered", "settings not_offered"),
            (405, "{}", "settings not_offered", "settings not_offered"),
            (501, "{}", "settings not_offered", "settings not_offered"),
            (415, "{}", "settings query_refused", "settings query_refused"),
            (429, "", "Throttled", "Throttled"),
            (408, "", "Unavailable", "OutcomeUnknown"),
            (503, "", "Unavailable", "OutcomeUnknown"),
        ] {
            assert_eq!(decided(false, status, body), of_read, "read {status}");
            assert_eq!(decided(true, status, body), of_write, "write {status}");
        }
    }

    #[test]
    fn kinds_of_validation_are_told_apart_in_both_languages() {
        for (text, wanted) in [
            ("Could not find member 'x' on object of type 'Debtor'.", "settings unknown_field"),
            ("Het veld 'x' bestaat niet op Debtor.", "settings unknown_field"),
            ("This field is read-only.", "settings read_only_field"),
            ("The JSON value could not be converted to System.Int32.", "reject wrong_type"),
            ("De periode is afgesloten.", "reject period_closed"),
            ("Er is al een debiteur met dit nummer.", "reject already_exists"),
            ("Het veld Name is verplicht.", "reject mandatory_missing"),
            ("'99' bestaat niet in deze administratie.", "reject unknown_code"),
            ("The field must be a string with a maximum length of 50.", "reject too_long"),
            ("De boeking is niet in evenwicht: verschil 1.", "reject invalid"),
        ] {
            let body = serde_json::json!({ "errors": { "Name": [text] } }).to_string();
            assert_eq!(decided(true, 400, &body), wanted, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_every_field_and_the_first_as_rows_call_it() {
        let facts =
            Facts { writes: true, endpoint: "salesinvoiceswithlines", status: 400, retry_after: None, body: PROBLEM };
        let failure = decide(&facts).unwrap();
        let text = failure.to_string();
        assert!(text.contains("Bookperiod: The period is closed.") && text.contains("Lines[0].VatCode"), "{text}");
        assert_eq!(failure.cause().place.row.as_deref(), Some("bookperiod"));
        assert_eq!(first_field(r#"{"errors":{"Lines[0].VatCode":["x"]}}"#).as_deref(), Some("lines[0].vatCode"));
    }
}
