//! The MijnWebwinkel shop over HTTP: tokens, limits, paging, filters, shapes.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/mijnwebwinkel.rs"]
mod shop;

use common::json_of;
use koppel_sandbox::mijnwebwinkel::{OTHER_PARTNER_TOKEN, PARTNER_TOKEN, STORE_TOKEN, generate_orders};
use koppel_sandbox::{FaultAction, FaultRule};
use serde_json::{Value, json};
use shop::{Store, names};

#[tokio::test]
async fn both_tokens_are_needed_but_for_the_public_lists() {
    let store = Store::open(json!({})).await;
    let get = |path: &str, query: String| {
        let url = format!("{}/v1/{path}?{query}", store.sandbox.url("mijnwebwinkel"));
        store.client.get(url).send()
    };
    for query in [
        String::new(),
        format!("token={STORE_TOKEN}"),
        format!("partner_token={PARTNER_TOKEN}"),
        format!("token=x&partner_token={PARTNER_TOKEN}"),
        format!("token={STORE_TOKEN}&partner_token={OTHER_PARTNER_TOKEN}"),
    ] {
        let answer = get("store", query.clone()).await.unwrap();
        assert_eq!(answer.status(), 401, "{query}");
        assert_eq!(json_of(answer).await["code"], 401);
    }
    let public = get("orderstatuses", format!("partner_token={PARTNER_TOKEN}")).await.unwrap();
    let statuses = json_of(public).await;
    assert_eq!(statuses[0], json!({"status": 1, "description": "In behandeling", "credit_order": false}));
    assert!(statuses.as_array().unwrap().iter().any(|row| row["credit_order"] == true));
    assert_eq!(get("payment/gateways", format!("partner_token={PARTNER_TOKEN}")).await.unwrap().status(), 200);
    assert_eq!(store.value("store").await["prices_include_tax"], true);
    store.switch(json!({"cross_partner_tokens": true, "auth_status": 403}));
    let other = get("store", format!("token={STORE_TOKEN}&partner_token={OTHER_PARTNER_TOKEN}")).await.unwrap();
    assert_eq!(other.status(), 200);
    store.switch(json!({"token_expired": true}));
    assert_eq!(store.get("store").await.status(), 403);
}

#[tokio::test]
async fn calls_are_counted_by_the_minute() {
    let store = Store::open(json!({"minute_limit": 3})).await;
    store.sandbox.clock().freeze("2026-11-26T12:00:20Z".parse().unwrap());
    for _ in 0..3 {
        assert_eq!(store.get("store").await.status(), 200);
    }
    let full = store.get("store").await;
    assert_eq!((full.status().as_u16(), full.headers().contains_key("retry-after")), (429, false));
    assert_eq!(json_of(full).await["message"], "Too Many Requests");
    store.switch(json!({"retry_after": true}));
    assert_eq!(store.get("store").await.headers()["retry-after"], "40");
    store.sandbox.clock().advance(chrono::Duration::seconds(40));
    assert_eq!(store.get("store").await.status(), 200);
    assert_eq!(store.inspector().statuses()[&429], 2);
}

#[tokio::test]
async fn pages_have_ten_rows_and_at_most_a_hundred() {
    let store = Store::open(json!({})).await;
    store.inspector().inspect("POST", "articles/generate", &json!({"seed": 1, "n": 150}));
    assert_eq!(store.list("articles").await.len(), 10);
    assert_eq!(store.list("articles?limit=100").await.len(), 100);
    assert_eq!(store.list("articles?limit=100&offset=100").await.len(), 57);
    assert_eq!(store.value("articles/count").await, json!({"count": 157}));
    let (status, text) = store.refused("articles?limit=101").await;
    assert_eq!((status, text.contains("100 or less")), (400, true), "{text}");
    store.switch(json!({"limit_over_max": "cap"}));
    assert_eq!(store.list("articles?limit=500").await.len(), 100);
    for wrong in [
        "articles?sku=MOK-WIT",
        "articles?limit=x",
        "articles?changed_start_date=2026-11-26",
        "orders?ordering=up",
        "articles?language=nl",
        "articles/501",
        "orders?start_date=2026-11-26%2010:00:00",
        "categories",
    ] {
        assert_eq!(store.refused(wrong).await.0, 400, "{wrong}");
    }
    assert_eq!(store.refused("pricelists").await.0, 404);
    assert_eq!(store.send("DELETE", "orders/2001", &json!({})).await.status(), 405);
    assert_eq!(store.refused("articles/999?use_url_id=false").await.0, 404);
    assert_eq!(store.value("articles/8501?use_url_id=true").await["sku"], "MOK-WIT");
}

