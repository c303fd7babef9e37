//! An order out of what was sent: every reference is looked up, every mistake gathered, amounts and VAT computed.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::lines::{self, Head};
use crate::message::{Call, Reply};
use crate::text::{amount, decimal, number, text};
use crate::visma_net::errors::Findings;
use crate::visma_net::rows::{Fields, Tx, field, filled};
use crate::visma_net::rules::amounts::{cents, totals, vat_of};
use crate::visma_net::rules::people::location_key;
use crate::visma_net::rules::periods::{self, Trouble};

/// Kinds of shipping terms and of zones a company set up; no address lists them.
pub(super) const SHIPPING_TERMS: &[&str] = &["DAP", "EXW"];

/// An object of a body, empty when it was not sent.
pub(super) fn object(fields: &Fields, name: &str) -> Fields {
    fields.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Notes a reference that points at nothing.
pub(super) fn refer<'a>(
    tx: &'a Tx<'_>,
    fields: &Fields,
    name: &str,
    table: &str,
    code: &str,
    property: &str,
    findings: &mut Findings,
) -> Option<&'a Value> {
    if !filled(fields, name) {
        return None;
    }
    let key = field(fields, name);
    let row = tx.get(table, key);
    if row.is_none() {
        findings.add(code, property, &format!("'{key}' is not known."));
    }
    row
}

/// The order as it is kept; lines come with their numbers.
pub(super) fn order(tx: &Tx<'_>, call: &Call, input: &Fields, mut findings: Findings) -> Result<Fields, Reply> {
    let mut row = Fields::new();
    let kind = tx.get("salesordertype", field(input, "type")).cloned().unwrap_or_default();
    if kind["active"] != true && filled(input, "type") {
        findings.add("1704-InvalidOrderType", "type", "The order type is not known, or inactive.");
    }
    let sent = object(input, "customer");
    let customer = customer(tx, &sent, &mut findings);
    let location = place(tx, &sent, &customer, &mut findings);
    let zone = match refer(tx, input, "taxZoneId", "vatZone", "0003-InvalidValue", "taxZoneId", &mut findings) {
        Some(zone) => zone.clone(),
        None => location["vatZone"].clone(),
    };
    terms(tx, &sent, &customer, &mut row, &mut findings);
    let date = match field(input, "date") {
        "" => format!("{}Z", tx.today()),
        own => own.to_owned(),
    };
    dates(tx, input, &date, &mut findings);
    let currency = match refer(tx, input, "currencyId", "currency", "0003-InvalidValue", "currencyId", &mut findings) {
        Some(currency) => text(currency, "id").to_owned(),
        None => text(&customer, "currencyId").to_owned(),
    };
    let branch = refer(tx, input, "branchId", "branch", "0003-InvalidValue", "branchId", &mut findings);
    if branch.is_some_and(|branch| branch["isActive"] != true) {
        findings.add("0003-InvalidValue", "branchId", "The branch is inactive.");
    }
    let branch = branch.or_else(|| tx.get("branch", "1")).cloned().unwrap_or_default();
    for (name, code) in [
        ("projectId", "1904-ProjectNotFound"),
        ("salesPersonId", "1902-SalesPersonNotFound"),
        ("ownerId", "0003-InvalidValue"),
    ] {
        if filled(input, name) {
            findings.add(code, name, &format!("'{}' is not known.", field(input, name)));
        }
    }
    parties(tx, input, &customer, &location, &mut row, &mut findings);
    payment(tx, input, &kind, &customer, &mut row, &mut findings);
    let (cost, premium, freight_category) = freight(tx, input, &mut row, &mut findings);
    let head = Head { kind: &kind, customer: &customer, zone: text(&zone, "id"), currency: &currency, date: &date };
    let mut shown = Vec::new();
    let mut values = Vec::new();
    let sent_lines = input.get("orderLines").and_then(Value::as_array).cloned().unwrap_or_default();
    for (at, line) in sent_lines.iter().enumerate() {
        if let Some((line, value)) = lines::line(tx, &head, line, at, &mut findings) {
            shown.push(line);
            values.push(value);
        }
    }
    findings.told(&call.path)?;
    if !(cost + premium).is_zero() {
        values.push((cost + premium, vat_of(tx, head.zone, &freight_category, &date)));
    }
    let sums = totals(tx, &values);
    let quantity: Decimal = shown.iter().map(|line| amount(line, "quantity")).sum();
    let discount: Decimal = shown.iter().map(|line| amount(line, "discountAmount")).sum();
    let rate = amount(tx.get("currency", &currency).unwrap_or(&Value::Null), "_rate");
    let mut money = json!({});
    for (name, value) in [
        ("orderTotal", sums.total),
        ("taxTotal", sums.vat),
        ("taxableTotal", sums.taxable),
        ("taxExemptTotal", sums.exempt),
        ("discountTotal", discount),
        ("freightCost", cost),
        ("freightTotal", cost + premium),
        ("unbilledAmount", sums.total),
        ("unshippedAmount", sums.lines),
        ("costTotal", Decimal::ZERO),
    ] {
        money[name] = number(value);
        money[format!("{name}InBaseCurrency")] = number(cents(value * rate));
    }
    let taxes = sums.details.iter().map(|detail| {
        json!({"taxId": detail.vat.id, "taxRate": number(detail.vat.rate), "taxableAmount": number(detail.taxable),
            "taxAmount": number(detail.amount), "isReverseTax": detail.vat.reverse, "exemptTax": false,
            "includeInTaxable": detail.vat.included, "taxType": "Vat"})
    });
    row.insert("_taxes".into(), taxes.collect());
    row.insert("_lines".into(), Value::Array(shown));
    row.insert("totals".into(), money);
    let contact = sent.get("contactId").filter(|id| !id.is_null()).cloned();
    row.insert(
        "customer".into(),
        json!({"id": customer["number"], "internalId": customer["internalId"],
        "name": customer["name"], "order": sent.get("order"), "refNo": sent.get("refNo"), "contactId": contact,
        "taxZone": {"id": zone["id"], "description": zone["description"]}, "location": {"id": location["locationId"],
        "name": location["locationName"], "internalId": location["internalId"],
        "countryId": location["address"]["country"]["id"], "gln": location["gln"]}}),
    );
    for (name, value) in [
        ("type", json!(field(input, "type"))),
        ("date", json!(date)),
        ("requestOn", input.get("requestOn").filter(|at| !at.is_null()).cloned().unwrap_or(json!(date))),
        ("cancelBy", input.get("cancelBy").cloned().unwrap_or_default()),
        ("currencyId", json!(currency)),
        ("description", input.get("description").cloned().unwrap_or_default()),
        ("note", input.get("note").cloned().unwrap_or_default()),
        ("branch", json!({"id": branch["number"], "description": branch["name"]})),
        ("print", input.get("print").cloned().unwrap_or_default()),
        ("origin", json!({"orderType": input.get("originalOrderType"), "orderId": input.get("originalOrderId")})),
        ("orderQty", number(quantity)),
        ("createdBy", json!("koppel")),
    ] {
        row.insert(name.into(), value);
    }
    row.insert("_status".into(), json!(status(input, &customer)));
    Ok(row)
}

