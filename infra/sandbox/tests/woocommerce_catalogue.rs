//! The shop over HTTP: products with what belongs to them, stock, customers, refunds, and their webhooks.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Shop, json_of};
use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn code(answer: reqwest::Response) -> (u16, String, Value) {
    let status = answer.status().as_u16();
    let body = json_of(answer).await;
    (status, body["code"].as_str().unwrap_or_default().to_owned(), body["data"].clone())
}

async fn made(shop: &Shop, path: &str, body: Value) -> Value {
    let answer = shop.post(path, &body).await;
    assert_eq!(answer.status(), 201, "{path}: {}", answer.text().await.unwrap());
    json_of(answer).await
}

async fn delete(shop: &Shop, path: &str) -> reqwest::Response {
    shop.client.delete(shop.url(path)).basic_auth(shop.key.key, Some(shop.key.secret)).send().await.unwrap()
}

#[tokio::test]
async fn categories_are_there_once_below_a_parent_and_come_escaped() {
    let (_sandbox, shop) = common::open_shop().await;
    let top = made(&shop, "products/categories", json!({"name": "Wonen & koken"})).await;
    assert_eq!((&top["name"], &top["slug"]), (&json!("Wonen &amp; koken"), &json!("wonen-koken")));
    let again = code(shop.post("products/categories", &json!({"name": "wonen & Koken"})).await).await;
    assert_eq!((again.0, again.1.as_str(), &again.2["resource_id"]), (400, "term_exists", &top["id"]));
    let below = made(&shop, "products/categories", json!({"name": "Wonen & koken", "parent": top["id"]})).await;
    assert_eq!(below["slug"], "wonen-koken-2", "below another parent the name is free, the slug is not");
    let orphan = code(shop.post("products/categories", &json!({"name": "X", "parent": 999})).await).await;
    assert_eq!((orphan.0, orphan.1.as_str()), (400, "missing_parent"));
    let unnamed = code(shop.post("products/categories", &json!({"parent": 0})).await).await;
    assert_eq!((unnamed.0, unnamed.1.as_str()), (400, "rest_missing_callback_param"));
    let found = json_of(shop.get(&format!("products/categories?search=koken&parent={}", top["id"])).await).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    let product =
        made(&shop, "products", json!({"name": "Pan", "categories": [{"id": below["id"]}, {"id": 9999}]})).await;
    assert_eq!(product["categories"], json!([{"id": below["id"], "name": below["name"], "slug": below["slug"]}]));
    assert_eq!(json_of(shop.get(&format!("products/categories/{}", below["id"])).await).await["count"], 1);
    let tree = json_of(shop.get(&format!("products?category={}", top["id"])).await).await;
    assert_eq!(tree.as_array().unwrap().len(), 1, "a category holds what is below it");
    let refused = code(delete(&shop, &format!("products/categories/{}", below["id"])).await).await;
    assert_eq!((refused.0, refused.1.as_str()), (501, "woocommerce_rest_trash_not_supported"));
    assert_eq!(delete(&shop, &format!("products/categories/{}?force=true", below["id"])).await.status(), 200);
    let product = json_of(shop.get(&format!("products/{}", product["id"])).await).await;
    assert_eq!(product["categories"][0]["slug"], "uncategorized");
    let gone = code(shop.get(&format!("products/categories/{}", below["id"])).await).await;
    assert_eq!((gone.0, gone.1.as_str()), (404, "woocommerce_rest_term_invalid"));
    let batch = json!({"create": [{"name": "Rood"}, {"name": "Rood"}], "delete": [9999]});
    let done = json_of(shop.post("products/tags/batch", &batch).await).await;
    assert_eq!((&done["create"][0]["slug"], &done["create"][1]["id"]), (&json!("rood"), &json!(0)));
    assert_eq!(done["create"][1]["error"]["data"]["resource_id"], done["create"][0]["id"]);
    assert_eq!(done["delete"][0]["error"]["code"], "woocommerce_rest_term_invalid");
}

