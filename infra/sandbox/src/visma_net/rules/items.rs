//! Articles: what their class says, attributes, cross references.

use serde_json::{Value, json};

use super::copy;
use crate::message::{Call, Reply};
use crate::text::text;
use crate::visma_net::body::{Verb, merge, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::rows::{Fields, Tx, field, filled, is_number};

const TABLE: &str = "inventory";

/// `POST /v1/inventory`.
pub(in crate::visma_net) fn post(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "Inventory", call, Verb::Create)?;
    let number = create(tx, input)?;
    Ok(tx.created(TABLE, &number, "/v1/inventory"))
}

/// A new article; gives its number.
pub(in crate::visma_net) fn create(tx: &mut Tx<'_>, mut input: Fields) -> Result<String, Reply> {
    let number = field(&input, "inventoryNumber").trim().to_owned();
    if tx.get(TABLE, &number).is_some() {
        return Err(tx.switches.failed(&format!("An inventory item with number '{number}' already exists.")));
    }
    let references = input.remove("crossReferences");
    let mut row = build(tx, &input, None)?;
    let id = tx.store.next_number("inventory", 1_001);
    row.insert("inventoryNumber".into(), json!(number));
    row.insert("inventoryId".into(), json!(id));
    row.insert("crossReferences".into(), cross_references(tx, &[], references.as_ref())?);
    row.insert("attachments".into(), json!([]));
    row.insert("salesCategories".into(), json!([]));
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, &number, row);
    Ok(number)
}

/// `PUT /v1/inventory/{inventoryNumber}`.
pub(in crate::visma_net) fn put(tx: &mut Tx<'_>, call: &Call, number: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, number).ok_or_else(not_found)?;
    tx.check_version(call, &Value::Object(before.clone()))?;
    let mut sent = read(tx.switches, "Inventory", call, Verb::Change)?;
    if filled(&sent, "inventoryNumber") && field(&sent, "inventoryNumber") != number {
        return Err(tx.switches.invalid("'inventoryNumber' is changed by an action of its own."));
    }
    let references = sent.remove("crossReferences");
    let held = before.get("_input").and_then(Value::as_object).cloned().unwrap_or_default();
    let attributes = merged_attributes(&held, &sent);
    let mut input = merge(&held, sent);
    input.insert("attributeLines".into(), attributes);
    let mut row = build(tx, &input, Some(&before))?;
    copy(
        &before,
        &mut row,
        &[
            "inventoryNumber",
            "inventoryId",
            "attachments",
            "salesCategories",
            "priceClass",
            "_files_modified",
            "_created",
        ],
    );
    let old = before["crossReferences"].as_array().cloned().unwrap_or_default();
    row.insert("crossReferences".into(), cross_references(tx, &old, references.as_ref())?);
    row.insert("_input".into(), Value::Object(input));
    tx.put(TABLE, number, row);
    Ok(tx.changed(TABLE, number))
}

/// Attribute lines are not a list that replaces: each names its attribute.
fn merged_attributes(held: &Fields, sent: &Fields) -> Value {
    let list = |fields: &Fields| fields.get("attributeLines").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut lines = list(held);
    for line in list(sent) {
        lines.retain(|old| old["attributeId"] != line["attributeId"]);
        lines.push(line);
    }
    Value::Array(lines)
}

