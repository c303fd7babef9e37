//! The MijnWebwinkel shop over HTTP: articles, variants, images, orders, credit orders, customers.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/mijnwebwinkel.rs"]
mod shop;

use common::json_of;
use serde_json::{Value, json};
use shop::Store;

const ARTICLE: &str = "articles/501?use_url_id=false";

#[tokio::test]
async fn an_article_is_made_with_a_name_and_a_category_and_changed_field_by_field() {
    let store = Store::open(json!({})).await;
    let (status, text) = store.denied("POST", "articles", json!({"name": "Kan"})).await;
    assert_eq!((status, text.as_str()), (400, "categories: this value should not be blank."));
    for (body, part) in [
        (json!({"name": "Kan", "categories": [{"category_id": 99}]}), "category 99 does not exist"),
        (json!({"name": "Kan", "categories": [{"category_id": 11}], "ean": "1"}), "ean: this field is unknown"),
        (json!({"name": "Kan", "categories": [{"category_id": 11}], "stock": "4"}), "of type int"),
        (json!({"name": "Kan", "categories": [{"category_id": 11}], "price": {"default": 9.95}}), "of type string"),
        (json!({"name": "x".repeat(256), "categories": [{"category_id": 11}]}), "too long"),
        (json!({"name": "Kan", "categories": [{"category_id": 11}], "lists": [{"id": 77, "options": []}]}), "list 77"),
    ] {
        let (status, text) = store.denied("POST", "articles", body).await;
        assert_eq!((status, text.contains(part)), (400, true), "{part}: {text}");
    }
    let made = store
        .made(
            "POST",
            "articles",
            json!({"name": "Kan", "sku": "KAN", "price": {"default": "9.95", "action": "8.00"},
            "categories": [{"category_id": 11}], "extra": {"invisible": {"barcode": "871"}}}),
        )
        .await;
    assert_eq!((&made["id"], &made["stock"], &made["price"]["action"]), (&json!(601), &Value::Null, &json!("8.00")));
    assert_eq!(made["extra"], json!({"visible": [], "invisible": {"barcode": "871"}}));
    let id = format!("articles/{}?use_url_id=false", made["id"]);
    store.sandbox.clock().advance(chrono::Duration::seconds(5));
    let changed = store.made("PATCH", &id, json!({"stock": 7, "price": {"action": ""}})).await;
    assert_eq!(
        (&changed["stock"], &changed["name"], &changed["price"]["action"]),
        (&json!(7), &json!("Kan"), &Value::Null)
    );
    assert_eq!(changed["price"]["default"], "9.95");
    let unlimited = store.made("PATCH", &id, json!({"stock": null})).await;
    assert_eq!(unlimited["stock"], Value::Null);
    let fields = "articlefields/601?use_url_id=false&visible=true";
    assert_eq!(
        store.made("POST", fields, json!({"Merk": "Koppel"})).await["extra"]["visible"],
        json!({"Merk": "Koppel"})
    );
    assert_eq!(store.made("DELETE", fields, json!(["Merk"])).await["extra"]["visible"], json!([]));
    assert_eq!(store.made("DELETE", &id, json!({})).await, "Article deleted");
    assert_eq!(store.refused(&id).await.0, 404);
    // The number of another article is free to take, unless the shop is told otherwise.
    let twin = json!({"name": "Mok", "sku": "MOK-WIT", "categories": [{"category_id": 11}]});
    store.made("POST", "articles", twin.clone()).await;
    store.switch(json!({"unique_sku": true}));
    assert_eq!(store.denied("POST", "articles", twin).await.0, 400);
    store.switch(json!({"unknown_fields": "ignore", "strict_types": false}));
    store.made("PATCH", ARTICLE, json!({"stock": "4", "ean": "x"})).await;
}

