//! What a customer document comes to: references, due date, lines, VAT and totals, computed from what was sent.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::amounts::{self, Totals, Vat, cents, totals, vat_of};
use super::copy;
use super::customers::vat_zone;
use super::documents::Document;
use super::items::has_unit;
use super::periods;
use super::prices::{Sale, by_rules};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};
use crate::visma_net::rows::{Fields, Tx, field, filled};

/// The document as it is shown.
pub(in crate::visma_net) fn build(tx: &Tx<'_>, document: &Document, input: &Fields) -> Result<Fields, Reply> {
    let customer = tx.reference(input, "customerNumber", "customer")?.cloned();
    let customer = customer.ok_or_else(|| tx.switches.missing("customerNumber"))?;
    if !["Active", "OneTime", "CreditHold"].contains(&text(&customer, "status")) {
        let (number, status) = (text(&customer, "number"), text(&customer, "status"));
        return Err(tx.switches.failed(&format!("Customer '{number}' has the status '{status}'.")));
    }
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &[
            "customerRefNumber",
            "externalReference",
            "paymentReference",
            "invoiceText",
            "note",
            "dontPrint",
            "dontEmail",
            "sendToAutoInvoice",
            "customerProject",
            "accountingCostRef",
            "contractDocRef",
            "originatorDocRef",
            "startDate",
            "endDate",
        ],
    );
    one_box(tx, &mut row);
    if document.table == "cashsale" && !filled(input, "paymentReference") {
        return Err(tx.switches.missing("paymentReference"));
    }
    let date = if filled(input, "documentDate") { field(input, "documentDate").to_owned() } else { tx.today() };
    let period = periods::of_document(tx, input, &date, "closedInCustomerLedger")?;
    row.insert("documentType".into(), json!(document.kind));
    row.insert("customer".into(), json!({"number": customer["number"], "name": customer["name"]}));
    row.insert("documentDate".into(), json!(date));
    row.insert("origInvoiceDate".into(), json!(date));
    row.insert("postPeriod".into(), periods::posted(&period));
    row.insert("financialPeriod".into(), json!(period));
    if document.table != "customerCreditNote" {
        terms(tx, input, &customer, &date, &mut row)?;
    }
    tx.reference(input, "currencyId", "currency")?;
    let currency = if filled(input, "currencyId") { field(input, "currencyId") } else { text(&customer, "currencyId") };
    row.insert("currencyId".into(), json!(currency));
    let rate = match input.get("exchangeRate").and_then(decimal).filter(|rate| !rate.is_zero()) {
        Some(rate) => rate,
        None => amount(tx.get("currency", currency).unwrap_or(&Value::Null), "_rate"),
    };
    row.insert("exchangeRate".into(), number(rate));
    let location = if filled(input, "locationId") { field(input, "locationId") } else { "Main" };
    let place = tx.get("location", &super::people::location_key(text(&customer, "number"), location));
    let place = place.ok_or_else(|| tx.switches.unknown("locationId", location))?;
    row.insert(
        "location".into(),
        json!({"id": location, "name": place["locationName"],
        "countryId": place["address"]["country"]["id"]}),
    );
    let zone = match field(input, "customerVatZoneId") {
        "" => place["vatZone"].clone(),
        own => vat_zone(tx, "customerVatZoneId", own)?,
    };
    row.insert("customerVatZone".into(), json!({"id": zone["id"], "description": zone["description"]}));
    row.insert("branchNumber".into(), tx.branch(input, "branchNumber")?);
    payment(tx, input, &customer, &mut row)?;
    if let Some(contact) = input.get("contact").filter(|contact| !contact.is_null()) {
        let known = tx.get("contact", &contact.to_string());
        let known = known.ok_or_else(|| tx.switches.unknown("contact", &contact.to_string()))?;
        row.insert("contact".into(), json!({"id": contact, "name": known["displayName"]}));
    }
    for name in ["project", "salesperson", "taskId"] {
        if filled(input, name) {
            return Err(tx.switches.unknown(name, field(input, name)));
        }
    }
    addresses(tx, input, &customer, &mut row)?;
    let head = Head { customer: &customer, zone: text(&zone, "id"), currency, date: &date, rate };
    let sent = input.get(document.lines).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let any_item = input.get("_any_item") == Some(&json!(true))
        || document.table == "customerCreditNote" && tx.switches.credit_note_stock_items;
    for line in &sent {
        let (shown, value) = line_of(tx, &head, line, any_item)?;
        lines.push(shown);
        values.push(value);
    }
    row.insert(document.lines.into(), Value::Array(lines.clone()));
    let discount: Decimal = lines.iter().map(|line| amount(line, "discountAmountInCurrency")).sum();
    let mut sums = totals(tx, &values);
    own_vat(tx, input, &mut sums)?;
    money(&mut row, &sums, discount, rate);
    let hold = input.get("hold") == Some(&json!(true));
    row.insert("hold".into(), json!(hold));
    row.insert("status".into(), json!(if hold { "Hold" } else { "Balanced" }));
    Ok(row)
}