#[tokio::test]
async fn attributes_make_terms_and_variations_take_only_what_their_parent_varies_by() {
    let (_sandbox, shop) = common::open_shop().await;
    let wool = made(&shop, "products/attributes", json!({"name": "Garen"})).await;
    assert_eq!(wool["slug"], "pa_garen");
    for body in [json!({"name": "Garen"}), json!({"name": "x", "slug": "a".repeat(30)})] {
        let refused = code(shop.post("products/attributes", &body).await).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "woocommerce_rest_cannot_create"), "{body}");
    }
    made(&shop, "products/attributes", json!({"name": "y", "slug": "a".repeat(29)})).await;
    let terms = format!("products/attributes/{}/terms", wool["id"]);
    made(&shop, &terms, json!({"name": "Wol"})).await;
    assert_eq!(code(shop.post(&terms, &json!({"name": "WOL"})).await).await.1, "term_exists");
    let unknown = code(shop.get("products/attributes/99/terms").await).await;
    assert_eq!((unknown.0, unknown.1.as_str()), (404, "woocommerce_rest_taxonomy_invalid"));
    let parent = json!({"name": "Trui", "type": "variable", "sku": "TRUI", "attributes": [
        {"id": wool["id"], "variation": true, "visible": true, "options": ["Wol", "Katoen"]},
        {"id": 1, "options": ["Rood"]},
        {"name": "Print", "options": ["ja|nee"]}]});
    let parent = made(&shop, "products", parent).await;
    assert_eq!(parent["attributes"][0]["options"], json!(["Katoen", "Wol"]));
    assert_eq!(parent["attributes"][2]["options"], json!(["ja", "nee"]));
    let names = json_of(shop.get(&format!("{terms}?_fields=name")).await).await;
    assert_eq!(names, json!([{"name": "Katoen"}, {"name": "Wol"}]), "an unknown option became a term");
    let path = format!("products/{}/variations", parent["id"]);
    let one = json!({"sku": "TRUI-W", "regular_price": "60", "attributes": [
        {"name": "Garen", "option": "Wol"}, {"id": 1, "option": "Rood"}, {"name": "Nergens", "option": "x"}]});
    let one = made(&shop, &path, one).await;
    assert_eq!((&one["name"], one["attributes"].as_array().unwrap().len()), (&json!("Wol"), 1));
    assert_eq!((&one["tax_class"], &one["type"]), (&json!("parent"), &json!("variation")));
    let batch = json!({"create": [
        {"sku": "TRUI-Z", "regular_price": "40", "attributes": [{"id": wool["id"], "option": "Zijde"}]},
        {"sku": "trui-w", "regular_price": "1"}],
        "update": [{"id": one["id"], "sale_price": "55"}, {"id": 10, "regular_price": "1"}]});
    let done = json_of(shop.post(&format!("{path}/batch"), &batch).await).await;
    assert_eq!(done["create"][0]["attributes"][0]["option"], "Zijde", "kept, though the parent lacks it");
    assert_eq!(json_of(shop.get(&terms).await).await.as_array().unwrap().len(), 2, "but no term");
    assert_eq!(done["create"][1]["error"]["code"], "product_invalid_sku");
    assert_eq!(done["create"][1]["error"]["data"]["resource_id"], one["id"]);
    assert_eq!((&done["update"][0]["price"], &done["update"][0]["on_sale"]), (&json!("55"), &json!(true)));
    assert_eq!(done["update"][1]["error"]["data"]["status"], 404);
    let seen = json_of(shop.get(&format!("products/{}", parent["id"])).await).await;
    assert_eq!((&seen["price"], &seen["on_sale"]), (&json!("40"), &json!(true)), "lowest of its variations");
    assert_eq!(seen["variations"].as_array().unwrap().len(), 2);
    assert_eq!(json_of(shop.get("products/10/variations").await).await, json!([]));
    let all = json_of(shop.get("variations?sku=TRUI-Z&_fields=parent_id,sku").await).await;
    assert_eq!(all, json!([{"parent_id": parent["id"], "sku": "TRUI-Z"}]));
}

