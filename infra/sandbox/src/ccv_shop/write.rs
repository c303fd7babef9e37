//! `POST`, `PATCH`, `DELETE` and `PUT` of any resource; what is special to one is in its own file.

use serde_json::{Map, Value, json};

use super::{Ctx, check, errors, invoices, order_write, photos, product_write, resources, rules, users};
use crate::message::Reply;
use crate::text::{decimal, text};

/// Texts that a shop has in more than one language.
const TRANSLATED: &[&str] = &[
    "name",
    "shortdescription",
    "description",
    "description_bottom",
    "specs",
    "page_title",
    "meta_description",
    "meta_keywords",
];

impl Ctx<'_> {
    /// The next id of a table.
    pub(super) fn next_id(&mut self, table: &str) -> i64 {
        if self.store.get("_sequences", table).is_none() {
            let used = self.store.rows(table).filter_map(|row| row["id"].as_i64()).max().unwrap_or(0);
            self.store.reserve_number(table, used.max(100));
        }
        self.store.next_number(table, 101)
    }

    /// Stores a row under its id.
    pub(super) fn put(&mut self, table: &str, row: Value) {
        let key = row["id"].to_string();
        self.store.put(table, &key, row);
    }

    /// Answer to a POST that worked: some give no body, and then the id has to be found by reading.
    pub(super) fn made(&self, resource: &str, row: &Value) -> Result<Reply, Reply> {
        if self.switches.post_without_answer.iter().any(|name| name == resource) {
            return Ok(Reply::empty(204));
        }
        Ok(Reply::json(self.switches.post_status, &self.show(resource, row)?))
    }
}

/// `POST`.
pub(super) fn create(ctx: &mut Ctx<'_>, resource: &str, parent: Option<(&str, i64)>) -> Result<Reply, Reply> {
    if let Some((name, id)) = parent {
        ctx.row(name, id)?;
    }
    let body = check::body(ctx, resource)?;
    match (resource, parent) {
        ("orders", None) => return order_write::create(ctx, &Value::Object(body)),
        ("products", None) => return product_write::create(ctx, body),
        ("users", None) => return users::create(ctx, body),
        ("productattributevalues", Some((_, product))) => return product_write::add_value(ctx, product, &body),
        ("productphotos" | "attributecombinationphotos", Some((above, id))) => {
            return photos::add(ctx, resource, above, id, &Value::Object(body));
        }
        ("invoices", Some((_, order))) => return make_invoice(ctx, order, &body),
        _ => {}
    }
    let mut row = Value::Object(body);
    if let Some((name, id)) = parent {
        let Some(field) = resources::find(resource).and_then(|known| known.link(name)) else {
            return Err(ctx.left_out());
        };
        row[field] = json!(id);
    }
    rules::before_create(ctx, resource, &mut row)?;
    let id = ctx.next_id(resource);
    let mut stored = json!({"id": id});
    for (name, value) in row.as_object().into_iter().flatten() {
        stored[name] = value.clone();
    }
    ctx.put(resource, stored.clone());
    if resource == "categories" {
        ctx.event("categories.created", id);
    }
    ctx.made(resource, &stored)
}

/// `POST /orders/{id}/invoices/`: of what is not invoiced yet.
fn make_invoice(ctx: &mut Ctx<'_>, order: i64, body: &Map<String, Value>) -> Result<Reply, Reply> {
    let now = ctx.stamp();
    let id = invoices::make(ctx.store, order, &now)
        .ok_or_else(|| errors::state("Everything of this order is on an invoice already."))?;
    let mut row = ctx.row("invoices", id)?.clone();
    for (name, value) in body {
        row[name] = value.clone();
    }
    ctx.put("invoices", row.clone());
    ctx.made("invoices", &row)
}