fn build(tx: &Tx<'_>, input: &Fields, before: Option<&Fields>) -> Result<Fields, Reply> {
    let class = tx.reference(input, "itemClass", "itemClass")?.cloned();
    let class = class.ok_or_else(|| tx.switches.missing("itemClass"))?;
    let mut row = Fields::new();
    copy(
        input,
        &mut row,
        &["description", "body", "defaultPrice", "kitItem", "note", "packaging", "supplierDetails", "intrastat"],
    );
    let kind = if filled(input, "type") { field(input, "type") } else { text(&class, "type") };
    let stock = |kind: &str| ["FinishedGoodItem", "ComponentPartItem", "SubassemblyItem"].contains(&kind);
    if stock(kind) != stock(text(&class, "type")) {
        return Err(tx.switches.failed(&format!("Type '{kind}' does not fit item class '{}'.", text(&class, "id"))));
    }
    if before.is_some_and(|before| before["stockItem"] != stock(kind)) {
        return Err(tx.switches.failed("A stock item cannot become a non-stock item, nor the other way round."));
    }
    row.insert("type".into(), json!(kind));
    row.insert("stockItem".into(), json!(stock(kind)));
    let status = if filled(input, "status") { field(input, "status") } else { "Active" };
    row.insert("status".into(), json!(status));
    row.insert(
        "itemClass".into(),
        json!({"id": class["id"], "description": class["description"], "type": class["type"]}),
    );
    for (name, default, table) in [
        ("postingClass", "_postingClass", "itemPostClass"),
        ("vatCode", "_vatCategory", "vatCategory"),
        ("defaultWarehouse", "_warehouse", "warehouse"),
    ] {
        tx.reference(input, name, table)?;
        let id = if filled(input, name) { field(input, name) } else { text(&class, default) };
        if !id.is_empty() && (name != "defaultWarehouse" || stock(kind)) {
            row.insert(name.into(), tx.named(table, id, "id", "description"));
        }
    }
    if row
        .get("vatCode")
        .is_none_or(|code| tx.get("vatCategory", text(code, "id")).is_none_or(|row| row["active"] != true))
    {
        return Err(tx.switches.failed("The VAT category of an item must be there and active."));
    }
    for name in ["baseUnit", "salesUnit", "purchaseUnit"] {
        let unit = if filled(input, name) { field(input, name) } else { text(&class, "_unit") };
        if tx.store.rows("unitofmeasure").all(|row| row["fromUnit"] != unit) {
            return Err(tx.switches.unknown(name, unit));
        }
        row.insert(name.into(), json!(unit));
    }
    let posting =
        tx.get("itemPostClass", row["postingClass"]["id"].as_str().unwrap_or_default()).cloned().unwrap_or_default();
    let mut accounts = Fields::new();
    for name in [
        "salesAccount",
        "salesEuAccount",
        "salesExportAccount",
        "salesNonTaxableAccount",
        "cogsAccount",
        "inventoryAccount",
        "expenseAccount",
    ] {
        let number = if filled(input, name) { field(input, name) } else { text(&posting, &format!("_{name}")) };
        if !number.is_empty() {
            accounts.insert(name.into(), tx.account(name, number)?);
        }
    }
    row.insert("accountInformation".into(), Value::Object(accounts));
    row.insert("inventoryUnits".into(), Value::Array(units(tx, text(&Value::Object(row.clone()), "baseUnit"))));
    row.insert("attributes".into(), attributes(tx, &class, input)?);
    Ok(row)
}

/// Units an article can be sold in: its own, and those that convert into it.
fn units(tx: &Tx<'_>, base: &str) -> Vec<Value> {
    let rows = tx.store.rows("unitofmeasure").filter(|row| row["toUnit"] == base);
    rows.map(|row| {
        json!({"fromUnit": row["fromUnit"], "toUnit": row["toUnit"], "unitRate": row["unitRate"],
            "unitMultDiv": row["unitMultDiv"]})
    })
    .collect()
}

/// True when an article can be counted in a unit.
pub(in crate::visma_net) fn has_unit(item: &Value, unit: &str) -> bool {
    item["inventoryUnits"].as_array().is_some_and(|units| units.iter().any(|one| one["fromUnit"] == unit))
}

/// Attributes as they are shown: only those of the class, only values it knows, the mandatory ones there.
pub(in crate::visma_net) fn attributes(tx: &Tx<'_>, class: &Value, input: &Fields) -> Result<Value, Reply> {
    let of_class: Vec<&Value> = class["attributes"].as_array().into_iter().flatten().collect();
    let sent = input.get("attributeLines").and_then(Value::as_array).cloned().unwrap_or_default();
    for line in &sent {
        let id = text(line, "attributeId");
        let known = of_class.iter().find(|one| one["attributeId"] == id);
        let known = known.ok_or_else(|| tx.switches.unknown("attributeId", id))?;
        let allowed: Vec<&str> = known["details"].as_array().into_iter().flatten().map(|one| text(one, "id")).collect();
        let value = text(line, "attributeValue");
        let fits = match text(known, "attributeType") {
            "Combo" => allowed.contains(&value),
            "MultiSelectCombo" => value.split(',').all(|one| allowed.contains(&one.trim())),
            "Checkbox" => ["0", "1", "true", "false", "True", "False"].contains(&value),
            _ => true,
        };
        if !value.is_empty() && !fits {
            return Err(tx.switches.failed(&format!("'{value}' is not a value of attribute '{id}'.")));
        }
    }
    let mut shown = Vec::new();
    for one in of_class {
        let id = text(one, "attributeId");
        let line = sent.iter().find(|line| line["attributeId"] == id);
        let value = line.map_or(text(one, "defaultValue"), |line| text(line, "attributeValue"));
        if value.is_empty() && one["required"] == true {
            return Err(tx.switches.missing(&format!("attribute {id}")));
        }
        shown.push(json!({"id": id, "description": one["description"], "value": value}));
    }
    Ok(Value::Array(shown))
}

