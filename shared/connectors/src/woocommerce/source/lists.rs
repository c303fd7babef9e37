//! Lists of the shop whose values are keys of tables in settings.

use std::collections::BTreeSet;

use koppel_core::Failure;
use koppel_core::ports::{Calls, Reference};
use koppel_core::system::SourceList;
use serde_json::{Map, Value, json};

use super::WooCommerceSource;
use crate::woocommerce::native::{text, unescape};

impl WooCommerceSource {
    /// A list as orders and products speak of it.
    pub(super) async fn values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        let (path, code, name) = match list {
            SourceList::PaymentMethod => ("payment_gateways", "id", "title"),
            SourceList::ShippingMethod => ("shipping_methods", "id", "title"),
            SourceList::TaxClass => ("taxes/classes", "slug", "name"),
            SourceList::Category => return self.category_values(calls).await,
        };
        let rows = self.client.get_list(path, &[], calls).await?.records;
        Ok(rows
            .iter()
            .map(|row| {
                // A method that is switched off still stands in old orders.
                let off = row["enabled"] == json!(false);
                let attributes = if off { Map::from_iter([("blocked".to_owned(), json!(true))]) } else { Map::new() };
                reference(&row[code], &unescape(&text(&row[name])), attributes)
            })
            .collect())
    }

    /// Categories with their names from the root: two of the same name differ by what is above them.
    async fn category_values(&self, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        let rows = self.client.all("products/categories", &[("_fields", "id")], calls).await?;
        let ids: BTreeSet<u64> = rows.iter().filter_map(|row| row["id"].as_u64()).collect();
        let tree = self.categories.tree(&self.client, &ids, calls).await?;
        let path = |id| tree.path(id).unwrap_or_default().join(" > ");
        Ok(ids.iter().map(|id| reference(&json!(id), &path(id), Map::new())).collect())
    }
}

fn reference(code: &Value, name: &str, attributes: Map<String, Value>) -> Reference {
    let code = text(code);
    Reference { id: code.clone(), code, name: name.to_owned(), attributes }
}
