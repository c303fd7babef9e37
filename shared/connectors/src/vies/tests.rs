//! What each answer means, and how often the stand-in is asked for it.

use koppel_core::ports::{Calls, VatNumbers};
use koppel_core::vat::{VatAnswer, VatNumber};
use koppel_sandbox::{FaultRule, Handle, Options, Sandbox};
use serde_json::json;

use super::{Vies, said};
use crate::http::{Answer, testing};

fn unknown(why: &str) -> VatAnswer {
    VatAnswer::Unknown { why: why.to_owned() }
}

#[test]
fn only_a_clear_no_is_invalid() {
    let of = |status: u16, body: &str| said(&Answer { status, headers: Vec::new(), body: body.into() });
    assert_eq!(of(200, r#"{"valid":true,"name":"PEETERS BV"}"#), VatAnswer::Valid);
    assert_eq!(of(200, r#"{"valid":false,"name":"---"}"#), VatAnswer::Invalid);
    assert_eq!(of(200, r#"{"isValid":true,"userError":"VALID"}"#), VatAnswer::Valid);
    assert_eq!(of(200, r#"{"isValid":false,"userError":"INVALID"}"#), VatAnswer::Invalid);
    for code in [
        "MS_UNAVAILABLE",
        "MS_MAX_CONCURRENT_REQ",
        "MS_MAX_CONCURRENT_REQ_TIME",
        "GLOBAL_MAX_CONCURRENT_REQ",
        "TIMEOUT",
        "SERVICE_UNAVAILABLE",
        "IP_BLOCKED",
        "VAT_BLOCKED",
        "A_NEW_ONE",
    ] {
        assert_eq!(of(200, &format!(r#"{{"isValid":false,"userError":"{code}"}}"#)), unknown(code));
        let wrapped = format!(r#"{{"actionSucceed":false,"errorWrappers":[{{"error":"{code}"}}]}}"#);
        for status in [200, 400, 500] {
            assert_eq!(of(status, &wrapped), unknown(code), "{status}");
        }
    }
    let wrong = r#"{"actionSucceed":false,"errorWrappers":[{"error":"INVALID_INPUT"}]}"#;
    assert_eq!(of(400, wrong), VatAnswer::Invalid);
    assert_eq!(of(503, "<html>busy</html>"), unknown("status_503"));
    assert_eq!(of(500, r#"{"valid":false}"#), unknown("status_500"));
    assert_eq!(of(200, "{}"), unknown("no_verdict"));
    assert_eq!(of(200, r#"{"actionSucceed":false}"#), unknown("no_code"));
    let loud = r#"{"actionSucceed":false,"errorWrappers":[{"error":"no BE0123456789 here"}]}"#;
    assert_eq!(of(200, loud), unknown("unreadable_code"), "what VIES says may hold the number");
}

async fn vies(switches: serde_json::Value) -> (Handle, Vies) {
    let sandbox = Sandbox::start(Options::default().switch("vies", switches)).await.unwrap();
    let url = format!("{}/taxation_customs/vies/rest-api", sandbox.url("vies"));
    let client = Vies::new(Some(&url), &testing::world().2).unwrap();
    (sandbox, client)
}

async fn check(client: &Vies, text: &str) -> VatAnswer {
    client.check(&VatNumber::read(text, "BE").unwrap(), &Calls::default()).await
}

fn asked(sandbox: &Handle) -> u64 {
    sandbox.system("vies").unwrap().total_calls()
}

#[tokio::test]
async fn valid_and_invalid_are_one_call_and_the_number_is_in_no_address() {
    let (sandbox, client) = vies(json!({})).await;
    assert_eq!(check(&client, "BE 0123.456.789").await, VatAnswer::Valid);
    assert_eq!(check(&client, "BE0999999999").await, VatAnswer::Invalid);
    assert_eq!(asked(&sandbox), 2);
    let log = sandbox.system("vies").unwrap().log();
    assert!(log.iter().all(|call| !call.path.contains("0123456789") && call.query.is_empty()), "{log:?}");
    assert_eq!(log[0].body, r#"{"countryCode":"BE","vatNumber":"0123456789"}"#);
}

#[tokio::test]
async fn a_busy_service_is_asked_again_at_once_and_then_left_alone() {
    let (sandbox, client) = vies(json!({ "throttled_percent": 100 })).await;
    assert_eq!(check(&client, "BE0123456789").await, unknown("MS_MAX_CONCURRENT_REQ"));
    assert_eq!(asked(&sandbox), 3);
    sandbox.system("vies").unwrap().set_switches(json!({ "throttled_percent": 50 })).unwrap();
    assert_eq!(check(&client, "BE0123456789").await, VatAnswer::Valid, "every second question is answered");
}

#[tokio::test]
async fn a_service_that_is_down_is_unknown_and_so_is_one_that_is_not_there() {
    let (sandbox, client) = vies(json!({ "down": true })).await;
    assert_eq!(check(&client, "BE0123456789").await, unknown("SERVICE_UNAVAILABLE"));
    assert_eq!(asked(&sandbox), 1, "it is asked again later, not at once");
    assert_eq!(client.resting_countries(&Calls::default()).await.unwrap_err().cause().code, "vies_unavailable");
    let system = sandbox.system("vies").unwrap();
    system.set_switches(json!({ "down": false, "resting": ["DE"] })).unwrap();
    assert_eq!(check(&client, "DE123456789").await, unknown("MS_UNAVAILABLE"));
    assert_eq!(client.resting_countries(&Calls::default()).await.unwrap(), ["DE"]);
    let rule: FaultRule = serde_json::from_value(json!({ "action": "connection_reset" })).unwrap();
    system.fault(rule).unwrap();
    assert_eq!(check(&client, "BE0123456789").await, unknown("connection_lost"));
    sandbox.stop().await;
    assert_eq!(check(&client, "BE0123456789").await, unknown("no_connection"));
}

#[test]
fn an_address_that_is_none_is_refused_by_the_setting_that_has_it() {
    let failure = Vies::new(Some("http://vies.example"), &testing::world().2).err().unwrap();
    assert_eq!(failure.class(), "settings");
    assert_eq!(failure.cause().place.row.as_deref(), Some("settings.vat_number.url"));
}