#[tokio::test]
async fn lists_in_a_query_are_understood_in_both_forms_or_one() {
    let store = Store::open(json!({})).await;
    assert_eq!(store.list("articles?ids[]=501&ids[]=503").await.len(), 2);
    assert_eq!(store.list("articles?ids=501&ids=503&limit=100").await.len(), 2);
    store.switch(json!({"array_query": "brackets"}));
    assert_eq!(
        store.list("articles?ids=501&ids=503&limit=100").await.len(),
        7,
        "what is not understood filters nothing"
    );
}

#[tokio::test]
async fn orders_are_filtered_and_ordered_by_number() {
    let store = Store::open(json!({})).await;
    let numbers = async |query: &str| names(&store.list(&format!("orders?limit=100{query}")).await, "number");
    let all = numbers("").await;
    assert_eq!(all.len(), 13);
    assert!(!all.contains(&"2013T".to_owned()), "test orders are hidden");
    assert_eq!(numbers("&test=true").await, ["2013T"]);
    assert_eq!(numbers("&ordering=desc&status_id=3").await, ["2014", "2012", "2011", "2009", "2003", "2001"]);
    assert_eq!(numbers("&debtor_email=INKOOP@peeters.example.test").await, ["2004"]);
    assert_eq!(numbers("&start_date=2026-11-23").await, [""; 0]);
    assert_eq!(numbers("&start_date=2026-11-22&end_date=2026-11-22").await.len(), 13);
    // 2002 was changed at 06:14:00 UTC: 07:14:00 in the Netherlands. The very second does not count.
    let changed =
        numbers("&status_changed_start_date=2026-11-22%2007:14:00&status_changed_end_date=2026-11-22%2007:18:00").await;
    assert_eq!(changed, ["2003", "2005"], "new orders have no change of status");
    store.switch(json!({"start_dates_inclusive": true}));
    let changed =
        numbers("&status_changed_start_date=2026-11-22%2007:14:00&status_changed_end_date=2026-11-22%2007:18:00").await;
    assert_eq!(changed, ["2002", "2003", "2005"]);
    assert_eq!(store.value("orders/count?status_id=1").await["count"], 3);
    store.switch(json!({"test_shows_all": true}));
    assert_eq!(numbers("&test=true").await.len(), 14);
}

