//! CCV Shop over HTTP: signatures, limits, pages, filters, orders.
// A helper of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use chrono::Duration;
use common::Ccv;
use koppel_sandbox::ccv_shop;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn dec(value: &Value) -> Decimal {
    value.to_string().parse().unwrap_or_else(|_| panic!("{value} is no number"))
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn only_the_exact_bytes_in_time_with_a_known_key_are_let_in() {
    let shop = Ccv::open(json!({})).await;
    let uri = "/api/rest/v1/orders/?start=0&size=2";
    let date = shop.date();
    let hash = ccv_shop::signature(&shop.key, "GET", uri, b"", &date);
    let ask = async |uri: &str, public: &str, date: &str, hash: &str| {
        shop.raw("GET", uri, None, &[("x-public", public), ("x-date", date), ("x-hash", hash)]).await
    };
    assert_eq!(ask(uri, shop.key.public, &date, &hash).await.status, 200);
    // Another order of the query, another path, another key, no hash: refused, with the shape of every error.
    let refused = ask("/api/rest/v1/orders/?size=2&start=0", shop.key.public, &date, &hash).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "401.10"));
    assert_eq!(refused.json()["status"], 401);
    assert!(refused.json()["developermessage"].is_string() && refused.headers.get("x-hash").is_none());
    assert_eq!(ask("/api/rest/v1/orders?start=0&size=2", shop.key.public, &date, &hash).await.status, 401);
    assert_eq!(ask(uri, "nobody", &date, &hash).await.status, 401);
    assert_eq!(ask(uri, shop.key.public, &date, "").await.status, 401);
    assert_eq!(ask(uri, shop.key.public, &date, &hash.to_uppercase()).await.status, 401);
    // Five minutes either way; three forms of UTC, no other zone.
    for (seconds, status) in [(300, 200), (-300, 200), (301, 401), (-301, 401)] {
        let at = shop.sandbox.clock().now() + Duration::seconds(seconds);
        for form in ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S+0000"] {
            let date = at.format(form).to_string();
            let hash = ccv_shop::signature(&shop.key, "GET", uri, b"", &date);
            assert_eq!(ask(uri, shop.key.public, &date, &hash).await.status, status, "{date}");
        }
    }
    let date = "2026-11-25T13:00:00+01:00";
    let hash = ccv_shop::signature(&shop.key, "GET", uri, b"", date);
    assert_eq!(ask(uri, shop.key.public, date, &hash).await.status, 401);
    // The codes are a switch, and so is signing errors.
    shop.switch(json!({"auth_code": "403.10", "sign_errors": true}));
    let refused = shop.get("nothing/").await;
    assert!(refused.headers.contains_key("x-hash"));
    assert_eq!(ask(uri, "nobody", &shop.date(), "x").await.code(), "403.10");
}

#[tokio::test]
async fn answers_are_signed_over_their_own_body_and_date() {
    let shop = Ccv::open(json!({})).await;
    let answer = shop.get("orders/23/").await; // the client of the tests checks the signature
    assert_eq!(answer.headers["x-date"], "2026-11-25T12:00:00+00:00");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    let own = shop.send("GET", "orders/23", None, &[("accept", "application/vnd.verto.webshop+json")]).await;
    assert_eq!(own.headers["content-type"], "application/vnd.verto.webshop+json");
    assert_eq!(own.json()["id"], 23, "a path without a slash at its end works too");
    shop.switch(json!({"response_signature": "none"}));
    assert!(!shop.get("orders/23/").await.headers.contains_key("x-hash"));
}

#[tokio::test]
async fn unknown_paths_methods_and_records_have_their_codes() {
    let shop = Ccv::open(json!({})).await;
    for (method, path, status, code) in [
        ("GET", "customers/", 404, "404.20"),
        ("GET", "orders/x/", 404, "404.20"),
        ("GET", "orders/23/products/", 404, "404.20"),
        ("DELETE", "orders/23/", 405, "405.10"),
        ("PUT", "products/10/", 405, "405.10"),
        ("GET", "orders/99999/", 500, "500.24"),
        ("GET", "orders/99999/orderrows/", 500, "500.24"),
        ("GET", "mailinglists/", 501, "501.20"),
        ("DELETE", "orderrows/101/", 501, "501.10"),
    ] {
        let answer = shop.send(method, path, None, &[]).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path}");
        assert_eq!(answer.json()["status"], status);
    }
    shop.switch(json!({"unknown_id_code": "404.30"}));
    assert_eq!(shop.get("products/99999/").await.status, 404);
    shop.switch(json!({"api_app_installed": false}));
    assert_eq!(shop.get("orders/").await.code(), "500.90");
}