#[tokio::test]
async fn products_keep_the_rules_of_the_shop() {
    let (sandbox, shop) = common::open_shop().await;
    assert_eq!(sandbox.woocommerce().inspect("POST", "catalogue", &json!({})).0, 204);
    let body = json!({"name": "Thee & meer", "sku": "NIEUW-1", "regular_price": "10", "sale_price": "8",
        "date_on_sale_from": "2099-01-01", "description": "Lekker.<script>x()</script>", "global_unique_id": "8719999999994",
        "virtual": true, "made_up": 1, "price": "3"});
    let one = made(&shop, "products", body).await;
    assert_eq!((&one["name"], &one["slug"]), (&json!("Thee &amp; meer"), &json!("thee-meer")));
    assert_eq!((&one["price"], &one["on_sale"]), (&json!("10"), &json!(false)), "the sale has not begun");
    assert_eq!((&one["description"], &one["shipping_required"]), (&json!("<p>Lekker.</p>\n"), &json!(false)));
    assert_eq!(one["categories"][0]["slug"], "uncategorized");
    let ean = code(shop.post("products", &json!({"name": "x", "global_unique_id": "8719999999994"})).await).await;
    assert_eq!((ean.0, ean.1.as_str(), &ean.2["resource_id"]), (400, "product_invalid_global_unique_id", &one["id"]));
    assert_eq!(made(&shop, "products", json!({"name": "Thee & meer"})).await["slug"], "thee-meer-2");
    let trashed = code(shop.post("products", &json!({"name": "x", "sku": "kandelaar"})).await).await;
    assert_eq!((trashed.0, trashed.1.as_str()), (400, "woocommerce_rest_product_not_created"));
    assert!(trashed.2.get("resource_id").is_none());
    assert_eq!(json_of(shop.get("products?sku=KANDELAAR").await).await, json!([]));
    assert_eq!(json_of(shop.get("products?sku=KANDELAAR&status=trash").await).await[0]["id"], 62);
    assert_eq!(json_of(shop.get("products?sku=THEEPOT").await).await.as_array().unwrap().len(), 2, "one SKU twice");
    let id = &one["id"];
    sandbox.clock().advance(chrono::Duration::seconds(5));
    let same = json_of(shop.put(&format!("products/{id}"), &json!({"regular_price": "10"})).await).await;
    assert_ne!(same["date_modified"], one["date_modified"], "the same value moves the date too");
    let ignored = json_of(shop.put(&format!("products/{id}"), &json!({"stock_quantity": 4})).await).await;
    assert_eq!(ignored["stock_quantity"], Value::Null);
    let kept = json!({"manage_stock": true, "stock_quantity": -2, "stock_status": "instock"});
    let kept = json_of(shop.put(&format!("products/{id}"), &kept).await).await;
    assert_eq!((&kept["stock_quantity"], &kept["stock_status"]), (&json!(-2), &json!("outofstock")));
    let more = json_of(shop.put(&format!("products/{id}"), &json!({"inventory_delta": 5})).await).await;
    assert_eq!((&more["stock_quantity"], &more["stock_status"]), (&json!(3), &json!("instock")));
    assert_eq!(
        code(shop.put(&format!("products/{id}"), &json!({"stock_quantity": 1.5})).await).await.1,
        "rest_invalid_param"
    );
    assert_eq!(code(shop.post("products", &json!({"type": "bundle"})).await).await.1, "rest_invalid_param");
    sandbox.woocommerce().set_switches(json!({"manage_stock": false})).unwrap();
    let idle = json_of(shop.put(&format!("products/{id}"), &json!({"stock_quantity": 9})).await).await;
    assert_eq!(idle["stock_quantity"], 3, "a shop without stock keeping writes none");
    for (query, count) in
        [("on_sale=true", 1), ("virtual=true&min_price=9&max_price=11", 1), ("include_types=variable", 2)]
    {
        let found = json_of(shop.get(&format!("products?{query}&_fields=id")).await).await;
        assert_eq!(found.as_array().unwrap().len(), count, "{query}: {found}");
    }
}

