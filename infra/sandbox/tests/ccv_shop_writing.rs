//! CCV Shop over HTTP: what a body must be, products with variants and photos, users, prices, orders, invoices.
// A helper of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Answer, Ccv};
use koppel_sandbox::{Options, pictures};
use serde_json::{Value, json};

fn lamp() -> Value {
    json!({"productnumber": "LAMP", "name": "Lamp", "price": 121.0, "discount": 0, "taxtariff": "normal", "package_id": 2})
}

fn with(mut row: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

async fn made(shop: &Ccv, path: &str, body: &Value) -> i64 {
    let answer = shop.post(path, body).await;
    assert_eq!(answer.status, 201, "{path}: {}", answer.text);
    answer.json()["id"].as_i64().unwrap()
}

fn names(answer: &Answer, field: &str) -> Vec<String> {
    answer.items().iter().map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_body_is_held_to_its_schema() {
    let shop = Ccv::open(json!({"overall_minute_limit": null})).await;
    let long = |letters: usize| "x".repeat(letters);
    for (more, words) in [
        (json!({"sku": "X"}), "the property sku is not defined"),
        (json!({"is_active": true}), "is_active is not defined"),
        (json!({"name": ""}), "name is empty"),
        (json!({"name": null}), "name cannot be null"),
        (json!({"description": null}), "description cannot be null"),
        (json!({"price": "121"}), "price is not of type number"),
        (json!({"active": "yes"}), "active is not of type boolean"),
        (json!({"package_id": 2.0}), "package_id is not of type integer"),
        (json!({"taxtariff": "high"}), "taxtariff \"high\" is none of normal"),
        (json!({"stocktype": "product"}), "is none of Product, Attribute"),
        (json!({"ordering_without_stock": "yes"}), "is none of global_setting"),
        (json!({"product_layout": 5}), "is not between 1 and 4"),
        (json!({"price": -1}), "price cannot be below zero"),
        (json!({"productnumber": long(51)}), "productnumber is longer than 50"),
        (json!({"name": long(201)}), "name is longer than 200"),
        (json!({"shortdescription": long(256)}), "shortdescription is longer than 255"),
    ] {
        let answer = shop.post("products/", &with(lamp(), &more)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "400.10"), "{more}");
        let message = answer.json()["developermessage"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{message}");
    }
    for field in ["name", "price", "discount", "package_id", "taxtariff"] {
        let mut body = lamp();
        body.as_object_mut().unwrap().shift_remove(field);
        let message = shop.post("products/", &body).await.json()["developermessage"].to_string();
        assert!(message.contains(&format!("property {field} is required")), "{message}");
    }
    assert_eq!(shop.post("products/", &with(lamp(), &json!({"package_id": 77}))).await.code(), "500.24");
    assert_eq!(shop.sandbox.ccv_shop().documents("products").len(), 8, "nothing was stored");
    // No content type, no JSON, too much of it.
    let text = shop.send("POST", "brands/", None, &[("content-type", "application/json")]).await;
    assert_eq!(text.code(), "400.10");
    shop.switch(
        json!({"body_bytes_max": 20, "unknown_fields": "ignore", "null_fields": "allow", "text_lengths": false}),
    );
    assert_eq!(shop.post("brands/", &json!({"name": "Merk van meer dan twintig"})).await.code(), "500.80");
    shop.switch(json!({"body_bytes_max": 100_000}));
    let body = with(lamp(), &json!({"sku": "X", "description": null, "name": long(300)}));
    assert_eq!(shop.post("products/", &body).await.status, 201);
}

#[tokio::test]
async fn product_numbers_are_there_once_also_in_the_trash_and_on_combinations() {
    let shop = Ccv::open(json!({})).await;
    let id = made(&shop, "products/", &lamp()).await;
    for number in ["LAMP", "lamp", "TSHIRT-ROOD-S", "MOK-WIT"] {
        let answer = shop.post("products/", &with(lamp(), &json!({"productnumber": number}))).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "500.40"), "{number}");
    }
    made(&shop, "products/", &with(lamp(), &json!({"productnumber": ""}))).await;
    assert_eq!(shop.patch("products/10/", &json!({"productnumber": "LAMP"})).await.code(), "500.40");
    assert_eq!(shop.send("DELETE", &format!("products/{id}/"), None, &[]).await.status, 204);
    assert_eq!(shop.get(&format!("products/{id}/")).await.code(), "500.24");
    assert!(shop.get("products/?productnumber=LAMP").await.items().is_empty(), "the trash is not listed");
    assert_eq!(shop.post("products/", &lamp()).await.code(), "500.40", "but keeps its number");
    shop.switch(json!({"trash_keeps_number": false}));
    made(&shop, "products/", &lamp()).await;
    shop.switch(json!({"unique_product_numbers": false}));
    made(&shop, "products/", &lamp()).await;
    assert_eq!(shop.get("products/?productnumber=LAMP").await.items().len(), 2);
    shop.switch(json!({"product_limit": 11}));
    assert_eq!(shop.post("products/", &lamp()).await.code(), "500.60");
    let limits = shop.get("webshops/").await.items();
    assert_eq!(
        (limits[0]["product_limit_left"].as_i64(), limits[0]["api_root"].as_str()),
        (Some(0), Some(shop.sandbox.ccv_shop_url()))
    );
}

