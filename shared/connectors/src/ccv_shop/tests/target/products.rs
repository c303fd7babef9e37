//! Products, their variations, categories and pictures.

use super::*;

fn mug(number: &str) -> Value {
    json!({
        "productnumber": number, "name": "Mug", "active": true, "price": "12.50", "eannumber": "8710000000024", "weight": "0.35",
        "_vat_percent": "9", "_prices_include_vat": true, "_categories": [["Wonen & koken", "Mokken"], ["New", "Deeper"]],
        "_pictures": [],
    })
}

fn picture(content: &str) -> Picture {
    Picture {
        url: "https://books.test/mug.png".into(),
        name: "mug.png".into(),
        media_type: "image/png".into(),
        sha256: format!("hash of {content}"),
        bytes: [b"\x89PNG\r\n\x1a\n".as_slice(), content.as_bytes()].concat(),
    }
}

fn shown(version: &str) -> Value {
    json!([{ "url": "https://books.test/mug.png", "version": version, "name": "Mug" }])
}

#[tokio::test]
async fn a_product_is_made_found_and_changed_by_field() {
    for switches in [
        json!({}),
        json!({ "post_without_answer": ["products", "categories", "producttocategories", "productphotos"] }),
    ] {
        let shop = Shop::new(switches, json!({ "package": "Pakket" })).await;
        let mut new = change("NEW-1", None, mug("NEW-1"));
        new.fields.insert("_pictures".into(), shown("1"));
        new.pictures = vec![picture("one")];
        let id = shop.one(Entity::Products, new).await.unwrap().id;
        let row = shop.row("products", "productnumber", &json!("NEW-1"));
        assert_eq!(
            (row["id"].to_string(), &row["price"], &row["taxtariff"]),
            (id.clone(), &json!(12.5), &json!("low a"))
        );
        assert_eq!((&row["package_id"], &row["discount"], &row["is_active"]), (&json!(2), &json!(0), &json!(true)));

        let found = shop.find(Entity::Products, "NEW-1").await.remove(0);
        assert_eq!(found.id, id);
        let fields = &found.fields;
        assert_eq!(
            (&fields["price"], &fields["active"], &fields["_vat_percent"]),
            (&json!("12.5"), &json!(true), &json!("9"))
        );
        assert_eq!(fields["_categories"], json!([["Wonen & koken", "Mokken"], ["New", "Deeper"]]));
        assert_eq!((&fields["_pictures"], &fields["_prices_include_vat"]), (&shown("1"), &json!(true)));
        assert_eq!(shop.count("categories"), 7, "two were missing");
        // What was sent is what a reader of the shop gets.
        let source = shop.world.source();
        let read = source.fetch_one(Entity::Products, &key(&id), &shop.world.calls).await.unwrap().unwrap();
        let address = read.raw["photos"][0]["deeplink"].as_str().unwrap();
        let photo = source.fetch_picture(address, &shop.world.calls).await.unwrap().unwrap();
        assert_eq!((photo.media_type.as_str(), photo.bytes), ("image/png", picture("one").bytes));

        // One field is one call; the same picture under a new version is none.
        let (results, calls) =
            shop.send(Entity::Products, &[change("NEW-1", Some(&id), json!({ "name": "Mok" }))]).await;
        assert!(results[0].is_ok());
        assert_eq!((calls, &shop.row("products", "productnumber", &json!("NEW-1"))["name"]), (1, &json!("Mok")));
        let mut same = change("NEW-1", Some(&id), json!({ "_pictures": shown("2") }));
        same.pictures = vec![picture("one")];
        assert_eq!(shop.send(Entity::Products, &[same]).await.1, 0);
        let mut other = change("NEW-1", Some(&id), json!({ "_pictures": shown("3"), "_categories": [["Kleding"]] }));
        other.pictures = vec![picture("two")];
        assert!(shop.one(Entity::Products, other).await.is_ok());
        let photos = shop.world.sandbox.ccv_shop().documents("productphotos");
        let photos = photos.iter().filter(|photo| photo["product_id"].as_u64() == id.parse().ok()).count();
        assert_eq!(photos, 1, "the one before is gone");
        let found = shop.find(Entity::Products, "NEW-1").await.remove(0);
        assert_eq!((&found.fields["_pictures"], &found.fields["_categories"]), (&shown("3"), &json!([["Kleding"]])));
        assert!(shop.one(Entity::Products, change("NEW-1", Some(&id), json!({ "_pictures": [] }))).await.is_ok());
        assert_eq!(shop.find(Entity::Products, "NEW-1").await[0].fields["_pictures"], json!([]));
    }
}

