//! Tokens: asked for once, for one company, and again when one is refused.

use std::sync::atomic::{AtomicBool, Ordering};

use koppel_core::Failure;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Budget, Target};
use serde_json::json;

use super::{Reply, World, connection, keys};
use crate::http::testing;
use crate::http::testing::server::TestServer;
use crate::visma_net::{FACTS, VismaNet};

#[tokio::test]
async fn a_token_is_asked_for_with_the_company_and_used_for_an_hour() {
    let world = World::new(|_| Reply::json(200, "[]")).await;
    world.visma.test_connection(&world.calls).await.unwrap();
    let seen = world.server.take();
    let form: Vec<(String, String)> = url::form_urlencoded::parse(seen[0].body.as_bytes()).into_owned().collect();
    let of = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!((of("grant_type"), of("tenant_id"), of("client_id")), ("client_credentials", "company-1", "client-id"));
    assert_eq!(
        of("scope"),
        "vismanet_erp_service_api:read vismanet_erp_service_api:create vismanet_erp_service_api:update \
         visma.net.erp.salesorder:read visma.net.erp.salesorder:write"
    );
    // Neither the token nor what it was asked for with is recorded.
    let shown = format!("{:?} {:?}", world.calls.take(), world.visma);
    for secret in ["client-secret", "eyJzY29wZSI6"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    world.clock.forward(3_500);
    world.visma.test_connection(&world.calls).await.unwrap();
    assert_eq!(world.server.take().len(), 1);
    world.clock.forward(60);
    world.visma.test_connection(&world.calls).await.unwrap();
    assert_eq!(world.server.take().len(), 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_tenant_is_named() {
    let refused = AtomicBool::new(false);
    let world = World::new(move |_| match refused.swap(true, Ordering::SeqCst) {
        false => Reply::json(401, ""),
        true => Reply::json(200, "[]"),
    })
    .await;
    world.visma.test_connection(&world.calls).await.unwrap();
    assert_eq!(world.server.take().len(), 4);
    let wrong = World::new(|_| Reply::json(401, "")).await;
    let failure = wrong.visma.test_connection(&wrong.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().place.row.as_deref()), ("auth", Some("tenant_id")));
    assert!(failure.to_string().contains("that of the customer"), "{failure}");
    assert_eq!(wrong.server.take().len(), 4, "no loop");
}

#[tokio::test]
async fn two_services_may_have_a_token_each() {
    let answer = |_: &super::Seen| Reply::json(200, r#"{"value":[]}"#);
    let world = World::with(json!({"separate_tokens": true}), answer).await;
    let document = koppel_core::document::DocumentType::SalesOrder;
    world.visma.find_documents(document, &keys(["A"]), &world.calls).await.unwrap();
    world.visma.test_connection(&world.calls).await.unwrap();
    let tokens: Vec<String> =
        world.server.take().into_iter().filter(|seen| seen.path == "/connect/token").map(|seen| seen.body).collect();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].contains("salesorder") && !tokens[0].contains("vismanet_erp"), "{tokens:?}");
    assert!(!tokens[1].contains("salesorder"), "{tokens:?}");
}

#[tokio::test]
async fn another_company_in_the_settings_is_another_token() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/connect/token" => {
            let tenant = if seen.body.contains("company-2") { "two" } else { "one" };
            Reply::json(200, json!({"access_token": tenant, "expires_in": 3600}))
        }
        _ => Reply::json(200, json!([{"number": "1", "name": seen.header("authorization").unwrap()}])),
    })
    .await;
    let (_, _, deps) = testing::world();
    let calls = koppel_core::ports::Calls::default();
    for (tenant, token) in [("company-1", "one"), ("company-2", "two"), ("company-1", "one")] {
        let visma = VismaNet::new(&connection(&server.url, json!({"tenant_id": tenant})), &deps).unwrap();
        let said = visma.test_connection(&calls).await.unwrap();
        assert!(said.ends_with(&format!("Bearer {token}")), "{said}");
    }
}

#[tokio::test]
async fn the_calls_of_the_hour_follow_what_answers_tell() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/connect/token" => Reply::json(200, include_str!("../fixtures/token.json")),
        _ => Reply::json(200, "[]")
            .header("X-RateLimit-Limit", 15_000)
            .header("X-RateLimit-Remaining", 2)
            .header("X-RateLimit-Reset", 600)
            .header("X-RateLimit-Policy", "4-fixed-window"),
    })
    .await;
    let (clock, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let visma = VismaNet::new(&connection, &deps).unwrap();
    let calls = koppel_core::ports::Calls::default();
    for _ in 0..3 {
        visma.test_connection(&calls).await.unwrap();
    }
    // Two were left after the first; the window only opens again when it was said to.
    let Failure::Retry { reason, after, .. } = visma.test_connection(&calls).await.unwrap_err() else {
        panic!("no wait")
    };
    assert_eq!((reason, after.map(|after| after.as_secs())), (RetryReason::Throttled, Some(600)));
    let budget = crate::http::budget::CallBudget::new(&connection, &FACTS.limits, &deps).unwrap();
    let view = budget.look().await.unwrap();
    assert_eq!((view.windows[0].window.as_str(), view.windows[0].left), ("hour", 0));
    clock.forward(601);
    visma.test_connection(&calls).await.unwrap();
}

#[tokio::test]
async fn a_throttled_call_waits_as_it_is_told() {
    let world = World::new(|_| Reply::json(429, "").header("Retry-After", 42)).await;
    let failure = world.visma.test_connection(&world.calls).await.unwrap_err();
    let Failure::Retry { reason, after, .. } = failure else { panic!("{failure}") };
    assert_eq!((reason, after.map(|after| after.as_secs())), (RetryReason::Throttled, Some(42)));
    // Nobody calls meanwhile, not even the other service.
    let document = koppel_core::document::DocumentType::SalesOrder;
    assert!(world.visma.find_documents(document, &keys(["A"]), &world.calls).await.is_err());
    assert_eq!(world.lines().len(), 1);
}
