//! Customers.

use super::*;

fn details(email: &str, city: &str) -> Value {
    json!({
        "username": email,
        "userinfo": {
            "email": email, "customertype": "b2c", "btw": null,
            "billingaddress": { "first_name": "Noor", "last_name": "Visser", "city": city, "housenumber": 4, "country_code": "NL" },
            "deliveryaddress": { "city": null },
        },
    })
}

#[tokio::test]
async fn users_are_found_by_address_made_and_changed() {
    for switches in [json!({}), json!({ "post_without_answer": ["users"] })] {
        let shop = Shop::new(switches, json!({})).await;
        let els = shop.find(Entity::Customers, "Inkoop@Peeters.example.test").await.remove(0);
        assert_eq!((els.id.as_str(), els.label.as_str()), ("3", "inkoop@peeters.example.test"));
        assert_eq!(els.fields["userinfo"]["btw"], "BE0123456789");
        assert!(shop.find(Entity::Customers, "new@example.test").await.is_empty());

        let made =
            shop.one(Entity::Customers, change("new@example.test", None, details("new@example.test", "Delft"))).await;
        let id = made.unwrap().id;
        let found = shop.find(Entity::Customers, "new@example.test").await.remove(0);
        assert_eq!((&found.id, &found.fields["userinfo"]["billingaddress"]["city"]), (&id, &json!("Delft")));

        // Only what rows speak of changes; the user name stays what it is.
        let fields =
            json!({ "username": "inkoop@peeters.example.test", "userinfo": { "billingaddress": { "city": "Gent" } } });
        let (results, calls) =
            shop.send(Entity::Customers, &[change("inkoop@peeters.example.test", Some("3"), fields)]).await;
        assert!(results[0].is_ok(), "{results:?}");
        assert_eq!(calls, 2, "read and written");
        let row = shop.row("users", "id", &json!(3));
        assert_eq!((&row["username"], &row["userinfo"]["billingaddress"]["city"]), (&json!("peeters"), &json!("Gent")));
        assert_eq!(row["userinfo"]["btw"], "BE0123456789");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_user_that_is_gone_are_told() {
    let shop = Shop::new(json!({}), json!({})).await;
    let changes = [
        change("jan@example.test", None, details("jan@example.test", "Delft")),
        change("x@example.test", Some("99"), json!({ "userinfo": { "email": "x@example.test" } })),
        change("y@example.test", None, json!({ "userinfo": { "email": "y@example.test" } })),
    ];
    let codes: Vec<String> = shop.send(Entity::Customers, &changes).await.0.into_iter().map(code).collect();
    assert_eq!(codes, ["reject duplicate_username", "reject gone_from_target", "reject bad_value"]);
}

#[tokio::test]
async fn the_list_of_users_is_read_once_for_many_and_again_for_who_is_new() {
    let shop = Shop::new(json!({}), json!({})).await;
    let calls = || shop.world.calls.count();
    for _ in 0..3 {
        shop.find(Entity::Customers, "jan@example.test").await;
    }
    assert_eq!(calls(), 1);
    shop.find(Entity::Customers, "nobody@example.test").await;
    assert_eq!(calls(), 2, "who is not in the kept list may have been made since");
}