/// Both names stand for one box on the screen.
fn one_box(tx: &Tx<'_>, row: &mut Fields) {
    if tx.switches.external_reference != "one_box" {
        return;
    }
    let value = row.get("externalReference").or_else(|| row.get("customerRefNumber")).cloned();
    if let Some(value) = value {
        row.insert("externalReference".into(), value.clone());
        row.insert("customerRefNumber".into(), value);
    }
}

fn terms(tx: &Tx<'_>, input: &Fields, customer: &Value, date: &str, row: &mut Fields) -> Result<(), Reply> {
    tx.reference(input, "creditTermsId", "creditTerm")?;
    let id = match field(input, "creditTermsId") {
        "" => customer["creditTerms"]["id"].as_str().unwrap_or_default(),
        own => own,
    };
    let known = tx.get("creditTerm", id).ok_or_else(|| tx.switches.missing("creditTermsId"))?;
    row.insert("creditTerms".into(), json!({"id": id, "description": known["description"]}));
    let days = known["dueDay1"].as_i64().unwrap_or(0);
    let due = date.get(..10).and_then(|day| day.parse::<chrono::NaiveDate>().ok());
    let due = due.map(|day| format!("{}T00:00:00", day + chrono::Duration::days(days))).unwrap_or_default();
    let due = if filled(input, "documentDueDate") { field(input, "documentDueDate").to_owned() } else { due };
    row.insert("documentDueDate".into(), json!(due));
    row.insert("cashDiscountDate".into(), json!(due));
    Ok(())
}

fn payment(tx: &Tx<'_>, input: &Fields, customer: &Value, row: &mut Fields) -> Result<(), Reply> {
    let method = match tx.reference(input, "paymentMethodId", "paymentmethod")? {
        Some(method) if method["active"] != true => {
            return Err(tx
                .switches
                .failed(&format!("Payment method '{}' is inactive.", field(input, "paymentMethodId"))));
        }
        Some(method) => Some(method),
        None => tx.get("paymentmethod", text(customer, "defaultPaymentMethodId")),
    };
    if let Some(method) = method {
        row.insert(
            "paymentMethod".into(),
            json!({"id": method["paymentMethodID"], "description": method["description"]}),
        );
    }
    tx.reference(input, "cashAccount", "cashaccount")?;
    copy(input, row, &["cashAccount"]);
    Ok(())
}

fn addresses(tx: &Tx<'_>, input: &Fields, customer: &Value, row: &mut Fields) -> Result<(), Reply> {
    let own = ["billingAddress", "invoiceAddress"].iter().find_map(|name| input.get(*name)).and_then(Value::as_object);
    let mut shown = match own.filter(|own| own.get("overrideAddress") == Some(&json!(true))) {
        Some(own) => super::customers::address_of(tx, own, "billingAddress")?,
        None => customer["invoiceAddress"].clone(),
    };
    shown["overrideAddress"] = json!(own.is_some_and(|own| own.get("overrideAddress") == Some(&json!(true))));
    row.insert("invoiceAddress".into(), shown);
    let own = input.get("invoiceContact").filter(|own| own["overrideContact"] == true);
    let contact = own.unwrap_or(&customer["invoiceContact"]);
    row.insert(
        "invoiceContact".into(),
        json!({"businessName": contact["name"], "attention": contact["attention"], "email": contact["email"],
            "phone1": contact["phone1"]}),
    );
    Ok(())
}

struct Head<'a> {
    customer: &'a Value,
    zone: &'a str,
    currency: &'a str,
    date: &'a str,
    rate: Decimal,
}

/// The revenue account of an article in a VAT zone.
pub(in crate::visma_net) fn sales_account(item: &Value, zone: &str) -> String {
    let name = match zone {
        "EU" => "salesEuAccount",
        "EXPORT" => "salesExportAccount",
        _ => "salesAccount",
    };
    item["accountInformation"][name]["number"].as_str().unwrap_or_default().to_owned()
}

