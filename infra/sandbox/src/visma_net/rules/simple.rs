//! Small things: attributes, and the tree of sales categories, which can only be read.

use serde_json::{Value, json};

use super::copy;
use crate::message::{Call, Reply};
use crate::visma_net::body::{Verb, merge_lines, read};
use crate::visma_net::errors::not_found;
use crate::visma_net::rows::{Fields, Tx, field, filled};

const TABLE: &str = "attribute";

/// `POST /v1/attribute`.
pub(in crate::visma_net) fn post_attribute(tx: &mut Tx<'_>, call: &Call) -> Result<Reply, Reply> {
    let input = read(tx.switches, "Attribute", call, Verb::Create)?;
    let id = field(&input, "attributeID").to_owned();
    if id.is_empty() {
        return Err(tx.switches.missing("attributeID"));
    }
    if tx.get(TABLE, &id).is_some() {
        return Err(tx.switches.failed(&format!("Attribute '{id}' already exists.")));
    }
    let row = attribute(tx, &Fields::new(), input)?;
    tx.put(TABLE, &id, row);
    Ok(tx.created(TABLE, &id, "/v1/attribute"))
}

/// `PUT /v1/attribute/{attributeId}`.
pub(in crate::visma_net) fn put_attribute(tx: &mut Tx<'_>, call: &Call, id: &str) -> Result<Reply, Reply> {
    let before = tx.fields(TABLE, id).ok_or_else(not_found)?;
    let mut input = read(tx.switches, "Attribute", call, Verb::Change)?;
    input.insert("attributeID".into(), json!(id));
    let row = attribute(tx, &before, input)?;
    tx.put(TABLE, id, row);
    Ok(tx.changed(TABLE, id))
}

fn attribute(tx: &Tx<'_>, before: &Fields, input: Fields) -> Result<Fields, Reply> {
    let mut row = before.clone();
    copy(&input, &mut row, &["attributeID", "description", "controlType", "entryMask", "regExp", "internal"]);
    for name in ["description", "controlType"] {
        if !filled(&row, name) {
            return Err(tx.switches.missing(name));
        }
    }
    let list = |fields: &Fields| fields.get("details").and_then(Value::as_array).cloned().unwrap_or_default();
    // Values are named by their text; the rule of lines needs a number.
    let numbered = |lines: Vec<Value>, known: &[Value]| -> Vec<Value> {
        let number = |line: &Value| known.iter().position(|one| one["valueId"] == line["valueId"]);
        lines
            .into_iter()
            .map(|mut line| {
                if let Some(at) = number(&line) {
                    line["_at"] = json!(at + 1);
                }
                line
            })
            .collect()
    };
    let old = list(before);
    let lines = merge_lines(tx.switches, &numbered(old.clone(), &old), &numbered(list(&input), &old), "_at")?;
    let mut shown: Vec<Value> = Vec::new();
    for mut line in lines {
        if shown.iter().any(|one| one["valueId"] == line["valueId"]) {
            return Err(tx.switches.failed("A value of an attribute is there once."));
        }
        if let Some(fields) = line.as_object_mut() {
            fields.remove("_at");
        }
        shown.push(line);
    }
    row.insert("details".into(), Value::Array(shown));
    Ok(row)
}

/// `DELETE /v1/attribute/{attributeId}`: not while a class uses it.
pub(in crate::visma_net) fn delete_attribute(tx: &mut Tx<'_>, id: &str) -> Result<Reply, Reply> {
    tx.get(TABLE, id).ok_or_else(not_found)?;
    let used = ["itemClass", "customerClass"].iter().any(|table| {
        tx.store
            .rows(table)
            .any(|class| class["attributes"].as_array().into_iter().flatten().any(|one| one["attributeId"] == id))
    });
    if used {
        return Err(tx.switches.failed(&format!("Attribute '{id}' is used by a class.")));
    }
    tx.store.delete(TABLE, id);
    Ok(Reply::empty(204))
}

/// Categories below one, with those below them.
pub(in crate::visma_net) fn category_tree(tx: &Tx<'_>, parent: i64) -> Value {
    let rows = tx.store.rows("salescategory").filter(|row| row["parentID"] == parent);
    rows.map(|row| {
        let mut row = row.clone();
        row["subCategories"] = category_tree(tx, row["categoryID"].as_i64().unwrap_or(-1));
        shown_category(&row)
    })
    .collect()
}

/// A category as it is shown.
pub(in crate::visma_net) fn shown_category(row: &Value) -> Value {
    json!({"categoryID": row["categoryID"], "description": row["description"], "parentID": row["parentID"],
        "sortOrder": row["sortOrder"], "subCategories": row["subCategories"]})
}
