//! Reading refunds: over all orders in two calls, order by order from shops that are older.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn query() -> FetchQuery {
    FetchQuery { entity: Entity::Refunds, ..super::query() }
}

fn order(id: u64, refunds: Value) -> Value {
    json!({"id": id, "number": format!("W{id}"), "status": "completed", "refunds": refunds,
        "billing": {"email": format!("{id}@b.test")}})
}

fn refund(id: u64, parent: u64) -> Value {
    json!({"id": id, "parent_id": parent, "amount": "1.00", "date_created_gmt": "2026-11-22T07:00:00"})
}

async fn read(server: &TestServer) -> Vec<(String, String, String)> {
    let source = source(&server.url, json!({"page_size": 2}));
    let (mut query, mut found) = (query(), Vec::new());
    loop {
        let page = source.fetch_page(&query, &Calls::default()).await.unwrap();
        found.extend(page.records.into_iter().map(|r| (r.key.to_string(), r.label, r.partition)));
        query.page = page.next;
        if query.page.is_none() {
            return found;
        }
    }
}

fn row(key: &str, label: &str, partition: &str) -> (String, String, String) {
    (key.into(), label.into(), partition.into())
}

#[tokio::test]
async fn refunds_come_with_their_orders_in_two_calls_a_page() {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let server = TestServer::start(move |seen| {
        count.fetch_add(1, Ordering::Relaxed);
        assert_eq!(seen.query("dp"), Some("6"));
        if seen.path.ends_with("/refunds") {
            assert_eq!(seen.query("after"), Some("2026-11-22T05:59:00"));
            // The order 9 was thrown away.
            return Reply::json(200, json!([refund(32, 7), refund(33, 9)])).header("X-WP-Total", 2);
        }
        assert_eq!(seen.query("include"), Some("7,9"));
        Reply::json(200, json!([order(7, json!([]))])).header("X-WP-Total", 1)
    })
    .await;
    assert_eq!(read(&server).await, [row("7/32", "W7 refund 32", "7@b.test")]);
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_shop_without_the_list_is_read_order_by_order() {
    let server = TestServer::start(|seen| {
        if seen.path.ends_with("v3/refunds") {
            return Reply::json(404, json!({"code": "rest_no_route", "message": "No route", "data": {"status": 404}}));
        }
        if seen.path.ends_with("/orders/7/refunds") {
            return Reply::json(200, json!([refund(32, 7), refund(34, 7)])).header("X-WP-Total", 2);
        }
        if seen.path.ends_with("/orders/9/refunds") {
            return Reply::json(200, json!([refund(33, 9)])).header("X-WP-Total", 1);
        }
        assert!(seen.path.ends_with("/orders"), "{}", seen.path);
        let orders = [order(7, json!([{"id": 32}, {"id": 34}])), order(8, json!([])), order(9, json!([{"id": 33}]))];
        let page: Vec<Value> = orders.into_iter().skip(seen.number("offset")).take(seen.number("per_page")).collect();
        Reply::json(200, Value::Array(page)).header("X-WP-Total", 3)
    })
    .await;
    let wanted = [
        row("7/32", "W7 refund 32", "7@b.test"),
        row("7/34", "W7 refund 34", "7@b.test"),
        row("9/33", "W9 refund 33", "9@b.test"),
    ];
    assert_eq!(read(&server).await, wanted);
}

#[tokio::test]
async fn one_refund_is_read_below_its_order_or_is_not_there() {
    let (handle, file) = sandbox(false, json!({})).await;
    let source = sandbox_source(&handle, &file, json!({}));
    let one = async |key: &str| {
        source.fetch_one(Entity::Refunds, &RecordKey::new(key).unwrap(), &Calls::default()).await.unwrap()
    };
    let found = one("31/32").await.unwrap();
    assert_eq!((found.label.as_str(), found.partition.as_str()), ("31 refund 32", "jan@example.test"));
    assert_eq!(found.raw["refund"]["amount"], "12.100000");
    let mut query = query();
    query.since = "2020-01-01T00:00:00Z".parse().unwrap();
    let page = source.fetch_page(&query, &Calls::default()).await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert_eq!(page.records[0].key, found.key);
    for missing in ["31/33", "99/32", "23/32", "32"] {
        assert!(one(missing).await.is_none(), "{missing}");
    }
}
