//! Sales orders and their lines.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::accounts::{check_customer, delivery_address};
use super::amounts::{cents, of_rows, totals, worth};
use super::items::plan_out;
use super::lines::{Document, complete as complete_line};
use super::{fill_names, periods, references};
use crate::exact_online::write::{Fields, Sent, default, field, filled};
use crate::exact_online::{CHILDREN, Tx};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

const ORDERS: &str = "salesorder/SalesOrders";
const LINES: &str = "salesorder/SalesOrderLines";
const OPEN: i64 = 12;
const COMPLETE: i64 = 21;

/// Accounts, contacts and addresses of a document: what is missing comes from who ordered, what does not fit is refused.
pub(super) fn parties(tx: &Tx<'_>, fields: &mut Fields, address: &str) -> Result<(), Reply> {
    let ordered_by = field(fields, "OrderedBy").to_owned();
    check_customer(tx, "OrderedBy", &ordered_by)?;
    for name in ["DeliverTo", "InvoiceTo"] {
        default(fields, name, ordered_by.clone());
    }
    for name in ["OrderedBy", "DeliverTo", "InvoiceTo"] {
        let account = field(fields, name).to_owned();
        if name != "OrderedBy" {
            check_customer(tx, name, &account)?;
        }
        let person = format!("{name}ContactPerson");
        if filled(fields, &person) {
            let contact = tx.get("crm/Contacts", field(fields, &person));
            if contact.map(|row| text(row, "Account")) != Some(&account) {
                return Err(tx.words().invalid(&person));
            }
        } else if let Some(main) = tx.get("crm/Accounts", &account).map(|row| text(row, "MainContact").to_owned())
            && !main.is_empty()
        {
            fields.insert(person, json!(main));
        }
    }
    let deliver_to = field(fields, "DeliverTo").to_owned();
    if filled(fields, address) {
        let row = tx.get("crm/Addresses", field(fields, address));
        if row.map(|row| text(row, "Account")) != Some(&deliver_to) {
            return Err(tx.words().invalid(address));
        }
    } else if let Some(id) = delivery_address(tx, &deliver_to) {
        fields.insert(address.into(), json!(id));
    }
    let invoice_to = field(fields, "InvoiceTo").to_owned();
    let condition = tx.get("crm/Accounts", &invoice_to).map(|row| text(row, "PaymentConditionSales").to_owned());
    let condition = condition.filter(|code| !code.is_empty()).unwrap_or_else(|| "30".into());
    default(fields, "PaymentCondition", condition);
    default(fields, "Currency", "EUR");
    worth(tx, "Currency", field(fields, "Currency")).map(|_| ())
}

/// A new order with its lines.
pub(super) fn create(tx: &mut Tx<'_>, sent: &mut Sent) -> Result<String, Reply> {
    let mut fields = std::mem::take(&mut sent.fields);
    let today = tx.today();
    default(&mut fields, "OrderDate", today);
    periods::check_order(tx, &fields)?;
    parties(tx, &mut fields, "DeliveryAddress")?;
    let date = field(&fields, "OrderDate").to_owned();
    default(&mut fields, "DeliveryDate", date.clone());
    let main =
        tx.rows("inventory/Warehouses").into_iter().find(|row| row["Main"] == 1).map(|row| text(row, "ID").to_owned());
    if let Some(main) = main {
        default(&mut fields, "WarehouseID", main);
    }
    default(&mut fields, "ApprovalStatus", 1);
    let account = field(&fields, "OrderedBy").to_owned();
    let document = Document { account: &account, date: &date, path: LINES };
    let mut lines = Vec::new();
    for line in sent.list("SalesOrderLines") {
        lines.push(complete_line(tx, &document, line)?);
    }
    let order_number = match fields.get("OrderNumber").and_then(Value::as_i64) {
        Some(own) => {
            let taken = tx.rows(ORDERS).into_iter().any(|row| row["OrderNumber"] == own);
            if taken && tx.switches.unique_order_number {
                return Err(tx.words().exists());
            }
            tx.store.reserve_number("order", own);
            own
        }
        None => tx.store.next_number("order", 1),
    };
    let id = tx.new_key(ORDERS, "OrderID", &fields)?;
    fields.insert("OrderID".into(), json!(id));
    fields.insert("OrderNumber".into(), json!(order_number));
    set_status(&mut fields, OPEN, "Open");
    fill_names(tx, ORDERS, &mut fields);
    tx.put(ORDERS, &id, fields);
    for (at, mut line) in lines.into_iter().enumerate() {
        line.insert("OrderID".into(), json!(id));
        line.insert("OrderNumber".into(), json!(order_number));
        line.insert("LineNumber".into(), json!(at + 1));
        default(&mut line, "DeliveryDate", date.clone());
        store_new_line(tx, line)?;
    }
    recompute(tx, &id);
    Ok(id)
}

