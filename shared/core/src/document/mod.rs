//! Canonical documents: the one form that every record takes between a source and a target.

mod address;
mod customer;
mod order;
mod price;
mod product;
mod stock;

pub use address::Address;
pub use customer::{Company, Customer, Person};
pub use order::{Codes, Coupon, Credits, Line, LineKind, LineTax, Order, Payment, Refund, Shipping, TaxTotal};
pub use price::{Price, PriceBreak};
pub use product::{Attribute, Category, Image, Product, ProductKind, Variation};
pub use stock::{StockLevel, StockPosition};

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Cause, nearest};
use crate::keys::NonEmpty;

/// Free fields that a mapping fills and a target row may read: name → value.
pub type CustomFields = BTreeMap<String, serde_json::Value>;

/// What a flow moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entity {
    /// Sales orders of a shop.
    Orders,
    /// What a shop gives back of its orders.
    Refunds,
    /// Articles, with their variations.
    Products,
    /// Quantities on hand.
    Stock,
    /// Customers and debtors.
    Customers,
    /// Prices per price class.
    Prices,
}

impl Entity {
    /// All entities.
    pub const ALL: [Self; 6] =
        [Self::Orders, Self::Refunds, Self::Products, Self::Stock, Self::Customers, Self::Prices];

    /// Its records are orders, or credit orders: they become documents in books.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Orders | Self::Refunds)
    }

    /// Name in configuration and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Refunds => "refunds",
            Self::Products => "products",
            Self::Stock => "stock",
            Self::Customers => "customers",
            Self::Prices => "prices",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Entity {
    type Err = Cause;

    fn from_str(text: &str) -> Result<Self, Cause> {
        Self::ALL.into_iter().find(|e| e.name() == text).ok_or_else(|| {
            let near = nearest(text, Self::ALL.iter().map(|e| e.name()));
            Cause::new("unknown_entity", format!("«{text}» is not an entity")).advice(near.map_or_else(
                || "use orders, refunds, products, stock, customers or prices".into(),
                |n| format!("did you mean «{n}»?"),
            ))
        })
    }
}

/// The document that an order becomes in the target; a refund becomes one that credits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentType {
    /// A sales order, to be delivered and invoiced by the ERP.
    SalesOrder,
    /// A sales invoice.
    SalesInvoice,
    /// An invoice that delivers stock itself, without an order before it.
    DirectInvoice,
    /// A booking on accounts, without items.
    FinancialEntry,
}

impl DocumentType {
    /// Name in configuration and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SalesOrder => "sales-order",
            Self::SalesInvoice => "sales-invoice",
            Self::DirectInvoice => "direct-invoice",
            Self::FinancialEntry => "financial-entry",
        }
    }
}

/// A canonical document of any entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// An order, or one that credits another.
    Order(Box<Order>),
    /// An article.
    Product(Box<Product>),
    /// A quantity on hand.
    StockLevel(StockLevel),
    /// A customer.
    Customer(Box<Customer>),
    /// A price.
    Price(Price),
}

impl Document {
    /// The entity this document belongs to.
    pub fn entity(&self) -> Entity {
        match self {
            Self::Order(order) if order.credits.is_some() => Entity::Refunds,
            Self::Order(_) => Entity::Orders,
            Self::Product(_) => Entity::Products,
            Self::StockLevel(_) => Entity::Stock,
            Self::Customer(_) => Entity::Customers,
            Self::Price(_) => Entity::Prices,
        }
    }

    /// The key by which the target recognises the document; `None` when the document has none (then it is refused).
    pub fn natural_key(&self) -> Option<NonEmpty> {
        match self {
            Self::Order(order) => NonEmpty::new(&order.reference),
            Self::Product(product) => NonEmpty::new(&product.sku),
            Self::StockLevel(stock) => NonEmpty::new(&stock.sku),
            Self::Customer(customer) => crate::keys::normalize_email(&customer.email),
            Self::Price(price) => price.key(),
        }
    }
}
