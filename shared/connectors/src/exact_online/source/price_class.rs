//! The price class of a customer: the code of its price list, or of one of its classifications.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::feeds;
use crate::exact_online::{ExactOnline, odata};

/// Which field of an account is its price class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::exact_online) enum PriceClass {
    /// None: nothing is read for it.
    None,
    /// `PriceList`.
    PriceList,
    /// `Classification1` … `Classification8`.
    Classification(String),
}

impl PriceClass {
    /// The option `price_class`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let Some(text) = connection.option("price_class") else { return Ok(Self::PriceList) };
        let number = text.strip_prefix("classification_").and_then(|number| number.parse::<u8>().ok());
        match (text.as_str(), number) {
            ("price_list", _) => Ok(Self::PriceList),
            ("none", _) => Ok(Self::None),
            (_, Some(number @ 1..=8)) => Ok(Self::Classification(format!("Classification{number}"))),
            _ => Err(Failure::settings(
                Cause::new("bad_option", format!("«{text}» is no price class of an account"))
                    .advice("use price_list, classification_1 to classification_8, or none")
                    .in_row("price_class")
                    .at_connection(&connection.name),
            )),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::PriceList => Some("PriceList"),
            Self::Classification(field) => Some(field),
        }
    }
}

/// Codes of price classes, by id.
#[derive(Debug, Default)]
pub(super) struct Classes {
    field: Option<String>,
    codes: BTreeMap<String, String>,
}

impl Classes {
    /// Reads the list when one of these accounts has a class.
    pub async fn read(
        exact: &ExactOnline,
        mut accounts: impl Iterator<Item = &Value>,
        calls: &Calls,
    ) -> Result<Self, Failure> {
        let Some(field) = exact.price_class.field() else { return Ok(Self::default()) };
        if !accounts.any(|row| odata::field(row, field).is_some()) {
            return Ok(Self::default());
        }
        let rows = match exact.price_class {
            PriceClass::Classification(_) => exact.client.list("crm/AccountClassifications", "ID,Code", calls).await?,
            _ => exact.client.list("sales/SalesPriceLists", "ID,Code", calls).await?,
        };
        let code = |row: &Value| Some((feeds::id(row, "ID")?, odata::field(row, "Code")?));
        Ok(Self { field: Some(field.to_owned()), codes: rows.iter().filter_map(code).collect() })
    }

    /// The class of an account; empty when it has none.
    pub fn of(&self, account: &Value) -> String {
        let id = self.field.as_deref().and_then(|field| feeds::id(account, field));
        id.and_then(|id| self.codes.get(&id).cloned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    #[test]
    fn a_class_that_is_none_is_refused() {
        let of = |text: &str| PriceClass::of(&connection("exact-online", json!({ "price_class": text }), &[]));
        assert_eq!(of("classification_3").unwrap().field(), Some("Classification3"));
        assert_eq!((of("price_list").unwrap(), of("none").unwrap()), (PriceClass::PriceList, PriceClass::None));
        for bad in ["classification_9", "PriceList", "classification_x"] {
            assert_eq!(of(bad).unwrap_err().class(), "settings", "{bad}");
        }
    }
}
