//! WooCommerce: a shop, over its REST API v3.
//!
//! Orders, refunds, products and customers are read; products, stock, customers and prices are written. Facts and quirks stand in the
//! README beside this file.

pub mod auth;
mod categories;
pub mod client;
mod diagnose;
pub mod judge;
pub mod native;
mod numbers;
pub mod source;
mod target;
pub mod webhook;
mod weight;

use koppel_core::document::Entity;
use koppel_core::system::{CustomerSearch, Limits, NumberField, NumberFields, RowsFile, Side, SystemFacts, SystemKind};

pub use source::WooCommerceSource;
pub use target::WooCommerceTarget;

/// Facts about WooCommerce.
pub static FACTS: SystemFacts = SystemFacts {
    id: "woocommerce",
    name: "WooCommerce",
    kind: SystemKind::Shop,
    gets: &[Entity::Orders, Entity::Refunds, Entity::Products, Entity::Customers],
    sends: &[Entity::Products, Entity::Stock, Entity::Customers, Entity::Prices],
    documents: &[],
    lookups: &[],
    customers: CustomerSearch { by: &[], tells_all: false },
    reference_max_chars: None,
    searched: &[],
    numbered: &[NumberFields { entity: Entity::Orders, field: NumberField::Custom { max_chars: 255 } }],
    rounding: None,
    // WooCommerce itself has no limits; a host that has some answers 429, or the user sets calls_per_minute.
    limits: Limits {
        calls_per_minute: None,
        calls_per_hour: None,
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(4),
    },
    // One lane fills batches of a hundred; calls of a shop are dear, and its host is seldom fast enough for two at a time.
    default_lanes: 1,
    rows: &[
        rows(Side::Source, Entity::Orders, "woocommerce/rows/order.yaml", include_str!("rows/order.yaml")),
        rows(Side::Source, Entity::Refunds, "woocommerce/rows/refund.yaml", include_str!("rows/refund.yaml")),
        rows(Side::Source, Entity::Products, "woocommerce/rows/product.yaml", include_str!("rows/product.yaml")),
        rows(Side::Source, Entity::Customers, "woocommerce/rows/customer.yaml", include_str!("rows/customer.yaml")),
        rows(
            Side::Target,
            Entity::Products,
            "woocommerce/rows/product.target.yaml",
            include_str!("rows/product.target.yaml"),
        ),
        rows(Side::Target, Entity::Stock, "woocommerce/rows/stock.target.yaml", include_str!("rows/stock.target.yaml")),
        rows(
            Side::Target,
            Entity::Customers,
            "woocommerce/rows/customer.target.yaml",
            include_str!("rows/customer.target.yaml"),
        ),
        rows(
            Side::Target,
            Entity::Prices,
            "woocommerce/rows/price.target.yaml",
            include_str!("rows/price.target.yaml"),
        ),
    ],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

const fn rows(side: Side, entity: Entity, name: &'static str, text: &'static str) -> RowsFile {
    RowsFile { side, entity, document: None, name, text }
}

#[cfg(test)]
mod tests;
