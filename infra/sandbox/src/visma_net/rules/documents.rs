//! Customer documents: invoices, credit notes and cash sales. They are computed anew from what was sent after every
//! change, and only articles without stock may stand on them.

use serde_json::{Value, json};

use super::copy;
use super::document::build;
use crate::message::{Call, Reply};
use crate::text::{amount, text};
use crate::visma_net::actions;
use crate::visma_net::body::{Verb, merge, merge_lines, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::rows::{Fields, Tx, field};

/// A kind of document.
pub(in crate::visma_net) struct Document {
    pub table: &'static str,
    entity: &'static str,
    pub lines: &'static str,
    pub kind: &'static str,
    first: i64,
    path: &'static str,
}

pub(in crate::visma_net) const INVOICE: Document = Document {
    table: "customerinvoice",
    entity: "CustomerInvoice",
    lines: "invoiceLines",
    kind: "Invoice",
    first: 300_001,
    path: "/v1/customerinvoice",
};
pub(in crate::visma_net) const CREDIT_NOTE: Document = Document {
    table: "customerCreditNote",
    entity: "CustomerCreditNote",
    lines: "lines",
    kind: "CreditNote",
    first: 310_001,
    path: "/v1/customerCreditNote",
};
pub(in crate::visma_net) const CASH_SALE: Document = Document {
    table: "cashsale",
    entity: "CashSale",
    lines: "cashSaleLines",
    kind: "CashSale",
    first: 320_001,
    path: "/v1/cashsale",
};

/// `POST`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call, document: &Document) -> Result<Reply, Reply> {
    let input = read(tx.switches, document.entity, call, Verb::Create)?;
    let key = create(tx, document, input)?;
    Ok(tx.created(document.table, &key, document.path))
}

/// A new document; gives its number.
pub(in crate::visma_net) fn create(tx: &mut Tx<'_>, document: &Document, mut input: Fields) -> Result<String, Reply> {
    let own = field(&input, "referenceNumber").to_owned();
    let overrides = input.remove("overrideNumberSeries") == Some(json!(true));
    input.remove("referenceNumber");
    if own.is_empty() && overrides {
        return Err(tx.switches.missing("referenceNumber"));
    }
    if !own.is_empty() && !overrides {
        return Err(tx.switches.invalid("'referenceNumber' cannot be given: the number series is automatic."));
    }
    if !own.is_empty() && tx.get(document.table, &own).is_some() {
        return Err(tx.switches.failed(&format!("A document with number '{own}' already exists.")));
    }
    let sent = input.get(document.lines).and_then(Value::as_array).cloned().unwrap_or_default();
    let lines = merge_lines(tx.switches, &[], &sent, "lineNumber")?;
    input.insert(document.lines.into(), Value::Array(lines));
    let mut row = build(tx, document, &input)?;
    let key = if own.is_empty() {
        loop {
            let next = tx.store.next_number(document.table, document.first).to_string();
            if tx.get(document.table, &next).is_none() {
                break next;
            }
        }
    } else {
        own
    };
    row.insert("referenceNumber".into(), json!(key));
    row.insert("attachments".into(), json!([]));
    row.insert("_input".into(), Value::Object(input));
    tx.put(document.table, &key, row);
    Ok(key)
}

/// `PUT`: only while the document is not released.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, document: &Document, key: &str) -> Result<Reply, Reply> {
    let before = tx.fields(document.table, key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    check_open(tx, document, &before, key, "updated")?;
    let mut sent = read(tx.switches, document.entity, call, Verb::Change)?;
    for name in ["referenceNumber", "overrideNumberSeries"] {
        sent.remove(name);
    }
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let lines = sent.remove(document.lines);
    let mut input = merge(&held, sent);
    if let Some(lines) = lines.as_ref().and_then(Value::as_array) {
        let old = held[document.lines].as_array().cloned().unwrap_or_default();
        let merged = merge_lines(tx.switches, &old, lines, "lineNumber")?;
        input.insert(document.lines.into(), Value::Array(merged));
    }
    let mut row = build(tx, document, &input)?;
    copy(&before, &mut row, &["referenceNumber", "attachments", "_files_modified", "_created"]);
    row.insert("_input".into(), Value::Object(input));
    tx.put(document.table, key, row);
    Ok(tx.changed(document.table, key))
}

fn check_open(tx: &Tx<'_>, document: &Document, row: &Fields, key: &str, word: &str) -> Result<(), Reply> {
    let open = ["Hold", "Balanced"].contains(&field(row, "status"));
    if open && !actions::is_queued(tx, document.table, key) {
        return Ok(());
    }
    Err(tx.switches.failed(&format!("{} can't be {word} because it is already released.", document.kind)))
}

/// `DELETE`: only while the document is not released.
pub(in crate::visma_net) fn delete(tx: &mut Tx<'_>, document: &Document, key: &str) -> Result<Reply, Reply> {
    let row = tx.fields(document.table, key).ok_or_else(not_found)?;
    check_open(tx, document, &row, key, "deleted")?;
    tx.store.delete(document.table, key);
    Ok(Reply::empty(204))
}

/// `action/release`.
pub(in crate::visma_net) fn release(tx: &mut Tx<'_>, call: &Call, table: &str, key: &str) -> Result<Reply, Reply> {
    let row = tx.get(table, key).cloned().ok_or_else(not_found)?;
    tx.check_version(call, &row)?;
    if text(&row, "status") != "Balanced" || actions::is_queued(tx, table, key) {
        return Err(tx.switches.failed("Only a balanced document can be released."));
    }
    Ok(actions::release(tx, table, key))
}

/// What a release does.
pub(in crate::visma_net) fn released(tx: &mut Tx<'_>, table: &str, key: &str) {
    match table {
        "customerPayment" => return super::payments::released(tx, key),
        "journaltransaction" => return super::journals::released(tx, key),
        _ => {}
    }
    let Some(mut row) = tx.fields(table, key) else { return };
    let nothing_due = amount(&Value::Object(row.clone()), "balance").is_zero();
    row.insert("status".into(), json!(if nothing_due { "Closed" } else { "Open" }));
    tx.put(table, key, row);
}

/// `action/reverse`: a credit note over the whole of a released invoice.
pub(in crate::visma_net) fn reverse(tx: &mut Tx<'_>, call: &Call, key: &str) -> Result<Reply, Reply> {
    let row = tx.fields("customerinvoice", key).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(row.clone()))?;
    if !["Open", "Closed"].contains(&field(&row, "status")) {
        return Err(tx.switches.failed("Only a released invoice can be reversed."));
    }
    let mut input = row.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let lines = input.remove("invoiceLines").unwrap_or_default();
    input.insert("lines".into(), lines);
    for name in
        ["creditTermsId", "documentDueDate", "paymentReference", "taxDetailLines", "financialPeriod", "postPeriod"]
    {
        input.remove(name);
    }
    input.insert("documentDate".into(), json!(tx.today()));
    input.insert("_any_item".into(), json!(true));
    let number = create(tx, &CREDIT_NOTE, input)?;
    Ok(actions::result("Done", json!({"referenceNumber": number})))
}
