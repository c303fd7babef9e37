//! What the smaller resources ask of a row: what it points at is there, what must be unique is, the rest is filled in.

use serde_json::{Value, json};

use super::render::same_text;
use super::{Ctx, check, errors, photos, product_write, properties, variants};
use crate::message::Reply;
use crate::text::text;

/// Fields that point at a row: (field, resource).
const POINTERS: &[(&str, &str)] = &[
    ("product_id", "products"),
    ("product_variation_id", "products"),
    ("category_id", "categories"),
    ("user_id", "users"),
    ("usergroup_id", "usergroups"),
    ("group_id", "usergroups"),
    ("staggeredprice_id", "productstaggeredprices"),
    ("product_property_id", "productproperties"),
    ("product_property_group_id", "productpropertygroups"),
    ("brand_id", "brands"),
    ("supplier_id", "suppliers"),
    ("condition_id", "conditions"),
    ("package_id", "packages"),
];

/// Pairs that are there once: (resource, fields).
const ONCE: &[(&str, &[&str])] = &[
    ("producttocategories", &["product_id", "category_id"]),
    ("producttopropertygroups", &["product_id", "product_property_group_id"]),
    ("productpropertyvalues", &["product_id", "product_property_id"]),
    ("productvariations", &["product_id", "product_variation_id"]),
    ("producttaxtariffexceptions", &["product_id", "country"]),
    ("productstaggeredprices", &["product_id", "quantity"]),
    ("usergroupproductadjustments", &["usergroup_id", "product_id"]),
    ("usergroupcategoryadjustments", &["usergroup_id", "category_id"]),
    ("usergroupstaggeredpriceadjustments", &["usergroup_id", "staggeredprice_id"]),
    ("userproductadjustments", &["user_id", "product_id"]),
    ("usercategoryadjustments", &["user_id", "category_id"]),
    ("userstaggeredpriceadjustments", &["user_id", "staggeredprice_id"]),
];

/// Refuses a row that points at nothing; zero and nothing point nowhere.
pub(super) fn check_pointers(ctx: &Ctx<'_>, row: &Value) -> Result<(), Reply> {
    for (field, resource) in POINTERS {
        if let Some(id) = row[*field].as_i64().filter(|id| *id != 0) {
            ctx.row(resource, id)?;
        }
    }
    Ok(())
}

/// Before a row is stored for the first time.
pub(super) fn before_create(ctx: &mut Ctx<'_>, resource: &str, row: &mut Value) -> Result<(), Reply> {
    check_pointers(ctx, row)?;
    if let Some((_, fields)) = ONCE.iter().find(|(name, _)| *name == resource) {
        let same = |other: &Value| fields.iter().all(|field| super::write::same(&other[*field], &row[*field]));
        let there = match fields.first() {
            Some(&"product_id") => ctx.below(resource, "product_id", row["product_id"].as_i64().unwrap_or(0)),
            Some(&"usergroup_id") => ctx.below(resource, "usergroup_id", row["usergroup_id"].as_i64().unwrap_or(0)),
            _ => ctx.store.rows(resource).collect(),
        };
        if there.into_iter().any(same) {
            let value = fields.iter().map(|field| row[*field].to_string()).collect::<Vec<_>>().join("/");
            return Err(errors::taken(&fields.join("/"), &value));
        }
    }
    let now = ctx.stamp();
    let defaults = match resource {
        "categories" => {
            check::filled(ctx, row, "name")?;
            check_category(ctx, 0, row)?;
            let alias = text(row, "name").to_lowercase().replace(' ', "-");
            json!({"position": 1, "show_on_website": true, "parentcategory_id": 0, "description": "", "alias": alias})
        }
        "brands" | "suppliers" | "conditions" | "packages" | "attributes" | "attributevalues" => {
            check::filled(ctx, row, "name")?;
            if resource == "attributes" { json!({"attribute_type": 1}) } else { json!({}) }
        }
        "productpropertygroups" => {
            properties::check_group(ctx, 0, row)?;
            json!({})
        }
        "productproperties" => {
            properties::check_property(ctx, 0, row)?;
            json!({"type": "Text", "description": "", "position": 1})
        }
        "productpropertyoptions" => {
            properties::check_option(ctx, 0, row)?;
            json!({"position": 1})
        }
        "productpropertyvalues" => {
            properties::check_value(ctx, row)?;
            json!({})
        }
        "ordernotes" => json!({"note": "", "type": "merchant", "create_date": now}),
        "ordernotifications" => json!({"create_date": now}),
        "labels" => {
            json!({"tooltip": "", "show_on_products": false, "show_on_orders": false, "show_on_invoices": false})
        }
        "discountcoupons" => {
            if ctx.store.rows(resource).any(|other| same_text(other, "code", text(row, "code"))) {
                return Err(errors::taken("code", text(row, "code")));
            }
            json!({"productwhitelist": false, "products": []})
        }
        "producttocategories" => json!({"position": 1}),
        "productvariations" => json!({"auto_created": false}),
        "usergroups" => {
            json!({"groupname": "", "discount": 0, "default": false, "product_in_category_discount": "HIGHEST"})
        }
        "webhooks" => {
            check_address(ctx, row)?;
            json!({"createdate": now, "is_active": true, "key": uuid::Uuid::new_v4().simple().to_string()})
        }
        _ => json!({}),
    };
    if resource.ends_with("productadjustments") && row.get("price").is_some() && row.get("discount").is_none() {
        row["discount"] = json!(0);
    }
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if row.get(name).is_none() {
            row[name] = value.clone();
        }
    }
    Ok(())
}

