//! The default rows: they compile against the field catalogue and make what is documented.

use chrono::{TimeZone, Utc};
use koppel_core::document::{DocumentType, Entity};
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, Mapping, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use crate::accountview::FACTS;

/// The order of the fixtures, as the target's rows see it.
pub fn order() -> Value {
    serde_json::from_str(include_str!("../fixtures/order.json")).unwrap()
}

fn section(stem: &str) -> FieldCatalogue {
    let all: Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    FieldCatalogue::parse(stem, &all[stem].to_string()).unwrap()
}

fn mapping(side: Side, entity: Entity, document: Option<DocumentType>, variable: &str) -> Mapping {
    let file = FACTS.rows_for(side, entity, document).unwrap();
    let rows = RowFile::parse(file.name, file.text).unwrap();
    let stem = file.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let checks = match side {
        Side::Target => Checks::new().variable(variable).target(section(stem)),
        Side::Source => Checks::new().catalogued(variable, section(stem)),
    };
    compile(&rows, &checks).unwrap()
}

fn made(mapping: &Mapping, variable: &str, value: &Value) -> Value {
    let scope = Scope::new(Utc.timestamp_opt(0, 0).unwrap()).with(variable, Mapped::from_json(value));
    mapping.evaluate(&scope).unwrap().to_json()
}

/// The payload that the rows make of an order.
pub fn order_payload(order: &Value, document: DocumentType) -> Value {
    let mut payload = made(&mapping(Side::Target, Entity::Orders, Some(document), "order"), "order", order);
    payload["_expected_total"] = order["total"].clone();
    payload
}

/// The payload that the rows make of a customer.
pub fn customer_payload(customer: &Value) -> Value {
    made(&mapping(Side::Target, Entity::Customers, None, "customer"), "customer", customer)
}

/// The canonical document that the rows make of a record.
pub fn canonical(entity: Entity, raw: &Value) -> Value {
    made(&mapping(Side::Source, entity, None, "source"), "source", raw)
}

#[test]
fn a_company_has_a_contact_and_a_person_has_none() {
    let company = customer_payload(&order()["customer"]);
    for (name, wanted) in [
        ("name", json!("Bos Hout BV")),
        ("search_code", json!("BOSHOUTBV")),
        ("contact_name", json!("Jan Bos")),
        ("contact_email", json!("jan@example.test")),
        ("street", json!("Dorpsstraat 12b")),
        ("postcode", json!("1234 AB")),
        ("vat_number", json!("NL0012345678")),
        ("language", json!("NL")),
        ("register_number", json!("12345678")),
    ] {
        assert_eq!(company[name], wanted, "{name}");
    }
    let mut person = order()["customer"].clone();
    person["company"] = Value::Null;
    person["billing"]["postcode"] = json!("1234ab");
    let person = customer_payload(&person);
    assert_eq!(
        (&person["name"], &person["postcode"], &person["search_code"]),
        (&json!("Jan Bos"), &json!("1234 AB"), &json!("JANBOS"))
    );
    assert!(person["contact_name"].is_null() && person["contact_email"].is_null());
    let mut german = order()["customer"].clone();
    german["billing"]["country"] = json!("DE");
    german["billing"]["postcode"] = json!("101155");
    german["billing"]["line2"] = json!("2e etage");
    let german = customer_payload(&german);
    assert_eq!((&german["postcode"], &german["street"]), (&json!("101155"), &json!("Dorpsstraat 12b, 2e etage")));
}

#[test]
fn an_order_holds_roles_and_what_is_only_compared() {
    let payload = order_payload(&order(), DocumentType::SalesOrder);
    assert_eq!((&payload["reference"], &payload["shipping_method"]), (&json!("WEB-23"), &json!("POST")));
    assert_eq!(payload["_delivery"]["receiver"], "Piet Bos");
    let line = &payload["lines"][0];
    assert_eq!(
        (&line["article"], &line["_article_vat_code"], &line["unit_price"]),
        (&json!("MUG"), &json!("4"), &json!(9.99))
    );
    assert_eq!(order_payload(&order(), DocumentType::SalesInvoice)["direct"], false);
    let entry = order_payload(&order(), DocumentType::FinancialEntry);
    assert_eq!((&entry["lines"][1]["amount"], &entry["lines"][1]["description"]), (&json!(9.98), &json!("LAMP Lamp")));
}