#[tokio::test]
async fn variants_take_stock_alone_and_lists_replace_their_options() {
    let store = Store::open(json!({})).await;
    let path = "articles/506?use_url_id=false";
    let body = json!({"variants": [{"id": 7101, "stock": 3}, {"id": 7106, "stock": 0, "can_backorder": true}]});
    let article = store.made("PATCH", path, body).await;
    let stock: Vec<i64> =
        article["variants"].as_array().unwrap().iter().map(|one| one["stock"].as_i64().unwrap()).collect();
    assert_eq!(stock, [3, 10, 10, 10, 10, 0]);
    assert_eq!(article["variants"][0]["options"], json!({"31": "Rood", "32": "S"}));
    let (status, text) = store.denied("PATCH", path, json!({"variants": [{"id": 7201, "stock": 3}]})).await;
    assert_eq!((status, text.contains("7201")), (400, true), "{text}");
    assert_eq!(store.denied("PATCH", path, json!({"variants": [{"id": 7101, "sku": "X"}]})).await.0, 400);
    assert_eq!(store.denied("PATCH", path, json!({"variants": [{"id": 7101, "stock": null}]})).await.0, 400);
    let lists = json!({"lists": [{"id": 31, "options": [{"id": 311, "image_ids": []}]},
        {"id": 32, "options": [{"id": 321, "image_ids": []}, {"id": 322, "image_ids": []}]}]});
    let fewer = store.made("PATCH", path, lists).await;
    let ids: Vec<&Value> = fewer["variants"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&json!(7101), &json!(7102)], "those that stay keep their number");
    let list = store.made("POST", "articlelistoptions/32", json!([{"name": "XL", "price": "1.00"}])).await;
    assert_eq!(list["options"][3]["name"], "XL");
    assert_eq!(store.denied("POST", "articlelistoptions/32", json!([{"name": "XL"}])).await.0, 400);
    assert_eq!(
        store.denied("POST", "articlelists", json!({"name": "Stof"})).await.0,
        404,
        "lists are made in the shop itself"
    );
    let attached = store.made("POST", "articlelists/501?use_url_id=false", json!([33])).await;
    assert_eq!(attached["variants"].as_array().unwrap().len(), 2);
    let detached = store.made("DELETE", "articlelists/501?use_url_id=false", json!([33])).await;
    assert_eq!(detached["variants"], json!([]));
    store.made("DELETE", "articlelistoptions/32", json!(["M", "L"])).await;
    assert_eq!(store.value(path).await["variants"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pictures_come_by_address_or_uploaded_and_stand_at_a_position() {
    let store = Store::open(json!({})).await;
    let picture = format!("{}/_sandbox/pictures/mok.png", store.sandbox.url("mijnwebwinkel"));
    let one = store.made("PATCH", ARTICLE, json!({"images": [{"position": 1, "url": picture}]})).await;
    assert_eq!((&one["images"][0]["position"], &one["images"][0]["original_name"]), (&json!("1"), &json!("mok.png")));
    let first = one["images"][0]["id"].clone();
    let shown = store.client.get(one["images"][0]["urls"][0]["full"].as_str().unwrap()).send().await.unwrap();
    assert_eq!((shown.status().as_u16(), shown.headers()["content-type"].to_str().unwrap()), (200, "image/png"));
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.encode(koppel_sandbox::pictures::png("x", 4));
    for (body, good) in [
        (json!({"filename": "x.png", "position": 16, "content": bytes}), false),
        (json!({"filename": "x.png", "position": 2, "content": "aGFsbG8="}), false),
        (json!({"filename": "x.png", "position": 2, "content": bytes}), true),
    ] {
        let answer = store.send("POST", "articles/uploadImage/501", &body).await;
        assert_eq!(answer.status().is_success(), good, "{body}");
    }
    for images in [
        json!([{"position": 0, "url": picture}]),
        json!([{"position": 1}]),
        json!([{"position": 1, "url": "http://127.0.0.1:9/no.png"}]),
    ] {
        assert_eq!(store.denied("PATCH", ARTICLE, json!({"images": images})).await.0, 400, "{images}");
    }
    let kept = store.made("PATCH", ARTICLE, json!({"images": [{"position": 3, "id": first}]})).await;
    assert_eq!(kept["images"].as_array().unwrap().len(), 1, "what is not named goes");
    store.switch(json!({"patch_images": "merge"}));
    let both = store.made("PATCH", ARTICLE, json!({"images": [{"position": 2, "url": picture}]})).await;
    assert_eq!(both["images"].as_array().unwrap().len(), 2);
    let path = format!("deleteImage/{}", first.as_str().unwrap());
    assert_eq!(store.send("DELETE", &path, &json!({})).await.status(), 204);
    assert_eq!(store.send("DELETE", &path, &json!({})).await.status(), 404);
}

#[tokio::test]
async fn categories_have_a_title_and_a_parent_and_stay() {
    let store = Store::open(json!({})).await;
    assert_eq!(store.denied("POST", "categories", json!({"hidden": true})).await.0, 400);
    let made = store.made("POST", "categories", json!({"title": "Thee", "parent_category_id": 13})).await;
    assert_eq!((&made["id"], &made["parent_category_id"]), (&json!(41), &json!(13)));
    assert_eq!(store.denied("POST", "categories", json!({"title": "x", "parent_category_id": 999})).await.0, 400);
    assert_eq!(store.list("categories?as_tree=false").await.len(), 4);
    let tree = store.list("categories?as_tree=true").await;
    assert_eq!(tree[0]["leafs"][1]["leafs"][0]["title"], "Thee");
    assert_eq!(store.made("PATCH", "categories/41", json!({"title": "Losse thee"})).await["title"], "Losse thee");
    assert_eq!(store.send("DELETE", "categories/41", &json!({})).await.status(), 405);
    assert_eq!(store.list("categories/12/articles").await[0]["name"], "T-shirt basic");
    let moved = json!({"categories": [{"category_id": 41, "is_active": false}]});
    let article = store.made("PATCH", ARTICLE, moved).await;
    assert_eq!(article["categories"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&article["categories"][0]["is_active"], &article["categories"][0]["is_main"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn an_order_takes_stock_and_a_credit_order_gives_it_back() {
    let store = Store::open(json!({})).await;
    let debtor = json!({"email": "nieuw@example.test", "address": {"invoice": {"name": "Nieuw", "zipcode": "1234 AB", "country_code": "NL"}}});
    let shirt = json!({"id": 506, "options": [{"list_option_id": 311}, {"list_option_id": 322}]});
    let body = json!({"debtor": debtor, "discountcode": "tien", "shipping_method_id": "1", "orderlines": [
        {"type": "article", "quantity": 4, "articles": [shirt]},
        {"type": "custom", "quantity": 1, "description": "Inpakken", "unit_price": {"amount_including_tax": "3.03", "rate": "21"}}]});
    let order = store.made("POST", "orders", body).await;
    assert_eq!((&order["number"], &order["price"]["total"]), (&json!("2101"), &json!("96.58")));
    let stock = |store: &Store| store.inspector().documents("articles")[5]["variants"][1]["stock"].clone();
    assert_eq!(stock(&store), 6);
    for (body, part) in [
        (json!({"debtor": debtor, "orderlines": []}), "orderlines"),
        (json!({"debtor": {"email": "x@example.test"}, "orderlines": [{"type": "custom", "quantity": 1}]}), "invoice"),
        (
            json!({"debtor": debtor, "orderlines": [{"type": "article", "quantity": 1, "articles": [{"id": 506, "options": []}]}]}),
            "needs a choice",
        ),
        (json!({"debtor": debtor, "reference": "PO", "orderlines": [{"type": "custom", "quantity": 1}]}), "businesses"),
        (
            json!({"debtor": debtor, "business_model": "B2B", "orderlines": [{"type": "custom", "quantity": 1}]}),
            "company",
        ),
    ] {
        let (status, text) = store.denied("POST", "orders", body).await;
        assert_eq!((status, text.contains(part)), (400, true), "{part}: {text}");
    }
    let much = json!({"debtor": debtor, "orderlines": [{"type": "article", "quantity": 7, "articles": [shirt]}]});
    assert_eq!(store.denied("POST", "orders", much).await.0, 409);
    assert_eq!(
        store.denied("POST", "orders?override_stock=true", json!({"debtor": debtor, "orderlines": []})).await.0,
        403
    );
    let line = order["orderlines"][0]["id"].clone();
    let credit = |quantity: i64, status: i64| {
        json!({"credited_order_number": "2101", "status": status, "shipping_costs": "0",
            "orderlines": [{"id": line, "type": "article", "quantity": quantity}]})
    };
    assert_eq!(store.denied("POST", "orders/credit", credit(1, 3)).await.0, 400, "no status of credit orders");
    assert_eq!(store.denied("POST", "orders/credit", credit(5, 10)).await.0, 400, "more than was sold");
    assert_eq!(store.denied("POST", "orders/credit", credit(-1, 10)).await.0, 400);
    let made = store.made("POST", "orders/credit", credit(3, 10)).await;
    assert_eq!((&made["credited_order_number"], &made["orderlines"][0]["quantity"]), (&json!("2101"), &json!(-3)));
    assert_eq!(stock(&store), 9);
    assert_eq!(store.denied("POST", "orders/credit", credit(2, 10)).await.0, 400, "one is left");
    store.switch(json!({"credit_signs": "positive"}));
    assert_eq!(
        store.made("POST", "orders/credit?mutate_stock=false", credit(1, 10)).await["orderlines"][0]["quantity"],
        1
    );
    assert_eq!(stock(&store), 9);
}

#[tokio::test]
async fn little_of_an_order_can_be_changed() {
    let store = Store::open(json!({})).await;
    let order = store.made("PATCH", "orders/2006", json!({"status": 3, "comments": {"internal": "3SABC"}})).await;
    assert_eq!((&order["status"], &order["comments"]["internal"]), (&json!(3), &json!("3SABC")));
    assert!(order["status_changed_date"].is_string());
    for body in [
        json!({"status": 99}),
        json!({"status": 10}),
        json!({"orderlines": []}),
        json!({"reference": "PO-1"}),
        json!({"comments": {"customer": "x"}}),
        json!({"offline_location_id": "x"}),
    ] {
        assert_eq!(store.denied("PATCH", "orders/2006", body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(store.made("PATCH", "orders/2012", json!({"reference": "PO-9"})).await["reference"], "PO-9");
    assert_eq!(store.denied("PATCH", "orders/2006?override_minimum=true", json!({"archived": true})).await.0, 403);
    assert_eq!(store.denied("PATCH", "orders/9999", json!({"archived": true})).await.0, 404);
}

#[tokio::test]
async fn customers_answer_wrong_bodies_with_problems() {
    let store = Store::open(json!({"special_rights": ["customers"]})).await;
    let made = store.made("POST", "customers", json!({"email": "nieuw@example.test", "firstName": "N"})).await;
    let id = made["customer"]["id"].as_str().unwrap().to_owned();
    let wrong = store.send("POST", "customers", &json!({"email": "Nieuw@example.test"})).await;
    assert_eq!(wrong.status(), 422);
    let problem = json_of(wrong).await;
    assert_eq!((&problem["status"], problem["errors"]["email"].is_string()), (&json!(422), true));
    let fixed = store.send("PATCH", &format!("customers/{id}"), &json!({"email": "x@example.test"})).await;
    assert_eq!(fixed.status(), 422, "the address of a customer stays");
    let path = format!("customers/{id}/addresses");
    assert_eq!(store.send("POST", &path, &json!({"firstName": "N", "countryCode": "nl"})).await.status(), 422);
    let address = json!({"firstName": "N", "lastName": "L", "street": "Markt", "streetNumber": "1", "zipCode": "1",
        "city": "C", "countryCode": "NL", "gender": "F"});
    let made = store.made("POST", &path, address).await;
    assert_eq!(made["address"]["isDefaultForInvoice"], true);
    let one = format!("{path}/{}", made["address"]["id"].as_str().unwrap());
    assert_eq!(store.made("PATCH", &one, json!({"company": "L BV"})).await["address"]["company"], "L BV");
    assert_eq!(store.send("DELETE", &one, &json!({})).await.status(), 200);
    assert_eq!(store.send("DELETE", &format!("customers/{id}"), &json!({})).await.status(), 200);
    let paid = store.made("POST", "orders/2006/payments", json!({"gateway": "basic", "method": "cash"})).await;
    assert!(paid["url"].is_string());
    assert_eq!(
        store.send("POST", "orders/2006/payments", &json!({"gateway": "bitpay", "method": "cash"})).await.status(),
        422
    );
    let payment = format!("orders/2006/payments/{}", paid["payment"]["id"].as_str().unwrap());
    assert_eq!(store.send("DELETE", &payment, &json!({})).await.status(), 204);
}
