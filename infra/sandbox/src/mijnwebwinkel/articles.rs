//! Articles: read, create, change, delete; their own fields and their lists.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{Ctx, dates, errors, images, lists};
use crate::message::Reply;
use crate::text::{decimal, text, whole};

/// Articles of the query, in the order of their ids.
fn wanted<'a>(ctx: &'a Ctx<'_>) -> Result<Vec<&'a Value>, Reply> {
    let ids = ctx.list_param("ids");
    let uuids = ctx.list_param("uuids");
    let rows = ctx.store.rows("articles").filter(|row| {
        (ids.is_empty() || ids.contains(&row["id"].to_string()))
            && (uuids.is_empty() || uuids.iter().any(|uuid| row["uuid"] == *uuid))
            && ctx.within(row, "_created", "created_start_date", "created_end_date")
            && ctx.within(row, "_changed", "changed_start_date", "changed_end_date")
    });
    let mut rows: Vec<&Value> = rows.collect();
    rows.sort_by_key(|row| row["id"].as_i64());
    Ok(rows)
}

/// `GET /articles`.
pub(super) fn list(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let rows = wanted(ctx)?;
    let page = ctx.page(rows);
    Ok(Reply::json(200, &page.into_iter().map(|row| shown(ctx, row)).collect()))
}

/// `GET /articles/count`.
pub(super) fn count(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &json!({"count": wanted(ctx)?.len()})))
}

/// The article of a path: by its id, or by its number in a category.
pub(super) fn find(ctx: &Ctx<'_>, id: &str) -> Result<Value, Reply> {
    if id.parse::<u64>().is_err() {
        return Err(errors::not_found("Article"));
    }
    let row = if ctx.flag("use_url_id") {
        ctx.store.rows("articles").find(|row| {
            let mut links = row["categories"].as_array().into_iter().flatten();
            links.any(|one| one["article_url_id"].as_i64().map(|number| number.to_string()).as_deref() == Some(id))
        })
    } else {
        ctx.store.get("articles", id)
    };
    row.cloned().ok_or_else(|| errors::not_found("Article"))
}

/// `GET /articles/{id}`.
pub(super) fn get(ctx: &Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &shown(ctx, &find(ctx, id)?)))
}

/// `DELETE /articles/{id}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let row = find(ctx, id)?;
    ctx.store.delete("articles", &row["id"].to_string());
    Ok(Reply::json(200, &json!("Article deleted")))
}

/// An article as the shop keeps one that is new.
pub(super) fn fresh(id: i64, at: DateTime<Utc>) -> Value {
    json!({"id": id, "uuid": super::uuid_of(0xa7, id), "name": "", "description": "", "sku": "", "badge_text": "",
        "taxable": true, "price": {"default": "0.00", "action": null, "purchase": "0.00"}, "stock": null,
        "can_backorder": false, "delivery_days": 1, "meta_title": "", "meta_description": "",
        "extra": {"visible": {}, "invisible": {}}, "categories": [], "lists": [], "images": [], "variants": [],
        "_created": dates::kept(at), "_changed": dates::kept(at)})
}

/// `POST /articles`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body("Article", 'c')?;
    let id = ctx.store.next_number("article", 601);
    let mut row = fresh(id, ctx.now);
    write(ctx, &mut row, &body, true)?;
    keep(ctx, row)
}

/// `PATCH /articles/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.body("Article", 'u')?;
    write(ctx, &mut row, &body, false)?;
    row["_changed"] = dates::kept(ctx.now);
    keep(ctx, row)
}

fn keep(ctx: &mut Ctx<'_>, row: Value) -> Result<Reply, Reply> {
    let id = row["id"].to_string();
    let answer = shown(ctx, &row);
    ctx.store.put("articles", &id, row);
    Ok(Reply::json(200, &answer))
}

fn refuse(field: &str, message: &str) -> Reply {
    errors::classic(400, &format!("{field}: {message}"))
}

