//! What an answer of AccountView means: the decision table, apart from the wire so that every row can be tested.
//!
//! Errors come in an envelope, and its status need not tell: a 200 may be a refusal. Texts are in the language of the
//! installation, so only the type of the error decides; the text is passed on.

use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::PERIOD_CLOSED;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::closed_period;

/// Longest text of the other side that is passed on.
const TEXT_MAX_CHARS: usize = 400;
/// The type that AccountView itself gives its refusals.
const REFUSAL: &str = "AccountViewError";
/// Code of the failure that asks for another token.
pub(super) const TOKEN_REFUSED: &str = "token_refused";
/// Code of the failure of a read that AccountView refused.
pub(super) const QUERY_REFUSED: &str = "query_refused";

/// The parts of an answer that the decision looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The call may have changed something.
    pub writes: bool,
    /// Business object or path, for messages.
    pub endpoint: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: &'a str,
}

/// Decides; `None` leaves it to the rules that all systems share.
pub(super) fn decide(facts: &Facts<'_>) -> Option<Result<(), Failure>> {
    if let Some((kind, text)) = envelope(facts.body) {
        return Some(Err(refusal(facts, &kind, &text)));
    }
    let at = facts.endpoint;
    match facts.status {
        401 => Some(Err(Failure::auth(
            Cause::new(TOKEN_REFUSED, format!("AccountView.Net refused the token ({at})")).advice("connect again"),
        ))),
        403 => Some(Err(Failure::settings(
            Cause::new("forbidden", format!("AccountView.Net does not allow the use of {at}"))
                .advice("give the application and the user the rights, and profile.connection.scope the scope, then connect again"),
        ))),
        // Nothing found is told in this form too.
        404 if !facts.writes && is_data(facts.body) => Some(Ok(())),
        200..=299 if !is_data(facts.body) => Some(Err(lost(facts, "it answered something else than data"))),
        405 | 415 => Some(Err(Failure::settings(
            Cause::new("call_refused", format!("AccountView.Net refused the call to {at} (HTTP {})", facts.status))
                .advice("the API has changed; update Koppel"),
        ))),
        500..=599 if is_data(facts.body) || facts.status == 503 => {
            Some(Err(lost(facts, "the server of AccountView may not be reachable")))
        }
        _ => None,
    }
}

/// Type and text of an error, on whatever status.
pub(super) fn envelope(body: &str) -> Option<(String, String)> {
    let body: Value = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
    let member = |name: &str| {
        let fields = body.as_object().into_iter().flatten();
        let found = fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        found.filter(|value| !value.is_null()).map(|value| value.as_str().map_or_else(|| value.to_string(), one_line))
    };
    let (kind, text) = (member("ErrorType"), member("ErrorMessage"));
    (kind.is_some() || text.is_some()).then(|| (kind.unwrap_or_default(), text.unwrap_or_default()))
}

/// How the installation says that a period is closed: its errors have neither number nor code for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClosedPeriod(Vec<String>);

impl ClosedPeriod {
    /// The option, in lower case; empty for the words that all books use.
    pub fn of(connection: &Connection) -> Self {
        let texts = connection.option("closed_period_texts").unwrap_or_default();
        Self(texts.split(';').map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty()).collect())
    }

    /// Gives a refusal in these words the code of a closed period.
    pub fn name(&self, failure: Failure) -> Failure {
        let text = failure.cause().message.to_lowercase();
        let says = if self.0.is_empty() {
            closed_period::says(&text)
        } else {
            self.0.iter().any(|known| text.contains(known))
        };
        match failure {
            Failure::Reject(cause) if says && cause.code == "refused" => {
                Failure::reject(Cause { code: PERIOD_CLOSED.into(), ..*cause }.advice("open the period in AccountView"))
            }
            other => other,
        }
    }
}

fn refusal(facts: &Facts<'_>, kind: &str, text: &str) -> Failure {
    let at = facts.endpoint;
    // Another type may come from what stands between: then nothing was decided about the record.
    if !kind.is_empty() && kind != REFUSAL && facts.status >= 500 {
        return lost(facts, text);
    }
    if facts.writes {
        return Failure::reject(Cause::new("refused", format!("AccountView refused it ({at}): {text}")).advice(
            "correct what the message names in the record, the settings or AccountView, then deliver it again",
        ));
    }
    Failure::settings(
        Cause::new(QUERY_REFUSED, format!("AccountView refused the question ({at}): {text}"))
            .advice("run koppel doctor: it compares the names of the profile with the data dictionary"),
    )
}

/// After a write it may have happened and is searched for first.
fn lost(facts: &Facts<'_>, what: &str) -> Failure {
    let reason = if facts.writes { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    let text = format!("AccountView is not available: {what} ({}, HTTP {})", facts.endpoint, facts.status);
    Failure::retry(reason, None, Cause::new("unavailable", text))
}

fn is_data(body: &str) -> bool {
    let body = body.trim_start_matches('\u{feff}').trim();
    body.is_empty() || serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TEXT_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str =
        r#"{"ErrorType":"AccountViewError","ErrorNumbers":null,"ErrorMessage":"Veld  'X'\r\nontbreekt."}"#;

    fn class(writes: bool, status: u16, body: &str) -> String {
        match decide(&Facts { writes, endpoint: "SO1", status, body }) {
            None => "default".into(),
            Some(Ok(())) => "accept".into(),
            Some(Err(Failure::Retry { reason, .. })) => format!("{reason:?}"),
            Some(Err(failure)) => failure.class().into(),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let other = r#"{"ErrorType":"GatewayError","ErrorMessage":"offline"}"#;
        for (status, body, of_read, of_write) in [
            (200, r#"{"CONTACT":[]}"#, "default", "default"),
            (200, REFUSED, "settings", "reject"),
            (400, REFUSED, "settings", "reject"),
            (500, REFUSED, "settings", "reject"),
            (200, r#"{"errortype":null,"errormessage":"Fout"}"#, "settings", "reject"),
            (502, other, "Unavailable", "OutcomeUnknown"),
            (200, other, "settings", "reject"),
            (404, "{}", "accept", "default"),
            (404, "", "accept", "default"),
            (404, "<html>", "default", "default"),
            (200, "<html>", "Unavailable", "OutcomeUnknown"),
            (401, "", "auth", "auth"),
            (403, "", "settings", "settings"),
            (405, "", "settings", "settings"),
            (500, "", "Unavailable", "OutcomeUnknown"),
            (503, "not reachable", "Unavailable", "OutcomeUnknown"),
            (429, "", "default", "default"),
        ] {
            assert_eq!(class(false, status, body), of_read, "read {status} {body}");
            assert_eq!(class(true, status, body), of_write, "write {status} {body}");
        }
    }

    #[test]
    fn the_text_is_passed_on_in_one_line() {
        let failure =
            decide(&Facts { writes: true, endpoint: "SO1", status: 200, body: REFUSED }).unwrap().unwrap_err();
        assert!(failure.to_string().contains("(SO1): Veld 'X' ontbreekt."), "{failure}");
    }
}
