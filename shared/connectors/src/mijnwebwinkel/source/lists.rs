//! Lists of the shop whose values are keys of tables in settings.

use koppel_core::ports::{Calls, Reference};
use koppel_core::system::SourceList;
use koppel_core::{Cause, Failure};
use serde_json::Map;

use super::MijnWebwinkelSource;
use crate::mijnwebwinkel::native::{many, text};

impl MijnWebwinkelSource {
    /// A list as orders and articles speak of it.
    pub(super) async fn values(&self, list: SourceList, calls: &Calls) -> Result<Vec<Reference>, Failure> {
        match list {
            SourceList::PaymentMethod => {
                let mut found: Vec<Reference> = Vec::new();
                for gateway in self.client.gateways(calls).await? {
                    let by = text(&gateway["displayName"]);
                    for method in many(&gateway["methods"]) {
                        let (code, name) = (text(&method["name"]), text(&method["displayName"]));
                        // Two gateways may offer the same way to pay; an order names the way alone.
                        match found.iter_mut().find(|one| one.code == code) {
                            Some(known) => known.name = format!("{}, {by}", known.name),
                            None => found.push(reference(code, format!("{name} ({by})"))),
                        }
                    }
                }
                Ok(found)
            }
            SourceList::Category => {
                let tree = self.categories.tree(&self.client, [], calls).await?;
                Ok(tree.paths().map(|(id, path)| reference(id.clone(), path.join(" > "))).collect())
            }
            SourceList::ShippingMethod => Err(Failure::settings(
                Cause::new(
                    "not_supported",
                    "orders of MijnWebwinkel do not tell how they are sent, only that they are picked up",
                )
                .advice("set a default for shipping_method; the one word that a table may hold is «pickup»"),
            )),
            SourceList::TaxClass => Err(Failure::settings(
                Cause::new("not_supported", "articles of MijnWebwinkel have no class of VAT")
                    .advice("use the rate: tables of vat_code take keys such as NL/21"),
            )),
        }
    }
}

fn reference(code: String, name: String) -> Reference {
    Reference { id: code.clone(), code, name, attributes: Map::new() }
}
