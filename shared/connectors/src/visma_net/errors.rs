//! What an answer of Visma Net means: the decision table, apart from the wire so that every row can be tested.
//!
//! The ERP API says what is wrong in a sentence without a code, in the language of the company, and may send it with
//! status 400 or 500. The service for sales orders has stable codes and tells everything that is wrong at once.

use std::time::Duration;

use koppel_core::error::RetryReason;
use koppel_core::ports::PERIOD_CLOSED;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::closed_period;

/// Wait after a 429 that names none.
const THROTTLED_WAIT: Duration = Duration::from_secs(60);
/// Longest text of the other side that is passed on.
const TEXT_MAX_CHARS: usize = 400;

/// The parts of an answer that the decision looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// The call may have changed something.
    pub writes: bool,
    /// What was called, for messages: `customerinvoice`.
    pub endpoint: &'a str,
    /// HTTP status.
    pub status: u16,
    /// Wait that the answer asks for.
    pub retry_after: Option<Duration>,
    /// Body.
    pub body: &'a str,
}

/// What to do with an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    /// The answer is good.
    Accept,
    /// The token is no longer accepted: ask for another one and try once more.
    TokenRefused,
    /// It failed.
    Fail(Failure),
}

/// Decides.
pub(super) fn decide(facts: &Facts<'_>) -> Decision {
    let at = facts.endpoint;
    let body: Option<Value> = serde_json::from_str(facts.body).ok();
    let fault = body.as_ref().and_then(gateway_fault);
    Decision::Fail(match facts.status {
        // What is neither empty nor JSON is a page of somebody in between.
        200..=299 if facts.body.trim().is_empty() || body.is_some() => return Decision::Accept,
        200..=299 => lost(facts, "Visma Net answered with a page instead of data"),
        // The gateway speaks of the licence with several statuses.
        400..=499 if fault.is_some() && facts.status != 429 => no_licence(fault.unwrap_or_default()),
        401 => return Decision::TokenRefused,
        403 => Failure::settings(
            Cause::new(
                "forbidden",
                format!("the application may not use {at}{}", after_colon(&said(&body, facts.body))),
            )
            .advice(
                "give the application the rights it needs in the Developer Portal, and let the company approve it \
                     again in Visma App Store",
            ),
        ),
        404 => Failure::settings(
            Cause::new("not_found", format!("Visma Net has no such {at}{}", after_colon(&said(&body, facts.body))))
                .advice("check whether it was deleted in Visma Net, and the address of the connection"),
        ),
        405 | 410 | 415 | 428 => Failure::settings(
            Cause::new("call_refused", format!("Visma Net refused the call to {at} (HTTP {})", facts.status))
                .advice("the API has changed; update Koppel"),
        ),
        // Somebody was faster, or a number exists: whoever comes next looks first.
        409 if facts.writes => outcome_unknown(facts, &said(&body, facts.body)),
        412 => Failure::retry(
            RetryReason::Busy,
            Some(Duration::from_secs(5)),
            Cause::new("changed_meanwhile", format!("somebody changed this {at} at the same moment")),
        ),
        429 => Failure::retry(
            RetryReason::Throttled,
            Some(facts.retry_after.unwrap_or(THROTTLED_WAIT)),
            Cause::new(
                "throttled",
                "Visma Net asks to slow down: the calls of the hour are used up, or too many at once",
            ),
        ),
        400 | 409 | 422 => refused(at, body.as_ref(), facts.body),
        // Validation arrives as 500 too: then it says what is wrong, in the form of the ERP API.
        500 if facts.writes && message_of(body.as_ref()).is_some() => refused(at, body.as_ref(), facts.body),
        400..=499 => refused(at, body.as_ref(), facts.body),
        _ => lost(facts, "Visma Net is not available"),
    })
}

/// The code of a fault of the gateway (`IPPException`), with its words.
fn gateway_fault(body: &Value) -> Option<String> {
    let kind = body.get("ExceptionType")?.as_str()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(one_line(&format!("{} ({kind} {})", text("ExceptionMessage"), text("ExceptionFaultCode"))))
}

fn no_licence(fault: String) -> Failure {
    Failure::auth(
        Cause::new("company_refused", format!("Visma Net does not open the company: {fault}"))
            .advice(
                "check that tenant_id is that of the company and not of the customer, that the company has a licence, and \
                 that its administrator has approved the application",
            )
            .in_row("tenant_id"),
    )
}

/// `{"message": "…"}`
fn message_of(body: Option<&Value>) -> Option<String> {
    let text = body?.get("message").or_else(|| body?.get("Message"))?.as_str()?;
    (!text.trim().is_empty()).then(|| one_line(text))
}