#[tokio::test]
async fn stock_of_a_parent_is_shown_and_sold_by_its_variations() {
    let (_sandbox, shop) = common::open_shop().await;
    shop.put("products/16", &json!({"manage_stock": true, "stock_quantity": 20})).await;
    shop.put("products/16/variations/17", &json!({"manage_stock": "parent"})).await;
    let one = json_of(shop.get("products/16/variations/17").await).await;
    assert_eq!((&one["manage_stock"], &one["stock_quantity"]), (&json!("parent"), &json!(20)));
    let order = json!({"set_paid": true, "line_items": [{"product_id": 16, "variation_id": 17, "quantity": 3}]});
    let order = made(&shop, "orders", order).await;
    assert_eq!(json_of(shop.get("products/16").await).await["stock_quantity"], 17);
    let line = &order["line_items"][0];
    let refund =
        json!({"line_items": [{"id": line["id"], "quantity": 2, "refund_total": "39.90"}], "api_refund": false});
    let refund = made(&shop, &format!("orders/{}/refunds", order["id"]), refund).await;
    assert_eq!((&refund["amount"], &refund["line_items"][0]["quantity"]), (&json!("39.90"), &json!(-2)));
    assert_eq!(json_of(shop.get("products/16").await).await["stock_quantity"], 19, "a refund puts back");
    let kept = json!({"line_items": [{"id": line["id"], "quantity": 1, "refund_total": "1"}], "api_restock": false});
    made(&shop, &format!("orders/{}/refunds", order["id"]), kept).await;
    assert_eq!(json_of(shop.get("products/16").await).await["stock_quantity"], 19);
}

#[tokio::test]
async fn shipping_is_refunded_and_a_gateway_may_be_unable_to() {
    let (sandbox, shop) = common::open_shop().await;
    let order = json!({"currency": "USD", "line_items": [{"sku": "MOK-WIT"}],
        "shipping_lines": [{"method_id": "flat_rate", "method_title": "x", "total": "6.95"}]});
    let order = made(&shop, "orders", order).await;
    assert_eq!((&order["currency"], &order["currency_symbol"]), (&json!("USD"), &json!("$")));
    assert_eq!(code(shop.post("orders", &json!({"currency": "XXX"})).await).await.1, "rest_invalid_param");
    let path = format!("orders/{}/refunds", order["id"]);
    let shipping = json!({"line_items": [{"id": order["shipping_lines"][0]["id"], "refund_total": "6.95"}]});
    let refund = made(&shop, &path, shipping).await;
    assert_eq!((&refund["shipping_lines"][0]["total"], &refund["line_items"]), (&json!("-6.95"), &json!([])));
    sandbox.woocommerce().set_switches(json!({"gateway_refunds": false})).unwrap();
    let refused = shop.post(&path, &json!({"amount": "1"})).await;
    assert_eq!(refused.status(), 500);
    assert_eq!(json_of(refused).await["data"], 500);
    made(&shop, &path, json!({"amount": "1", "api_refund": false})).await;
}

#[tokio::test]
async fn customers_are_batched_keep_their_role_and_have_no_date_filter() {
    let (_sandbox, shop) = common::open_shop().await;
    let batch = json!({"create": [{"email": "Jan@new.example.test", "role": "administrator", "billing": {"city": "Ede"}},
        {"email": "JAN@example.test"}, {"email": "no"}], "update": [{"id": 3, "first_name": "Elsje"}, {"id": 999}]});
    let done = json_of(shop.post("customers/batch", &batch).await).await;
    let one = &done["create"][0];
    assert_eq!((&one["role"], &one["username"]), (&json!("customer"), &json!("jan-2")), "jan is taken");
    assert_eq!((&one["billing"]["city"], &one["billing"]["email"]), (&json!("Ede"), &json!("")));
    assert_eq!(done["create"][1]["error"]["code"], "registration-error-email-exists");
    assert_eq!(done["create"][2]["error"]["code"], "customer_invalid_email");
    assert_eq!((&done["update"][0]["first_name"], &done["update"][1]["id"]), (&json!("Elsje"), &json!(999)));
    assert_eq!(done["update"][1]["error"]["code"], "wc_user_invalid_id");
    let all = json_of(shop.get("customers?modified_after=2099-01-01T00:00:00&role=all").await).await;
    assert_eq!(all.as_array().unwrap().len(), 4, "an unknown argument says nothing");
    let taken = code(shop.put("customers/3", &json!({"email": "jan@example.test"})).await).await;
    assert_eq!((taken.0, taken.1.as_str()), (400, "woocommerce_rest_customer_invalid_email"));
    let name = json!({"email": "p@example.test", "username": "jan"});
    assert_eq!(code(shop.post("customers", &name).await).await.1, "registration-error-username-exists");
    assert_eq!(code(delete(&shop, "customers/3").await).await.0, 501);
}

