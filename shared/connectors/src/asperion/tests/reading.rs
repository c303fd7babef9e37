//! Reading: articles and stock only when the connection allows it, debtors that changed, and what each becomes.

use koppel_core::document::Entity;
use koppel_core::ports::{FetchPage, FetchQuery, Source};
use serde_json::{Value, json};

use super::rows::canonical;
use super::{World, key, list, path};
use crate::http::testing::server::{Reply, Seen};

fn article(code: &str, changes: Value) -> Value {
    let mut row = json!({"id":1,"code":code,"description":format!("Trui {code}"),"longDescription":"Van wol","unit":"stuk",
        "price":49.95,"salesTypeId":"HOOG","currentStock":7,"activeState":"Active","characteristic1":null,
        "characteristic2":"Rood","characteristic4":"Noordwol","_meta":{"self":"x"}});
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn books(seen: &Seen, articles: &[Value]) -> Reply {
    match path(seen) {
        "articles" => list(articles),
        "salestypes" => list(json!([{"id":"HOOG","vatCode":"1"},{"id":"NUL","vatCode":"0"}])),
        "vatcodes" => list(json!([{"id":"1","percentage":21.00},{"id":"0","percentage":0}])),
        other => panic!("{other}"),
    }
}

async fn fetch(world: &World, entity: Entity, page: Option<String>) -> FetchPage {
    let query = FetchQuery { entity, since: "2026-06-01T10:00:00Z".parse().unwrap(), page };
    world.asperion.fetch_page(&query, &world.calls).await.unwrap()
}

#[tokio::test]
async fn articles_and_stock_are_not_read_by_guess() {
    let world = World::new(|_| Reply::json(500, "{}")).await;
    for entity in [Entity::Products, Entity::Stock] {
        let query = FetchQuery { entity, since: "2026-06-01T10:00:00Z".parse().unwrap(), page: None };
        let failure = world.asperion.fetch_page(&query, &world.calls).await.unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "not_confirmed"));
        assert!(world.asperion.fetch_one(entity, &key("A"), &world.calls).await.is_err());
    }
    assert!(world.server.take().is_empty());
}

#[tokio::test]
async fn an_article_becomes_a_product_with_the_vat_of_its_sales_type() {
    let options = json!({"assume_articles":true,"features":{"Merk":"characteristic4"},"virtual":{"unit":"uur"}});
    let world = World::with(options, |seen| {
        books(seen, &[article("TRUI", json!({})), article("LES", json!({"unit":"Uur","salesTypeId":"ANDERS"}))])
    })
    .await;
    let page = fetch(&world, Entity::Products, None).await;
    let product = |label: &str| {
        let record = page.records.iter().find(|record| record.label == label).unwrap();
        assert_eq!((record.key.as_str(), record.raw.get("currentStock")), (label, None));
        canonical(Entity::Products, &record.raw)
    };
    let jumper = product("TRUI");
    assert_eq!((jumper["price"].to_string(), jumper["vat_percent"].to_string()), ("49.95".into(), "21".into()));
    assert_eq!(
        (&jumper["kind"], &jumper["published"], &jumper["tax_class"]),
        (&json!("simple"), &json!(true), &json!("1"))
    );
    assert_eq!(jumper["attributes"], json!([{"name":"Merk","values":["Noordwol"],"varies":false}]));
    let lesson = product("LES");
    assert_eq!(
        (&lesson["kind"], &lesson["vat_percent"], &lesson["currency"]),
        (&json!("virtual"), &Value::Null, &json!("EUR"))
    );
    assert_eq!(world.lines(), ["GET salestypes", "GET vatcodes", "GET articles"]);
}

#[tokio::test]
async fn articles_of_one_parent_become_one_product_by_a_free_field() {
    let options =
        json!({"assume_articles":true,"variants":{"field":"characteristic1"},"attributes":{"Kleur":"characteristic2"}});
    let world = World::with(options, |seen| {
        let family = json!({"characteristic1":"TRUI"});
        let mut blue = family.clone();
        blue["characteristic2"] = json!("Blauw");
        books(seen, &[article("T-1", family), article("T-2", blue), article("MOK", json!({}))])
    })
    .await;
    let page = fetch(&world, Entity::Products, None).await;
    let keys: Vec<&str> = page.records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!((keys, page.next.clone()), (vec!["MOK", "variants of TRUI"], None));
    let product = canonical(Entity::Products, &page.records[1].raw);
    assert_eq!(
        (&product["sku"], &product["kind"], &product["name"]),
        (&json!("TRUI"), &json!("variable"), &json!("Trui"))
    );
    assert_eq!(product["attributes"], json!([{"name":"Kleur","values":["Rood","Blauw"],"varies":true}]));
    assert_eq!(product["variations"][1]["attributes"], json!([{"name":"Kleur","values":["Blauw"],"varies":true}]));
    // Waiting records come back by this key.
    let again =
        world.asperion.fetch_one(Entity::Products, &key("variants of TRUI"), &world.calls).await.unwrap().unwrap();
    assert_eq!(again.raw, page.records[1].raw);
}

