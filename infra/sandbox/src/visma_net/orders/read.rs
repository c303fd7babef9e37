//! Reading v3: orders and their parts, customers, stock. Pages begin at 0.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{TABLE, not_found};
use crate::message::{Call, Reply};
use crate::text::{number, text};
use crate::visma_net::contract::contract;
use crate::visma_net::errors::problem;
use crate::visma_net::rows::{Tx, created, is_number, modified, version};
use crate::visma_net::stock;

fn bad(call: &Call, name: &str, value: &str) -> Reply {
    problem(400, "Bad Request", &format!("The value '{value}' is not valid for {name}."), &call.path)
}

/// A number of the query.
fn count(call: &Call, name: &str, default: usize) -> Result<usize, Reply> {
    match call.param(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| bad(call, name, &text)),
    }
}

fn since(call: &Call) -> Result<Option<DateTime<Utc>>, Reply> {
    let Some(text) = call.param("modifiedSince").filter(|text| !text.is_empty()) else { return Ok(None) };
    let at = DateTime::parse_from_rfc3339(&text).map(|at| at.with_timezone(&Utc)).ok();
    let at = at.or_else(|| crate::visma_net::query::moment(&text).map(|at| at.and_utc()));
    at.map(Some).ok_or_else(|| bad(call, "modifiedSince", &text))
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// One page of rows, shown; `nextPage` while there are more.
fn paged<T>(
    tx: &Tx<'_>,
    call: &Call,
    rows: &[T],
    default: usize,
    max: usize,
    show: impl Fn(&T) -> Value,
) -> Result<Reply, Reply> {
    let size = count(call, "pageSize", default)?;
    if size == 0 {
        return Err(bad(call, "pageSize", "0"));
    }
    let (size, index) = (size.min(max), count(call, "pageIndex", 0)?);
    let from = index.saturating_mul(size).min(rows.len());
    let page = &rows[from..(from + size).min(rows.len())];
    let next = (from + page.len() < rows.len()).then(|| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            call.pairs().into_iter().filter(|(name, _)| !["pageIndex", "pageSize"].contains(&name.as_str()))
        {
            query.append_pair(&name, &value);
        }
        query.append_pair("pageSize", &size.to_string()).append_pair("pageIndex", &(index + 1).to_string());
        format!("{}{}?{}", tx.site, call.path, query.finish())
    });
    let total = tx.switches.v3_total_count.then_some(rows.len());
    Ok(Reply::json(
        200,
        &json!({"value": page.iter().map(show).collect::<Vec<_>>(), "totalCount": total, "nextPage": next}),
    ))
}

/// `GET /SalesOrders[/{type}]`.
pub(super) fn list(tx: &Tx<'_>, call: &Call, kind: Option<&str>) -> Result<Reply, Reply> {
    let since = since(call)?;
    let wanted = |name: &str| call.param(name).filter(|text| !text.is_empty());
    let (customer, status, filter) = (wanted("customerId"), wanted("status"), wanted("filter"));
    let lag = chrono::Duration::seconds(tx.switches.list_lag_seconds);
    let mut rows: Vec<&Value> = tx
        .store
        .rows(TABLE)
        .filter(|row| {
            kind.is_none_or(|kind| row["type"] == kind)
                && since.is_none_or(|since| modified(row) >= since)
                && customer.as_ref().is_none_or(|id| row["customer"]["id"] == id.as_str())
                && status.as_ref().is_none_or(|status| row["_status"] == status.as_str())
                && filter.as_ref().is_none_or(|part| text(row, "orderId").contains(part.as_str()))
                && (lag.is_zero() || tx.now - created(row) >= lag)
        })
        .collect();
    if let Some(order) = wanted("orderBy") {
        let (name, direction) = order.split_once(' ').unwrap_or((&order, "asc"));
        match name {
            "created" => rows.sort_by_key(|row| created(row)),
            "lastModified" => rows.sort_by_key(|row| modified(row)),
            "orderId" => rows.sort_by(|one, other| text(one, "orderId").cmp(text(other, "orderId"))),
            _ => return Err(bad(call, "orderBy", &order)),
        }
        match direction {
            "asc" => {}
            "desc" => rows.reverse(),
            _ => return Err(bad(call, "orderBy", &order)),
        }
    }
    paged(tx, call, &rows, 100, tx.switches.v3_max_page_size, |row| {
        let customer = &row["customer"];
        json!({"type": row["type"], "orderId": row["orderId"], "status": row["_status"], "customerId": customer["id"],
            "customerName": customer["name"], "customerOrder": customer["order"], "customerRefNo": customer["refNo"],
            "date": row["date"], "requestOn": row["requestOn"], "lastModified": utc(modified(row)),
            "orderTotal": row["totals"]["orderTotal"], "orderQty": row["orderQty"], "currency": row["currencyId"],
            "location": customer["location"]["id"], "description": row["description"],
            "shippingScheduledDate": row["shipping"]["scheduledDate"]})
    })
}

