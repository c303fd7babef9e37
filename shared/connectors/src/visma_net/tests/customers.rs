//! Customers: found by address, created with their class, changed without it, kept in step, and read.

use koppel_core::document::Entity;
use koppel_core::message::{Action, CustomerDecision};
use koppel_core::ports::target::Change;
use koppel_core::ports::{CustomerLink, Source, Target};
use serde_json::{Value, json};

use super::rows::{customer_payload, order};
use super::{Reply, World, counted, created, key, keys, query};

fn row(number: &str, email: &str, status: &str) -> Value {
    json!({"number": number, "name": "x", "status": status, "mainContact": {"email": email}})
}

fn decision(update: bool) -> CustomerDecision {
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&order()["customer"]),
        delivery_key: None,
        content_hash: "c".into(),
        update,
        matched: Default::default(),
    }
}

#[tokio::test]
async fn the_answer_decides_and_not_the_filter() {
    // A filter that is not obeyed gives everybody.
    let world = World::new(|_| {
        let rows = json!([
            row("9", "piet@example.test", "Active"),
            row("200", "JAN@example.test", "Active"),
            row("30", "jan@example.test", "OnHold"),
            row("1", "jan@example.test", "Inactive")
        ]);
        counted(rows, 4)
    })
    .await;
    let asked = keys(["jan@example.test", "klaas@example.test"]);
    let found = world.visma.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&asked[0]].id, "200", "who may buy goes before a lower number that waits");
    let seen = world.server.take();
    assert_eq!(
        seen.iter().filter_map(|seen| seen.query("email")).collect::<Vec<_>>(),
        ["jan@example.test", "klaas@example.test"]
    );
}

#[tokio::test]
async fn many_addresses_are_found_on_the_pages_of_the_list_when_that_is_less() {
    let world = World::new(|seen| {
        let number: u32 = seen.query("pageNumber").unwrap().parse().unwrap();
        // Cut down to two a page without a word.
        let mut rows = json!([
            row(&format!("{number}0"), &format!("a{number}@example.test"), "Active"),
            row(&format!("{number}1"), &format!("b{number}@example.test"), "Active")
        ]);
        for one in rows.as_array_mut().unwrap() {
            one["metadata"] = json!({"totalCount": 6, "maxPageSize": 2});
        }
        Reply::json(200, rows)
    })
    .await;
    let asked = keys(["a1@example.test", "b2@example.test", "b3@example.test", "c@example.test"]);
    let found = world.visma.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!(found.values().map(|link| link.id.as_str()).collect::<Vec<_>>(), ["10", "21", "31"]);
    assert_eq!(world.lines().len(), 3);
}

#[tokio::test]
async fn contacts_are_looked_at_on_demand() {
    let world = World::with(json!({"search_contacts": true}), |seen| match seen.path.as_str() {
        "/v1/contact" => Reply::json(
            200,
            json!([
            {"contactId": 7, "email": "jan@example.test", "businessAccount": "10042", "active": false},
            {"contactId": 9, "email": "Jan@example.test", "businessAccount": "10042", "active": true}]),
        ),
        "/v1/customer/10042" => Reply::json(200, row("10042", "info@company.test", "Active")),
        _ => Reply::json(200, "[]"),
    })
    .await;
    let asked = keys(["jan@example.test"]);
    let found = world.visma.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!((found[&asked[0]].id.as_str(), found[&asked[0]].contact.as_deref()), ("10042", Some("9")));
    assert_eq!(world.lines().len(), 3);
}

#[tokio::test]
async fn a_new_company_is_one_call_with_class_zone_and_contact() {
    let options = json!({"person_class": "20", "vat_zones": {"NL": "01", "default": "09"}});
    let world = World::with(options, |_| created("https://x.test/v1/customer/10043")).await;
    let link = world.visma.send_customer(&decision(false), None, &world.calls).await.unwrap();
    assert_eq!((link.id.as_str(), link.code.as_str()), ("10043", "10043"));
    let seen = world.server.take().pop().unwrap();
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!((&body["overrideWithClassValues"], &body["customerClassId"]), (&json!(true), &json!({"value": "10"})));
    assert_eq!(
        (&body["vatZoneId"], &body["mainContact"]["value"]["attention"]),
        (&json!({"value": "01"}), &json!({"value": "Jan Bos"}))
    );
    assert_eq!(body["mainAddress"]["value"]["countryId"], json!({"value": "NL"}));
    assert!(body.get("number").is_none());
}

#[tokio::test]
async fn a_changed_customer_is_one_call_and_an_unchanged_one_none() {
    let world = World::new(|_| Reply { status: 204, ..Reply::default() }).await;
    let known = CustomerLink { id: "10/42".into(), code: "10/42".into(), ..CustomerLink::default() };
    world.visma.send_customer(&decision(false), Some(&known), &world.calls).await.unwrap();
    assert!(world.lines().is_empty());
    world.visma.send_customer(&decision(true), Some(&known), &world.calls).await.unwrap();
    let seen = world.server.take().pop().unwrap();
    // A key with a slash goes into the path in another form.
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", "/v1/customer/b64(MTAvNDI)"));
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!(body["name"], json!({"value": "Bos Hout BV"}));
    assert!(body.get("customerClassId").is_none() && body.get("overrideWithClassValues").is_none());
}

