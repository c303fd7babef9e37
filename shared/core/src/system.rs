//! Facts that a connector declares about its system: what it can do, its limits, and how it computes totals.

use serde::{Deserialize, Serialize};

use crate::document::{DocumentType, Entity};

/// Facts about one system. Everything the chain needs to know without asking the system itself.
#[derive(Debug)]
pub struct SystemFacts {
    /// Id in configuration, such as `exact-online`.
    pub id: &'static str,
    /// Name as its vendor writes it.
    pub name: &'static str,
    /// Shop or ERP.
    pub kind: SystemKind,
    /// Entities it can be read from.
    pub gets: &'static [Entity],
    /// Entities that can be written to it.
    pub sends: &'static [Entity],
    /// Documents an order can become; empty for shops.
    pub documents: &'static [DocumentType],
    /// Lists whose codes are resolved before writing.
    pub lookups: &'static [Lookup],
    /// By what its customers can be found.
    pub customers: CustomerSearch,
    /// Most characters of the natural key of a document; a longer one is rejected, never cut.
    pub reference_max_chars: Option<usize>,
    /// Fields that its documents can be looked for by.
    pub searched: &'static [SearchFields],
    /// Fields of its records that take the number of the document they became.
    pub numbered: &'static [NumberFields],
    /// How it computes amounts; `None` for systems that post what they are given.
    pub rounding: Option<RoundingModel>,
    /// Limits to stay under.
    pub limits: Limits,
    /// Default lanes of a flow into this system.
    pub default_lanes: u32,
    /// Default mapping rows.
    pub rows: &'static [RowsFile],
    /// Field catalogue (YAML).
    pub fields: &'static str,
    /// What a user fills in (YAML).
    pub settings: &'static str,
}

impl SystemFacts {
    /// The default rows for one side of an entity.
    pub fn rows_for(&self, side: Side, entity: Entity, document: Option<DocumentType>) -> Option<&'static RowsFile> {
        self.rows.iter().find(|r| r.side == side && r.entity == entity && r.document == document)
    }

    /// The fields by which a document of this type can be looked for; the usual one first.
    pub fn search_fields(&self, document: DocumentType) -> &'static [SearchField] {
        self.searched.iter().find(|one| one.document == document).map_or(&[], |one| one.fields)
    }

    /// The fields of records of this entity that take the number of the document they became.
    pub fn number_field(&self, entity: Entity) -> Option<NumberField> {
        self.numbered.iter().find(|one| one.entity == entity).map(|one| one.field)
    }

    /// The lines of this document are amounts on accounts, without articles: a booking always, and every document of a
    /// system that has no list of items to refer to.
    pub fn posts_amounts(&self, document: Option<DocumentType>) -> bool {
        document == Some(DocumentType::FinancialEntry) || !self.lookups.contains(&Lookup::Item)
    }
}

/// What a customer can be recognised by, beside the link that is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchField {
    /// VAT identification number.
    VatNumber,
    /// Number at the chamber of commerce.
    ChamberNumber,
    /// E-mail address.
    Email,
}

impl MatchField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::VatNumber, Self::ChamberNumber, Self::Email];

    /// Name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::VatNumber => "vat_number",
            Self::ChamberNumber => "chamber_number",
            Self::Email => "email",
        }
    }

    /// As a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::VatNumber => "VAT number",
            Self::ChamberNumber => "chamber of commerce number",
            Self::Email => "e-mail address",
        }
    }
}

/// By what the customers of a system can be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerSearch {
    /// Fields that can be searched; none for systems that no documents are written to.
    pub by: &'static [MatchField],
    /// Every customer with that value is answered, with name and postcode: whoever asks can tell one from several. A
    /// system without it answers one.
    pub tells_all: bool,
}

/// The fields by which a document of one type can be looked for; the usual one first.
#[derive(Clone, Copy, Debug)]
pub struct SearchFields {
    /// Type.
    pub document: DocumentType,
    /// Fields, as rows name them.
    pub fields: &'static [SearchField],
}

/// A field by which documents can be looked for exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchField {
    /// Name, as rows name it.
    pub name: &'static str,
    /// It holds a whole number.
    pub is_number: bool,
}

impl SearchField {
    /// A text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_number: false }
    }

    /// A whole number.
    pub const fn number(name: &'static str) -> Self {
        Self { name, is_number: true }
    }
}

/// The fields of records of one entity that take the number of the document they became.
#[derive(Clone, Copy, Debug)]
pub struct NumberFields {
    /// Entity.
    pub entity: Entity,
    /// Fields.
    pub field: NumberField,
}

