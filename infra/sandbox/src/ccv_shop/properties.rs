//! Properties of products: groups, the properties in them, the options of some, and the values that products have.
//!
//! A value hangs on a product whose group of properties is attached to it, and is of the kind of its property.

use serde_json::{Value, json};

use super::render::same_text;
use super::{Ctx, check, errors, rules, seeds};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{parse_decimal, text};

/// Kinds whose values are chosen from a list.
const CHOSEN: [&str; 2] = ["Option", "OptionCheckbox"];
/// Kinds that only hold other properties.
const FOLDERS: [&str; 2] = ["Group", "CollapsedGroup"];

/// Properties that the shop starts with: one article has values of both.
pub(super) fn fill(store: &mut Store) {
    seeds::put(store, "productpropertygroups", json!({"id": 1, "name": "Specificaties"}));
    for (id, name, kind) in [(1, "Inhoud", "Text"), (2, "Land van herkomst", "Option")] {
        let row = json!({"id": id, "property_group_id": 1, "parent": null, "name": name, "description": "",
            "position": id, "icon": null, "type": kind});
        seeds::put(store, "productproperties", row);
    }
    for (id, name) in [(1, "Colombia"), (2, "Ethiopië")] {
        seeds::put(store, "productpropertyoptions", json!({"id": id, "property_id": 2, "name": name, "position": id}));
    }
    seeds::put(store, "producttopropertygroups", json!({"id": 1, "product_id": 12, "product_property_group_id": 1}));
    for (id, value) in [(1, "250 g"), (2, "Colombia")] {
        let row = json!({"id": id, "product_id": 12, "product_property_id": id, "value": value});
        seeds::put(store, "productpropertyvalues", row);
    }
}

/// A new property, or one that is changed.
pub(super) fn check_property(ctx: &Ctx<'_>, own: i64, row: &Value) -> Result<(), Reply> {
    check::filled(ctx, row, "name")?;
    once(ctx, "productproperties", "property_group_id", own, row)?;
    let Some(above) = row["parent"].as_i64().filter(|id| *id != 0) else { return Ok(()) };
    let parent = ctx.row("productproperties", above)?;
    let is_folder = FOLDERS.contains(&text(parent, "type"));
    if above == own || !is_folder || parent["property_group_id"] != row["property_group_id"] {
        return Err(errors::state(&format!("Property {above} cannot hold other properties of this group.")));
    }
    Ok(())
}

/// A new group, or one that is changed.
pub(super) fn check_group(ctx: &Ctx<'_>, own: i64, row: &Value) -> Result<(), Reply> {
    check::filled(ctx, row, "name")?;
    let same = |other: &Value| other["id"].as_i64() != Some(own) && same_text(other, "name", text(row, "name"));
    if ctx.switches.unique_property_names && ctx.store.rows("productpropertygroups").any(same) {
        return Err(errors::taken("name", text(row, "name")));
    }
    Ok(())
}

/// A new option, or one that is changed.
pub(super) fn check_option(ctx: &Ctx<'_>, own: i64, row: &Value) -> Result<(), Reply> {
    check::filled(ctx, row, "name")?;
    let property = ctx.row("productproperties", row["property_id"].as_i64().unwrap_or_default())?;
    let kind = text(property, "type");
    if !CHOSEN.contains(&kind) {
        return Err(errors::state(&format!("A property of type {kind} has no options.")));
    }
    once(ctx, "productpropertyoptions", "property_id", own, row)
}

