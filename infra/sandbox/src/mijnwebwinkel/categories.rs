//! Categories: list, tree, create, change. None can be deleted.

use serde_json::{Value, json};

use super::{Ctx, dates, errors};
use crate::message::Reply;
use crate::text::text;

fn wanted<'a>(ctx: &'a Ctx<'_>) -> Vec<&'a Value> {
    let rows = ctx.store.rows("categories").filter(|row| {
        ctx.within(row, "_created", "created_start_date", "created_end_date")
            && ctx.within(row, "_changed", "changed_start_date", "changed_end_date")
    });
    rows.collect()
}

fn shown(row: &Value, leafs: Vec<Value>) -> Value {
    let mut out = row.clone();
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    out["leafs"] = Value::Array(leafs);
    out
}

fn tree(ctx: &Ctx<'_>, parent: &Value, depth: i64) -> Vec<Value> {
    if depth == 0 {
        return Vec::new();
    }
    let rows = ctx.store.rows("categories").filter(|row| row["parent_category_id"] == *parent);
    rows.map(|row| shown(row, tree(ctx, &row["id"], depth - 1))).collect()
}

/// `GET /categories`.
pub(super) fn list(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    if ctx.flag("as_tree") {
        let depth = ctx.call.param("max_depth").and_then(|text| text.parse().ok()).unwrap_or(5);
        let roots = tree(ctx, &Value::Null, depth);
        return Ok(Reply::json(200, &ctx.page(roots).into_iter().collect()));
    }
    let page = ctx.page(wanted(ctx));
    Ok(Reply::json(200, &page.into_iter().map(|row| shown(row, Vec::new())).collect()))
}

/// `GET /categories/count`.
pub(super) fn count(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &json!({"count": wanted(ctx).len()})))
}

fn find(ctx: &Ctx<'_>, id: &str) -> Result<Value, Reply> {
    ctx.store.get("categories", id).cloned().ok_or_else(|| errors::not_found("Category"))
}

/// `GET /categories/{id}`.
pub(super) fn get(ctx: &Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &shown(&find(ctx, id)?, Vec::new())))
}

/// `GET /categories/{id}/articles`.
pub(super) fn articles(ctx: &Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let category = find(ctx, id)?;
    let rows = ctx.store.rows("articles").filter_map(|row| {
        let mut links = row["categories"].as_array().into_iter().flatten();
        let link = links.find(|link| link["category_id"] == category["id"])?;
        Some(json!({"id": row["id"], "name": row["name"], "uuid": row["uuid"], "is_main": link["is_main"]}))
    });
    Ok(Reply::json(200, &ctx.page(rows.collect::<Vec<_>>()).into_iter().collect()))
}

/// A category as the shop keeps it.
pub(super) fn fresh(id: i64, parent: Value, title: &str, at: chrono::DateTime<chrono::Utc>) -> Value {
    json!({"id": id, "parent_category_id": parent, "hidden": false, "title": title, "content": "", "meta_title": "",
        "meta_description": "", "article_order": 4, "sorting": {"first": false, "last": false},
        "_created": dates::kept(at), "_changed": dates::kept(at)})
}

/// `POST /categories`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body("Category", 'c')?;
    let id = ctx.store.next_number("category", 41);
    write(ctx, fresh(id, Value::Null, "", ctx.now), &body)
}

/// `PATCH /categories/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let row = find(ctx, id)?;
    let body = ctx.body("Category", 'u')?;
    write(ctx, row, &body)
}

fn write(ctx: &mut Ctx<'_>, mut row: Value, body: &Value) -> Result<Reply, Reply> {
    for (name, value) in body.as_object().into_iter().flatten() {
        if name == "parent_category_id" {
            let parent = ctx.store.get("categories", &value.to_string());
            if parent.is_none() || *value == row["id"] {
                return Err(errors::classic(400, &format!("parent_category_id: category {value} does not exist.")));
            }
        }
        let most = ctx.switches.text_max.filter(|_| name != "content" && name != "meta_description");
        if most.is_some_and(|most| text(body, name).chars().count() > most) {
            return Err(errors::classic(400, &format!("{name}: this value is too long.")));
        }
        row[name] = value.clone();
    }
    row["_changed"] = dates::kept(ctx.now);
    let key = row["id"].to_string();
    let answer = shown(&row, Vec::new());
    ctx.store.put("categories", &key, row);
    Ok(Reply::json(200, &answer))
}