/// Cross references after a change; one alternative number of a kind is there once for an article.
fn cross_references(tx: &Tx<'_>, before: &[Value], sent: Option<&Value>) -> Result<Value, Reply> {
    let mut list = before.to_vec();
    for line in sent.and_then(Value::as_array).into_iter().flatten() {
        let line = line.as_object().cloned().unwrap_or_default();
        let (kind, id) = (field(&line, "alternateType").to_owned(), field(&line, "alternateID").to_owned());
        let place = list.iter().position(|one| one["alternateType"] == kind && one["alternateID"] == id);
        match (field(&line, "operation"), place) {
            ("Delete", Some(at)) => {
                list.remove(at);
            }
            ("Delete" | "Update", None) => return Err(tx.switches.unknown("alternateID", &id)),
            ("Update", Some(at)) => list[at] = reference(tx, &line)?,
            (_, Some(_)) => return Err(tx.switches.failed(&format!("Cross reference '{id}' already exists."))),
            (_, None) => list.push(reference(tx, &line)?),
        }
    }
    Ok(Value::Array(list))
}

fn reference(tx: &Tx<'_>, line: &Fields) -> Result<Value, Reply> {
    for name in ["alternateType", "alternateID"] {
        if !filled(line, name) {
            return Err(tx.switches.missing(name));
        }
    }
    let mut shown = Fields::new();
    copy(line, &mut shown, &["alternateType", "alternateID", "description", "uom"]);
    if ["CPN", "VPN"].contains(&field(line, "alternateType")) {
        let account = tx.reference(line, "bAccount", "customer")?;
        let account = account.ok_or_else(|| tx.switches.missing("bAccount"))?;
        let shown_account =
            json!({"internalId": account["internalId"], "number": account["number"], "name": account["name"]});
        shown.insert("bAccount".into(), shown_account);
    }
    Ok(Value::Object(shown))
}

/// `POST /v1/inventory/{nr}/crossReferences`, and `PUT` of one.
pub(in crate::visma_net) fn write_reference(
    tx: &mut Tx<'_>,
    call: &Call,
    number: &str,
    old: Option<(&str, &str)>,
) -> Result<Reply, Reply> {
    let mut row = tx.fields(TABLE, number).ok_or_else(not_found)?;
    let verb = if old.is_some() { Verb::Change } else { Verb::Create };
    let mut sent = read(tx.switches, "InventoryCrossReference", call, verb)?;
    let mut list = row["crossReferences"].as_array().cloned().unwrap_or_default();
    if let Some((kind, id)) = old {
        let at = list
            .iter()
            .position(|one| one["alternateType"] == kind && one["alternateID"] == id)
            .ok_or_else(not_found)?;
        let held = list.remove(at).as_object().cloned().unwrap_or_default();
        sent = merge(&held, sent);
    }
    let fresh = Value::Array(vec![Value::Object(sent)]);
    row.insert("crossReferences".into(), cross_references(tx, &list, Some(&fresh))?);
    tx.put(TABLE, number, row);
    Ok(Reply::empty(200))
}

/// `POST /v1/inventory/action/changeInventoryNbr/{internalId}`.
pub(in crate::visma_net) fn rename(tx: &mut Tx<'_>, call: &Call, internal: &str) -> Result<Reply, Reply> {
    let body = call.json().unwrap_or_default();
    let fresh = text(&body, "inventoryNbr").to_owned();
    let row = tx.rows(TABLE).into_iter().find(|row| is_number(&row["inventoryId"], internal)).cloned();
    let mut row = row.and_then(|row| row.as_object().cloned()).ok_or_else(not_found)?;
    if fresh.is_empty() {
        return Err(tx.switches.missing("inventoryNbr"));
    }
    if tx.get(TABLE, &fresh).is_some() {
        return Err(tx.switches.failed(&format!("An inventory item with number '{fresh}' already exists.")));
    }
    let old = field(&row, "inventoryNumber").to_owned();
    row.insert("inventoryNumber".into(), json!(fresh));
    tx.store.delete(TABLE, &old);
    tx.put(TABLE, &fresh, row);
    Ok(crate::visma_net::actions::done())
}
