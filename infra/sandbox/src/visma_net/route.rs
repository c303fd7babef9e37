//! From addresses to what answers them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::contract::{Endpoint, Found};
use super::errors::{message, not_found};
use super::render::{Expand, render};
use super::rows::{Tx, is_number, version};
use super::rules::{customers, documents, items, journals, payments, people, prices, simple};
use super::{background, files, orders, query, stock};
use crate::message::{Call, Reply};
use crate::text::text;

/// Characters a key may only have inside `b64(…)`.
const RESERVED: &[char] = &[':', '/', '?', '#', '[', ']', '@', '&', '*', '+', ';'];

/// Where rows of an entity are kept.
fn table_of(entity: &str) -> Option<&'static str> {
    TABLES.iter().find(|(name, _)| *name == entity).map(|(_, table)| *table)
}

/// True for a kind of rows, also while it has none.
pub(super) fn is_table(name: &str) -> bool {
    name.eq_ignore_ascii_case("salesorder") || TABLES.iter().any(|(_, table)| table.eq_ignore_ascii_case(name))
}

const TABLES: &[(&str, &str)] = &[
    ("Customer", "customer"),
    ("Contact", "contact"),
    ("Location", "location"),
    ("CustomerInvoice", "customerinvoice"),
    ("CustomerCreditNote", "customerCreditNote"),
    ("CashSale", "cashsale"),
    ("CustomerPayment", "customerPayment"),
    ("JournalTransaction", "journaltransaction"),
    ("Inventory", "inventory"),
    ("CustomerSalesPrice", "customerSalesPrice"),
    ("Attribute", "attribute"),
    ("ItemClass", "itemClass"),
    ("PostingClass", "itemPostClass"),
    ("Branch", "branch"),
    ("Warehouse", "warehouse"),
    ("VatCategory", "vatCategory"),
    ("Vat", "vat"),
    ("VatZone", "vatZone"),
    ("Account", "account"),
    ("Subaccount", "subaccount"),
    ("CreditTerm", "creditTerm"),
    ("PaymentMethod", "paymentmethod"),
    ("CashAccount", "cashaccount"),
    ("Carrier", "carrier"),
    ("SalesOrderType", "salesordertype"),
    ("NumberSequence", "numberSequence"),
    ("Currency", "currency"),
    ("Country", "country"),
    ("UnitOfMeasure", "unitofmeasure"),
    ("Ledger", "ledger"),
    ("FinancialPeriod", "financialPeriod"),
    ("Dimension", "dimension"),
    ("Department", "department"),
    ("CustomerClass", "customerClass"),
    ("Discount", "discount"),
    ("DiscountCode", "discountCode"),
];

/// A key out of an address.
fn key(sent: &str) -> Result<String, Reply> {
    if let Some(inside) = sent.strip_prefix("b64(").and_then(|rest| rest.strip_suffix(')')) {
        let bytes = URL_SAFE_NO_PAD.decode(inside).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return bytes.ok_or_else(not_found);
    }
    if sent.contains(RESERVED) {
        let page =
            "<!DOCTYPE html><html><head><title>Bad Request</title></head><body><h2>Bad Request</h2></body></html>";
        return Err(Reply::typed(400, "text/html; charset=us-ascii", page));
    }
    Ok(sent.into())
}

/// Answers a request.
pub(super) fn answer(tx: &mut Tx<'_>, found: &Found, call: &Call) -> Result<Reply, Reply> {
    let endpoint = found.endpoint;
    if endpoint.v3 {
        return orders::answer(tx, endpoint, &found.params, call);
    }
    let params = found.params.iter().map(|sent| key(sent)).collect::<Result<Vec<_>, _>>()?;
    let of = |at: usize| params.get(at).map(String::as_str).unwrap_or_default();
    match endpoint.method.as_str() {
        "GET" => get(tx, endpoint, &params, call),
        "POST" => post(tx, endpoint, &params, call),
        "PUT" => match endpoint.short().as_str() {
            "customer/{customerCd}" => customers::put(tx, call, of(0)),
            "customer/internal/{internalID}" => {
                let number = by_internal(tx, "customer", "internalId", of(0), "number")?;
                customers::put(tx, call, &number)
            }
            "contact/{contactId}" => people::put_contact(tx, call, of(0)),
            "location/{bAccountId}/{locationId}" => people::put_location(tx, call, &people::location_key(of(0), of(1))),
            "inventory/{inventoryNumber}" => items::put(tx, call, of(0)),
            "inventory/internal/{inventoryID}" => {
                let number = by_internal(tx, "inventory", "inventoryId", of(0), "inventoryNumber")?;
                items::put(tx, call, &number)
            }
            "inventory/{inventoryNumber}/crossReferences/{alternateType}/{alternateId}" => {
                items::write_reference(tx, call, of(0), Some((of(1), of(2))))
            }
            "customerSalesPrice/{recordId}" => prices::put(tx, call, of(0)),
            "customerinvoice/{invoiceNumber}" => documents::put(tx, call, &documents::INVOICE, of(0)),
            "customerCreditNote/{creditNoteNumber}" => documents::put(tx, call, &documents::CREDIT_NOTE, of(0)),
            "cashsale/{documentNumber}" => documents::put(tx, call, &documents::CASH_SALE, of(0)),
            "customerPayment/{paymentNumber}" => payments::put(tx, call, of(0)),
            "journaltransaction/{journalTransactionNumber}" => journals::put(tx, call, of(0)),
            "attribute/{attributeId}" => simple::put_attribute(tx, call, of(0)),
            _ => Err(absent(endpoint)),
        },
        "DELETE" => match endpoint.short().as_str() {
            "customerinvoice/{invoiceNumber}" => documents::delete(tx, &documents::INVOICE, of(0)),
            "customerCreditNote/{creditNoteNumber}" => documents::delete(tx, &documents::CREDIT_NOTE, of(0)),
            "attribute/{attributeId}" => simple::delete_attribute(tx, of(0)),
            _ => Err(absent(endpoint)),
        },
        _ => Err(absent(endpoint)),
    }
}