#[tokio::test]
async fn an_order_has_the_shapes_of_php_or_of_the_definition() {
    let store = Store::open(json!({})).await;
    let order = store.value("orders/2011").await;
    assert_eq!((&order["number"], &order["discountcode"]), (&json!("2011"), &json!("")));
    let lines = order["orderlines"].as_array().unwrap();
    assert_eq!(lines[0]["price"], json!({"rate": "21", "amount": "8.181818", "amount_including_tax": "9.90"}));
    let action = &lines[0]["articles"][0]["options"][0];
    assert_eq!(action, &json!({"description": "Action price", "price": "-3.305785"}));
    assert!(
        lines[2]["price"].is_array() && lines[2].get("articles").is_none() && lines[2].get("description").is_none()
    );
    assert_eq!((&lines[2]["type"], &lines[3]["type"]), (&json!("payment"), &json!("payment")));
    let sum: i64 = lines
        .iter()
        .flat_map(|line| match &line["price"] {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        })
        .map(|price| price["amount_including_tax"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap())
        .sum();
    assert_eq!(order["price"]["total"].as_str().unwrap().replace('.', ""), sum.to_string());
    let discount = store.value("orders/2003").await;
    assert!(discount["orderlines"][2]["price"].is_array(), "a discount always has a list");
    assert!(discount["price"]["tax"].is_object(), "one rate is no list");
    assert_eq!(store.value("orders/2006").await["shipping"], json!([{"country": []}]));
    assert_eq!(store.value("orders/2013T").await["number"], "2013T");
    let credit = store.value("orders/2010").await;
    assert_eq!((&credit["credited_order_number"], &credit["price"]["total"]), (&json!("2009"), &json!("-12.10")));
    assert_eq!(store.value("orders/2009").await["credit_order_numbers"], json!([2010]));
    assert!(store.value("tax-policy/regions").await["regions"].is_array());
    store.switch(json!({"shape": "clean"}));
    let order = store.value("orders/2003").await;
    assert_eq!((&order["number"], order["price"]["tax"].is_array()), (&json!(2003), true));
    assert!(order.get("discountcode").is_some());
    assert!(store.value("tax-policy/regions").await.is_array());
    let article = store.value("articles/506?use_url_id=false").await;
    assert_eq!(article["variants"][0]["options"][0], json!({"list_id": 31, "option_id": 311, "name": "Rood"}));
    assert_eq!(article["extra"]["visible"], json!({}));
}

#[tokio::test]
async fn customers_need_a_right_and_payments_are_in_cents() {
    let store = Store::open(json!({})).await;
    let denied = store.get("customers?q=jan").await;
    assert_eq!(
        (denied.status().as_u16(), denied.headers()["content-type"].to_str().unwrap()),
        (403, "application/problem+json")
    );
    store.switch(json!({"special_rights": ["customers"]}));
    let found = store.value("customers?q=PEETERS&embed=address").await;
    assert_eq!(found["customers"][0]["addresses"][0]["company"], "Peeters BV");
    assert!(store.value("customers?q=jan").await["customers"][0].get("addresses").is_none());
    let payments = store.value("orders/2001/payments?embed=mutations").await;
    let total = store.value("orders/2001").await["price"]["total"].as_str().unwrap().replace('.', "");
    assert_eq!(payments["payments"][0]["price"].to_string(), total);
    assert_eq!(payments["payments"][0]["mutations"][0]["type"], "capture");
    assert_eq!(store.value("orders/2014/payments").await["payments"], json!([]), "nothing to pay, no payment");
}

#[tokio::test]
async fn counters_faults_and_generated_orders_work_as_in_the_other_stand_ins() {
    let store = Store::open(json!({"minute_limit": null})).await;
    store.inspector().fault(FaultRule::new(FaultAction::HtmlPage).path("/orders")).unwrap();
    assert_eq!(store.get("orders").await.status(), 503);
    store.value("orders/2001").await;
    store.value("orders/2013T").await;
    assert_eq!(store.inspector().calls()["GET orders/{id}"], 2);
    let (status, told) = store.inspector().inspect("POST", "generate", &json!({"seed": 7, "n": 250}));
    assert_eq!((status, &told["first_number"]), (201, &json!(2101)));
    assert_eq!(store.value("orders/count").await["count"], 263);
    assert_eq!(store.list("orders?limit=100&offset=200").await.len(), 63);
    assert_eq!(generate_orders(7, 2)[1]["number"], "10002");
    assert_eq!(store.inspector().inspect("POST", "reset", &json!({})).0, 204);
    assert_eq!(store.value("orders/count").await["count"], 13);
    store.inspector().add_catalogue().unwrap();
    store.inspector().add_catalogue().unwrap();
    let twice = store.inspector().documents("articles");
    assert_eq!(twice.iter().filter(|row| row["sku"] == "THEEPOT").count(), 2);
    assert!(store.inspector().set_switches(json!({"shape": "xml"})).is_err());
    assert!(store.inspector().set_switches(json!({"shapes": "php"})).is_err());
}