fn shirt(prices: [&str; 3]) -> Value {
    let variation = |sku: &str, size: &str, colour: &str, price: &str| {
        json!({
            "sku": sku, "price": price, "active": true, "ean": format!("87{sku}"),
            "choices": [{ "name": "Maat", "option": size }, { "name": "Tint", "option": colour }],
        })
    };
    json!({
        "productnumber": "POLO", "name": "Polo", "active": true, "_vat_percent": "21", "_prices_include_vat": true,
        "_pictures": [], "_variations": [
            variation("POLO-S-G", "S", "Green", prices[0]),
            variation("POLO-XL-G", "XL", "Green", prices[1]),
            variation("POLO-S-B", "S", "Black", prices[2]),
        ],
    })
}

#[tokio::test]
async fn variations_become_combinations_with_additive_prices() {
    let shop = Shop::new(json!({ "post_without_answer": ["attributes", "attributevalues"] }), json!({})).await;
    let id = shop.one(Entity::Products, change("POLO", None, shirt(["20", "22.5", "21"]))).await.unwrap().id;
    assert_eq!(shop.row("products", "productnumber", &json!("POLO"))["price"], 20);
    let attributes = shop.world.sandbox.ccv_shop().documents("attributes");
    assert_eq!(attributes.iter().filter(|row| row["name"] == "Maat").count(), 1, "the shop had that one");
    assert_eq!(shop.row("attributes", "name", &json!("Tint"))["type"], "option_menu_required");
    let combinations = || {
        let rows = shop.world.sandbox.ccv_shop().documents("attributecombinations");
        rows.into_iter().filter(|row| row["product_id"].as_u64() == id.parse().ok()).collect::<Vec<_>>()
    };
    let active = |rows: &[Value]| rows.iter().filter(|row| row["active"] == true).count();
    assert_eq!((combinations().len(), active(&combinations())), (4, 3), "the fourth is sold by nobody");

    let found = shop.find(Entity::Products, "POLO").await.remove(0);
    let mut prices: Vec<(String, String)> = found.fields["_variations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["sku"].as_str().unwrap().to_owned(), one["price"].as_str().unwrap().to_owned()))
        .collect();
    prices.sort();
    let pair = |sku: &str, price: &str| (sku.to_owned(), price.to_owned());
    assert_eq!(prices, [pair("POLO-S-B", "21"), pair("POLO-S-G", "20"), pair("POLO-XL-G", "22.5")]);
    // A combination by its own number.
    let one = shop.find(Entity::Products, "POLO-XL-G").await.remove(0);
    assert_eq!((one.id.split('/').next(), &one.fields["price"]), (Some(id.as_str()), &json!("22.5")));

    // Another price, and one that is not sold any more.
    let mut wanted = shirt(["19", "23", "21"]);
    wanted["_variations"].as_array_mut().unwrap().remove(2);
    let fields = json!({ "_variations": wanted["_variations"] });
    assert!(shop.one(Entity::Products, change("POLO", Some(&id), fields)).await.is_ok());
    let rows = combinations();
    assert_eq!(active(&rows), 2);
    let gone = rows.iter().find(|row| row["note"].as_str().is_some_and(|note| note.starts_with("POLO-S-B"))).unwrap();
    assert_eq!((&gone["active"], &gone["product_number"]), (&json!(false), &json!("")));
    let found = shop.find(Entity::Products, "POLO").await.remove(0);
    assert_eq!(found.fields["_variations"].as_array().map(Vec::len), Some(2));

    // The same once more changes nothing.
    let (results, _) = shop
        .send(Entity::Products, &[change("POLO", Some(&id), json!({ "_variations": wanted["_variations"] }))])
        .await;
    assert!(results[0].is_ok());
    let written = shop.world.calls.take();
    let written = written
        .iter()
        .rev()
        .take_while(|exchange| exchange.method != "PATCH" || !exchange.path.contains("products/"))
        .count();
    assert_eq!(written, 2, "values and combinations of the product are read, nothing is written");
}

#[tokio::test]
async fn what_the_shop_cannot_show_is_refused_before_anything_is_written() {
    let shop = Shop::new(json!({}), json!({})).await;
    let before = shop.count("products");
    let mut four = shirt(["20", "22", "21"]);
    let fourth = json!({ "sku": "P4", "price": "99", "active": true, "choices": [{ "name": "Maat", "option": "XL" }, { "name": "Tint", "option": "Black" }] });
    four["_variations"].as_array_mut().unwrap().push(fourth);
    let with = |field: &str, value: Value| {
        let mut fields = mug("NEW-2");
        fields[field] = value;
        fields
    };
    let without = |field: &str| with(field, Value::Null);
    for (fields, expected) in [
        (four, "reject prices_not_additive"),
        (with("_prices_include_vat", json!(false)), "settings prices_differ_in_vat"),
        (with("_vat_percent", json!("17")), "reject unknown_vat_percent"),
        (without("_vat_percent"), "reject no_tariff"),
        (without("price"), "reject no_price"),
        (with("price", json!("12,50")), "reject bad_value"),
        (with("productnumber", json!("X".repeat(51))), "reject text_too_long"),
    ] {
        assert_eq!(code(shop.one(Entity::Products, change("NEW-2", None, fields)).await), expected);
    }
    assert_eq!(shop.count("products"), before);
    let combination = shop.find(Entity::Products, "TSHIRT-ROOD-S").await.remove(0);
    let priced = change("TSHIRT-ROOD-S", Some(&combination.id), json!({ "price": "9" }));
    assert_eq!(code(shop.one(Entity::Products, priced).await), "reject price_of_combination");
    let renamed = change("TSHIRT-ROOD-S", Some(&combination.id), json!({ "name": "x", "eannumber": "871" }));
    assert!(shop.one(Entity::Products, renamed).await.is_ok());
    assert_eq!(shop.row("attributecombinations", "product_number", &json!("TSHIRT-ROOD-S"))["ean_number"], "871");
}

#[tokio::test]
async fn a_product_whose_answer_was_lost_is_found_and_not_made_twice() {
    let shop = Shop::new(json!({}), json!({})).await;
    let lost = FaultRule {
        method: Some("POST".into()),
        path: Some("products/".into()),
        ..FaultRule::new(FaultAction::AnswerLost)
    };
    shop.world.sandbox.fault("ccv-shop", lost).unwrap();
    let result = shop.one(Entity::Products, change("NEW-3", None, mug("NEW-3"))).await;
    assert!(matches!(&result, Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })), "{result:?}");
    assert_eq!(shop.find(Entity::Products, "NEW-3").await.len(), 1);

    // When what hangs on a new product fails, the product is there: whoever tries again has to look first.
    let down = FaultRule {
        method: Some("POST".into()),
        path: Some("producttocategories".into()),
        ..FaultRule::new(FaultAction::HtmlPage)
    };
    shop.world.sandbox.fault("ccv-shop", down).unwrap();
    let result = shop.one(Entity::Products, change("NEW-4", None, mug("NEW-4"))).await;
    assert!(matches!(&result, Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, .. })), "{result:?}");
    assert_eq!(shop.find(Entity::Products, "NEW-4").await.len(), 1);
}

