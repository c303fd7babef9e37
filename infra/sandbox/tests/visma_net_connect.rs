//! Visma.net: tokens, tenants and scopes; hourly limits; the old address; a kill in the middle.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use common::{Visma, client, json_of, w};
use koppel_sandbox::visma_net as visma;
use serde_json::{Value, json};

const READ: &str = "vismanet_erp_service_api:read";

async fn token(visma: &Visma, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", visma::CLIENT_ID),
        ("client_secret", visma::CLIENT_SECRET),
        ("tenant_id", visma::TENANT_ID),
        ("scope", READ),
    ];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        if !value.is_empty() {
            form.push((name, value));
        }
    }
    let url = format!("{}/connect/token", visma.sandbox.visma_net_url());
    let answer = visma.client.post(url).form(&form).send().await.unwrap();
    (answer.status().as_u16(), json_of(answer).await)
}

async fn with_token(visma: &Visma, token: &Value, method: &str, path: &str) -> reqwest::Response {
    let url = format!("{}{path}", visma.sandbox.visma_net_url());
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let request = visma.client.request(method, url).bearer_auth(token["access_token"].as_str().unwrap());
    request.json(&json!({})).send().await.unwrap()
}

#[tokio::test]
async fn a_token_is_given_for_the_right_form_only() {
    let visma = Visma::open(json!({})).await;
    let (status, given) = token(&visma, &[]).await;
    assert_eq!((status, &given["expires_in"], &given["token_type"]), (200, &json!(3600), &json!("Bearer")));
    assert_eq!(given["access_token"].as_str().unwrap().split('.').count(), 3, "it looks like a JWT");
    assert!(given.get("refresh_token").is_none());
    for (changes, error) in [
        (vec![("client_secret", "wrong")], "invalid_client"),
        (vec![("client_id", "nobody")], "invalid_client"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("scope", "vismanet_erp_service_api:everything")], "invalid_scope"),
        (vec![("scope", "")], "invalid_scope"),
        (vec![("tenant_id", "")], "invalid_request"),
        (vec![("tenant_id", "00000000-0000-0000-0000-000000000000")], "invalid_request"),
    ] {
        let (status, body) = token(&visma, &changes).await;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{changes:?}");
    }
    let url = format!("{}/connect/token", visma.sandbox.visma_net_url());
    let answer = visma.client.post(url).json(&json!({"grant_type": "client_credentials"})).send().await.unwrap();
    assert_eq!(answer.status(), 400, "a form, not JSON");
    let set = |switches: Value| visma.sandbox.visma().set_switches(switches).unwrap();
    set(json!({"approved": false}));
    assert_eq!(token(&visma, &[]).await.1["error"], "unauthorized_client");
    set(json!({"approved": true, "missing_scopes": [READ], "invalid_client_status": 401}));
    assert_eq!(token(&visma, &[]).await.1["error"], "invalid_scope");
    assert_eq!(token(&visma, &[("client_id", "nobody")]).await.0, 401);
    set(json!({"missing_scopes": [], "mixed_scopes": false}));
    let both = format!("{READ} visma.net.erp.salesorder:read");
    assert_eq!(token(&visma, &[("scope", &both)]).await.1["error"], "invalid_scope");
}

#[tokio::test]
async fn a_token_opens_its_company_for_an_hour_and_what_its_scopes_say() {
    let visma = Visma::open(json!({})).await;
    visma.sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
    let (_, reads) = token(&visma, &[]).await;
    assert_eq!(with_token(&visma, &reads, "GET", "/v1/branch").await.status(), 200);
    assert_eq!(with_token(&visma, &reads, "POST", "/v1/customer").await.status(), 403);
    assert_eq!(with_token(&visma, &reads, "GET", "/api/v3/SalesOrders").await.status(), 403);
    let (_, orders) = token(&visma, &[("scope", "visma.net.erp.salesorder:read")]).await;
    assert_eq!(with_token(&visma, &orders, "GET", "/api/v3/SalesOrders").await.status(), 200);
    assert_eq!(with_token(&visma, &orders, "POST", "/api/v3/SalesOrders").await.status(), 403);
    // A token for the customer is given, and opens nothing.
    let (status, stranger) = token(&visma, &[("tenant_id", visma::CUSTOMER_TENANT_ID)]).await;
    assert_eq!(status, 200);
    let refused = with_token(&visma, &stranger, "GET", "/v1/branch").await;
    assert_eq!(refused.status(), 401);
    let body = json_of(refused).await;
    assert_eq!((&body["ExceptionType"], &body["ExceptionFaultCode"]), (&json!("IPPException"), &json!("12027")));
    visma.sandbox.clock().advance(chrono::Duration::seconds(3599));
    assert_eq!(with_token(&visma, &reads, "GET", "/v1/branch").await.status(), 200);
    visma.sandbox.clock().advance(chrono::Duration::seconds(1));
    assert_eq!(with_token(&visma, &reads, "GET", "/v1/branch").await.status(), 401);
    let (_, fresh) = token(&visma, &[]).await;
    assert_eq!(with_token(&visma, &fresh, "GET", "/v1/branch").await.status(), 200);
    visma.sandbox.visma().inspect("POST", "tokens/revoke", &json!({}));
    assert_eq!(with_token(&visma, &fresh, "GET", "/v1/branch").await.status(), 401);
    let forged = json!({"access_token": "a.b.c"});
    assert_eq!(with_token(&visma, &forged, "GET", "/v1/branch").await.status(), 401);
    visma.sandbox.visma().set_switches(json!({"licensed": false})).unwrap();
    let (_, unlicensed) = token(&visma, &[]).await;
    assert_eq!(with_token(&visma, &unlicensed, "GET", "/v1/branch").await.status(), 401);
}

