//! Reading orders, and putting a ready-made one into the shop.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Europe::Amsterdam;
use serde_json::{Value, json};

use super::deliver::Happened;
use super::errors::invalid_id;
use super::request::Check;
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::state::Store;
use crate::text::{amount, text};

/// Statuses a list may ask for.
pub(super) const STATUSES: &[&str] = &[
    "any",
    "trash",
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
];
const HIDDEN: &[&str] = &["trash", "auto-draft", "checkout-draft"];

/// Writes a moment in both of its fields: local time of the site and UTC.
pub(super) fn set_moment(row: &mut Value, field: &str, at: DateTime<Utc>) {
    row[field] = json!(at.with_timezone(&Amsterdam).format("%Y-%m-%dT%H:%M:%S").to_string());
    row[format!("{field}_gmt")] = json!(at.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z'));
}

/// The four date arguments, strictly exclusive, with a resolution of one second.
pub(super) struct Window {
    after: Option<String>,
    before: Option<String>,
    modified_after: Option<String>,
    modified_before: Option<String>,
}

impl Window {
    pub(super) fn of(check: &mut Check<'_>) -> Self {
        // As rows have it: UTC in a fixed form, so that texts sort as the moments do.
        let mut bound = |name: &str| check.moment(name).map(|at| at.format("%Y-%m-%dT%H:%M:%S").to_string());
        Self {
            after: bound("after"),
            before: bound("before"),
            modified_after: bound("modified_after"),
            modified_before: bound("modified_before"),
        }
    }

    pub(super) fn holds(&self, row: &Value) -> bool {
        let within = |field: &str, after: &Option<String>, before: &Option<String>| {
            if after.is_none() && before.is_none() {
                return true;
            }
            let at = text(row, field);
            !at.is_empty()
                && after.as_ref().is_none_or(|after| at > after.as_str())
                && before.as_ref().is_none_or(|before| at < before.as_str())
        };
        within("date_created_gmt", &self.after, &self.before)
            && within("date_modified_gmt", &self.modified_after, &self.modified_before)
    }
}

/// Arguments every list has.
pub(super) struct Paging {
    pub page: i64,
    pub per_page: i64,
    pub offset: Option<i64>,
    pub ascending: bool,
    pub orderby: String,
    pub include: Vec<i64>,
    pub exclude: Vec<i64>,
}

impl Paging {
    pub(super) fn of(ctx: &Ctx<'_>, check: &mut Check<'_>, orderby: &[&str], default: &str, order: &str) -> Self {
        Self {
            page: check.int("page", 1, Some(1), None),
            per_page: check.int("per_page", 10, Some(1), Some(100)),
            offset: ctx.params.get("offset").map(|_| check.int("offset", 0, None, None)),
            ascending: check.one_of("order", order, &["asc", "desc"]) == "asc",
            orderby: check.one_of("orderby", default, orderby),
            include: check.ints("include"),
            exclude: check.ints("exclude"),
        }
    }

    /// Rows that may be on the list: those asked for by id, or all.
    pub(super) fn candidates<'a>(&self, store: &'a Store, table: &str) -> Vec<&'a Value> {
        if self.include.is_empty() {
            return store.rows(table).collect();
        }
        let mut ids = self.include.clone();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| store.get(table, &id.to_string())).collect()
    }

    pub(super) fn holds(&self, row: &Value) -> bool {
        let id = row["id"].as_i64().unwrap_or_default();
        (self.include.is_empty() || self.include.contains(&id)) && !self.exclude.contains(&id)
    }

    pub(super) fn sort(&self, rows: &mut [&Value]) {
        let id = |row: &Value| row["id"].as_i64().unwrap_or_default();
        match self.orderby.as_str() {
            "id" => rows.sort_by_key(|row| id(row)),
            "modified" => rows.sort_by_cached_key(|row| (text(row, "date_modified_gmt").to_owned(), id(row))),
            "include" => rows.sort_by_key(|row| self.include.iter().position(|wanted| *wanted == id(row))),
            "title" | "name" => rows.sort_by_cached_key(|row| (text(row, "name").to_lowercase(), id(row))),
            "slug" => rows.sort_by_cached_key(|row| (text(row, "slug").to_lowercase(), id(row))),
            "price" => rows.sort_by_key(|row| (amount(row, "price"), id(row))),
            "menu_order" => rows.sort_by_key(|row| (row["menu_order"].as_i64(), id(row))),
            "count" => rows.sort_by_key(|row| (row["count"].as_i64(), id(row))),
            _ => rows.sort_by_cached_key(|row| (text(row, "date_created_gmt").to_owned(), id(row))),
        }
        if !self.ascending && self.orderby != "include" {
            rows.reverse();
        }
    }
}

