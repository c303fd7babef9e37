//! Numbers of documents, noted at the invoice of the shop that they belong to: orders themselves have no field for them.

use koppel_core::document::Entity;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, DocumentNumber};
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::client::CcvShopClient;
use super::native::refund::{is_credit, order_link};
use super::native::{id_in, text};
use crate::http::request::encode;

/// The field of an invoice.
pub const FIELDS: &[&str] = &["external_reference"];

/// Notes one number.
pub async fn note(
    client: &CcvShopClient,
    entity: Entity,
    field: &str,
    number: &DocumentNumber,
    calls: &Calls,
) -> Result<(), Failure> {
    let invoices = match (entity, number.key.as_str().split_once('/')) {
        (Entity::Refunds, Some((_, invoice))) => {
            let found = client.one(&format!("invoices/{}", encode(invoice)), &[], calls).await?;
            found.into_iter().collect()
        }
        _ => invoices_of(client, number, calls).await?,
    };
    if invoices.is_empty() {
        let cause = Cause::new("no_invoice_yet", format!("the shop has no invoice of order {} yet", number.label));
        let cause = cause.advice("the number is noted as soon as the shop has made one");
        return Err(Failure::retry(RetryReason::Busy, None, cause));
    }
    for invoice in invoices {
        let there = text(&invoice[field]);
        if there == number.number {
            continue;
        }
        if !there.trim().is_empty() {
            return Err(taken(field, number, &there));
        }
        let path = format!("invoices/{}", encode(&text(&invoice["id"])));
        client.change(&path, json!({ field: number.number }), calls).await?;
    }
    Ok(())
}

/// The invoices of an order, without its credits. The filter is by number; the order they name decides.
async fn invoices_of(client: &CcvShopClient, number: &DocumentNumber, calls: &Calls) -> Result<Vec<Value>, Failure> {
    let asked = [("ordernumber_full", number.label.clone())];
    let mut found = client.all("invoices", &asked, client.page_size(), calls).await?;
    found.retain(|invoice| {
        let of_order = id_in(order_link(invoice)).is_none_or(|id| id.to_string() == number.key.as_str());
        of_order && !is_credit(invoice) && super::native::order_number(invoice).as_deref() == Some(&number.label)
    });
    Ok(found)
}

fn taken(field: &str, number: &DocumentNumber, there: &str) -> Failure {
    let message = format!("{field} of the invoice of {} says «{there}» already, and is left so", number.label);
    Failure::reject(Cause::new("field_taken", message))
}
