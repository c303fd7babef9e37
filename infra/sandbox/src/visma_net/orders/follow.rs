//! What comes after an order: the shipment, and the invoice or credit note.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{TABLE, key};
use crate::message::{Call, Reply};
use crate::text::{amount, number, text};
use crate::visma_net::actions;
use crate::visma_net::contract::Endpoint;
use crate::visma_net::errors::{not_found, unreadable};
use crate::visma_net::rows::{Fields, Tx, day};
use crate::visma_net::rules::amounts::cents;
use crate::visma_net::rules::documents::{CREDIT_NOTE, Document, INVOICE, create};
use crate::visma_net::stock;

/// `POST …/action/createShipment`: ships what is there of an open order.
pub(in crate::visma_net) fn ship(tx: &mut Tx<'_>, call: &Call, endpoint: &Endpoint, id: &str) -> Result<Reply, Reply> {
    let body = call.json().map_err(|_| unreadable("The body is not valid JSON."))?;
    for name in ["orderType", "shipmentDate", "shipmentWarehouse"] {
        if text(&body, name).is_empty() {
            return Err(tx.switches.missing(name));
        }
    }
    let date = day(text(&body, "shipmentDate")).ok_or_else(|| unreadable("shipmentDate is no date."))?;
    let house = text(&body, "shipmentWarehouse").to_owned();
    if tx.get("warehouse", &house).is_none() {
        return Err(tx.switches.unknown("shipmentWarehouse", &house));
    }
    let place = key(text(&body, "orderType"), id);
    let mut row = tx.fields(TABLE, &place).ok_or_else(not_found)?;
    let status = row["_status"].as_str().unwrap_or_default().to_owned();
    if !["Open", "BackOrder"].contains(&status.as_str()) {
        return Err(tx.switches.failed(&format!("An order with the status '{status}' cannot be shipped.")));
    }
    let booked = if status == "BackOrder" { "soBackOrdered" } else { "soBooked" };
    let whole = row["shipping"]["rule"] == "ShipComplete";
    let mut lines = row["_lines"].as_array().cloned().unwrap_or_default();
    let mut shipped = Decimal::ZERO;
    for line in &mut lines {
        if line["warehouseId"] != house.as_str() {
            continue;
        }
        let item = text(&line["inventory"], "id").to_owned();
        let (open, rate) = (amount(line, "openQuantity"), amount(line, "_rate"));
        let there =
            stock::positions(tx, &item).iter().find(|one| one["warehouse"] == house.as_str()).map(stock::for_shipment);
        let there = (there.unwrap_or_default() / rate).floor().max(Decimal::ZERO);
        if whole && there < open {
            return Err(tx.switches.failed(&format!("There is not enough of '{item}' to ship the order complete.")));
        }
        let now = open.min(there);
        stock::add(tx, &item, &house, &[(booked, -now * rate), ("soShipped", now * rate)]);
        line["openQuantity"] = number(open - now);
        line["quantityOnShipments"] = number(amount(line, "quantityOnShipments") + now);
        line["completed"] = json!((open - now).is_zero());
        shipped += now;
    }
    if shipped.is_zero() {
        return Err(tx.switches.failed("There is nothing that could be shipped."));
    }
    let goods = lines.iter().filter(|line| line["warehouseId"].is_string());
    let left: Decimal = goods.map(|line| amount(line, "openQuantity")).sum();
    let number_of = format!("{:06}", tx.store.next_number("shipment", 1));
    let mut shipments = row["_shipments"].as_array().cloned().unwrap_or_default();
    shipments.push(json!({"id": number_of, "type": "Issue", "date": date, "quantity": number(shipped)}));
    row.insert("_shipments".into(), Value::Array(shipments));
    row.insert("_lines".into(), Value::Array(lines));
    row.insert("_status".into(), json!("Shipping"));
    row.insert("_left".into(), number(left));
    row.insert("_booked_in".into(), json!(booked));
    tx.put(TABLE, &place, row);
    if endpoint.key.starts_with("POST /v2") {
        return Ok(Reply::empty(204));
    }
    Ok(actions::result("Done", json!({"referenceNumber": number_of})))
}