#[tokio::test]
async fn each_resource_and_method_has_its_calls_per_minute_and_all_together_have_theirs() {
    let shop = Ccv::open(json!({"overall_minute_limit": null})).await;
    for at in 0..150 {
        // The list and the record are one resource, as are rows by their order and by their own id.
        let path = if at % 2 == 0 { "orders/?size=1" } else { "orders/23/" };
        assert_eq!(shop.get(path).await.status, 200);
    }
    let refused = shop.get("orders/").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "429.10"));
    assert!(!refused.headers.contains_key("retry-after"));
    assert_eq!(shop.get("orders/23/orderrows/").await.status, 200);
    for _ in 0..30 {
        assert_eq!(shop.get("productqueries/?productnumber=MOK-WIT").await.status, 200);
    }
    assert_eq!(shop.get("productqueries/?productnumber=MOK-WIT").await.code(), "429.10");
    shop.sandbox.clock().advance(Duration::seconds(60));
    assert_eq!(shop.get("orders/").await.status, 200);
    shop.switch(json!({"overall_minute_limit": 3, "retry_after_seconds": 60}));
    shop.sandbox.clock().advance(Duration::seconds(60));
    for path in ["orders/", "products/", "users/"] {
        assert_eq!(shop.get(path).await.status, 200);
    }
    let refused = shop.get("invoices/").await;
    assert_eq!((refused.code().as_str(), refused.headers["retry-after"].to_str().unwrap()), ("429.11", "60"));
    // A second tool of the same shop shares the limit, unless every pair of keys has its own.
    let other = Ccv { client: shop.client.clone(), sandbox: shop.sandbox.clone(), key: ccv_shop::keys()[1] };
    assert_eq!(other.get("invoices/").await.code(), "429.11");
    shop.switch(json!({"limit_per_key": true}));
    assert_eq!(other.get("invoices/").await.status, 200);
}

#[tokio::test]
async fn pages_have_addresses_and_no_total() {
    let shop = Ccv::open(json!({})).await;
    let first = shop.get("orders/?size=5&orderby=id").await.json();
    assert_eq!((first["start"].as_i64(), first["size"].as_i64()), (Some(0), Some(5)));
    assert!(first["previous"].is_null() && first.get("total").is_none());
    let root = shop.sandbox.ccv_shop_url().to_owned();
    let mut seen = ids(first["items"].as_array().unwrap());
    let mut next = first["next"].as_str().map(str::to_owned);
    while let Some(address) = next {
        let path = address.strip_prefix(&format!("{root}/api/rest/v1/")).unwrap().to_owned();
        let page = shop.get(&path).await.json();
        seen.extend(ids(page["items"].as_array().unwrap()));
        assert!(page["previous"].is_string() && page["first"].is_string());
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, [23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34], "the abandoned basket is not among them");
    // Nobody promised an order; sizes above the maximum are cut without a word.
    assert_eq!(ids(&shop.get("orders/?size=2").await.items()), [34, 33]);
    shop.switch(json!({"page_size_max": 4}));
    let cut = shop.get("orders/?size=100").await.json();
    assert_eq!((cut["size"].as_i64(), cut["items"].as_array().unwrap().len()), (Some(4), 4));
    assert!(cut["next"].is_string());
    shop.switch(json!({"size_above_maximum": "refuse"}));
    assert_eq!(shop.get("orders/?size=100").await.code(), "400.10");
    let beyond = shop.get("orders/?start=500").await.json();
    assert!(beyond["next"].is_null() && beyond["items"].as_array().unwrap().is_empty());
    // A collection that is not paged has only its address and its items.
    let bare = shop.get("brands/").await.json();
    assert_eq!(bare.as_object().unwrap().keys().collect::<Vec<_>>(), ["href", "items"]);
}

