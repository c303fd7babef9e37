//! WooCommerce: a shop, read over its REST API v3.
//!
//! Orders are read; nothing is written yet. Facts and quirks stand in the README beside this file.

pub mod auth;
pub mod client;
pub mod judge;
pub mod native;
pub mod source;
pub mod webhook;

use koppel_core::document::Entity;
use koppel_core::system::{Limits, RowsFile, Side, SystemFacts, SystemKind};

pub use source::WooCommerceSource;

/// Facts about WooCommerce.
pub static FACTS: SystemFacts = SystemFacts {
    id: "woocommerce",
    name: "WooCommerce",
    kind: SystemKind::Shop,
    gets: &[Entity::Orders],
    sends: &[],
    documents: &[],
    lookups: &[],
    reference_max_chars: None,
    rounding: None,
    // WooCommerce itself has no limits; a host that has some answers 429, or the user sets calls_per_minute.
    limits: Limits { calls_per_minute: None, calls_per_day: None, errors_per_hour: None, concurrency: Some(4) },
    default_lanes: 4,
    rows: &[RowsFile {
        side: Side::Source,
        entity: Entity::Orders,
        document: None,
        name: "woocommerce/rows/order.yaml",
        text: include_str!("rows/order.yaml"),
    }],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

#[cfg(test)]
mod tests;