/// `POST …/action/prepareInvoice`: goods leave the stock, and the document is there.
pub(in crate::visma_net) fn invoice(tx: &mut Tx<'_>, kind: &str, id: &str) -> Result<Reply, Reply> {
    let place = key(kind, id);
    let mut row = tx.fields(TABLE, &place).ok_or_else(not_found)?;
    let status = row["_status"].as_str().unwrap_or_default().to_owned();
    let behavior = tx.get("salesordertype", kind).map(|row| text(row, "behavior").to_owned()).unwrap_or_default();
    let mut lines = row["_lines"].as_array().cloned().unwrap_or_default();
    let goods = lines.iter().any(|line| line["warehouseId"].is_string());
    let ready = match behavior.as_str() {
        "SalesOrder" if goods => status == "Shipping",
        "SalesOrder" | "Invoice" | "CreditMemo" => status == "Open",
        _ => false,
    };
    if !ready {
        return Err(tx.switches.failed(&format!("An order with the status '{status}' cannot be invoiced.")));
    }
    let mut billed = Vec::new();
    for line in &mut lines {
        let quantity = amount(line, "quantity");
        let goods = line["warehouseId"].as_str().map(str::to_owned);
        let on_shipments = amount(line, "quantityOnShipments") - amount(line, "billedQuantity");
        let now = if behavior == "SalesOrder" && goods.is_some() {
            on_shipments
        } else {
            quantity - amount(line, "billedQuantity")
        };
        if now.is_zero() && !quantity.is_zero() {
            continue;
        }
        if let Some(house) = goods {
            let item = text(&line["inventory"], "id").to_owned();
            let base = now * amount(line, "_rate");
            let changes: &[(&str, Decimal)] = match behavior.as_str() {
                "SalesOrder" => &[("soShipped", -base), ("onHand", -base)],
                "Invoice" => &[("soBooked", -base), ("onHand", -base)],
                _ => &[("onHand", base)],
            };
            stock::add(tx, &item, &house, changes);
        }
        let share = if quantity.is_zero() { Decimal::ONE } else { now / quantity };
        billed.push(json!({"inventoryNumber": line["inventory"]["id"], "description": line["description"],
            "quantity": number(now), "uom": line["unitOfMeasure"], "unitPriceInCurrency": line["unitPrice"],
            "discountAmountInCurrency": number(cents(amount(line, "discountAmount") * share)),
            "vatCodeId": line["taxCategoryId"], "accountNumber": line["salesAccountId"], "soOrderType": kind,
            "soOrderNbr": id}));
        line["billedQuantity"] = number(amount(line, "billedQuantity") + now);
        if behavior != "SalesOrder" || line["warehouseId"].is_null() {
            line["openQuantity"] = json!(0);
            line["completed"] = json!(true);
        }
    }
    if row.get("_freight_billed") != Some(&json!(true)) && !amount(&row["totals"], "freightTotal").is_zero() {
        billed.push(json!({"description": "Freight", "quantity": 1, "unitPriceInCurrency": row["totals"]["freightTotal"],
            "accountNumber": "8020", "vatCodeId": row["freight"]["taxCategoryId"], "soOrderType": kind, "soOrderNbr": id}));
        row.insert("_freight_billed".into(), json!(true));
    }
    let document = if behavior == "CreditMemo" { &CREDIT_NOTE } else { &INVOICE };
    let number_of = create(tx, document, input_of(tx, &row, document, billed))?;
    let left = amount(&Value::Object(row.clone()), "_left");
    let status = match behavior.as_str() {
        "Invoice" => "Invoiced",
        _ if left.is_zero() || row["shipping"]["rule"] == "CancelRemainder" => "Completed",
        _ => "BackOrder",
    };
    finish(tx, &mut row, &mut lines, status);
    row.insert("_lines".into(), Value::Array(lines));
    tx.put(TABLE, &place, row);
    Ok(actions::result("Done", json!({"referenceNumber": number_of})))
}

/// What was not shipped is given up, or waits as a back order.
fn finish(tx: &mut Tx<'_>, row: &mut Fields, lines: &mut [Value], status: &str) {
    let booked = if row.get("_booked_in") == Some(&json!("soBackOrdered")) { "soBackOrdered" } else { "soBooked" };
    for line in lines {
        let (Some(house), open) = (line["warehouseId"].as_str().map(str::to_owned), amount(line, "openQuantity"))
        else {
            continue;
        };
        if open.is_zero() {
            continue;
        }
        let item = text(&line["inventory"], "id").to_owned();
        let base = open * amount(line, "_rate");
        match status {
            "BackOrder" => stock::add(tx, &item, &house, &[(booked, -base), ("soBackOrdered", base)]),
            _ => {
                stock::add(tx, &item, &house, &[(booked, -base)]);
                line["openQuantity"] = json!(0);
                line["completed"] = json!(true);
            }
        }
    }
    row.insert("_status".into(), json!(status));
}

fn input_of(tx: &Tx<'_>, row: &Fields, document: &Document, lines: Vec<Value>) -> Fields {
    let customer = &row["customer"];
    let mut input = json!({"customerNumber": customer["id"], "documentDate": tx.today(), "currencyId": row["currencyId"],
        "customerRefNumber": customer["refNo"], "locationId": customer["location"]["id"],
        "customerVatZoneId": customer["taxZone"]["id"], "branchNumber": row["branch"]["id"], "_any_item": true});
    let list = if document.table == "customerinvoice" { "invoiceLines" } else { "lines" };
    if document.table == "customerinvoice" {
        input["creditTermsId"] = row["_terms"]["id"].clone();
        input["paymentReference"] = row["paymentSettings"]["paymentReference"].clone();
    }
    input[list] = Value::Array(lines);
    let fields = input.as_object().cloned().unwrap_or_default();
    fields.into_iter().filter(|(_, value)| !value.is_null()).collect()
}
