//! Lists and single rows: which rows, filtered, sorted, cut into pages where the resource has pages.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::query::{Query, Wanted, day};
use super::render::href;
use super::resources;
use super::{Ctx, errors, products, variants};
use crate::message::Reply;
use crate::text::{amount, decimal, text};

impl Ctx<'_> {
    /// A row that is there, and not in the trash.
    pub(super) fn row(&self, resource: &str, id: i64) -> Result<&Value, Reply> {
        let row = self.store.get(resource, &id.to_string()).filter(|row| row["_trashed"] != true);
        row.ok_or_else(|| errors::unknown(self.switches, resource, id))
    }

    /// Rows below a row.
    pub(super) fn below(&self, resource: &str, field: &str, id: i64) -> Vec<&Value> {
        match self.store.find(resource, field, &id.to_string()) {
            Some(rows) => rows,
            None => self.store.rows(resource).filter(|row| row[field].as_i64() == Some(id)).collect(),
        }
    }
}

/// `GET` of a list, on its own or below a row.
pub(super) fn list(ctx: &Ctx<'_>, resource: &str, parent: Option<(&str, i64)>) -> Result<Reply, Reply> {
    let query = Query::of(ctx.call, ctx.endpoint, ctx.switches)?;
    if let Some((name, id)) = parent {
        ctx.row(name, id)?;
    }
    if resource.ends_with("adjustments") && query.filters.is_empty() {
        let names: Vec<&str> = ctx.endpoint.query.iter().map(|(name, _)| name.as_str()).collect();
        return Err(errors::schema(ctx.switches, &format!("one of {} is needed", names.join(", "))));
    }
    let mut rows = rows_of(ctx, resource, parent)?;
    let mut failure = None;
    rows.retain(|row| {
        row["_trashed"] != true
            && holds(ctx, resource, row, &query).unwrap_or_else(|reply| {
                failure.get_or_insert(reply);
                false
            })
    });
    if let Some(reply) = failure {
        return Err(reply);
    }
    sort(ctx, resource, &mut rows, &query);
    let total = rows.len();
    let paged = ctx.endpoint.is_paged();
    let wanted =
        if paged { rows.iter().skip(query.start).take(query.size).collect() } else { rows.iter().collect::<Vec<_>>() };
    let mut items = Vec::new();
    for row in wanted {
        items.push(expanded(ctx, resource, row, &query)?);
    }
    if paged {
        return Ok(Reply::json(200, &query.page(ctx.call, total, items)));
    }
    let address = format!("{}{}", super::SITE, super::auth::uri(ctx.call));
    Ok(Reply::json(200, &json!({"href": address, "items": items})))
}

/// `GET` of one row.
pub(super) fn get(ctx: &Ctx<'_>, resource: &str, id: i64) -> Result<Reply, Reply> {
    let query = Query::of(ctx.call, ctx.endpoint, ctx.switches)?;
    let row = ctx.row(resource, id)?;
    Ok(Reply::json(200, &expanded(ctx, resource, row, &query)?))
}

/// A row with the children that were asked for.
fn expanded(ctx: &Ctx<'_>, resource: &str, row: &Value, query: &Query) -> Result<Value, Reply> {
    // What `/productqueries/` finds says itself what it is.
    let resource = match text(row, "_shown_as") {
        "" if resource == "productqueries" => "products",
        "" => resource,
        other => other,
    };
    let mut shown = ctx.show(resource, row)?;
    let id = row["id"].as_i64().unwrap_or_default();
    for word in &query.expand {
        let field = if word == "productvariants" { "productvariations" } else { word.as_str() };
        let rows = rows_of(ctx, field, Some((resource, id))).unwrap_or_default();
        let properties = (field == "producttopropertygroups").then_some(ctx.switches.expanded_properties.as_str());
        if properties == Some("address") {
            continue;
        }
        let mut collection = Vec::new();
        for child in &rows {
            let mut shown = ctx.show(field, child)?;
            if properties == Some("links") {
                shown["values"] = Value::Null;
            }
            collection.push(shown);
        }
        shown[field] = json!({"href": href(&format!("{resource}/{id}/{field}")), "collection": collection});
    }
    Ok(shown)
}

