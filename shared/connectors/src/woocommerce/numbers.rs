//! Numbers of documents, noted as a custom field (`meta_data`) of the order, a hundred orders a call. The field is the flow's
//! own, so it is written without being read: writing the same again changes nothing.

use koppel_core::ports::{Calls, DocumentNumber};
use koppel_core::{Cause, Failure};
use serde_json::{Map, json};

use super::client::WooCommerceClient;
use super::target::batch::{Batches, Item};

/// Notes numbers; one answer for each.
pub async fn note(
    client: &WooCommerceClient,
    batches: &Batches,
    field: &str,
    numbers: &[DocumentNumber],
    calls: &Calls,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let item = |number: &DocumentNumber| {
        // Without an id the shop would make an order of it.
        let id = number.key.as_str().parse().ok()?;
        let meta = json!([{ "key": field, "value": number.number }]);
        let body = Map::from_iter([("meta_data".to_owned(), meta)]);
        Some(Item { id: Some(id), body, label: number.label.clone() })
    };
    let items: Vec<Option<Item>> = numbers.iter().map(item).collect();
    let sent: Vec<Item> = items.iter().flatten().cloned().collect();
    let mut answers = batches.send(client, "orders/batch", &sent, &[], calls).await?.into_iter();
    let unknown = |number: &DocumentNumber| {
        Failure::reject(Cause::new("unknown_id", format!("«{}» is not the id of an order", number.key)))
    };
    let of = |(number, item): (&DocumentNumber, Option<Item>)| match item {
        Some(_) => answers.next().unwrap_or_else(|| Err(unknown(number))).map(drop),
        None => Err(unknown(number)),
    };
    Ok(numbers.iter().zip(items).map(of).collect())
}