#[tokio::test]
async fn a_product_is_read_as_active_and_written_as_is_active_is_not() {
    let shop = Ccv::open(json!({})).await;
    let body = with(lamp(), &json!({"active": false, "brand": "Noordlicht", "stockenabled": true, "stock": 4.5}));
    let id = made(&shop, "products/", &body).await;
    let path = format!("products/{id}/");
    let row = shop.get(&path).await.json();
    assert_eq!(
        (row["is_active"].as_bool(), row["vatrate"].as_i64(), row["stock"].to_string()),
        (Some(false), Some(21), "4.5".into())
    );
    assert_eq!((row["brand"]["name"].as_str(), row["package"]["id"].as_i64()), (Some("Noordlicht"), Some(2)));
    assert!(row.get("active").is_none() && row["createdate"] == "2026-11-25T12:00:00Z");
    assert_eq!(names(&shop.get("brands/").await, "name"), ["Keramiekhuis", "Noordlicht"]);
    shop.sandbox.clock().advance(chrono::Duration::seconds(30));
    assert_eq!(shop.patch(&path, &json!({"active": true, "discount": 21, "taxtariff": "low a"})).await.status, 204);
    let row = shop.get(&path).await.json();
    assert_eq!(
        (row["is_active"].as_bool(), row["vatrate"].as_i64(), row["modifydate"].as_str()),
        (Some(true), Some(9), Some("2026-11-25T12:00:30Z"))
    );
    // The same again changes nothing, and says so.
    let same = shop.patch(&path, &json!({"active": true, "discount": 21.0})).await;
    assert_eq!((same.status, same.code().as_str()), (500, "500.50"));
    assert_eq!(names(&shop.get("products/?orderby=modifydate_desc&size=1").await, "name"), ["Lamp"]);
    // Filters: part of the name from three letters, selling price, numbers in part.
    assert_eq!(names(&shop.get("products/?productname=am").await, "name"), [""; 0]);
    assert_eq!(names(&shop.get("products/?productname=amp").await, "name"), ["Lamp"]);
    assert_eq!(names(&shop.get("products/?minsellprice=99&maxsellprice=101").await, "name"), ["Lamp"]);
    assert_eq!(names(&shop.get("products/?active=false").await, "name"), ["Concept"]);
    assert_eq!(
        shop.get("products/?productnumber=T").await.items().len(),
        5,
        "TSHIRT, MOK-WIT, POSTER-1, DIENST-1, CONCEPT"
    );
    shop.switch(json!({"productnumber_match": "prefix"}));
    assert_eq!(names(&shop.get("products/?productnumber=T").await, "productnumber"), ["TSHIRT"]);
    shop.switch(json!({"productnumber_match": "exact"}));
    assert_eq!(names(&shop.get("products/?productnumber=mok-wit").await, "productnumber"), ["MOK-WIT"]);
    assert!(shop.get("products/?productnumber=MOK").await.items().is_empty());
    shop.switch(json!({"post_without_answer": ["brands"], "refuse_same_value": false}));
    let silent = shop.post("brands/", &json!({"name": "Stil"})).await;
    assert_eq!((silent.status, silent.text.as_str()), (204, ""));
    assert_eq!(shop.patch(&path, &json!({"active": true})).await.status, 204);
}