#[tokio::test]
async fn calls_are_counted_by_the_hour_and_told_on_every_answer() {
    let visma = Visma::open(json!({"hourly_limit": 3})).await;
    visma.sandbox.clock().freeze("2026-11-25T12:59:30Z".parse().unwrap());
    let visma = Visma {
        token: visma.sandbox.visma().inspect("POST", "authorise", &json!({})).1["access_token"]
            .as_str()
            .unwrap()
            .into(),
        ..visma
    };
    let head = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    for left in ["2", "1", "0"] {
        let answer = visma.get("/v1/customer/nobody").await;
        assert_eq!((answer.status().as_u16(), head(&answer, "x-ratelimit-remaining").as_str()), (404, left));
        assert_eq!(head(&answer, "x-ratelimit-limit"), "3");
        assert_eq!(head(&answer, "x-ratelimit-reset"), "30");
        assert_eq!(head(&answer, "x-ratelimit-policy"), "4-fixed-window");
    }
    let refused = visma.get("/v1/branch").await;
    assert_eq!((refused.status().as_u16(), head(&refused, "retry-after").as_str()), (429, "30"));
    assert_eq!(head(&refused, "x-ratelimit-remaining"), "0");
    let orders = visma.get("/api/v3/SalesOrders").await;
    assert_eq!(orders.status(), 429, "one budget for both services");
    visma.sandbox.clock().advance(chrono::Duration::seconds(30));
    assert_eq!(visma.get("/v1/branch").await.status(), 200);
    visma.sandbox.visma().inspect("POST", "limits/spend", &json!({"calls": 2}));
    assert_eq!(visma.get("/v1/branch").await.status(), 429);
    visma.sandbox.visma().inspect("POST", "limits/reset", &json!({}));
    assert_eq!(visma.get("/v1/branch").await.status(), 200);
}

#[tokio::test]
async fn the_old_address_has_a_budget_of_its_own_and_knows_no_orders() {
    let visma = Visma::open(json!({"hourly_limit": 3, "burst_limit": null})).await;
    visma.sandbox.clock().freeze(visma.sandbox.clock().now());
    for _ in 0..10 {
        let answer = visma.get("/API/controller/api/v1/branch").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["x-ratelimit-policy"], "6-fixed-window");
    }
    let refused = visma.get("/api/controller/api/v1/branch").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(visma.get("/v1/branch").await.headers()["x-ratelimit-remaining"], "2");
    assert_eq!(visma.get("/API/controller/api/api/v3/SalesOrders").await.status(), 404);
    visma.sandbox.visma().set_switches(json!({"old_base": false})).unwrap();
    assert_eq!(visma.get("/API/controller/api/v1/branch").await.status(), 404);
}

#[tokio::test]
async fn wrong_switches_are_named() {
    let visma = Visma::open(json!({})).await;
    for (switches, words) in [
        (json!({"wrong_wrapper": "maybe"}), "wrong_wrapper \"maybe\" is none of error, ignore"),
        (json!({"hourly": 1}), "unknown field `hourly`"),
        (json!({"max_page_size": 0}), "max_page_size"),
        (json!({"closed_until": "soon"}), "closed_until"),
        (json!({"duplicate_order_status": 500}), "duplicate_order_status"),
    ] {
        let error = visma.sandbox.visma().set_switches(switches).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let (status, body) = visma.sandbox.visma().inspect("POST", "stock", &json!({"item": "POSTER-1", "onHand": 1}));
    assert_eq!((status, body["error"].as_str().unwrap()), (400, "stock: no stock item \"POSTER-1\""));
}

#[tokio::test]
async fn a_killed_process_has_everything_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut child = Command::new(env!("CARGO_BIN_EXE_koppel-sandbox"))
            .args(["serve", "--json", "--ports", "visma-net=0", "--state", folder.path().to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let urls: Value = serde_json::from_str(&line).unwrap();
        (child, urls["visma-net"].as_str().unwrap().to_owned())
    };
    let client = client();
    let (mut child, url) = start();
    let given = json_of(client.post(format!("{url}/_sandbox/authorise")).send().await.unwrap()).await;
    let token = given["access_token"].as_str().unwrap();
    let body = json!({"name": w("Blijvend"), "customerClassId": w("PART"), "overrideWithClassValues": true,
        "mainAddress": w(json!({"countryId": w("NL")}))});
    let made = client.post(format!("{url}/v1/customer")).bearer_auth(token).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let etag = made.headers()["ETag"].clone();
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let (mut child, url) = start();
    let kept = client.get(format!("{url}/v1/customer/10001")).bearer_auth(token).send().await.unwrap();
    let (status, version) = (kept.status(), kept.headers().get("ETag").cloned());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((status.as_u16(), version), (200, Some(etag)), "the token and the customer outlive it");
}
