//! The shop over HTTP: keys, lists, dates, writing, generated orders.

mod common;

use common::{Shop, json_of, oauth};
use koppel_sandbox::{FaultAction, FaultRule, Options, Sandbox};
use serde_json::json;

#[tokio::test]
async fn only_a_signed_request_counts_over_plain_http() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let shop = Shop::new(&sandbox);
    let key = koppel_sandbox::woocommerce::keys()[0];
    let plain = shop.client.get(shop.url("orders")).basic_auth(key.key, Some(key.secret)).send().await.unwrap();
    assert_eq!(plain.status(), 401);
    assert_eq!(json_of(plain).await["code"], "woocommerce_rest_cannot_view");
    for method in ["HMAC-SHA1", "HMAC-SHA256"] {
        let signed = shop.get_with("orders?include[]=23&include[]=24&status=processing", |query| {
            oauth(&key, "GET", &shop.url("orders"), query, method, "n1", shop.now())
        });
        let answer = signed.await;
        assert_eq!(answer.status(), if method == "HMAC-SHA1" { 200 } else { 401 }, "{method}"); // same nonce twice
    }
    let wrong = koppel_sandbox::woocommerce::Key { secret: "cs_wrong", ..key };
    let answer = shop
        .get_with("orders", |query| oauth(&wrong, "GET", &shop.url("orders"), query, "HMAC-SHA256", "n2", shop.now()))
        .await;
    assert_eq!(json_of(answer).await["message"], "Invalid signature - provided signature does not match.");
    let late = shop.now() - 16 * 60;
    let answer = shop
        .get_with("orders", |query| oauth(&key, "GET", &shop.url("orders"), query, "HMAC-SHA256", "n3", late))
        .await;
    assert_eq!(json_of(answer).await["message"], "Invalid timestamp.");
}

#[tokio::test]
async fn known_signatures_are_accepted_at_their_time() {
    // Made by another implementation (Python's hmac), in the header and in the query.
    let start = "2026-11-25T12:00:00Z".parse().unwrap();
    let site = json!({"site_url": "http://shop.example.test"});
    let sandbox = Sandbox::start(Options::default().switch("woocommerce", site)).await.unwrap();
    sandbox.clock().freeze(start);
    let query = "status=processing%2Con-hold&include%5B0%5D=23&include%5B1%5D=24&search=J%20%26%20%C3%A9";
    let url = format!("{}/wp-json/wc/v3/orders?{query}", sandbox.woocommerce_url());
    let key = koppel_sandbox::woocommerce::keys()[0].key;
    let header = format!(
        "OAuth oauth_consumer_key=\"{key}\", oauth_timestamp=\"1795608000\", oauth_nonce=\"vector-one\", \
         oauth_signature_method=\"HMAC-SHA1\", oauth_signature=\"HBbHTMw2mhH%2BzKK6DCW8sh40NVA%3D\""
    );
    let answer = common::client().get(&url).header("Authorization", header).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let signed = format!(
        "{url}&oauth_consumer_key={key}&oauth_timestamp=1795608000&oauth_nonce=vector-two\
         &oauth_signature_method=HMAC-SHA256&oauth_signature=mRm3euaN5BGuQC2idx6NuXUzp8hgnEebneZe020fl9o%3D"
    );
    assert_eq!(common::client().get(&signed).send().await.unwrap().status(), 200);
    let again = json_of(common::client().get(&signed).send().await.unwrap()).await;
    assert_eq!(again["message"], "Invalid nonce - nonce has already been used.");
}

