//! Customers.

use super::server::{batch_answer, target};
use super::*;
use crate::http::testing::server::{Reply, Seen};

fn keys(list: &[&str]) -> Vec<NonEmpty> {
    list.iter().filter_map(NonEmpty::new).collect()
}

#[tokio::test]
async fn accounts_of_any_role_are_found_by_address() {
    let world = World::new().await;
    let found = &world.find(Entity::Customers, "inkoop@peeters.example.test").await[0];
    assert_eq!((found.id.as_str(), &found.fields["_vat_number"]), ("3", &json!("BE0123456789")));
    assert_eq!(found.fields["billing"]["company"], "Peeters BV");
    assert_eq!(world.find(Entity::Customers, "admin@example.test").await.len(), 1, "staff too: their address is taken");
    assert!(world.find(Entity::Customers, "nobody@example.test").await.is_empty());
    // Many are looked for in the list when that is shorter.
    let many = keys(&["jan@example.test", "inkoop@peeters.example.test", "a@b.test", "c@d.test", "e@f.test"]);
    let before = world.calls.count();
    let found = world.target.find_records(Entity::Customers, &many, &world.calls).await.unwrap();
    assert_eq!((found.len(), world.calls.count() - before), (2, 1));
}

fn shop(total: u64) -> impl Fn(&Seen) -> Reply + Send + Sync + 'static {
    move |seen| {
        let row = |id: u64| json!({ "id": id, "email": format!("c{id}@shop.test"), "role": "customer" });
        let rows: Vec<Value> = match (seen.query("email"), seen.query("page")) {
            (Some(email), _) => {
                let id: u64 = email.trim_start_matches('c').split('@').next().unwrap().parse().unwrap();
                vec![row(id)]
            }
            (None, page) => {
                let page: u64 = page.and_then(|page| page.parse().ok()).unwrap_or(1);
                ((page - 1) * 100 + 1..=(page * 100).min(total)).map(row).collect()
            }
        };
        Reply::json(200, Value::Array(rows)).header("X-WP-Total", total)
    }
}

#[tokio::test]
async fn the_way_that_takes_fewer_calls_is_taken() {
    let wanted = keys(&["c150@shop.test", "c250@shop.test", "c350@shop.test", "c450@shop.test", "c5@shop.test"]);
    for (total, expected) in [(600, 5), (1_000_000, 5), (350, 5)] {
        let (server, target) = target(json!({}), &[], shop(total)).await;
        let found = target.find_records(Entity::Customers, &wanted, &Calls::default()).await.unwrap();
        let there = wanted.iter().filter(|key| total > 350 || key.as_str() != "c450@shop.test").count();
        assert_eq!((found.len(), server.take().len()), (there, expected), "{total} customers");
    }
}

#[tokio::test]
async fn an_account_that_was_made_meanwhile_is_changed_instead() {
    let (server, target) = target(json!({ "vat_number_meta": ["_my_vat"] }), &[], |seen| {
        if seen.method == "GET" {
            return Reply::json(200, json!([{ "id": 42, "email": "jan@example.test" }]));
        }
        let mut answer = batch_answer(&seen.body);
        if answer.get("create").is_some() {
            answer["create"][0] =
                json!({ "id": 0, "error": { "code": "registration-error-email-exists", "message": "x" } });
        }
        Reply::json(200, answer)
    })
    .await;
    let fields = json!({ "email": "jan@example.test", "billing": { "city": "Delft", "phone": null }, "shipping": {}, "_vat_number": "NL1" });
    let changes = [
        change("jan@example.test", None, fields),
        change("els@example.test", None, json!({ "email": "els@example.test" })),
    ];
    let results = target.send_records(Entity::Customers, &changes, &Calls::default()).await.unwrap();
    let ids: Vec<String> = results.into_iter().map(|result| result.unwrap().id).collect();
    assert_eq!(ids, ["42", "501"]);
    let seen = server.take();
    assert_eq!(seen[1].query("role"), Some("all"));
    let body: Value = serde_json::from_str(&seen[2].body).unwrap();
    let meta = json!([{ "key": "my_vat", "value": "NL1" }]);
    let wanted = json!({ "email": "jan@example.test", "billing": { "city": "Delft" }, "meta_data": meta, "id": 42 });
    assert_eq!(body["update"][0], wanted);
}

#[tokio::test]
async fn a_role_is_written_with_the_application_password_or_not_at_all() {
    let role = || [change("jan@example.test", Some("2"), json!({ "role": "wholesale_customer" }))];
    let (_server, plain) = target(json!({}), &[], |_| Reply::json(200, "{}")).await;
    let results = plain.send_records(Entity::Customers, &role(), &Calls::default()).await.unwrap();
    assert!(matches!(&results[0], Err(Failure::Settings(cause)) if cause.code == "no_application_password"));

    let user = [("wp_user", "koppel"), ("wp_application_password", "abcd efgh")];
    let (server, target) = target(json!({}), &user, |_| Reply::json(200, json!({ "id": 2 }))).await;
    let calls = Calls::default();
    let results = target.send_records(Entity::Customers, &role(), &calls).await.unwrap();
    assert!(results[0].is_ok());
    let seen = server.take().remove(0);
    assert_eq!(
        (seen.path.as_str(), seen.body.as_str()),
        ("/wp-json/wp/v2/users/2", "{\"roles\":[\"wholesale_customer\"]}")
    );
    assert!(seen.header("authorization").unwrap().starts_with("Basic "));
    assert!(!format!("{:?}", calls.take()).contains("abcd efgh"));
}
