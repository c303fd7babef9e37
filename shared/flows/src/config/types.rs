//! The shape of `koppel.yaml`. Unknown keys are refused everywhere.

use std::collections::BTreeMap;
use std::fmt;

use koppel_core::Currency;
use koppel_core::document::{DocumentType, Entity};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::kept::{PriceSettings, ProductSettings, StockSettings, Update};
use super::vat_number::VatNumberSettings;
use super::{AlertsConfig, Schedule};

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Configured instances of systems, by name.
    #[serde(default)]
    pub connections: BTreeMap<String, ConnectionConfig>,
    /// Flows, by name.
    #[serde(default)]
    pub flows: BTreeMap<String, FlowConfig>,
    /// Where alerts go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertsConfig>,
}

/// One connection: the system, its credentials, and the options that the system's connector declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionConfig {
    /// System id, such as `woocommerce`.
    pub system: String,
    /// Secrets: `${env:NAME}` is read when the configuration is applied, and sealed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, String>,
    /// Options of the connector (`url`, `country`, `division`, …), written beside `system`.
    // `flatten` buffers numbers in a form that exact JSON numbers do not survive, so options hold plain values only.
    #[serde(flatten)]
    pub options: BTreeMap<String, Scalar>,
}

/// A text, whole number, yes/no, list or group of texts in an option.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// Whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// List of texts.
    List(Vec<String>),
    /// Texts by name.
    Group(BTreeMap<String, String>),
}

impl Serialize for Scalar {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(list) => list.serialize(serializer),
            Self::Group(group) => group.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true/false, a list of texts or a group of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Scalar, E> {
                Ok(Scalar::Flag(flag))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                i64::try_from(number).map(Scalar::Number).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                let mut list = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    list.push(text);
                }
                Ok(Scalar::List(list))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                let mut group = BTreeMap::new();
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    group.insert(name, text);
                }
                Ok(Scalar::Group(group))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl Scalar {
    /// The same value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => serde_json::Value::from(text.as_str()),
            Self::Number(number) => serde_json::Value::from(*number),
            Self::Flag(flag) => serde_json::Value::from(*flag),
            Self::List(list) => serde_json::Value::from(list.as_slice()),
            Self::Group(group) => {
                group.iter().map(|(name, text)| (name.clone(), serde_json::Value::from(text.as_str()))).collect()
            }
        }
    }
}

/// One flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowConfig {
    /// Connection to read from.
    pub from: String,
    /// Connection to write to.
    pub to: String,
    /// What is moved.
    #[schemars(with = "String")]
    pub entity: Entity,
    /// What an order becomes, or what credits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub document: Option<DocumentType>,
    /// When it runs; without a schedule only `koppel run` starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// The shop's webhooks start it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub webhook: bool,
    /// Nothing older than this date is read (`YYYY-MM-DD`, or a moment in RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Which records pass.
    #[serde(default)]
    pub filter: Filter,
    /// Settings.
    #[serde(default)]
    pub settings: FlowSettings,
    /// The user's own rows: `field: cell`, `target.Field: cell`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub map: serde_json::Map<String, serde_json::Value>,
    /// Parallel lanes; default by the target system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<u32>,
    /// The flow does nothing while this is set.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
}

/// Which records pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Statuses in the source's own words; empty lets all pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// A condition over `source`.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// A code of the target. Always text: `"00"` is not `0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Code(pub String);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor;
        impl Visitor<'_> for CodeVisitor {
            type Value = Code;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a code in quotes, such as \"4\" (codes are text: \"00\" is not 0)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Code, E> {
                match text.trim() {
                    "" => Err(E::custom("an empty code; leave the setting out instead")),
                    code => Ok(Code(code.to_owned())),
                }
            }
        }
        deserializer.deserialize_any(CodeVisitor)
    }
}

/// One coded value: forced > table entry for the source value > mapped value > by country > default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Setting {
    /// Always this code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<Code>,
    /// Source value → code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub table: BTreeMap<String, Code>,
    /// Country the goods go to → code.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_country: BTreeMap<String, Code>,
    /// Code when nothing else decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct SettingFields {
    force: Option<Code>,
    table: BTreeMap<String, Code>,
    by_country: BTreeMap<String, Code>,
    default: Option<Code>,
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SettingVisitor;
        impl<'de> Visitor<'de> for SettingVisitor {
            type Value = Setting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a code in quotes, or { force, table, by_country, default }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Setting, E> {
                if text.trim().is_empty() {
                    return Err(E::custom("an empty code; leave the setting out instead"));
                }
                Ok(Setting { default: Some(Code(text.trim().to_owned())), ..Setting::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Setting, A::Error> {
                let fields = SettingFields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Setting {
                    force: fields.force,
                    table: fields.table,
                    by_country: fields.by_country,
                    default: fields.default,
                })
            }
        }
        deserializer.deserialize_any(SettingVisitor)
    }
}

impl Setting {
    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }

    /// Every code that this setting can give.
    pub fn codes(&self) -> impl Iterator<Item = &Code> {
        self.force.iter().chain(self.table.values()).chain(self.by_country.values()).chain(&self.default)
    }
}

