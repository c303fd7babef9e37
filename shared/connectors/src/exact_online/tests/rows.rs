//! The default rows: they compile against the field catalogue and make exactly what is posted.

use chrono::{TimeZone, Utc};
use koppel_core::document::{DocumentType, Entity, Order};
use koppel_core::system::Side;
use koppel_mapping::{Checks, Mapping, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use super::contract;
use crate::exact_online::FACTS;

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

/// Without what is empty: that is left out before it is sent.
fn full(value: Value) -> Value {
    Value::Object(crate::exact_online::payload::group(&value, "test").unwrap())
}

#[test]
fn a_sales_order_is_made_to_the_cent() {
    let wanted: Value = serde_json::from_str(include_str!("../fixtures/order-posted.json")).unwrap();
    assert_eq!(full(order_payload(&order(), DocumentType::SalesOrder)), wanted);
}

/// The fixtures hold amounts as numbers; a document that was stored may hold them as texts.
#[test]
fn the_canonical_document_makes_the_same_payload() {
    let document: Order = serde_json::from_value(order()).unwrap();
    let mut seen = serde_json::to_value(document).unwrap();
    seen["refs"] = order()["refs"].clone();
    for (line, wanted) in seen["lines"].as_array_mut().unwrap().iter_mut().zip(order()["lines"].as_array().unwrap()) {
        line["refs"] = wanted["refs"].clone();
    }
    for document in FACTS.documents {
        assert_eq!(full(order_payload(&seen, *document)), full(order_payload(&order(), *document)));
    }
}

#[test]
fn an_order_with_nothing_but_the_necessary_makes_no_empty_fields() {
    let mut bare = order();
    bare["refs"] = json!({});
    bare["note"] = json!("");
    bare["payment"] = json!({"transaction_id": "x".repeat(31)});
    bare["lines"][1]["description"] = json!("");
    let made = full(order_payload(&bare, DocumentType::SalesOrder));
    let fields: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["YourRef", "OrderDate", "Currency", "Description", "SalesOrderLines"]);
    assert_eq!(made["SalesOrderLines"][1].get("Description"), None);
}

#[test]
fn invoices_and_entries_have_their_journal_and_kind() {
    let invoice = full(order_payload(&order(), DocumentType::SalesInvoice));
    assert_eq!((&invoice["Type"], &invoice["Journal"]), (&json!(8020), &json!("70")));
    assert_eq!(invoice.get("Warehouse"), None);
    let direct = full(order_payload(&order(), DocumentType::DirectInvoice));
    assert_eq!((&direct["Type"], &direct["Warehouse"]), (&json!(8023), &json!("77777777-7777-4777-8777-000000000003")));
    let entry = full(order_payload(&order(), DocumentType::FinancialEntry));
    assert_eq!(entry["SalesEntryLines"][1]["AmountFC"].to_string(), "9.979");
    assert_eq!(entry["EntryDate"], "2026-06-01");
}

#[test]
fn a_company_has_a_contact_and_a_person_has_none() {
    let company = full(customer_payload(&order()["customer"]));
    assert_eq!(
        company,
        json!({
            "account": {
                "Name":"Bos Hout BV","Status":"C","Email":"jan@example.test","Phone":"0612345678","Language":"NL",
                "AddressLine1":"Dorpsstraat 12b","Postcode":"1234 AB","City":"Ons Dorp","Country":"NL",
                "VATNumber":"NL0012345678","ChamberOfCommerce":"12345678"
            },
            "contact": {"FirstName":"Jan","LastName":"Bos","Email":"jan@example.test","Phone":"0612345678"},
            "delivery_address": {
                "AddressLine1":"Havenweg 3","AddressLine3":"Piet Bos","Postcode":"3000 AA","City":"Rotterdam",
                "Country":"NL","Phone":"010"
            }
        })
    );
    let mut person = order()["customer"].clone();
    person["company"] = Value::Null;
    person["deliver_elsewhere"] = json!(false);
    let person = full(customer_payload(&person));
    assert_eq!(person["account"]["Name"], "Jan Bos");
    assert_eq!((person.get("contact"), person.get("delivery_address")), (None, None));
}

/// A refund is the same document with what it credits: only the type of an invoice tells.
#[test]
fn what_gives_back_is_a_credit_note() {
    let mut credit = order();
    credit["credits"] = json!({"reference": "WEB-23", "refund": "32", "full": false});
    for (document, invoice, note) in
        [(DocumentType::SalesInvoice, 8020, 8021), (DocumentType::DirectInvoice, 8023, 8024)]
    {
        assert_eq!(order_payload(&order(), document)["Type"], invoice);
        assert_eq!(order_payload(&credit, document)["Type"], note);
    }
    for document in [DocumentType::SalesOrder, DocumentType::FinancialEntry] {
        assert_eq!(order_payload(&credit, document), order_payload(&order(), document));
    }
    for document in FACTS.documents {
        assert!(FACTS.rows_for(Side::Target, Entity::Refunds, Some(*document)).is_some());
    }
}
