//! Asperion: orders become sales invoices or journal entries, refunds what credits them; customers become debtors;
//! debtors, articles and stock are read.
//!
//! Little of its API is published. What is confirmed is used; what is only assumed waits behind options; what nobody
//! outside has seen is refused with a sentence. See `README.md` in this folder.

pub mod auth;
mod client;
mod customers;
mod diagnose;
mod documents;
mod errors;
mod lines;
mod lookups;
mod native;
mod options;
mod profile;
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

/// Facts about Asperion.
pub static FACTS: SystemFacts = SystemFacts {
    id: "asperion",
    name: "Asperion",
    kind: SystemKind::Erp,
    gets: &[Entity::Products, Entity::Stock, Entity::Customers],
    sends: &[Entity::Orders, Entity::Refunds, Entity::Customers],
    documents: &[DocumentType::SalesInvoice, DocumentType::FinancialEntry],
    // No list of articles: invoices and entries are lines on ledger accounts.
    lookups: &[
        Lookup::VatCode,
        Lookup::PaymentTerms,
        Lookup::RevenueAccount,
        Lookup::Journal,
        Lookup::CostCenter,
        Lookup::CostUnit,
        Lookup::DefaultCustomer,
    ],
    customers: CustomerSearch { by: &[MatchField::Email], tells_all: false },
    reference_max_chars: Some(documents::REFERENCE_MAX_CHARS),
    searched: &[
        SearchFields { document: DocumentType::SalesInvoice, fields: &[SearchField::text("description")] },
        SearchFields { document: DocumentType::FinancialEntry, fields: &[SearchField::text("sourceDocumentNumber")] },
    ],
    numbered: &[],
    // Amount and VAT of each line are sent, so each line is rounded on its own.
    rounding: Some(RoundingModel { unit_price_decimals: 4, tax: TaxRounding::PerLine }),
    // Nothing is published; one call a second, one at a time, is what no server minds.
    limits: Limits {
        calls_per_minute: Some(60),
        calls_per_hour: None,
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(1),
    },
    default_lanes: 1,
    rows: &[
        document_rows(Entity::Orders, DocumentType::SalesInvoice),
        document_rows(Entity::Orders, DocumentType::FinancialEntry),
        document_rows(Entity::Refunds, DocumentType::SalesInvoice),
        document_rows(Entity::Refunds, DocumentType::FinancialEntry),
        RowsFile {
            side: Side::Target,
            entity: Entity::Customers,
            document: None,
            name: "asperion/rows/customer.yaml",
            text: include_str!("rows/customer.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Customers,
            document: None,
            name: "asperion/rows/customer.source.yaml",
            text: include_str!("rows/customer.source.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Products,
            document: None,
            name: "asperion/rows/product.yaml",
            text: include_str!("rows/product.yaml"),
        },
        RowsFile {
            side: Side::Source,
            entity: Entity::Stock,
            document: None,
            name: "asperion/rows/stock.yaml",
            text: include_str!("rows/stock.yaml"),
        },
    ],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

/// A refund is posted by the rows of the document that it credits.
const fn document_rows(entity: Entity, document: DocumentType) -> RowsFile {
    let (name, text) = match document {
        DocumentType::FinancialEntry => {
            ("asperion/rows/order.financial-entry.yaml", include_str!("rows/order.financial-entry.yaml"))
        }
        _ => ("asperion/rows/order.sales-invoice.yaml", include_str!("rows/order.sales-invoice.yaml")),
    };
    RowsFile { side: Side::Target, entity, document: Some(document), name, text }
}

/// The connector of one connection.
pub struct Asperion {
    client: client::Client,
    settings: options::Settings,
    profile: profile::Profile,
    variants: source::variants::Variants,
    attributes: source::attributes::Attributes,
}

impl Asperion {
    /// A connector for `connection`; nothing is sent yet.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let settings = options::Settings::of(connection)?;
        Ok(Self {
            client: client::Client::new(connection, &settings, deps)?,
            settings,
            profile: profile::Profile::of(connection)?,
            variants: source::variants::Variants::of(connection)?,
            attributes: source::attributes::Attributes::of(connection)?,
        })
    }
}

// The client holds tokens, so nothing of it is shown.
impl std::fmt::Debug for Asperion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asperion").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