fn status(input: &Fields, customer: &Value) -> &'static str {
    match field(input, "status") {
        "Hold" => "Hold",
        "BackOrder" => "BackOrder",
        _ if text(customer, "status") == "CreditHold" => "CreditHold",
        _ => "Open",
    }
}

fn customer(tx: &Tx<'_>, sent: &Fields, findings: &mut Findings) -> Value {
    let row = match (field(sent, "id"), field(sent, "gln")) {
        ("", "") => {
            findings.add("0001-NullNotAllowed", "customer.id", "The customer is missing.");
            return Value::Null;
        }
        ("", gln) => tx.store.rows("customer").find(|row| row["gln"] == gln),
        (id, _) => tx.get("customer", id),
    };
    let Some(row) = row else {
        findings.add("1400-CustomerLookupException", "customer.id", "The customer is not known.");
        return Value::Null;
    };
    if !["Active", "OneTime", "CreditHold"].contains(&text(row, "status")) {
        let text = format!("The customer has the status '{}'.", text(row, "status"));
        findings.add("1407-InvalidCustomerStatus", "customer.id", &text);
    }
    row.clone()
}

fn place(tx: &Tx<'_>, sent: &Fields, customer: &Value, findings: &mut Findings) -> Value {
    if customer.is_null() {
        return Value::Null;
    }
    let id = if filled(sent, "locationId") { field(sent, "locationId") } else { "Main" };
    let row = tx.get("location", &location_key(text(customer, "number"), id)).filter(|row| row["active"] == true);
    if row.is_none() {
        findings.add("0003-InvalidValue", "customer.locationId", &format!("'{id}' is no location of the customer."));
    }
    if let Some(id) = sent.get("contactId").filter(|id| !id.is_null()) {
        let known = tx.get("contact", &id.to_string());
        if known.is_none_or(|row| row["businessAccount"] != customer["number"]) {
            findings.add("0003-InvalidValue", "customer.contactId", &format!("'{id}' is no contact of the customer."));
        }
    }
    row.cloned().unwrap_or_default()
}

