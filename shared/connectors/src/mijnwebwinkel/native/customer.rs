//! Customers, from accounts (only partners with special access see them) or from the buyers of orders. Both become the
//! same form: `email`, `first_name`, `last_name`, `invoice`, `delivery`, `vat_number`, `guest`.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Value, json};

use super::order::prepared;
use super::{flag, many, text};
use crate::mijnwebwinkel::options::Options;

fn source_record(
    id: &str,
    raw: Value,
    modified: Option<chrono::DateTime<chrono::Utc>>,
) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(id) else {
        return Err(Failure::reject(Cause::new("customer_without_id", "the shop answered a customer without an id")));
    };
    let email = text(&raw["email"]);
    let partition = if email.is_empty() { format!("customer:{key}") } else { email };
    // Labels are shown and kept in the clear: the number in the shop, not the address.
    Ok(SourceRecord { label: key.to_string(), key, partition, modified_at: modified, raw })
}

/// The buyer of an order, known by an id that stays the same over orders. Nothing when the order does not name one.
pub fn of_order(order: Value, options: &Options) -> Result<Option<SourceRecord>, Failure> {
    let order = prepared(order, options);
    let debtor = &order["debtor"];
    let id = text(&debtor["id"]);
    if id.is_empty() {
        return Ok(None);
    }
    let address = &debtor["address"];
    let raw = json!({"id": id, "email": text(&debtor["email"]).to_lowercase(), "guest": order["guest"],
        "first_name": address["invoice"]["first_name"], "last_name": address["invoice"]["last_name"],
        "company": address["invoice"]["company"], "vat_number": order["vat_number"],
        "business_model": order["business_model"], "locale": order["locale"], "invoice": address["invoice"],
        "delivery": address["delivery"], "last_order": order["number"]});
    let modified = order["created_at"].as_str().and_then(|text| text.parse().ok());
    source_record(&id, raw, modified).map(Some)
}

/// An address of an account, in the form of those of orders.
fn address(of: &Value) -> Value {
    let line = [text(&of["street"]), text(&of["streetNumber"])].join(" ");
    json!({"first_name": text(&of["firstName"]), "last_name": text(&of["lastName"]), "company": text(&of["company"]),
        "phone": text(&of["phone"]), "street": text(&of["street"]), "number": text(&of["streetNumber"]), "line": line.trim(),
        "zipcode": text(&of["zipCode"]), "city": text(&of["city"]), "country_code": text(&of["countryCode"]),
        "taxnumber": text(&of["taxNumber"])})
}

/// The address that invoices of an account go to: the usual one, else the first.
pub fn invoice_address(account: &Value) -> Option<Value> {
    usual(account, "isDefaultForInvoice")
}

fn usual(account: &Value, flagged: &str) -> Option<Value> {
    let all = many(&account["addresses"]);
    all.iter().find(|one| flag(&one[flagged])).or(all.first()).cloned()
}

/// An account.
pub fn of_account(account: Value) -> Result<SourceRecord, Failure> {
    let id = text(&account["id"]);
    let invoice = address(&invoice_address(&account).unwrap_or_default());
    let delivery = address(&usual(&account, "isDefaultForDelivery").unwrap_or_default());
    let raw = json!({"id": id, "email": text(&account["email"]).to_lowercase(), "guest": false,
        "first_name": text(&account["firstName"]), "last_name": text(&account["lastName"]),
        "company": invoice["company"], "vat_number": invoice["taxnumber"], "business_model": "", "locale": "",
        "invoice": invoice, "delivery": delivery, "last_order": ""});
    source_record(&id, raw, None)
}
