//! Quantities on hand.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Stock of one article, summed over the warehouses of the flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockLevel {
    /// Article number: the natural key.
    pub sku: String,
    /// Article number of the parent, for variations.
    pub parent_sku: String,
    /// Quantity on the shelf, in pieces.
    pub on_hand: Decimal,
    /// Quantity promised to sales orders.
    pub reserved: Decimal,
    /// Quantity on its way in.
    pub incoming: Decimal,
    /// What the shop may sell, by the flow's calculation.
    pub available: Decimal,
    /// The shop should keep count.
    pub manage_stock: bool,
    /// The same by warehouse, when the source tells; the flow's settings say which of them count.
    pub positions: Vec<StockPosition>,
}

/// What lies in one warehouse.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StockPosition {
    /// Code of the warehouse.
    pub warehouse: String,
    /// Quantity on the shelf, in pieces.
    pub on_hand: Decimal,
    /// Quantity promised to sales orders.
    pub reserved: Decimal,
    /// Quantity on its way in.
    pub incoming: Decimal,
    /// What the source itself calls free, when it does.
    pub free: Option<Decimal>,
    /// Quantity that must stay there.
    pub safety: Decimal,
}