/// Before a changed row is stored.
pub(super) fn before_patch(ctx: &mut Ctx<'_>, resource: &str, id: i64, row: &Value) -> Result<(), Reply> {
    match resource {
        "categories" => check_category(ctx, id, row),
        "webhooks" => check_address(ctx, row),
        "productpropertygroups" => properties::check_group(ctx, id, row),
        "productproperties" => properties::check_property(ctx, id, row),
        "productpropertyoptions" => properties::check_option(ctx, id, row),
        "productpropertyvalues" => properties::check_value(ctx, row),
        _ => Ok(()),
    }
}

/// The category above is there, and is not below this one.
fn check_category(ctx: &Ctx<'_>, id: i64, row: &Value) -> Result<(), Reply> {
    let mut above = row["parentcategory_id"].as_i64().unwrap_or(0);
    while above != 0 {
        let parent = ctx.row("categories", above)?;
        if above == id {
            return Err(errors::schema(ctx.switches, "a category cannot stand below itself"));
        }
        above = parent["parentcategory_id"].as_i64().unwrap_or(0);
    }
    Ok(())
}

fn check_address(ctx: &Ctx<'_>, row: &Value) -> Result<(), Reply> {
    let address = text(row, "address");
    if url::Url::parse(address).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
        return Ok(());
    }
    Err(errors::schema(ctx.switches, &format!("address \"{address}\" is no URL")))
}

/// Rows that go with the one that is gone.
pub(super) fn after_delete(ctx: &mut Ctx<'_>, resource: &str, row: &Value) {
    let id = row["id"].as_i64().unwrap_or_default();
    match resource {
        "categories" => remove(ctx, "producttocategories", "category_id", id),
        "productphotos" | "attributecombinationphotos" => photos::gone(ctx, row),
        "productstaggeredprices" => remove(ctx, "usergroupstaggeredpriceadjustments", "staggeredprice_id", id),
        "productpropertygroups" | "productproperties" | "producttopropertygroups" => {
            properties::gone(ctx, resource, row)
        }
        "productattributevalues" => {
            let product = row["product_id"].as_i64().unwrap_or_default();
            variants::regenerate(ctx.store, product);
            product_write::touch(ctx, product);
        }
        "attributes" | "attributevalues" => {
            let field = if resource == "attributes" { "optionid" } else { "optionvalue_id" };
            let of: Vec<Value> =
                ctx.store.rows("productattributevalues").filter(|one| one[field] == id).cloned().collect();
            for one in of {
                ctx.store.delete("productattributevalues", &one["id"].to_string());
                variants::regenerate(ctx.store, one["product_id"].as_i64().unwrap_or_default());
            }
            if resource == "attributes" {
                remove(ctx, "attributevalues", "attribute_id", id);
            }
        }
        _ => {}
    }
}

/// Removes the rows below a row.
pub(super) fn remove(ctx: &mut Ctx<'_>, table: &str, field: &str, id: i64) {
    let keys: Vec<String> = ctx.below(table, field, id).into_iter().map(|row| row["id"].to_string()).collect();
    keys.iter().for_each(|key| {
        ctx.store.delete(table, key);
    });
}

/// What the status of an invoice is called in the shop.
pub(super) fn invoice_status_name(status: &str) -> &'static str {
    match status {
        "paid" => "Betaald",
        "reimbursed" => "Terugbetaald",
        _ => "Openstaand",
    }
}