#[tokio::test]
async fn a_contact_of_its_own_is_made_for_who_has_rows_for_it() {
    let world = World::new(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("GET", _) => Reply::json(200, json!([{"contactId": 5, "email": "other@example.test", "active": true}])),
        (_, "/v1/contact") => created("https://x.test/v1/contact/77"),
        _ => created("https://x.test/v1/customer/10043"),
    })
    .await;
    let mut with_contact = decision(false);
    with_contact.payload["contact"] = json!({"firstName": "Jan", "lastName": "Bos", "email": "jan@example.test"});
    let link = world.visma.send_customer(&with_contact, None, &world.calls).await.unwrap();
    assert_eq!(link.contact.as_deref(), Some("77"));
    assert_eq!(world.lines(), ["POST /v1/customer", "POST /v1/contact"]);
    let known = CustomerLink { id: "10042".into(), ..CustomerLink::default() };
    world.visma.send_customer(&with_contact, Some(&known), &world.calls).await.unwrap();
    assert_eq!(world.lines(), ["GET /v1/customer/10042/contact", "POST /v1/contact"]);
}

#[tokio::test]
async fn a_fixed_debtor_is_never_touched_and_must_be_named() {
    let world = World::new(|_| Reply::json(500, "")).await;
    let mut guest = decision(true);
    guest.email = String::new();
    guest.link = Some(CustomerLink { id: "10000".into(), code: "10000".into(), ..CustomerLink::default() });
    assert_eq!(world.visma.send_customer(&guest, None, &world.calls).await.unwrap().id, "10000");
    assert!(world.server.take().is_empty());
    guest.link = None;
    let failure = world.visma.send_customer(&guest, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "no_debtor"));
}

#[tokio::test]
async fn kept_customers_are_read_as_the_rows_write_them_and_each_is_settled_on_its_own() {
    let world = World::new(|seen| match seen.method.as_str() {
        "GET" => Reply::json(200, include_str!("../fixtures/customer.json")),
        "PUT" => Reply { status: 204, ..Reply::default() },
        _ if seen.body.contains("Refused") => Reply::json(400, r#"{"message":"Refused"}"#),
        _ => created("https://x.test/v1/customer/10044"),
    })
    .await;
    let found = world.visma.find_records(Entity::Customers, &keys(["jan@example.test"]), &world.calls).await.unwrap();
    let existing = &found[&key("jan@example.test")][0];
    let wanted = customer_payload(&order()["customer"]);
    let (kept, made) = (&existing.fields["customer"], &wanted["customer"]);
    for path in ["/name", "/corporateId", "/mainAddress/addressLine1", "/mainAddress/countryId", "/mainContact/name"] {
        assert_eq!(kept.pointer(path), made.pointer(path), "{path}");
    }
    let change = |action, name: &str| Change {
        key: key("jan@example.test"),
        action,
        fields: json!({"customer": {"name": name, "mainAddress": {"countryId": "NL"}}}).as_object().unwrap().clone(),
        pictures: Vec::new(),
    };
    let changes = [
        change(Action::Update { id: existing.id.clone() }, "Bos"),
        change(Action::Create, "Refused"),
        change(Action::Create, "Piet"),
    ];
    let results = world.visma.send_records(Entity::Customers, &changes, &world.calls).await.unwrap();
    assert_eq!(results[0].as_ref().unwrap().number, "10042");
    assert_eq!(results[1].as_ref().unwrap_err().class(), "reject");
    assert_eq!(results[2].as_ref().unwrap().number, "10044");
    let refused = world.visma.find_records(Entity::Products, &keys(["A"]), &world.calls).await.unwrap_err();
    assert!(refused.to_string().contains("Visma Net"), "{refused}");
}

#[tokio::test]
async fn customers_are_read_page_by_page_with_what_tells_a_company() {
    let world = World::with(json!({"page_size": 1}), |seen| match seen.query("pageNumber") {
        Some("1") => {
            let mut rows: Value = serde_json::from_str(include_str!("../fixtures/customer.json")).unwrap();
            rows[0]["metadata"] = json!({"totalCount": 2, "maxPageSize": 1000});
            Reply::json(200, rows)
        }
        _ => counted(json!([row("20", "piet@example.test", "Active")]), 2),
    })
    .await;
    let mut asked = query(Entity::Customers, "2026-06-01T00:00:00Z");
    let page = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert_eq!((page.records[0].key.as_str(), page.records[0].partition.as_str()), ("10042", "jan@example.test"));
    assert_eq!(page.records[0].raw["is_company"], true);
    asked.page = page.next;
    let page = world.visma.fetch_page(&asked, &world.calls).await.unwrap();
    assert_eq!((page.records[0].raw["is_company"] == false, page.next), (true, None));
    let seen = world.server.take();
    let last = seen.last().unwrap();
    assert_eq!(last.query("lastModifiedDateTime"), Some("2026-05-31T23:55:00"));
    assert_eq!(last.query("lastModifiedDateTimeCondition"), Some(">="));
}
