//! Batches when something goes wrong: too large, lost, half answered.

use std::sync::Mutex;

use koppel_core::error::RetryReason;

use super::*;
use crate::http::testing::server::{Reply, Seen, TestServer};

/// A target of a small server; `options` beside its address.
pub async fn target(
    options: Value,
    secrets: &[(&str, &str)],
    answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
) -> (TestServer, WooCommerceTarget) {
    let server = TestServer::start(answer).await;
    let (_, _, deps) = world();
    let mut options = options;
    options["url"] = json!(server.url);
    let mut all = vec![("key", "ck_one"), ("secret", "cs_two")];
    all.extend(secrets);
    let target = WooCommerceTarget::new(&connection("woocommerce", options, &all), &deps).unwrap();
    (server, target)
}

/// Answers a batch as the shop does: an id for each item.
pub fn batch_answer(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    let mut answer = json!({});
    for group in ["create", "update"] {
        let Some(items) = body[group].as_array() else { continue };
        let id = |(at, item): (usize, &Value)| json!({ "id": item.get("id").cloned().unwrap_or(json!(500 + at)) });
        answer[group] = items.iter().enumerate().map(id).collect();
    }
    answer
}

fn size(seen: &Seen) -> usize {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    ["create", "update"].iter().filter_map(|group| body[*group].as_array()).map(Vec::len).sum()
}

fn levels(count: u64) -> Vec<Change> {
    let level = |id: u64| {
        let fields = json!({ "manage_stock": true, "stock_quantity": id });
        change(&format!("S{id}"), Some(&id.to_string()), fields)
    };
    (1..=count).map(level).collect()
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_and_stays_small() {
    let (server, target) = target(json!({}), &[], |seen| {
        if size(seen) > 30 { Reply::json(413, "{\"code\":\"x\"}") } else { Reply::json(200, batch_answer(&seen.body)) }
    })
    .await;
    let calls = Calls::default();
    let results = target.send_records(Entity::Stock, &levels(100), &calls).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(server.take().iter().map(size).collect::<Vec<_>>(), [100, 50, 25, 25, 25, 25]);
    target.send_records(Entity::Stock, &levels(50), &calls).await.unwrap();
    assert_eq!(server.take().iter().map(size).collect::<Vec<_>>(), [25, 25]);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown_and_makes_batches_smaller() {
    let lost = Mutex::new(true);
    let (server, target) = target(json!({ "batch_size": 40 }), &[], move |seen| {
        if std::mem::take(&mut *lost.lock().unwrap()) {
            Reply::lost()
        } else {
            Reply::json(200, batch_answer(&seen.body))
        }
    })
    .await;
    let calls = Calls::default();
    let failure = target.send_records(Entity::Stock, &levels(60), &calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure:?}");
    assert_eq!(server.take().iter().map(size).collect::<Vec<_>>(), [40]);
    let results = target.send_records(Entity::Stock, &levels(60), &calls).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(server.take().iter().map(size).collect::<Vec<_>>(), [20, 20, 20]);
}

#[tokio::test]
async fn what_was_answered_before_a_batch_was_lost_is_known() {
    let (server, target) = target(json!({ "batch_size": 10 }), &[], |seen| {
        if seen.body.contains("\"id\":11,") || seen.body.contains("\"id\":11}") {
            Reply::json(502, "<html>Bad gateway</html>")
        } else {
            Reply::json(200, batch_answer(&seen.body))
        }
    })
    .await;
    let results = target.send_records(Entity::Stock, &levels(30), &Calls::default()).await.unwrap();
    let known = results.iter().take_while(|result| result.is_ok()).count();
    assert_eq!((results.len(), known, server.take().len()), (30, 10, 2));
    for result in &results[10..] {
        assert!(matches!(result, Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })), "{result:?}");
    }
}

#[tokio::test]
async fn an_answer_that_leaves_records_out_is_no_answer() {
    let (_server, target) = target(json!({}), &[], |_| Reply::json(200, json!({ "update": [{ "id": 1 }] }))).await;
    let failure = target.send_records(Entity::Stock, &levels(2), &Calls::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure:?}");
}

#[tokio::test]
async fn the_answer_is_trimmed_to_what_is_looked_at() {
    let (server, target) = target(json!({}), &[], |seen| Reply::json(200, batch_answer(&seen.body))).await;
    target.send_records(Entity::Stock, &levels(2), &Calls::default()).await.unwrap();
    let seen = server.take().remove(0);
    assert_eq!(seen.query("_fields"), Some("update.0.id,update.0.error,update.1.id,update.1.error"));
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body["update"][1], json!({ "manage_stock": true, "stock_quantity": 2, "id": 2 }));
}

#[tokio::test]
async fn categories_are_made_level_by_level_also_when_somebody_else_just_did() {
    let (server, target) = target(json!({}), &[], |seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", "/wp-json/wc/v3/products/categories") => {
            Reply::json(200, json!([{ "id": 4, "name": "Huis &amp; tuin", "parent": 0 }])).header("X-WP-Total", 1)
        }
        ("POST", "/wp-json/wc/v3/products/categories") if seen.body.contains("Stoelen") => {
            Reply::json(400, json!({ "code": "term_exists", "data": { "status": 400, "resource_id": 9 } }))
        }
        ("POST", "/wp-json/wc/v3/products/categories") => Reply::json(201, json!({ "id": 8 })),
        _ => Reply::json(200, batch_answer(&seen.body)),
    })
    .await;
    let fields =
        json!({ "name": "Stoel", "sku": "S", "_categories": [["huis & tuin", "Meubels", "Stoelen"], ["Huis & tuin"]] });
    let results = target.send_records(Entity::Products, &[change("S", None, fields)], &Calls::default()).await.unwrap();
    assert!(results[0].is_ok());
    let seen = server.take();
    let lines: Vec<String> = seen.iter().map(|seen| format!("{} {}", seen.method, seen.body)).collect();
    assert_eq!(
        lines[..3],
        ["GET ", "POST {\"name\":\"Meubels\",\"parent\":4}", "POST {\"name\":\"Stoelen\",\"parent\":8}"]
    );
    let body: Value = serde_json::from_str(&seen[3].body).unwrap();
    assert_eq!(body["create"][0]["categories"], json!([{ "id": 4 }, { "id": 9 }]));
}

#[tokio::test]
async fn texts_are_asked_for_as_they_were_typed() {
    let (server, target) = target(json!({}), &[], |_| Reply::json(200, "[]").header("X-WP-Total", 0)).await;
    let keys: Vec<NonEmpty> = ["A", "B,C"].iter().filter_map(NonEmpty::new).collect();
    assert!(target.find_records(Entity::Products, &keys, &Calls::default()).await.unwrap().is_empty());
    let seen = server.take();
    assert_eq!(seen.iter().map(|seen| seen.query("sku")).collect::<Vec<_>>(), [Some("B,C"), Some("A")]);
    assert!(seen.iter().all(|seen| seen.query("context") == Some("edit") && seen.query("per_page") == Some("100")));
}
