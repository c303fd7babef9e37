//! The default rows: they compile against the field catalogue and make exactly what is posted.

use chrono::{TimeZone, Utc};
use koppel_core::document::{Document, DocumentType, Entity, Order, Price, Product, StockLevel};
use koppel_core::system::Side;
use koppel_mapping::{Checks, Mapping, RowFile, Scope, Value as Mapped, compile};
use serde_json::{Value, json};

use super::contract;
use crate::visma_net::{FACTS, payload};

/// The order of the fixtures, as the target's rows see it.
pub fn order() -> Value {
    serde_json::from_str(include_str!("../fixtures/order.json")).unwrap()
}

/// The same, as what gives all of it back.
pub fn refund() -> Value {
    let mut order = order();
    order["reference"] = json!("WEB-23-R32");
    order["credits"] = json!({"reference": "WEB-23", "refund": "32", "reason": "Broken", "full": true});
    for line in order["lines"].as_array_mut().unwrap() {
        for name in ["quantity", "net", "tax"] {
            line[name] = negated(&line[name]);
        }
        line["taxes"][0]["amount"] = negated(&line["taxes"][0]["amount"]);
    }
    for name in ["total", "total_tax"] {
        order[name] = negated(&order[name]);
    }
    order
}

fn negated(number: &Value) -> Value {
    serde_json::from_str(&format!("-{number}")).unwrap()
}

fn mapping(side: Side, entity: Entity, document: Option<DocumentType>) -> Mapping {
    let file = FACTS.rows_for(side, entity, document).unwrap();
    let rows = RowFile::parse(file.name, file.text).unwrap();
    let section = file.name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
    let checks = match side {
        Side::Target => {
            let name = if entity.is_order() { "order" } else { "customer" };
            Checks::new().variable(name).target(contract::section(section))
        }
        Side::Source => Checks::new().catalogued("source", contract::section(section)),
    };
    compile(&rows, &checks).unwrap_or_else(|findings| panic!("{}: {findings:#?}", file.name))
}

fn evaluate(mapping: &Mapping, name: &'static str, value: &Value) -> Value {
    let scope = Scope::new(Utc.timestamp_opt(0, 0).unwrap()).with(name, Mapped::from_json(value));
    mapping.evaluate(&scope).unwrap_or_else(|error| panic!("{error}")).to_json()
}

/// The payload that the rows make of an order, or of what gives one back.
pub fn payload_of(order: &Value, document: DocumentType) -> Value {
    let entity = if order.get("credits").is_some_and(Value::is_object) { Entity::Refunds } else { Entity::Orders };
    evaluate(&mapping(Side::Target, entity, Some(document)), "order", order)
}

/// The payload that the rows make of a customer.
pub fn customer_payload(customer: &Value) -> Value {
    evaluate(&mapping(Side::Target, Entity::Customers, None), "customer", customer)
}

/// The canonical form that the rows make of a native record.
pub fn canonical(entity: Entity, raw: &Value) -> Value {
    evaluate(&mapping(Side::Source, entity, None), "source", raw)
}

/// As the canonical document.
pub fn document(entity: Entity, raw: &Value) -> Document {
    let value = canonical(entity, raw);
    match entity {
        Entity::Products => {
            Document::Product(Box::new(serde_json::from_value::<Product>(without_empty(value)).unwrap()))
        }
        Entity::Stock => Document::StockLevel(serde_json::from_value::<StockLevel>(without_empty(value)).unwrap()),
        Entity::Prices => Document::Price(serde_json::from_value::<Price>(without_empty(value)).unwrap()),
        _ => Document::Customer(Box::new(serde_json::from_value(without_empty(value)).unwrap())),
    }
}

/// The flow leaves empty values to the defaults of a document.
fn without_empty(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_empty(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_empty).collect()),
        other => other,
    }
}

/// Without what is empty or private: that is left out before it is sent.
fn full(value: &Value) -> Value {
    Value::Object(payload::group(value, "test").unwrap())
}