fn terms(tx: &Tx<'_>, sent: &Fields, customer: &Value, row: &mut Fields, findings: &mut Findings) {
    let own = refer(tx, sent, "termsId", "creditTerm", "0003-InvalidValue", "customer.termsId", findings);
    let own = own.cloned().unwrap_or_else(|| customer["creditTerms"].clone());
    if own.is_null() && !filled(sent, "termsId") && !customer.is_null() {
        findings.add("1401-MissingTermsId", "customer.termsId", "The customer has no payment terms.");
    }
    let id = if own["termsId"].is_null() { &own["id"] } else { &own["termsId"] };
    row.insert("_terms".into(), json!({"id": id, "description": own["description"]}));
}

/// The period of the order's date, or the one that was named, must be open.
fn dates(tx: &Tx<'_>, input: &Fields, date: &str, findings: &mut Findings) {
    let info = object(input, "financialInformation");
    let own = field(&info, "postPeriod");
    let (period, property) = match (own.get(..2), own.get(2..)) {
        (Some(month), Some(year)) if year.len() == 4 => (format!("{year}{month}"), "financialInformation.postPeriod"),
        (Some(_), _) => (own.to_owned(), "financialInformation.postPeriod"),
        _ => (periods::of_date(date), "date"),
    };
    if property == "date" && tx.switches.orders_in_closed_periods {
        return;
    }
    match periods::trouble(tx, &period, "closedInCustomerLedger") {
        None => {}
        Some(Trouble::Missing) => findings.add("1600-FinancialPeriodNotFound", property, "There is no such period."),
        Some(Trouble::Closed) => findings.add("1601-FinancialPeriodClosed", property, "The period is closed."),
        Some(Trouble::Inactive) => findings.add("1602-FinancialPeriodInactive", property, "The period is inactive."),
    }
}

/// Addresses and contacts; what is given replaces all, nothing is merged in.
fn parties(tx: &Tx<'_>, input: &Fields, customer: &Value, location: &Value, row: &mut Fields, findings: &mut Findings) {
    for (name, address, contact) in [
        ("billing", &customer["invoiceAddress"], &customer["invoiceContact"]),
        ("shipping", &location["address"], &location["contact"]),
    ] {
        let sent = object(input, name);
        let mut shown = json!({});
        shown["address"] = match sent.get("address").and_then(Value::as_object) {
            None => json!({"line1": address["addressLine1"], "line2": address["addressLine2"],
                "line3": address["addressLine3"], "postalCode": address["postalCode"], "city": address["city"],
                "country": address["country"], "overridesDefault": false}),
            Some(own) => {
                let property = format!("{name}.address.countryId");
                if !filled(own, "countryId") {
                    findings.add("0001-NullNotAllowed", &property, "The country is missing.");
                }
                let country = refer(tx, own, "countryId", "country", "0003-InvalidValue", &property, findings);
                let country = country.map(|country| json!({"id": country["id"], "name": country["name"]}));
                let mut own = own.clone();
                own.remove("countryId");
                own.insert("country".into(), country.unwrap_or_default());
                own.insert("overridesDefault".into(), json!(true));
                Value::Object(own)
            }
        };
        shown["contact"] = match sent.get("contact").and_then(Value::as_object) {
            None => json!({"name": contact["name"], "attention": contact["attention"], "email": contact["email"],
                "phone1": contact["phone1"], "overridesDefault": false}),
            Some(own) => {
                let mut own = own.clone();
                own.insert("overridesDefault".into(), json!(true));
                Value::Object(own)
            }
        };
        if name == "shipping" {
            shipping(tx, &sent, &mut shown, findings);
        }
        row.insert(name.into(), shown);
    }
}

