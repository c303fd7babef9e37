//! Sales invoices (also direct ones) and their lines.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::amounts::{cents, of_rows, totals, worth};
use super::lines::{Document, complete as complete_line};
use super::orders::parties;
use super::{fill_names, periods};
use crate::exact_online::write::{Fields, Sent, default, field, filled};
use crate::exact_online::{CHILDREN, Tx, stock};
use crate::message::Reply;
use crate::text::{amount, decimal, number, text};

const INVOICES: &str = "salesinvoice/SalesInvoices";
const LINES: &str = "salesinvoice/SalesInvoiceLines";
const DRAFT: i64 = 10;
const PROCESSED: i64 = 50;

/// Refuses a journal that is not of this type.
pub(super) fn check_journal(tx: &Tx<'_>, name: &str, code: &str, kind: i64) -> Result<(), Reply> {
    let journal = tx.first("financial/Journals", "Code", code).ok_or_else(|| tx.words().invalid(name))?;
    if journal["Type"] != kind {
        return Err(tx.words().invalid_because(name, "verkeerd type dagboek", "wrong type of journal"));
    }
    Ok(())
}

/// A new invoice with its lines.
pub(super) fn create(tx: &mut Tx<'_>, sent: &mut Sent) -> Result<String, Reply> {
    let mut fields = std::mem::take(&mut sent.fields);
    check_journal(tx, "Journal", field(&fields, "Journal"), 20)?;
    default(&mut fields, "Type", 8020);
    let direct = match fields["Type"].as_i64() {
        Some(8020 | 8021) => false,
        Some(8023 | 8024) if tx.switches.direct_invoices => true,
        _ => return Err(tx.words().invalid("Type")),
    };
    if !direct && filled(&fields, "Warehouse") {
        return Err(tx.words().invalid("Warehouse"));
    }
    let today = tx.today();
    default(&mut fields, "OrderDate", today.clone());
    periods::check(tx, "OrderDate", field(&fields, "OrderDate"))?;
    periods::check(tx, "InvoiceDate", field(&fields, "InvoiceDate"))?;
    parties(tx, &mut fields, "DeliverToAddress")?;
    if direct {
        let main = tx
            .rows("inventory/Warehouses")
            .into_iter()
            .find(|row| row["Main"] == 1)
            .map(|row| text(row, "ID").to_owned());
        default(&mut fields, "Warehouse", main.unwrap_or_default());
    }
    let date = field(&fields, "OrderDate").to_owned();
    default(&mut fields, "DueDate", date.clone());
    let account = field(&fields, "OrderedBy").to_owned();
    let document = Document { account: &account, date: &date, path: LINES };
    let mut lines = Vec::new();
    for line in sent.list("SalesInvoiceLines") {
        lines.push(with_gl_account(tx, complete_line(tx, &document, line)?)?);
    }
    check_sign(tx, fields.get("Type").and_then(Value::as_i64), lines.iter().map(amount_of).sum())?;
    let id = tx.new_key(INVOICES, "InvoiceID", &fields)?;
    fields.insert("InvoiceID".into(), json!(id));
    if !filled(&fields, "OrderNumber") {
        let next = tx.store.next_number("invoice_order", 1);
        fields.insert("OrderNumber".into(), json!(next));
    }
    fields.insert("InvoiceNumber".into(), json!(0));
    fields.insert("Status".into(), json!(DRAFT));
    fields.insert("StatusDescription".into(), json!("Concept"));
    fill_names(tx, INVOICES, &mut fields);
    tx.put(INVOICES, &id, fields);
    for (at, mut line) in lines.into_iter().enumerate() {
        line.insert("InvoiceID".into(), json!(id));
        line.insert("LineNumber".into(), json!(at + 1));
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
    tx.put(LINES, &id, line);
    Ok(id)
}

/// The revenue account of the item, unless the line has one; it may ask for a cost centre or unit.
fn with_gl_account(tx: &Tx<'_>, mut line: Fields) -> Result<Fields, Reply> {
    let revenue = tx.get("logistics/Items", field(&line, "Item")).map(|row| text(row, "GLRevenue").to_owned());
    default(&mut line, "GLAccount", revenue.unwrap_or_default());
    check_cost_fields(tx, &line)?;
    fill_names(tx, LINES, &mut line);
    Ok(line)
}

fn amount_of(line: &Fields) -> Decimal {
    line.get("AmountFC").and_then(decimal).unwrap_or_default()
}

/// The amount of an invoice with `line` in the place of the one with this id.
fn amount_with(tx: &Tx<'_>, invoice: &str, line: &Fields, id: &str) -> Decimal {
    let others = tx.children_of(&CHILDREN[2], invoice);
    amount_of(line)
        + others.iter().filter(|row| text(row, "ID") != id).map(|row| amount(row, "AmountFC")).sum::<Decimal>()
}

/// Refuses a credit note whose lines together have another sign than the administration wants. A single line may have the
/// other one, as on an invoice: a reduction that is taken back, a difference of cents.
fn check_sign(tx: &Tx<'_>, kind: Option<i64>, amount: Decimal) -> Result<(), Reply> {
    let wrong = match tx.switches.credit_line_sign.as_str() {
        "positive" => amount.is_sign_negative() && !amount.is_zero(),
        "negative" => amount.is_sign_positive() && !amount.is_zero(),
        _ => false,
    };
    if wrong && matches!(kind, Some(8021 | 8024)) {
        return Err(tx.words().invalid_because(
            "AmountFC",
            "verkeerd teken op een creditnota",
            "wrong sign on a credit note",
        ));
    }
    Ok(())
}

/// Refuses a line without the cost centre or unit its account asks for.
pub(super) fn check_cost_fields(tx: &Tx<'_>, line: &Fields) -> Result<(), Reply> {
    let Some(account) = tx.get("financial/GLAccounts", field(line, "GLAccount")) else { return Ok(()) };
    for (flag, name) in [("UseCostcenter", "CostCenter"), ("UseCostunit", "CostUnit")] {
        if account[flag] == 1 && !filled(line, name) {
            return Err(tx.words().mandatory(name));
        }
    }
    Ok(())
}

/// Refuses a change to an invoice that was processed.
pub(super) fn check_open(tx: &Tx<'_>, row: &Value) -> Result<(), Reply> {
    if row["Status"] == PROCESSED {
        return Err(tx.words().other("Niet toegestaan: factuur is verwerkt", "Not allowed: invoice is processed"));
    }
    Ok(())
}

/// Amounts of the invoice after a change to it or its lines.
pub(super) fn recompute(tx: &mut Tx<'_>, id: &str) {
    let Some(mut invoice) = tx.get(INVOICES, id).and_then(Value::as_object).cloned() else { return };
    let rows = tx.children_of(&CHILDREN[2], id);
    let discount = invoice.get("Discount").and_then(decimal).unwrap_or_default();
    let totals = totals(tx, &of_rows(&rows), discount);
    let rate = worth(tx, "Currency", field(&invoice, "Currency")).unwrap_or(Decimal::ONE);
    for (name, value) in [
        ("AmountFCExclVat", totals.without_vat),
        ("AmountFC", totals.with_vat),
        ("AmountDC", cents(totals.with_vat * rate)),
        ("VATAmountFC", totals.vat),
        ("VATAmountDC", cents(totals.vat * rate)),
        ("Discount", discount),
    ] {
        invoice.insert(name.into(), number(value));
    }
    tx.put(INVOICES, id, invoice);
}

/// Changes the head of an invoice.
pub(super) fn change(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    check_open(tx, &Value::Object(row.clone()))?;
    periods::check(tx, "OrderDate", field(&sent, "OrderDate"))?;
    row.extend(sent);
    parties(tx, &mut row, "DeliverToAddress")?;
    fill_names(tx, INVOICES, &mut row);
    tx.put(INVOICES, id, row);
    recompute(tx, id);
    Ok(())
}

fn invoice_of(tx: &Tx<'_>, line: &Fields) -> Result<Value, Reply> {
    if !filled(line, "InvoiceID") {
        return Err(tx.words().mandatory("InvoiceID"));
    }
    let invoice = tx.get(INVOICES, field(line, "InvoiceID")).cloned().ok_or_else(|| tx.words().invalid("InvoiceID"))?;
    check_open(tx, &invoice)?;
    Ok(invoice)
}

/// A line added to an invoice that is there.
pub(super) fn create_line(tx: &mut Tx<'_>, line: Fields) -> Result<String, Reply> {
    let invoice = invoice_of(tx, &line)?;
    let document = Document { account: text(&invoice, "OrderedBy"), date: text(&invoice, "OrderDate"), path: LINES };
    let mut line = with_gl_account(tx, complete_line(tx, &document, line)?)?;
    let invoice_id = text(&invoice, "InvoiceID");
    check_sign(tx, invoice["Type"].as_i64(), amount_with(tx, invoice_id, &line, ""))?;
    let last = tx.children_of(&CHILDREN[2], invoice_id).iter().filter_map(|row| row["LineNumber"].as_i64()).max();
    line.insert("LineNumber".into(), json!(last.unwrap_or(0) + 1));
    let id = store_new_line(tx, line)?;
    recompute(tx, invoice_id);
    Ok(id)
}

/// Changes a line.
pub(super) fn change_line(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    let invoice = invoice_of(tx, &row)?;
    if sent.contains_key("UnitPrice") && !sent.contains_key("NetPrice") || sent.contains_key("Discount") {
        row.remove("NetPrice");
    }
    row.extend(sent);
    let document = Document { account: text(&invoice, "OrderedBy"), date: text(&invoice, "OrderDate"), path: LINES };
    let row = with_gl_account(tx, complete_line(tx, &document, row)?)?;
    check_sign(tx, invoice["Type"].as_i64(), amount_with(tx, text(&invoice, "InvoiceID"), &row, id))?;
    tx.put(LINES, id, row);
    recompute(tx, text(&invoice, "InvoiceID"));
    Ok(())
}

/// `PrintedSalesInvoices`: processes an invoice, which gives it its number and date.
pub(super) fn print(tx: &mut Tx<'_>, sent: &Fields) -> Result<String, Reply> {
    let id = field(sent, "InvoiceID").to_owned();
    let Some(mut invoice) = tx.get(INVOICES, &id).and_then(Value::as_object).cloned() else {
        return Err(tx.words().invalid("InvoiceID"));
    };
    check_open(tx, &Value::Object(invoice.clone()))?;
    let date = if filled(sent, "InvoiceDate") { field(sent, "InvoiceDate").to_owned() } else { tx.today() };
    periods::check(tx, "InvoiceDate", &date)?;
    periods::check_period(tx, sent, "ReportingYear", "ReportingPeriod")?;
    let next = tx.store.next_number("invoice", 20_260_001);
    // A direct invoice delivers, a direct credit note takes back.
    if let Some(kind @ (8023 | 8024)) = invoice.get("Type").and_then(Value::as_i64) {
        let warehouse = field(&invoice, "Warehouse").to_owned();
        for line in tx.children_of(&CHILDREN[2], &id) {
            let quantity = amount(&line, "Quantity").abs();
            stock::deliver(tx, text(&line, "Item"), &warehouse, if kind == 8023 { quantity } else { -quantity });
        }
    }
    invoice.insert("InvoiceNumber".into(), json!(next));
    invoice.insert("InvoiceDate".into(), json!(date));
    invoice.insert("Status".into(), json!(PROCESSED));
    invoice.insert("StatusDescription".into(), json!("Verwerkt"));
    tx.put(INVOICES, &id, invoice);
    let mut report = sent.clone();
    report.insert("DocumentCreationSuccess".into(), json!("OK"));
    report.insert("DocumentCreationError".into(), Value::Null);
    tx.put("salesinvoice/PrintedSalesInvoices", &id, report);
    Ok(id)
}