/// What belongs to which word of `expand`.
const PARTS: &[(&str, &str)] = &[
    ("Billing", "billing"),
    ("Payment", "paymentSettings"),
    ("FinancialInformation", "financialInformation"),
    ("Shipping", "shipping"),
    ("Customer", "customer"),
    ("Owner", "owner"),
    ("Origin", "origin"),
    ("Note", "note"),
    ("Freight", "freight"),
    ("Attachments", "attachments"),
];

/// An order as it is shown.
pub(super) fn shown(row: &Value, expand: &[&str]) -> Value {
    let status = text(row, "_status");
    let mut shown = Map::new();
    for name in [
        "type",
        "orderId",
        "date",
        "requestOn",
        "cancelBy",
        "currencyId",
        "description",
        "branch",
        "print",
        "orderQty",
        "totals",
        "createdBy",
    ] {
        shown.insert(name.into(), row[name].clone());
    }
    shown.insert(
        "status".into(),
        json!({"description": status, "hold": status == "Hold", "cancelled": status == "Cancelled"}),
    );
    shown.insert("lastModified".into(), json!(utc(modified(row))));
    shown.insert("version".into(), json!(version(row)));
    for (word, name) in PARTS {
        if expand.contains(word) || expand.contains(&"All") {
            shown.insert((*name).into(), row.get(*name).cloned().unwrap_or_default());
        }
    }
    Value::Object(shown)
}

/// The words of `expand`, repeated or with commas between them.
fn expands(call: &Call, values: &str) -> Result<Vec<String>, Reply> {
    let pairs = call.pairs();
    let words = pairs.iter().filter(|(name, _)| name == "expand").flat_map(|(_, value)| value.split(','));
    let words: Vec<String> = words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect();
    match words.iter().find(|word| !contract().values(values).contains(word)) {
        Some(word) => Err(bad(call, "expand", word)),
        None => Ok(words),
    }
}

/// `GET /SalesOrders/{type}/{orderId}`.
pub(super) fn order(tx: &Tx<'_>, call: &Call, place: &str) -> Result<Reply, Reply> {
    let row = tx.get(TABLE, place).ok_or_else(|| not_found(call))?;
    let words = expands(call, "So3OrderExpand")?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(Reply::json(200, &shown(row, &words)).with("ETag", format!("\"{}\"", version(row))))
}

fn plain(line: &Value) -> Value {
    let fields = line.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('_'));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Parts of an order with addresses of their own.
pub(super) fn part(tx: &Tx<'_>, call: &Call, place: &str, path: &str, id: &str) -> Result<Reply, Reply> {
    let row = tx.get(TABLE, place).ok_or_else(|| not_found(call))?;
    let lines = row["_lines"].as_array().cloned().unwrap_or_default();
    match path.rsplit('/').next().unwrap_or_default() {
        "lines" => paged(tx, call, &lines, 1_000, 1_000, plain),
        "{lineId}" => {
            let line = lines.iter().find(|line| is_number(&line["lineId"], id)).ok_or_else(|| not_found(call))?;
            Ok(Reply::json(200, &plain(line)).with("ETag", format!("\"{}\"", version(row))))
        }
        "tax" => Ok(Reply::json(200, &row["_taxes"])),
        "shipment" => Ok(Reply::json(200, &row["_shipments"])),
        _ => Ok(Reply::json(200, &json!([]))),
    }
}

/// `GET /Customers`: found by number, name, GLN or VAT number, not by e-mail.
pub(super) fn customers(tx: &Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let part = call.param("filter").unwrap_or_default().to_lowercase();
    let holds = |row: &&Value| {
        ["number", "name", "gln", "vatRegistrationId"].iter().any(|name| text(row, name).to_lowercase().contains(&part))
    };
    let rows: Vec<&Value> = tx.store.rows("customer").filter(holds).collect();
    paged(tx, call, &rows, 100, 1_000, |row| {
        let address = &row["mainAddress"];
        json!({"id": row["number"], "internalId": row["internalId"], "name": row["name"], "status": row["status"],
            "currencyId": row["currencyId"], "customerClassId": row["customerClass"]["id"],
            "addressLine1": address["addressLine1"], "addressLine2": address["addressLine2"],
            "postalCode": address["postalCode"], "country": address["country"]["id"], "defaultLocation": row["location"]})
    })
}