fn shipping(tx: &Tx<'_>, sent: &Fields, shown: &mut Value, findings: &mut Findings) {
    let via = refer(tx, sent, "shipViaId", "carrier", "0003-InvalidValue", "shipping.shipViaId", findings);
    shown["shipVia"] =
        via.map(|via| json!({"id": via["carrierId"], "description": via["carrierDescription"]})).unwrap_or_default();
    let house = refer(
        tx,
        sent,
        "preferredWarehouseId",
        "warehouse",
        "1802-InvalidWarehouseId",
        "shipping.preferredWarehouseId",
        findings,
    );
    shown["preferredWarehouse"] =
        house.map(|row| json!({"id": row["warehouseID"], "description": row["description"]})).unwrap_or_default();
    if filled(sent, "termsId") && !SHIPPING_TERMS.contains(&field(sent, "termsId")) {
        findings.add("0003-InvalidValue", "shipping.termsId", "The shipping terms are not known.");
    }
    shown["terms"] = if filled(sent, "termsId") { json!({"id": sent["termsId"]}) } else { Value::Null };
    for name in ["zoneId", "fobPointId"] {
        if filled(sent, name) {
            findings.add(
                "0003-InvalidValue",
                &format!("shipping.{name}"),
                &format!("'{}' is not known.", field(sent, name)),
            );
        }
    }
    for name in
        ["rule", "priority", "scheduledDate", "shipSeparately", "residentialDelivery", "saturdayDelivery", "insurance"]
    {
        shown[name] = sent.get(name).cloned().unwrap_or_default();
    }
    if shown["rule"].is_null() {
        shown["rule"] = json!("BackOrderAllowed");
    }
}

fn payment(tx: &Tx<'_>, input: &Fields, kind: &Value, customer: &Value, row: &mut Fields, findings: &mut Findings) {
    let sent = object(input, "paymentSettings");
    let property = "paymentSettings.paymentMethodId";
    let method =
        refer(tx, &sent, "paymentMethodId", "paymentmethod", "1402-PaymentMethodIdNotFound", property, findings);
    if method.is_some_and(|method| method["active"] != true) {
        findings.add("1403-InactivePaymentMethodId", property, "The payment method is inactive.");
    }
    let method = method.or_else(|| tx.get("paymentmethod", text(customer, "defaultPaymentMethodId")));
    refer(
        tx,
        &sent,
        "cashAccountId",
        "cashaccount",
        "1502-CashAccountNotFound",
        "paymentSettings.cashAccountId",
        findings,
    );
    let reference = "paymentSettings.paymentReference";
    match (text(kind, "_payment"), filled(&sent, "paymentReference")) {
        ("required", false) => {
            findings.add("1405-PaymentReferenceRequired", reference, "The order type asks for a payment reference.")
        }
        ("prohibited", true) => {
            findings.add("1406-PaymentReferenceProhibited", reference, "The order type has no payment reference.")
        }
        _ => {}
    }
    let shown = method.map(|method| json!({"id": method["paymentMethodID"], "description": method["description"]}));
    row.insert(
        "paymentSettings".into(),
        json!({"paymentMethod": shown, "cashAccountId": sent.get("cashAccountId"),
        "paymentReference": sent.get("paymentReference")}),
    );
    let info = object(input, "financialInformation");
    let mut shown = Value::Object(info);
    shown["terms"] = row.get("_terms").cloned().unwrap_or_default();
    row.insert("financialInformation".into(), shown);
}

fn freight(tx: &Tx<'_>, input: &Fields, row: &mut Fields, findings: &mut Findings) -> (Decimal, Decimal, String) {
    let sent = object(input, "freight");
    let value = |name: &str| sent.get(name).and_then(decimal).unwrap_or_default();
    let (cost, premium) = (cents(value("cost")), cents(value("premiumAmount")));
    let via = object(input, "shipping");
    let manual = tx.get("carrier", field(&via, "shipViaId")).is_some_and(|via| via["_manual_cost"] == true);
    if sent.get("cost").is_some_and(|cost| !cost.is_null()) && !manual {
        findings.add(
            "1310-FreightCostCanNotBeSetManually",
            "freight.cost",
            "The way of shipping decides the freight cost.",
        );
    }
    let category = refer(
        tx,
        &sent,
        "taxCategoryId",
        "vatCategory",
        "1805-InvalidTaxCategoryId",
        "freight.taxCategoryId",
        findings,
    );
    let category = category.map_or("HOOG", |row| text(row, "vatCategoryId")).to_owned();
    row.insert(
        "freight".into(),
        json!({"cost": number(cost), "premiumAmount": number(premium), "amount": number(cost),
        "taxCategoryId": category}),
    );
    (cost, premium, category)
}