/// `GET /orders`.
pub(super) fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let orderby = ["date", "id", "include", "title", "slug", "modified"];
    let paging = Paging::of(ctx, &mut check, &orderby, "date", "desc");
    let window = Window::of(&mut check);
    let statuses = check.many_of("status", STATUSES);
    let decimals = check.int("dp", 2, None, None).clamp(0, 12) as u32;
    let customer = ctx.params.get("customer").map(|_| check.int("customer", 0, None, None));
    let product = ctx.params.get("product").map(|_| check.int("product", 0, None, None));
    let parents = check.ints("parent");
    check.done()?;
    ctx.allow(Need::List)?;
    let via = ctx.params.list("created_via");
    let any = statuses.is_empty() || statuses.iter().any(|status| status == "any");
    let wanted = |row: &Value| {
        let status = text(row, "status");
        let has_product = |product: i64| {
            row["line_items"].as_array().into_iter().flatten().any(|line| line["product_id"].as_i64() == Some(product))
        };
        (if any { !HIDDEN.contains(&status) } else { statuses.iter().any(|wanted| wanted == status) })
            && customer.is_none_or(|customer| row["customer_id"].as_i64() == Some(customer))
            && product.is_none_or(has_product)
            && (parents.is_empty() || parents.contains(&row["parent_id"].as_i64().unwrap_or_default()))
            && (via.is_empty() || via.iter().any(|via| via == text(row, "created_via")))
            && paging.holds(row)
            && window.holds(row)
            && ctx.params.get("search").is_none_or(|part| found(row, part))
    };
    let mut rows: Vec<&Value> = paging.candidates(ctx.store, "orders");
    rows.retain(|row| wanted(row));
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, true, |row| {
        render::select(render::order(row, decimals), &ctx.params)
    }))
}

fn found(row: &Value, part: &str) -> bool {
    let part = part.to_lowercase();
    let billing = &row["billing"];
    ["first_name", "last_name", "company", "email"]
        .iter()
        .any(|field| text(billing, field).to_lowercase().contains(&part))
        || text(row, "number") == part
}

/// `GET /orders/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let decimals = check.int("dp", 2, None, None).clamp(0, 12) as u32;
    check.done()?;
    let row = ctx.store.get("orders", &id.to_string()).cloned();
    ctx.allow(Need::View)?;
    let row = row.ok_or_else(|| invalid_id(404, "shop_order"))?;
    Ok(render::json(200, &render::select(render::order(&row, decimals), &ctx.params)))
}

/// `GET /orders/statuses`.
pub(super) fn statuses(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    let names = [
        ("pending", "Pending payment"),
        ("processing", "Processing"),
        ("on-hold", "On hold"),
        ("completed", "Completed"),
        ("cancelled", "Cancelled"),
        ("refunded", "Refunded"),
        ("failed", "Failed"),
        ("checkout-draft", "Draft"),
    ];
    Ok(render::json(200, &names.iter().map(|(slug, name)| json!({"slug": slug, "name": name})).collect()))
}

/// Puts an order (or a list of them) into the shop as it is; one without an id gets the next number.
pub(super) fn insert_raw(store: &mut Store, body: Value) -> Result<(Reply, Vec<Happened>), String> {
    let orders = match body {
        Value::Array(list) => list,
        one => vec![one],
    };
    let (mut ids, mut happened) = (Vec::new(), Vec::new());
    for mut order in orders {
        if !order.is_object() {
            return Err("an order is an object".into());
        }
        let id = match order.get("id").and_then(Value::as_i64) {
            Some(id) => id,
            None => store.next_number("post", 100),
        };
        store.reserve_number("post", id);
        order["id"] = json!(id);
        if order.get("number").is_none_or(Value::is_null) {
            order["number"] = json!(id.to_string());
        }
        let known = store.get("orders", &id.to_string()).is_some();
        let events: &[&str] = if known { &["updated"] } else { &["created", "updated"] };
        happened.extend(events.iter().map(|event| Happened { resource: "order", event, id }));
        store.put("orders", &id.to_string(), order);
        ids.push(id);
    }
    Ok((Reply::json(201, &json!({"ids": ids})), happened))
}
