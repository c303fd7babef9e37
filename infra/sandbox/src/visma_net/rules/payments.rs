//! Payments of customers: on invoices that are released, on orders, or ahead of both.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::copy;
use super::periods;
use crate::message::{Call, Reply};
use crate::text::{amount, decimal, number, text};
use crate::visma_net::actions;
use crate::visma_net::body::{Verb, merge, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::orders;
use crate::visma_net::rows::{Fields, Tx, field, filled};

const TABLE: &str = "customerPayment";

/// `POST /v1/customerPayment`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let mut input = read(tx.switches, "CustomerPayment", call, Verb::Create)?;
    let own = field(&input, "referenceNumber").to_owned();
    let overrides = input.remove("overrideNumberSeries") == Some(json!(true));
    input.remove("referenceNumber");
    match (own.is_empty(), overrides) {
        (true, true) => return Err(tx.switches.missing("referenceNumber")),
        (false, false) => {
            return Err(tx.switches.invalid("'referenceNumber' cannot be given: the number series is automatic."));
        }
        (false, true) if tx.get(TABLE, &own).is_some() => {
            return Err(tx.switches.failed(&format!("A payment with number '{own}' already exists.")));
        }
        _ => {}
    }
    let mut row = build(tx, &input)?;
    let key = if own.is_empty() { tx.store.next_number(TABLE, 500_001).to_string() } else { own };
    row.insert("refNbr".into(), json!(key));
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, &key, row);
    Ok(tx.created(TABLE, &key, "/v1/customerPayment"))
}

/// `PUT /v1/customerPayment/{paymentNumber}`: only while it is not released.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    if !["Hold", "Balanced"].contains(&field(&before, "status")) || actions::is_queued(tx, TABLE, key) {
        return Err(tx.switches.failed("Payment can't be updated because it is already released."));
    }
    let mut sent = read(tx.switches, "CustomerPayment", call, Verb::Change)?;
    for name in ["referenceNumber", "overrideNumberSeries"] {
        sent.remove(name);
    }
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let input = merge(&held, sent);
    let mut row = build(tx, &input)?;
    copy(&before, &mut row, &["refNbr", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, key, row);
    Ok(tx.changed(TABLE, key))
}

fn build(tx: &Tx<'_>, input: &Fields) -> Result<Fields, Reply> {
    let customer = tx.reference(input, "customer", "customer")?.cloned();
    let customer = customer.ok_or_else(|| tx.switches.missing("customer"))?;
    let number_of = text(&customer, "number");
    let date = field(input, "applicationDate");
    let mut dates = Fields::new();
    dates.insert("financialPeriod".into(), input.get("applicationPeriod").cloned().unwrap_or_default());
    let period = periods::of_document(tx, &dates, date, "closedInCustomerLedger")?;
    let method = match tx.reference(input, "paymentMethod", "paymentmethod")? {
        Some(method) => method.clone(),
        None => tx.get("paymentmethod", text(&customer, "defaultPaymentMethodId")).cloned().unwrap_or_default(),
    };
    if method["active"] == false {
        return Err(tx.switches.failed(&format!("Payment method '{}' is inactive.", text(&method, "paymentMethodID"))));
    }
    tx.reference(input, "cashAccount", "cashaccount")?;
    let cash = if filled(input, "cashAccount") { field(input, "cashAccount") } else { text(&method, "_cash_account") };
    if cash.is_empty() {
        return Err(tx.switches.missing("cashAccount"));
    }
    let location = if filled(input, "location") { field(input, "location") } else { "Main" };
    let place = tx.get("location", &super::people::location_key(number_of, location));
    let place = place.ok_or_else(|| tx.switches.unknown("location", location))?;
    tx.reference(input, "currency", "currency")?;
    let mut row = Fields::new();
    copy(input, &mut row, &["paymentRef", "invoiceText"]);
    let kind = if filled(input, "type") { field(input, "type") } else { "Payment" };
    let total = amount(&Value::Object(input.clone()), "paymentAmount");
    if total.is_sign_negative() && !total.is_zero() {
        return Err(tx.switches.failed("The amount of a payment cannot be negative."));
    }
    let (lines, on_documents) = documents(tx, input, number_of)?;
    let (orders, on_orders) = on_orders(tx, input, number_of)?;
    if on_documents + on_orders > total {
        return Err(tx.switches.failed("More is applied than was paid."));
    }
    let charges = input.get("financeCharges").and_then(Value::as_array).into_iter().flatten();
    let charges: Decimal = charges.map(|line| amount(line, "amount")).sum();
    let hold = input.get("hold") == Some(&json!(true));
    let left = total - on_documents - on_orders;
    for (name, value) in [
        ("type", json!(kind)),
        ("customer", json!({"number": number_of, "name": customer["name"]})),
        (
            "location",
            json!({"id": location, "name": place["locationName"], "countryId": place["address"]["country"]["id"]}),
        ),
        ("applicationDate", json!(date)),
        ("applicationPeriod", json!(period)),
        ("paymentMethod", json!({"id": method["paymentMethodID"], "description": method["description"]})),
        ("cashAccount", json!(cash)),
        ("branch", tx.branch(input, "branch")?["number"].clone()),
        ("currency", json!(if filled(input, "currency") { field(input, "currency") } else { "EUR" })),
        ("paymentAmount", number(total)),
        ("paymentAmountInCurrency", number(total)),
        ("appliedToDocuments", number(on_documents)),
        ("appliedToOrders", number(on_orders)),
        ("availableBalance", number(left)),
        ("availableBalanceInCurrency", number(left)),
        ("financeCharges", number(charges)),
        ("paymentLines", lines),
        ("ordersToApply", orders),
        ("hold", json!(hold)),
        ("status", json!(if hold { "Hold" } else { "Balanced" })),
    ] {
        row.insert(name.into(), value);
    }
    Ok(row)
}

