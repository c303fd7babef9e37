//! What is known about canonical documents, for the checker of mappings.

use koppel_core::document::Entity;
use koppel_mapping::{Checks, FieldCatalogue, Value};

const ORDER: &str = include_str!("order.yaml");
const REFUND: &str = include_str!("refund.yaml");
const PRODUCT: &str = include_str!("product.yaml");
const STOCK: &str = include_str!("stock.yaml");
const CUSTOMER: &str = include_str!("customer.yaml");
const PRICE: &str = include_str!("price.yaml");

/// Checks of source rows: they read `source` and fill the canonical document.
pub fn source_checks(entity: Entity, native: FieldCatalogue) -> Checks {
    let checks = Checks::new().catalogued("source", native);
    match canonical(entity) {
        Some(catalogue) => checks.target(catalogue),
        None => checks,
    }
}

/// Checks of target rows: they read the canonical document and fill the native payload.
pub fn target_checks(entity: Entity, fields: FieldCatalogue) -> Checks {
    // Connectors read `order.refs.…` and `customer.deliver_elsewhere` too, which are not part of the documents.
    Checks::new().variable(name(entity)).variable("settings").target(fields)
}

/// The name under which target rows see a document.
pub fn name(entity: Entity) -> &'static str {
    match entity {
        // A refund is an order that credits another.
        Entity::Orders | Entity::Refunds => "order",
        Entity::Products => "product",
        Entity::Stock => "stock",
        Entity::Customers => "customer",
        Entity::Prices => "price",
    }
}

fn canonical(entity: Entity) -> Option<FieldCatalogue> {
    let (file, text) = match entity {
        Entity::Orders => ("canonical/order.yaml", ORDER),
        Entity::Refunds => ("canonical/refund.yaml", REFUND),
        Entity::Products => ("canonical/product.yaml", PRODUCT),
        Entity::Stock => ("canonical/stock.yaml", STOCK),
        Entity::Customers => ("canonical/customer.yaml", CUSTOMER),
        Entity::Prices => ("canonical/price.yaml", PRICE),
    };
    FieldCatalogue::parse(file, text).ok()
}

/// A document as the value that rows see.
pub fn view<T: serde::Serialize>(document: &T) -> Value {
    Value::from_json(&serde_json::to_value(document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_catalogues_parse() {
        for text in [ORDER, REFUND, PRODUCT, STOCK, CUSTOMER, PRICE] {
            assert!(FieldCatalogue::parse("canonical.yaml", text).is_ok());
        }
    }
}
