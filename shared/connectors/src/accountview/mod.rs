//! AccountView, through the AccountView.Net web API: orders become sales orders, sales invoices or journal pages, refunds
//! what credits them; customers become debtors; articles, stock and debtors are read.
//!
//! Many names of this API are not published, so they are data: `profile.json`, compared with the data dictionary of the
//! installation before anything is written. See `README.md` in this folder.

pub mod auth;
mod body;
mod client;
mod customers;
mod diagnose;
mod documents;
mod errors;
mod foxpro;
mod lookups;
mod names;
mod profile;
mod source;
mod target;

use std::sync::Arc;

use chrono_tz::Tz;
use koppel_core::connection::Connection;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::nearest;
use koppel_core::ports::{Key, Store};
use koppel_core::system::{
    CustomerSearch, Limits, Lookup, MatchField, RoundingModel, RowsFile, SearchField, SearchFields, Side, SystemFacts,
    SystemKind, TaxRounding,
};
use koppel_core::{Cause, Failure};

use crate::http::Deps;

/// Facts about AccountView.
pub static FACTS: SystemFacts = SystemFacts {
    id: "accountview",
    name: "AccountView",
    kind: SystemKind::Erp,
    gets: &[Entity::Products, Entity::Stock, Entity::Customers],
    sends: &[Entity::Orders, Entity::Refunds, Entity::Customers],
    documents: &[DocumentType::SalesOrder, DocumentType::SalesInvoice, DocumentType::FinancialEntry],
    lookups: &[
        Lookup::Item,
        Lookup::VatCode,
        Lookup::PaymentTerms,
        Lookup::RevenueAccount,
        Lookup::Journal,
        Lookup::CostCenter,
        Lookup::DefaultCustomer,
    ],
    // Of sales orders; journal pages take twelve, which is checked with the length in the dictionary.
    customers: CustomerSearch { by: &[MatchField::Email], tells_all: false },
    reference_max_chars: Some(40),
    searched: &[
        SearchFields { document: DocumentType::SalesOrder, fields: &[SearchField::text("reference")] },
        SearchFields { document: DocumentType::SalesInvoice, fields: &[SearchField::text("reference")] },
        SearchFields { document: DocumentType::FinancialEntry, fields: &[SearchField::text("reference")] },
    ],
    numbered: &[],
    // How many decimals a price keeps is not known: two are kept by every system.
    rounding: Some(RoundingModel { unit_price_decimals: 2, tax: TaxRounding::PerVatCode }),
    // No limit is published. Behind the site stands one machine of the customer, so there is one call at a time.
    limits: Limits {
        calls_per_minute: None,
        calls_per_hour: None,
        calls_per_day: None,
        errors_per_hour: None,
        concurrency: Some(1),
    },
    default_lanes: 1,
    rows: &[
        document_rows(Entity::Orders, DocumentType::SalesOrder),
        document_rows(Entity::Orders, DocumentType::SalesInvoice),
        document_rows(Entity::Orders, DocumentType::FinancialEntry),
        document_rows(Entity::Refunds, DocumentType::SalesOrder),
        document_rows(Entity::Refunds, DocumentType::SalesInvoice),
        document_rows(Entity::Refunds, DocumentType::FinancialEntry),
        RowsFile {
            side: Side::Target,
            entity: Entity::Customers,
            document: None,
            name: "accountview/rows/customer.target.yaml",
            text: include_str!("rows/customer.target.yaml"),
        },
        source_rows(Entity::Customers, "accountview/rows/customer.yaml", include_str!("rows/customer.yaml")),
        source_rows(Entity::Products, "accountview/rows/product.yaml", include_str!("rows/product.yaml")),
        source_rows(Entity::Stock, "accountview/rows/stock.yaml", include_str!("rows/stock.yaml")),
    ],
    fields: include_str!("fields.yaml"),
    settings: include_str!("settings.yaml"),
};

const fn source_rows(entity: Entity, name: &'static str, text: &'static str) -> RowsFile {
    RowsFile { side: Side::Source, entity, document: None, name, text }
}

/// A refund is posted by the rows of the document that it credits, with negative quantities or amounts.
const fn document_rows(entity: Entity, document: DocumentType) -> RowsFile {
    let (name, text) = match document {
        DocumentType::SalesInvoice | DocumentType::DirectInvoice => {
            ("accountview/rows/order.sales-invoice.yaml", include_str!("rows/order.sales-invoice.yaml"))
        }
        DocumentType::SalesOrder => {
            ("accountview/rows/order.sales-order.yaml", include_str!("rows/order.sales-order.yaml"))
        }
        DocumentType::FinancialEntry => {
            ("accountview/rows/order.financial-entry.yaml", include_str!("rows/order.financial-entry.yaml"))
        }
    };
    RowsFile { side: Side::Target, entity, document: Some(document), name, text }
}