/// Rows of a list before any filter.
pub(super) fn rows_of<'a>(
    ctx: &'a Ctx<'_>,
    resource: &str,
    parent: Option<(&str, i64)>,
) -> Result<Vec<Cow<'a, Value>>, Reply> {
    let borrowed = |rows: Vec<&'a Value>| rows.into_iter().map(Cow::Borrowed).collect();
    let Some((above, id)) = parent else {
        return Ok(match resource {
            "productqueries" => products::found_by_query(ctx)?,
            _ => borrowed(ctx.store.rows(resource).collect()),
        });
    };
    Ok(match (above, resource) {
        ("products", "productattributesets") => variants::sets(ctx, id).into_iter().map(Cow::Owned).collect(),
        ("attributecombinations", "attributes" | "attributevalues") => variants::parts(ctx, id, resource),
        ("categories", "products") => {
            let links = ctx.below("producttocategories", "category_id", id);
            let find = |link: &&Value| ctx.store.get("products", &link["product_id"].to_string());
            borrowed(links.iter().filter_map(find).collect())
        }
        ("webshops", "products") => borrowed(ctx.store.rows("products").collect()),
        ("webshops", "webshops") | ("products", "webshops") => Vec::new(),
        _ => match resources::find(resource).and_then(|known| known.link(above)) {
            Some(field) => borrowed(ctx.below(resource, field, id)),
            None => return Err(ctx.left_out()),
        },
    })
}

/// True when a row passes every filter.
fn holds(ctx: &Ctx<'_>, resource: &str, row: &Value, query: &Query) -> Result<bool, Reply> {
    if resource == "orders" && query.filter("is_completed").is_none() && row["is_completed"] == false {
        return Ok(false); // abandoned baskets only show when they are asked for
    }
    for (name, wanted) in &query.filters {
        let fits = match (resource, name.as_str(), wanted) {
            (_, "min_create_date" | "max_create_date", Wanted::Text(value)) => {
                let edge = day(ctx.switches, name, value)?;
                let own = text(row, "create_date");
                if name.starts_with("min") { own >= edge.as_str() } else { own <= edge.as_str() }
            }
            (_, "min_begindate" | "max_begindate" | "min_enddate" | "max_enddate", Wanted::Text(value)) => {
                day(ctx.switches, name, value)?;
                let own = text(row, &name[4..]);
                if name.starts_with("min") { own >= value.as_str() } else { own <= value.as_str() }
            }
            ("orders", "deliver_date" | "take_out_date", Wanted::Text(value)) => {
                day(ctx.switches, name, value)?;
                let own = if name == "deliver_date" { text(row, name) } else { text(&row["take_out_window"], "start") };
                own.starts_with(value.as_str())
            }
            ("orders", "is_paid", Wanted::Flag(wanted)) => row["paid"].as_bool() == Some(*wanted),
            ("products" | "productqueries", _, _) => products::holds(ctx, row, name, wanted),
            (_, _, Wanted::Flag(wanted)) => row[name].as_bool() == Some(*wanted),
            (_, _, Wanted::Number(wanted)) => decimal(&row[name]) == Some(*wanted),
            (_, _, Wanted::Text(wanted)) => super::render::same_text(row, name, wanted),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

fn sort(ctx: &Ctx<'_>, resource: &str, rows: &mut [Cow<'_, Value>], query: &Query) {
    let by_id = |a: &Value, b: &Value| a["id"].as_i64().cmp(&b["id"].as_i64());
    match &query.orderby {
        Some((field, last_first)) => rows.sort_by(|a, b| {
            let order = compare(resource, field, a, b).then_with(|| by_id(a, b));
            if *last_first { order.reverse() } else { order }
        }),
        None if ctx.endpoint.is_paged() && ctx.switches.default_order == "id_desc" => {
            rows.sort_by(|a, b| by_id(b, a));
        }
        None => rows.sort_by(|a, b| {
            let place = |row: &Value| (row["position"].as_i64(), row["id"].as_i64());
            place(a).cmp(&place(b))
        }),
    }
}

fn compare(resource: &str, field: &str, a: &Value, b: &Value) -> Ordering {
    let (a, b) = if resource == "users" && field != "id" {
        (&a["userinfo"]["billingaddress"], &b["userinfo"]["billingaddress"])
    } else {
        (a, b)
    };
    let field = match field {
        "ismainphoto" => "is_mainphoto",
        "attributeposition" => "position",
        other => other,
    };
    let numbers = (a[field].as_number(), b[field].as_number());
    match numbers {
        (Some(_), Some(_)) => amount(a, field).cmp(&amount(b, field)),
        _ => match (a[field].as_bool(), b[field].as_bool()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => text(a, field).to_lowercase().cmp(&text(b, field).to_lowercase()),
        },
    }
}

/// A number of a filter, for rules of their own.
pub(super) fn number(wanted: &Wanted) -> Decimal {
    match wanted {
        Wanted::Number(number) => *number,
        _ => Decimal::ZERO,
    }
}
