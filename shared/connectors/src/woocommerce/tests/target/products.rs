//! Products and their variations.

use super::*;

fn shirt() -> Value {
    let variation = |sku: &str, colour: &str, price: &str| {
        json!({
            "sku": sku, "regular_price": price, "global_unique_id": null, "weight": "0.2", "status": "publish",
            "attributes": [{ "name": "Kleur", "option": colour }, { "name": "Pasvorm", "option": "Slim" }],
            "_picture": { "url": null, "version": null, "name": null },
        })
    };
    json!({
        "name": "Trui & vest", "sku": "TRUI", "type": "variable", "virtual": false, "status": "publish",
        "catalog_visibility": "visible", "description": "<p>Warm</p>\n", "short_description": null, "regular_price": null,
        "global_unique_id": null, "weight": null, "tax_class": "standard", "_categories": [["Kleding", "Shirts"]],
        "_attributes": [
            { "name": "Kleur", "options": ["Blauw", "Rood"], "variation": true, "visible": true },
            { "name": "Pasvorm", "options": ["Slim"], "variation": true, "visible": true },
        ],
        "_pictures": [],
        "_variations": [variation("TRUI-B", "Blauw", "19.95"), variation("TRUI-R", "Rood", "21")],
    })
}

/// Everything that is wanted is there; of groups only what is spoken of.
fn holds(wanted: &Value, there: &Value) -> bool {
    match (wanted, there) {
        (Value::Null, _) => true,
        (Value::Object(wanted), _) => wanted.iter().all(|(name, value)| holds(value, &there[name])),
        (Value::Array(wanted), Value::Array(there)) => {
            wanted.len() == there.len() && wanted.iter().zip(there).all(|(wanted, there)| holds(wanted, there))
        }
        _ => wanted == there,
    }
}

#[tokio::test]
async fn a_product_with_variations_is_made_and_found_as_it_was_wanted() {
    let world = World::new().await;
    let (results, calls) = world.send(Entity::Products, &[change("TRUI", None, shirt())]).await;
    let id = results[0].clone().unwrap();
    assert_eq!(calls, 4, "categories and attributes are read once, then the product and its variations");
    let found = world.find(Entity::Products, "TRUI").await;
    assert_eq!((found.len(), &found[0].id), (1, &id));
    for (name, value) in shirt().as_object().unwrap() {
        assert!(holds(value, &found[0].fields[name]), "{name}: {value} and {}", found[0].fields[name]);
    }
    let row = world.row("products", id.parse().unwrap());
    let ids: Vec<u64> = (0..2).map(|at| row["attributes"][at]["id"].as_u64().unwrap_or(0)).collect();
    assert_eq!(ids, [1, 0], "one is the shop's, one is the product's own: {row}");

    // The next product needs nothing of the shop that is not known yet.
    let other = json!({ "name": "Broek", "sku": "BROEK", "type": "simple", "_categories": [["Kleding"]] });
    assert_eq!(world.send(Entity::Products, &[change("BROEK", None, other)]).await.1, 1);
}

