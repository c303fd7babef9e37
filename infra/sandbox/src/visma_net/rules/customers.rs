//! Customers: numbers from a series, defaults from their class, addresses and contacts, attributes, one location each.

use serde_json::{Value, json};

use super::copy;
use super::items::attributes;
use crate::message::{Call, Reply};
use crate::visma_net::body::{Verb, merge, read};
use crate::visma_net::rows::{Fields, Tx, field, filled, is_number};

const TABLE: &str = "customer";

/// `POST /v1/customer`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "Customer", call, Verb::Create)?;
    let number = create(tx, input)?;
    Ok(tx.created(TABLE, &number, "/v1/customer"))
}

/// A new customer; gives its number.
pub(in crate::visma_net) fn create(tx: &mut Tx<'_>, mut input: Fields) -> Result<String, Reply> {
    let own = field(&input, "number").trim().to_owned();
    let manual = !tx.switches.customer_numbers_automatic || input.get("overrideNumberSeries") == Some(&json!(true));
    let number = match (own.is_empty(), manual) {
        (true, true) => return Err(tx.switches.missing("number")),
        (false, false) => {
            return Err(tx.switches.invalid("'number' cannot be given: the number series of customers is automatic."));
        }
        (false, true) => {
            if tx.get(TABLE, &own).is_some() {
                return Err(tx.switches.failed(&format!("A customer with number '{own}' already exists.")));
            }
            own
        }
        (true, false) => loop {
            let next = tx.store.next_number("customer", 10_001).to_string();
            if tx.get(TABLE, &next).is_none() {
                break next;
            }
        },
    };
    for name in ["overrideNumberSeries", "number"] {
        input.remove(name);
    }
    let internal = tx.store.next_number("baccount", 501);
    let mut row = build(tx, &input)?;
    row.insert("number".into(), json!(number));
    row.insert("internalId".into(), json!(internal));
    store(tx, &number, row, input);
    Ok(number)
}

/// `PUT /v1/customer/{customerCd}`.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, number: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, number).ok_or_else(crate::visma_net::errors::not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    let mut sent = read(tx.switches, "Customer", call, Verb::Change)?;
    let own = field(&sent, "number").to_owned();
    if !own.is_empty() && own != number {
        return Err(tx.switches.invalid("'number' is changed by an action of its own."));
    }
    for name in ["overrideNumberSeries", "number"] {
        sent.remove(name);
    }
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let input = merge(&held, sent);
    let mut row = build(tx, &input)?;
    copy(&before, &mut row, &["number", "internalId", "_created"]);
    store(tx, number, row, input);
    Ok(tx.changed(TABLE, number))
}

fn store(tx: &mut Tx<'_>, number: &str, mut row: Fields, input: Fields) {
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, number, row.clone());
    // Each customer has its main location; the sales order service and invoices go by it.
    let key = super::people::location_key(number, "Main");
    let mut location = tx.fields("location", &key).unwrap_or_default();
    for (name, value) in [
        ("baccount", json!({"internalId": row["internalId"], "number": number, "name": row["name"]})),
        ("locationId", json!("Main")),
        ("locationName", json!("Primary location")),
        ("active", json!(true)),
        ("vatZone", row["vatZone"].clone()),
        ("_priceClass", row.get("priceClass").cloned().unwrap_or_default()),
        ("_customer", json!(number)),
    ] {
        location.insert(name.into(), value);
    }
    for (from, to) in [
        ("deliveryAddress", "address"),
        ("deliveryContact", "contact"),
        ("vatRegistrationId", "vatRegistrationId"),
        ("corporateId", "corporateId"),
        ("gln", "gln"),
    ] {
        location.insert(to.into(), row.get(from).cloned().unwrap_or_default());
    }
    if !location.contains_key("internalId") {
        let id = tx.store.next_number("location", 701);
        location.insert("internalId".into(), json!(id));
    }
    tx.put("location", &key, location);
}

