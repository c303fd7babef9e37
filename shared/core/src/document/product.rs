//! Articles: simple, virtual, or a parent with variations.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::CustomFields;

/// An article.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Product {
    /// Id in the source.
    pub id: String,
    /// Article number: the natural key.
    pub sku: String,
    /// Simple, virtual or variable.
    pub kind: ProductKind,
    /// Name.
    pub name: String,
    /// Long description, HTML allowed.
    pub description: String,
    /// Short description.
    pub short_description: String,
    /// Price; the flow's settings say whether tax is included. Empty: not for sale.
    pub price: Option<Decimal>,
    /// The price includes tax.
    pub price_includes_tax: bool,
    /// Percent of VAT on it, when the source knows: needed to make a price with tax of one without, and back.
    pub vat_percent: Option<Decimal>,
    /// Currency of the price.
    pub currency: String,
    /// EAN or other GTIN.
    pub gtin: String,
    /// Tax class or VAT code in the source.
    pub tax_class: String,
    /// Weight in kilograms.
    pub weight_kg: Option<Decimal>,
    /// To be seen in the shop.
    pub published: bool,
    /// First day on which it is sold.
    pub sold_from: Option<NaiveDate>,
    /// Last day on which it is sold.
    pub sold_until: Option<NaiveDate>,
    /// Groups it belongs to.
    pub categories: Vec<Category>,
    /// Choices (colour, size) and features (country of origin).
    pub attributes: Vec<Attribute>,
    /// Pictures, the main one first.
    pub images: Vec<Image>,
    /// Variations of a variable article.
    pub variations: Vec<Variation>,
    /// Free fields.
    pub custom: CustomFields,
}

/// What kind of article it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductKind {
    /// One article.
    #[default]
    Simple,
    /// A service: nothing is sent.
    Virtual,
    /// A parent whose variations are sold.
    Variable,
}

/// A category with its way down from the root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Category {
    /// Code in the source.
    pub code: String,
    /// Names from the root to this category.
    pub path: Vec<String>,
}

/// An attribute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attribute {
    /// Name.
    pub name: String,
    /// Values.
    pub values: Vec<String>,
    /// Variations differ by it (a choice); otherwise it only informs (a feature).
    pub varies: bool,
}

/// A picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Where it can be read.
    pub url: String,
    /// Alternative text.
    pub alt: String,
    /// Changes whenever the content may have changed: a hash, a version, or the moment of the last change.
    pub version: String,
}

/// One variation of a variable article.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variation {
    /// Id in the source.
    pub id: String,
    /// Article number.
    pub sku: String,
    /// EAN or other GTIN.
    pub gtin: String,
    /// Price.
    pub price: Option<Decimal>,
    /// Weight in kilograms.
    pub weight_kg: Option<Decimal>,
    /// To be seen in the shop.
    pub published: bool,
    /// The choices that make this variation.
    pub attributes: Vec<Attribute>,
    /// Picture.
    pub image: Option<Image>,
}
