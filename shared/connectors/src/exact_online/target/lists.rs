//! Lists that an item points at: item groups, VAT codes, properties of assortments. They change seldom, so each is read
//! once for many items.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::nearest;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::exact_online::client::Client;
use crate::exact_online::odata;
use crate::exact_online::source::attributes::Assortments;

/// Somebody may add a group; after this long the lists are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// A VAT code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct VatCode {
    /// Prices under it include the tax.
    pub includes_tax: bool,
    blocked: bool,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// Ids of item groups, by name and by code in small letters.
    groups: BTreeMap<String, String>,
    vat: BTreeMap<String, VatCode>,
    /// Properties of assortments.
    pub assortments: Assortments,
}

impl Lists {
    /// The id of an item group by its name, else by its code.
    pub fn group(&self, name: &str) -> Option<&str> {
        self.groups.get(&name.trim().to_lowercase()).map(String::as_str)
    }

    /// The names and codes of groups, for advice.
    pub fn nearest_group(&self, name: &str) -> Option<String> {
        nearest(name, self.groups.keys().map(String::as_str)).map(str::to_owned)
    }

    /// A VAT code that may be used.
    pub fn vat(&self, code: &str) -> Result<&VatCode, Failure> {
        let refused = |what: &str, advice: String| {
            Failure::reject(
                Cause::new(format!("{what}_vat_code"), format!("the VAT code «{code}» is {what} in Exact Online"))
                    .advice(advice)
                    .in_row("target.SalesVatCode"),
            )
        };
        match self.vat.get(code.trim()) {
            Some(known) if known.blocked => Err(refused("blocked", "unblock it, or choose another".to_owned())),
            Some(known) => Ok(known),
            None => {
                let near = nearest(code, self.vat.keys().map(String::as_str));
                let advice = near.map_or_else(
                    || "set settings.vat_code, with a table from the tax classes of the source".to_owned(),
                    |near| format!("did you mean «{near}»?"),
                );
                Err(refused("unknown", advice))
            }
        }
    }

    /// Prices of an item under this VAT code include tax; `None` when it has none, or one that is not known.
    pub fn includes_tax(&self, code: Option<&str>) -> Option<bool> {
        self.vat.get(code?.trim()).map(|vat| vat.includes_tax)
    }
}

/// Keeps the lists of one division.
#[derive(Debug, Default)]
pub(in crate::exact_online) struct KeptLists(Mutex<Option<(DateTime<Utc>, Lists)>>);

impl KeptLists {
    /// The lists, read when they are not known or old.
    pub(super) async fn get(&self, client: &Client, properties: bool, calls: &Calls) -> Result<Lists, Failure> {
        let mut kept = self.0.lock().await;
        let now = client.now();
        if let Some((read, lists)) = kept.as_ref()
            && now - *read < KEPT
        {
            return Ok(lists.clone());
        }
        let mut lists = Lists::default();
        let groups = client.list("logistics/ItemGroups", "ID,Code,Description", calls).await?;
        // A name goes before a code that is spelled the same.
        for name in ["Code", "Description"] {
            for row in &groups {
                if let (Some(name), Some(id)) = (odata::field(row, name), odata::field(row, "ID")) {
                    lists.groups.insert(name.to_lowercase(), id.to_lowercase());
                }
            }
        }
        let vat_code = |row: &Value| {
            let includes_tax = odata::field(row, "Type").is_some_and(|kind| kind == "I");
            let blocked = odata::flag(row, "IsBlocked") == Some(true);
            Some((odata::field(row, "Code")?, VatCode { includes_tax, blocked }))
        };
        let vat = client.list("vat/VATCodes", "Code,Type,IsBlocked", calls).await?;
        lists.vat = vat.iter().filter_map(vat_code).collect();
        if properties {
            let select = "ItemAssortmentCode,Code,Description";
            lists.assortments = Assortments::of(&client.list("logistics/ItemAssortmentProperty", select, calls).await?);
        }
        *kept = Some((now, lists.clone()));
        Ok(lists)
    }
}
