//! Customers: found on accounts and contacts, created in the right parts, and never twice.

use std::collections::BTreeMap;

use koppel_core::message::CustomerDecision;
use koppel_core::ports::{CustomerLink, Target};
use serde_json::{Value, json};

use super::rows::{customer_payload, order};
use super::server::{Reply, Seen};
use super::{World, guid, key, keys, list};

fn account(id: u32, email: &str, status: &str, created: i64) -> Value {
    json!({"ID":guid(id),"Code":format!("{id:>18}"),"Name":"x","Email":email,"Status":status,"Blocked":false,
        "EndDate":null,"Created":format!("/Date({created})/")})
}

/// Answers creations with the posted record and the id that belongs to the entity.
fn created(seen: &Seen) -> Reply {
    let mut body = seen.body();
    let id = match seen.entity() {
        "crm/Accounts" => 100,
        "crm/Contacts" => 200,
        _ => 300,
    };
    body["ID"] = json!(guid(id));
    body["Code"] = json!("               100");
    Reply::json(201, &json!({ "d": body }).to_string())
}

fn company() -> CustomerDecision {
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&order()["customer"]),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update: false,
        matched: Default::default(),
    }
}

fn known() -> CustomerLink {
    CustomerLink { id: guid(7), code: "7".into(), contact: None, not_yet_customer: false, addresses: BTreeMap::new() }
}

#[tokio::test]
async fn accounts_come_first_and_contacts_only_for_the_rest() {
    let world = World::new(|seen| match seen.entity() {
        "crm/Contacts" => list(json!([
            {"ID":guid(41),"Account":guid(4),"Email":null,"BusinessEmail":"Piet@example.test","EndDate":null},
            {"ID":guid(42),"Account":guid(5),"Email":"piet@example.test","BusinessEmail":null,"EndDate":"/Date(1000)/"}
        ])),
        _ if seen.filter().starts_with("ID eq") => list([account(4, "info@company.test", "C", 1)]),
        _ => list([
            account(2, "jan@example.test", "P", 1),
            account(1, "JAN@example.test ", "C", 3),
            account(3, "jan@example.test", "C", 2),
            account(6, "anja@example.test", "S", 2),
        ]),
    })
    .await;
    let asked = keys(["jan@example.test", "piet@example.test", "anja@example.test", "nobody@example.test"]);
    let found = world.exact.find_customers(&asked, &world.calls).await.unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(
        (found[&key("jan@example.test")].id.clone(), found[&key("jan@example.test")].code.as_str()),
        (guid(3), "3")
    );
    let piet = &found[&key("piet@example.test")];
    assert_eq!((piet.id.clone(), piet.contact.clone()), (guid(4), Some(guid(41))));
    assert!(found[&key("anja@example.test")].not_yet_customer);
    let seen = world.server.take();
    assert_eq!(
        seen.iter().map(Seen::line).collect::<Vec<_>>(),
        ["GET crm/Accounts", "GET crm/Contacts", "GET crm/Accounts"]
    );
    assert!(!seen[1].filter().contains("jan@") && seen[1].filter().contains("BusinessEmail eq 'piet@example.test'"));
}

#[tokio::test]
async fn contacts_are_left_alone_when_the_connection_says_so() {
    let world = World::with(json!({"search_contacts": false}), |_| list(json!([]))).await;
    assert!(world.exact.find_customers(&keys(["a@b.test"]), &world.calls).await.unwrap().is_empty());
    assert_eq!(world.server.lines(), ["GET crm/Accounts"]);
}

#[tokio::test]
async fn a_new_company_gets_account_contact_and_delivery_address() {
    let world = World::new(created).await;
    let link = world.exact.send_customer(&company(), None, &world.calls).await.unwrap();
    assert_eq!(
        link,
        CustomerLink {
            id: guid(100),
            code: "100".into(),
            contact: Some(guid(200)),
            not_yet_customer: false,
            addresses: [("place".to_owned(), guid(300))].into(),
        }
    );
    let seen = world.server.take();
    assert_eq!(
        seen.iter().map(Seen::line).collect::<Vec<_>>(),
        ["POST crm/Accounts", "POST crm/Contacts", "POST crm/Addresses"]
    );
    assert_eq!(seen[0].body()["Status"], "C");
    assert_eq!(seen[1].body()["Account"], json!(guid(100)));
    let address = seen[2].body();
    assert_eq!(
        (&address["Type"], &address["Main"], &address["Account"]),
        (&json!(4), &json!(false), &json!(guid(100)))
    );
}

