//! What WooCommerce's answers mean. Messages are translated into the shop's language: only codes are looked at.

use chrono::{DateTime, Utc};
use koppel_core::{Cause, Failure};

use crate::http::judge::{default_verdict, excerpt, throttled, unavailable, web_page};
use crate::http::{Answer, Judge, Request, Verdict};

/// Cause code of keys that the shop did not recognise: unknown, stripped, or shown over http.
pub const NOT_RECOGNISED: &str = "keys_not_recognised";
/// Cause code of a batch that is more than the shop, or its web server, takes at once. Nothing of it was done.
pub const TOO_LARGE: &str = "too_large_at_once";
/// Cause code of an address that the shop's WordPress does not know: too old, or WooCommerce is off.
pub const NO_ROUTE: &str = "no_rest_route";

/// The judge of WooCommerce.
#[derive(Clone, Copy, Debug, Default)]
pub struct WooCommerceJudge;

impl Judge for WooCommerceJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        let code = error_code(answer).unwrap_or_default();
        let settings = |code: &str, message: String, advice: &str| {
            Verdict::Fail(Failure::settings(Cause::new(code, message).advice(advice)))
        };
        match answer.status {
            // A body that stops half-way or starts with a PHP error is a fault of the host, which passes.
            200..=299 if !answer.is_html() && answer.json().is_err() => Verdict::Fail(broken(request, answer, now)),
            401 => Verdict::Fail(refused_keys(&code)),
            403 if !answer.is_html() && !code.is_empty() => settings(
                "not_allowed",
                format!("the key may not do this ({code})"),
                "let an administrator or shop manager make the key, with read and write permission",
            ),
            404 if code == "rest_no_route" => settings(
                NO_ROUTE,
                format!("{} is not known to this site", request.endpoint_name()),
                "check the url, switch on WooCommerce, and choose any permalink form but «plain» in WordPress",
            ),
            // Somebody else made the category meanwhile; its id stands in the answer.
            400 if code == "term_exists" => Verdict::Accept,
            // Refused before anything was done, by WooCommerce itself or by the web server before it.
            413 => Verdict::Fail(Failure::reject(Cause::new(
                TOO_LARGE,
                format!("{} was refused: too much at once", request.endpoint_name()),
            ))),
            // The client turns «this id does not exist» into nothing.
            404 if code.ends_with("_invalid_id") => Verdict::Accept,
            404 if answer.is_html() => settings(
                "no_rest_api",
                "the site answers a web page where its REST API should be (status 404)".into(),
                "check the url, and choose any permalink form but «plain» in WordPress",
            ),
            406 => Verdict::Fail(web_page(request, answer)),
            429 => Verdict::Fail(throttled(answer.retry_after(now))),
            400..=499 if !answer.is_html() && answer.status != 408 && !request.writes() => settings(
                "request_refused",
                format!("{} was refused ({code}): {}", request.endpoint_name(), excerpt(answer)),
                "check the version of WooCommerce (5.8 or later) and plugins that change its REST API",
            ),
            _ => default_verdict(request, answer, now),
        }
    }

    // WooCommerce blocks nobody for errors.
    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}

/// The judge of WordPress itself, which is called with an application password.
#[derive(Clone, Copy, Debug, Default)]
pub struct WordPressJudge;

impl Judge for WordPressJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        match answer.status {
            401 | 403 if !answer.is_html() => Verdict::Fail(Failure::auth(
                Cause::new(
                    "application_password_refused",
                    format!("WordPress refuses the application password ({})", error_code(answer).unwrap_or_default()),
                )
                .advice(
                    "check wp_user and wp_application_password: make the password in WordPress under Users, Profile, for \
                     a user who may upload files and edit users; a security plugin may have closed it",
                ),
            )),
            413 => Verdict::Fail(Failure::reject(Cause::new(TOO_LARGE, "the file is larger than the shop takes"))),
            _ => WooCommerceJudge.judge(request, answer, now),
        }
    }

    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}

/// The judge of files: nobody looks into them.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileJudge;

impl Judge for FileJudge {
    fn judge(&self, request: &Request, answer: &Answer, now: DateTime<Utc>) -> Verdict {
        match answer.status {
            401 | 403 | 404 | 410 => Verdict::Accept,
            _ => default_verdict(request, answer, now),
        }
    }

