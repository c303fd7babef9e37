//! Customers that are read: what tells that an account changed, what is read for it, and what it becomes.

use chrono::{DateTime, Utc};
use koppel_core::document::Entity;
use koppel_core::ports::{FetchPage, FetchQuery, Source};
use koppel_mapping::{Checks, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use super::contract;
use super::server::{Reply, Seen};
use super::{World, guid, key, list};
use crate::exact_online::FACTS;

const NOW: &str = "2026-06-01T10:00:00Z";

fn account(number: u32, changes: Value) -> Value {
    let mut row = json!({"ID":guid(number).to_uppercase(),"Code":format!("{number:>18}"),"Name":"De Linde B.V.",
        "Email":"Inkoop@delinde.test ","Status":"C","Blocked":false,"Country":"NL ","Language":"NL        ",
        "AddressLine1":"Lindelaan 4b","Postcode":"3511 AB","City":"Utrecht","VATNumber":"NL123456789B01",
        "Created":"/Date(1580331290000)/","Modified":"/Date(1780331290000)/","MainContact":guid(90),"PriceList":guid(70)});
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// A division in which these accounts are, and changed.
fn books(seen: &Seen, accounts: &[Value]) -> Reply {
    let changed = |field: &str| {
        let row = |(at, row): (usize, &Value)| json!({"Timestamp":(5001 + at).to_string(), field: row["ID"]});
        list(accounts.iter().enumerate().map(row).collect::<Vec<_>>())
    };
    match seen.entity() {
        "read/sync/Sync/SyncTimestamp" => list(json!([{"TimeStampAsBigInt":"5000"}])),
        "sync/CRM/Accounts" => changed("ID"),
        "sync/CRM/Addresses" => changed("Account"),
        "sync/Deleted" => list(json!([
            {"Timestamp":"6000","EntityType":2,"EntityKey":guid(9).to_uppercase(),"DeletedDate":"/Date(4102444800000)/"},
            {"Timestamp":"6001","EntityType":9,"EntityKey":guid(8),"DeletedDate":"/Date(4102444800000)/"},
        ])),
        "crm/Accounts" | "bulk/CRM/Accounts" => list(accounts),
        "crm/Contacts" | "bulk/CRM/Contacts" => list(json!([{"ID":guid(90),"FirstName":"Noor","MiddleName":"van",
            "LastName":"Dam","FullName":"Noor van Dam","BusinessEmail":"noor@delinde.test","BusinessPhone":"030-1",
            "Modified":"/Date(1780331290000)/"}])),
        "crm/Addresses" | "bulk/CRM/Addresses" => list(json!([
            {"ID":guid(80),"Account":guid(1),"Type":4,"Main":true,"AddressLine1":"Magazijnweg 12","City":"Utrecht",
             "Postcode":"3542 AD","Country":"NL"},
            {"ID":guid(81),"Account":guid(1),"Type":4,"Main":false,"AddressLine1":"Elders 1"},
        ])),
        "sales/SalesPriceLists" => list(json!([{"ID":guid(70),"Code":"DEALER"}])),
        _ => list(json!([])),
    }
}

async fn fetch(world: &World, since: &str) -> FetchPage {
    let since: DateTime<Utc> = since.parse().unwrap();
    let query = FetchQuery { entity: Entity::Customers, since, page: None };
    world.exact.fetch_page(&query, &world.calls).await.unwrap()
}

fn canonical(raw: &Value) -> Value {
    let rows = FACTS.rows.iter().find(|rows| rows.name.ends_with("rows/customer.source.yaml")).unwrap();
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let compiled = compile(&file, &Checks::new().variable("source")).unwrap();
    let source = Mapped::from_json(raw);
    compiled.evaluate(&Scope::new(Utc::now()).with_ref("source", &source)).unwrap().to_json()
}

#[tokio::test]
async fn a_company_comes_with_its_contact_addresses_and_price_list() {
    let world = World::new(|seen| books(seen, &[account(1, json!({}))])).await;
    let page = fetch(&world, NOW).await;
    assert_eq!(page.gone, [key(&guid(9))], "accounts only");
    let record = &page.records[0];
    assert_eq!(
        (record.key.as_str(), record.label.as_str(), record.partition.as_str()),
        (&*guid(1), "1", "inkoop@delinde.test")
    );
    let customer = canonical(&record.raw);
    assert_eq!(customer["email"], "inkoop@delinde.test");
    assert_eq!(
        (&customer["company"]["name"], &customer["vat_number"]),
        (&json!("De Linde B.V."), &json!("NL123456789B01"))
    );
    assert_eq!(customer["person"], json!({"first_name":"Noor","last_name":"van Dam"}));
    assert_eq!(
        (&customer["phone"], &customer["language"], &customer["price_class"]),
        (&json!("030-1"), &json!("nl"), &json!("DEALER"))
    );
    let billing = &customer["billing"];
    assert_eq!(
        (&billing["house_number"], &billing["house_number_addition"], &billing["country"]),
        (&json!("4"), &json!("b"), &json!("NL"))
    );
    assert_eq!(customer["shipping"]["line1"], "Magazijnweg 12", "the main one");
    let catalogue = contract::section("customer.source");
    let names: Vec<String> = catalogue.fields().into_iter().map(|(path, _)| path).collect();
    let known = record.raw.as_object().unwrap().keys().filter(|name| !names.iter().any(|path| path.starts_with(*name)));
    assert_eq!(known.collect::<Vec<_>>(), Vec::<&String>::new(), "fields that the catalogue does not name");
}

#[tokio::test]
async fn a_person_has_no_company_and_no_call_is_made_for_price_lists_that_nobody_has() {
    let person = json!({"Name":"Sanne Bakker","VATNumber":null,"MainContact":null,"PriceList":null,"Email":"  "});
    let world = World::new(move |seen| books(seen, &[account(1, person.clone())])).await;
    let page = fetch(&world, "1970-01-01T00:00:00Z").await;
    let lines = world.server.lines();
    assert_eq!(lines, ["GET bulk/CRM/Accounts", "GET bulk/CRM/Contacts", "GET bulk/CRM/Addresses"]);
    let customer = canonical(&page.records[0].raw);
    assert_eq!((&customer["company"]["name"], &customer["email"]), (&Value::Null, &json!("")));
    assert_eq!(customer["person"], json!({"first_name":"Sanne","last_name":"Bakker"}));
    assert_eq!(page.records[0].partition, format!("account:{}", guid(1)), "an empty address joins nobody");
}

#[tokio::test]
async fn who_cannot_buy_is_no_customer_and_the_older_of_two_comes_first() {
    let accounts = [
        account(1, json!({"Created":"/Date(1680331290000)/"})),
        account(2, json!({})),
        account(3, json!({"Blocked":true})),
        account(4, json!({"Status":"P"})),
    ];
    let world = World::new(move |seen| books(seen, &accounts)).await;
    let page = fetch(&world, NOW).await;
    assert_eq!(page.records.iter().map(|record| record.label.as_str()).collect::<Vec<_>>(), ["2", "1"]);
    let blocked = world.exact.fetch_one(Entity::Customers, &key(&guid(3)), &world.calls).await.unwrap();
    assert!(blocked.is_some_and(|record| record.label != "3"));
}

#[tokio::test]
async fn nothing_changed_is_seven_calls_and_a_classification_may_be_the_class() {
    let world = World::new(|seen| match seen.entity() {
        "read/sync/Sync/SyncTimestamp" => list(json!([{"TimeStampAsBigInt":"5000"}])),
        _ => list(json!([])),
    })
    .await;
    assert_eq!(fetch(&world, NOW).await, FetchPage::default());
    assert_eq!(world.server.lines().len(), 7);
    let options = json!({"price_class":"classification_2"});
    let world = World::with(options, |seen| match seen.entity() {
        "crm/AccountClassifications" => list(json!([{"ID":guid(60),"Code":"GROOT"}])),
        _ => books(seen, &[account(1, json!({"Classification2":guid(60)}))]),
    })
    .await;
    assert_eq!(fetch(&world, NOW).await.records[0].raw["price_class"], "GROOT");
}
