//! Lines of orders: article, unit, price, discount, VAT; and the stock they book.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::build::refer;
use crate::text::{amount, decimal, number, text};
use crate::visma_net::errors::Findings;
use crate::visma_net::rows::{Fields, Tx, field, filled};
use crate::visma_net::rules::amounts::{self, Vat, vat_of};
use crate::visma_net::rules::document::sales_account;
use crate::visma_net::rules::items::has_unit;
use crate::visma_net::rules::prices::{Sale, by_rules};
use crate::visma_net::stock;

/// What lines need to know of their order.
pub(super) struct Head<'a> {
    pub kind: &'a Value,
    pub customer: &'a Value,
    pub zone: &'a str,
    pub currency: &'a str,
    pub date: &'a str,
}

fn item<'a>(tx: &'a Tx<'_>, sent: &Fields, path: &str, findings: &mut Findings) -> Option<&'a Value> {
    let property = format!("{path}.inventoryId");
    if !filled(sent, "inventoryId") {
        findings.add("0001-NullNotAllowed", &property, "The article is missing.");
        return None;
    }
    let code = field(sent, "inventoryId");
    if let Some(item) = tx.get("inventory", code) {
        return Some(item);
    }
    if tx.switches.resolve_alternate_ids {
        let holds = |row: &&Value| {
            row["crossReferences"].as_array().is_some_and(|list| list.iter().any(|one| one["alternateID"] == code))
        };
        let found: Vec<&Value> = tx.store.rows("inventory").filter(holds).collect();
        match found.as_slice() {
            [one] => return Some(*one),
            [] => {}
            _ => {
                findings.add(
                    "1803-UniqueInventoryIdNotFound",
                    &property,
                    &format!("'{code}' stands for several articles."),
                );
                return None;
            }
        }
    }
    findings.add("1804-InventoryIdNotFound", &property, &format!("'{code}' is not known."));
    None
}