/// `GET /Customers/{id}/locations`.
pub(super) fn locations(tx: &Tx<'_>, call: &Call, customer: &str) -> Result<Reply, Reply> {
    tx.get("customer", customer).ok_or_else(|| not_found(call))?;
    let rows = tx.store.find("location", "_customer", customer).unwrap_or_default();
    let shown = rows.into_iter().filter(|row| row["_customer"] == customer).map(|row| {
        let (address, contact) = (&row["address"], &row["contact"]);
        json!({"id": row["locationId"], "internalId": row["internalId"], "name": row["locationName"], "gln": row["gln"],
            "corporateId": row["corporateId"], "taxRegistrationId": row["vatRegistrationId"],
            "taxZoneId": row["vatZone"]["id"], "countryId": address["country"]["id"],
            "priceClassId": row["_priceClass"]["id"], "warehouseId": null,
            "address": {"line1": address["addressLine1"], "line2": address["addressLine2"], "postalCode":
                address["postalCode"], "city": address["city"], "country": address["country"]},
            "contact": {"name": contact["name"], "email": contact["email"], "phone1": contact["phone1"]}})
    });
    Ok(Reply::json(200, &Value::Array(shown.collect())))
}

/// `GET /Inventory`: stock per article and warehouse.
pub(super) fn inventory(tx: &Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let since = since(call)?;
    let words = expands(call, "So3InventoryExpand")?;
    let on = |word: &str| words.iter().any(|one| one == word || one == "All");
    let pairs = call.pairs();
    let all = |name: &str| -> Vec<&str> {
        pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    };
    if !all("attributeFilter").is_empty() {
        return Err(problem(501, "Not Implemented", "attributeFilter is not part of the sandbox", &call.path));
    }
    let (items, houses) = (all("inventoryId"), all("warehouseId"));
    let rows: Vec<(&Value, Vec<Value>)> = tx
        .store
        .rows("inventory")
        .filter(|item| item["stockItem"] == true)
        .filter(|item| items.is_empty() || items.contains(&text(item, "inventoryNumber")))
        .filter_map(|item| {
            let mut positions = stock::positions(tx, text(item, "inventoryNumber"));
            positions.retain(|one| houses.is_empty() || houses.contains(&text(one, "warehouse")));
            if let Some(since) = since {
                let changed = positions.iter().any(|one| modified(one) >= since);
                if !changed {
                    return None;
                }
                if tx.switches.v3_changed_positions_only {
                    positions.retain(|one| modified(one) >= since);
                }
            }
            Some((item, positions))
        })
        .collect();
    paged(tx, call, &rows, 10_000, 10_000, |(item, positions)| {
        let mut shown = json!({"inventoryId": item["inventoryNumber"], "internalId": item["inventoryId"],
            "description": item["description"], "baseUnit": item["baseUnit"]});
        shown["availability"] = positions.iter().map(|one| position(tx, item, one, on("Location"))).collect();
        if on("Attribute") {
            let held = item["attributes"].as_array().into_iter().flatten();
            let map: Map<String, Value> = held.map(|one| (text(one, "id").to_owned(), one["value"].clone())).collect();
            shown["attributes"] = Value::Object(map);
        }
        shown
    })
}

fn position(tx: &Tx<'_>, item: &Value, one: &Value, with_places: bool) -> Value {
    let house = text(one, "warehouse");
    let description = tx.get("warehouse", house).map(|row| row["description"].clone());
    let mut shown = json!({"quantityOnHand": number(stock::on_hand(one)),
        "quantityAvailable": number(stock::available(tx, item, one)),
        "quantityAvailableForShipment": number(stock::for_shipment(one)),
        "quantityNotAvailable": one.get("notAvailable").cloned().unwrap_or(json!(0)),
        "quantityPurchaseOrders": one.get("purchaseOrders").cloned().unwrap_or(json!(0)),
        "lastModified": utc(modified(one))});
    if with_places {
        let mut place = shown.clone();
        place["locationId"] = json!(stock::PLACE);
        shown["locations"] = json!([place]);
    }
    shown["warehouseId"] = json!(house);
    shown["description"] = json!(description);
    shown
}
