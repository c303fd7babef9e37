//! Contacts of customers, and further locations (addresses to deliver to).

use serde_json::{Value, json};

use super::copy;
use super::customers::{address_of, vat_zone};
use crate::message::{Call, Reply};
use crate::visma_net::body::{Verb, merge, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::rows::{Fields, Tx, field, filled};

/// Key of a location.
pub(in crate::visma_net) fn location_key(customer: &str, location: &str) -> String {
    format!("{customer}/{location}")
}

/// `POST /v1/contact`.
pub(in crate::visma_net) fn post_contact(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "Contact", call, Verb::Create)?;
    let key = create_contact(tx, input)?;
    Ok(tx.created("contact", &key, "/v1/contact"))
}

/// A new contact; gives its id.
pub(in crate::visma_net) fn create_contact(tx: &mut Tx<'_>, input: Fields) -> Result<String, Reply> {
    let mut row = contact(tx, &input)?;
    let id = tx.store.next_number("contact", 301);
    row.insert("contactId".into(), json!(id));
    row.insert("_input".into(), Value::Object(input));
    tx.put("contact", &id.to_string(), row);
    Ok(id.to_string())
}

/// `PUT /v1/contact/{contactId}`.
pub(in crate::visma_net) fn put_contact(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields("contact", key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    let sent = read(tx.switches, "Contact", call, Verb::Change)?;
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let input = merge(&held, sent);
    let mut row = contact(tx, &input)?;
    copy(&before, &mut row, &["contactId", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put("contact", key, row);
    Ok(tx.changed("contact", key))
}

fn contact(tx: &Tx<'_>, input: &Fields) -> Result<Fields, Reply> {
    if !filled(input, "lastName") {
        return Err(tx.switches.missing("lastName"));
    }
    let account = tx.reference(input, "businessAccount", "customer")?.cloned();
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &[
            "lastName",
            "firstName",
            "businessAccount",
            "email",
            "phone1",
            "phone2",
            "phone3",
            "fax",
            "position",
            "title",
            "web",
            "contactMethod",
            "doNotCall",
            "doNotEmail",
            "doNotFax",
            "doNotMail",
            "noMarketing",
            "noMassMail",
            "sameAsAccount",
        ],
    );
    let name = [field(input, "firstName"), field(input, "lastName")];
    row.insert("displayName".into(), json!(name.join(" ").trim()));
    row.insert("active".into(), input.get("active").filter(|value| !value.is_null()).cloned().unwrap_or(json!(true)));
    let address = input.get("address").and_then(Value::as_object);
    let address = match (address, account) {
        (Some(own), _) => address_of(tx, own, "address")?,
        (None, Some(account)) => account["mainAddress"].clone(),
        (None, None) => Value::Null,
    };
    row.insert("address".into(), address);
    Ok(row)
}

/// `POST /v1/location`.
pub(in crate::visma_net) fn post_location(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "Location", call, Verb::Create)?;
    let key = create_location(tx, input)?;
    let (customer, location) = key.split_once('/').unwrap_or((&key, ""));
    let path = format!("/v1/location/{customer}");
    let reply = tx.created("location", &key, &path);
    // The address ends with the key of the location alone.
    let place = tx.location(&format!("{path}/{location}"));
    let headers = reply.headers.into_iter().map(|(name, value)| {
        let value = if name == "Location" { place.clone() } else { value };
        (name, value)
    });
    Ok(Reply { status: 201, headers: headers.collect(), body: Vec::new() })
}

/// A new location; gives its key.
pub(in crate::visma_net) fn create_location(tx: &mut Tx<'_>, input: Fields) -> Result<String, Reply> {
    let customer = tx.reference(&input, "baccountId", "customer")?.cloned();
    let customer = customer.ok_or_else(|| tx.switches.missing("baccountId"))?;
    let number = crate::text::text(&customer, "number").to_owned();
    let key = location_key(&number, field(&input, "locationId"));
    if tx.get("location", &key).is_some() {
        return Err(tx.switches.failed(&format!("Location '{}' already exists.", field(&input, "locationId"))));
    }
    let mut row = location(tx, &input, &customer)?;
    let id = tx.store.next_number("location", 701);
    row.insert("internalId".into(), json!(id));
    row.insert("_input".into(), Value::Object(input));
    tx.put("location", &key, row);
    Ok(key)
}

/// `PUT /v1/location/{bAccountId}/{locationId}`.
pub(in crate::visma_net) fn put_location(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields("location", key).ok_or_else(not_found)?;
    let sent = read(tx.switches, "Location", call, Verb::Change)?;
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut input = merge(&held, sent);
    let customer = tx.get("customer", field(&before, "_customer")).cloned().unwrap_or_default();
    input.insert("locationId".into(), before["locationId"].clone());
    let mut row = location(tx, &input, &customer)?;
    copy(&before, &mut row, &["internalId", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put("location", key, row);
    Ok(tx.changed("location", key))
}

fn location(tx: &Tx<'_>, input: &Fields, customer: &Value) -> Result<Fields, Reply> {
    let mut row = Fields::new();
    copy(input, &mut row, &["locationId", "locationName", "vatRegistrationId", "corporateId", "gln", "ediCode"]);
    row.insert("active".into(), input.get("active").filter(|value| !value.is_null()).cloned().unwrap_or(json!(true)));
    row.insert(
        "baccount".into(),
        json!({"internalId": customer["internalId"], "number": customer["number"], "name": customer["name"]}),
    );
    row.insert("_customer".into(), customer["number"].clone());
    row.insert("_priceClass".into(), customer.get("priceClass").cloned().unwrap_or_default());
    let zone = if filled(input, "vatZone") {
        vat_zone(tx, "vatZone", field(input, "vatZone"))?
    } else {
        customer["vatZone"].clone()
    };
    row.insert("vatZone".into(), zone);
    let same = |name: &str| input.get(name) == Some(&json!(true));
    let address = input.get("address").and_then(Value::as_object).filter(|_| !same("addressIsSameAsMain"));
    let address = match address {
        Some(own) => address_of(tx, own, "address")?,
        None => customer["mainAddress"].clone(),
    };
    row.insert("address".into(), address);
    let contact = input.get("contact").filter(|own| own.is_object() && !same("contactIsSameAsMain"));
    row.insert("contact".into(), contact.cloned().unwrap_or_else(|| customer["mainContact"].clone()));
    Ok(row)
}
