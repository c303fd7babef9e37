//! Categories, tags, shipping classes and the terms of attributes: one kind of row with the same rules.

use serde_json::{Value, json};

use super::errors::{error, error_with, missing};
use super::order_write::{Step, run_batch};
use super::orders::Paging;
use super::request::{Check, Kind, check_body};
use super::words::{escaped, free, slug};
use super::{Ctx, Need, media, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{text, whole};

/// Where terms live.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    table: &'static str,
    /// The attribute they belong to.
    attribute: Option<i64>,
}

impl Kept {
    /// Categories, tags or shipping classes, by the word in the address.
    pub(super) fn named(word: &str) -> Option<Self> {
        let table = ["categories", "tags", "shipping_classes"].into_iter().find(|table| *table == word)?;
        Some(Self { table, attribute: None })
    }

    /// Terms of an attribute that is there.
    pub(super) fn of_attribute(ctx: &Ctx<'_>, attribute: i64) -> Result<Self, Reply> {
        match ctx.store.get("attributes", &attribute.to_string()) {
            Some(_) => Ok(Self { table: "terms", attribute: Some(attribute) }),
            None => Err(error(404, "woocommerce_rest_taxonomy_invalid", "Resource does not exist.")),
        }
    }

    fn has(self, row: &Value) -> bool {
        self.attribute.is_none() || row["attribute_id"].as_i64() == self.attribute
    }

    fn nested(self) -> bool {
        self.table == "categories"
    }

    fn rows(self, store: &Store) -> impl Iterator<Item = &Value> {
        store.rows(self.table).filter(move |row| self.has(row))
    }

    fn address(self) -> String {
        let site = render::RECORDED_SITE;
        match self.attribute {
            Some(id) => format!("{site}/wp-json/wc/v3/products/attributes/{id}/terms"),
            None => format!("{site}/wp-json/wc/v3/products/{}", self.table),
        }
    }
}

fn shown(row: &Value) -> Value {
    let mut row = row.clone();
    if let Value::Object(map) = &mut row {
        map.shift_remove("attribute_id");
    }
    row
}

/// `GET` of a list.
pub(super) fn list(ctx: &mut Ctx<'_>, kept: Kept) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let orderby = ["id", "include", "name", "slug", "term_group", "description", "count", "menu_order"];
    let paging = Paging::of(ctx, &mut check, &orderby, "name", "asc");
    let parent = ctx.params.get("parent").map(|_| check.int("parent", 0, None, None));
    check.done()?;
    ctx.allow(Need::List)?;
    let slugs = ctx.params.list("slug");
    let part = ctx.params.get("search").map(str::to_lowercase);
    let mut rows: Vec<&Value> = kept.rows(ctx.store).filter(|row| paging.holds(row)).collect();
    rows.retain(|row| {
        parent.is_none_or(|parent| row["parent"].as_i64() == Some(parent))
            && (slugs.is_empty() || slugs.iter().any(|slug| slug == text(row, "slug")))
            && (!ctx.params.flag("hide_empty") || row["count"].as_i64() != Some(0))
            && part.as_ref().is_none_or(|part| {
                let name = text(row, "name").to_lowercase();
                name.contains(part.as_str()) || name.contains(&escaped(part))
            })
    });
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(shown(row), &ctx.params)))
}

fn find(ctx: &Ctx<'_>, kept: Kept, id: i64) -> Result<Value, Reply> {
    let row = ctx.store.get(kept.table, &id.to_string()).filter(|row| kept.has(row)).cloned();
    row.ok_or_else(|| error(404, "woocommerce_rest_term_invalid", "Resource does not exist."))
}

/// `GET` of one.
pub(super) fn get(ctx: &mut Ctx<'_>, kept: Kept, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &render::select(shown(&find(ctx, kept, id)?), &ctx.params)))
}

fn rules() -> [(&'static str, Kind<'static>); 5] {
    [
        ("name", Kind::Text),
        ("slug", Kind::Text),
        ("parent", Kind::Integer),
        ("menu_order", Kind::Integer),
        ("image", Kind::Object),
    ]
}

/// `POST`.
pub(super) fn create(ctx: &mut Ctx<'_>, kept: Kept) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    if body.get("name").is_none() {
        return Err(missing(&["name"]));
    }
    check_body(&body, &rules())?;
    ctx.allow(Need::Create)?;
    let row = insert(ctx, kept, &body)?;
    Ok(render::json(201, &shown(&row)))
}

fn term_exists(row: &Value) -> Reply {
    let message = "A term with the name provided already exists with this parent.";
    error_with(400, "term_exists", message, json!({"resource_id": row["id"]}))
}

