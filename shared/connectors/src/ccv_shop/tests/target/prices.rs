//! Prices for groups of users.

use super::*;

fn price(name: &str, id: &str, fields: Value) -> Change {
    change(name, Some(id), fields)
}

fn cents(text: &str) -> Value {
    json!({ "price": text, "_breaks": [] })
}

#[tokio::test]
async fn the_price_of_a_group_is_found_made_and_changed() {
    for switches in [json!({}), json!({ "post_without_answer": ["usergroupproductadjustments"] })] {
        let shop = Shop::new(switches, json!({})).await;
        let name = "MOK-WIT / Wederverkopers";
        let found = shop.find(Entity::Prices, name).await.remove(0);
        assert_eq!((found.id.as_str(), found.label.as_str(), &found.fields["price"]), ("10", name, &Value::Null));
        assert_eq!(found.fields["_prices_include_vat"], true);
        for wanted in ["10.5", "9.99"] {
            let result = shop.one(Entity::Prices, price(name, "10", cents(wanted))).await;
            assert_eq!(code(result), "id 10");
            let found = shop.find(Entity::Prices, name).await.remove(0);
            assert_eq!(found.fields["price"], wanted);
        }
        let rows = shop.world.sandbox.ccv_shop().documents("usergroupproductadjustments");
        assert_eq!(
            rows.iter().filter(|row| row["product_id"] == 10 && row["usergroup_id"] == 2).count(),
            1,
            "{rows:?}"
        );
        // By the number of the group, and another group beside it.
        assert_eq!(shop.find(Entity::Prices, "MOK-WIT / 2").await[0].fields["price"], "9.99");
        assert_eq!(shop.find(Entity::Prices, "MOK-WIT / particulier").await[0].fields["price"], Value::Null);
        assert!(shop.find(Entity::Prices, "NOPE / Wederverkopers").await.is_empty());
    }
}

#[tokio::test]
async fn what_a_group_cannot_have_is_refused_with_a_reason() {
    let shop = Shop::new(json!({}), json!({})).await;
    let combination = shop.find(Entity::Prices, "GRAV-G / Wederverkopers").await.remove(0);
    let breaks = json!({ "price": "9", "_breaks": [{ "from": "10", "price": "8" }] });
    let changes = [
        price("MOK-WIT / Wederverkoper", "10", cents("9")),
        price("MOK-WIT / Wederverkopers", "10", breaks),
        price("GRAV-G / Wederverkopers", &combination.id, cents("9")),
        price("MOK-WIT / Wederverkopers", "10", json!({ "price": "9", "_prices_include_vat": false })),
        price("MOK-WIT / Wederverkopers", "10", cents("nine")),
        change("NEW / Wederverkopers", None, cents("9")),
        price("KOFFIE / Wederverkopers", "12", cents("9")),
    ];
    let (results, _) = shop.send(Entity::Prices, &changes).await;
    let text = results[0].as_ref().unwrap_err().to_string();
    assert!(text.contains("did you mean «Wederverkopers»?"), "{text}");
    let codes: Vec<String> = results.into_iter().map(code).collect();
    assert_eq!(
        codes,
        [
            "settings unknown_group",
            "settings breaks_not_supported",
            "reject price_of_combination",
            "settings prices_differ_in_vat",
            "reject bad_value",
            "reject not_in_target",
            "id 12",
        ]
    );
}

#[tokio::test]
async fn the_prices_of_a_group_are_read_once_for_a_whole_chunk() {
    let shop = Shop::new(json!({}), json!({})).await;
    let names = ["MOK-WIT", "KOFFIE", "POSTER-1", "GRAV"];
    let keys: Vec<NonEmpty> = names.iter().map(|name| key(&format!("{name} / Wederverkopers"))).collect();
    let found = shop.target.find_records(Entity::Prices, &keys, &shop.world.calls).await.unwrap();
    assert_eq!(found.len(), 4);
    // The catalogue, the facts of the shop (three), the groups, the prices of the one.
    assert_eq!(shop.world.calls.count(), 6);
    let changes: Vec<Change> = found.iter().map(|(key, list)| price(key.as_str(), &list[0].id, cents("7.5"))).collect();
    let (results, calls) = shop.send(Entity::Prices, &changes).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(calls, 5, "the prices once more, and one each");
}