fn line_of(
    tx: &Tx<'_>,
    head: &Head<'_>,
    line: &Value,
    any_item: bool,
) -> Result<(Value, (Decimal, Option<Vat>)), Reply> {
    let sent = line.as_object().cloned().unwrap_or_default();
    let item = tx.reference(&sent, "inventoryNumber", "inventory")?.cloned();
    if let Some(item) = &item {
        let code = text(item, "inventoryNumber");
        if item["stockItem"] == true && !any_item {
            return Err(tx
                .switches
                .failed(&format!("Item '{code}' is a stock item: only non-stock items can be selected.")));
        }
        if !["Active", "NoPurchases", "NoRequest"].contains(&text(item, "status")) {
            return Err(tx.switches.failed(&format!("Item '{code}' has the status '{}'.", text(item, "status"))));
        }
    } else if !filled(&sent, "description") || !filled(&sent, "accountNumber") {
        return Err(tx.switches.missing(if filled(&sent, "description") {
            "accountNumber"
        } else {
            "inventoryNumber"
        }));
    }
    let nothing = Value::Null;
    let known = item.as_ref().unwrap_or(&nothing);
    let unit = if filled(&sent, "uom") { field(&sent, "uom") } else { text(known, "salesUnit") };
    if item.is_some() && !has_unit(known, unit) {
        return Err(tx.switches.unknown("uom", unit));
    }
    let value = Value::Object(sent.clone());
    let quantity = amount(&value, "quantity");
    let price = match sent.get("unitPriceInCurrency").and_then(decimal) {
        Some(price) => price,
        None if item.is_some() => {
            let (customer, currency, date) = (head.customer, head.currency, head.date);
            by_rules(tx, &Sale { customer, item: known, unit, currency, quantity, date })
        }
        None => Decimal::ZERO,
    };
    let percent = amount(&value, "discountPercent");
    let (mut gross, off) = amounts::line(quantity, price, percent, amount(&value, "discountAmountInCurrency"));
    if let Some(own) = sent.get("manualAmountInCurrency").and_then(decimal) {
        gross = cents(own) + off;
    }
    let net = gross - off;
    tx.reference(&sent, "vatCodeId", "vatCategory")?;
    let own_account = match field(&sent, "accountNumber") {
        "" => sales_account(known, head.zone),
        own => own.to_owned(),
    };
    let account = tx.account("accountNumber", &own_account)?;
    let category = match (field(&sent, "vatCodeId"), known["vatCode"]["id"].as_str()) {
        ("", Some(category)) => category.to_owned(),
        ("", None) => {
            tx.get("account", &own_account).map(|row| text(row, "taxCategory").to_owned()).unwrap_or_default()
        }
        (own, _) => own.to_owned(),
    };
    if tx.get("vatCategory", &category).is_some_and(|row| row["active"] != true) {
        return Err(tx.switches.failed(&format!("VAT category '{category}' is inactive.")));
    }
    let vat = vat_of(tx, head.zone, &category, head.date);
    let mut shown = Fields::new();
    copy(
        &sent,
        &mut shown,
        &[
            "lineNumber",
            "inventoryNumber",
            "note",
            "discountPercent",
            "manualDiscount",
            "soOrderNbr",
            "soOrderType",
            "soShipmentNbr",
            "termStartDate",
            "termEndDate",
            "startDate",
            "endDate",
        ],
    );
    let description =
        if filled(&sent, "description") { field(&sent, "description") } else { text(known, "description") };
    for (name, value) in [
        ("description", json!(description)),
        ("uom", json!(unit)),
        ("quantity", number(quantity)),
        ("unitPriceInCurrency", number(price)),
        ("unitPrice", number(price * head.rate)),
        ("manualAmountInCurrency", number(gross)),
        ("manualAmount", number(cents(gross * head.rate))),
        ("discountAmountInCurrency", number(off)),
        ("discountAmount", number(cents(off * head.rate))),
        ("amountInCurrency", number(net)),
        ("amount", number(cents(net * head.rate))),
        ("account", account),
        ("subaccount", tx.subaccount(sent.get("subaccount"))?),
        ("branchNumber", tx.branch(&sent, "branchNumber")?),
        ("vatCode", tx.named("vatCategory", &category, "id", "description")),
    ] {
        shown.insert(name.into(), value);
    }
    Ok((Value::Object(shown), (net, vat)))
}

/// VAT amounts that were sent take the place of the computed ones.
fn own_vat(tx: &Tx<'_>, input: &Fields, sums: &mut Totals) -> Result<(), Reply> {
    for line in input.get("taxDetailLines").and_then(Value::as_array).into_iter().flatten() {
        let id = text(line, "taxId");
        let Some(detail) = sums.details.iter_mut().find(|detail| detail.vat.id == id) else {
            return Err(tx.switches.unknown("taxId", id));
        };
        if let Some(own) = line.get("vatAmount").and_then(decimal) {
            let change = cents(own) - detail.amount;
            detail.amount += change;
            if !detail.vat.reverse {
                sums.vat += change;
                sums.total += change;
            }
        }
    }
    Ok(())
}

fn money(row: &mut Fields, sums: &Totals, discount: Decimal, rate: Decimal) {
    let zero = Decimal::ZERO;
    for (name, value) in [
        ("amount", sums.total),
        ("balance", sums.total),
        ("detailTotal", sums.lines),
        ("discountTotal", discount),
        ("vatTotal", sums.vat),
        ("vatTaxableTotal", sums.taxable),
        ("vatExemptTotal", sums.exempt),
        ("cashDiscount", zero),
    ] {
        row.insert(format!("{name}InCurrency"), number(value));
        row.insert(name.into(), number(cents(value * rate)));
    }
    row.insert("roundingDiff".into(), number(zero));
    let details = sums.details.iter().enumerate().map(|(at, detail)| {
        json!({"recordId": at + 1, "taxId": detail.vat.id, "vatId": {"number": detail.vat.id, "description": ""},
            "vatRate": number(detail.vat.rate), "taxableAmount": number(detail.taxable), "vatAmount": number(detail.amount)})
    });
    row.insert("taxDetails".into(), details.collect());
}