/// What the answer says, whatever form it has.
fn said(body: &Option<Value>, text: &str) -> String {
    let named = |name: &str| body.as_ref()?.get(name)?.as_str().filter(|text| !text.trim().is_empty()).map(one_line);
    let found = message_of(body.as_ref()).or_else(|| named("detail")).or_else(|| named("title"));
    found.unwrap_or_else(|| if text.trim_start().starts_with('<') { String::new() } else { one_line(text) })
}

/// A record that was refused: by sentence, or by codes.
fn refused(at: &str, body: Option<&Value>, text: &str) -> Failure {
    let details = body.and_then(|body| body.get("details")).and_then(Value::as_array).filter(|list| !list.is_empty());
    if let Some(details) = details {
        return validation(at, details);
    }
    let fields = body.and_then(|body| body.get("errors")).and_then(Value::as_object).filter(|map| !map.is_empty());
    if let Some(fields) = fields {
        let each = |(name, said): (&String, &Value)| {
            let said: Vec<&str> = said.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{name}: {}", said.join(" "))
        };
        let all: Vec<String> = fields.iter().map(each).collect();
        let cause = Cause::new("refused", format!("Visma Net refused the {at}: {}", one_line(&all.join("; "))));
        let row = fields.keys().next().cloned().unwrap_or_default();
        return Failure::reject(cause.advice("correct the field in the target rows of the flow").in_row(row));
    }
    let said = said(&body.cloned(), text);
    let said = if said.is_empty() { "without saying why".to_owned() } else { said };
    let code = if closed_period::says(&said) { PERIOD_CLOSED } else { "refused" };
    Failure::reject(
        Cause::new(code, format!("Visma Net refused the {at}: {said}"))
            .advice("correct the record or the target rows of the flow, then deliver it again"),
    )
}

/// Codes of the service for sales orders that something outside the record must be changed for, and what.
const OUTSIDE: [(&str, &str); 15] = [
    ("1310", "the ship via does not take freight costs: use freight: premium, or leave shipping costs on a line"),
    ("1400", "the customer is not known to the service for orders: look at it in Visma Net"),
    ("1401", "the customer has no credit terms: give it some in Visma Net, or set settings.payment_terms"),
    ("1402", "correct target.paymentSettings.paymentMethodId: there is no such payment method"),
    ("1403", "the payment method is not active: activate it in Visma Net, or use another one"),
    ("1404", "the payment method does not fit: correct target.paymentSettings.paymentMethodId"),
    ("1405", "the order type wants a payment reference: add the row target.paymentSettings.paymentReference"),
    ("1406", "the order type takes no payment reference: take the row target.paymentSettings.paymentReference out"),
    ("1407", "the customer may not buy: look at its status in Visma Net"),
    ("1704", "correct order_type, invoice_order_type or credit_order_type of the connection"),
    ("1802", "correct settings.warehouse: there is no such warehouse"),
    ("1804", "create the item in Visma Net, or correct the article number in the shop"),
    ("1805", "correct settings.vat_code: there is no such VAT category"),
    ("1806", "correct settings.revenue_account: there is no such account"),
    ("1900", "the order type has no number series: correct order_type, or the order type in Visma Net"),
];

/// Codes of a financial period that is not there, closed, or not active.
const CLOSED: [&str; 3] = ["1600", "1601", "1602"];

/// All that is wrong, told at once. When one part lies outside the record the record waits; else it is rejected.
fn validation(at: &str, details: &[Value]) -> Failure {
    let text = |detail: &Value, name: &str| {
        detail.get(name).and_then(Value::as_str).map(one_line).filter(|text| !text.is_empty())
    };
    let mut told = Vec::new();
    let mut outside = None;
    let mut row = None;
    for detail in details {
        let code = text(detail, "code").unwrap_or_default();
        let property = detail.get("parameters").and_then(|all| text(all, "property"));
        let message = text(detail, "message").unwrap_or_else(|| "not said why".into());
        let place = property.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        told.push(format!("{code}{place}: {message}"));
        let hint = OUTSIDE.iter().find(|(known, _)| code.starts_with(known)).map(|(_, advice)| *advice);
        if outside.is_none() {
            outside = hint;
            row = if hint.is_some() { property } else { row.or(property) };
        }
    }
    let first = details.first().and_then(|detail| text(detail, "code")).unwrap_or_else(|| "refused".into());
    let mut cause = Cause::new("refused", format!("Visma Net refused the {at}: {}", one_line(&told.join("; "))));
    let is_closed =
        |detail: &Value| text(detail, "code").is_some_and(|code| CLOSED.iter().any(|known| code.starts_with(known)));
    if details.iter().any(is_closed) {
        // What else is wrong is told when the document has another date.
        cause.code = PERIOD_CLOSED.into();
        let row = details.iter().find(|detail| is_closed(detail)).and_then(|detail| detail.get("parameters"));
        let cause = cause.in_row(row.and_then(|all| text(all, "property")).unwrap_or_else(|| "date".into()));
        return Failure::reject(cause.advice("open the financial period in Visma Net"));
    }
    if first.starts_with("0002") {
        cause.code = "too_long".into();
    }
    if let Some(row) = row {
        cause = cause.in_row(row);
    }
    match outside {
        Some(advice) => Failure::settings(cause.advice(advice)),
        None => {
            Failure::reject(cause.advice("correct the record or the target rows of the flow, then deliver it again"))
        }
    }
}