#[test]
fn a_sales_order_is_complete_and_made_to_the_cent() {
    assert_eq!(
        full(&payload_of(&order(), DocumentType::SalesOrder)),
        json!({
            "customer": {"refNo": "WEB-23", "order": "23", "termsId": "14"},
            "date": "2026-06-01", "currencyId": "EUR", "description": "Webshop 23", "note": "Please ring twice",
            "billing": {
                "address": {"line1": "Dorpsstraat 12b", "postalCode": "1234 AB", "city": "Ons Dorp", "countryId": "NL"},
                "contact": {"name": "Bos Hout BV", "email": "jan@example.test", "phone1": "0612345678"}
            },
            "shipping": {
                "address": {"line1": "Havenweg 3", "postalCode": "3000 AA", "city": "Rotterdam", "countryId": "NL"},
                "contact": {"name": "Piet Bos", "email": "jan@example.test", "phone1": "010"},
                "shipViaId": "POST", "preferredWarehouseId": "1"
            },
            "orderLines": [
                {"inventoryId": "MUG", "description": "Mug", "quantity": 2, "unitPrice": 9.99, "hasManualPrice": true,
                 "taxCategoryId": "3", "salesAccountId": "3000", "warehouseId": "1",
                 "subaccount": [{"segmentId": 1, "segmentValue": "WEB"}]},
                {"inventoryId": "LAMP", "description": "A lamp with a description that is clearly longer than sixty characters in all",
                 "quantity": 1, "unitPrice": 9.98, "hasManualPrice": true, "taxCategoryId": "3", "salesAccountId": "3000",
                 "warehouseId": "1"}
            ]
        })
    );
    let direct = full(&payload_of(&order(), DocumentType::DirectInvoice));
    assert_eq!(direct["financialInformation"], json!({"invoiceDate": "2026-06-01"}));
}

#[test]
fn a_line_that_takes_something_off_has_a_quantity_below_zero_and_a_price_above() {
    let mut order = order();
    order["lines"][1]["unit_price"] = json!(-5);
    let line = &payload_of(&order, DocumentType::SalesOrder)["orderLines"][1];
    assert_eq!((&line["quantity"], &line["unitPrice"]), (&json!(-1), &json!(5)));
    let line = &payload_of(&order, DocumentType::SalesInvoice)["invoiceLines"][1];
    assert_eq!((&line["quantity"], &line["unitPriceInCurrency"]), (&json!(-1), &json!(5)));
}

#[test]
fn an_order_without_an_address_of_its_own_goes_to_the_invoice_address() {
    let mut order = order();
    order["customer"]["shipping"] = json!({});
    let made = full(&payload_of(&order, DocumentType::SalesOrder));
    assert_eq!(made["shipping"]["address"], made["billing"]["address"]);
    assert_eq!(made["shipping"]["contact"]["name"], "Bos Hout BV");
}

#[test]
fn an_invoice_has_its_units_and_the_debtor_of_many_an_address() {
    let made = full(&payload_of(&order(), DocumentType::SalesInvoice));
    assert_eq!((&made["customerRefNumber"], &made["creditTermsId"]), (&json!("WEB-23"), &json!("14")));
    assert_eq!((&made["invoiceLines"][0]["uom"], &made["invoiceLines"][0]["vatCodeId"]), (&json!("stuk"), &json!("3")));
    assert_eq!(made.get("billingAddress"), None);
    let mut guest = order();
    guest["refs"]["default_customer"] = json!({"id": "10000", "code": "10000"});
    let made = full(&payload_of(&guest, DocumentType::SalesInvoice));
    assert_eq!(
        (&made["billingAddress"]["overrideAddress"], &made["billingAddress"]["countryId"]),
        (&json!(true), &json!("NL"))
    );
}

#[test]
fn what_gives_back_is_positive_where_the_kind_of_document_says_so() {
    let credit = payload_of(&refund(), DocumentType::SalesInvoice);
    assert_eq!((&credit["_credit"], &credit["customerRefNumber"]), (&json!(true), &json!("WEB-23-R32")));
    assert_eq!(
        (&credit["lines"][0]["quantity"], &credit["lines"][0]["unitPriceInCurrency"]),
        (&json!(2), &json!(9.99))
    );
    assert_eq!(credit["note"], "credits WEB-23: Broken");
    for document in [DocumentType::SalesOrder, DocumentType::DirectInvoice] {
        let order = payload_of(&refund(), document);
        assert_eq!((&order["orderLines"][0]["quantity"], &order["_credit"]), (&json!(2), &json!(true)));
    }
    let booking = payload_of(&refund(), DocumentType::FinancialEntry);
    assert_eq!(booking["journalTransactionLines"][0]["creditAmountInCurrency"], json!(-19.98));
}