/// A server of this machine: pictures by path, and everything posted to it is written down.
async fn machine() -> (String, tokio::sync::mpsc::UnboundedReceiver<(String, Value)>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (told, heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = Vec::new();
            let mut part = [0; 65_536];
            let (head, length): (String, usize) = loop {
                let read = stream.read(&mut part).await.unwrap();
                seen.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&seen).into_owned();
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                let length: usize =
                    head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
                if seen.len() >= head.len() + 4 + length {
                    break (head.to_owned(), length);
                }
            };
            let body = seen[seen.len() - length..].to_vec();
            let topic = head.lines().find_map(|line| line.strip_prefix("X-WC-Webhook-Topic: "));
            if let Some(topic) = topic {
                told.send((topic.to_owned(), serde_json::from_slice(&body).unwrap())).unwrap();
            }
            let path = head.split(' ').nth(1).unwrap();
            let (kind, content): (&str, Vec<u8>) = match path {
                "/a.png" | "/plain" => ("image/png", koppel_sandbox::pictures::png("a", 4)),
                "/b.jpg" => ("image/jpeg", vec![0xff, 0xd8, 0xff, 0xe0]),
                "/c.gif" => ("image/gif", b"GIF89a".to_vec()),
                "/text.png" => ("text/html", b"<html>".to_vec()),
                _ => ("text/plain", Vec::new()),
            };
            let status = if path == "/none.png" { "404 Not Found" } else { "200 OK" };
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", content.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&content).await.unwrap();
        }
    });
    (address, heard)
}

#[tokio::test]
async fn pictures_are_loaded_again_on_every_write_and_must_be_pictures() {
    let (sandbox, shop) = common::open_shop().await;
    let (server, _heard) = machine().await;
    let with = |path: &str| json!({"name": "x", "images": [{"src": format!("{server}{path}"), "alt": "Voorkant"}]});
    let one = made(&shop, "products", with("/a.png")).await;
    let image = &one["images"][0];
    assert_eq!((&image["name"], &image["alt"]), (&json!("a"), &json!("Voorkant")));
    assert!(image.get("content").is_none());
    let served = shop.client.get(image["src"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(served.bytes().await.unwrap(), koppel_sandbox::pictures::png("a", 4));
    let again = json_of(shop.put(&format!("products/{}", one["id"]), &with("/a.png")).await).await;
    assert_ne!(again["images"][0]["id"], image["id"]);
    let kept = json!({"images": [{"id": again["images"][0]["id"]}, {"id": image["id"]}]});
    let kept = json_of(shop.put(&format!("products/{}", one["id"]), &kept).await).await;
    assert_eq!(kept["images"][1]["id"], image["id"]);
    assert_eq!(sandbox.woocommerce().documents("media").len(), 2, "an id loads nothing");
    made(&shop, "products", with("/b.jpg")).await;
    let before = sandbox.woocommerce().documents("products").len();
    for path in ["/c.gif", "/text.png", "/none.png", "/plain"] {
        let refused = code(shop.post("products", &with(path)).await).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "woocommerce_product_image_upload_error"), "{path}");
    }
    let away = json!({"name": "x", "images": [{"src": "http://192.0.2.1/a.png"}]});
    assert_eq!(code(shop.post("products", &away).await).await.1, "woocommerce_product_image_upload_error");
    let unknown = json!({"create": [{"name": "x", "images": [{"id": 10}]}, {"name": "y", "sku": "Y-1"}]});
    let done = json_of(shop.post("products/batch", &unknown).await).await;
    assert_eq!(done["create"][0]["error"]["code"], "woocommerce_product_invalid_image_id");
    assert_eq!(done["create"][1]["sku"], "Y-1");
    assert_eq!(sandbox.woocommerce().documents("products").len(), before + 1, "a product without its picture is none");
    sandbox.woocommerce().set_switches(json!({"image_by_type": true})).unwrap();
    made(&shop, "products", with("/plain")).await;
    let path = format!("products/16/variations/{}", 17);
    let one = json_of(shop.put(&path, &json!({"image": {"src": format!("{server}/a.png")}})).await).await;
    assert_eq!(one["image"]["name"], "a");
}