/// A value is of the kind of its property, and its group belongs to the product.
pub(super) fn check_value(ctx: &Ctx<'_>, row: &Value) -> Result<(), Reply> {
    let property = ctx.row("productproperties", row["product_property_id"].as_i64().unwrap_or_default())?;
    let (kind, value) = (text(property, "type"), text(row, "value"));
    if FOLDERS.contains(&kind) {
        return Err(errors::state(&format!("A property of type {kind} has no value.")));
    }
    let product = row["product_id"].as_i64().unwrap_or_default();
    let group = property["property_group_id"].as_i64();
    let attached = ctx.below("producttopropertygroups", "product_id", product);
    if ctx.switches.property_value_needs_group
        && !attached.iter().any(|link| link["product_property_group_id"].as_i64() == group)
    {
        return Err(errors::state("The group of this property does not belong to the product."));
    }
    check::filled(ctx, row, "value")?;
    let fits = match kind {
        "Checkbox" => ["0", "1"].contains(&value),
        "Price" => parse_decimal(value).is_some_and(|price| !price.is_sign_negative()),
        "Option" => is_option(ctx, property, value),
        "OptionCheckbox" if ctx.switches.option_checkbox == "list" => {
            value.split(',').all(|one| is_option(ctx, property, one.trim()))
        }
        "OptionCheckbox" => is_option(ctx, property, value),
        _ => true,
    };
    if fits { Ok(()) } else { Err(errors::schema(ctx.switches, &format!("value \"{value}\" is none of type {kind}"))) }
}

fn is_option(ctx: &Ctx<'_>, property: &Value, value: &str) -> bool {
    let options = ctx.below("productpropertyoptions", "property_id", property["id"].as_i64().unwrap_or_default());
    let by_id = ctx.switches.property_options == "id";
    let is = |option: &&Value| {
        if by_id { value.parse().is_ok_and(|id: i64| option["id"] == id) } else { text(option, "name") == value }
    };
    options.iter().any(is)
}

/// One name below a row.
fn once(ctx: &Ctx<'_>, resource: &str, link: &str, own: i64, row: &Value) -> Result<(), Reply> {
    let name = text(row, "name");
    let below = ctx.below(resource, link, row[link].as_i64().unwrap_or_default());
    let same = |other: &&Value| other["id"].as_i64() != Some(own) && same_text(other, "name", name);
    if ctx.switches.unique_property_names && below.iter().any(same) {
        return Err(errors::taken("name", name));
    }
    Ok(())
}

/// A group of properties on a product, with the values the product has of them.
pub(super) fn with_values(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let group = row["product_property_group_id"].as_i64().unwrap_or_default();
    let of_group = |value: &&Value| {
        let property = ctx.store.get("productproperties", &value["product_property_id"].to_string());
        property.is_some_and(|property| property["property_group_id"] == group)
    };
    let product = row["product_id"].as_i64().unwrap_or_default();
    let values = ctx.below("productpropertyvalues", "product_id", product);
    let shown = values.into_iter().filter(of_group).filter_map(|value| ctx.show("productpropertyvalues", value).ok());
    row["values"] = json!({"collection": shown.collect::<Vec<_>>()});
    row
}

/// The value of an option by what stands for it in this shop.
pub(super) fn shown_value(ctx: &Ctx<'_>, mut row: Value) -> Value {
    if ctx.switches.property_options == "id" {
        let property = row["product_property_id"].as_i64().unwrap_or_default();
        let options = ctx.below("productpropertyoptions", "property_id", property);
        let named = options.iter().find(|option| text(option, "name") == text(&row, "value"));
        if let Some(id) = named.map(|option| option["id"].to_string()) {
            row["value"] = json!(id);
        }
    }
    row
}

/// What goes with the one that is gone.
pub(super) fn gone(ctx: &mut Ctx<'_>, resource: &str, row: &Value) {
    let id = row["id"].as_i64().unwrap_or_default();
    match resource {
        "productpropertygroups" => {
            rules::remove(ctx, "producttopropertygroups", "product_property_group_id", id);
            let properties: Vec<Value> =
                ctx.below("productproperties", "property_group_id", id).into_iter().cloned().collect();
            for property in properties {
                ctx.store.delete("productproperties", &property["id"].to_string());
                gone(ctx, "productproperties", &property);
            }
        }
        "productproperties" => {
            rules::remove(ctx, "productpropertyoptions", "property_id", id);
            rules::remove(ctx, "productpropertyvalues", "product_property_id", id);
        }
        "producttopropertygroups" => {
            let shown = with_values(ctx, row.clone());
            for value in shown["values"]["collection"].as_array().into_iter().flatten() {
                ctx.store.delete("productpropertyvalues", &value["id"].to_string());
            }
        }
        _ => {}
    }
}