/// A field of a record that takes a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A custom field, of any name up to this many characters.
    Custom {
        /// Most characters of its name.
        max_chars: usize,
    },
}

/// Shop or ERP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemKind {
    /// Web shop.
    Shop,
    /// ERP or accounting.
    Erp,
}

/// Which side of a flow a mapping belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Native record → canonical document.
    Source,
    /// Canonical document → native payload.
    Target,
}

/// A mapping file that a connector ships.
#[derive(Debug)]
pub struct RowsFile {
    /// Side.
    pub side: Side,
    /// Entity.
    pub entity: Entity,
    /// Document type, on the target side of orders.
    pub document: Option<DocumentType>,
    /// File name for messages, such as `woocommerce/rows/order.yaml`.
    pub name: &'static str,
    /// Text of the file.
    pub text: &'static str,
}

/// A list in the target whose codes become references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lookup {
    /// Articles by code.
    Item,
    /// VAT codes.
    VatCode,
    /// Payment terms.
    PaymentTerms,
    /// Shipping methods.
    ShippingMethod,
    /// General ledger accounts.
    RevenueAccount,
    /// Journals.
    Journal,
    /// Cost centres.
    CostCenter,
    /// Cost units.
    CostUnit,
    /// Warehouses.
    Warehouse,
    /// Debtors by code.
    DefaultCustomer,
}

impl Lookup {
    /// All lists.
    pub const ALL: [Self; 10] = [
        Self::Item,
        Self::VatCode,
        Self::PaymentTerms,
        Self::ShippingMethod,
        Self::RevenueAccount,
        Self::Journal,
        Self::CostCenter,
        Self::CostUnit,
        Self::Warehouse,
        Self::DefaultCustomer,
    ];

    /// Name: the settings key and the key under `codes` and `refs` in rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::VatCode => "vat_code",
            Self::PaymentTerms => "payment_terms",
            Self::ShippingMethod => "shipping_method",
            Self::RevenueAccount => "revenue_account",
            Self::Journal => "journal",
            Self::CostCenter => "cost_center",
            Self::CostUnit => "cost_unit",
            Self::Warehouse => "warehouse",
            Self::DefaultCustomer => "default_customer",
        }
    }

    /// The list grows with the business, so it is asked for by code and only read whole when a person wants to see it.
    pub fn is_long(self) -> bool {
        matches!(self, Self::Item | Self::DefaultCustomer)
    }

    /// The list names persons, so it is never kept.
    pub fn names_persons(self) -> bool {
        self == Self::DefaultCustomer
    }

    /// The list as a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::VatCode => "VAT code",
            Self::PaymentTerms => "payment condition",
            Self::ShippingMethod => "shipping method",
            Self::RevenueAccount => "revenue account",
            Self::Journal => "journal",
            Self::CostCenter => "cost centre",
            Self::CostUnit => "cost unit",
            Self::Warehouse => "warehouse",
            Self::DefaultCustomer => "debtor",
        }
    }
}

/// A list in the source whose values decide: they are the keys of tables in settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceList {
    /// Ways to pay.
    PaymentMethod,
    /// Ways to send.
    ShippingMethod,
    /// Classes of tax.
    TaxClass,
    /// Categories of products.
    Category,
}

impl SourceList {
    /// All lists.
    pub const ALL: [Self; 4] = [Self::PaymentMethod, Self::ShippingMethod, Self::TaxClass, Self::Category];

    /// Name: with `source.` before it, because the target may have a list of the same name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PaymentMethod => "source.payment_method",
            Self::ShippingMethod => "source.shipping_method",
            Self::TaxClass => "source.tax_class",
            Self::Category => "source.category",
        }
    }
}

/// How a system turns posted lines into a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundingModel {
    /// Decimals of a posted unit price that the system keeps.
    pub unit_price_decimals: u32,
    /// Where tax is rounded.
    pub tax: TaxRounding,
}

/// Where a system rounds tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxRounding {
    /// Once per VAT code over the whole document.
    PerVatCode,
    /// On every line.
    PerLine,
}

/// Declared limits of a system; `None` where there is none or none is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Calls a minute.
    pub calls_per_minute: Option<u32>,
    /// Calls an hour.
    pub calls_per_hour: Option<u32>,
    /// Calls a day.
    pub calls_per_day: Option<u32>,
    /// Error answers an hour and endpoint that are still safe.
    pub errors_per_hour: Option<u32>,
    /// Calls at the same time.
    pub concurrency: Option<u32>,
}