/// Settings of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FlowSettings {
    /// VAT code per line. Table keys: `BE/0/exempt`, `exempt`, `BE/0/business`, `NL/21`, `21`.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub vat_code: Setting,
    /// Revenue account per line. Table keys: as for `vat_code`.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub revenue_account: Setting,
    /// Payment terms. Table key: payment method of the shop.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub payment_terms: Setting,
    /// Shipping method. Table key: shipping method of the shop.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub shipping_method: Setting,
    /// Journal, for invoices and financial entries.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub journal: Setting,
    /// Cost centre per line.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub cost_center: Setting,
    /// Cost unit per line.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub cost_unit: Setting,
    /// Warehouse of the document.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub warehouse: Setting,
    /// Item for product lines without an article number. Table key: the tax class.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub default_item: Setting,
    /// Item for shipping costs. Table key: shipping method of the shop.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub shipping_item: Setting,
    /// Item for fees. Table key: name of the fee.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub fee_item: Setting,
    /// Item for discounts that are lines of their own. Table key: name of the discount.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub discount_item: Setting,
    /// Item for amounts that are given back without lines. Table key: the VAT rate, such as `21`.
    #[serde(skip_serializing_if = "Setting::is_unset")]
    pub refund_item: Setting,
    /// Debtor for orders without a customer of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_customer: Option<DefaultCustomer>,
    /// How customers are kept.
    pub customer: CustomerSettings,
    /// What happens to a difference of cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<Rounding>,
    /// Which lines of a bundle the target gets, and which of them have its price.
    #[serde(skip_serializing_if = "Bundles::is_as_is")]
    pub bundles: Bundles,
    /// Records that the target does not have are left out, instead of being created. Stock is never created.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub never_create: bool,
    /// Which fields are written to records that the target has already: `{ name: false }`, `{ others: false, price: true }`.
    #[serde(skip_serializing_if = "Update::is_unset")]
    pub update: Update,
    /// How stock is computed.
    #[serde(skip_serializing_if = "StockSettings::is_unset")]
    pub stock: StockSettings,
    /// How products are shown.
    #[serde(skip_serializing_if = "ProductSettings::is_unset")]
    pub product: ProductSettings,
    /// How prices of classes of customers are written.
    #[serde(skip_serializing_if = "PriceSettings::is_unset")]
    pub price: PriceSettings,
    /// Field of the target by which a document is looked for, when it is not the usual one. It holds the reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists_field: Option<String>,
    /// Field of the source that gets the number of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_back: Option<String>,
    /// What happens to a document whose date lies in a period that the books have closed.
    #[serde(skip_serializing_if = "ClosedPeriod::is_default")]
    pub closed_period: ClosedPeriod,
    /// Whether VAT numbers of other countries are checked, and what follows.
    #[serde(skip_serializing_if = "VatNumberSettings::is_unset")]
    pub vat_number: VatNumberSettings,
    /// Time zone of document dates, when they should not be the shop's own days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// What happens to a document whose date lies in a period that the books have closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedPeriod {
    /// The record is rejected.
    #[default]
    Reject,
    /// It is dated the first day after its own that is open, and says its own date.
    FirstOpenDay,
}

impl ClosedPeriod {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Debtor for orders without a customer of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultCustomer {
    /// When it is used.
    pub when: DefaultCustomerWhen,
    /// Code of the debtor.
    pub code: Code,
}

/// When the default debtor is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultCustomerWhen {
    /// Only when the order has no e-mail address.
    Missing,
    /// When the buyer has no account in the shop.
    Guest,
    /// For every order.
    Always,
}

/// Which lines of a bundle the target gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bundles {
    /// Each line with the price that the shop has on it.
    #[default]
    AsIs,
    /// The bundle alone, with all amounts.
    Parent,
    /// The parts alone, with all amounts.
    Children,
    /// Both; the bundle has all amounts.
    BothPricedOnParent,
    /// Both; the parts have all amounts.
    BothPricedOnChildren,
}

impl Bundles {
    /// Nothing is set.
    pub fn is_as_is(&self) -> bool {
        *self == Self::AsIs
    }
}

/// How customers are kept in the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CustomerSettings {
    /// Update a customer that exists when what the shop knows of it has changed.
    pub update: bool,
    /// What a customer is recognised by, in this order: `link`, `vat_number`, `chamber_number`, `email`.
    #[serde(skip_serializing_if = "is_usual_match")]
    pub r#match: Vec<String>,
    /// What must be the same too when only the e-mail address is.
    #[serde(skip_serializing_if = "Confirm::is_none")]
    pub confirm: Confirm,
}

impl Confirm {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

fn is_usual_match(rules: &[String]) -> bool {
    rules == ["link", "email"]
}

impl Default for CustomerSettings {
    fn default() -> Self {
        Self { update: false, r#match: vec!["link".into(), "email".into()], confirm: Confirm::None }
    }
}

/// What must be the same too when a customer was found by its e-mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confirm {
    /// Nothing.
    #[default]
    None,
    /// The name, or the postcode.
    NameOrPostcode,
}

/// What happens when the target's own rounding gives another total than was paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// Put the difference on a line of its own; otherwise the order is rejected.
    #[serde(default)]
    pub line: bool,
    /// Item of that line, for documents with items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Code>,
    /// Account of that line, for documents without items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Code>,
    /// VAT code of that line: one of 0 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_code: Option<Code>,
    /// Largest difference, for a currency with two decimals; others get as many of their smallest units (0.05 is 5 yen).
    #[schemars(with = "String")]
    pub max: Decimal,
}

impl Rounding {
    /// Largest difference in an order of this currency.
    pub fn max_in(&self, currency: Currency) -> Decimal {
        self.max * Decimal::ONE_HUNDRED * currency.unit()
    }
}
