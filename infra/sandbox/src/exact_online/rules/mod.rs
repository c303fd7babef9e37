//! Rules of single resources. What has none of its own is stored as it is, after the common checks.

use serde_json::{Value, json};

use super::errors::error;
use super::metadata::Entity;
use super::write::{Fields, Sent, field, filled};
use super::{CHILDREN, Tx};
use crate::message::Reply;

mod accounts;
mod amounts;
mod entries;
mod invoices;
mod items;
mod journals;
mod lines;
mod orders;
mod periods;
mod references;

pub(super) use items::{add_to_warehouse, after_delete as item_gone, standard_price};
pub(super) use references::fill_names;

/// Creates a row; gives its key.
pub(super) fn create(tx: &mut Tx<'_>, entity: &Entity, mut sent: Sent) -> Result<String, Reply> {
    references::check(tx, &entity.table, &sent.fields)?;
    match entity.path.as_str() {
        "crm/Accounts" => accounts::create(tx, sent.fields),
        "crm/Contacts" => accounts::create_contact(tx, sent.fields),
        "crm/Addresses" => accounts::create_address(tx, sent.fields),
        "logistics/Items" => items::create(tx, sent.fields),
        "logistics/SalesItemPrices" => items::create_price(tx, sent.fields),
        "inventory/ItemWarehouses" => items::create_place(tx, sent.fields),
        "salesorder/SalesOrders" => orders::create(tx, &mut sent),
        "salesorder/SalesOrderLines" => orders::create_line(tx, sent.fields),
        "salesorder/CompleteSalesOrder" => orders::complete(tx, &sent.fields),
        "salesinvoice/SalesInvoices" => invoices::create(tx, &mut sent),
        "salesinvoice/SalesInvoiceLines" => invoices::create_line(tx, sent.fields),
        "salesinvoice/PrintedSalesInvoices" => invoices::print(tx, &sent.fields),
        "salesentry/SalesEntries" => entries::create(tx, &mut sent),
        "generaljournalentry/GeneralJournalEntries" => journals::create(tx, &mut sent),
        "salesentry/SalesEntryLines"
        | "generaljournalentry/GeneralJournalEntryLines"
        | "salesinvoice/InvoiceSalesOrders"
        | "salesorder/PrintedSalesOrders"
        | "salesorder/GoodsDeliveries"
        | "salesorder/GoodsDeliveryLines" => {
            // Better no answer than one that looks as if it had happened.
            Err(error(501, &format!("POST {} is not part of the sandbox", entity.path)))
        }
        _ => generic(tx, entity, sent),
    }
}

/// Changes a row: `row` is what is there, `sent` what comes over it.
pub(super) fn change(tx: &mut Tx<'_>, entity: &Entity, key: &str, row: Fields, sent: Fields) -> Result<(), Reply> {
    references::check(tx, &entity.table, &sent)?;
    match entity.path.as_str() {
        "crm/Accounts" => accounts::change(tx, key, row, sent),
        "crm/Addresses" => accounts::change_address(tx, key, row, sent),
        "logistics/Items" => items::change(tx, key, row, sent),
        "logistics/SalesItemPrices" => items::change_price(tx, key, row, sent),
        "salesorder/SalesOrders" => orders::change(tx, key, row, sent),
        "salesorder/SalesOrderLines" => orders::change_line(tx, key, row, sent),
        "salesinvoice/SalesInvoices" => invoices::change(tx, key, row, sent),
        "salesinvoice/SalesInvoiceLines" => invoices::change_line(tx, key, row, sent),
        _ => {
            periods::check_row(tx, &entity.table, &Value::Object(row.clone()))?;
            periods::check(tx, "EntryDate", field(&sent, "EntryDate"))?;
            if filled(&sent, "Code") && unique_code(&entity.path) {
                return Err(tx.words().exists());
            }
            let mut row = row;
            row.extend(sent);
            if entity.table == "crm/Contacts" {
                row.insert("FullName".into(), json!(accounts::full_name(&row)));
            }
            fill_names(tx, &entity.table, &mut row);
            tx.put(&entity.table, key, row);
            Ok(())
        }
    }
}

/// What may not be deleted.
pub(super) fn before_delete(tx: &mut Tx<'_>, entity: &Entity, row: &Value) -> Result<(), Reply> {
    periods::check_row(tx, &entity.table, row)?;
    match entity.path.as_str() {
        "salesorder/SalesOrders" => orders::before_delete(tx, row),
        "salesinvoice/SalesInvoices" => invoices::check_open(tx, row),
        _ => Ok(()),
    }
}

/// What follows from a deletion.
pub(super) fn after_delete(tx: &mut Tx<'_>, entity: &Entity, row: &Value) {
    match entity.path.as_str() {
        "salesorder/SalesOrderLines" => orders::after_line_delete(tx, row),
        "salesinvoice/SalesInvoiceLines" => invoices::recompute(tx, crate::text::text(row, "InvoiceID")),
        "logistics/Items" => items::after_delete(tx, crate::text::text(row, "ID")),
        _ => {}
    }
}

fn unique_code(path: &str) -> bool {
    matches!(
        path,
        "financial/GLAccounts"
            | "financial/Journals"
            | "hrm/Costcenters"
            | "hrm/Costunits"
            | "vat/VATCodes"
            | "cashflow/PaymentConditions"
            | "inventory/Warehouses"
            | "sales/SalesChannels"
    )
}

/// Refuses a code another row has already; letters of whatever case.
fn check_code(tx: &Tx<'_>, path: &str, code: &str) -> Result<(), Reply> {
    let taken = tx.store.find(&tx.table(path), "Code", code).is_some_and(|rows| !rows.is_empty());
    if taken { Err(tx.words().exists()) } else { Ok(()) }
}

fn generic(tx: &mut Tx<'_>, entity: &Entity, sent: Sent) -> Result<String, Reply> {
    if unique_code(&entity.path) {
        check_code(tx, &entity.path, field(&sent.fields, "Code"))?;
    }
    if entity.name == "WebhookSubscriptions" && tx.first(&entity.path, "Topic", field(&sent.fields, "Topic")).is_some()
    {
        return Err(tx.words().exists()); // one a topic
    }
    let key = tx.new_key(&entity.table, &entity.key, &sent.fields)?;
    let mut fields = sent.fields;
    fields.insert(entity.key.clone(), json!(key));
    fill_names(tx, &entity.table, &mut fields);
    tx.put(&entity.table, &key, fields);
    for (list, rows) in sent.lists {
        let Some(children) = CHILDREN.iter().find(|children| children.parent == entity.table && children.list == list)
        else {
            continue;
        };
        for (at, mut row) in rows.into_iter().enumerate() {
            references::check(tx, children.child, &row)?;
            let id = tx.new_key(children.child, "ID", &Fields::new())?;
            row.insert("ID".into(), json!(id));
            row.insert(children.link.into(), json!(key));
            row.insert("LineNumber".into(), json!(at + 1));
            tx.put(children.child, &id, row);
        }
    }
    Ok(key)
}
