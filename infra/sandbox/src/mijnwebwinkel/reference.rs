//! Lists that are looked up: statuses, ways to pay and to deliver, VAT, the store, locations, discount codes.

use serde_json::{Value, json};

use super::{Ctx, errors};
use crate::message::Reply;
use crate::text::text;

/// A row without what the API does not show.
fn bare(row: &Value) -> Value {
    let mut out = row.clone();
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    out
}

/// A whole list.
pub(super) fn list(ctx: &Ctx<'_>, table: &str) -> Result<Reply, Reply> {
    Ok(Reply::json(200, &ctx.store.rows(table).map(bare).collect()))
}

/// `GET /offlinelocations`.
pub(super) fn locations(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let deleted = ctx.call.param("deleted").map(|_| ctx.flag("deleted"));
    let rows =
        ctx.store.rows("locations").filter(|row| deleted.is_none_or(|wanted| (row["deleted"] == true) == wanted));
    Ok(Reply::json(200, &rows.map(bare).collect()))
}

/// One of a list.
pub(super) fn get(ctx: &Ctx<'_>, table: &str, key: &str, what: &str) -> Result<Reply, Reply> {
    ctx.store.get(table, key).map(|row| Reply::json(200, &bare(row))).ok_or_else(|| errors::not_found(what))
}

/// `GET /payment/gateways`: what there is; `…/stores/{store}/gateways`: what the store uses.
pub(super) fn gateways(ctx: &Ctx<'_>, store: Option<&str>) -> Result<Reply, Reply> {
    if store.is_some_and(|store| store != "me" && store != super::STORE_ID) {
        return Err(errors::problem(403, "You do not have access to this store."));
    }
    let rows = ctx.store.rows("gateways").filter(|row| store.is_none() || row["_used"] == true);
    let rows = rows.map(|row| {
        let mut out = bare(row);
        if store.is_some() {
            for method in out["methods"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default() {
                method["settings"] = json!({"cost": {"amount": "0.00", "percentage": "0.00"}});
            }
        }
        out
    });
    Ok(Reply::json(200, &json!({"gateways": rows.collect::<Vec<_>>()})))
}

/// `GET /tax-policy/regions`: a bare list, or below a name.
pub(super) fn regions(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let rows: Value = ctx.store.rows("regions").map(bare).collect();
    Ok(Reply::json(200, &if ctx.switches.php() { json!({"regions": rows}) } else { rows }))
}

/// `GET /tax-policy/regions/{code}`.
pub(super) fn region(ctx: &Ctx<'_>, code: &str) -> Result<Reply, Reply> {
    let row = ctx.store.get("regions", code).ok_or_else(|| errors::problem(404, "Region not found."))?;
    Ok(Reply::json(200, &json!({"region": bare(row)})))
}

/// `GET /store`.
pub(super) fn store(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let mut out = json!({"id": super::STORE_ID, "name": "Koppel demowinkel", "primary_domain": "www.koppel-demo.test",
        "description": "", "open": true, "version": "PREMIUM", "administration_language": "nl_NL", "currency": "EUR",
        "prices_include_tax": ctx.switches.prices_include_tax, "default_language": "nl_NL",
        "active_languages": ["nl_NL"], "currency_format_locale": "nl_NL",
        "available_business_models": ctx.switches.business_models, "region_code": "NL"});
    if ctx.switches.right("email") {
        out["email"] = json!("winkel@koppel-demo.test");
    }
    Ok(Reply::json(200, &out))
}

/// Everything below `/discountcodes`.
pub(super) fn discount_codes(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    match (ctx.call.method.as_str(), parts) {
        ("GET", []) => {
            let active = ctx.call.param("active").map(|_| ctx.flag("active"));
            let (from, to) = (ctx.call.param("valid_start_date"), ctx.call.param("valid_end_date"));
            let rows = ctx.store.rows("discount_codes").filter(|row| {
                active.is_none_or(|wanted| (row["active"] == true) == wanted)
                    && from.as_ref().is_none_or(|from| text(row, "valid_from") >= from.as_str())
                    && to.as_ref().is_none_or(|to| text(row, "valid_until") <= to.as_str())
            });
            Ok(Reply::json(200, &rows.map(bare).collect()))
        }
        ("POST", []) => {
            let body = ctx.body("DiscountCode", 'c')?;
            let code = text(&body, "code").to_lowercase();
            if code.is_empty() {
                return Err(errors::classic(400, "code: this value should not be blank."));
            }
            if ctx.store.get("discount_codes", &code).is_some() {
                return Err(errors::classic(400, "code: this value is already used."));
            }
            let mut row = discount_code(ctx.store.next_number("discount", 11), text(&body, "code"), "0.00");
            write(&mut row, &body);
            ctx.store.put("discount_codes", &code, row.clone());
            Ok(Reply::json(200, &bare(&row)))
        }
        ("PATCH", []) => {
            let body = ctx.body("DiscountCode", 'u')?;
            let code = text(&body, "code").to_lowercase();
            let mut row =
                ctx.store.get("discount_codes", &code).cloned().ok_or_else(|| errors::not_found("Discount code"))?;
            write(&mut row, &body);
            ctx.store.put("discount_codes", &code, row.clone());
            Ok(Reply::json(200, &bare(&row)))
        }
        ("GET", [code]) => get(ctx, "discount_codes", &code.to_lowercase(), "Discount code"),
        ("DELETE", [code]) => match ctx.store.delete("discount_codes", &code.to_lowercase()) {
            Some(_) => Ok(Reply::json(200, &json!("Discount code deleted"))),
            None => Err(errors::not_found("Discount code")),
        },
        _ => Err(errors::not_found("Page")),
    }
}

fn write(row: &mut Value, body: &Value) {
    for (name, value) in body.as_object().into_iter().flatten() {
        row[name] = value.clone();
    }
}

/// A code as the shop keeps it.
pub(super) fn discount_code(number: i64, code: &str, percentage: &str) -> Value {
    json!({"id": super::uuid_of(0xd5, number), "customer_id": null, "code": code, "description": "",
        "percentage_discount": percentage, "fixed_discount": "0.00", "minimum_order_price": "0.00",
        "minimum_products": 0, "applies_to_shipping": false, "free_shipping": false, "applies_to_action_prices": true,
        "single_use": false, "active": true, "valid_from": "2026-01-01", "valid_until": "2099-12-31",
        "valid_product_ids": [], "invalid_product_ids": [], "valid_category_ids": [], "invalid_category_ids": []})
}
