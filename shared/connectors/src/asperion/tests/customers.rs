//! Debtors: found by their exact address, created once, changed only where the connection allows it.

use koppel_core::message::CustomerDecision;
use koppel_core::ports::{CustomerLink, Target};
use serde_json::{Value, json};

use super::rows::{customer_payload, order};
use super::{World, key, keys, list};
use crate::http::testing::server::{Reply, Seen};

fn decision(update: bool) -> CustomerDecision {
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&order()["customer"]),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update,
        matched: Default::default(),
    }
}

fn known() -> CustomerLink {
    CustomerLink { id: "1001".into(), code: "10001".into(), ..CustomerLink::default() }
}

#[tokio::test]
async fn an_address_that_is_part_of_another_is_not_the_same() {
    let world = World::new(|_| Reply::json(200, include_str!("../fixtures/debtors-page.json"))).await;
    let found = world.asperion.find_customers(&keys(["jan@example.test"]), &world.calls).await.unwrap();
    let link = &found[&key("jan@example.test")];
    // The oldest is blocked, and marjan is somebody else.
    assert_eq!((link.id.as_str(), link.code.as_str()), ("1006", "10006"));
    let seen = world.server.take();
    assert_eq!(
        (seen[0].query("EmailAddress"), seen[0].query("EmailAddress_comparison")),
        (Some("jan@example.test"), Some("Equals"))
    );
}

#[tokio::test]
async fn a_new_debtor_is_one_call_whichever_form_answers() {
    for answer in [
        json!({"id": 1010, "customerNumber": "10010"}),
        json!({"_data": [{"id": 1010, "customerNumber": "10010"}], "_meta": {}}),
    ] {
        let options = json!({"debtor_kinds":{"company":"ZAK"},"classification_field":"characteristic5","classifications":{"wholesale":"A"}});
        let world = World::with(options, move |_| Reply::json(201, &answer)).await;
        let link = world.asperion.send_customer(&decision(false), None, &world.calls).await.unwrap();
        assert_eq!(
            (link.id.as_str(), link.code.as_str(), link.addresses.contains_key("place")),
            ("1010", "10010", true)
        );
        let seen = world.server.take();
        let posted: Value = serde_json::from_str(&seen[0].body).unwrap();
        assert_eq!((seen.len(), &posted["debtorKindId"], &posted["characteristic5"]), (1, &json!("ZAK"), &json!("A")));
        assert_eq!((posted.get("kind"), &posted["attentionTo"]), (None, &json!("Jan Bos")));
    }
    let world = World::new(|_| Reply::json(201, json!({}))).await;
    let failure = world.asperion.send_customer(&decision(false), None, &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "no_id_answered");
}

#[tokio::test]
async fn a_known_debtor_costs_no_call_and_a_change_needs_consent() {
    let world = World::new(|_| Reply::json(500, "{}")).await;
    let link = world.asperion.send_customer(&decision(false), Some(&known()), &world.calls).await.unwrap();
    assert_eq!((link.code.as_str(), world.server.take().len()), ("10001", 0));
    let failure = world.asperion.send_customer(&decision(true), Some(&known()), &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "not_confirmed"));
    assert!(failure.to_string().contains("assume_debtor_update") && world.server.take().is_empty(), "{failure}");
    // A debtor that is shared by many is never touched.
    let guest = CustomerDecision { email: String::new(), link: Some(known()), ..decision(true) };
    assert_eq!(world.asperion.send_customer(&guest, None, &world.calls).await.unwrap().code, "10001");
    let nobody = CustomerDecision { email: String::new(), ..decision(false) };
    assert_eq!(world.asperion.send_customer(&nobody, None, &world.calls).await.unwrap_err().cause().code, "no_debtor");
}

#[tokio::test]
async fn a_change_sends_all_that_is_there_except_what_the_system_fills() {
    let there = json!({"id":1001,"customerNumber":"10001","name":"Old","comments":"Belt graag","blocked":false,"faxNumber":null,
        "dateAdded":"2024-01-01T00:00:00","dateLastChange":"2024-02-01T00:00:00","_meta":{"self":"x"}});
    let shown = there.clone();
    let world = World::with(json!({"assume_debtor_update": true}), move |seen: &Seen| match seen.method.as_str() {
        "GET" => list(json!([shown, {"id": 11001}])),
        _ => Reply::json(200, &shown),
    })
    .await;
    let link = world.asperion.send_customer(&decision(true), Some(&known()), &world.calls).await.unwrap();
    assert_eq!(link.code, "10001");
    let seen = world.server.take();
    assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), ("PUT", "/v1/debtors/1001"));
    let sent: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(
        (&sent["comments"], &sent["name"], &sent["customerNumber"]),
        (&json!("Belt graag"), &json!("Bos Hout BV"), &json!("10001"))
    );
}