#[tokio::test]
async fn only_variations_that_differ_are_written_and_those_that_left_become_private() {
    let world = World::new().await;
    let id = world.send(Entity::Products, &[change("TRUI", None, shirt())]).await.0[0].clone().unwrap();
    let of_shirt = |list: Value| change("TRUI", Some(&id), json!({ "_variations": list }));
    let mut list = shirt()["_variations"].clone();

    // Nothing differs: the product and its variations are read, nothing is written.
    let (results, calls) = world.send(Entity::Products, &[of_shirt(list.clone())]).await;
    assert!(results[0].is_ok());
    assert_eq!(calls, 2);

    list[0]["regular_price"] = json!("18.5");
    world.calls.take();
    world.send(Entity::Products, &[of_shirt(list.clone())]).await;
    let sent = world.calls.take().pop().unwrap();
    let items = sent.request.unwrap();
    assert_eq!(items["update"].as_array().map(Vec::len), Some(1), "{items}");
    assert_eq!((items.get("create"), &items["update"][0]["regular_price"]), (None, &json!("18.5")));
    assert_eq!(items["update"][0].as_object().unwrap().len(), 2, "the id and the price: {items}");

    let alone = json!([list[0]]);
    world.send(Entity::Products, &[of_shirt(alone.clone())]).await;
    let rows = world.sandbox.woocommerce().documents("variations");
    let red = rows.iter().find(|row| row["sku"] == "TRUI-R").unwrap();
    assert_eq!(red["status"], "private", "never deleted");
    let there = world.find(Entity::Products, "TRUI").await[0].fields["_variations"].clone();
    assert!(holds(&alone, &there), "what has left is not spoken of any more: {there}");
    let (_, calls) = world.send(Entity::Products, &[of_shirt(alone)]).await;
    assert_eq!(calls, 2, "and not written again");

    world.send(Entity::Products, &[of_shirt(list.clone())]).await;
    assert!(holds(&list, &world.find(Entity::Products, "TRUI").await[0].fields["_variations"]), "it is back");
}

#[tokio::test]
async fn an_article_number_that_is_taken_is_named_and_stops_no_other() {
    let world = World::new().await;
    let simple = |sku: &str, price: &str| {
        change(sku, None, json!({ "name": sku, "sku": sku, "type": "simple", "regular_price": price }))
    };
    let (results, calls) = world
        .send(Entity::Products, &[simple("A", "1"), simple("MOK-WIT", "2"), simple("B", "10,5"), simple("C", "3")])
        .await;
    assert_eq!(calls, 1);
    assert!(results[0].is_ok() && results[3].is_ok());
    let taken = results[1].clone().unwrap_err();
    assert_eq!(taken.cause().code, "duplicate_sku");
    assert!(taken.to_string().contains("MOK-WIT") && taken.to_string().contains("id 10"), "{taken}");
    assert_eq!(results[2].clone().unwrap_err().cause().code, "bad_value");
    assert!(world.find(Entity::Products, "B").await.is_empty());
}

#[tokio::test]
async fn an_article_that_is_a_variation_in_the_shop_is_written_as_one() {
    let world = World::new().await;
    let found = &world.find(Entity::Products, "TSHIRT-BLAUW-L").await[0];
    assert_eq!((found.id.as_str(), &found.fields["regular_price"]), ("16/19", &json!("19.95")));
    let fields =
        json!({ "name": "T-shirt blauw", "regular_price": "24.00", "status": "draft", "_categories": [["Kleding"]] });
    let (results, calls) = world.send(Entity::Products, &[change("TSHIRT-BLAUW-L", Some("16/19"), fields)]).await;
    assert_eq!((results[0].clone().unwrap().as_str(), calls), ("16/19", 1));
    let row = world.row("variations", 19);
    assert_eq!(
        (&row["regular_price"], &row["status"], &row["name"]),
        (&json!("24"), &json!("private"), &json!("Blauw, L"))
    );
}

#[tokio::test]
async fn recorded_products_are_found_as_the_rows_write_them() {
    let world = World::new().await;
    let mug = &world.find(Entity::Products, "MOK-WIT").await[0].fields;
    assert_eq!((&mug["name"], &mug["_categories"]), (&json!("Mok wit"), &json!([["Diensten & overig"]])));
    assert_eq!(
        (&mug["weight"], &mug["tax_class"], &mug["type"]),
        (&json!("0.35"), &json!("standard"), &json!("simple"))
    );
    let shirt = &world.find(Entity::Products, "TSHIRT").await[0].fields;
    assert_eq!(shirt["_categories"], json!([["Kleding", "Shirts"]]));
    assert_eq!(shirt["_variations"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        shirt["_attributes"][2],
        json!({ "name": "Materiaal", "options": ["Katoen"], "variation": false, "visible": true })
    );
}