/// One line: as it is shown, and what it is worth with which VAT; None: it cannot be made.
pub(super) fn line(
    tx: &Tx<'_>,
    head: &Head<'_>,
    line: &Value,
    at: usize,
    findings: &mut Findings,
) -> Option<(Value, (Decimal, Option<Vat>))> {
    let sent = line.as_object().cloned().unwrap_or_default();
    let path = format!("orderLines[{at}]");
    let path_of = |name: &str| format!("{path}.{name}");
    let item = item(tx, &sent, &path, findings)?.clone();
    let stock = item["stockItem"] == true;
    if !["Active", "NoPurchases", "NoRequest"].contains(&text(&item, "status")) {
        let status = format!("The article has the status '{}'.", text(&item, "status"));
        findings.add("0005-InvalidState", &path_of("inventoryId"), &status);
    }
    let unit = if filled(&sent, "unitOfMeasure") { field(&sent, "unitOfMeasure") } else { text(&item, "salesUnit") };
    if !has_unit(&item, unit) {
        findings.add(
            "1808-InvalidUnitOfMeasure",
            &path_of("unitOfMeasure"),
            &format!("'{unit}' is no unit of the article."),
        );
    }
    let value = |name: &str| sent.get(name).and_then(decimal);
    let quantity = value("quantity").unwrap_or_default();
    if quantity.is_sign_negative() && !quantity.is_zero() && text(&item, "type") != "ChargeItem" {
        findings.add("1809-InvalidQuantityForType", &path_of("quantity"), "Only a charge may be negative.");
    }
    let mut house =
        refer(tx, &sent, "warehouseId", "warehouse", "1802-InvalidWarehouseId", &path_of("warehouseId"), findings);
    if house.is_some_and(|house| house["active"] != true) {
        findings.add("1802-InvalidWarehouseId", &path_of("warehouseId"), "The warehouse is inactive.");
        house = None;
    }
    let house = house.map_or_else(|| item["defaultWarehouse"]["id"].clone(), |house| house["warehouseID"].clone());
    references(tx, head, &sent, &path, findings);
    let category = refer(
        tx,
        &sent,
        "taxCategoryId",
        "vatCategory",
        "1805-InvalidTaxCategoryId",
        &path_of("taxCategoryId"),
        findings,
    );
    if category.is_some_and(|row| row["active"] != true) {
        findings.add("1805-InvalidTaxCategoryId", &path_of("taxCategoryId"), "The VAT category is inactive.");
    }
    let own_category = category.map(|row| text(row, "vatCategoryId").to_owned());
    let category = own_category.unwrap_or_else(|| text(&item["vatCode"], "id").to_owned());
    let flagged = |name: &str| sent.get(name) == Some(&json!(true)) || tx.switches.keep_unflagged_prices;
    let sale = Sale { customer: head.customer, item: &item, unit, currency: head.currency, quantity, date: head.date };
    let price = match value("unitPrice") {
        Some(price) if flagged("hasManualPrice") => price,
        None if sent.get("hasManualPrice") == Some(&json!(true)) => Decimal::ZERO,
        _ => by_rules(tx, &sale),
    };
    let manual = flagged("hasManualDiscount");
    let percent = value("discountPercent").filter(|_| manual).unwrap_or_default();
    let off = value("discountAmount").filter(|_| manual).unwrap_or_default();
    if percent.abs() > Decimal::ONE_HUNDRED {
        findings.add("0100-OutsideValidRange", &path_of("discountPercent"), "It lies between -100 and 100.");
    }
    let (gross, off) = amounts::line(quantity, price, percent, off);
    if off.abs() > gross.abs() {
        findings.add(
            "1101-DiscountAmountMoreThanExtPrice",
            &path_of("discountAmount"),
            "The discount is more than the line is worth.",
        );
    }
    let net = gross - off;
    let vat = vat_of(tx, head.zone, &category, head.date);
    let account = if filled(&sent, "salesAccountId") {
        field(&sent, "salesAccountId").to_owned()
    } else {
        sales_account(&item, head.zone)
    };
    let description =
        if filled(&sent, "description") { field(&sent, "description") } else { text(&item, "description") };
    let base = quantity * unit_rate(&item, unit);
    let kind = match (stock, text(&item, "type")) {
        (true, _) => "GoodsForInventory",
        (false, "ChargeItem") => "MiscCharge",
        _ => "NonInventoryGoods",
    };
    let mut shown = json!({"lineId": sent.get("lineId"), "sortOrder": sent.get("lineId"), "lineType": kind,
        "inventory": {"id": item["inventoryNumber"], "description": item["description"], "baseUnit": item["baseUnit"]},
        "description": description, "unitOfMeasure": unit, "quantity": number(quantity),
        "baseOrderQuantity": number(base), "openQuantity": number(quantity), "quantityOnShipments": 0,
        "billedQuantity": 0, "completed": false, "openLine": true, "freeItem": false, "unitPrice": number(price),
        "hasManualPrice": sent.get("hasManualPrice") == Some(&json!(true)), "lineTotalBeforeDiscount": number(gross),
        "discountPercent": number(percent), "discountAmount": number(off), "extendedPrice": number(net),
        "hasManualDiscount": sent.get("hasManualDiscount") == Some(&json!(true)), "taxCategoryId": category,
        "salesAccountId": account, "operation": head.kind["defaultOperation"], "_rate": number(unit_rate(&item, unit))});
    if stock {
        shown["warehouseId"] = house;
    }
    for name in ["note", "externalLink", "shipDate", "requestDate", "shippingRule", "subaccount"] {
        shown[name] = sent.get(name).cloned().unwrap_or_default();
    }
    Some((shown, (net, vat)))
}

