//! Whether VAT numbers are checked, and what follows from each answer.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How VAT numbers are checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VatNumberSettings {
    /// Who is asked.
    pub check: NumberCheck,
    /// What a number is that nobody could say anything about.
    pub unknown: UnknownNumber,
    /// What follows from a number that is not valid.
    pub invalid: InvalidNumber,
    /// Country of the seller (ISO 3166), where the books do not say it: numbers of this country are not asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// VAT that is owed when a number does not count, by the country the goods go to: `{ BE: "21" }`. It is taken out of what
    /// was paid.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub percent: BTreeMap<String, Decimal>,
    /// Address of the service, when it is not VIES' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl VatNumberSettings {
    /// Nothing is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// Who is asked about a VAT number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberCheck {
    /// Nobody: it is taken as the shop gives it, and the target may refuse its form.
    #[default]
    Form,
    /// VIES.
    Vies,
}

/// What a number is that nobody could say anything about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownNumber {
    /// The record waits, and is tried again by itself.
    #[default]
    Wait,
    /// It counts.
    AsValid,
    /// It does not count.
    AsConsumer,
}

/// What follows from a number that is not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvalidNumber {
    /// The buyer counts as one without a VAT number.
    #[default]
    AsConsumer,
    /// The record is rejected.
    Reject,
}