#[tokio::test]
async fn a_private_person_is_one_call() {
    let mut customer = order()["customer"].clone();
    customer["company"] = Value::Null;
    customer["deliver_elsewhere"] = json!(false);
    let world = World::new(created).await;
    let decision = CustomerDecision { payload: customer_payload(&customer), delivery_key: None, ..company() };
    let link = world.exact.send_customer(&decision, None, &world.calls).await.unwrap();
    assert_eq!((link.id, link.contact), (guid(100), None));
    assert_eq!(world.server.lines(), ["POST crm/Accounts"]);
}

#[tokio::test]
async fn a_known_customer_only_gets_what_is_missing() {
    let complete = CustomerLink {
        contact: Some(guid(8)),
        not_yet_customer: false,
        addresses: [("place".to_owned(), guid(9))].into(),
        ..known()
    };
    let world = World::new(created).await;
    assert_eq!(world.exact.send_customer(&company(), Some(&complete), &world.calls).await.unwrap(), complete);
    assert_eq!(world.server.take().len(), 0);
}

#[tokio::test]
async fn a_contact_that_exists_is_found_and_not_created_again() {
    let world = World::new(|seen| match (seen.method.as_str(), seen.entity()) {
        ("GET", "crm/Contacts") => list(json!([
            {"ID":guid(51),"Account":guid(7),"Email":"other@example.test","FirstName":"Jan","LastName":"Bos"},
            {"ID":guid(52),"Account":guid(7),"Email":"JAN@example.test","FirstName":"J.","LastName":"Bos"}
        ])),
        _ => created(seen),
    })
    .await;
    let link = world.exact.send_customer(&company(), Some(&known()), &world.calls).await.unwrap();
    assert_eq!((link.id, link.contact), (guid(7), Some(guid(52))));
    assert_eq!(world.server.lines(), ["GET crm/Contacts", "POST crm/Addresses"]);
}

#[tokio::test]
async fn an_address_is_looked_for_first_where_the_connection_says_so() {
    let world = World::with(json!({"search_addresses": true}), |seen| match (seen.method.as_str(), seen.entity()) {
        ("GET", "crm/Addresses") => list(json!([
            {"ID":guid(61),"AddressLine1":"Havenweg 3","AddressLine3":"Iemand anders","Postcode":"3000 AA","City":"Rotterdam","Country":"NL "},
            {"ID":guid(62),"AddressLine1":"havenweg  3","AddressLine2":null,"AddressLine3":"Piet Bos","Postcode":"3000 AA","City":"Rotterdam","Country":"NL "}
        ])),
        _ => created(seen),
    })
    .await;
    let with_contact = CustomerLink { contact: Some(guid(8)), ..known() };
    let link = world.exact.send_customer(&company(), Some(&with_contact), &world.calls).await.unwrap();
    assert_eq!(link.addresses["place"], guid(62));
    let seen = world.server.take();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].filter(), format!("Account eq guid'{}' and Type eq 4", guid(7)));
}

#[tokio::test]
async fn a_changed_customer_is_updated_with_its_contact_and_without_its_code() {
    let world = World::new(|seen| if seen.method == "PUT" { Reply::empty(204) } else { created(seen) }).await;
    let mut decision = CustomerDecision { update: true, delivery_key: None, ..company() };
    decision.payload["account"]["Code"] = json!("7");
    let with_contact = CustomerLink { contact: Some(guid(8)), ..known() };
    world.exact.send_customer(&decision, Some(&with_contact), &world.calls).await.unwrap();
    let seen = world.server.take();
    assert_eq!(seen.iter().map(Seen::line).collect::<Vec<_>>(), ["PUT crm/Accounts", "PUT crm/Contacts"]);
    assert_eq!(seen[0].path, format!("/api/v1/1234567/crm/Accounts(guid'{}')", guid(7)));
    assert_eq!((seen[0].body().get("Code"), &seen[0].body()["Name"]), (None, &json!("Bos Hout BV")));
    assert_eq!(seen[1].path, format!("/api/v1/1234567/crm/Contacts(guid'{}')", guid(8)));
    let contact = seen[1].body();
    assert_eq!((contact.get("Account"), &contact["LastName"]), (None, &decision.payload["contact"]["LastName"]));
    assert_eq!(contact["MiddleName"], "", "a part of the family name by now");
}