/// Better no answer than one that looks as if it had happened.
fn absent(endpoint: &Endpoint) -> Reply {
    message(501, &format!("{} is not part of the sandbox", endpoint.key))
}

fn by_internal(tx: &Tx<'_>, table: &str, id: &str, sent: &str, number: &str) -> Result<String, Reply> {
    let row = tx.store.rows(table).find(|row| is_number(&row[id], sent));
    row.map(|row| text(row, number).to_owned()).ok_or_else(not_found)
}

fn post(tx: &mut Tx<'_>, endpoint: &Endpoint, params: &[String], call: &Call) -> Result<Reply, Reply> {
    let of = |at: usize| params.get(at).map(String::as_str).unwrap_or_default();
    match endpoint.short().as_str() {
        "customer" => customers::post(tx, call),
        "customer/action/changeCustomerCd/{internalId}" => customers::rename(tx, call, of(0)),
        "contact" => people::post_contact(tx, call),
        "location" => people::post_location(tx, call),
        "inventory" => items::post(tx, call),
        "inventory/action/changeInventoryNbr/{internalId}" => items::rename(tx, call, of(0)),
        "inventory/{inventoryNumber}/crossReferences" => items::write_reference(tx, call, of(0), None),
        "inventory/{inventoryNumber}/attachment" => files::post(tx, call, "inventory", of(0)),
        "customerSalesPrice" => prices::post(tx, call),
        "attribute" => simple::post_attribute(tx, call),
        "customerinvoice" => documents::post(tx, call, &documents::INVOICE),
        "customerCreditNote" => documents::post(tx, call, &documents::CREDIT_NOTE),
        "cashsale" => documents::post(tx, call, &documents::CASH_SALE),
        "customerinvoice/{invoiceNumber}/action/release" => documents::release(tx, call, "customerinvoice", of(0)),
        "customerinvoice/{invoiceNumber}/action/reverse" => documents::reverse(tx, call, of(0)),
        "customerCreditNote/{creditNoteNumber}/action/release" => {
            documents::release(tx, call, "customerCreditNote", of(0))
        }
        "customerinvoice/{invoiceNumber}/attachment" => files::post(tx, call, "customerinvoice", of(0)),
        "customerCreditNote/{creditNoteNumber}/attachment" => files::post(tx, call, "customerCreditNote", of(0)),
        "customerPayment" => payments::post(tx, call),
        "customerPayment/{paymentNumber}/action/release" => payments::release(tx, call, of(0)),
        "customerPayment/{paymentNumber}/action/void" => payments::void(tx, call, of(0)),
        "journaltransaction" => journals::post(tx, call),
        "journaltransaction/{journalTransactionNumber}/action/release" => journals::release(tx, call, of(0)),
        "journaltransaction/module/{module}/{journalTransactionNumber}/attachment" => {
            files::post(tx, call, "journaltransaction", of(1))
        }
        "salesorder/{saleOrderNumber}/action/createShipment" => orders::ship(tx, call, endpoint, of(0)),
        "salesorder/{orderType}/{orderNumber}/action/prepareInvoice" => orders::invoice(tx, of(0), of(1)),
        "salesorder/orderType/{orderType}/{orderNumber}/attachment" => {
            files::post(tx, call, "salesorder", &orders::key(of(0), of(1)))
        }
        _ => Err(absent(endpoint)),
    }
}

