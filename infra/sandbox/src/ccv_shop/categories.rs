//! The tree of categories.

use serde_json::{Value, json};

use super::render::href;
use super::{Ctx, SITE};
use crate::message::Reply;
use crate::text::text;

fn deeplink(row: &Value) -> Value {
    json!(format!("{SITE}/{}/c-{}", text(row, "alias"), row["id"]))
}

/// A category with the one above it.
pub(super) fn shown(_ctx: &Ctx<'_>, mut row: Value) -> Value {
    row["deeplink"] = deeplink(&row);
    row["parentcategory"] = match row["parentcategory_id"].as_i64().filter(|id| *id > 0) {
        Some(id) => json!({"id": id, "href": href(&format!("categories/{id}"))}),
        None => json!({"id": null, "href": null}),
    };
    row
}

/// `GET /categorytree/`.
pub(super) fn tree(ctx: &Ctx<'_>) -> Reply {
    Reply::json(200, &json!({"href": href("categorytree"), "root_categories": nodes(ctx, 0, 0)}))
}

fn nodes(ctx: &Ctx<'_>, parent: i64, depth: usize) -> Vec<Value> {
    // A category cannot come below itself, but a tree that deep would be no tree.
    if depth > 20 {
        return Vec::new();
    }
    let below = ctx.store.rows("categories").filter(|row| row["parentcategory_id"].as_i64().unwrap_or(0) == parent);
    below
        .map(|row| {
            let id = row["id"].as_i64().unwrap_or_default();
            json!({"href": href(&format!("categories/{id}")), "id": id, "name": row["name"],
                "description": text(row, "description"), "position": row["position"],
                "show_on_website": row["show_on_website"], "deeplink": deeplink(row),
                "children": nodes(ctx, id, depth + 1)})
        })
        .collect()
}
