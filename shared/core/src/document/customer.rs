//! Customers: a company with a contact person, or a private person.

use serde::{Deserialize, Serialize};

use super::{Address, CustomFields};

/// A customer as the order flow and the customer flow know it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// Id in the source; empty for a guest.
    pub id: String,
    /// The buyer has no account in the shop.
    pub guest: bool,
    /// E-mail address: the natural key.
    pub email: String,
    /// Telephone number.
    pub phone: String,
    /// Present when the buyer acts as a company.
    pub company: Option<Company>,
    /// The private person, or the contact of the company.
    pub person: Person,
    /// VAT identification number as given.
    pub vat_number: Option<String>,
    /// ISO 639 language.
    pub language: String,
    /// Where invoices go.
    pub billing: Address,
    /// Where goods go.
    pub shipping: Address,
    /// Price class or role in the source.
    pub price_class: String,
    /// Free fields.
    pub custom: CustomFields,
    /// Coded values decided by settings (name → code in the target).
    pub codes: std::collections::BTreeMap<String, String>,
}

/// A company.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Company {
    /// Trade name.
    pub name: String,
    /// Number in the trade register.
    pub register_number: String,
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
}

impl Person {
    /// Given and family name in one.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

impl Customer {
    /// Name of the debtor: the company's, else the person's.
    pub fn debtor_name(&self) -> String {
        match &self.company {
            Some(company) => company.name.clone(),
            None => self.person.full_name(),
        }
    }
}
