//! Visma Net: orders become sales orders, invoices, orders that invoice goods at once, or bookings; refunds what credits
//! them; customers are created and changed; items, stock, customers and prices of price classes are read.
//!
//! See `README.md` in this folder for its facts, its quirks, and what is to be confirmed on a live account.

pub mod auth;
mod client;
mod customers;
mod diagnose;
mod documents;
mod errors;
mod kept;
mod lookups;
mod options;
mod payload;
mod source;
mod target;
mod wire;

use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::ports::Calls;
use koppel_core::system::{
    CustomerSearch, Limits, Lookup, MatchField, RoundingModel, RowsFile, SearchField, SearchFields, Side, SystemFacts,
    SystemKind, TaxRounding,
};
use tokio::sync::OnceCell;

use crate::http::Deps;

/// Facts about Visma Net.
pub static FACTS: SystemFacts = SystemFacts {
    id: "visma-net",
    name: "Visma Net",
    kind: SystemKind::Erp,
    gets: &[Entity::Products, Entity::Stock, Entity::Customers, Entity::Prices],
    sends: &[Entity::Orders, Entity::Refunds, Entity::Customers],
    documents: &[
        DocumentType::SalesOrder,
        DocumentType::SalesInvoice,
        DocumentType::DirectInvoice,
        DocumentType::FinancialEntry,
    ],
    lookups: &Lookup::ALL,
    customers: CustomerSearch { by: &[MatchField::Email], tells_all: false },
    reference_max_chars: Some(documents::REFERENCE_MAX_CHARS),
    searched: &[
        SearchFields { document: DocumentType::SalesOrder, fields: SEARCHED_ORDER },
        SearchFields { document: DocumentType::DirectInvoice, fields: SEARCHED_ORDER },
        SearchFields {
            document: DocumentType::SalesInvoice,
            fields: &[SearchField::text("customerRefNumber"), SearchField::text("externalReference")],
        },
        SearchFields { document: DocumentType::FinancialEntry, fields: &[SearchField::text("referenceNumber")] },
    ],
    numbered: &[],
    // Not documented: two decimals are kept by every ERP, and lines are split where that is too coarse.
    rounding: Some(RoundingModel { unit_price_decimals: 2, tax: TaxRounding::PerVatCode }),
    // The limit of an hour is not published; this is that of a trial client. The first answer tells the real one.
    limits: Limits {
        calls_per_minute: None,
        calls_per_hour: Some(500),
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(2),
    },
    default_lanes: 2,
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
            name: "visma-net/rows/customer.target.yaml",
            text: include_str!("rows/customer.target.yaml"),
        },
        source_rows(Entity::Customers, "visma-net/rows/customer.yaml", include_str!("rows/customer.yaml")),
        source_rows(Entity::Products, "visma-net/rows/product.yaml", include_str!("rows/product.yaml")),
        source_rows(Entity::Stock, "visma-net/rows/stock.yaml", include_str!("rows/stock.yaml")),
        source_rows(Entity::Prices, "visma-net/rows/price.yaml", include_str!("rows/price.yaml")),
    ],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

/// Of orders, with what is handed over at once; the usual one first.
const SEARCHED_ORDER: &[SearchField] = &[SearchField::text("customer.refNo"), SearchField::text("customer.order")];

const fn source_rows(entity: Entity, name: &'static str, text: &'static str) -> RowsFile {
    RowsFile { side: Side::Source, entity, document: None, name, text }
}

/// What gives back has other fields than what it credits; only a booking is the same with its sides turned.
const fn document_rows(entity: Entity, document: DocumentType) -> RowsFile {
    let credit = matches!(entity, Entity::Refunds);
    let (name, text) = match document {
        DocumentType::SalesOrder | DocumentType::DirectInvoice if credit => {
            ("visma-net/rows/refund.sales-order.yaml", include_str!("rows/refund.sales-order.yaml"))
        }
        DocumentType::SalesInvoice if credit => {
            ("visma-net/rows/refund.sales-invoice.yaml", include_str!("rows/refund.sales-invoice.yaml"))
        }
        DocumentType::SalesOrder => {
            ("visma-net/rows/order.sales-order.yaml", include_str!("rows/order.sales-order.yaml"))
        }
        DocumentType::SalesInvoice => {
            ("visma-net/rows/order.sales-invoice.yaml", include_str!("rows/order.sales-invoice.yaml"))
        }
        DocumentType::DirectInvoice => {
            ("visma-net/rows/order.direct-invoice.yaml", include_str!("rows/order.direct-invoice.yaml"))
        }
        DocumentType::FinancialEntry => {
            ("visma-net/rows/order.financial-entry.yaml", include_str!("rows/order.financial-entry.yaml"))
        }
    };
    RowsFile { side: Side::Target, entity, document: Some(document), name, text }
}

/// The connector of one connection.
pub struct VismaNet {
    client: client::Client,
    documents: options::DocumentOptions,
    customers: options::CustomerOptions,
    prices: options::PriceOptions,
    segments: lookups::Segments,
    stock_field: options::StockField,
    variants: source::variants::Variants,
    /// What was seen of references that no filter finds.
    search: documents::Search,
    /// What the branch says of prices.
    home: OnceCell<Home>,
}

impl VismaNet {
    /// A connector for `connection`; nothing is sent yet.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        Ok(Self {
            client: client::Client::new(connection, deps)?,
            documents: options::DocumentOptions::of(connection)?,
            customers: options::CustomerOptions::of(connection)?,
            prices: options::PriceOptions::of(connection)?,
            segments: lookups::Segments::of(connection)?,
            stock_field: options::StockField::of(connection)?,
            variants: source::variants::Variants::of(connection)?,
            search: documents::Search::default(),
            home: OnceCell::new(),
        })
    }

    /// Currency and VAT zone of prices: the options, else those of the branch, asked for once.
    async fn home(&self, calls: &Calls) -> Result<&Home, Failure> {
        let ask = async || {
            let branches = diagnose::branches(&self.client, calls).await?;
            let own = diagnose::own_branch(&branches, self.documents.branch.as_deref());
            let of = |name: &str| own.and_then(|branch| wire::key_of(branch, name, "id"));
            let country = of("defaultCountry").unwrap_or_default();
            let zone = self.customers.zone_of(&country, false).map(str::to_owned);
            let currency = self.prices.currency.clone().or_else(|| of("currency"));
            Ok(Home { currency, vat_zone: zone.or_else(|| of("vatZone")) })
        };
        self.home.get_or_try_init(ask).await
    }
}

/// What prices mean at home.
#[derive(Clone, Debug, Default)]
struct Home {
    currency: Option<String>,
    vat_zone: Option<String>,
}

// The client holds tokens, so nothing of it is shown.
impl std::fmt::Debug for VismaNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VismaNet").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