#[tokio::test]
async fn a_catalogue_is_read_once_for_a_run_and_again_for_what_is_new() {
    let shop = Shop::new(json!({ "unique_product_numbers": false }), json!({})).await;
    let names = ["MOK-WIT", "KOFFIE", "POSTER-1", "TSHIRT-ROOD-S", "GRAV"].map(key);
    let find = async || shop.target.find_records(Entity::Products, &names, &shop.world.calls).await.unwrap();
    assert_eq!(find().await.len(), 5);
    let after = shop.world.calls.count();
    find().await;
    assert_eq!(shop.world.calls.count(), after);
    // Somebody else makes one more with a number that is there: nobody may guess which of them is meant.
    let other = CcvShopTarget::new(&shop.world.connection, &shop.world.deps).unwrap();
    let twice = change("MOK-WIT", None, mug("MOK-WIT"));
    assert!(other.send_records(Entity::Products, &[twice], &shop.world.calls).await.unwrap()[0].is_ok());
    shop.world.forward(61);
    assert_eq!(find().await[&key("MOK-WIT")].len(), 2);
    let missing = ["MOK-WIT", "KOFFIE", "POSTER-1", "NOPE"].map(key);
    let before = shop.world.calls.count();
    shop.target.find_records(Entity::Products, &missing, &shop.world.calls).await.unwrap();
    assert!(shop.world.calls.count() > before, "what is not in it may have been made since");
}

#[tokio::test]
async fn a_full_shop_is_a_matter_of_settings_and_a_refused_picture_of_nobody() {
    let shop = Shop::new(json!({ "photo_bytes_max": 4 }), json!({})).await;
    let mut new = change("NEW-5", None, mug("NEW-5"));
    new.fields.insert("_pictures".into(), shown("1"));
    new.pictures = vec![picture("much too large")];
    assert!(shop.one(Entity::Products, new).await.is_ok(), "a picture holds back no price");
    shop.world.sandbox.ccv_shop().set_switches(json!({ "product_limit": shop.count("products") })).unwrap();
    assert_eq!(code(shop.one(Entity::Products, change("NEW-6", None, mug("NEW-6"))).await), "settings product_limit");
}