#[tokio::test]
async fn names_that_were_guessed_wrong_are_corrected_by_the_profile() {
    let options = json!({"assume_articles":true,"profile":{"articles.price":"salesPrice","articles.all_states":"All"}});
    let world = World::with(options, |seen| {
        if path(seen) == "articles" {
            assert_eq!(seen.query("ActiveState"), Some("All"));
        }
        let mut old = article("OUD", json!({"activeState":"Inactive","salesPrice":5}));
        old.as_object_mut().unwrap().shift_remove("price");
        books(seen, &[old])
    })
    .await;
    let page = fetch(&world, Entity::Products, None).await;
    let product = canonical(Entity::Products, &page.records[0].raw);
    assert_eq!((&product["price"], &product["published"]), (&json!(5), &json!(false)));
}

#[tokio::test]
async fn without_sales_types_the_percentage_is_unknown_and_products_still_come() {
    let world = World::with(json!({"assume_articles":true}), |seen| match path(seen) {
        "salestypes" => Reply::json(501, json!({"title":"Not Implemented"})),
        _ => books(seen, &[article("TRUI", json!({}))]),
    })
    .await;
    let page = fetch(&world, Entity::Products, None).await;
    assert_eq!(canonical(Entity::Products, &page.records[0].raw)["vat_percent"], Value::Null);
}

#[tokio::test]
async fn stock_goes_page_by_page_and_leaves_out_what_keeps_none() {
    let options = json!({"assume_articles":true,"variants":{"field":"characteristic1"}});
    let world = World::with(options, |seen: &Seen| {
        let host = seen.header("host").unwrap().to_owned();
        match seen.query("page") {
            Some(_) => list(json!([article("LES", json!({"currentStock":null}))])),
            None => Reply::json(
                200,
                json!({"_data":[article("T-1", json!({"characteristic1":"TRUI","currentStock":-1.5}))],
                "_meta":{"administrationId":4711,"nextPage":format!("http://{host}/v1/articles?fields=code&page=2")}}),
            ),
        }
    })
    .await;
    let page = fetch(&world, Entity::Stock, None).await;
    assert_eq!(world.server.take()[0].query("fields"), Some("code,currentStock,characteristic1"));
    let record = &page.records[0];
    assert_eq!((record.key.as_str(), record.partition.as_str()), ("T-1", "TRUI"));
    let level = canonical(Entity::Stock, &record.raw);
    assert_eq!(level, json!({"sku":"T-1","parent_sku":"TRUI","on_hand":-1.5,"manage_stock":true}));
    let last = fetch(&world, Entity::Stock, page.next).await;
    assert_eq!((last.records.len(), last.next), (0, None));
}

#[tokio::test]
async fn the_stock_of_one_article_is_not_that_of_a_longer_code() {
    let world = World::with(json!({"assume_articles":true}), |seen| {
        assert_eq!(seen.query("Code"), Some("T-1"));
        list(json!([article("T-11", json!({})), article("T-1", json!({"currentStock":3}))]))
    })
    .await;
    let one = world.asperion.fetch_one(Entity::Stock, &key("T-1"), &world.calls).await.unwrap().unwrap();
    assert_eq!(one.raw["currentStock"], 3);
}

#[tokio::test]
async fn only_debtors_that_changed_since_then_come_and_the_classification_is_the_shops() {
    let options = json!({"classification_field":"characteristic4","classifications":{"wholesale":"Wederverkoper"}});
    let world = World::with(options, |_| {
        list(json!([
            {"id":1,"customerNumber":"1","name":"Old","emailAddress":"o@example.test","dateLastChange":"2026-06-01T11:59:59"},
            {"id":2,"customerNumber":"2","name":"New","emailAddress":"N@example.test","dateLastChange":"2026-06-01T12:00:00",
                "characteristic4":"Wederverkoper"},
            {"id":3,"customerNumber":"3","name":"Undated","emailAddress":"u@example.test","characteristic4":"Anders"},
        ]))
    })
    .await;
    let page = fetch(&world, Entity::Customers, None).await;
    let labels: Vec<&str> = page.records.iter().map(|record| record.label.as_str()).collect();
    assert_eq!(labels, ["2", "3"]);
    assert_eq!(page.records[0].partition, "n@example.test");
    assert_eq!(page.records[0].modified_at.unwrap().to_rfc3339(), "2026-06-01T10:00:00+00:00");
    let classes: Vec<Value> =
        page.records.iter().map(|record| canonical(Entity::Customers, &record.raw)["price_class"].clone()).collect();
    assert_eq!(classes, [json!("wholesale"), json!("Anders")]);
}

#[tokio::test]
async fn a_debtor_that_changed_when_an_hour_came_for_the_second_time_is_read() {
    let world = World::with(json!({}), |_| {
        list(json!([
            {"id":1,"customerNumber":"1","name":"Before","emailAddress":"b@example.test","dateLastChange":"2026-10-25T01:40:00"},
            {"id":2,"customerNumber":"2","name":"Again","emailAddress":"a@example.test","dateLastChange":"2026-10-25T02:05:00"},
        ]))
    })
    .await;
    // Ten to three by the time of summer; a quarter of an hour later it was five past two.
    let query = FetchQuery { entity: Entity::Customers, since: "2026-10-25T00:50:00Z".parse().unwrap(), page: None };
    let page = world.asperion.fetch_page(&query, &world.calls).await.unwrap();
    let labels: Vec<&str> = page.records.iter().map(|record| record.label.as_str()).collect();
    assert_eq!(labels, ["2"]);
}