/// The customer as it is shown.
fn build(tx: &Tx<'_>, input: &Fields) -> Result<Fields, Reply> {
    if !filled(input, "name") {
        return Err(tx.switches.missing("name"));
    }
    if !filled(input, "customerClassId") {
        return Err(tx.switches.missing("customerClassId"));
    }
    let class = tx.reference(input, "customerClassId", "customerClass")?.cloned().unwrap_or_default();
    let override_class = input.get("overrideWithClassValues") == Some(&json!(true));
    let by_class = |name: &str| class[name].as_str().filter(|_| override_class).unwrap_or_default().to_owned();
    let zone = if filled(input, "vatZoneId") { field(input, "vatZoneId").to_owned() } else { by_class("taxZoneId") };
    if zone.is_empty() {
        return Err(tx.switches.missing("vatZoneId"));
    }
    let zone = vat_zone(tx, "vatZoneId", &zone)?;
    tx.reference(input, "creditTermsId", "creditTerm")?;
    let terms =
        if filled(input, "creditTermsId") { field(input, "creditTermsId").to_owned() } else { by_class("_terms") };
    tx.reference(input, "currencyId", "currency")?;
    tx.reference(input, "priceClassId", "_priceclass")?;
    let parent = tx.reference(input, "parentRecordNumber", TABLE)?;
    let parent = parent.map(|row| json!({"number": row["number"], "name": row["name"]}));
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &[
            "name",
            "corporateId",
            "vatRegistrationId",
            "gln",
            "accountReference",
            "creditLimit",
            "creditVerification",
            "creditDaysPastDue",
            "sendInvoicesByEmail",
            "printInvoices",
            "acceptAutoInvoices",
            "numberOfEmployees",
            "sendDunningLettersViaEMail",
            "printDunningLetters",
            "excludeDebtCollection",
            "statementType",
            "printStatements",
            "sendStatementsByEmail",
            "printMultiCurrencyStatements",
            "invoiceToDefaultLocation",
        ],
    );
    let status = if filled(input, "status") { field(input, "status") } else { "Active" };
    row.insert("status".into(), json!(status));
    row.insert("customerClass".into(), json!({"id": class["id"], "description": class["description"]}));
    row.insert("vatZone".into(), zone);
    if !terms.is_empty() {
        row.insert("creditTerms".into(), tx.named("creditTerm", &terms, "id", "description"));
    }
    let currency = if filled(input, "currencyId") { field(input, "currencyId") } else { "EUR" };
    row.insert("currencyId".into(), json!(currency));
    if filled(input, "priceClassId") {
        row.insert("priceClass".into(), tx.named("_priceclass", field(input, "priceClassId"), "id", "description"));
    }
    if let Some(parent) = parent {
        row.insert("parentRecord".into(), parent);
    }
    for (address, contact) in
        [("mainAddress", "mainContact"), ("invoiceAddress", "invoiceContact"), ("deliveryAddress", "deliveryContact")]
    {
        let own = input.get(address).and_then(Value::as_object);
        let shown = match own {
            Some(own) => address_of(tx, own, address)?,
            None => row.get("mainAddress").cloned().unwrap_or_default(),
        };
        row.insert(address.into(), shown);
        let own = input.get(contact).filter(|value| value.is_object()).cloned();
        row.insert(contact.into(), own.unwrap_or_else(|| row.get("mainContact").cloned().unwrap_or(json!({}))));
    }
    if row["mainAddress"].is_null() {
        return Err(tx.switches.missing("mainAddress.countryId"));
    }
    row.insert("_email".into(), row["mainContact"]["email"].clone());
    row.insert(
        "location".into(),
        json!({"id": "Main", "name": "Primary location",
        "countryId": row["deliveryAddress"]["country"]["id"]}),
    );
    let method = input.get("defaultPaymentMethod").and_then(Value::as_object).cloned().unwrap_or_default();
    tx.reference(&method, "paymentMethodId", "paymentmethod")?;
    let method = match field(&method, "paymentMethodId") {
        "" => by_class("paymentMethodId"),
        own => own.to_owned(),
    };
    if !method.is_empty() {
        row.insert("defaultPaymentMethodId".into(), json!(method));
        row.insert("paymentMethods".into(), json!([{"paymentMethodId": method, "isDefault": true}]));
    }
    if let Some(accounts) = input.get("glAccounts").and_then(Value::as_object) {
        row.insert("glAccounts".into(), gl_accounts(tx, accounts)?);
    }
    row.insert("attributes".into(), attributes(tx, &class, input)?);
    if let Some(note) = input.get("note") {
        row.insert("_note".into(), note.clone());
    }
    Ok(row)
}

fn gl_accounts(tx: &Tx<'_>, sent: &Fields) -> Result<Value, Reply> {
    let mut shown = Fields::new();
    for (name, value) in sent {
        let value = match value.as_str() {
            Some("") => continue,
            Some(number) => tx.account(name, number)?,
            None if value.is_array() => tx.subaccount(Some(value))?,
            None => continue,
        };
        shown.insert(name.clone(), value);
    }
    Ok(Value::Object(shown))
}

/// A VAT zone as references show it.
pub(in crate::visma_net) fn vat_zone(tx: &Tx<'_>, name: &str, id: &str) -> Result<Value, Reply> {
    let row = tx.get("vatZone", id).ok_or_else(|| tx.switches.unknown(name, id))?;
    Ok(json!({"id": id, "description": row["description"], "defaultVatCategory": row["defaultVatCategory"]}))
}

/// An address as it is shown: the country by name too.
pub(in crate::visma_net) fn address_of(tx: &Tx<'_>, sent: &Fields, path: &str) -> Result<Value, Reply> {
    let country = field(sent, "countryId");
    if country.is_empty() {
        return Err(tx.switches.missing(&format!("{path}.countryId")));
    }
    let known = tx.get("country", country);
    let known = known.ok_or_else(|| tx.switches.unknown(&format!("{path}.countryId"), country))?;
    let mut shown = Fields::new();
    copy(sent, &mut shown, &["addressLine1", "addressLine2", "addressLine3", "postalCode", "city"]);
    shown.insert("country".into(), json!({"id": country, "name": known["name"]}));
    Ok(Value::Object(shown))
}

/// `POST /v1/customer/action/changeCustomerCd/{internalId}`.
pub(in crate::visma_net) fn rename(tx: &mut Tx<'_>, call: &Call, internal: &str) -> Result<Reply, Reply> {
    let body = call.json().unwrap_or_default();
    let fresh = crate::text::text(&body, "customerCd").to_owned();
    let row = tx.rows(TABLE).into_iter().find(|row| is_number(&row["internalId"], internal)).cloned();
    let mut row = row.and_then(|row| row.as_object().cloned()).ok_or_else(crate::visma_net::errors::not_found)?;
    if fresh.is_empty() {
        return Err(tx.switches.missing("customerCd"));
    }
    if tx.get(TABLE, &fresh).is_some() {
        return Err(tx.switches.failed(&format!("A customer with number '{fresh}' already exists.")));
    }
    let old = field(&row, "number").to_owned();
    row.insert("number".into(), json!(fresh));
    tx.store.delete(TABLE, &old);
    tx.store.delete("location", &super::people::location_key(&old, "Main"));
    let input = row.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    store(tx, &fresh, row, input);
    Ok(crate::visma_net::actions::done())
}
