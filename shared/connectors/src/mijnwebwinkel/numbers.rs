//! Numbers of documents, noted at the order of the shop: among the merchant's own remarks, or as the reference of a business.

use koppel_core::ports::{Calls, DocumentNumber};
use koppel_core::{Cause, Failure};
use serde_json::json;

use super::client::MijnWebwinkelClient;
use super::native::text;

/// The merchant's own remarks on an order: the number becomes a line of its own below what stands there.
const REMARKS: &str = "comments.internal";
/// The reference of the buyer, which only orders of businesses have.
const REFERENCE: &str = "reference";
/// The fields of an order.
pub const FIELDS: &[&str] = &[REMARKS, REFERENCE];

/// Notes one number.
pub async fn note(
    client: &MijnWebwinkelClient,
    field: &str,
    number: &DocumentNumber,
    calls: &Calls,
) -> Result<(), Failure> {
    // The key of a credit order names the order it credits, and then itself.
    let order = number.key.as_str().rsplit('/').next().unwrap_or_default();
    let Some(found) = client.order(order, calls).await? else {
        let cause = Cause::new("gone_from_source", format!("the shop no longer has order {}", number.label));
        return Err(Failure::reject(cause));
    };
    let body = if field == REFERENCE {
        let there = text(&found["reference"]);
        if there == number.number {
            return Ok(());
        }
        if text(&found["business_model"]) != "B2B" {
            let message = format!("order {} has no reference: only those of businesses have one", number.label);
            return Err(Failure::reject(Cause::new("field_missing", message)));
        }
        if !there.trim().is_empty() {
            let message = format!("the reference of order {} says «{there}» already, and is left so", number.label);
            return Err(Failure::reject(Cause::new("field_taken", message)));
        }
        json!({ "reference": number.number })
    } else {
        let there = text(&found["comments"]["internal"]);
        if there.lines().any(|line| line.trim() == number.number) {
            return Ok(());
        }
        let before = if there.trim().is_empty() { String::new() } else { format!("{}\n", there.trim_end()) };
        json!({ "comments": { "internal": format!("{before}{}", number.number) } })
    };
    client.update_order(order, body, calls).await
}