#[tokio::test]
async fn combinations_follow_from_values_and_cost_what_their_values_cost() {
    let shop = Ccv::open(json!({"overall_minute_limit": null})).await;
    let product =
        made(&shop, "products/", &with(lamp(), &json!({"stocktype": "Attribute", "stockenabled": true}))).await;
    let wrong = shop.post("attributes/", &json!({"name": "Snoer", "type": "dropdown"})).await;
    assert_eq!(wrong.code(), "400.10");
    let cord = made(&shop, "attributes/", &json!({"name": "Snoer", "type": "option_menu_required"})).await;
    let short =
        made(&shop, &format!("attributes/{cord}/attributevalues/"), &json!({"name": "Kort", "default_price": 0})).await;
    let long =
        made(&shop, &format!("attributes/{cord}/attributevalues/"), &json!({"name": "Lang", "default_price": 9})).await;
    let values = format!("products/{product}/productattributevalues/");
    made(&shop, &values, &json!({"optionvalue": short, "price": 0})).await;
    let last = made(&shop, &values, &json!({"optionvalue": long, "price": 10.5, "stock": 3})).await;
    assert_eq!(shop.post(&values, &json!({"optionvalue": long, "price": 1})).await.code(), "500.40");
    assert_eq!(shop.post(&values, &json!({"optionvalue": 4711, "price": 1})).await.code(), "500.24");
    let red = shop.get("attributes/1/attributevalues/").await.items()[0]["id"].clone();
    let red_id = made(&shop, &values, &json!({"optionvalue": red, "price": 2})).await;
    let list = format!("products/{product}/attributecombinations/");
    let all = shop.get(&list).await;
    assert_eq!(all.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["href", "items"], "no pages");
    let extras: Vec<String> = all.items().iter().map(|row| row["netto_extra_price"].to_string()).collect();
    assert_eq!(extras, ["2", "12.5"], "two cords in one colour, each at the sum of its values");
    let parts = all.items()[1]["combination"].as_array().unwrap().clone();
    assert_eq!(parts[0]["attribute"]["name"], "Kleur");
    assert_eq!(
        (parts[1]["attribute_value"]["name"].as_str(), parts[1]["extra_price"].to_string()),
        (Some("Lang"), "10.5".into())
    );
    // They are made by the shop alone.
    assert_eq!(shop.post(&list, &json!({"stock": 1})).await.code(), "405.10");
    let combination = all.items()[1]["id"].as_i64().unwrap();
    let path = format!("attributecombinations/{combination}/");
    assert_eq!(shop.send("DELETE", &path, None, &[]).await.code(), "405.10");
    assert_eq!(shop.patch(&path, &json!({"price": 5})).await.code(), "400.10", "a variant has no price of its own");
    assert_eq!(shop.patch(&path, &json!({"product_number": "MOK-WIT"})).await.code(), "500.40");
    let body = json!({"product_number": "LAMP-L", "stock": 7, "ean_number": "8710000009990", "sku_number": "S1"});
    assert_eq!(shop.patch(&path, &body).await.status, 204);
    assert_eq!(shop.get(&format!("products/{product}/")).await.json()["stock"], 7, "the product shows the sum");
    // Stock written to the product itself does nothing.
    assert_eq!(shop.patch(&format!("products/{product}/"), &json!({"stock": 99})).await.status, 204);
    assert_eq!(shop.get(&format!("products/{product}/")).await.json()["stock"], 7);
    let expanded =
        shop.get("products/?size=1&expand=attributecombinations,productphotos&orderby=id_desc").await.items();
    assert_eq!(expanded[0]["attributecombinations"]["collection"].as_array().unwrap().len(), 2);
    assert_eq!(expanded[0]["productphotos"]["collection"], json!([]));
    assert!(expanded[0]["productstaggeredprices"].get("collection").is_none(), "what is not asked for is an address");
    let sets = shop.get(&format!("products/{product}/productattributesets/")).await.items();
    assert_eq!(sets.iter().map(|set| set["attributename"].as_str().unwrap()).collect::<Vec<_>>(), ["Kleur", "Snoer"]);
    // By number: the product of the combination, or the combination itself.
    for query in ["productnumber=LAMP-L", "eannumber=8710000009990", "skunumber=S1"] {
        let found = shop.get(&format!("productqueries/?{query}")).await.items();
        assert_eq!((found.len(), found[0]["id"].as_i64()), (1, Some(product)), "{query}");
    }
    assert!(shop.get("productqueries/?mpnnumber=S1").await.items().is_empty());
    assert_eq!(shop.get("productqueries/").await.code(), "400.10");
    shop.switch(json!({"productqueries_items": "mixed"}));
    assert_eq!(shop.get("productqueries/?productnumber=LAMP-L").await.items()[0]["product_number"], "LAMP-L");
    // A value less, and its combinations are gone; those that stay keep their numbers.
    assert_eq!(shop.send("DELETE", &format!("productattributevalues/{last}/"), None, &[]).await.status, 204);
    assert_eq!(shop.get(&list).await.items().len(), 1);
    assert_eq!(shop.send("DELETE", &format!("productattributevalues/{red_id}/"), None, &[]).await.status, 204);
    assert_eq!(shop.get(&list).await.items().len(), 1, "an attribute less: the combination of the one that is left");
    assert_eq!(shop.send("DELETE", &format!("attributes/{cord}/"), None, &[]).await.status, 204);
    assert!(shop.get(&list).await.items().is_empty());
}

