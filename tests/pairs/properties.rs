//! What the books say of an article, as properties of a product of the shop: the example of CCV Shop and Visma Net.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::TimeDelta;
use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use serde_json::json;

use super::writes;
use crate::chain::world::{Ended, World};

const ARTICLE: &str = "VAAS-GROEN";

async fn world(properties: &str) -> World {
    let text = super::examples::text_of("ccv-shop--visma-net");
    let replaced = text.replace("    properties: create\n", &format!("    properties: {properties}\n"));
    assert!(replaced.contains(&format!("properties: {properties}")), "the example says what is made");
    let options = super::examples::options();
    let world =
        World::with(options, Path::new(embedded::IN_MEMORY), |sandbox| super::examples::at(&replaced, sandbox)).await;
    for system in [world.sandbox.ccv_shop(), world.sandbox.visma()] {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
    world
}

async fn articles(world: &World) -> Ended {
    world.sandbox.clock().advance(TimeDelta::minutes(10));
    world.run_flow_scope("articles", super::examples::whole()).await
}

/// Properties of an article in the shop.
fn shown(world: &World, number: &str) -> BTreeMap<String, String> {
    let shop = world.sandbox.ccv_shop();
    let product = shop.documents("products").into_iter().find(|row| row["productnumber"] == number).expect("a product");
    let names = shop.documents("productproperties");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let values = shop.documents("productpropertyvalues");
    let own = values.iter().filter(|value| value["product_id"] == product["id"]);
    own.map(|value| {
        let name = names.iter().find(|row| row["id"] == value["product_property_id"]).expect("a property");
        (text(&name["name"]), text(&value["value"]))
    })
    .collect()
}

fn lists(world: &World) -> usize {
    let tables = ["productpropertygroups", "productproperties", "productpropertyoptions"];
    tables.iter().map(|table| world.sandbox.ccv_shop().documents(table).len()).sum()
}

#[tokio::test]
async fn features_of_the_books_become_properties_and_change_with_them() {
    let world = world("create").await;
    let before = lists(&world);
    let ended = articles(&world).await;
    assert_eq!(ended.funnel.count(Outcome::Rejected), 0, "{:#?}", ended.by_label);
    assert_eq!(shown(&world, ARTICLE)["Merk"], "KERAM", "{:#?}", ended.by_label[ARTICLE]);
    let jumper = shown(&world, "TRUI");
    assert!(!jumper.contains_key("Kleur"), "what variations differ by is none: {jumper:?}");
    let shop = world.sandbox.ccv_shop();
    let group = shop.documents("productpropertygroups").into_iter().find(|row| row["name"] == "Kenmerken");
    assert!(group.is_some() && lists(&world) > before, "what was missing is made");
    let made = lists(&world);

    shop.reset_calls();
    let again = articles(&world).await;
    let changed = again.funnel.count(Outcome::Created) + again.funnel.count(Outcome::Updated);
    assert_eq!((changed, writes(&shop)), (0, 0), "{:#?}", again.by_label);

    // Another brand in the books: one value changes, and no list grows.
    let row = world.sandbox.visma().documents("inventory").into_iter().find(|row| row["inventoryNumber"] == ARTICLE);
    let mut attributes = row.expect("the article")["attributes"].clone();
    for one in attributes.as_array_mut().expect("attributes").iter_mut().filter(|one| one["id"] == "MERK") {
        one["value"] = json!("NOORD");
    }
    let moment = world.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let change = json!({ "attributes": attributes, "lastModifiedDateTime": moment });
    assert_eq!(world.sandbox.visma().inspect("POST", &format!("rows/inventory/{ARTICLE}"), &change).0, 204);
    shop.reset_calls();
    let ended = articles(&world).await;
    assert_eq!(ended.by_label[ARTICLE].outcome, Outcome::Updated, "{:#?}", ended.by_label[ARTICLE]);
    assert_eq!((shown(&world, ARTICLE)["Merk"].as_str(), lists(&world), writes(&shop)), ("NOORD", made, 1));
}

#[tokio::test]
async fn lists_do_not_grow_and_products_arrive_when_only_existing_properties_are_used() {
    let world = world("existing").await;
    let before = lists(&world);
    let ended = articles(&world).await;
    assert_eq!(ended.funnel.count(Outcome::Rejected), 0, "{:#?}", ended.by_label);
    assert_eq!((lists(&world), shown(&world, ARTICLE)), (before, BTreeMap::new()));
    let again = articles(&world).await;
    assert_eq!(again.funnel.count(Outcome::Updated), 0, "{:#?}", again.by_label);
}