    fn counts_as_error(&self, _answer: &Answer) -> bool {
        false
    }
}

/// The error code in an answer.
pub fn error_code(answer: &Answer) -> Option<String> {
    Some(answer.json().ok()?.get("code")?.as_str()?.to_owned())
}

/// The shop has no record with that id.
pub fn is_missing(answer: &Answer) -> bool {
    answer.status == 404
}

fn broken(request: &Request, answer: &Answer, now: DateTime<Utc>) -> Failure {
    unavailable(request, answer, now).map_cause(|mut cause| {
        cause.code = "answer_is_not_json".into();
        cause.message = format!("{} answered something that is not whole JSON", request.endpoint_name());
        cause.advice("when it stays: look for PHP errors or a memory limit in the log of the shop's host")
    })
}

fn refused_keys(code: &str) -> Failure {
    if code.starts_with("woocommerce_rest_cannot_") {
        let cause = Cause::new(NOT_RECOGNISED, format!("the shop does not recognise the keys ({code})"));
        return Failure::auth(cause.advice(
            "check, in this order: the consumer key is complete and not revoked; the user who made it is an \
             administrator or shop manager; the web server passes on the Authorization header (else set auth: query); \
             the shop knows that it is reached over https",
        ));
    }
    let (message, advice) = match code {
        "woocommerce_rest_authentication_error" => (
            "the shop refuses the consumer secret, the signature or the permission of the key",
            "check the consumer secret and that the key has read and write permission; with auth: oauth1 also site_url \
             and the clock of the shop",
        ),
        "woocommerce_rest_authentication_missing_parameter" => (
            "the shop did not get all parameters of the signature",
            "look for a cache or proxy that drops query parameters, or use https with auth: basic",
        ),
        _ => ("the shop refuses the credentials", "check the keys; a security plugin may close the REST API"),
    };
    Failure::auth(Cause::new("keys_refused", format!("{message} ({code})")).advice(advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(request: &Request, status: u16, body: &str) -> String {
        let answer = Answer { status, headers: Vec::new(), body: body.into() };
        match WooCommerceJudge.judge(request, &answer, Utc::now()) {
            Verdict::Accept => "accept".into(),
            Verdict::Fail(Failure::Retry { reason, cause, .. }) => format!("{reason:?} {}", cause.code),
            Verdict::Fail(failure) => format!("{} {}", failure.class(), failure.cause().code),
        }
    }

    #[test]
    fn the_table_of_decisions() {
        let (read, write) = (Request::get("wp-json/wc/v3/orders/1"), Request::post("wp-json/wc/v3/orders"));
        let code = |code: &str| format!("{{\"code\":\"{code}\",\"message\":\"Sorry\",\"data\":{{\"status\":0}}}}");
        let page = "<!doctype html><html>";
        for (status, body, expected) in [
            (200, "[]".to_owned(), "accept"),
            (200, page.to_owned(), "Unavailable web_page"),
            (200, "[{\"id\":1},{\"i".to_owned(), "Unavailable answer_is_not_json"),
            (200, String::new(), "Unavailable answer_is_not_json"),
            (400, code("rest_invalid_param"), "settings request_refused"),
            (401, code("woocommerce_rest_cannot_view"), "auth keys_not_recognised"),
            (401, code("woocommerce_rest_authentication_error"), "auth keys_refused"),
            (401, code("woocommerce_rest_authentication_missing_parameter"), "auth keys_refused"),
            (401, page.to_owned(), "auth keys_refused"),
            (403, code("rest_forbidden"), "settings not_allowed"),
            (403, page.to_owned(), "Unavailable web_page"),
            (404, code("rest_no_route"), "settings no_rest_route"),
            (404, code("woocommerce_rest_shop_order_invalid_id"), "accept"),
            (404, page.to_owned(), "settings no_rest_api"),
            (406, page.to_owned(), "Unavailable web_page"),
            (429, page.to_owned(), "Throttled throttled"),
            (500, code("internal_server_error"), "Unavailable system_unavailable"),
            (503, page.to_owned(), "Unavailable system_unavailable"),
        ] {
            assert_eq!(said(&read, status, &body), expected, "{status} {body}");
        }
        assert_eq!(said(&write, 400, &code("product_invalid_sku")), "reject refused");
        assert_eq!(said(&write, 502, page), "OutcomeUnknown system_unavailable");
    }
}