/// Invoices it is applied to: released ones of this customer, up to what is due.
fn documents(tx: &Tx<'_>, input: &Fields, customer: &str) -> Result<(Value, Decimal), Reply> {
    let (mut shown, mut sum) = (Vec::new(), Decimal::ZERO);
    for line in input.get("paymentLines").and_then(Value::as_array).into_iter().flatten() {
        let key = text(line, "refNbr");
        let table = match text(line, "documentType") {
            "" | "Invoice" => "customerinvoice",
            "CreditNote" => "customerCreditNote",
            other => return Err(tx.switches.unknown("documentType", other)),
        };
        let invoice = tx.get(table, key).filter(|row| row["customer"]["number"] == customer);
        let invoice = invoice.ok_or_else(|| tx.switches.unknown("refNbr", key))?;
        if text(invoice, "status") != "Open" {
            return Err(tx.switches.failed(&format!("Document '{key}' is not open.")));
        }
        let paid = line.get("amountPaid").and_then(decimal).unwrap_or_else(|| amount(invoice, "balance"));
        if paid > amount(invoice, "balance") {
            return Err(tx.switches.failed(&format!("More is paid on '{key}' than is due.")));
        }
        sum += paid;
        shown.push(json!({"documentType": invoice["documentType"], "refNbr": key, "amountPaid": number(paid),
            "balance": invoice["balance"], "date": invoice["documentDate"], "currency": invoice["currencyId"]}));
    }
    Ok((Value::Array(shown), sum))
}

/// Orders it is applied to.
fn on_orders(tx: &Tx<'_>, input: &Fields, customer: &str) -> Result<(Value, Decimal), Reply> {
    let (mut shown, mut sum) = (Vec::new(), Decimal::ZERO);
    for line in input.get("ordersToApply").and_then(Value::as_array).into_iter().flatten() {
        let (kind, id) = (text(line, "orderType"), text(line, "orderNumber"));
        let order = tx.get("salesorder", &orders::key(kind, id)).filter(|row| row["customer"]["id"] == customer);
        let order = order.ok_or_else(|| tx.switches.unknown("orderNumber", id))?;
        let total = amount(&order["totals"], "orderTotal");
        let paid = line.get("appliedToOrder").and_then(decimal).unwrap_or(total);
        if paid > total {
            return Err(tx.switches.failed(&format!("More is applied to order '{id}' than its total.")));
        }
        sum += paid;
        shown.push(
            json!({"orderType": kind, "orderNo": id, "appliedToOrder": number(paid), "orderTotal": number(total),
            "status": order["_status"], "currency": order["currencyId"]}),
        );
    }
    Ok((Value::Array(shown), sum))
}

/// `action/release`, with the type of the payment in the body.
pub(in crate::visma_net) fn release(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let input = read(tx.switches, "ReleasePaymentAction", call, Verb::Create)?;
    let row = tx.get(TABLE, key).ok_or_else(not_found)?;
    if row["type"] != field(&input, "type") {
        return Err(not_found());
    }
    super::documents::release(tx, call, TABLE, key)
}

/// What a release does: what was paid is no longer due.
pub(in crate::visma_net) fn released(tx: &mut Tx<'_>, key: &str) {
    let Some(mut row) = tx.fields(TABLE, key) else { return };
    apply(tx, &row, Decimal::ONE);
    let left = amount(&Value::Object(row.clone()), "availableBalance");
    row.insert("status".into(), json!(if left.is_zero() { "Closed" } else { "Open" }));
    tx.put(TABLE, key, row);
}

fn apply(tx: &mut Tx<'_>, row: &Fields, sign: Decimal) {
    for line in row.get("paymentLines").and_then(Value::as_array).cloned().unwrap_or_default() {
        let table = if line["documentType"] == "CreditNote" { "customerCreditNote" } else { "customerinvoice" };
        let key = text(&line, "refNbr").to_owned();
        let Some(mut invoice) = tx.fields(table, &key) else { continue };
        let left = amount(&Value::Object(invoice.clone()), "balance") - amount(&line, "amountPaid") * sign;
        for name in ["balance", "balanceInCurrency"] {
            invoice.insert(name.into(), number(left));
        }
        invoice.insert("status".into(), json!(if left.is_zero() { "Closed" } else { "Open" }));
        tx.put(table, &key, invoice);
    }
}

/// `action/void`: a released payment is taken back.
pub(in crate::visma_net) fn void(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let mut row = tx.fields(TABLE, key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(row.clone()))?;
    if !["Open", "Closed"].contains(&field(&row, "status")) {
        return Err(tx.switches.failed("Only a released payment can be voided."));
    }
    apply(tx, &row, -Decimal::ONE);
    row.insert("status".into(), json!("Voided"));
    tx.put(TABLE, key, row);
    Ok(actions::result("Done", json!({"refNbr": key, "type": "VoidPayment"})))
}