#[tokio::test]
async fn behind_tls_basic_and_query_keys_count_and_a_wrong_secret_is_told_apart() {
    let sandbox = Sandbox::start(Options::default().switch("woocommerce", json!({"behind_tls": true}))).await.unwrap();
    let shop = Shop::new(&sandbox);
    let key = koppel_sandbox::woocommerce::keys()[0];
    assert_eq!(shop.get("orders").await.status(), 200);
    let wrong = shop.client.get(shop.url("orders")).basic_auth(key.key, Some("cs_no")).send().await.unwrap();
    assert_eq!(json_of(wrong).await["code"], "woocommerce_rest_authentication_error");
    let unknown = shop.client.get(shop.url("orders")).basic_auth("ck_no", Some("cs_no")).send().await.unwrap();
    assert_eq!(json_of(unknown).await["code"], "woocommerce_rest_cannot_view");
    sandbox.woocommerce().set_switches(json!({"strip_authorization": true})).unwrap();
    assert_eq!(shop.get("orders").await.status(), 401);
    let query =
        shop.client.get(format!("{}?consumer_key={}&consumer_secret={}", shop.url("orders"), key.key, key.secret));
    assert_eq!(query.send().await.unwrap().status(), 200);
    let reader = koppel_sandbox::woocommerce::keys()[1];
    let post = shop.client.post(format!(
        "{}?consumer_key={}&consumer_secret={}",
        shop.url("orders"),
        reader.key,
        reader.secret
    ));
    let refused = json_of(post.json(&json!({})).send().await.unwrap()).await;
    assert_eq!(refused["message"], "The API key provided does not have write permissions.");
    let error = sandbox.woocommerce().set_switches(json!({"behind_tsl": true})).unwrap_err().to_string();
    assert!(error.contains("behind_tsl") && error.contains("behind_tls"), "{error}");
}

#[tokio::test]
async fn real_tls_with_a_private_authority() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::default().state(folder.path()).tls("woocommerce")).await.unwrap();
    let ca = std::fs::read(sandbox.ca_file().unwrap()).unwrap();
    let client = common::client_with_ca(&ca);
    let key = koppel_sandbox::woocommerce::keys()[0];
    let url = format!("{}/wp-json/wc/v3/orders", sandbox.woocommerce_url());
    assert!(url.starts_with("https://127.0.0.1:"));
    let answer = client.get(&url).basic_auth(key.key, Some(key.secret)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn lists_are_paged_and_refuse_what_the_shop_refuses() {
    let (sandbox, shop) = common::open_shop().await;
    let first = shop.get("orders?per_page=4&orderby=id&order=asc&_fields=id,total").await;
    let header = |name: &str| first.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("X-WP-Total"), header("X-WP-TotalPages")), ("9".into(), "3".into()));
    assert!(header("Link").ends_with("page=2>; rel=\"next\""), "{}", header("Link"));
    let rows = json_of(first).await;
    assert_eq!(rows[0], json!({"id": 23, "total": "64.53"}));
    let past = shop.get("orders?page=9").await;
    assert_eq!((past.headers()["X-WP-Total"].to_str().unwrap(), past.status().as_u16()), ("0", 200));
    let past = shop.get("products?page=9").await;
    assert_eq!(past.headers()["X-WP-Total"], "8");
    let wrong = shop.get("orders?per_page=101&order=up&after=2026-11-22&status=nope").await;
    assert_eq!(wrong.status(), 400);
    let wrong = json_of(wrong).await;
    assert_eq!(wrong["code"], "rest_invalid_param");
    assert_eq!(wrong["data"]["params"]["per_page"], "per_page must be between 1 (inclusive) and 100 (inclusive)");
    assert_eq!(wrong["data"]["details"]["per_page"]["code"], "rest_out_of_bounds");
    assert_eq!(wrong["data"]["details"]["order"]["code"], "rest_not_in_enum");
    assert_eq!(wrong["data"]["details"]["after"]["code"], "rest_invalid_date");
    assert_eq!(wrong["data"]["details"]["status"]["code"], "rest_not_in_enum");
    let unknown = shop.get("nothing").await;
    assert_eq!((unknown.status().as_u16(), json_of(unknown).await["code"].clone()), (404, json!("rest_no_route")));
    assert_eq!(shop.get("orders/999").await.status(), 404);
    assert_eq!(
        json_of(shop.get("orders?status=processing,on-hold&made_up=1").await).await.as_array().unwrap().len(),
        5
    );
    assert_eq!(sandbox.woocommerce().calls()["GET orders"], 4);
}

#[tokio::test]
async fn date_bounds_are_exclusive_and_local_unless_said_otherwise() {
    let (_sandbox, shop) = common::open_shop().await;
    let ids = |query: &str| {
        let url = format!("orders?orderby=id&order=asc&_fields=id&{query}");
        let shop = &shop;
        async move {
            let rows = json_of(shop.get(&url).await).await;
            rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
        }
    };
    // Order 23 was changed at 06:08:04 local time, which is 05:08:04 UTC.
    let all = ids("modified_after=2026-11-22T06:08:03").await;
    assert!(all.contains(&23));
    assert!(!ids("modified_after=2026-11-22T06:08:04").await.contains(&23), "exclusive");
    assert!(ids("modified_after=2026-11-22T05:08:03&dates_are_gmt=true").await.contains(&23));
    assert!(!ids("modified_after=2026-11-22T05:08:04&dates_are_gmt=true").await.contains(&23));
    assert!(ids("modified_after=2026-11-22T05:08:03Z").await.contains(&23));
    assert!(ids("modified_before=2026-11-22T06:08:05").await.contains(&23));
    assert!(!ids("modified_before=2026-11-22T06:08:04").await.contains(&23));
    assert_eq!(ids("modified_after=2026-11-22T05:08:03&modified_before=2026-11-22T05:08:05").await, Vec::<i64>::new());
}