#[tokio::test]
async fn only_documented_filters_exist() {
    let shop = Ccv::open(json!({})).await;
    for (path, expected) in [
        ("orders/?status=4&orderby=id", vec![26, 28]),
        ("orders/?is_paid=false&orderby=id", vec![24, 26, 28, 29]),
        ("orders/?is_paid=1&status=1&orderby=id_desc", vec![32, 25, 23]),
        ("orders/?is_completed=false", vec![30]),
        ("orders/?ordernumber=1027", vec![27]),
        ("orders/?paymethod_id=3", vec![24]),
        ("orders/?transaction_id=70023", vec![23]),
        ("orders/?min_create_date=2026-11-23", vec![]),
        ("orders/?min_create_date=2026-11-22&status=8", vec![29]),
        ("orders/?max_create_date=2026-11-22", vec![]),
        ("orders/?max_create_date=2026-11-23&status=8", vec![29]),
        ("users/?approval_status=pending", vec![4]),
        ("invoices/?ordernumber_full=W1023", vec![1]),
        ("invoices/?status=paid&orderby=id", vec![1, 2]),
        ("returns/?ordernumber=1031", vec![1]),
    ] {
        let answer = shop.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(ids(&answer.items()), expected, "{path}");
    }
    for path in [
        "users/?email=jan@example.test",
        "users/?username=peeters",
        "orders/?modified_since=2026-01-01",
        "orders/?minimal_orderdate=2026-01-01",
        "orders/?ordernumber_full=W1023",
        "orders/?status=1,2",
        "orders/?expand=orderrows",
        "orders/?orderby=total_price",
        "orders/?min_create_date=2026-11-22T05:00:00Z",
        "orders/?min_create_date=22-11-2026",
        "orders/?is_paid=yes",
        "products/?modified_since=2026-01-01",
    ] {
        assert_eq!(shop.get(path).await.code(), "400.10", "{path}");
    }
    shop.switch(json!({"unknown_query": "ignore", "date_with_time": "accept", "max_date_whole_day": true}));
    assert_eq!(shop.get("users/?email=jan@example.test").await.items().len(), 3, "ignored: everyone comes back");
    assert_eq!(ids(&shop.get("orders/?min_create_date=2026-11-22T05:34:00Z").await.items()), [34]);
    assert_eq!(shop.get("orders/?max_create_date=2026-11-22").await.items().len(), 11);
}

#[tokio::test]
async fn orders_come_without_rows_and_rows_by_a_call_of_their_own() {
    let shop = Ccv::open(json!({})).await;
    let order = shop.get("orders/23/").await.json();
    assert_eq!(order["ordernumber_full"], "W1023");
    assert_eq!(
        (order["ordernumber"].as_i64(), order["status"].as_i64(), order["paid"].as_bool()),
        (Some(1023), Some(1), Some(true))
    );
    let root = shop.sandbox.ccv_shop_url();
    assert_eq!(order["orderrows"], json!({"href": format!("{root}/api/rest/v1/orders/23/orderrows/")}));
    assert_eq!(order["user"]["id"], "2", "the id of the user is a text");
    assert_eq!(order["customer"]["billingaddress"]["housenumber"], 12);
    let rows = shop.get("orders/23/orderrows/").await;
    assert_eq!(rows.json()["start"], 0);
    let rows = rows.items();
    assert_eq!(
        rows.iter().map(|row| row["product_number"].as_str().unwrap()).collect::<Vec<_>>(),
        ["KOFFIE", "MOK-WIT"]
    );
    assert!(rows.iter().all(|row| row["price_with_attributes"].is_null() && row["order_id"] == 23));
    // 3 × 12.04 + 20.00 + 6.95, with 21 % over 43.07 and 9 % over 20.00 in it.
    assert_eq!(
        (dec(&order["total_price"]), dec(&order["total_tax"])),
        ("63.07".parse().unwrap(), "9.12".parse().unwrap())
    );
    assert_eq!(
        dec(&order["total_orderrow_price"]),
        "63.07".parse().unwrap(),
        "shipping is in it, as live orders have it"
    );
    shop.switch(json!({"row_total_has_shipping": false, "numbers_as_text": "none", "price_with_attributes": "always"}));
    let order = shop.get("orders/23/").await.json();
    assert_eq!(
        (dec(&order["total_orderrow_price"]), order["user"]["id"].as_i64()),
        ("56.12".parse().unwrap(), Some(2))
    );
    assert!(shop.get("orders/23/orderrows/").await.items().iter().all(|row| row["price_with_attributes"].is_number()));
    shop.switch(json!({"numbers_as_text": "all"}));
    assert_eq!(shop.get("orders/23/").await.json()["total_price"], "63.07");
    shop.switch(json!({"broken_records": ["orders/25"]}));
    assert_eq!(shop.get("orders/?size=50").await.code(), "500.20", "one broken record spoils its page");
    assert_eq!(shop.get("orders/?size=2&orderby=id").await.status, 200);
}

