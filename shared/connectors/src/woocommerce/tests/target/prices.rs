//! Prices of roles, with the plugin Wholesale Suite.

use koppel_core::document::Price;

use super::*;

fn key(sku: &str, role: &str) -> NonEmpty {
    Price { sku: sku.into(), price_class: role.into(), ..Price::default() }.key().unwrap()
}

fn price(sku: &str, role: &str, id: &str, fields: Value) -> Change {
    change(key(sku, role).as_str(), Some(id), fields)
}

async fn with_plugin(edition: &str) -> World {
    let world = World::new().await;
    world.sandbox.woocommerce().set_switches(json!({ "wholesale": edition })).unwrap();
    world
}

fn code(result: &Result<String, Failure>) -> String {
    result
        .as_ref()
        .map_or_else(|failure| format!("{} {}", failure.class(), failure.cause().code), |id| format!("id {id}"))
}

#[tokio::test]
async fn prices_of_products_and_variations_are_found_and_written() {
    let world = with_plugin("free").await;
    let (mug, shirt) = (key("MOK-WIT", "wholesale_customer"), key("TSHIRT-ROOD-S", "wholesale_customer"));
    let found = world.target.find_records(Entity::Prices, &[mug.clone(), shirt.clone()], &world.calls).await.unwrap();
    assert_eq!((found[&mug][0].id.as_str(), found[&shirt][0].id.as_str()), ("10", "16/17"));
    assert_eq!(found[&mug][0].fields["wholesale_price"], "", "the article is there, without a price for the role");
    let changes = [
        price("MOK-WIT", "wholesale_customer", "10", json!({ "wholesale_price": "7.5" })),
        price("TSHIRT-ROOD-S", "wholesale_customer", "16/17", json!({ "wholesale_price": "14.00" })),
    ];
    let (results, calls) = world.send(Entity::Prices, &changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(calls, 3, "the roles, the products, the variations of one product");
    let found = world.target.find_records(Entity::Prices, &[mug.clone(), shirt.clone()], &world.calls).await.unwrap();
    assert_eq!(
        (&found[&mug][0].fields["wholesale_price"], &found[&shirt][0].fields["wholesale_price"]),
        (&json!("7.5"), &json!("14"))
    );
    // What only the plugin's own API writes: the product of a variation knows of it.
    let parent = world.row("products", 16)["meta_data"].to_string();
    assert!(parent.contains("wholesale_customer_variations_with_wholesale_price"), "{parent}");
}

#[tokio::test]
async fn without_the_plugin_there_is_one_clear_error_and_an_unknown_role_is_refused_alone() {
    let world = World::new().await;
    let changes = [price("MOK-WIT", "wholesale_customer", "10", json!({ "wholesale_price": "7.5" }))];
    let failure = world.target.send_records(Entity::Prices, &changes, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "plugin_missing"));
    assert!(failure.to_string().contains("Wholesale Prices for WooCommerce"), "{failure}");

    world.sandbox.woocommerce().set_switches(json!({ "wholesale": "free" })).unwrap();
    let changes = [
        price("MOK-WIT", "wholesale_customer", "10", json!({ "wholesale_price": "7.5" })),
        price("MOK-WIT", "wholesale_custmer", "10", json!({ "wholesale_price": "6" })),
        price("POSTER-1", "vip", "11", json!({ "wholesale_price": "6" })),
        price(
            "KOFFIE",
            "wholesale_customer",
            "12",
            json!({ "wholesale_price": "9", "_breaks": [{ "from": "10", "price": "8" }] }),
        ),
        price("GONE", "wholesale_customer", "999", json!({ "wholesale_price": "9" })),
    ];
    let (results, _) = world.send(Entity::Prices, &changes).await;
    let codes: Vec<String> = results.iter().map(code).collect();
    assert_eq!(
        codes,
        [
            "id 10",
            "settings unknown_role",
            "settings unknown_role",
            "settings breaks_need_premium",
            "reject gone_from_target"
        ]
    );
    let near = results[1].as_ref().unwrap_err().to_string();
    assert!(near.contains("did you mean «wholesale_customer»"), "{near}");
}

#[tokio::test]
async fn prices_from_a_quantity_on_keep_those_of_other_roles() {
    let world = World::with(json!({ "wholesale_premium": true })).await;
    world.sandbox.woocommerce().set_switches(json!({ "wholesale": "premium" })).unwrap();
    let role = json!({ "role_key": "dealer", "role_name": "Dealer", "description": "" });
    assert_eq!(world.sandbox.woocommerce().inspect("POST", "wholesale/roles", &role).0, 201);
    let breaks = |price: &str| json!([{ "from": "10", "price": price }, { "from": "50", "price": "5" }]);
    let first = [
        price("MOK-WIT", "dealer", "10", json!({ "wholesale_price": "7", "_breaks": breaks("6") })),
        price("MOK-WIT", "wholesale_customer", "10", json!({ "wholesale_price": "8", "_breaks": breaks("6.5") })),
    ];
    let (results, calls) = world.send(Entity::Prices, &first).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(calls, 3, "roles, the rules there are, and one product for both roles");
    let (results, _) = world.send(Entity::Prices, &[price("MOK-WIT", "dealer", "10", json!({ "_breaks": [] }))]).await;
    assert!(results[0].is_ok(), "{results:?}");
    let keys = [key("MOK-WIT", "dealer"), key("MOK-WIT", "wholesale_customer")];
    let found = world.target.find_records(Entity::Prices, &keys, &world.calls).await.unwrap();
    assert_eq!(Value::Object(found[&keys[0]][0].fields.clone()), json!({ "wholesale_price": "7", "_breaks": [] }));
    assert_eq!(
        Value::Object(found[&keys[1]][0].fields.clone()),
        json!({ "wholesale_price": "8", "_breaks": breaks("6.5") })
    );
}

#[tokio::test]
async fn a_price_that_the_shop_does_not_keep_is_told() {
    let world = with_plugin("free").await;
    world.sandbox.woocommerce().set_switches(json!({ "wholesale": "free" })).unwrap();
    let changes = [price("MOK-WIT", "wholesale_customer", "10", json!({ "wholesale_price": "seven" }))];
    let (results, _) = world.send(Entity::Prices, &changes).await;
    assert_eq!(code(&results[0]), "reject refused", "{results:?}");
}
