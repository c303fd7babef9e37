//! MijnWebwinkel (MyOnlineStore): a shop, over its API v1.
//!
//! Orders, credit orders, articles and customers are read; articles, stock and customers are written. Facts and quirks
//! stand in the README beside this file.

pub mod auth;
mod categories;
pub mod client;
mod diagnose;
mod index;
pub mod judge;
pub mod native;
mod numbers;
pub mod options;
mod paging;
pub mod source;
mod target;

use koppel_core::document::Entity;
use koppel_core::system::{CustomerSearch, Limits, NumberField, NumberFields, RowsFile, Side, SystemFacts, SystemKind};

pub use source::MijnWebwinkelSource;
pub use target::MijnWebwinkelTarget;

/// Facts about MijnWebwinkel.
pub static FACTS: SystemFacts = SystemFacts {
    id: "mijnwebwinkel",
    name: "MijnWebwinkel",
    kind: SystemKind::Shop,
    gets: &[Entity::Orders, Entity::Refunds, Entity::Products, Entity::Customers],
    // Not prices: the API has no price classes, no customer groups and no price lists.
    sends: &[Entity::Products, Entity::Stock, Entity::Customers],
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
    // There is a limit for each pair of partner and store; how high it is, nobody says. One call a second is safe.
    limits: Limits {
        calls_per_minute: Some(60),
        calls_per_hour: None,
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(2),
    },
    default_lanes: 1,
    rows: &[
        rows(Side::Source, Entity::Orders, "mijnwebwinkel/rows/order.yaml", include_str!("rows/order.yaml")),
        rows(Side::Source, Entity::Refunds, "mijnwebwinkel/rows/refund.yaml", include_str!("rows/refund.yaml")),
        rows(Side::Source, Entity::Products, "mijnwebwinkel/rows/product.yaml", include_str!("rows/product.yaml")),
        rows(Side::Source, Entity::Customers, "mijnwebwinkel/rows/customer.yaml", include_str!("rows/customer.yaml")),
        rows(
            Side::Target,
            Entity::Products,
            "mijnwebwinkel/rows/product.target.yaml",
            include_str!("rows/product.target.yaml"),
        ),
        rows(
            Side::Target,
            Entity::Stock,
            "mijnwebwinkel/rows/stock.target.yaml",
            include_str!("rows/stock.target.yaml"),
        ),
        rows(
            Side::Target,
            Entity::Customers,
            "mijnwebwinkel/rows/customer.target.yaml",
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