fn store_new_line(tx: &mut Tx<'_>, mut line: Fields) -> Result<String, Reply> {
    if !tx.switches.honour_client_guid {
        line.remove("ID");
    }
    let id = tx.new_key(LINES, "ID", &line)?;
    line.insert("ID".into(), json!(id));
    for (name, value) in [
        ("QuantityDelivered", 0),
        ("QuantityInvoiced", 0),
        ("DeliveryStatus", OPEN),
        ("InvoiceStatus", OPEN),
        ("OrderStatus", OPEN),
    ] {
        line.insert(name.into(), json!(value));
    }
    plan(tx, &Value::Object(line.clone()), Decimal::ONE);
    tx.put(LINES, &id, line);
    Ok(id)
}

/// Plans what is left of a line out of the stock (`sign` 1), or takes that back (-1).
fn plan(tx: &mut Tx<'_>, line: &Value, sign: Decimal) {
    let warehouse = tx.get(ORDERS, text(line, "OrderID")).map(|order| text(order, "WarehouseID").to_owned());
    let left = amount(line, "Quantity") - amount(line, "QuantityDelivered");
    plan_out(tx, text(line, "Item"), &warehouse.unwrap_or_default(), left * sign);
}

/// An order that may go gives back what it planned.
pub(super) fn before_delete(tx: &mut Tx<'_>, order: &Value) -> Result<(), Reply> {
    check_open(tx, order)?;
    for line in tx.children_of(&CHILDREN[0], text(order, "OrderID")) {
        plan(tx, &line, -Decimal::ONE);
    }
    Ok(())
}

/// What a line that is gone leaves behind.
pub(super) fn after_line_delete(tx: &mut Tx<'_>, line: &Value) {
    plan(tx, line, -Decimal::ONE);
    recompute(tx, text(line, "OrderID"));
}

fn set_status(fields: &mut Fields, status: i64, word: &str) {
    for name in ["Status", "DeliveryStatus", "InvoiceStatus"] {
        fields.insert(name.into(), json!(status));
        fields.insert(format!("{name}Description"), json!(word));
    }
}

/// Refuses a change to an order that is complete or cancelled.
pub(super) fn check_open(tx: &Tx<'_>, row: &Value) -> Result<(), Reply> {
    if matches!(row["Status"].as_i64(), Some(COMPLETE | 45)) {
        return Err(tx.words().other("Niet toegestaan: order is afgehandeld", "Not allowed: order is complete"));
    }
    Ok(())
}

/// Amounts of the order after a change to it or its lines.
pub(super) fn recompute(tx: &mut Tx<'_>, id: &str) {
    let Some(mut order) = tx.get(ORDERS, id).and_then(Value::as_object).cloned() else { return };
    let rows = tx.children_of(&CHILDREN[0], id);
    let discount = order.get("Discount").and_then(decimal).unwrap_or_default();
    let lines = of_rows(&rows);
    let rate = worth(tx, "Currency", field(&order, "Currency")).unwrap_or(Decimal::ONE);
    let whole = totals(tx, &lines, Default::default());
    let paid = totals(tx, &lines, discount);
    for (name, value) in [
        ("AmountFCExclVat", paid.without_vat),
        ("AmountFC", paid.with_vat),
        ("AmountDC", cents(paid.with_vat * rate)),
        ("AmountDiscountExclVat", cents(whole.without_vat - paid.without_vat)),
        ("AmountDiscount", cents(whole.with_vat - paid.with_vat)),
        ("Discount", discount),
    ] {
        order.insert(name.into(), number(value));
    }
    tx.put(ORDERS, id, order);
}