/// `PATCH`: 204, or 500.50 when everything is so already.
pub(super) fn patch(ctx: &mut Ctx<'_>, resource: &str, id: i64) -> Result<Reply, Reply> {
    let row = ctx.row(resource, id)?.clone();
    let body = check::body(ctx, resource)?;
    if resource == "orders" {
        return order_write::patch(ctx, row, &Value::Object(body));
    }
    if resource == "orderrows" {
        return order_write::patch_row(ctx, row, &body);
    }
    let mut changed = row.clone();
    let mut words = Map::new();
    for (name, value) in &body {
        if !ctx.language.is_empty() && TRANSLATED.contains(&name.as_str()) {
            words.insert(name.clone(), value.clone());
            continue;
        }
        let name = if (resource, name.as_str()) == ("products", "active") { "is_active" } else { name };
        changed[name] = match (&changed[name], value) {
            // What is not said of an address stays.
            (Value::Object(old), Value::Object(new)) => merged(old, new),
            _ => value.clone(),
        };
    }
    if !words.is_empty() {
        let language = ctx.language.clone();
        if !changed["_words"].is_object() {
            changed["_words"] = json!({});
        }
        let mut all = changed["_words"][&language].as_object().cloned().unwrap_or_default();
        all.extend(words);
        changed["_words"][&language] = Value::Object(all);
    }
    match resource {
        "products" => product_write::before_patch(ctx, &row, &mut changed, &body)?,
        "attributecombinations" => product_write::before_patch_combination(ctx, &row, &changed)?,
        "productphotos" | "attributecombinationphotos" => photos::before_patch(ctx, resource, &changed),
        "users" => users::before_patch(ctx, &row, &mut changed)?,
        _ => rules::before_patch(ctx, resource, id, &changed)?,
    }
    if same(&row, &changed) {
        if ctx.switches.refuse_same_value {
            return Err(errors::error("500.50", "The values are the same as the present ones."));
        }
        return Ok(Reply::empty(204));
    }
    match resource {
        "products" => {
            changed["modifydate"] = json!(ctx.stamp());
            ctx.event("products.updated", id);
        }
        "categories" => ctx.event("categories.updated", id),
        "invoices" if row["status"] != changed["status"] => {
            let name = rules::invoice_status_name(text(&changed, "status"));
            changed["status_name"] = json!(name);
            ctx.event("invoices.updated.status", id);
        }
        "attributecombinations" => product_write::touch(ctx, changed["product_id"].as_i64().unwrap_or_default()),
        _ => {}
    }
    ctx.put(resource, changed);
    Ok(Reply::empty(204))
}

/// A nested object with some fields replaced.
pub(super) fn merged(old: &Map<String, Value>, new: &Map<String, Value>) -> Value {
    let mut all = old.clone();
    for (name, value) in new {
        let value = match (all.get(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merged(old, new),
            _ => value.clone(),
        };
        all.insert(name.clone(), value);
    }
    Value::Object(all)
}

/// Equal, numbers by their value.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let all = a.keys().chain(b.keys());
            all.into_iter().all(|name| same(a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null)))
        }
        (Value::Number(_), Value::Number(_)) => decimal(a) == decimal(b),
        _ => a == b,
    }
}

/// `DELETE`: 204.
pub(super) fn delete(ctx: &mut Ctx<'_>, resource: &str, id: i64) -> Result<Reply, Reply> {
    let mut row = ctx.row(resource, id)?.clone();
    match resource {
        "products" => {
            // It goes to the trash, where no list shows it.
            row["_trashed"] = json!(true);
            ctx.put("products", row);
            ctx.event("products.deleted", id);
            return Ok(Reply::empty(204));
        }
        "categories" => ctx.event("categories.deleted", id),
        "orderrows" => return Err(ctx.left_out()),
        _ => {}
    }
    ctx.store.delete(resource, &id.to_string());
    rules::after_delete(ctx, resource, &row);
    Ok(Reply::empty(204))
}

/// `PUT` of everything below a row.
pub(super) fn replace(ctx: &mut Ctx<'_>, parent: (&str, i64), resource: &str) -> Result<Reply, Reply> {
    ctx.row(parent.0, parent.1)?;
    let body = Value::Object(check::body(ctx, resource)?);
    match (parent.0, resource) {
        ("products", "productphotos") => photos::replace(ctx, parent.1, &body),
        ("orders", "orderrows") => order_write::replace_rows(ctx, parent.1, &body),
        ("orders", "orderlabels") => order_write::set_labels(ctx, parent.1, &body),
        _ => Err(ctx.left_out()),
    }
}