/// What else a line can point at.
fn references(tx: &Tx<'_>, head: &Head<'_>, sent: &Fields, path: &str, findings: &mut Findings) {
    let path_of = |name: &str| format!("{path}.{name}");
    let account = refer(
        tx,
        sent,
        "salesAccountId",
        "account",
        "1806-InvalidSalesAccountId",
        &path_of("salesAccountId"),
        findings,
    );
    if account.is_some_and(|row| row["active"] != true) {
        findings.add("1806-InvalidSalesAccountId", &path_of("salesAccountId"), "The account is inactive.");
    }
    let branch = refer(tx, sent, "branchId", "branch", "0003-InvalidValue", &path_of("branchId"), findings);
    if branch.is_some_and(|row| row["isActive"] != true) {
        findings.add("0003-InvalidValue", &path_of("branchId"), "The branch is inactive.");
    }
    for (name, code) in [
        ("discountCode", "1105-InvalidDiscountCode"),
        ("reasonCode", "1807-InvalidReasonCode"),
        ("salesPersonId", "1902-SalesPersonNotFound"),
        ("supplierId", "1903-SupplierNotFound"),
        ("projectTaskId", "1908-ProjectTaskNotFound"),
    ] {
        if filled(sent, name) {
            findings.add(code, &path_of(name), &format!("'{}' is not known.", field(sent, name)));
        }
    }
    if filled(sent, "warehouseLocationId") && field(sent, "warehouseLocationId") != stock::PLACE {
        findings.add("1700-WarehouseLocationNotFound", &path_of("warehouseLocationId"), "The place is not known.");
    }
    if filled(sent, "operation") && head.kind["defaultOperation"] != field(sent, "operation") {
        findings.add(
            "1800-InvalidLineOperation",
            &path_of("operation"),
            "The order type does not have this operation.",
        );
    }
    for (name, low, high) in [("overshipThreshold", 100, 999), ("undershipThreshold", 0, 100)] {
        let value = sent.get(name).and_then(decimal);
        if value.is_some_and(|value| value < Decimal::from(low) || value > Decimal::from(high)) {
            findings.add("0100-OutsideValidRange", &path_of(name), &format!("It lies between {low} and {high}."));
        }
    }
    let Some(segments) = sent.get("subaccount").and_then(Value::as_object) else { return };
    let mut sub = String::new();
    for (segment, value) in segments {
        let value = value.as_str().unwrap_or_default();
        if segment != "1" || tx.get("department", value).is_none() {
            findings.add(
                "1202-SegmentValueNotFound",
                &path_of("subaccount"),
                &format!("'{value}' is no value of segment {segment}."),
            );
            return;
        }
        sub.push_str(value);
    }
    if !sub.is_empty() && tx.get("subaccount", &sub).is_none() {
        findings.add("1203-SubaccountNotFound", &path_of("subaccount"), "There is no such subaccount.");
    }
}

fn unit_rate(item: &Value, unit: &str) -> Decimal {
    let units = item["inventoryUnits"].as_array().into_iter().flatten();
    let known = units.into_iter().find(|one| one["fromUnit"] == unit);
    known.map_or(Decimal::ONE, |one| amount(one, "unitRate"))
}

/// Books what an order still has to deliver (`sign` 1), or takes that back (-1).
pub(super) fn book(tx: &mut Tx<'_>, order: &Value, sign: Decimal) {
    let kind = tx.get("salesordertype", text(order, "type")).map(|row| text(row, "behavior").to_owned());
    if !matches!(kind.as_deref(), Some("SalesOrder" | "Invoice")) {
        return;
    }
    let field = if order["_status"] == "BackOrder" { "soBackOrdered" } else { "soBooked" };
    for line in order["_lines"].as_array().cloned().unwrap_or_default() {
        let Some(house) = line["warehouseId"].as_str() else { continue };
        let open = amount(&line, "openQuantity") * amount(&line, "_rate");
        if !open.is_zero() {
            stock::add(tx, text(&line["inventory"], "id"), house, &[(field, open * sign)]);
        }
    }
}
