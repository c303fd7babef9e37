//! CCV Shop: a shop, over its REST API v1.
//!
//! Orders, credits, products and customers are read; products, stock and customers are written. Facts and quirks stand in the
//! README beside this file.

pub mod auth;
mod categories;
pub mod client;
mod diagnose;
pub mod judge;
mod marks;
mod native;
mod numbers;
mod properties;
mod shop;
pub mod source;
mod target;
pub mod webhook;

use koppel_core::document::Entity;
use koppel_core::system::{CustomerSearch, Limits, NumberField, NumberFields, RowsFile, Side, SystemFacts, SystemKind};

pub use source::CcvShopSource;
pub use target::CcvShopTarget;

/// Facts about CCV Shop.
pub static FACTS: SystemFacts = SystemFacts {
    id: "ccv-shop",
    name: "CCV Shop",
    kind: SystemKind::Shop,
    gets: &[Entity::Orders, Entity::Refunds, Entity::Products, Entity::Customers],
    sends: &[Entity::Products, Entity::Stock, Entity::Customers, Entity::Prices],
    documents: &[],
    lookups: &[],
    customers: CustomerSearch { by: &[], tells_all: false },
    reference_max_chars: None,
    searched: &[],
    numbered: &[
        NumberFields { entity: Entity::Orders, field: NumberField::OneOf(numbers::FIELDS) },
        NumberFields { entity: Entity::Refunds, field: NumberField::OneOf(numbers::FIELDS) },
    ],
    rounding: None,
    // Each resource has its own calls a minute, which the client keeps. How many there are over all is not published: this is
    // what two of them may have together.
    limits: Limits {
        calls_per_minute: Some(240),
        calls_per_hour: None,
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(4),
    },
    // Every record is a call, and one lane uses up the calls of a resource.
    default_lanes: 1,
    rows: &[
        rows(Side::Source, Entity::Orders, "ccv-shop/rows/order.yaml", include_str!("rows/order.yaml")),
        rows(Side::Source, Entity::Refunds, "ccv-shop/rows/refund.yaml", include_str!("rows/refund.yaml")),
        rows(Side::Source, Entity::Products, "ccv-shop/rows/product.yaml", include_str!("rows/product.yaml")),
        rows(Side::Source, Entity::Customers, "ccv-shop/rows/customer.yaml", include_str!("rows/customer.yaml")),
        rows(
            Side::Target,
            Entity::Products,
            "ccv-shop/rows/product.target.yaml",
            include_str!("rows/product.target.yaml"),
        ),
        rows(Side::Target, Entity::Prices, "ccv-shop/rows/price.target.yaml", include_str!("rows/price.target.yaml")),
        rows(Side::Target, Entity::Stock, "ccv-shop/rows/stock.target.yaml", include_str!("rows/stock.target.yaml")),
        rows(
            Side::Target,
            Entity::Customers,
            "ccv-shop/rows/customer.target.yaml",
            include_str!("rows/customer.target.yaml"),
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