#[tokio::test]
async fn an_order_can_be_created_changed_and_refunded() {
    let (sandbox, shop) = common::open_shop().await;
    let body = json!({"set_paid": true, "payment_method": "bacs", "customer_id": 2, "made_up": 1,
        "billing": {"first_name": "Jan", "country": "NL", "email": "jan@example.test"},
        "line_items": [{"sku": "MOK-WIT", "quantity": 10}], "coupon_lines": [{"code": "tien"}],
        "fee_lines": [{"name": "Cadeauverpakking", "total": "2.50"}],
        "shipping_lines": [{"method_id": "flat_rate", "method_title": "PostNL pakket", "total": "6.95"}]});
    let answer = shop.post("orders", &body).await;
    assert_eq!(answer.status(), 201);
    let order = json_of(answer).await;
    assert_eq!(
        (&order["total"], &order["total_tax"], &order["status"]),
        (&json!("119.80"), &json!("20.80"), &json!("processing"))
    );
    assert_eq!(order["line_items"][0]["taxes"][0]["total"], "18.81");
    let id = order["id"].as_i64().unwrap();
    let exact = json_of(shop.get(&format!("orders/{id}?dp=6")).await).await;
    assert_eq!(exact["line_items"][0]["taxes"][0]["total"], "18.805500");
    assert_eq!(json_of(shop.get("products/10").await).await["stock_quantity"], 127);
    sandbox.clock().advance(chrono::Duration::seconds(5));
    let changed =
        json_of(shop.put(&format!("orders/{id}"), &json!({"meta_data": [{"key": "_erp", "value": "A1"}]})).await).await;
    assert_ne!(changed["date_modified"], order["date_modified"]);
    assert_eq!(changed["meta_data"][0]["value"], "A1");
    let refund = shop.post(&format!("orders/{id}/refunds"), &json!({"amount": "200.00"})).await;
    assert_eq!(refund.status(), 500);
    assert_eq!(json_of(refund).await["data"], 500);
    assert_eq!(shop.post(&format!("orders/{id}/refunds"), &json!({"amount": "19.80"})).await.status(), 201);
    assert_eq!(json_of(shop.get(&format!("orders/{id}")).await).await["refunds"][0]["total"], "-19.80");
    let wrong =
        shop.post("orders", &json!({"line_items": [{"sku": "MOK-WIT"}], "coupon_lines": [{"code": "no"}]})).await;
    let wrong = json_of(wrong).await;
    assert_eq!(wrong["code"], "woocommerce_rest_invalid_coupon");
    assert!(wrong["data"]["new_draft_order_id"].as_i64().unwrap() > id);
    assert_eq!(
        json_of(shop.post("orders", &json!({"line_items": [{}]})).await).await["code"],
        "woocommerce_rest_required_product_reference"
    );
    assert_eq!(json_of(shop.post("orders", &json!({"status": "nope"})).await).await["code"], "rest_invalid_param");
}

