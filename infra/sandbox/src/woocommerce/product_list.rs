//! Lists of products, with the filters they take.

use serde_json::{Value, json};

use super::orders::{Paging, Window};
use super::request::Check;
use super::{Ctx, Need, render, variations};
use crate::message::Reply;
use crate::text::{amount, decimal, text};

const STATUSES: &[&str] = &["any", "future", "trash", "draft", "pending", "private", "publish"];
const TYPES: &[&str] = &["simple", "grouped", "external", "variable"];
const ORDERBY: &[&str] =
    &["date", "id", "include", "title", "slug", "modified", "popularity", "rating", "price", "menu_order"];

/// Categories asked for, with everything below them.
fn below(ctx: &Ctx<'_>, mut wanted: Vec<i64>) -> Vec<i64> {
    let mut at = 0;
    while at < wanted.len() {
        let children = ctx.store.rows("categories").filter(|row| row["parent"].as_i64() == Some(wanted[at]));
        let children: Vec<i64> = children.filter_map(|row| row["id"].as_i64()).collect();
        wanted.extend(children.into_iter().filter(|id| !wanted.contains(id)).collect::<Vec<_>>());
        at += 1;
    }
    wanted
}

/// `GET /products`.
pub(super) fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, ORDERBY, "date", "desc");
    let window = Window::of(&mut check);
    let status = check.one_of("status", "any", STATUSES);
    let kind = ctx.params.get("type").map(|_| check.one_of("type", "", TYPES));
    let stock = ctx
        .params
        .get("stock_status")
        .map(|_| check.one_of("stock_status", "", &["instock", "outofstock", "onbackorder"]));
    let parents = check.ints("parent");
    let tags = check.ints("tag");
    let categories = check.ints("category");
    let lists = ["include_status", "exclude_status", "include_types", "exclude_types"]
        .map(|name| check.many_of(name, if name.ends_with("status") { STATUSES } else { TYPES }));
    check.done()?;
    ctx.allow(Need::List)?;
    let categories = below(ctx, categories);
    let [with_status, without_status, with_types, without_types] = lists;
    let skus: Vec<String> = ctx.params.list("sku").into_iter().map(|sku| sku.to_lowercase()).collect();
    let gtin = ctx.params.get("global_unique_id");
    let part = |name: &str, field: &str, row: &Value| {
        let part = ctx.params.get(name).map(str::to_lowercase);
        part.is_none_or(|part| text(row, field).to_lowercase().contains(&part))
    };
    let among = |list: &Value, ids: &[i64]| {
        ids.is_empty()
            || list.as_array().into_iter().flatten().any(|one| one["id"].as_i64().is_some_and(|id| ids.contains(&id)))
    };
    let is = |name: &str, row: &Value| ctx.params.get(name).is_none_or(|_| row[name] == json!(ctx.params.flag(name)));
    let bound = |name: &str| ctx.params.get(name).and_then(|text| decimal(&json!(text)));
    let (low, high) = (bound("min_price"), bound("max_price"));
    let class = ctx.params.get("tax_class").map(|class| if class == "standard" { "" } else { class });
    let term = ctx.params.get("attribute").map(|slug| {
        let id = ctx.params.get("attribute_term").unwrap_or_default();
        (slug.to_owned(), ctx.store.get("terms", id).map(|row| text(row, "name").to_owned()).unwrap_or_default())
    });
    let has_term = |row: &Value| {
        term.as_ref().is_none_or(|(slug, name)| {
            row["attributes"].as_array().into_iter().flatten().any(|one| {
                text(one, "slug") == slug
                    && one["options"].as_array().into_iter().flatten().any(|option| option == name.as_str())
            })
        })
    };
    let wanted = |row: &Value| {
        let (own, kinds) = (text(row, "status"), text(row, "type"));
        (if status == "any" { own != "trash" || with_status.iter().any(|s| s == "trash") } else { own == status })
            && (with_status.is_empty() || with_status.iter().any(|status| status == own))
            && !without_status.iter().any(|status| status == own)
            && (with_types.is_empty() || with_types.iter().any(|kind| kind == kinds))
            && !without_types.iter().any(|kind| kind == kinds)
            && kind.as_ref().is_none_or(|kind| kinds == kind)
            && stock.as_ref().is_none_or(|stock| text(row, "stock_status") == stock)
            && (skus.is_empty() || skus.contains(&text(row, "sku").to_lowercase()))
            && gtin.is_none_or(|gtin| text(row, "global_unique_id") == gtin)
            && part("search_sku", "sku", row)
            && part("search", "name", row)
            && ["virtual", "featured", "on_sale"].iter().all(|name| is(name, row))
            && among(&row["categories"], &categories)
            && among(&row["tags"], &tags)
            && has_term(row)
            && (parents.is_empty() || row["parent_id"].as_i64().is_some_and(|parent| parents.contains(&parent)))
            && class.is_none_or(|class| text(row, "tax_class") == class)
            && ctx
                .params
                .get("shipping_class")
                .is_none_or(|class| row["shipping_class_id"].as_i64() == class.parse().ok())
            && low.is_none_or(|low| amount(row, "price") >= low)
            && high.is_none_or(|high| amount(row, "price") <= high)
            && ctx.params.get("slug").is_none_or(|slug| text(row, "slug") == slug)
            && paging.holds(row)
            && window.holds(row)
    };
    // By index where one of the keys is asked for; only these two find variations.
    let keys: Vec<(&str, &str)> = match gtin {
        Some(gtin) => vec![("global_unique_id", gtin)],
        None => skus.iter().map(|sku| ("sku", sku.as_str())).collect(),
    };
    let tables = if keys.is_empty() { &["products"][..] } else { &["products", "variations"] };
    let mut rows: Vec<&Value> = Vec::new();
    for table in tables {
        let found = if keys.is_empty() { None } else { ctx.store.find_any(table, &keys) };
        let candidates = found.unwrap_or_else(|| paging.candidates(ctx.store, table));
        rows.extend(candidates.into_iter().filter(|row| wanted(row)));
    }
    paging.sort(&mut rows);
    let store = &*ctx.store;
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| {
        render::select(variations::shown(store, row), &ctx.params)
    }))
}