/// Trouble of the server: a read simply happens again, a write may have happened and is searched for first.
fn lost(facts: &Facts<'_>, what: &str) -> Failure {
    let reason = if facts.writes { RetryReason::OutcomeUnknown } else { RetryReason::Unavailable };
    let cause = Cause::new("unavailable", format!("{what} ({}, HTTP {})", facts.endpoint, facts.status));
    Failure::retry(reason, facts.retry_after, cause)
}

fn outcome_unknown(facts: &Facts<'_>, said: &str) -> Failure {
    let message = format!("Visma Net may have this {} already{}", facts.endpoint, after_colon(said));
    Failure::retry(RetryReason::OutcomeUnknown, None, Cause::new("conflict", message))
}

fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TEXT_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(writes: bool, status: u16, body: &str) -> Facts<'_> {
        Facts { writes, endpoint: "customerinvoice", status, retry_after: None, body }
    }

    fn outcome(writes: bool, status: u16, body: &str) -> String {
        match decide(&facts(writes, status, body)) {
            Decision::Accept => "accept".into(),
            Decision::TokenRefused => "token".into(),
            Decision::Fail(Failure::Retry { reason, .. }) => format!("{reason:?}"),
            Decision::Fail(failure) => format!("{} {}", failure.class(), failure.cause().code),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let message = r#"{"message":"Payment can't be updated because it is already released."}"#;
        let licence = include_str!("fixtures/error-licence.json");
        for (status, body, of_read, of_write) in [
            (200, "[]", "accept", "accept"),
            (201, "", "accept", "accept"),
            (202, "{}", "accept", "accept"),
            (204, "", "accept", "accept"),
            (200, "<html>login</html>", "Unavailable", "OutcomeUnknown"),
            (400, message, "reject refused", "reject refused"),
            (400, "plain words", "reject refused", "reject refused"),
            (400, licence, "auth company_refused", "auth company_refused"),
            (403, licence, "auth company_refused", "auth company_refused"),
            (401, "", "token", "token"),
            (403, "", "settings forbidden", "settings forbidden"),
            (404, "", "settings not_found", "settings not_found"),
            (409, "{}", "reject refused", "OutcomeUnknown"),
            (412, "", "Busy", "Busy"),
            (428, "", "settings call_refused", "settings call_refused"),
            (429, "", "Throttled", "Throttled"),
            (500, message, "Unavailable", "reject refused"),
            (500, "", "Unavailable", "OutcomeUnknown"),
            (500, "<html>", "Unavailable", "OutcomeUnknown"),
            (503, message, "Unavailable", "OutcomeUnknown"),
        ] {
            assert_eq!(outcome(false, status, body), of_read, "read {status} {body}");
            assert_eq!(outcome(true, status, body), of_write, "write {status} {body}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_what_lies_outside_the_record_waits() {
        let Decision::Fail(failure) = decide(&facts(true, 400, include_str!("fixtures/error-validation.json"))) else {
            panic!("accepted")
        };
        assert_eq!(failure.class(), "settings");
        let text = failure.to_string();
        assert!(text.contains("1804-InventoryIdNotFound") && text.contains("0002-InvalidLength"), "{text}");
        assert!(text.contains("create the item in Visma Net"), "{text}");
        let own = r#"{"status":400,"details":[{"code":"0002-InvalidLength","message":"too long","parameters":{"property":"description"}}]}"#;
        let Decision::Fail(failure) = decide(&facts(true, 400, own)) else { panic!("accepted") };
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "too_long"));
        assert_eq!(failure.cause().place.row.as_deref(), Some("description"));
        let closed = r#"{"details":[{"code":"1601-FinancialPeriodClosed","message":"closed"}]}"#;
        let Decision::Fail(failure) = decide(&facts(true, 400, closed)) else { panic!("accepted") };
        assert!(failure.to_string().contains("open the financial period"), "{failure}");
    }

    #[test]
    fn fields_are_named_and_a_wait_is_kept() {
        let fields = r#"{"errors":{"customer.id":["The field is required."]}}"#;
        let Decision::Fail(failure) = decide(&facts(true, 400, fields)) else { panic!("accepted") };
        assert_eq!(failure.cause().place.row.as_deref(), Some("customer.id"));
        let busy = Facts { retry_after: Some(Duration::from_secs(17)), ..facts(true, 429, "") };
        let Decision::Fail(Failure::Retry { after, .. }) = decide(&busy) else { panic!("no wait") };
        assert_eq!(after, Some(Duration::from_secs(17)));
    }
}