#[tokio::test]
async fn a_contact_that_is_found_by_its_address_is_updated_when_the_customer_changed() {
    let world = World::new(|seen| match (seen.method.as_str(), seen.entity()) {
        ("GET", _) => list(json!([
            {"ID":guid(52),"Account":guid(7),"Email":"jan@example.test","FirstName":"J.","LastName":"Bosch"}
        ])),
        ("PUT", _) => Reply::empty(204),
        _ => created(seen),
    })
    .await;
    let decision = CustomerDecision { update: true, delivery_key: None, ..company() };
    let link = world.exact.send_customer(&decision, Some(&known()), &world.calls).await.unwrap();
    assert_eq!(link.contact, Some(guid(52)));
    let seen = world.server.take();
    assert_eq!(
        seen.iter().map(Seen::line).collect::<Vec<_>>(),
        ["PUT crm/Accounts", "GET crm/Contacts", "PUT crm/Contacts"]
    );
    assert_eq!(seen[2].path, format!("/api/v1/1234567/crm/Contacts(guid'{}')", guid(52)));
}

#[tokio::test]
async fn a_new_contact_of_a_changed_customer_is_not_written_twice() {
    let world = World::new(|seen| match seen.method.as_str() {
        "GET" => list(json!([])),
        "PUT" => Reply::empty(204),
        _ => created(seen),
    })
    .await;
    let decision = CustomerDecision { update: true, delivery_key: None, ..company() };
    let link = world.exact.send_customer(&decision, Some(&known()), &world.calls).await.unwrap();
    assert_eq!(link.contact, Some(guid(200)));
    assert_eq!(world.server.lines(), ["PUT crm/Accounts", "GET crm/Contacts", "POST crm/Contacts"]);
}

#[tokio::test]
async fn a_prospect_becomes_a_customer_once() {
    let world = World::new(|seen| if seen.method == "PUT" { Reply::empty(204) } else { created(seen) }).await;
    let prospect = CustomerLink {
        contact: Some(guid(8)),
        not_yet_customer: true,
        addresses: [("place".to_owned(), guid(9))].into(),
        ..known()
    };
    let link = world.exact.send_customer(&company(), Some(&prospect), &world.calls).await.unwrap();
    let seen = world.server.take();
    assert_eq!((seen.len(), seen[0].body()), (1, json!({"Status":"C"})));
    assert!(!link.not_yet_customer);
    world.exact.send_customer(&company(), Some(&link), &world.calls).await.unwrap();
    assert_eq!(world.server.take().len(), 0);
}

#[tokio::test]
async fn a_fixed_debtor_only_ever_gets_a_delivery_address() {
    let world = World::new(created).await;
    let guest = CustomerDecision {
        email: String::new(),
        key_hash: String::new(),
        update: true,
        link: Some(known()),
        ..company()
    };
    let link = world.exact.send_customer(&guest, None, &world.calls).await.unwrap();
    assert_eq!((link.id, link.contact, link.addresses["place"].clone()), (guid(7), None, guid(300)));
    assert_eq!(world.server.lines(), ["POST crm/Addresses"]);
    let nobody = CustomerDecision { link: None, ..guest };
    let failure = world.exact.send_customer(&nobody, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "no_debtor"));
}

#[tokio::test]
async fn what_exact_would_cut_or_refuse_is_rejected_before_or_after_with_advice() {
    let world = World::new(|_| Reply::json(500, include_str!("../fixtures/error-validation.json"))).await;
    let mut long = company();
    long.payload["account"]["Name"] = json!("n".repeat(51));
    let failure = world.exact.send_customer(&long, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "too_long"));
    let mut nameless = company();
    nameless.payload["account"]["Name"] = Value::Null;
    let failure = world.exact.send_customer(&nameless, None, &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "mandatory_missing");
    assert_eq!(world.server.take().len(), 0);
    let failure = world.exact.send_customer(&company(), None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "vat_number_refused"));
    assert!(failure.cause().advice.is_some() && failure.cause().message.contains("Btw-nummer"));
}

#[tokio::test]
async fn a_lost_answer_is_an_unknown_outcome() {
    let world = World::new(|_| Reply::lost()).await;
    let failure = world.exact.send_customer(&company(), None, &world.calls).await.unwrap_err();
    let koppel_core::Failure::Retry { reason, .. } = failure else { panic!("{failure}") };
    assert_eq!(reason, koppel_core::error::RetryReason::OutcomeUnknown);
}