#[tokio::test]
async fn every_kind_of_order_adds_up() {
    let shop = Ccv::open(json!({"numbers_as_text": "none", "price_with_attributes": "always"})).await;
    let mut totals = Vec::new();
    for id in 23..=34 {
        let order = shop.get(&format!("orders/{id}/")).await.json();
        let rows = shop.get(&format!("orders/{id}/orderrows/")).await.items();
        let goods: Decimal = rows.iter().map(|row| dec(&row["total_price_with_attributes"])).sum();
        let costs = ["total_shipping", "paymethod_costs", "extra_costs"]
            .iter()
            .map(|field| dec(&order[*field]))
            .sum::<Decimal>();
        let off = dec(&order["total_discounts"]) + dec(&order["credit_point_discount"]);
        let on_top = if order["taxes_included"] == true { Decimal::ZERO } else { dec(&order["total_tax"]) };
        assert_eq!(goods + costs - off + on_top, dec(&order["total_price"]), "order {id}");
        totals.push(order["total_price"].to_string());
    }
    assert_eq!(
        totals,
        ["63.07", "59.23", "118.69", "995", "91.63", "12.1", "12.1", "12.1", "24.2", "151.22", "77.3", "28.59"]
    );
    let exempt = shop.get("orders/26/").await.json();
    assert_eq!(exempt["customer"]["btw"], "BE0123456789");
    assert_eq!((exempt["customer"]["customertype"].as_str(), exempt["total_tax"].as_i64()), (Some("b2b"), Some(0)));
    let guest = shop.get("orders/27/").await.json();
    assert!(guest["user"].is_null());
    assert_eq!(guest["customer"]["deliveryaddress"]["housenumber"], "", "empty texts where nothing differs");
    shop.switch(json!({"guest_user": "empty", "exclusive_total": "without_tax"}));
    assert_eq!(
        shop.get("orders/27/").await.json()["user"],
        json!({"id": null, "discount_percentage": null, "href": null})
    );
    let bare = shop.get("orders/32/").await.json();
    assert_eq!(bare["customer"]["deliveryaddress"]["street"], "Magazijnweg");
    assert_eq!(bare["customer"]["billingaddress"]["street"], "Lindelaan");
    assert_eq!(dec(&bare["total_price"]) + dec(&bare["total_tax"]), "151.22".parse().unwrap());
    // A combination: its own number, and what its values cost; a text attribute has no combination.
    let rows = shop.get("orders/33/orderrows/").await.items();
    let engraved = rows.iter().find(|row| row["product_number"] == "GRAV").unwrap();
    assert_eq!(engraved["sub_product_number"], "GRAV-G");
    let texts: Vec<&str> =
        engraved["attributes"].as_array().unwrap().iter().map(|one| one["option_name"].as_str().unwrap()).collect();
    assert_eq!(texts, ["Formaat", "Gravure"]);
    // (36.30 − 1.30) less 5 %, plus 12.10 and 5.00.
    assert_eq!(dec(&engraved["price_with_attributes"]), "50.35".parse().unwrap());
}

#[tokio::test]
async fn generated_orders_are_stored_and_repeat() {
    let shop = Ccv::open(json!({})).await;
    let inspector = shop.sandbox.ccv_shop();
    let (status, told) = inspector.inspect("POST", "generate", &json!({"seed": 7, "n": 300}));
    assert_eq!((status, told["count"].as_i64()), (201, Some(300)));
    let page = shop.get("orders/?size=250&orderby=id&min_create_date=2026-11-25").await;
    assert_eq!(page.items().len(), 250);
    let order = &page.items()[17];
    let rows = shop.get(&format!("orders/{}/orderrows/", order["id"])).await.items();
    assert!(!rows.is_empty());
    assert_eq!(ccv_shop::generate_orders(3, 20), ccv_shop::generate_orders(3, 20));
    let (status, problem) = inspector.inspect("POST", "generate", &json!({"sed": 7, "n": 3}));
    assert_eq!(
        (status, problem["error"].as_str()),
        (400, Some("generate: unknown field \"sed\"; it takes seed, n, start, step_seconds"))
    );
}

#[tokio::test]
async fn every_switch_is_in_the_readme() {
    let shop = Ccv::open(json!({})).await;
    let readme = include_str!("../README.md");
    let section = readme.split("## CCV Shop").nth(1).unwrap().split("\n## ").next().unwrap();
    for name in shop.sandbox.ccv_shop().switches().as_object().unwrap().keys() {
        assert!(section.contains(&format!("`{name}`")), "{name}");
    }
    for key in ccv_shop::keys() {
        assert!(section.contains(key.public) && section.contains(key.secret));
    }
}

#[tokio::test]
async fn links_to_other_products_are_expanded_under_their_other_name() {
    let shop = Ccv::open(json!({})).await;
    let body = json!({"product_variation_id": 11, "active": true});
    assert_eq!(shop.post("products/10/productvariations/", &body).await.status, 201);
    assert_eq!(shop.post("products/10/productvariations/", &body).await.code(), "500.40");
    let mug = shop.get("products/10/?expand=productvariants").await.json();
    assert_eq!(mug["productvariations"]["collection"][0]["product_variation_id"], 11);
    let found = shop.get("categories/4/products/?expand=producttocategories,productphotos").await.items();
    assert_eq!(found[0]["producttocategories"]["collection"][0]["category_id"], 4);
}
