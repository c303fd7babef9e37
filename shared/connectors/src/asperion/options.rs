//! What a connection says: which administration, which assumptions, which accounts.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::Value;

/// Rows of a page unless the connection says otherwise. The largest size is not known, so it is a modest one.
const PAGE_SIZE: u32 = 100;
/// Book years that an entry is looked for in unless the connection says otherwise: this one and the one before.
const SEARCH_YEARS: i32 = 2;

/// Where the VAT of an entry stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EntryVat {
    /// On a line of its own, on the VAT account: the amounts of all lines are nothing together.
    #[default]
    OwnLine,
    /// Only beside the amount of the line: amounts and VAT are nothing together.
    OnLine,
}

/// Options of a connection.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Administration; `None` as long as it is being looked for.
    pub administration: Option<u64>,
    /// Language of error texts.
    pub language: String,
    /// Rows of a page.
    pub page_size: u32,
    /// Articles are read, by assumed names.
    pub articles: bool,
    /// Debtors are changed, by an assumed call.
    pub debtor_update: bool,
    /// Amounts of invoice lines are posted with VAT.
    pub amounts_include_vat: bool,
    /// Where the VAT of entries stands.
    pub entry_vat: EntryVat,
    /// Account of debtors, for entries.
    pub debtor_account: Option<u64>,
    /// Account of VAT, for entries.
    pub vat_account: Option<u64>,
    /// Book years that an entry is looked for in.
    pub search_years: i32,
    /// Currency of the administration.
    pub currency: String,
    /// Prices of articles include VAT.
    pub prices_include_vat: bool,
    /// Kinds of new debtors, by `company` and `person`.
    pub debtor_kinds: BTreeMap<String, String>,
    /// Field of the customer classification.
    pub classification_field: String,
    /// Price class of the shop → classification.
    pub classifications: BTreeMap<String, String>,
}

impl Settings {
    /// Reads them.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let read = Reader { connection };
        let environment = connection.option("environment");
        if let Some(other) = environment.filter(|name| !matches!(name.as_str(), "production" | "sandbox")) {
            return Err(read.bad(
                "environment",
                format!("«{other}» is not an environment"),
                "use production or sandbox",
            ));
        }
        Ok(Self {
            administration: read.number("administration")?,
            language: connection.option("language").unwrap_or_else(|| "en-US".to_owned()),
            page_size: match read.number("page_size")? {
                None => PAGE_SIZE,
                Some(size) if (1..=1000).contains(&size) => u32::try_from(size).unwrap_or(PAGE_SIZE),
                Some(_) => {
                    return Err(read.bad("page_size", "page_size is out of 1 to 1000".into(), "use 100 or less"));
                }
            },
            articles: connection.flag("assume_articles"),
            debtor_update: connection.flag("assume_debtor_update"),
            amounts_include_vat: match connection.option("invoice_amounts").as_deref() {
                None | Some("excluding_vat") => false,
                Some("including_vat") => true,
                Some(other) => {
                    let message = format!("«{other}» does not say what invoice amounts are");
                    return Err(read.bad("invoice_amounts", message, "use excluding_vat or including_vat"));
                }
            },
            entry_vat: match connection.option("entry_vat").as_deref() {
                None | Some("own_line") => EntryVat::OwnLine,
                Some("on_line") => EntryVat::OnLine,
                Some(other) => {
                    let message = format!("«{other}» does not say where the VAT of an entry stands");
                    return Err(read.bad("entry_vat", message, "use own_line or on_line"));
                }
            },
            debtor_account: read.number("debtor_account")?,
            vat_account: read.number("vat_account")?,
            search_years: match read.number("search_years")? {
                None => SEARCH_YEARS,
                Some(years) if (1..=10).contains(&years) => i32::try_from(years).unwrap_or(SEARCH_YEARS),
                Some(_) => return Err(read.bad("search_years", "search_years is out of 1 to 10".into(), "use 2")),
            },
            currency: connection.option("currency").unwrap_or_else(|| "EUR".to_owned()),
            prices_include_vat: connection.flag("prices_include_vat"),
            debtor_kinds: read.group("debtor_kinds", &["company", "person"])?,
            classification_field: match connection.option("classification_field") {
                None => String::new(),
                Some(name) if is_debtor_characteristic(&name) => name,
                Some(other) => {
                    let message = format!("«{other}» is not a characteristic of a debtor");
                    return Err(read.bad("classification_field", message, "use characteristic4 or characteristic5"));
                }
            },
            classifications: read.group("classifications", &[])?,
        })
    }
}

/// Four and five were seen; that there are three more is a guess, so they are let through.
fn is_debtor_characteristic(name: &str) -> bool {
    let digit = name.strip_prefix("characteristic").and_then(|digit| digit.parse::<u8>().ok());
    digit.is_some_and(|digit| (1..=5).contains(&digit))
}

struct Reader<'a> {
    connection: &'a Connection,
}

impl Reader<'_> {
    fn bad(&self, option: &str, message: String, advice: &str) -> Failure {
        Failure::settings(
            Cause::new("bad_option", message).advice(advice).in_row(option).at_connection(&self.connection.name),
        )
    }

    fn number(&self, option: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.connection.option(option) else { return Ok(None) };
        let number = text
            .parse()
            .map_err(|_| self.bad(option, format!("{option}: «{text}» is not a number"), "give its number"));
        number.map(Some)
    }

    /// A group of texts; with `names` only these may stand in it.
    fn group(&self, option: &str, names: &[&str]) -> Result<BTreeMap<String, String>, Failure> {
        let Some(value) = self.connection.options.get(option).filter(|value| !value.is_null()) else {
            return Ok(BTreeMap::new());
        };
        let fields = value.as_object();
        let fields =
            fields.ok_or_else(|| self.bad(option, format!("{option} is not a group"), "write name: value pairs"))?;
        if let Some(name) = fields.keys().find(|name| !names.is_empty() && !names.contains(&name.as_str())) {
            return Err(self.bad(
                option,
                format!("{option}: «{name}» is not known"),
                &format!("use {}", names.join(" or ")),
            ));
        }
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(fields.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn settings(options: Value) -> Result<Settings, Failure> {
        Settings::of(&connection("asperion", options, &[]))
    }

    #[test]
    fn without_options_nothing_is_assumed() {
        let bare = settings(json!({})).unwrap();
        assert_eq!((bare.articles, bare.debtor_update, bare.amounts_include_vat), (false, false, false));
        assert_eq!((bare.entry_vat, bare.search_years, bare.page_size), (EntryVat::OwnLine, 2, 100));
        assert_eq!((bare.administration, bare.currency.as_str()), (None, "EUR"));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (options, row) in [
            (json!({"administration":"mine"}), "administration"),
            (json!({"page_size":0}), "page_size"),
            (json!({"entry_vat":"somewhere"}), "entry_vat"),
            (json!({"invoice_amounts":"gross"}), "invoice_amounts"),
            (json!({"search_years":40}), "search_years"),
            (json!({"environment":"test"}), "environment"),
            (json!({"debtor_kinds":{"firm":"Z"}}), "debtor_kinds"),
            (json!({"classification_field":"comments"}), "classification_field"),
            (json!({"classifications":"A"}), "classifications"),
        ] {
            let failure = settings(options.clone()).unwrap_err();
            assert_eq!((failure.class(), failure.cause().place.row.as_deref()), ("settings", Some(row)), "{options}");
        }
    }
}
