//! Exact Online: orders become sales orders, invoices or sales entries, refunds what credits them; customers become
//! debtors, products items; products, stock and customers are read.
//!
//! See `README.md` in this folder for its facts, its quirks, and what is to be confirmed on a live account.

pub mod auth;
mod client;
mod credit;
mod customers;
mod diagnose;
mod documents;
mod errors;
mod lookups;
mod odata;
mod payload;
mod source;
mod target;

use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::system::{
    CustomerSearch, Limits, Lookup, MatchField, RoundingModel, RowsFile, SearchField, SearchFields, Side, SystemFacts,
    SystemKind, TaxRounding,
};

use crate::http::Deps;

/// Facts about Exact Online.
pub static FACTS: SystemFacts = SystemFacts {
    id: "exact-online",
    name: "Exact Online",
    kind: SystemKind::Erp,
    gets: &[Entity::Products, Entity::Stock, Entity::Customers],
    sends: &[Entity::Orders, Entity::Refunds, Entity::Products, Entity::Customers],
    documents: &[
        DocumentType::SalesOrder,
        DocumentType::SalesInvoice,
        DocumentType::DirectInvoice,
        DocumentType::FinancialEntry,
    ],
    lookups: &Lookup::ALL,
    customers: CustomerSearch { by: &MatchField::ALL, tells_all: true },
    reference_max_chars: Some(documents::REFERENCE_MAX_CHARS),
    searched: &[
        SearchFields { document: DocumentType::SalesOrder, fields: SEARCHED },
        SearchFields { document: DocumentType::SalesInvoice, fields: SEARCHED },
        SearchFields { document: DocumentType::DirectInvoice, fields: SEARCHED },
        SearchFields { document: DocumentType::FinancialEntry, fields: &[SearchField::text("YourRef")] },
    ],
    numbered: &[],
    // Prices with four decimals were accepted; tax is computed once per VAT code.
    rounding: Some(RoundingModel { unit_price_decimals: 4, tax: TaxRounding::PerVatCode }),
    // Of the ten errors after which Exact blocks an endpoint half are left to others who use the same app.
    limits: Limits {
        calls_per_minute: Some(60),
        calls_per_hour: None,
        calls_per_day: Some(5_000),
        errors_per_hour: Some(5),
        concurrency: Some(1),
    },
    default_lanes: 1,
    rows: &[
        document_rows(Entity::Orders, DocumentType::SalesOrder),
        document_rows(Entity::Orders, DocumentType::SalesInvoice),
        document_rows(Entity::Orders, DocumentType::DirectInvoice),
        document_rows(Entity::Orders, DocumentType::FinancialEntry),
        document_rows(Entity::Refunds, DocumentType::SalesOrder),
        document_rows(Entity::Refunds, DocumentType::SalesInvoice),
        document_rows(Entity::Refunds, DocumentType::DirectInvoice),
        document_rows(Entity::Refunds, DocumentType::FinancialEntry),
        RowsFile {
            side: Side::Target,
            entity: Entity::Customers,
            document: None,
            name: "exact-online/rows/customer.yaml",
            text: include_str!("rows/customer.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Customers,
            document: None,
            name: "exact-online/rows/customer.source.yaml",
            text: include_str!("rows/customer.source.yaml"),
        },
        RowsFile {
            side: Side::Target,
            entity: Entity::Products,
            document: None,
            name: "exact-online/rows/product.target.yaml",
            text: include_str!("rows/product.target.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Products,
            document: None,
            name: "exact-online/rows/product.yaml",
            text: include_str!("rows/product.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Stock,
            document: None,
            name: "exact-online/rows/stock.yaml",
            text: include_str!("rows/stock.yaml"),
        },
    ],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

/// Of orders and invoices, the usual one first.
const SEARCHED: &[SearchField] = &[
    SearchField::text("YourRef"),
    SearchField::text("Description"),
    SearchField::text("PaymentReference"),
    SearchField::number("OrderNumber"),
];

/// A refund is posted by the rows of the document that it credits.
const fn document_rows(entity: Entity, document: DocumentType) -> RowsFile {
    let (name, text) = match document {
        DocumentType::SalesOrder => {
            ("exact-online/rows/order.sales-order.yaml", include_str!("rows/order.sales-order.yaml"))
        }
        DocumentType::SalesInvoice => {
            ("exact-online/rows/order.sales-invoice.yaml", include_str!("rows/order.sales-invoice.yaml"))
        }
        DocumentType::DirectInvoice => {
            ("exact-online/rows/order.direct-invoice.yaml", include_str!("rows/order.direct-invoice.yaml"))
        }
        DocumentType::FinancialEntry => {
            ("exact-online/rows/order.financial-entry.yaml", include_str!("rows/order.financial-entry.yaml"))
        }
    };
    RowsFile { side: Side::Target, entity, document: Some(document), name, text }
}

/// The connector of one connection.
pub struct ExactOnline {
    client: client::Client,
    variants: source::variants::Variants,
    attributes: source::attributes::Attributes,
    /// Currency of sales prices.
    currency: String,
    credit_lines: credit::Sign,
    /// The field that tells the price class of a customer.
    price_class: source::price_class::PriceClass,
    /// An article of a group that Exact does not have is refused; otherwise it keeps its group, or gets the usual one.
    refuse_unknown_groups: bool,
    lists: target::lists::KeptLists,
}

impl ExactOnline {
    /// A connector for `connection`; nothing is sent yet.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self {
            client: client::Client::new(connection, deps)?,
            variants: source::variants::Variants::of(connection)?,
            attributes: source::attributes::Attributes::of(connection)?,
            currency: auth::Site::of(connection)?.currency(connection)?,
            credit_lines: credit::Sign::of(connection)?,
            price_class: source::price_class::PriceClass::of(connection)?,
            refuse_unknown_groups: target::refuses_unknown_groups(connection)?,
            lists: target::lists::KeptLists::default(),
        })
    }
}

// The client holds tokens, so nothing of it is shown.
impl std::fmt::Debug for ExactOnline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactOnline").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
