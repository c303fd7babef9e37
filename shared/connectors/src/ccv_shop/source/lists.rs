//! Lists of the shop whose values are keys of tables in settings.

use std::collections::BTreeSet;

use koppel_core::Failure;
use koppel_core::ports::{Calls, Reference};
use koppel_core::system::SourceList;
use serde_json::{Map, Value, json};

use super::CcvShopSource;
use crate::ccv_shop::native::text;
use crate::ccv_shop::shop::TARIFFS;

impl CcvShopSource {
    /// A list as orders and products speak of it.
    pub(super) async fn values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        match list {
            SourceList::PaymentMethod => {
                let methods = self.paymethods(calls).await?;
                Ok(methods.iter().map(|row| reference(&text(&row["combined_name"]), &text(&row["label"]))).collect())
            }
            SourceList::ShippingMethod => self.shipping_methods(calls).await,
            SourceList::TaxClass => {
                let facts = self.shop.facts(&self.client, calls).await?;
                let named = |tariff: &str| match facts.percents.get(tariff) {
                    Some(percent) => {
                        let attributes = Map::from_iter([("percent".to_owned(), json!(percent.normalize()))]);
                        Reference { attributes, ..reference(tariff, &format!("{} %", percent.normalize())) }
                    }
                    None => reference(tariff, tariff),
                };
                Ok(TARIFFS.into_iter().map(named).collect())
            }
            SourceList::Category => {
                let tree = self.categories.tree(&self.client, [], calls).await?;
                Ok(tree.paths().map(|(id, path)| reference(&id.to_string(), &path.join(" > "))).collect())
            }
        }
    }

    /// The shop does not list its ways to send: these are those of its latest orders.
    async fn shipping_methods(&self, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        let asked = [("orderby", "id_desc".to_owned())];
        let page = self.client.page("orders", &asked, 0, self.client.page_size(), calls).await?.unwrap_or_default();
        let used = |head: &Value| {
            let method = text(&head["deliver_method"]).trim().to_owned();
            (!method.is_empty()).then_some(method)
        };
        let methods: BTreeSet<String> = page.items.iter().filter_map(used).collect();
        Ok(methods.iter().map(|method| reference(method, method)).collect())
    }
}

fn reference(code: &str, name: &str) -> Reference {
    Reference { id: code.to_owned(), code: code.to_owned(), name: name.to_owned(), attributes: Map::new() }
}