/// Changes the head of an order.
pub(super) fn change(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    check_open(tx, &Value::Object(row.clone()))?;
    if sent.contains_key("OrderDate") {
        periods::check_order(tx, &sent)?;
    }
    row.extend(sent);
    parties(tx, &mut row, "DeliveryAddress")?;
    fill_names(tx, ORDERS, &mut row);
    tx.put(ORDERS, id, row);
    recompute(tx, id);
    Ok(())
}

fn order_of(tx: &Tx<'_>, line: &Fields) -> Result<Value, Reply> {
    if !filled(line, "OrderID") {
        return Err(tx.words().mandatory("OrderID"));
    }
    let order = tx.get(ORDERS, field(line, "OrderID")).cloned().ok_or_else(|| tx.words().invalid("OrderID"))?;
    check_open(tx, &order)?;
    Ok(order)
}

/// A line added to an order that is there.
pub(super) fn create_line(tx: &mut Tx<'_>, line: Fields) -> Result<String, Reply> {
    let order = order_of(tx, &line)?;
    let document = Document { account: text(&order, "OrderedBy"), date: text(&order, "OrderDate"), path: LINES };
    let mut line = complete_line(tx, &document, line)?;
    let order_id = text(&order, "OrderID");
    let last = tx.children_of(&CHILDREN[0], order_id).iter().filter_map(|row| row["LineNumber"].as_i64()).max();
    line.insert("LineNumber".into(), json!(last.unwrap_or(0) + 1));
    line.insert("OrderNumber".into(), order["OrderNumber"].clone());
    default(&mut line, "DeliveryDate", text(&order, "DeliveryDate"));
    let id = store_new_line(tx, line)?;
    recompute(tx, order_id);
    Ok(id)
}

/// Changes a line.
pub(super) fn change_line(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    let order = order_of(tx, &row)?;
    if sent.contains_key("UnitPrice") && !sent.contains_key("NetPrice") || sent.contains_key("Discount") {
        row.remove("NetPrice");
    }
    row.extend(sent);
    references::check(tx, LINES, &row)?;
    let document = Document { account: text(&order, "OrderedBy"), date: text(&order, "OrderDate"), path: LINES };
    let row = complete_line(tx, &document, row)?;
    if let Some(before) = tx.get(LINES, id).cloned() {
        plan(tx, &before, -Decimal::ONE);
    }
    plan(tx, &Value::Object(row.clone()), Decimal::ONE);
    tx.put(LINES, id, row);
    recompute(tx, text(&order, "OrderID"));
    Ok(())
}

/// `CompleteSalesOrder`: closes an order.
pub(super) fn complete(tx: &mut Tx<'_>, sent: &Fields) -> Result<String, Reply> {
    let id = field(sent, "OrderID").to_owned();
    let Some(mut order) = tx.get(ORDERS, &id).and_then(Value::as_object).cloned() else {
        return Err(tx.words().invalid("OrderID"));
    };
    set_status(&mut order, COMPLETE, "Complete");
    tx.put(ORDERS, &id, order);
    for line in tx.children_of(&CHILDREN[0], &id) {
        plan(tx, &line, -Decimal::ONE);
        let quantity = number(amount(&line, "Quantity"));
        let mut line = line.as_object().cloned().unwrap_or_default();
        for name in ["QuantityDelivered", "QuantityInvoiced"] {
            line.insert(name.into(), quantity.clone());
        }
        let line_id = field(&line, "ID").to_owned();
        tx.put(LINES, &line_id, line);
    }
    tx.put("salesorder/CompleteSalesOrder", &id, sent.clone());
    Ok(id)
}
