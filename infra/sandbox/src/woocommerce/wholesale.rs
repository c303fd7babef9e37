//! The plugin «Wholesale Prices» below `/wp-json/wholesale/v1`: roles, and WooCommerce's own products with their prices for
//! each role. The switch `wholesale` says whether it is there, and which edition.
//!
//! The free edition knows one role and no prices from a quantity on. What is written lands in the meta data of a product,
//! where WooCommerce's own API shows it too.

use serde_json::{Map, Value, json};

use super::errors::{error_with, no_route};
use super::order_write::{Step, merge_meta, run_batch};
use super::{Ctx, Need, Wholesale, id, products, render, variations};
use crate::message::Reply;
use crate::state::Store;
use crate::text::text;

/// The role that every edition knows.
const MAIN: &str = "wholesale_customer";
const ROLES: &str = "wholesale_roles";
const RULES_ON: &str = "wwpp_post_meta_enable_quantity_discount_rule";
const RULES: &str = "wwpp_post_meta_quantity_discount_rule_mapping";

/// A request below `/wp-json/wholesale/v1`.
pub(super) fn route(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    if ctx.switches.wholesale == Wholesale::None {
        return Err(no_route());
    }
    match (ctx.call.method.as_str(), parts) {
        ("GET", ["roles"]) => {
            allow_roles(ctx)?;
            Ok(render::json(200, &roles(ctx)))
        }
        ("GET", ["roles", key]) => {
            allow_roles(ctx)?;
            let role = roles(ctx).get(*key).cloned();
            role.map(|role| render::json(200, &role)).ok_or_else(no_route)
        }
        ("POST", ["roles"]) if ctx.switches.wholesale == Wholesale::Premium => create_role(ctx),
        ("GET", ["products", product]) => {
            ctx.allow(Need::View)?;
            let row = ctx.store.get("products", &id(product)?.to_string()).cloned().ok_or_else(no_route)?;
            Ok(render::json(200, &render::select(shown(ctx, row), &ctx.params)))
        }
        ("PUT" | "POST", ["products", "batch"]) => batch(ctx, None),
        ("PUT" | "POST", ["products", product, "variations", "batch"]) => batch(ctx, Some(id(product)?)),
        ("PUT" | "POST", ["products", product]) => {
            let (body, product) = (ctx.body()?, id(product)?);
            ctx.allow(Need::Edit)?;
            let row = change(ctx, None, product, &body)?;
            Ok(render::json(200, &render::select(row, &ctx.params)))
        }
        _ => Err(no_route()),
    }
}

fn allow_roles(ctx: &Ctx<'_>) -> Result<(), Reply> {
    ctx.allow(Need::List).map_err(|_| {
        let message = "Sorry, you do not have permission to access this resource.";
        error_with(401, "wholesale_rest_role_permission_failed", message, json!({}))
    })
}

/// Roles by their key.
fn roles(ctx: &Ctx<'_>) -> Value {
    let mut all = Map::new();
    all.insert(
        MAIN.into(),
        json!({"roleName": "Wholesale Customer", "desc": "This is the main wholesale user role.", "main": true}),
    );
    if ctx.switches.wholesale == Wholesale::Premium {
        for row in ctx.store.rows(ROLES) {
            let role = json!({"roleName": row["role_name"], "desc": row["description"], "main": false});
            all.insert(text(row, "role_key").to_owned(), role);
        }
    }
    Value::Object(all)
}

/// A role that WordPress knows: its own, the shop's, and those of the plugin.
pub(super) fn is_role(ctx: &Ctx<'_>, role: &str) -> bool {
    let own = ["administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager"];
    let plugin = ctx.switches.wholesale != Wholesale::None && roles(ctx).get(role).is_some();
    own.contains(&role) || plugin
}

fn create_role(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    allow_roles(ctx)?;
    let body = ctx.body()?;
    let key = text(&body, "role_key").to_owned();
    if key.is_empty() || roles(ctx).get(&key).is_some() {
        let message = "The role cannot be created.";
        return Err(error_with(400, "wholesale_rest_role_cannot_create", message, json!({"role_key": key})));
    }
    Ok(insert_role(ctx.store, body))
}

/// A role as the shop's staff makes it.
pub(super) fn insert_role(store: &mut Store, body: Value) -> Reply {
    let key = text(&body, "role_key").to_owned();
    let row = json!({"role_key": key, "role_name": body["role_name"], "description": body["description"]});
    store.put(ROLES, &key, row.clone());
    render::json(201, &row)
}

fn batch(ctx: &mut Ctx<'_>, parent: Option<i64>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    ctx.allow(Need::Batch)?;
    run_batch(ctx, &body, |ctx, step, item| match step {
        Step::Update(id) => change(ctx, parent, id, item),
        _ => Err(no_route()),
    })
}