#[tokio::test]
async fn photos_are_base64_of_their_type_and_one_is_the_main_one() {
    let shop = Ccv::open(json!({"photo_bytes_max": 3000})).await;
    let photo = |name: &str, more: Value| {
        with(json!({"file_type": "png", "source": STANDARD.encode(pictures::png(name, 8))}), &more)
    };
    let path = "products/10/productphotos/";
    let first = made(&shop, path, &photo("a", json!({"alttext": "Mok", "is_mainphoto": true}))).await;
    let second = made(&shop, path, &photo("b", json!({"is_mainphoto": true}))).await;
    let mains: Vec<(i64, bool)> = shop
        .get(path)
        .await
        .items()
        .iter()
        .map(|row| (row["id"].as_i64().unwrap(), row["is_mainphoto"].as_bool().unwrap()))
        .collect();
    assert_eq!(mains, [(first, false), (second, true)]);
    let product = shop.get("products/10/").await.json();
    let link =
        product["productmainphoto"].as_str().unwrap().strip_prefix(shop.sandbox.ccv_shop_url()).unwrap().to_owned();
    let picture = shop.client.get(format!("{}{link}", shop.sandbox.ccv_shop_url())).send().await.unwrap();
    assert_eq!(picture.headers()["content-type"], "image/png");
    assert_eq!(picture.bytes().await.unwrap().to_vec(), pictures::png("b", 8));
    for (body, code) in [
        (
            json!({"file_type": "png", "source": format!("data:image/png;base64,{}", STANDARD.encode(pictures::png("c", 8)))}),
            "500.22",
        ),
        (json!({"file_type": "jpg", "source": STANDARD.encode(pictures::png("c", 8))}), "500.22"),
        (json!({"file_type": "pdf", "source": "JVBERg=="}), "500.22"),
        (photo("c", json!({"source": STANDARD.encode(pictures::png("c", 40))})), "500.21"),
        (json!({"file_type": "png", "url": "http://example.test/a.png"}), "400.10"),
        (json!({"file_type": "png"}), "400.10"),
        (photo("c", json!({"alt": "x"})), "400.10"),
    ] {
        assert_eq!(shop.post(path, &body).await.code(), code);
    }
    assert_eq!(shop.patch(&format!("productphotos/{first}/"), &json!({"is_mainphoto": true})).await.status, 204);
    assert_eq!(shop.get(&format!("productphotos/{second}/")).await.json()["is_mainphoto"], false);
    // All in one go; one bad photo, and none is replaced.
    let bad = json!({"productphotos": [photo("d", json!({})), {"file_type": "png", "source": "?"}]});
    assert_eq!(shop.send("PUT", path, Some(&bad), &[]).await.code(), "500.22");
    assert_eq!(shop.get(path).await.items().len(), 2);
    let good = json!({"productphotos": [photo("d", json!({"is_mainphoto": true}))]});
    assert_eq!(shop.send("PUT", path, Some(&good), &[]).await.status, 204);
    assert_eq!(shop.get(path).await.items().len(), 1);
    assert_eq!(shop.client.get(format!("{}{link}", shop.sandbox.ccv_shop_url())).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn categories_are_a_tree_and_products_hang_in_it_once() {
    let shop = Ccv::open(json!({})).await;
    let tree = shop.get("categorytree/").await.json();
    let roots: Vec<&str> =
        tree["root_categories"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(roots, ["Kleding", "Wonen & koken", "Diensten & overig"]);
    assert_eq!(tree["root_categories"][0]["children"][0]["name"], "Shirts");
    let below = made(&shop, "categories/", &json!({"name": "Truien", "parentcategory_id": 1})).await;
    assert_eq!(shop.post("categories/", &json!({"name": "X", "parentcategory_id": 999})).await.code(), "500.24");
    made(&shop, "categories/", &json!({"name": "Truien", "parentcategory_id": 3})).await; // names are not unique
    assert_eq!(names(&shop.get("categories/1/categories/").await, "name"), ["Truien", "Shirts"], "by position");
    assert_eq!(shop.get(&format!("categories/{below}/")).await.json()["parentcategory"]["id"], 1);
    let round = shop.patch("categories/1/", &json!({"parentcategory_id": below})).await;
    assert_eq!(round.code(), "400.10", "not below itself");
    let link = made(&shop, "producttocategories/", &json!({"product_id": 10, "category_id": below})).await;
    let again = json!({"product_id": 10, "category_id": below});
    assert_eq!(shop.post("producttocategories/", &again).await.code(), "500.40");
    assert_eq!(
        shop.post("producttocategories/", &json!({"product_id": 10, "category_id": 999})).await.code(),
        "500.24"
    );
    assert_eq!(names(&shop.get(&format!("categories/{below}/products/")).await, "productnumber"), ["MOK-WIT"]);
    let links = shop.get("products/10/producttocategories/").await.items();
    assert_eq!(links.iter().map(|row| row["category_id"].as_i64().unwrap()).collect::<Vec<_>>(), [4, below]);
    assert_eq!(shop.send("DELETE", &format!("producttocategories/{link}/"), None, &[]).await.status, 204);
    assert!(shop.get(&format!("categories/{below}/products/")).await.items().is_empty());
}

#[tokio::test]
async fn names_come_and_go_in_the_language_asked_for() {
    let shop = Ccv::open(json!({})).await;
    let name = async |language: &str| {
        let answer = shop.send("GET", "products/10/", None, &[("accept-language", language)]).await;
        answer.json()["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (name("nl").await, name("en").await, name("de").await),
        ("Mok wit".into(), "White mug".into(), "Becher weiß".into())
    );
    assert_eq!(name("fr").await, "Mok wit", "a language the shop does not have");
    let body = json!({"name": "Mug, white"});
    assert_eq!(shop.send("PATCH", "products/10/", Some(&body), &[("accept-language", "en")]).await.status, 204);
    assert_eq!((name("nl").await, name("en").await), ("Mok wit".into(), "Mug, white".into()));
}

#[tokio::test]
async fn only_the_name_of_a_user_is_there_once() {
    let shop = Ccv::open(json!({})).await;
    let user = json!({"username": "sanne@example.test", "password": "geheim", "userinfo": {"email": "sanne@example.test",
        "customertype": "b2c", "billingaddress": {"first_name": "Sanne", "last_name": "Bakker", "housenumber": 9}}});
    let id = made(&shop, "users/", &user).await;
    let stored = shop.get(&format!("users/{id}/")).await.json();
    assert_eq!(
        (stored["group_id"].as_i64(), stored["userinfo"]["billingaddress"]["last_name"].as_str()),
        (Some(1), Some("Bakker"))
    );
    assert!(!stored.to_string().contains("geheim"));
    assert_eq!(shop.post("users/", &user).await.code(), "500.40");
    let other = with(user.clone(), &json!({"username": "sanne2"}));
    made(&shop, "users/", &other).await; // the same e-mail address is no hindrance
    for (more, code) in [
        (json!({"group_id": 99}), "500.24"),
        (json!({"email": "x"}), "400.10"),
        (json!({"userinfo": {"customertype": "company"}}), "400.10"),
        (json!({"userinfo": {"deliveryaddress": {"first_name": "x"}}}), "400.10"),
        (json!({"userinfo": {"billingaddress": {"housenumber": "9"}}}), "400.10"),
    ] {
        let body = with(with(user.clone(), &json!({"username": "new"})), &more);
        assert_eq!(shop.post("users/", &body).await.code(), code, "{more}");
    }
    let change = json!({"userinfo": {"billingaddress": {"city": "Groningen"}}});
    assert_eq!(shop.patch(&format!("users/{id}/"), &change).await.status, 204);
    let stored = shop.get(&format!("users/{id}/")).await.json();
    let address = &stored["userinfo"]["billingaddress"];
    assert_eq!((address["city"].as_str(), address["last_name"].as_str()), (Some("Groningen"), Some("Bakker")));
    assert_eq!(shop.patch(&format!("users/{id}/"), &json!({"username": "peeters"})).await.code(), "500.40");
    let by_name = shop.get("users/?orderby=last_name&size=10").await;
    assert_eq!(by_name.items()[0]["userinfo"]["billingaddress"]["last_name"], "Bakker");
    assert_eq!(shop.get("usergroups/2/users/").await.items().len(), 2);
}

#[tokio::test]
async fn a_group_has_one_price_of_a_product() {
    let shop = Ccv::open(json!({})).await;
    let path = "usergroupproductadjustments/";
    let id = made(&shop, path, &json!({"product_id": 10, "usergroup_id": 2, "price": 9.5})).await;
    assert_eq!(shop.post(path, &json!({"product_id": 10, "usergroup_id": 2, "price": 9})).await.code(), "500.40");
    assert_eq!(shop.post(path, &json!({"product_id": 10, "usergroup_id": 77, "price": 9})).await.code(), "500.24");
    assert_eq!(shop.get(path).await.code(), "400.10", "a list of everything does not exist");
    let list = shop.get(&format!("{path}?usergroup_id=2")).await;
    assert_eq!((list.items().len(), list.json().get("start")), (1, None));
    assert!(shop.get(&format!("{path}?product_id=11")).await.items().is_empty());
    assert_eq!(shop.patch(&format!("{path}{id}/"), &json!({"price": 9.25})).await.status, 204);
    assert_eq!(shop.patch(&format!("{path}{id}/"), &json!({"price": 9.25})).await.code(), "500.50");
    assert_eq!(shop.send("DELETE", &format!("{path}{id}/"), None, &[]).await.status, 204);
    let steps =
        made(&shop, "products/10/productstaggeredprices/", &json!({"quantity": 10, "price": 11, "discount": 0})).await;
    let step = json!({"staggeredprice_id": steps, "usergroup_id": 2, "price": 8, "discount": 0});
    made(&shop, "usergroupstaggeredpriceadjustments/", &step).await;
    assert_eq!(shop.get("products/10/productstaggeredprices/").await.items()[0]["price"], 11);
}

#[tokio::test]
async fn orders_are_made_and_changed_but_their_rows_only_before_the_checkout() {
    let shop = Ccv::open(json!({})).await;
    let customer =
        json!({"email": "jan@example.test", "customertype": "b2c", "billingaddress": {"last_name": "de Vries"}});
    let combination = shop.get("productqueries/?productnumber=TSHIRT-ROOD-S").await.items()[0]["id"].as_i64().unwrap();
    let combinations = shop.get(&format!("products/{combination}/attributecombinations/")).await.items();
    let small = combinations.iter().find(|row| row["product_number"] == "TSHIRT-ROOD-S").unwrap();
    let body = json!({"customer": customer, "user_id": 3, "total_shipping": 6.95, "paid": true, "orderrows": [
        {"product_id": 10, "count": 2}, {"product_id": 16, "count": 1, "attribute_combination_id": small["id"]},
        {"product_name": "Los", "price": 1.5, "tax": 9, "count": 3}]});
    let id = made(&shop, "orders/", &body).await;
    let order = shop.get(&format!("orders/{id}/")).await.json();
    // Two mugs and a shirt less 5 % of the user's group: 22.876 → 22.88 and 22.933 → 22.93, 4.50, 6.95.
    assert_eq!(order["total_price"].to_string(), "57.26");
    assert_eq!((order["ordernumber_full"].as_str(), order["is_completed"].as_bool()), (Some("W1101"), Some(true)));
    assert_eq!(shop.get("products/10/").await.json()["stock"], 135, "a sale moves stock");
    assert_eq!(shop.get(&format!("attributecombinations/{}/", small["id"])).await.json()["stock"], 2);
    for (body, code) in [
        (json!({"customer": customer, "orderrows": []}), "400.10"),
        (json!({"orderrows": [{"product_id": 10, "count": 1}]}), "400.10"),
        (json!({"customer": customer, "orderrows": [{"product_id": 10, "count": 0}]}), "400.10"),
        (json!({"customer": customer, "orderrows": [{"count": 1}]}), "400.10"),
        (json!({"customer": customer, "orderrows": [{"product_id": 999, "count": 1}]}), "500.24"),
        (
            json!({"customer": customer, "orderrows": [{"product_id": 10, "count": 1, "attribute_combination_id": small["id"]}]}),
            "500.24",
        ),
        (json!({"customer": customer, "user_id": 999, "orderrows": [{"product_id": 10, "count": 1}]}), "500.24"),
    ] {
        assert_eq!(shop.post("orders/", &body).await.code(), code, "{body}");
    }
    let path = format!("orders/{id}/");
    assert_eq!(shop.patch(&path, &json!({"status": 15})).await.code(), "400.10");
    assert_eq!(shop.patch(&path, &json!({"reference": "X"})).await.code(), "400.10", "no free field on an order");
    let change = json!({"status": 5, "track_and_trace_code": "3S1", "note": "Verstuurd", "mail": true});
    assert_eq!(shop.patch(&path, &change).await.status, 204);
    assert_eq!(shop.patch(&path, &json!({"status": 5})).await.code(), "500.50");
    assert_eq!(shop.get(&format!("{path}ordernotes/")).await.items()[0]["note"], "Verstuurd");
    assert_eq!(shop.sandbox.ccv_shop().documents("_mails").len(), 1);
    let row = shop.get(&format!("{path}orderrows/")).await.items()[0]["id"].clone();
    for (method, path) in [("PATCH", format!("orderrows/{row}/")), ("PUT", format!("{path}orderrows/"))] {
        let body =
            if method == "PUT" { json!({"orderrows": [{"product_id": 10, "count": 1}]}) } else { json!({"count": 5}) };
        assert_eq!(shop.send(method, &path, Some(&body), &[]).await.code(), "500.70", "{method}");
    }
    let basket = json!({"orderrows": [{"product_id": 10, "count": 2}]});
    assert_eq!(shop.send("PUT", "orders/30/orderrows/", Some(&basket), &[]).await.status, 204);
    assert_eq!(shop.get("orders/30/").await.json()["total_price"].to_string(), "24.08");
    shop.switch(json!({"completed_means": "status"}));
    assert_eq!(shop.patch(&format!("orderrows/{row}/"), &json!({"count": 5})).await.status, 204);
    made(&shop, &format!("{path}ordernotifications/"), &json!({"type": "customer_paymentlink"})).await;
    assert_eq!(
        shop.post(&format!("{path}ordernotifications/"), &json!({"type": "paymentlink"})).await.code(),
        "400.10"
    );
    assert_eq!(shop.send("PUT", &format!("{path}orderlabels/"), Some(&json!({"labels": [1]})), &[]).await.status, 204);
    assert_eq!(shop.get(&format!("{path}orderlabels/")).await.items()[0]["label_id"], 1);
    assert_eq!(
        shop.send("PUT", &format!("{path}orderlabels/"), Some(&json!({"labels": [9]})), &[]).await.code(),
        "500.24"
    );
}

#[tokio::test]
async fn an_invoice_is_made_once_and_takes_the_number_of_another_system() {
    let shop = Ccv::open(json!({})).await;
    let id = made(&shop, "orders/32/invoices/", &json!({})).await;
    assert_eq!(shop.post("orders/32/invoices/", &json!({})).await.code(), "500.70");
    let path = format!("invoices/{id}/");
    let invoice = shop.get(&path).await.json();
    assert_eq!(
        (invoice["total_price_inc_tax"].to_string(), invoice["type"].as_str()),
        ("151.22".into(), Some("debit"))
    );
    assert_eq!(shop.get(&format!("{path}invoicerows/")).await.items().len(), 2);
    assert_eq!(shop.patch(&path, &json!({"external_reference": "26700042"})).await.status, 204);
    assert_eq!(shop.patch(&path, &json!({"status": "open"})).await.code(), "400.10");
    assert_eq!(shop.get(&path).await.json()["external_reference"], "26700042");
    let number = invoice["invoicenumber_full"].as_str().unwrap();
    assert_eq!(shop.get(&format!("invoices/?invoicenumber_full={number}")).await.items().len(), 1);
    assert_eq!(shop.get("returns/1/returnrows/").await.items()[0]["count"], 1);
    assert_eq!(shop.post("returns/", &json!({})).await.code(), "405.10");
}

#[tokio::test]
async fn settings_tell_prices_and_rates_of_vat() {
    let shop = Ccv::open(json!({"prices_include_vat": false})).await;
    let settings = shop.get("webshops/1/settings/").await.json();
    assert_eq!(
        (settings["prices_include_vat"].as_bool(), settings["order_status"].as_array().unwrap().len()),
        (Some(false), 14)
    );
    let countries = shop.get("webshops/1/geozonecountries/").await.items();
    let germany = countries.iter().find(|row| row["code"] == "DE").unwrap();
    assert_eq!(germany["tariffs"][0], json!({"type": "normal", "percentage": 19}));
    assert_eq!(
        names(&shop.get("paymethods/").await, "method"),
        ["ideal", "banktransfer", "cashondelivery", "bancontact"]
    );
    assert_eq!(names(&shop.get("packages/").await, "name").len(), 3);
    assert_eq!(shop.get("webshops/1/merchant/").await.json()["country_code"], "NL");
}

#[tokio::test]
async fn the_catalogue_and_made_up_products_are_added() {
    let shop = Ccv::open(json!({})).await;
    let inspector = shop.sandbox.ccv_shop();
    inspector.add_catalogue().unwrap();
    assert_eq!(shop.get("products/?productnumber=THEEPOT").await.items().len(), 2, "a number that is there twice");
    assert!(shop.get("products/?productnumber=KANDELAAR").await.items().is_empty());
    assert_eq!(shop.post("products/", &with(lamp(), &json!({"productnumber": "KANDELAAR"}))).await.code(), "500.40");
    assert_eq!(shop.patch("products/63/", &json!({"stock": 14})).await.status, 204);
    inspector.add_catalogue().unwrap();
    assert_eq!(shop.get("products/63/").await.json()["stock"], 14, "it is added once");
    let (status, told) = inspector.inspect("POST", "products/generate", &json!({"seed": 1, "n": 50}));
    assert_eq!((status, told["count"].as_i64()), (201, Some(50)));
    let first = shop.get("products/?productnumber=ART-1-00001").await.items();
    assert!(first[0]["eannumber"].as_str().unwrap().len() == 13 && first[0]["stockenabled"] == true);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart_and_a_reset_forgets_it() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Ccv::with(Options::default().state(folder.path()).switch("ccv-shop", json!({"page_size": 7}))).await;
    let id = made(&shop, "products/", &lamp()).await;
    assert_eq!(shop.patch("orders/23/", &json!({"status": 5})).await.status, 204);
    drop(shop); // as when the process is killed: nothing is written on the way out
    let shop = Ccv::with(Options::default().state(folder.path())).await;
    assert_eq!(shop.get(&format!("products/{id}/")).await.json()["productnumber"], "LAMP");
    assert_eq!(shop.get("orders/23/").await.json()["status"], 5);
    assert_eq!(shop.get("orders/").await.json()["size"], 7);
    assert_eq!(shop.sandbox.ccv_shop().inspect("POST", "reset", &json!({})).0, 204);
    assert_eq!(shop.get(&format!("products/{id}/")).await.code(), "500.24");
    assert_eq!(shop.get("orders/23/").await.json()["status"], 1);
    let mistake = shop.sandbox.ccv_shop().set_switches(json!({"limit_by": "key"})).unwrap_err().to_string();
    assert!(mistake.contains("limit_by \"key\" is none of resource, path"), "{mistake}");
    let mistake = shop.sandbox.ccv_shop().set_switches(json!({"auth_code": "401"})).unwrap_err().to_string();
    assert!(mistake.contains("no code of an error"), "{mistake}");
}

#[tokio::test]
async fn properties_hang_on_products_by_their_group() {
    let shop = Ccv::open(json!({})).await;
    let group = made(&shop, "productpropertygroups/", &json!({"name": "Kenmerken"})).await;
    let path = format!("productpropertygroups/{group}/productproperties/");
    assert_eq!(shop.post(&path, &json!({"name": "Merk", "type": "Words"})).await.code(), "400.10");
    let brand = made(&shop, &path, &json!({"name": "Merk", "type": "Text"})).await;
    let season = made(&shop, &path, &json!({"name": "Seizoen", "type": "Option"})).await;
    let options = format!("productproperties/{season}/productpropertyoptions/");
    made(&shop, &options, &json!({"name": "Winter"})).await;
    assert_eq!(names(&shop.get(&options).await, "name"), ["Winter"]);
    let attach = json!({"product_id": 10, "product_property_group_id": group});
    made(&shop, "producttopropertygroups/", &attach).await;
    assert_eq!(shop.post("producttopropertygroups/", &attach).await.code(), "500.40");
    let value = json!({"product_id": 10, "product_property_id": brand, "value": "Noord"});
    let id = made(&shop, "productpropertyvalues/", &value).await;
    assert_eq!(shop.post("productpropertyvalues/", &value).await.code(), "500.40");
    assert_eq!(shop.patch(&format!("productpropertyvalues/{id}/"), &json!({"value": "Zuid"})).await.status, 204);
    let shown = shop.get("products/10/producttopropertygroups/").await.items();
    let values = shown[0]["values"]["collection"].as_array().unwrap();
    assert_eq!((values.len(), values[0]["value"].as_str()), (1, Some("Zuid")));
    assert_eq!(shop.get("productpropertyvalues/").await.code(), "405.10", "there is no list of all values");
    // Names are there once, folders hold properties, lists hold options.
    assert_eq!(shop.post("productpropertygroups/", &json!({"name": "kenmerken"})).await.code(), "500.40");
    assert_eq!(shop.post(&path, &json!({"name": "MERK"})).await.code(), "500.40");
    assert_eq!(shop.post(&path, &json!({"name": "Onder", "parent": brand})).await.code(), "500.70");
    let folder = made(&shop, &path, &json!({"name": "Maten", "type": "Group"})).await;
    made(&shop, &path, &json!({"name": "Hoogte", "parent": folder, "type": "Price"})).await;
    let of_brand = format!("productproperties/{brand}/productpropertyoptions/");
    assert_eq!(shop.post(&of_brand, &json!({"name": "x"})).await.code(), "500.70");
    // A value is of its property's type, and its group is on the product.
    let value = |product: i64, property: i64, value: &str| json!({"product_id": product, "product_property_id": property, "value": value});
    for (body, code) in [
        (value(10, season, "Zomer"), "400.10"),
        (value(10, season, ""), "400.10"),
        (value(10, folder, "x"), "500.70"),
        (value(11, brand, "Noord"), "500.70"),
        (value(10, 9999, "x"), "500.24"),
    ] {
        assert_eq!(shop.post("productpropertyvalues/", &body).await.code(), code, "{body}");
    }
    made(&shop, "productpropertyvalues/", &value(10, season, "Winter")).await;
    // Asked for with its product, in each of the forms that it may have.
    let expanded = async || {
        shop.get("products/10/?expand=producttopropertygroups").await.json()["producttopropertygroups"].clone()
    };
    assert_eq!(expanded().await["collection"][0]["values"]["collection"].as_array().unwrap().len(), 2);
    shop.switch(json!({"expanded_properties": "links"}));
    assert_eq!(expanded().await["collection"][0]["values"], serde_json::Value::Null);
    shop.switch(json!({"expanded_properties": "address"}));
    assert!(expanded().await.get("collection").is_none());
    // What goes takes along what hangs on it.
    assert_eq!(shop.send("DELETE", &format!("productproperties/{brand}/"), None, &[]).await.status, 204);
    assert_eq!(shop.get(&format!("productpropertyvalues/{id}/")).await.code(), "500.24");
    assert_eq!(shop.send("DELETE", &format!("productpropertygroups/{group}/"), None, &[]).await.status, 204);
    assert!(shop.get("products/10/producttopropertygroups/").await.items().is_empty());
}

#[tokio::test]
async fn any_error_can_be_asked_for() {
    let shop = Ccv::open(json!({"refusals": {"POST products": "501.30", "GET orders": "500.10"}})).await;
    let answer = shop.post("products/", &lamp()).await;
    assert_eq!((answer.status, answer.code().as_str()), (501, "501.30"));
    assert_eq!(shop.get("orders/").await.code(), "500.10");
    assert_eq!(shop.get("products/").await.status, 200);
    let mistake = shop.sandbox.ccv_shop().set_switches(json!({"refusals": {"GET orders": "busy"}})).unwrap_err();
    assert!(mistake.to_string().contains("GET orders \"busy\" is no code"), "{mistake}");
    shop.switch(json!({"refusals": {}, "multishop_readonly_properties": ["price"]}));
    assert_eq!(shop.patch("products/10/", &json!({"price": 1})).await.code(), "500.70");
    assert_eq!(shop.patch("products/10/", &json!({"stock": 1})).await.status, 204);
    // The old name of the tariff, where the shop still knows it.
    let mut old = lamp();
    old.as_object_mut().unwrap().shift_remove("taxtariff");
    old["vatrate"] = json!(9);
    assert_eq!(shop.post("products/", &old).await.code(), "400.10");
    shop.switch(json!({"vatrate": "accept"}));
    let id = made(&shop, "products/", &old).await;
    assert_eq!(shop.get(&format!("products/{id}/")).await.json()["taxtariff"], "low a");
}