/// The connector of one connection.
pub struct AccountView {
    client: client::Client,
    profile: profile::Profile,
    names: names::Names,
    posting: documents::Posting,
    debtors: customers::Debtors,
    too_long: body::TooLong,
    closed_period: errors::ClosedPeriod,
    variants: source::families::Variants,
    attributes: source::families::Attributes,
    /// Selling prices of articles hold VAT.
    prices_with_vat: bool,
    /// Zone of the clock of the installation.
    zone: Tz,
    store: Arc<dyn Store>,
    /// Where the last debtor number is kept.
    number_key: Key,
}

impl AccountView {
    /// A connector for `connection`; nothing is sent yet.
    pub fn new(connection: &Connection, deps: &Deps) -> Result<Self, Failure> {
        let at = |failure: Failure| failure.map_cause(|cause| cause.at_connection(&connection.name));
        let profile = profile::Profile::of(connection)?;
        let journals = connection.option("sales_journals").unwrap_or_default();
        let posting = documents::Posting {
            currency: currency(connection).map_err(at)?,
            prices_include_vat: connection.flag("order_prices_include_vat"),
            trust_article_vat: choice(connection, "vat_on_order_lines", ["check", "trust"]).map_err(at)? == 1,
            journal_negative: choice(connection, "journal_lines", ["positive", "negative"]).map_err(at)? == 1,
            sales_journals: journals
                .split(',')
                .map(str::trim)
                .filter(|code| !code.is_empty())
                .map(Into::into)
                .collect(),
        };
        Ok(Self {
            client: client::Client::new(connection, deps)?,
            names: names::Names::new(connection, deps),
            posting,
            debtors: customers::Debtors::of(connection)?,
            too_long: body::TooLong::of(connection)?,
            closed_period: errors::ClosedPeriod::of(connection),
            variants: source::families::Variants::of(connection)?,
            attributes: source::families::Attributes::of(connection)?,
            prices_with_vat: connection.flag("article_prices_include_vat"),
            zone: zone(connection).map_err(at)?,
            store: Arc::clone(&deps.store),
            number_key: Key::new(&connection.tenant, &["debtor-number"], &connection.name),
            profile,
        })
    }

    /// Who answers, and how much of the profile the installation confirms.
    async fn introduce(&self, calls: &koppel_core::ports::Calls) -> Result<String, Failure> {
        let company = self.client.introduce(calls).await?;
        let dictionary = self.names.read(&self.client, &self.profile, calls).await?;
        if !dictionary.told {
            return Ok(format!(
                "{company}; its data dictionary cannot be read, so no name of the profile is confirmed"
            ));
        }
        let (mut confirmed, mut all, mut open) = (0, 0, Vec::new());
        for part in self.profile.parts() {
            let (there, of) = dictionary.count(part);
            (confirmed, all) = (confirmed + there, all + of);
            if !dictionary.objections(part, &part.fields(), names::Use::Read).is_empty() {
                open.push(part.name.clone());
            }
        }
        let mut text = format!("{company}; {confirmed} of {all} names of the profile are confirmed");
        if !open.is_empty() {
            text.push_str(&format!(" (not yet: {}; koppel doctor says which)", open.join(", ")));
        }
        Ok(text)
    }
}

/// The currency that the books are kept in.
fn currency(connection: &Connection) -> Result<String, Failure> {
    let code = connection.option("currency").unwrap_or_else(|| "EUR".to_owned());
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(code);
    }
    Err(Failure::settings(
        Cause::new("bad_option", format!("«{code}» is not the code of a currency"))
            .advice("write three capital letters, such as EUR")
            .in_row("currency"),
    ))
}

/// Which of two words an option says; the first when it is not there.
fn choice(connection: &Connection, name: &str, words: [&str; 2]) -> Result<usize, Failure> {
    let Some(text) = connection.option(name) else { return Ok(0) };
    words.iter().position(|word| *word == text).ok_or_else(|| {
        Failure::settings(
            Cause::new("bad_option", format!("«{text}» is no value of {name}"))
                .advice(format!("use {} or {}", words[0], words[1]))
                .in_row(name),
        )
    })
}

/// The zone of the machine that AccountView runs on.
fn zone(connection: &Connection) -> Result<Tz, Failure> {
    let name = connection.option("timezone").unwrap_or_else(|| "Europe/Amsterdam".to_owned());
    name.parse().map_err(|_| {
        let near = nearest(&name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let advice = near.map(|near| format!("did you mean «{near}»?"));
        Failure::settings(
            Cause::new("unknown_timezone", format!("«{name}» is not a time zone"))
                .advice(advice.unwrap_or_else(|| "use a name such as Europe/Amsterdam".into()))
                .in_row("timezone"),
        )
    })
}

// The client holds tokens, so nothing of it is shown.
impl std::fmt::Debug for AccountView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountView").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