/// A name is there once among its siblings, unless a slug of its own tells them apart; a slug is there once.
fn insert(ctx: &mut Ctx<'_>, kept: Kept, body: &Value) -> Result<Value, Reply> {
    let name = escaped(text(body, "name").trim());
    if name.is_empty() {
        return Err(error(400, "empty_term_name", "A name is required for this term."));
    }
    let parent = body.get("parent").and_then(whole).unwrap_or(0);
    if kept.nested() && parent != 0 && ctx.store.get(kept.table, &parent.to_string()).is_none() {
        return Err(error(400, "missing_parent", "Parent term does not exist."));
    }
    let own = slug(text(body, "slug"));
    let taken = |slug: &str| kept.rows(ctx.store).any(|row| text(row, "slug") == slug);
    let twin = kept.rows(ctx.store).find(|row| {
        text(row, "name").eq_ignore_ascii_case(&name) && (!kept.nested() || row["parent"].as_i64() == Some(parent))
    });
    if let Some(twin) = twin.filter(|_| own.is_empty() || taken(&own)) {
        return Err(term_exists(twin));
    }
    let slug = free(if own.is_empty() { slug(&name) } else { own }.as_str(), taken);
    let row = json!({"id": ctx.store.next_number("term", 100), "name": name, "slug": slug, "description": ""});
    store(ctx, kept, row, body, parent)
}

fn store(ctx: &mut Ctx<'_>, kept: Kept, mut row: Value, body: &Value, parent: i64) -> Result<Value, Reply> {
    let fresh = row.get("count").is_none();
    if let Some(description) = body.get("description").and_then(Value::as_str) {
        row["description"] = json!(description);
    }
    if kept.nested() {
        row["parent"] = json!(parent);
        if fresh {
            row["display"] = json!("default");
            row["image"] = Value::Null;
        }
        if let Some(display) = body.get("display").filter(|value| value.is_string()) {
            row["display"] = display.clone();
        }
        if let Some(image) = body.get("image").filter(|value| value.is_object()) {
            row["image"] = media::take(ctx, image)?;
        }
    }
    if kept.table != "tags" && kept.table != "shipping_classes" {
        row["menu_order"] = body.get("menu_order").cloned().unwrap_or_else(|| match row.get("menu_order") {
            Some(order) => order.clone(),
            None => json!(0),
        });
    }
    if fresh {
        row["count"] = json!(0);
        let (address, id) = (kept.address(), row["id"].clone());
        row["_links"] = json!({"self": [{"href": format!("{address}/{id}")}], "collection": [{"href": address}]});
        if let Some(attribute) = kept.attribute {
            row["attribute_id"] = json!(attribute);
        }
    }
    ctx.store.put(kept.table, &row["id"].to_string(), row.clone());
    Ok(row)
}

/// `PUT`.
pub(super) fn update(ctx: &mut Ctx<'_>, kept: Kept, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &rules())?;
    ctx.allow(Need::Edit)?;
    let row = change(ctx, kept, id, &body)?;
    Ok(render::json(200, &shown(&row)))
}

fn change(ctx: &mut Ctx<'_>, kept: Kept, id: i64, body: &Value) -> Result<Value, Reply> {
    let mut row = find(ctx, kept, id)?;
    if let Some(name) = body.get("name").and_then(Value::as_str) {
        row["name"] = json!(escaped(name.trim()));
    }
    let parent = body.get("parent").and_then(whole).or(row["parent"].as_i64()).unwrap_or(0);
    if kept.nested() && parent != 0 && ctx.store.get(kept.table, &parent.to_string()).is_none() {
        return Err(error(400, "missing_parent", "Parent term does not exist."));
    }
    let own = slug(text(body, "slug"));
    if !own.is_empty() {
        let other = kept.rows(ctx.store).find(|other| text(other, "slug") == own && other["id"] != row["id"]);
        if let Some(other) = other {
            return Err(error_with(
                400,
                "duplicate_term_slug",
                "The slug is already in use by another term.",
                json!({"resource_id": other["id"]}),
            ));
        }
        row["slug"] = json!(own);
    }
    store(ctx, kept, row, body, parent)
}

/// `DELETE`: only with `force`.
pub(super) fn delete(ctx: &mut Ctx<'_>, kept: Kept, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    let row = find(ctx, kept, id)?;
    if !ctx.params.flag("force") {
        let message = "Resource does not support trashing.";
        return Err(error(501, "woocommerce_rest_trash_not_supported", message));
    }
    remove(ctx, kept, &row);
    Ok(render::json(200, &shown(&row)))
}

fn remove(ctx: &mut Ctx<'_>, kept: Kept, row: &Value) {
    ctx.store.delete(kept.table, &row["id"].to_string());
    if kept.nested() {
        super::product_fields::without_category(ctx.store, &row["id"]);
    }
}

/// `POST …/batch`.
pub(super) fn batch(ctx: &mut Ctx<'_>, kept: Kept) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| {
        let row = match step {
            Step::Create => insert(ctx, kept, item)?,
            Step::Update(id) => change(ctx, kept, id, item)?,
            Step::Delete(id) => {
                let row = find(ctx, kept, id)?;
                remove(ctx, kept, &row);
                row
            }
        };
        Ok(shown(&row))
    })
}

/// Name of the term of an attribute that this text means, made when `make` says so.
pub(super) fn option(ctx: &mut Ctx<'_>, attribute: i64, option: &str, make: bool) -> String {
    let kept = Kept { table: "terms", attribute: Some(attribute) };
    let name = escaped(option.trim());
    let known = kept.rows(ctx.store).find(|row| text(row, "name").eq_ignore_ascii_case(&name));
    if let Some(row) = known.or_else(|| kept.rows(ctx.store).find(|row| text(row, "slug") == option)) {
        return text(row, "name").to_owned();
    }
    if make && !name.is_empty() {
        let _ = insert(ctx, kept, &json!({ "name": name }));
    }
    name
}
