//! Set-up of the shop: taxes, payment and shipping methods, settings, status.

use serde_json::{Value, json};

use super::errors::error;
use super::orders::Paging;
use super::request::Check;
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::text::text;

/// A list of a kind of rows. Only taxes come in pages.
pub(super) fn list(ctx: &mut Ctx<'_>, table: &str) -> Result<Reply, Reply> {
    if table != "taxes" {
        ctx.allow(Need::List)?;
        let rows: Vec<Value> = ctx.store.rows(table).map(|row| render::select(row.clone(), &ctx.params)).collect();
        return Ok(render::json(200, &Value::Array(rows)));
    }
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, &["id", "order", "priority"], "order", "asc");
    let class =
        ctx.params.get("class").map(|_| check.one_of("class", "standard", &["standard", "reduced-rate", "zero-rate"]));
    check.done()?;
    ctx.allow(Need::List)?;
    let mut rows: Vec<&Value> = ctx.store.rows(table).filter(|row| paging.holds(row)).collect();
    rows.retain(|row| class.as_ref().is_none_or(|class| text(row, "class") == class));
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(row.clone(), &ctx.params)))
}

/// One row of a kind.
pub(super) fn get(ctx: &mut Ctx<'_>, table: &str, id: &str, code: &str) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    let row = ctx.store.get(table, id).cloned().ok_or_else(|| error(404, code, "Resource does not exist."))?;
    Ok(render::json(200, &render::select(row, &ctx.params)))
}

/// `GET /taxes/classes`.
pub(super) fn tax_classes(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    let names = [("standard", "Standard rate"), ("reduced-rate", "Reduced rate"), ("zero-rate", "Zero rate")];
    Ok(render::json(200, &names.iter().map(|(slug, name)| json!({"slug": slug, "name": name})).collect()))
}

fn zone(ctx: &Ctx<'_>, zone: i64) -> Result<(), Reply> {
    let known = ctx.store.get("shipping_zones", &zone.to_string()).is_some();
    if known { Ok(()) } else { Err(error(404, "woocommerce_rest_shipping_zone_invalid", "Resource does not exist.")) }
}

/// `GET /shipping/zones/{id}/methods`.
pub(super) fn zone_methods(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    zone(ctx, id)?;
    let rows = ctx.store.rows("shipping_zone_methods").filter(|row| row["zone_id"].as_i64() == Some(id));
    let shown = rows.map(|row| {
        let mut row = row.clone();
        if let Value::Object(map) = &mut row {
            map.shift_remove("zone_id");
        }
        render::select(row, &ctx.params)
    });
    Ok(render::json(200, &shown.collect()))
}

/// `GET /shipping/zones/{id}/locations`.
pub(super) fn zone_locations(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    zone(ctx, id)?;
    Ok(render::json(200, &if id == 1 { json!([{"code": "NL", "type": "country"}]) } else { json!([]) }))
}

/// `GET /shipping_methods`.
pub(super) fn shipping_methods(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    ctx.allow(Need::List)?;
    let names = [("flat_rate", "Flat rate"), ("free_shipping", "Free shipping"), ("local_pickup", "Local pickup")];
    Ok(render::json(
        200,
        &names.iter().map(|(id, title)| json!({"id": id, "title": title, "description": ""})).collect(),
    ))
}

/// `GET /data/currencies/current`.
pub(super) fn currency(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &json!({"code": "EUR", "name": "Euro", "symbol": "&euro;"})))
}

/// `GET /system_status`.
pub(super) fn system_status(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    let status = json!({
        "environment": {"home_url": ctx.site, "site_url": ctx.site, "version": "11.0.1", "wp_version": "7.1",
            "wp_multisite": false, "wp_debug_mode": false, "language": "nl_NL", "default_timezone": "UTC"},
        "settings": {"api_enabled": false, "force_ssl": false, "currency": "EUR", "currency_symbol": "&euro;",
            "currency_position": "left", "thousand_separator": ".", "decimal_separator": ",", "number_of_decimals": 2,
            "taxonomies": {}, "HPOS_enabled": ctx.switches.hpos, "HPOS_sync_enabled": false},
        "security": {"secure_connection": ctx.call.tls, "hide_errors": true},
    });
    Ok(render::json(200, &render::select(status, &ctx.params)))
}
