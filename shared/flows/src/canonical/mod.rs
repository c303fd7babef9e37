//! What is known about canonical documents, for the checker of mappings.

use koppel_core::document::Entity;
use koppel_mapping::{Checks, FieldCatalogue, Value};

const ORDER: &str = include_str!("order.yaml");

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
    let name = match entity {
        Entity::Orders => "order",
        Entity::Products => "product",
        Entity::Stock => "stock",
        Entity::Customers => "customer",
        Entity::Prices => "price",
    };
    // Connectors read `order.refs.…` and `customer.deliver_elsewhere` too, which are not part of the documents.
    Checks::new().variable(name).target(fields)
}

fn canonical(entity: Entity) -> Option<FieldCatalogue> {
    let text = match entity {
        Entity::Orders => ORDER,
        Entity::Products | Entity::Stock | Entity::Customers | Entity::Prices => return None,
    };
    FieldCatalogue::parse("canonical/order.yaml", text).ok()
}

/// A document as the value that rows see.
pub fn view<T: serde::Serialize>(document: &T) -> Value {
    Value::from_json(&serde_json::to_value(document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_catalogue_parses() {
        assert!(FieldCatalogue::parse("canonical/order.yaml", ORDER).is_ok());
    }
}
