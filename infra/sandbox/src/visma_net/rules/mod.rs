//! Rules of single kinds of records.

use serde_json::{Value, json};

use super::rows::{Fields, Tx, field, filled};
use crate::message::Reply;
use crate::text::text;

pub(super) mod amounts;
pub(super) mod customers;
pub(super) mod document;
pub(super) mod documents;
pub(super) mod items;
pub(super) mod journals;
pub(super) mod payments;
pub(super) mod people;
pub(super) mod periods;
pub(super) mod prices;
pub(super) mod simple;

impl Tx<'_> {
    /// A reference that must point at a row, when it is filled.
    pub fn reference(&self, fields: &Fields, name: &str, table: &str) -> Result<Option<&Value>, Reply> {
        if !filled(fields, name) {
            return Ok(None);
        }
        let key = field(fields, name);
        self.get(table, key).map(Some).ok_or_else(|| self.switches.unknown(name, key))
    }

    /// An active ledger account.
    pub fn account(&self, name: &str, number: &str) -> Result<Value, Reply> {
        let row = self.get("account", number).ok_or_else(|| self.switches.unknown(name, number))?;
        if row["active"] != true {
            return Err(self.switches.failed(&format!("Account '{number}' is inactive.")));
        }
        Ok(json!({"number": number, "description": row["description"], "type": row["type"]}))
    }

    /// Segments of a subaccount; the default one when none were sent.
    pub fn subaccount(&self, sent: Option<&Value>) -> Result<Value, Reply> {
        let sent = sent.and_then(Value::as_array).filter(|segments| !segments.is_empty());
        let Some(segments) = sent else { return Ok(self.shown_subaccount("000")) };
        let mut number = String::new();
        for segment in segments {
            let (id, value) = (segment["segmentId"].as_i64().unwrap_or(0), text(segment, "segmentValue"));
            let dimension = self.get("dimension", "SUBACCOUNT").cloned().unwrap_or_default();
            let known = dimension["segments"].as_array().into_iter().flatten().find(|one| one["segmentId"] == id);
            let values = known.and_then(|one| one["segmentValues"].as_array());
            let known = values.into_iter().flatten().any(|one| one["valueId"] == value && one["active"] == true);
            if !known {
                return Err(self.switches.unknown(&format!("subaccount segment {id}"), value));
            }
            number.push_str(value);
        }
        if self.get("subaccount", &number).is_none() {
            return Err(self.switches.unknown("subaccount", &number));
        }
        Ok(self.shown_subaccount(&number))
    }

    fn shown_subaccount(&self, number: &str) -> Value {
        let row = self.get("subaccount", number).cloned().unwrap_or_default();
        json!({"subaccountNumber": number, "subaccountId": row["subaccountId"], "description": row["description"],
            "segments": row["segments"], "active": true})
    }

    /// The branch a document belongs to.
    pub fn branch(&self, fields: &Fields, name: &str) -> Result<Value, Reply> {
        let row = self.reference(fields, name, "branch")?.or_else(|| self.get("branch", "1"));
        let row = row.cloned().unwrap_or_default();
        if row["isActive"] == false {
            return Err(self.switches.failed(&format!("Branch '{}' is inactive.", text(&row, "number"))));
        }
        Ok(json!({"number": row["number"], "name": row["name"]}))
    }
}

/// Copies fields that are shown as they were sent.
pub(super) fn copy(from: &Fields, to: &mut Fields, names: &[&str]) {
    for name in names {
        if let Some(value) = from.get(*name).filter(|value| !value.is_null()) {
            to.insert((*name).into(), value.clone());
        }
    }
}