#[tokio::test]
async fn products_customers_and_batches_behave_as_observed() {
    let (_sandbox, shop) = common::open_shop().await;
    let found = json_of(shop.get("products?sku=mok-wit,TSHIRT-ROOD-S&_fields=id,parent_id,sku").await).await;
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!(json_of(shop.get("customers?email=admin@example.test").await).await, json!([]));
    assert_eq!(json_of(shop.get("customers?email=admin@example.test&role=all").await).await[0]["id"], 1);
    let strict = shop.put("products/10", &json!({"stock_quantity": "abc"})).await;
    assert_eq!(strict.status(), 400);
    let batch = json!({"update": [{"id": 10, "stock_quantity": "abc"}, {"id": 17, "stock_quantity": 4}, {"id": 11, "regular_price": "abc"}]});
    let done = json_of(shop.post("products/batch", &batch).await).await;
    assert_eq!(done["update"][0]["stock_quantity"], 0);
    assert_eq!(done["update"][1]["error"]["code"], "woocommerce_rest_invalid_product_id");
    assert_eq!(done["update"][2]["regular_price"], "");
    let many: Vec<_> = (0..101).map(|id| json!({"id": id})).collect();
    assert_eq!(shop.post("products/batch", &json!({"update": many})).await.status(), 413);
    let twice = json_of(shop.post("products", &json!({"name": "Twee", "sku": "mok-wit"})).await).await;
    assert_eq!((&twice["code"], &twice["data"]["resource_id"]), (&json!("product_invalid_sku"), &json!(10)));
    let same = json_of(shop.post("customers", &json!({"email": "JAN@example.test"})).await).await;
    assert_eq!(same["code"], "registration-error-email-exists");
    assert_eq!(json_of(shop.get("system_status?_fields=settings").await).await["settings"]["number_of_decimals"], 2);
    let untyped =
        shop.client.post(shop.url("products")).basic_auth(shop.key.key, Some(shop.key.secret)).body("{\"name\":\"x\"}");
    assert_eq!(json_of(untyped.send().await.unwrap()).await["name"], "Product");
}

#[tokio::test]
async fn faults_lose_answers_cut_bodies_and_close_connections() {
    let (sandbox, shop) = common::open_shop().await;
    let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path("/orders");
    sandbox.woocommerce().fault(lost).unwrap();
    let before = sandbox.woocommerce().documents("orders").len();
    let sent = shop.try_post("orders", &json!({"line_items": [{"sku": "KOFFIE"}]})).await;
    assert!(sent.is_err());
    assert_eq!(sandbox.woocommerce().documents("orders").len(), before + 1, "the order is there all the same");
    sandbox.woocommerce().fault(FaultRule::new(FaultAction::ConnectionReset).method("POST")).unwrap();
    assert!(shop.try_post("orders", &json!({"line_items": [{"sku": "KOFFIE"}]})).await.is_err());
    assert_eq!(sandbox.woocommerce().documents("orders").len(), before + 1);
    sandbox.woocommerce().fault(FaultRule::new(FaultAction::TruncatedBody)).unwrap();
    assert!(shop.get("orders").await.text().await.is_err());
    sandbox.woocommerce().fault(FaultRule::new(FaultAction::HtmlPage)).unwrap();
    let page = shop.get("orders").await;
    assert_eq!((page.status().as_u16(), page.text().await.unwrap().starts_with("<!DOCTYPE")), (503, true));
    sandbox.woocommerce().fault(FaultRule::new(FaultAction::Status).status(429)).unwrap();
    assert_eq!(shop.get("orders").await.status(), 429);
    assert_eq!(shop.get("orders").await.status(), 200);
    assert_eq!(sandbox.woocommerce().statuses()[&0], 2);
}

#[tokio::test]
async fn the_inspection_door_works_over_http() {
    let (sandbox, shop) = common::open_shop().await;
    let door = |path: &str| format!("{}/_sandbox/{path}", sandbox.woocommerce_url());
    let made = shop.client.post(door("generate")).json(&json!({"seed": 3, "n": 250})).send().await.unwrap();
    assert_eq!(json_of(made).await["count"], 250);
    let page = shop.get("orders?per_page=100&page=3&orderby=id&order=asc").await;
    assert_eq!(page.headers()["X-WP-Total"], "259");
    let raw = shop.client.post(door("orders")).json(&json!({"id": 9000, "status": "processing"})).send().await.unwrap();
    assert_eq!(raw.status(), 201);
    let calls = json_of(shop.client.get(door("calls")).send().await.unwrap()).await;
    assert_eq!(calls["by_endpoint"], json!({"GET orders": 1}));
    let clock = shop.client.post(door("clock")).json(&json!({"freeze": "2027-01-01T00:00:00Z"})).send().await.unwrap();
    assert_eq!(json_of(clock).await["frozen"], true);
    let wrong = shop.client.post(door("faults")).json(&json!({"action": "answer_lots"})).send().await.unwrap();
    assert_eq!(wrong.status(), 400);
    assert!(json_of(wrong).await["error"].as_str().unwrap().contains("answer_lost"));
    assert_eq!(shop.client.post(door("reset")).send().await.unwrap().status(), 204);
    assert_eq!(sandbox.woocommerce().documents("orders").len(), 9);
}
