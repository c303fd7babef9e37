//! Rows as v1/v2 show them: the fields the contract lists, stamps and versions, and what is only shown when asked for.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::contract::contract;
use super::rows::{Tx, created, modified, version};
use super::rules::periods::closed_by_switch;
use super::stock;
use crate::message::Call;
use crate::text::{number, text};

/// Which parts were asked for; what is not mentioned is shown.
#[derive(Debug, Default)]
pub(super) struct Expand {
    off: Vec<String>,
}

impl Expand {
    /// Reads `expand…=false`.
    pub fn of(call: &Call) -> Self {
        let off = call
            .pairs()
            .into_iter()
            .filter(|(name, value)| name.to_lowercase().starts_with("expand") && value.eq_ignore_ascii_case("false"));
        Self { off: off.map(|(name, _)| name.to_lowercase()).collect() }
    }

    fn on(&self, name: &str) -> bool {
        !self.off.iter().any(|off| off == name)
    }
}

/// Kinds of rows whose stamps come without an offset where forms are mixed.
const WITHOUT_OFFSET: &[&str] = &["Inventory", "CustomerSalesPrice", "JournalTransaction", "Location"];

/// A row as an answer.
pub(super) fn render(tx: &Tx<'_>, entity: &str, row: &Value, expand: &Expand) -> Value {
    let with_offset = !WITHOUT_OFFSET.contains(&entity);
    let mut shown = Map::new();
    for field in contract().entity(entity).fields.iter().filter(|field| field.read) {
        let value = match field.name.as_str() {
            "lastModifiedDateTime" => json!(tx.stamp(modified(row), with_offset)),
            "createdDateTime" => json!(tx.stamp(created(row), with_offset)),
            "timeStamp" | "timestamp" => json!(version(row)),
            name => match row.get(name) {
                Some(value) => value.clone(),
                None => continue,
            },
        };
        shown.insert(field.name.clone(), value);
    }
    if entity == "Inventory" {
        inventory(tx, row, &mut shown, expand);
    }
    if entity == "FinancialPeriod" && closed_by_switch(tx, row) {
        for (_, closed) in shown.iter_mut().filter(|(name, _)| name.starts_with("closedIn")) {
            *closed = json!(true);
        }
    }
    let shown = Value::Object(shown);
    if entity == "JournalTransaction" && !expand.on("expandattachments") {
        return without(shown, &["attachments"]);
    }
    shown
}

/// What an article shows only when asked for.
fn inventory(tx: &Tx<'_>, row: &Value, shown: &mut Map<String, Value>, expand: &Expand) {
    for (switch, field) in [
        ("expandcrossreference", "crossReferences"),
        ("expandattachment", "attachments"),
        ("expandattribute", "attributes"),
        ("expandaccountinformation", "accountInformation"),
        ("expandinventoryunits", "inventoryUnits"),
        ("expandsupplierdetails", "supplierDetails"),
        ("expandsalescategories", "salesCategories"),
        ("expandnote", "note"),
    ] {
        if !expand.on(switch) {
            shown.remove(field);
        }
    }
    if expand.on("expandwarehousedetail") && row["stockItem"] == true {
        let code = text(row, "inventoryNumber");
        let main = row["defaultWarehouse"]["id"].as_str().unwrap_or_default();
        let details = stock::positions(tx, code).into_iter().map(|position| {
            let house = text(&position, "warehouse");
            let at: DateTime<Utc> = text(&position, "_modified").parse().unwrap_or_default();
            json!({"warehouse": house, "isDefault": house == main,
                "quantityOnHand": number(stock::on_hand(&position)),
                "available": number(stock::available(tx, row, &position)),
                "availableForShipment": number(stock::for_shipment(&position)),
                "lastModifiedDateTime": tx.stamp(at, false)})
        });
        shown.insert("warehouseDetails".into(), Value::Array(details.collect()));
    }
}

fn without(mut value: Value, names: &[&str]) -> Value {
    if let Some(fields) = value.as_object_mut() {
        for name in names {
            fields.remove(*name);
        }
    }
    value
}