/// Everything is checked before anything is written; fields of the product itself go WooCommerce's own way.
fn change(ctx: &mut Ctx<'_>, parent: Option<i64>, id: i64, body: &Value) -> Result<Value, Reply> {
    let what = if parent.is_some() { "variation" } else { "product" };
    let prices = body.get("wholesale_price").and_then(Value::as_object).cloned().unwrap_or_default();
    check(ctx, &prices, what)?;
    let mut meta: Vec<Value> = Vec::new();
    for (role, price) in &prices {
        meta.push(json!({"key": format!("{role}_wholesale_price"), "value": plain(price)}));
        // Clearing a price leaves this as it is.
        if !plain(price).is_empty() {
            meta.push(json!({"key": format!("{role}_have_wholesale_price"), "value": "yes"}));
        }
    }
    if ctx.switches.wholesale == Wholesale::Premium {
        meta.extend(rules(ctx, body));
    }
    let mut rest = body.clone();
    if let Value::Object(fields) = &mut rest {
        fields.retain(|name, _| !name.starts_with("wholesale_") && name != "meta_data");
        let mut all = body["meta_data"].as_array().cloned().unwrap_or_default();
        all.extend(meta);
        fields.insert("meta_data".into(), Value::Array(all));
    }
    let row = match parent {
        None => products::change(ctx, id, &rest)?,
        Some(parent) => {
            let row = variations::change(ctx, parent, id, &rest)?;
            tell_parent(ctx, parent, id, &prices);
            row
        }
    };
    Ok(shown(ctx, row))
}

/// A price is a number or nothing, and its role is known.
fn check(ctx: &Ctx<'_>, prices: &Map<String, Value>, what: &str) -> Result<(), Reply> {
    let known = roles(ctx);
    let refused = |data: Value, message: &str| {
        Err(error_with(400, &format!("wholesale_rest_{what}_cannot_update"), message, data))
    };
    let invalid: Vec<&String> = prices.keys().filter(|role| known.get(role.as_str()).is_none()).collect();
    if !invalid.is_empty() {
        return refused(json!({"invalid_roles": invalid}), "Unable to update. Invalid wholesale role.");
    }
    let wrong: Map<String, Value> = prices
        .iter()
        .filter(|(_, price)| !plain(price).is_empty() && plain(price).parse::<rust_decimal::Decimal>().is_err())
        .map(|(role, price)| (role.clone(), price.clone()))
        .collect();
    if !wrong.is_empty() {
        return refused(json!({"invalid_wholesale_price": wrong}), "Unable to update. Invalid wholesale price.");
    }
    Ok(())
}

/// Prices from a quantity on. What is wrong among them is dropped in silence.
fn rules(ctx: &Ctx<'_>, body: &Value) -> Vec<Value> {
    let known = roles(ctx);
    match body.get("wholesale_quantity_discount_rule_mapping") {
        None => Vec::new(),
        Some(Value::Array(list)) => {
            let number = |rule: &Value, name: &str| plain(&rule[name]).parse::<rust_decimal::Decimal>().ok();
            let good = |rule: &&Value| {
                known.get(text(rule, "wholesale_role")).is_some()
                    && ["fixed-price", "percent-price"].contains(&text(rule, "price_type"))
                    && number(rule, "start_qty").is_some_and(|quantity| quantity > rust_decimal::Decimal::ZERO)
                    && number(rule, "wholesale_price").is_some_and(|price| price > rust_decimal::Decimal::ZERO)
            };
            let list: Vec<&Value> = list.iter().filter(good).collect();
            vec![json!({"key": RULES_ON, "value": "yes"}), json!({"key": RULES, "value": list})]
        }
        Some(_) => vec![json!({"key": RULES_ON, "value": "no"})],
    }
}

/// The product of a variation says that some of them have a price.
fn tell_parent(ctx: &mut Ctx<'_>, parent: i64, variation: i64, prices: &Map<String, Value>) {
    let Some(mut row) = ctx.store.get("products", &parent.to_string()).cloned() else { return };
    let mut meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    for role in prices.iter().filter(|(_, price)| !plain(price).is_empty()).map(|(role, _)| role) {
        merge_meta(ctx, &mut meta, Some(&json!([{"key": format!("{role}_have_wholesale_price"), "value": "yes"}])));
        let key = format!("{role}_variations_with_wholesale_price");
        if !meta.iter().any(|one| one["key"] == key.as_str() && one["value"] == variation) {
            let id = ctx.store.next_number("meta", 1000);
            meta.push(json!({"id": id, "key": key, "value": variation}));
        }
    }
    row["meta_data"] = Value::Array(meta);
    ctx.store.put("products", &parent.to_string(), row);
}

/// A product with its prices for roles. Without any, PHP makes a list of it.
fn shown(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let meta = row["meta_data"].as_array().cloned().unwrap_or_default();
    let of = |key: &str| meta.iter().find(|one| one["key"] == key).map(|one| plain(&one["value"])).unwrap_or_default();
    let known = roles(ctx);
    let prices: Map<String, Value> = known
        .as_object()
        .into_iter()
        .flatten()
        .map(|(role, _)| (role.clone(), of(&format!("{role}_wholesale_price"))))
        .filter(|(_, price)| !price.is_empty())
        .map(|(role, price)| (role, json!(price)))
        .collect();
    let prices = if prices.is_empty() { json!([]) } else { Value::Object(prices) };
    row["wholesale_data"] = json!({"wholesale_price": prices, "wholesale_sale_price": []});
    row
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
