//! The settings of a flow, declared once as data: name, type, allowed values or the list its codes come from, default,
//! where it applies, an example, and what it is called in five languages.
//!
//! * `codes.yaml`, `orders.yaml`, `vat_number.yaml`, `records.yaml`: the declarations, in the shape of a connector's `settings.yaml`
//! * `values.rs`: what a flow has set, and which part of a setting says so
//! * `lists.rs`: the lists that codes come from, asked of the systems and kept for a while
//! * `reference.rs`: the page of the documentation
//! * `check.rs`: whether the target has the codes that a flow names

mod check;
mod lists;
mod reference;
mod values;

use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::{Cause, Failure};
use koppel_core::system::{Lookup, SourceList, SystemFacts, SystemKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::{Checked, check_codes};
pub use lists::{ListName, StoredList, list_of, stored_list};
pub use reference::reference_page;
pub use values::{Origin, SetCode, SetValue, codes_of, values_of};

const FILES: [&str; 4] = [
    include_str!("codes.yaml"),
    include_str!("orders.yaml"),
    include_str!("vat_number.yaml"),
    include_str!("records.yaml"),
];

/// One setting of a flow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingFacts {
    /// Name below `settings`; parts of a group have a dot: `stock.calculation`.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Where it applies.
    pub entities: Vec<Entity>,
    /// Only into systems of this kind.
    #[serde(default)]
    pub into: Option<SystemKind>,
    /// Only for these documents; empty for all.
    #[serde(default)]
    pub documents: Vec<DocumentType>,
    /// Allowed values of a choice.
    #[serde(default)]
    pub choices: Vec<String>,
    /// The list that codes come from.
    #[serde(default)]
    pub list: Option<Lookup>,
    /// Which system has that list.
    #[serde(default)]
    pub side: ListSide,
    /// What the keys of a table are.
    #[serde(default)]
    pub keys: Option<TableKeys>,
    /// Needed as soon as its group is there.
    #[serde(default)]
    pub required: bool,
    /// What holds when it is left out.
    #[serde(default)]
    pub default: Option<Value>,
    /// A value that shows what is meant, as YAML.
    pub example: String,
    /// What a person calls it.
    pub label: Texts,
    /// What a person needs to know.
    pub help: Texts,
}

/// Type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A code by force, table, country or default.
    Coded,
    /// One code.
    Code,
    /// Codes.
    Codes,
    /// One of the choices.
    Choice,
    /// Yes or no.
    YesNo,
    /// An exact number.
    Decimal,
    /// Text.
    Text,
    /// Texts.
    List,
    /// Values by key.
    Map,
}

/// Which system of a flow has a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSide {
    /// The one that is read.
    Source,
    /// The one that is written.
    #[default]
    Target,
}

/// What the keys of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKeys {
    /// Country, rate, exempt, business.
    Vat,
    /// Payment methods of the source.
    PaymentMethod,
    /// Shipping methods of the source.
    ShippingMethod,
    /// Tax classes of the source.
    TaxClass,
    /// Names of fees.
    FeeName,
    /// Names of discounts.
    DiscountName,
    /// VAT rates in percent.
    Rate,
    /// Category codes of the source.
    Category,
}

impl TableKeys {
    /// The list of the source that has these keys.
    pub fn list(self) -> Option<SourceList> {
        match self {
            Self::PaymentMethod => Some(SourceList::PaymentMethod),
            Self::ShippingMethod => Some(SourceList::ShippingMethod),
            Self::TaxClass => Some(SourceList::TaxClass),
            Self::Category => Some(SourceList::Category),
            Self::Vat | Self::Rate | Self::FeeName | Self::DiscountName => None,
        }
    }
}

/// A language of labels and help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Dutch.
    Nl,
    /// German.
    De,
    /// French.
    Fr,
    /// Italian.
    It,
}

impl Language {
    /// All languages with their codes.
    pub const ALL: [(&'static str, Self); 5] =
        [("en", Self::En), ("nl", Self::Nl), ("de", Self::De), ("fr", Self::Fr), ("it", Self::It)];
}

/// One text in every language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    en: String,
    nl: String,
    de: String,
    fr: String,
    it: String,
}

impl Texts {
    /// The text in one language.
    pub fn of(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Nl => &self.nl,
            Language::De => &self.de,
            Language::Fr => &self.fr,
            Language::It => &self.it,
        }
    }
}

impl SettingFacts {
    /// It decides something in a flow of this entity and document, between these systems.
    pub fn applies(
        &self,
        entity: Entity,
        document: Option<DocumentType>,
        source: &SystemFacts,
        target: &SystemFacts,
    ) -> bool {
        let list_is_there = match (self.list, self.side) {
            (None, _) => true,
            (Some(list), ListSide::Source) => source.lookups.contains(&list),
            (Some(list), ListSide::Target) => target.lookups.contains(&list),
        };
        let document_fits = self.documents.is_empty() || document.is_none_or(|d| self.documents.contains(&d));
        self.entities.contains(&entity)
            && self.target_kind(entity).is_none_or(|kind| kind == target.kind)
            && document_fits
            && list_is_there
    }

    /// Only into systems of this kind. Articles are kept in step in books as they are in shops.
    pub fn target_kind(&self, entity: Entity) -> Option<SystemKind> {
        self.into.filter(|kind| entity != Entity::Products || *kind != SystemKind::Shop)
    }

    /// The group and the name in it: `stock` and `calculation`.
    pub fn group(&self) -> Option<(&str, &str)> {
        self.name.split_once('.')
    }
}

/// All settings of flows, in the order people set them.
pub fn settings() -> Result<Vec<SettingFacts>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        flow: Vec<SettingFacts>,
    }
    let mut all = Vec::new();
    for text in FILES {
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            Failure::settings(Cause::new("broken_catalogue", format!("the catalogue of settings: {error}")))
        })?;
        all.extend(file.flow);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
