//! Sales prices: for everybody, for a customer, for a price class; from a quantity, within dates.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::copy;
use crate::message::{Call, Reply};
use crate::text::{amount, text};
use crate::visma_net::body::{Verb, merge, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::rows::{Fields, Tx, field, filled};

const TABLE: &str = "customerSalesPrice";

/// `POST /v1/customerSalesPrice`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "CustomerSalesPrice", call, Verb::Create)?;
    let key = create(tx, input)?;
    Ok(tx.created(TABLE, &key, "/v1/customerSalesPrice"))
}

/// A new price; gives its number.
pub(in crate::visma_net) fn create(tx: &mut Tx<'_>, input: Fields) -> Result<String, Reply> {
    let mut row = build(tx, &input, None)?;
    let id = tx.store.next_number("price", 1);
    row.insert("recordId".into(), json!(id));
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, &id.to_string(), row);
    Ok(id.to_string())
}

/// `PUT /v1/customerSalesPrice/{recordId}`.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    let sent = read(tx.switches, "CustomerSalesPrice", call, Verb::Change)?;
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let input = merge(&held, sent);
    let mut row = build(tx, &input, Some(&before["recordId"]))?;
    copy(&before, &mut row, &["recordId", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, key, row);
    Ok(tx.changed(TABLE, key))
}

fn build(tx: &Tx<'_>, input: &Fields, own: Option<&Value>) -> Result<Fields, Reply> {
    let item = tx.reference(input, "inventoryId", "inventory")?.cloned();
    let item = item.ok_or_else(|| tx.switches.missing("inventoryId"))?;
    let kind = if filled(input, "priceType") { field(input, "priceType") } else { "Base" };
    match kind {
        "Customer" => tx.reference(input, "priceCode", "customer")?.is_some(),
        "CustomerPriceClass" => tx.reference(input, "priceCode", "_priceclass")?.is_some(),
        _ if filled(input, "priceCode") => {
            return Err(tx.switches.invalid("'priceCode' is empty for a base price."));
        }
        _ => true,
    }
    .then_some(())
    .ok_or_else(|| tx.switches.missing("priceCode"))?;
    if !input.contains_key("price") || input["price"].is_null() {
        return Err(tx.switches.missing("price"));
    }
    let price = amount(&Value::Object(input.clone()), "price");
    let quantity = amount(&Value::Object(input.clone()), "breakQty");
    if price.is_sign_negative() && !price.is_zero() || quantity.is_sign_negative() && !quantity.is_zero() {
        return Err(tx.switches.failed("Price and break quantity cannot be negative."));
    }
    tx.reference(input, "warehouse", "warehouse")?;
    tx.reference(input, "currency", "currency")?;
    let unit = if filled(input, "uoM") { field(input, "uoM") } else { text(&item, "salesUnit") };
    if !super::items::has_unit(&item, unit) {
        return Err(tx.switches.unknown("uoM", unit));
    }
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &["inventoryId", "priceCode", "price", "promotion", "vat", "effectiveDate", "expirationDate", "warehouse"],
    );
    for (name, value) in [
        ("priceType", json!(kind)),
        ("uoM", json!(unit)),
        ("currency", json!(if filled(input, "currency") { field(input, "currency") } else { "EUR" })),
        ("breakQty", input.get("breakQty").filter(|value| !value.is_null()).cloned().unwrap_or(json!(0))),
        ("description", item["description"].clone()),
    ] {
        row.insert(name.into(), value);
    }
    let shown = Value::Object(row.clone());
    let (from, until) = (text(&shown, "effectiveDate"), text(&shown, "expirationDate"));
    if !from.is_empty() && !until.is_empty() && until < from {
        return Err(tx.switches.failed("A price cannot end before it begins."));
    }
    const KEY: &[&str] = &["priceType", "priceCode", "inventoryId", "uoM", "currency", "effectiveDate", "warehouse"];
    let twin = tx.store.rows(TABLE).any(|other| {
        own != Some(&other["recordId"])
            && KEY.iter().all(|name| text(other, name) == text(&shown, name))
            && amount(other, "breakQty") == amount(&shown, "breakQty")
    });
    if twin {
        return Err(tx.switches.failed("A price with this key already exists."));
    }
    Ok(row)
}

/// Who buys what, when.
pub(in crate::visma_net) struct Sale<'a> {
    pub customer: &'a Value,
    pub item: &'a Value,
    pub unit: &'a str,
    pub currency: &'a str,
    pub quantity: Decimal,
    pub date: &'a str,
}

/// The price by the rules: the customer's, that of his price class, the base price, what stands at the article.
pub(in crate::visma_net) fn by_rules(tx: &Tx<'_>, sale: &Sale<'_>) -> Decimal {
    let number = text(sale.item, "inventoryNumber");
    let class = sale.customer["priceClass"]["id"].as_str().unwrap_or_default();
    let rows = tx.store.find(TABLE, "inventoryId", number).unwrap_or_default();
    for (kind, code) in [("Customer", text(sale.customer, "number")), ("CustomerPriceClass", class), ("Base", "")] {
        if kind != "Base" && code.is_empty() {
            continue;
        }
        let fits = rows.iter().filter(|row| {
            let (from, until) = (text(row, "effectiveDate"), text(row, "expirationDate"));
            row["inventoryId"] == number
                && row["priceType"] == kind
                && text(row, "priceCode") == code
                && row["uoM"] == sale.unit
                && row["currency"] == sale.currency
                && amount(row, "breakQty") <= sale.quantity.abs()
                && (from.is_empty() || from.get(..10) <= sale.date.get(..10))
                && (until.is_empty() || sale.date.get(..10) <= until.get(..10))
        });
        if let Some(row) = fits.max_by_key(|row| amount(row, "breakQty")) {
            return amount(row, "price");
        }
    }
    if sale.currency == "EUR" { amount(sale.item, "defaultPrice") } else { Decimal::ZERO }
}