fn get(tx: &mut Tx<'_>, endpoint: &Endpoint, params: &[String], call: &Call) -> Result<Reply, Reply> {
    let of = |at: usize| params.get(at).map(String::as_str).unwrap_or_default();
    match endpoint.short().as_str() {
        "background/{requestId}" => background::state(tx, of(0)),
        "background/{requestId}/content" => background::content(tx, of(0)),
        "attachment/{attachmentId}" => files::get(tx, of(0)),
        "inventorysummary/{inventoryNumber}" => {
            let item = tx.get("inventory", of(0)).cloned().ok_or_else(not_found)?;
            Ok(stock::summary(tx, &item, call.param("warehouse"), call.param("location")))
        }
        "customer/internal/{internalID}" => {
            let number = by_internal(tx, "customer", "internalId", of(0), "number")?;
            single(tx, endpoint, "customer", &number, call)
        }
        "inventory/internal/{inventoryId}" => {
            let number = by_internal(tx, "inventory", "inventoryId", of(0), "inventoryNumber")?;
            single(tx, endpoint, "inventory", &number, call)
        }
        "inventory/{inventoryNumber}/crossReferences" => {
            let item = tx.get("inventory", of(0)).ok_or_else(not_found)?;
            Ok(Reply::json(200, &item["crossReferences"]))
        }
        "customer/{customerCd}/contact" => {
            tx.get("customer", of(0)).ok_or_else(not_found)?;
            query::list(tx, endpoint, "contact", call, |row| row["businessAccount"] == of(0))
        }
        "customer/{customerCd}/note" => {
            let row = tx.get("customer", of(0)).ok_or_else(not_found)?;
            Ok(Reply::json(200, &json!({"note": row["_note"]})))
        }
        "customer/{customerNumber}/invoice" => {
            query::list(tx, endpoint, "customerinvoice", call, |row| row["customer"]["number"] == of(0))
        }
        "customer/{customerNumber}/cashSale" => {
            query::list(tx, endpoint, "cashsale", call, |row| row["customer"]["number"] == of(0))
        }
        "location/{bAccountId}" => {
            tx.get("customer", of(0)).ok_or_else(not_found)?;
            query::list(tx, endpoint, "location", call, |row| row["_customer"] == of(0))
        }
        "location/{bAccountId}/{locationId}" => {
            single(tx, endpoint, "location", &people::location_key(of(0), of(1)), call)
        }
        "dimension" => Ok(Reply::json(200, &tx.rows("dimension").iter().map(|row| row["id"].clone()).collect())),
        "dimension/{dimensionId}/{segmentId}" => {
            let row = tx.get("dimension", of(0)).ok_or_else(not_found)?;
            let segments = row["segments"].as_array().into_iter().flatten();
            let segment = segments.into_iter().find(|one| is_number(&one["segmentId"], of(1))).ok_or_else(not_found)?;
            Ok(Reply::json(200, segment))
        }
        "salescategory" => Ok(Reply::json(200, &simple::category_tree(tx, 0))),
        "salescategory/{categoryId}" => {
            let mut row = tx.get("salescategory", of(0)).cloned().ok_or_else(not_found)?;
            row["subCategories"] = simple::category_tree(tx, row["categoryID"].as_i64().unwrap_or(0));
            Ok(Reply::json(200, &simple::shown_category(&row)))
        }
        "salescategory/{categoryId}/item" => {
            tx.get("salescategory", of(0)).ok_or_else(not_found)?;
            let holds = |row: &Value| {
                let ids = row["salesCategories"].as_array().into_iter().flatten();
                ids.into_iter().any(|one| is_number(&one["categoryId"], of(0)))
            };
            query::list(tx, endpoint, "inventory", call, holds)
        }
        _ => {
            let table = table_of(&endpoint.returns).ok_or_else(|| absent(endpoint))?;
            match params {
                [] if endpoint.list => {
                    if endpoint.returns == "JournalTransaction" {
                        journals::check_list(call)?;
                    }
                    query::list(tx, endpoint, table, call, |_| true)
                }
                [key] if !endpoint.list => single(tx, endpoint, table, key, call),
                _ => Err(absent(endpoint)),
            }
        }
    }
}

/// `GET` of one row, with its version.
fn single(tx: &Tx<'_>, endpoint: &Endpoint, table: &str, key: &str, call: &Call) -> Result<Reply, Reply> {
    let row = tx.get(table, key).ok_or_else(not_found)?;
    let shown = render(tx, &endpoint.returns, row, &Expand::of(call));
    Ok(Reply::json(200, &shown).with("ETag", format!("\"{}\"", version(row))))
}