async fn heard(heard: &mut tokio::sync::mpsc::UnboundedReceiver<(String, Value)>) -> (String, Value) {
    heard.recv().await.unwrap()
}

#[tokio::test]
async fn products_and_customers_are_told_by_webhook() {
    let (_sandbox, shop): (Handle, Shop) = common::open_shop().await;
    let (server, mut told) = machine().await;
    for topic in ["product.created", "product.updated", "product.deleted", "customer.created", "customer.deleted"] {
        made(&shop, "webhooks", json!({"topic": topic, "delivery_url": server, "secret": "s"})).await;
    }
    let one = made(&shop, "products", json!({"name": "Nieuw"})).await;
    assert_eq!(heard(&mut told).await, ("product.created".into(), one.clone()));
    shop.put("products/16/variations/17", &json!({"regular_price": "21"})).await;
    let (topic, body) = heard(&mut told).await;
    assert_eq!(
        (topic.as_str(), &body["type"], &body["parent_id"]),
        ("product.updated", &json!("variation"), &json!(16))
    );
    made(&shop, "orders", json!({"set_paid": true, "line_items": [{"sku": "MOK-WIT"}]})).await;
    let (topic, body) = heard(&mut told).await;
    assert_eq!(
        (topic.as_str(), &body["stock_quantity"]),
        ("product.updated", &json!(136)),
        "a sale changes the product"
    );
    delete(&shop, &format!("products/{}", one["id"])).await;
    assert_eq!(heard(&mut told).await, ("product.deleted".into(), json!({"id": one["id"]})));
    delete(&shop, &format!("products/{}?force=true", one["id"])).await; // in silence
    let customer = made(&shop, "customers", json!({"email": "n@example.test"})).await;
    assert_eq!(heard(&mut told).await, ("customer.created".into(), customer.clone()));
    delete(&shop, &format!("customers/{}?force=true", customer["id"])).await;
    assert_eq!(heard(&mut told).await, ("customer.deleted".into(), json!({"id": customer["id"]})));
}

#[tokio::test]
async fn made_up_articles_are_the_same_on_both_sides() {
    let options = Options::default().switch("woocommerce", json!({"behind_tls": true}));
    let sandbox = Sandbox::start(options).await.unwrap();
    let shop = Shop::new(&sandbox);
    let ask = json!({"seed": 4, "n": 150, "differs_percent": 40});
    let (status, told) = sandbox.woocommerce().inspect("POST", "products/generate", &ask);
    let (_, books) = sandbox.exact().inspect("POST", "generate", &ask);
    assert_eq!((status, &told, &told["count"]), (201, &books, &json!(150)));
    let page = json_of(shop.get("products?sku=ART-4-00001,ART-4-00150&orderby=id&order=asc").await).await;
    let items = sandbox.exact().documents("logistics/Items");
    let item = items.iter().find(|item| item["Code"] == "ART-4-00150").unwrap();
    assert_eq!((&page[1]["global_unique_id"], &page[1]["name"]), (&item["Barcode"], &item["Description"]));
    let stocks = sandbox.exact().documents("inventory/ItemWarehouses");
    let differ = sandbox
        .woocommerce()
        .documents("products")
        .iter()
        .filter(|product| {
            stocks.iter().any(|row| {
                row["ItemCode"] == product["sku"]
                    && row["CurrentStock"] != product["stock_quantity"]
                    && product["sku"].as_str().unwrap().starts_with("ART-")
            })
        })
        .count();
    assert_eq!(json!(differ), told["differs"]);
    assert!(differ > 0);
    let before = sandbox.woocommerce().documents("products").len();
    sandbox.woocommerce().inspect("POST", "products/generate", &ask);
    assert_eq!(sandbox.woocommerce().documents("products").len(), before, "once more makes no second ones");
    let wrong = sandbox.exact().inspect("POST", "generate", &json!({"sede": 4}));
    assert_eq!(wrong.0, 400);
}
