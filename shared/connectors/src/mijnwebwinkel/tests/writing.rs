//! The target against the stand-in of MijnWebwinkel, in its strictest form.

use std::collections::BTreeMap;

use koppel_core::document::{
    Address, Attribute, Category, Company, Customer, DocumentType, Entity, Image, Person, Product, ProductKind,
    StockLevel, Variation,
};
use koppel_core::error::RetryReason;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Existing, Picture};
use koppel_core::ports::{Sent, Target};
use koppel_core::{Failure, NonEmpty};
use koppel_sandbox::{FaultAction, FaultRule};
use serde_json::{Map, Value, json};

use super::{World, by_hand, d, key, write};
use crate::mijnwebwinkel::MijnWebwinkelTarget;

fn keys(all: &[&str]) -> Vec<NonEmpty> {
    all.iter().map(|one| key(one)).collect()
}

async fn find(
    world: &World,
    target: &MijnWebwinkelTarget,
    entity: Entity,
    all: &[&str],
) -> BTreeMap<NonEmpty, Vec<Existing>> {
    target.find_records(entity, &keys(all), &world.calls).await.unwrap()
}

fn change(key_text: &str, id: Option<&str>, fields: Map<String, Value>) -> Change {
    let action = id.map_or(Action::Create, |id| Action::Update { id: id.into() });
    Change { key: key(key_text), action, fields, pictures: Vec::new() }
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

async fn send(
    world: &World,
    target: &MijnWebwinkelTarget,
    entity: Entity,
    changes: &[Change],
) -> Vec<Result<Sent, Failure>> {
    target.send_records(entity, changes, &world.calls).await.unwrap()
}

fn stock(quantity: i64) -> Map<String, Value> {
    let level = StockLevel { available: quantity.into(), manage_stock: true, ..StockLevel::default() };
    write(Entity::Stock, "stock", &level)
}

fn mug() -> Product {
    Product {
        sku: "MOK-BLAUW".into(),
        name: "Mok blauw".into(),
        description: "<p>Steengoed</p>".into(),
        price: Some(d("12.1")),
        price_includes_tax: true,
        published: true,
        gtin: "8710000000031".into(),
        weight_kg: Some(d("0.4")),
        categories: vec![Category {
            code: String::new(),
            path: vec!["Assortiment".into(), "Servies".into(), "Mokken".into()],
        }],
        attributes: vec![Attribute { name: "Materiaal".into(), values: vec!["Steengoed".into()], varies: false }],
        ..Product::default()
    }
}

fn jumper() -> Product {
    let choice = |name: &str, value: &str| Attribute { name: name.into(), values: vec![value.into()], varies: true };
    let variation = |colour: &str, size: &str| Variation {
        sku: format!("TRUI-{}-{size}", colour.to_uppercase()),
        price: Some(d("60.5")),
        published: true,
        attributes: vec![choice("Kleur", colour), choice("Maat", size)],
        ..Variation::default()
    };
    Product {
        sku: "TRUI".into(),
        name: "Trui".into(),
        kind: ProductKind::Variable,
        price_includes_tax: true,
        published: true,
        categories: vec![Category { code: String::new(), path: vec!["Assortiment".into(), "Kleding".into()] }],
        attributes: vec![
            Attribute { name: "Kleur".into(), values: vec!["Rood".into(), "Groen".into()], varies: true },
            Attribute { name: "Maat".into(), values: vec!["S".into(), "M".into()], varies: true },
        ],
        variations: vec![
            variation("Rood", "S"),
            variation("Rood", "M"),
            variation("Groen", "S"),
            variation("Groen", "M"),
        ],
        ..Product::default()
    }
}

#[tokio::test]
async fn numbers_are_found_by_a_list_that_is_kept_and_only_changes_are_read_again() {
    let world = World::new(json!({}), json!({})).await;
    world.shop().inspect("POST", "articles/generate", &json!({"seed": 1, "n": 250}));
    world.shop().add_catalogue().unwrap();
    let target = world.target();
    world.shop().reset_calls();
    let found =
        find(&world, &target, Entity::Stock, &["MOK-WIT", "TSHIRT-BLAUW-L", "THEEPOT", "ART-1-00250", "NERGENS"]).await;
    // Three pages of all, two looks for new ones among 260 (three pages), one for the articles themselves.
    assert_eq!(found[&key("MOK-WIT")][0].fields, fields(json!({"manage_stock": true, "stock_quantity": 120})));
    assert_eq!(found[&key("TSHIRT-BLAUW-L")][0].id, "506/7106");
    assert_eq!(found[&key("THEEPOT")].len(), 2, "a number that is there twice gives both");
    assert!(!found.contains_key(&key("NERGENS")));
    world.sandbox.clock().advance(chrono::Duration::hours(3));
    world.shop().reset_calls();
    // Another process, with the same store. What was made just before the first look is read once more.
    let other = world.target();
    find(&world, &other, Entity::Stock, &["MOK-WIT"]).await;
    world.shop().reset_calls();
    find(&world, &other, Entity::Stock, &["MOK-WIT", "ART-1-00001", "GRAV-G"]).await;
    find(&world, &other, Entity::Stock, &["KOFFIE"]).await;
    assert_eq!(world.shop().total_calls(), 4, "two a look: {:?}", world.shop().calls());
    // A thousand more calls of a day do not read all again; a day later everything is, and what is gone is noticed.
    world.shop().inspect("DELETE", "articles/501", &json!({}));
    assert!(find(&world, &other, Entity::Stock, &["MOK-WIT"]).await.is_empty(), "gone, whatever the list says");
    world.sandbox.clock().advance(chrono::Duration::hours(25));
    world.shop().reset_calls();
    find(&world, &other, Entity::Stock, &["KOFFIE"]).await;
    assert_eq!(world.shop().calls()["GET articles"], 4, "three pages of all, and the article");
}

#[tokio::test]
async fn a_reading_of_all_goes_on_where_it_was_stopped() {
    let world = World::new(json!({}), json!({})).await;
    world.shop().inspect("POST", "articles/generate", &json!({"seed": 1, "n": 450}));
    let target = world.target();
    world.shop().fault(FaultRule::new(FaultAction::HtmlPage).path("offset=297")).unwrap();
    let stopped = target.find_records(Entity::Stock, &keys(&["ART-1-00001"]), &world.calls).await.unwrap_err();
    assert!(matches!(stopped, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{stopped}");
    world.shop().reset_calls();
    let found = find(&world, &world.target(), Entity::Stock, &["MOK-WIT", "ART-1-00001", "ART-1-00450"]).await;
    assert_eq!(found.len(), 3);
    assert_eq!(
        world.shop().calls()["GET articles"],
        3,
        "the two last pages, and the articles: {:?}",
        world.shop().log().len()
    );
}

#[tokio::test]
async fn all_variants_of_an_article_go_with_one_call() {
    let world = World::new(json!({}), json!({})).await;
    let target = world.target();
    let all = ["TSHIRT-ROOD-S", "TSHIRT-ROOD-M", "TSHIRT-BLAUW-L", "MOK-WIT", "KOFFIE"];
    let found = find(&world, &target, Entity::Stock, &all).await;
    assert_eq!(found[&key("KOFFIE")][0].fields, fields(json!({"manage_stock": false, "stock_quantity": null})));
    let changes: Vec<Change> = all
        .iter()
        .enumerate()
        .map(|(at, sku)| change(sku, Some(&found[&key(sku)][0].id), stock(at as i64 + 1)))
        .collect();
    world.shop().reset_calls();
    let results = send(&world, &target, Entity::Stock, &changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.shop().calls()["PATCH articles/{id}"], 3);
    let shirt = world.row("articles", 506);
    let there: Vec<i64> =
        shirt["variants"].as_array().unwrap().iter().map(|one| one["stock"].as_i64().unwrap()).collect();
    assert_eq!(there, [1, 2, 10, 10, 10, 3]);
    assert_eq!((&world.row("articles", 501)["stock"], &world.row("articles", 503)["stock"]), (&json!(4), &json!(5)));
    // Not to be counted any longer: null is without end. A variant is always counted.
    let unlimited = write(Entity::Stock, "stock", &StockLevel::default());
    let changes = [
        change("MOK-WIT", Some("501"), unlimited.clone()),
        change("TSHIRT-ROOD-S", Some("506/7101"), unlimited),
        change("NIEUW", None, stock(1)),
        change("KOFFIE", Some("503"), fields(json!({"manage_stock": true, "stock_quantity": "1.5"}))),
        change("WEG", Some("999"), stock(2)),
    ];
    let results = send(&world, &target, Entity::Stock, &changes).await;
    let codes: Vec<&str> =
        results.iter().map(|one| one.as_ref().err().map_or("", |failure| failure.cause().code.as_str())).collect();
    assert_eq!(codes, ["", "variant_stock_is_counted", "not_in_target", "bad_value", "gone_from_target"]);
    assert_eq!(world.row("articles", 501)["stock"], Value::Null);
}

#[tokio::test]
async fn a_full_minute_leaves_the_rest_for_later() {
    let world = World::new(json!({"minute_limit": 60}), json!({"calls_per_minute": 60})).await;
    world.sandbox.clock().freeze("2026-11-26T10:00:00Z".parse().unwrap());
    world.shop().inspect("POST", "articles/generate", &json!({"seed": 1, "n": 80}));
    let target = world.target();
    let all: Vec<String> = (1..=80).map(|at| format!("ART-1-{at:05}")).collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = find(&world, &target, Entity::Stock, &names).await;
    let changes: Vec<Change> = names.iter().map(|sku| change(sku, Some(&found[&key(sku)][0].id), stock(777))).collect();
    let results = send(&world, &target, Entity::Stock, &changes).await;
    assert_eq!(results.len(), 80);
    let done = results.iter().filter(|one| one.is_ok()).count();
    assert!((50..60).contains(&done), "{done}");
    let is_throttled =
        |one: &Result<Sent, Failure>| matches!(one, Err(Failure::Retry { reason: RetryReason::Throttled, .. }));
    assert!(results.iter().filter(|one| one.is_err()).all(is_throttled));
    assert_eq!(world.shop().documents("articles").iter().filter(|row| row["stock"] == 777).count(), done);
}

#[tokio::test]
async fn an_article_is_made_with_categories_and_fields_and_then_unchanged() {
    let world = World::new(json!({}), json!({})).await;
    let target = world.target();
    assert!(find(&world, &target, Entity::Products, &["MOK-BLAUW"]).await.is_empty());
    let wanted = write(Entity::Products, "product", &mug());
    let results = send(&world, &target, Entity::Products, &[change("MOK-BLAUW", None, wanted.clone())]).await;
    let id = results[0].as_ref().unwrap().id.clone();
    let row = world.row("articles", id.parse().unwrap());
    assert_eq!((&row["name"], &row["price"]["default"]), (&json!("Mok blauw"), &json!("12.10")));
    assert_eq!(
        row["extra"],
        json!({"visible": {"Materiaal": "Steengoed"}, "invisible": {"barcode": "8710000000031", "weight": "0.4"}})
    );
    assert_eq!(world.shop().documents("categories").len(), 5, "two were made below the one that was there");
    let found = find(&world, &target, Entity::Products, &["MOK-BLAUW"]).await;
    assert_eq!(differences(&wanted, &found[&key("MOK-BLAUW")][0].fields), Map::new());
    // Hidden, moved and dearer: one call for the state, one for the change; nothing else of it moves.
    let mut product = mug();
    product.published = false;
    product.price = Some(d("13"));
    product.categories[0].path = vec!["Assortiment".into()];
    let wanted = write(Entity::Products, "product", &product);
    let changed = differences(&wanted, &found[&key("MOK-BLAUW")][0].fields);
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["price", "status", "_categories"]);
    world.shop().reset_calls();
    let results = send(&world, &target, Entity::Products, &[change("MOK-BLAUW", Some(&id), changed)]).await;
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(world.shop().total_calls(), 2);
    let row = world.row("articles", id.parse().unwrap());
    assert_eq!((row["categories"].as_array().unwrap().len(), &row["categories"][0]["is_active"]), (1, &json!(false)));
    assert_eq!((&row["price"]["default"], &row["description"]), (&json!("13.00"), &json!("<p>Steengoed</p>")));
}

/// Stands for the comparison of flows: what is wanted and not there.
fn differences(wanted: &Map<String, Value>, there: &Map<String, Value>) -> Map<String, Value> {
    fn normal(value: &Value) -> Value {
        match value {
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) => {
                text.parse::<rust_decimal::Decimal>().map_or(value.clone(), |n| json!(n.normalize().to_string()))
            }
            Value::Number(number) => json!(number.to_string()),
            Value::Array(list) if list.is_empty() => Value::Null,
            other => other.clone(),
        }
    }
    fn is_there(wanted: &Value, there: &Value) -> bool {
        match (wanted, there) {
            (Value::Object(wanted), Value::Object(there)) => wanted
                .iter()
                .filter(|(_, v)| !v.is_null())
                .all(|(name, v)| is_there(v, there.get(name).unwrap_or(&Value::Null))),
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().all(|a| other.iter().any(|b| is_there(a, b)))
            }
            _ => normal(wanted) == normal(there),
        }
    }
    let nothing = Value::Null;
    let differs =
        |(name, value): &(&String, &Value)| !value.is_null() && !is_there(value, there.get(*name).unwrap_or(&nothing));
    wanted.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[tokio::test]
async fn what_the_shop_would_misread_is_refused_with_the_way_out() {
    let world = World::new(json!({}), json!({})).await;
    let target = world.target();
    let of = |product: &Product| change(&product.sku, None, write(Entity::Products, "product", product));
    let without = Product { price_includes_tax: false, ..mug() };
    let no_category = Product { categories: Vec::new(), ..mug() };
    let mut unknown = of(&mug());
    unknown.fields.insert("discription".into(), json!("x"));
    let mut long = of(&mug());
    long.fields.insert("name".into(), json!("x".repeat(256)));
    let changes = [of(&without), of(&no_category), unknown, long, of(&jumper())];
    let results = send(&world, &target, Entity::Products, &changes).await;
    let said: Vec<(String, String)> = results
        .iter()
        .map(|one| one.as_ref().unwrap_err())
        .map(|failure| (format!("{} {}", failure.class(), failure.cause().code), failure.to_string()))
        .collect();
    let codes: Vec<&str> = said.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(
        codes,
        [
            "settings price_terms",
            "settings no_category",
            "settings unknown_field",
            "reject bad_value",
            "settings no_list"
        ]
    );
    for (at, part) in [
        (0, "prices_include_tax: true"),
        (1, "fallback_category"),
        (2, "did you mean «description»?"),
        (4, "article_lists: { Kleur:"),
    ] {
        assert!(said[at].1.contains(part), "{}", said[at].1);
    }
    assert_eq!(world.shop().documents("articles").len(), 7, "nothing was made");
    for entity in [Entity::Prices, Entity::Orders] {
        let failure = target.find_records(entity, &keys(&["X"]), &world.calls).await.unwrap_err();
        assert!(
            matches!(&failure, Failure::Settings(cause) if cause.message.contains("MijnWebwinkel") && cause.advice.is_some()),
            "{failure}"
        );
    }
    let failure = target.find_documents(DocumentType::SalesOrder, &[], &world.calls).await.unwrap_err();
    assert!(failure.to_string().contains("MijnWebwinkel"), "{failure}");
}

#[tokio::test]
async fn variants_come_from_lists_that_are_there_with_options_that_are_added() {
    let world = World::new(json!({}), json!({"article_lists": {"Kleur": "31", "Maat": "32"}})).await;
    let target = world.target();
    let wanted = write(Entity::Products, "product", &jumper());
    let results = send(&world, &target, Entity::Products, &[change("TRUI", None, wanted.clone())]).await;
    let id = results[0].as_ref().unwrap().id.clone();
    let row = world.row("articles", id.parse().unwrap());
    assert_eq!((row["variants"].as_array().unwrap().len(), &row["price"]["default"]), (4, &json!("60.50")));
    assert_eq!(world.row("lists", 31)["options"].as_array().unwrap().len(), 3, "green was added");
    let found = find(&world, &target, Entity::Products, &["TRUI", "TRUI-GROEN-M"]).await;
    assert_eq!(differences(&wanted, &found[&key("TRUI")][0].fields), Map::new());
    let green = found[&key("TRUI-GROEN-M")][0].id.clone();
    assert!(green.starts_with(&format!("{id}/")), "{green}");
    // The books know the variation as an article of its own: it is there, and nothing of it is written here.
    world.shop().reset_calls();
    let own = change("TRUI-GROEN-M", Some(&green), fields(json!({"name": "Trui groen M", "price": {"default": "1"}})));
    assert!(send(&world, &target, Entity::Products, &[own]).await[0].is_ok());
    assert_eq!(world.shop().total_calls(), 0);
    // Its stock is.
    send(&world, &target, Entity::Stock, &[change("TRUI-GROEN-M", Some(&green), stock(9))]).await;
    assert_eq!(world.row("articles", id.parse().unwrap())["variants"][3]["stock"], 9);
    // Fewer sizes: the options that are named replace those that were there; the others keep their stock.
    let mut fewer = jumper();
    fewer.attributes[1].values = vec!["M".into()];
    fewer.variations.retain(|one| one.sku.ends_with("-M"));
    let there = &found[&key("TRUI")][0].fields;
    let changed = differences(&write(Entity::Products, "product", &fewer), there);
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["_lists", "_variations"]);
    let results = send(&world, &target, Entity::Products, &[change("TRUI", Some(&id), changed)]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let row = world.row("articles", id.parse().unwrap());
    assert_eq!((row["variants"].as_array().unwrap().len(), &row["variants"][1]["stock"]), (2, &json!(9)));
    // One price for all, and numbers by the rule.
    let mut dear = jumper();
    dear.sku = "VEST".into();
    dear.variations.iter_mut().for_each(|one| one.sku = one.sku.replace("TRUI", "VEST"));
    dear.variations[3].price = Some(d("70"));
    let mut odd = dear.clone();
    odd.variations[3].price = Some(d("60.5"));
    odd.variations[0].sku = "4711".into();
    let changes = [&dear, &odd].map(|one| change("VEST", None, write(Entity::Products, "product", one)));
    let results = send(&world, &target, Entity::Products, &changes).await;
    let said: Vec<&Failure> = results.iter().map(|one| one.as_ref().unwrap_err()).collect();
    assert_eq!((said[0].cause().code.as_str(), said[1].cause().code.as_str()), ("one_price", "variant_number"));
    assert!(said[1].to_string().contains("«VEST-ROOD-S»"), "{}", said[1]);
}

#[tokio::test]
async fn pictures_are_uploaded_once_and_those_of_others_stay() {
    let world = World::new(json!({}), json!({})).await;
    let target = world.target();
    let picture = |name: &str| Picture {
        url: format!("https://books.example/{name}.png"),
        name: format!("{name}.png"),
        media_type: "image/png".into(),
        sha256: format!("sha-{name}"),
        bytes: koppel_sandbox::pictures::png(name, 4),
    };
    let of = |names: &[&str]| -> Product {
        let image = |name: &&str| Image {
            url: format!("https://books.example/{name}.png"),
            alt: String::new(),
            version: "1".into(),
        };
        Product { images: names.iter().map(image).collect(), ..mug() }
    };
    let shown = |id: &str| -> Vec<String> {
        let row = world.row("articles", id.parse().unwrap());
        row["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["original_name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut made = change("MOK-BLAUW", None, write(Entity::Products, "product", &of(&["a", "b"])));
    made.pictures = vec![picture("a"), picture("b")];
    let id = send(&world, &target, Entity::Products, &[made]).await[0].as_ref().unwrap().id.clone();
    assert_eq!(shown(&id), ["a.png", "b.png"]);
    let existing = find(&world, &target, Entity::Products, &["MOK-BLAUW"]).await[&key("MOK-BLAUW")][0].clone();
    let wanted = write(Entity::Products, "product", &of(&["a", "b"]));
    assert_eq!(differences(&wanted, &existing.fields), Map::new(), "they are remembered");
    // Somebody adds one by hand; then c comes first, b goes.
    let mut row = world.row("articles", id.parse().unwrap());
    row["images"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "0000001a-0000-4000-8000-000000009999", "position": 7, "original_name": "hand.png"}));
    hand(&world, &row).await;
    let wanted = write(Entity::Products, "product", &of(&["c", "a"]));
    let changed: Map<String, Value> = wanted.into_iter().filter(|(name, _)| name == "_pictures").collect();
    let mut next = change("MOK-BLAUW", Some(&id), changed);
    next.pictures = vec![picture("c"), picture("a")];
    world.shop().reset_calls();
    let results = send(&world, &world.target(), Entity::Products, &[next.clone()]).await;
    assert!(results[0].is_ok(), "{results:?}");
    assert_eq!(shown(&id), ["c.png", "a.png", "hand.png"]);
    assert_eq!(world.shop().calls()["POST articles/uploadImage/{id}"], 1, "a was there already");
    // The same once more is nothing but a look.
    world.shop().reset_calls();
    send(&world, &world.target(), Entity::Products, &[next]).await;
    assert_eq!(world.shop().total_calls(), 1, "{:?}", world.shop().calls());
}

/// Adds a picture by hand: through the API, as the shop's own pages would.
async fn hand(world: &World, row: &Value) {
    use koppel_sandbox::mijnwebwinkel::{PARTNER_TOKEN, STORE_TOKEN};
    let base = world.sandbox.url("mijnwebwinkel");
    let url =
        format!("{base}/v1/articles/{}?use_url_id=false&token={STORE_TOKEN}&partner_token={PARTNER_TOKEN}", row["id"]);
    let kept = row["images"].as_array().unwrap().iter().filter(|image| image["original_name"] != "hand.png");
    let mut images: Vec<Value> = kept.map(|image| json!({"id": image["id"], "position": image["position"]})).collect();
    images.push(json!({"position": 7, "url": format!("{base}/_sandbox/pictures/hand.png")}));
    let answer = by_hand().patch(url).body(json!({"images": images}).to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

#[tokio::test]
async fn an_article_whose_answer_was_lost_is_found_and_not_made_twice() {
    let world = World::new(json!({}), json!({})).await;
    let target = world.target();
    find(&world, &target, Entity::Products, &["MOK-BLAUW"]).await;
    world.shop().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path("/v1/articles")).unwrap();
    let wanted = write(
        Entity::Products,
        "product",
        &Product { categories: vec![Category { code: String::new(), path: vec!["Assortiment".into()] }], ..mug() },
    );
    let lost =
        target.send_records(Entity::Products, &[change("MOK-BLAUW", None, wanted)], &world.calls).await.unwrap_err();
    assert!(matches!(lost, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{lost}");
    let found = find(&world, &world.target(), Entity::Products, &["MOK-BLAUW"]).await;
    assert_eq!(found[&key("MOK-BLAUW")].len(), 1);
    // What fails after it was made leaves the outcome open, so that whoever comes next looks first.
    world.shop().fault(FaultRule::new(FaultAction::Status).status(429).path("uploadImage")).unwrap();
    let product = Product {
        sku: "MOK-GEEL".into(),
        images: vec![Image { url: "https://books.example/g.png".into(), ..Image::default() }],
        ..mug()
    };
    let mut made = change("MOK-GEEL", None, write(Entity::Products, "product", &product));
    made.pictures = vec![Picture {
        url: "https://books.example/g.png".into(),
        name: "g.png".into(),
        media_type: "image/png".into(),
        sha256: "g".into(),
        bytes: koppel_sandbox::pictures::png("g", 4),
    }];
    let failure = target.send_records(Entity::Products, &[made], &world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    assert!(world.store.puts.load(std::sync::atomic::Ordering::Relaxed) > 0);
}

#[tokio::test]
async fn accounts_are_found_exactly_made_with_an_address_and_changed() {
    let world = World::new(json!({"special_rights": ["customers"]}), json!({})).await;
    let target = world.target();
    assert!(
        find(&world, &target, Entity::Customers, &["an@example.test"]).await.is_empty(),
        "jan@ holds it, and is not it"
    );
    let piet = Customer {
        email: "piet@bakker.example.test".into(),
        phone: "0501234567".into(),
        company: Some(Company { name: "Bakker BV".into(), ..Company::default() }),
        person: Person { first_name: "Piet".into(), last_name: "Bakker".into() },
        vat_number: Some("NL001234567B01".into()),
        billing: Address {
            street: "Markt".into(),
            house_number: "3".into(),
            house_number_addition: "bis".into(),
            postcode: "9711 LM".into(),
            city: "Groningen".into(),
            country: "nl".into(),
            ..Address::default()
        },
        ..Customer::default()
    };
    let wanted = write(Entity::Customers, "customer", &piet);
    let results =
        send(&world, &target, Entity::Customers, &[change("piet@bakker.example.test", None, wanted.clone())]).await;
    let id = results[0].as_ref().unwrap().id.clone();
    let found = find(&world, &target, Entity::Customers, &["piet@bakker.example.test"]).await;
    let existing = &found[&key("piet@bakker.example.test")][0];
    assert_eq!((existing.id.as_str(), differences(&wanted, &existing.fields)), (id.as_str(), Map::new()));
    let moved = Customer { billing: Address { city: "Assen".into(), ..piet.billing.clone() }, ..piet };
    let changed = differences(&write(Entity::Customers, "customer", &moved), &existing.fields);
    assert_eq!(changed.keys().collect::<Vec<_>>(), ["_invoice"]);
    assert!(
        send(&world, &target, Entity::Customers, &[change("piet@bakker.example.test", Some(&id), changed)]).await[0]
            .is_ok()
    );
    let rows = world.shop().documents("customers");
    let row = rows.iter().find(|row| row["id"] == *id).unwrap();
    assert_eq!((row["addresses"].as_array().unwrap().len(), &row["addresses"][0]["city"]), (1, &json!("Assen")));
    let wrong = change(
        "x@example.test",
        None,
        fields(json!({"email": "x@example.test", "_invoice": {"street": "Markt", "countryCode": "Nederland"}})),
    );
    let failure = send(&world, &target, Entity::Customers, &[wrong]).await.remove(0).unwrap_err();
    assert!(matches!(&failure, Failure::Reject(cause) if cause.message.contains("countryCode")), "{failure}");
}