#[test]
fn a_booking_has_revenue_vat_and_what_was_paid() {
    let made = payload_of(&order(), DocumentType::FinancialEntry);
    let lines = made["journalTransactionLines"].as_array().unwrap();
    assert_eq!(lines.len(), 5);
    assert_eq!((&lines[0]["accountNumber"], &lines[0]["creditAmountInCurrency"]), (&json!("3000"), &json!(19.98)));
    assert_eq!(
        (&lines[2]["_vats"][0]["account"], &lines[2]["_rate"], lines[2]["creditAmountInCurrency"].to_string().as_str()),
        (&json!("2700"), &json!(21), "4.1958")
    );
    assert_eq!((&lines[4]["debitAmountInCurrency"], &lines[4]["_clearing"]), (&json!(36.25), &json!(true)));
    assert_eq!(lines[1]["note"], "LAMP A lamp with a description that is clearly longer than sixty characters in all");
    assert_eq!((&made["createVatTransaction"], &made["ledger"]), (&json!(true), &json!("1")));
}

#[test]
fn a_company_has_its_person_as_main_contact_and_a_person_is_the_customer() {
    assert_eq!(
        full(&customer_payload(&order()["customer"])),
        json!({"customer": {
            "name": "Bos Hout BV", "vatRegistrationId": "NL0012345678", "corporateId": "12345678",
            "mainAddress": {"addressLine1": "Dorpsstraat 12b", "postalCode": "1234 AB", "city": "Ons Dorp", "countryId": "NL"},
            "mainContact": {"name": "Jan Bos", "attention": "Jan Bos", "email": "jan@example.test", "phone1": "0612345678"},
            "invoiceContact": {"name": "Bos Hout BV", "attention": "Jan Bos", "email": "jan@example.test"}
        }})
    );
    let mut person = order()["customer"].clone();
    person["company"] = Value::Null;
    let person = customer_payload(&person);
    assert_eq!((&person["customer"]["name"], &person["customer"]["_company"]), (&json!("Jan Bos"), &json!(false)));
    assert_eq!(full(&person)["customer"]["mainContact"].get("attention"), None);
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
        assert_eq!(full(&payload_of(&seen, *document)), full(&payload_of(&order(), *document)));
    }
}

#[test]
fn a_customer_of_visma_becomes_a_company_with_its_person() {
    let mut raw = serde_json::from_str::<Value>(include_str!("../fixtures/customer.json")).unwrap()[0].clone();
    raw["is_company"] = json!(true);
    let Document::Customer(customer) = document(Entity::Customers, &raw) else { panic!("no customer") };
    assert_eq!(customer.email, "jan@example.test");
    assert_eq!((customer.person.first_name.as_str(), customer.person.last_name.as_str()), ("Jan", "de Bos"));
    assert_eq!(customer.company.as_ref().map(|company| company.name.as_str()), Some("Bos Hout BV"));
    assert_eq!((customer.price_class.as_str(), customer.billing.house_number.as_str()), ("B2B", "12"));
    assert_eq!((customer.shipping.city.as_str(), customer.shipping.phone.as_str()), ("Rotterdam", "010"));
    // One word is a family name; an empty address is none.
    raw["is_company"] = json!(false);
    raw["mainContact"] = json!({"name": "Bos", "email": "x@example.test"});
    raw["deliveryAddress"] = json!({});
    let Document::Customer(person) = document(Entity::Customers, &raw) else { panic!("no customer") };
    assert_eq!((person.person.first_name.as_str(), person.person.last_name.as_str()), ("", "Bos"));
    assert!(person.company.is_none_or(|company| company.name.is_empty()) && person.shipping.is_empty());
}
