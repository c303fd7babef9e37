//! The shop itself: its address, its settings, who owns it.

use serde_json::{Value, json};

use super::render::href;
use super::{Ctx, SITE, orders};
use crate::message::Reply;

/// A web shop with its limit of products and the address of its API.
pub(super) fn shown(ctx: &Ctx<'_>, mut row: Value) -> Value {
    let used = ctx.store.rows("products").filter(|row| row["_trashed"] != true).count();
    row["product_limit"] = json!(ctx.switches.product_limit);
    row["product_limit_left"] = json!(ctx.switches.product_limit.saturating_sub(used));
    row["api_root"] = json!(SITE);
    row
}

/// `GET /webshops/{id}/settings/`.
pub(super) fn settings(ctx: &Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.row("webshops", id)?;
    let statuses = |names: &[(i64, &str)]| -> Vec<Value> {
        names
            .iter()
            .map(|(id, name)| {
                json!({"id": id, "status": name, "status_name": name, "text_color": "#000000",
                    "background_color": "#ffffff"})
            })
            .collect()
    };
    let settings = json!({"href": href(&format!("webshops/{id}/settings")), "webshop_enabled": true,
        "webshop_disabled_title": "", "webshop_disabled_text": "", "currency": "EUR", "default_vat_rat": 21,
        "prices_include_vat": ctx.switches.prices_include_vat, "full_ssl_webshop": true, "creditpoint_value": 0.01,
        "languages": ["nl", "en", "de"], "backend_language": "nl", "separate_domain_per_language": false,
        "stock": true, "ordering_without_stock": "global_setting",
        "stock_level_warnings": {"low_threshold": 0, "high_threshold": 5}, "multishop_readonly_properties": ctx.switches.multishop_readonly_properties,
        "checkout_type": [], "takeoutsettings": null, "quotation_status": [],
        "order_status": statuses(orders::STATUSES), "return_status": [],
        "invoice_status": statuses(&[(1, "unpaid"), (2, "paid"), (3, "reimbursed")]),
        "parent": {"href": href(&format!("webshops/{id}"))}});
    Ok(Reply::json(200, &settings))
}

/// `GET /webshops/{id}/merchant/`.
pub(super) fn merchant(ctx: &Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.row("webshops", id)?;
    let merchant = json!({"href": href(&format!("webshops/{id}/merchant")), "gender": "", "first_name": "Koppel",
        "last_name": "Sandbox", "full_name": "Koppel Sandbox", "company": "Koppel Sandbox B.V.",
        "email": "winkel@example.test", "address_line": "Havenstraat 1", "street": "Havenstraat",
        "housenumber": "1", "zipcode": "1000 AA", "city": "Amsterdam", "country": "Nederland", "country_code": "NL",
        "telephone": "0201234567", "tax_number": "NL000099998B57", "coc_number": "87654321",
        "parent": {"href": href(&format!("webshops/{id}"))}});
    Ok(Reply::json(200, &merchant))
}