fn write(ctx: &mut Ctx<'_>, row: &mut Value, body: &Value, new: bool) -> Result<(), Reply> {
    for field in ["name", "sku", "badge_text", "meta_title", "meta_description", "description"] {
        let Some(value) = body.get(field) else { continue };
        let length = value.as_str().map_or(0, |text| text.chars().count());
        let most = ctx.switches.text_max.filter(|_| !field.ends_with("description"));
        if most.is_some_and(|most| length > most) {
            return Err(refuse(field, "this value is too long."));
        }
        if field == "name" && length == 0 {
            return Err(refuse(field, "this value should not be blank."));
        }
        row[field] = value.clone();
    }
    let sku = text(body, "sku");
    if ctx.switches.unique_sku && !sku.is_empty() {
        let known = ctx.store.find("articles", "sku", sku).unwrap_or_default();
        if known.iter().any(|other| other["id"] != row["id"]) {
            return Err(refuse("sku", "this value is already used."));
        }
    }
    for field in ["taxable", "stock", "delivery_days"] {
        if let Some(value) = body.get(field) {
            row[field] = value.clone();
        }
    }
    for (field, value) in body["price"].as_object().into_iter().flatten() {
        let amount = decimal(value).filter(|amount| !amount.is_sign_negative() && amount.scale() <= 6);
        let text = value.as_str().unwrap_or("x");
        // An empty action price ends the action.
        row["price"][field] = match amount {
            Some(amount) => json!(format!("{amount:.2}")),
            None if field == "action" && text.is_empty() => Value::Null,
            None => return Err(refuse(&format!("price.{field}"), "this value is not a valid price.")),
        };
    }
    for side in ["visible", "invisible"] {
        let Some(fields) = body["extra"].get(side) else { continue };
        let Some(fields) = fields.as_object().cloned().or_else(|| empty_list(fields)) else {
            return Err(refuse(&format!("extra.{side}"), "this value should be an object."));
        };
        for (name, value) in fields {
            row["extra"][side][&name] = json!(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    if let Some(wanted) = body["categories"].as_array() {
        write_categories(ctx, row, wanted, new)?;
    } else if new {
        return Err(refuse("categories", "this value should not be blank."));
    }
    if let Some(wanted) = body["images"].as_array() {
        images::write(ctx, row, wanted)?;
    }
    if let Some(wanted) = body["lists"].as_array() {
        lists::write(ctx, row, wanted)?;
    }
    if let Some(wanted) = body["variants"].as_array() {
        write_variants(row, wanted)?;
    }
    Ok(())
}

/// An empty list stands for an object without fields, as PHP writes it.
fn empty_list(value: &Value) -> Option<Map<String, Value>> {
    value.as_array().filter(|list| list.is_empty()).map(|_| Map::new())
}

fn write_categories(ctx: &mut Ctx<'_>, row: &mut Value, wanted: &[Value], new: bool) -> Result<(), Reply> {
    let known: Vec<Value> = row["categories"].as_array().cloned().unwrap_or_default();
    let merge = !new && ctx.switches.patch_categories == "merge";
    let mut kept: Vec<Value> = if merge { known.clone() } else { Vec::new() };
    for one in wanted {
        let id = &one["category_id"];
        if ctx.store.get("categories", &id.to_string()).is_none() {
            return Err(refuse("categories", &format!("category {id} does not exist.")));
        }
        let before = known.iter().find(|known| known["category_id"] == *id);
        let url_id = match before {
            Some(before) => before["article_url_id"].clone(),
            None => json!(ctx.store.next_number("article_url", 9001)),
        };
        let of = |field: &str, usual: bool| {
            one[field].as_bool().or_else(|| before.and_then(|known| known[field].as_bool())).unwrap_or(usual)
        };
        let link = json!({"category_id": id, "is_active": of("is_active", true), "is_main": of("is_main", false),
            "article_url_id": url_id, "position": before.map_or(1, |known| known["position"].as_i64().unwrap_or(1))});
        kept.retain(|other| other["category_id"] != *id);
        kept.push(link);
    }
    if kept.is_empty() {
        return Err(refuse("categories", "this value should not be blank."));
    }
    if !kept.iter().any(|one| one["is_main"] == true) {
        kept[0]["is_main"] = json!(true);
    }
    row["categories"] = Value::Array(kept);
    Ok(())
}

/// Stock and backorders of variants; nothing else of them can be written.
fn write_variants(row: &mut Value, wanted: &[Value]) -> Result<(), Reply> {
    for one in wanted {
        let variants = row["variants"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        let Some(variant) = variants.iter_mut().find(|variant| variant["id"] == one["id"]) else {
            return Err(refuse("variants", &format!("variant {} does not belong to the article.", one["id"])));
        };
        for field in ["stock", "can_backorder"] {
            if let Some(value) = one.get(field) {
                variant[field] = value.clone();
            }
        }
    }
    Ok(())
}

/// `POST /articlefields/{id}?visible=`: name → value.
pub(super) fn add_fields(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.body("map(string)", 'c')?;
    let side = if ctx.flag("visible") { "visible" } else { "invisible" };
    for (name, value) in body.as_object().into_iter().flatten() {
        row["extra"][side][name] = value.clone();
    }
    row["_changed"] = dates::kept(ctx.now);
    keep(ctx, row)
}

/// `DELETE /articlefields/{id}?visible=`: a list of names.
pub(super) fn remove_fields(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.body("[string]", 'c')?;
    let side = if ctx.flag("visible") { "visible" } else { "invisible" };
    for name in body.as_array().into_iter().flatten().filter_map(Value::as_str) {
        if let Some(fields) = row["extra"][side].as_object_mut() {
            fields.remove(name);
        }
    }
    row["_changed"] = dates::kept(ctx.now);
    keep(ctx, row)
}

/// `POST` and `DELETE /articlelists/{article}`: a list of list ids.
pub(super) fn use_lists(ctx: &mut Ctx<'_>, id: &str, attach: bool) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.body("[int]", 'c')?;
    let ids: Vec<i64> = body.as_array().into_iter().flatten().filter_map(whole).collect();
    lists::change(ctx, &mut row, &ids, attach)?;
    row["_changed"] = dates::kept(ctx.now);
    keep(ctx, row)
}

/// An article as the API gives it.
pub(super) fn shown(ctx: &Ctx<'_>, row: &Value) -> Value {
    let php = ctx.switches.php();
    let mut out = row.clone();
    let zone = ctx.switches.zone();
    for (field, from) in [("created", "_created"), ("updated", "_changed")] {
        let (date, time) = dates::shown(dates::read(row, from).unwrap_or_default(), zone);
        out[format!("{field}_date")] = json!(date);
        out[format!("{field}_time")] = json!(time);
    }
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    let purchase = decimal(&row["price"]["purchase"]).unwrap_or_default();
    if php {
        // Seen as a number now and then.
        out["price"]["purchase"] = crate::text::number(purchase);
    }
    for side in ["visible", "invisible"] {
        if php && row["extra"][side].as_object().is_some_and(Map::is_empty) {
            out["extra"][side] = json!([]);
        }
    }
    out["lists"] = lists::shown(ctx, row);
    out["images"] = images::shown(ctx, row);
    for (at, variant) in row["variants"].as_array().into_iter().flatten().enumerate() {
        let options = variant["options"].as_array().cloned().unwrap_or_default();
        if php {
            let by_list = options.iter().map(|one| (one["list_id"].to_string(), one["name"].clone()));
            out["variants"][at]["options"] = Value::Object(by_list.collect());
        }
    }
    let slug = text(row, "name").to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    let url_id = &row["categories"][0]["article_url_id"];
    out["url"] = json!(format!("https://www.koppel-demo.test/a-{url_id}/{slug}/"));
    out
}
