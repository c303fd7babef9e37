//! The default rows: they compile against the field catalogue and make exactly what is posted.

use chrono::{TimeZone, Utc};
use koppel_core::document::{DocumentType, Entity, Order};
use koppel_core::system::Side;
use koppel_mapping::{Checks, Mapping, RowFile, Scope, Value as Mapped, compile};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::contract;
use crate::asperion::{FACTS, native};

/// The order of the fixtures, as the target's rows see it.
pub fn order() -> Value {
    serde_json::from_str(include_str!("../fixtures/order.json")).unwrap()
}

fn mapping(entity: Entity, document: Option<DocumentType>) -> Mapping {
    let file = FACTS.rows_for(Side::Target, entity, document).unwrap();
    let rows = RowFile::parse(file.name, file.text).unwrap();
    let fields = contract::section(&document.map_or("customer".to_owned(), |d| format!("order.{}", d.name())));
    let name = if entity == Entity::Orders { "order" } else { "customer" };
    compile(&rows, &Checks::new().variable(name).target(fields)).unwrap()
}

/// The payload that the rows make of an order.
pub fn order_payload(order: &Value, document: DocumentType) -> Value {
    let scope = Scope::new(Utc.timestamp_opt(0, 0).unwrap()).with("order", Mapped::from_json(order));
    mapping(Entity::Orders, Some(document)).evaluate(&scope).unwrap().to_json()
}

/// The payload that the rows make of a customer.
pub fn customer_payload(customer: &Value) -> Value {
    let scope = Scope::new(Utc.timestamp_opt(0, 0).unwrap()).with("customer", Mapped::from_json(customer));
    mapping(Entity::Customers, None).evaluate(&scope).unwrap().to_json()
}

/// What source rows make of a record.
pub fn canonical(entity: Entity, raw: &Value) -> Value {
    let file = FACTS.rows_for(Side::Source, entity, None).unwrap();
    let section = file.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let rows = RowFile::parse(file.name, file.text).unwrap();
    // Paths are checked against the catalogue, too.
    let compiled = compile(&rows, &Checks::new().catalogued("source", contract::section(section))).unwrap();
    let source = Mapped::from_json(raw);
    compiled.evaluate(&Scope::new(Utc::now()).with_ref("source", &source)).unwrap().to_json()
}

/// The fixtures hold amounts as written by hand; a document that went through the canonical form makes the same.
#[test]
fn the_canonical_document_makes_the_same_payload() {
    let document: Order = serde_json::from_value(order()).unwrap();
    let mut seen = serde_json::to_value(document).unwrap();
    seen["refs"] = order()["refs"].clone();
    for (line, wanted) in seen["lines"].as_array_mut().unwrap().iter_mut().zip(order()["lines"].as_array().unwrap()) {
        line["refs"] = wanted["refs"].clone();
    }
    for document in FACTS.documents {
        assert_eq!(order_payload(&seen, *document), order_payload(&order(), *document));
    }
}

#[test]
fn amounts_and_tax_of_the_lines_are_what_was_paid_in_both_documents() {
    for (document, sign) in [(DocumentType::SalesInvoice, 1), (DocumentType::FinancialEntry, -1)] {
        let made = order_payload(&order(), document);
        let lines = made["lines"].as_array().unwrap();
        let sum: Decimal = lines
            .iter()
            .flat_map(|line| [native::decimal(line, "amount"), native::decimal(line, "vatAmount")])
            .flatten()
            .sum();
        assert_eq!(sum * Decimal::from(sign), "41.26".parse().unwrap());
        assert!(
            lines.iter().all(|line| line["amount"].to_string().split('.').nth(1).is_none_or(|cents| cents.len() <= 2))
        );
    }
    let entry = order_payload(&order(), DocumentType::FinancialEntry);
    assert_eq!((&entry["sourceDocumentNumber"], &entry["description"]), (&json!("WEB-23"), &json!("Webshop 23")));
    assert_eq!(entry["lines"][0]["vatAmount"].to_string(), "-4.20");
}

#[test]
fn a_refund_is_the_same_document_below_zero() {
    let mut credit = order();
    credit["credits"] = json!({"reference": "WEB-23", "refund": "32", "full": true});
    credit["reference"] = json!("WEB-23-R32");
    credit["total"] = json!(-41.26);
    for line in credit["lines"].as_array_mut().unwrap() {
        for name in ["quantity", "net"] {
            let number = native::decimal(line, name).unwrap();
            line[name] = native::number(-number);
        }
    }
    let made = order_payload(&credit, DocumentType::SalesInvoice);
    assert_eq!(
        (made["lines"][1]["amount"].to_string(), made["lines"][1]["vatAmount"].to_string()),
        ("-9.98".into(), "-2.10".into())
    );
    assert_eq!(
        (&made["description"], &made["lines"][0]["description"]),
        (&json!("WEB-23-R32"), &json!("-2 x MOK-WIT Mok wit"))
    );
    for document in FACTS.documents {
        assert!(FACTS.rows_for(Side::Target, Entity::Refunds, Some(*document)).is_some());
    }
}

#[test]
fn a_company_stands_in_the_name_with_its_person_beside_it() {
    let made = customer_payload(&order()["customer"]);
    assert_eq!(
        Value::Object(native::filled(&made)),
        json!({
            "debtor": {
                "name":"Bos Hout BV","attentionTo":"Jan Bos","emailAddress":"jan@example.test","phoneNumber":"0612345678",
                "address":"Dorpsstraat 12b","postCode":"1234 AB","city":"Ons Dorp","countryCode":"NL",
                "vatNumber":"NL0012.345.678","cocNumber":"12345678"
            },
            "kind":"company","price_class":"wholesale"
        })
    );
    let mut person = order()["customer"].clone();
    person["company"] = Value::Null;
    let person = customer_payload(&person);
    assert_eq!((&person["debtor"]["name"], &person["kind"]), (&json!("Jan Bos"), &json!("person")));
    assert_eq!(person["debtor"]["attentionTo"], Value::Null);
}

#[test]
fn a_debtor_is_a_company_or_a_person_as_its_fields_tell() {
    let company = json!({"id":7,"name":"De Linde B.V.","attentionTo":"Noor de Visser","emailAddress":" Inkoop@Linde.test","vatNumber":
        "NL1","phoneNumber":"","mobileNumber":"06","address":"Lindelaan 4 b","postCode":"3511 AB","city":"Utrecht","countryCode":"NL",
        "price_class":"wholesale"});
    let made = canonical(Entity::Customers, &company);
    assert_eq!(
        (&made["email"], &made["phone"], &made["company"]["name"]),
        (&json!("inkoop@linde.test"), &json!("06"), &json!("De Linde B.V."))
    );
    assert_eq!(made["person"], json!({"first_name":"Noor","last_name":"de Visser"}));
    assert_eq!((&made["billing"]["house_number"], &made["price_class"]), (&json!("4"), &json!("wholesale")));
    let person = json!({"id":8,"name":"Sanne Bakker","emailAddress":"s@example.test","vatNumber":null,"cocNumber":"","countryCode":"NL"});
    let made = canonical(Entity::Customers, &person);
    assert_eq!(
        (&made["company"]["name"], &made["person"]["last_name"], &made["id"]),
        (&Value::Null, &json!("Bakker"), &json!("8"))
    );
    let one_word = canonical(Entity::Customers, &json!({"id":9,"name":"Sanne","emailAddress":"s@example.test"}));
    assert_eq!((&one_word["person"]["first_name"], &one_word["person"]["last_name"]), (&Value::Null, &json!("Sanne")));
}
