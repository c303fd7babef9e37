//! Webhooks as resources; `deliver.rs` sends them.

use serde_json::{Value, json};

use super::errors::{error, missing};
use super::orders::{Paging, set_moment};
use super::request::{Check, Kind, check_body};
use super::{Ctx, Need, render};
use crate::message::Reply;
use crate::text::text;

const STATUSES: &[&str] = &["active", "paused", "disabled"];

fn shown(row: &Value) -> Value {
    let mut row = row.clone();
    if let Value::Object(map) = &mut row {
        for never_given_out in ["secret", "failure_count", "pending_ping"] {
            map.shift_remove(never_given_out);
        }
    }
    row
}

fn find(ctx: &Ctx<'_>, id: i64) -> Result<Value, Reply> {
    let row = ctx.store.get("webhooks", &id.to_string()).cloned();
    row.ok_or_else(|| error(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID."))
}

/// `GET /webhooks`.
pub(super) fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let mut check = Check::new(&ctx.params);
    let paging = Paging::of(ctx, &mut check, &["date", "id", "title"], "date", "desc");
    let status = check.one_of("status", "all", &["all", "active", "paused", "disabled"]);
    check.done()?;
    ctx.allow(Need::List)?;
    let mut rows: Vec<&Value> = ctx.store.rows("webhooks").filter(|row| paging.holds(row)).collect();
    rows.retain(|row| status == "all" || text(row, "status") == status);
    paging.sort(&mut rows);
    Ok(render::page(rows, &paging, ctx.site, ctx.call, false, |row| render::select(shown(row), &ctx.params)))
}

/// `GET /webhooks/{id}`.
pub(super) fn get(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::View)?;
    Ok(render::json(200, &render::select(shown(&find(ctx, id)?), &ctx.params)))
}

fn check_topic(topic: &str) -> Result<(), Reply> {
    let known = match topic.split_once('.') {
        Some(("action", hook)) => hook.starts_with("woocommerce_") || hook.starts_with("wc_"),
        Some(("order" | "coupon", event)) => ["created", "updated", "deleted", "restored"].contains(&event),
        Some(("product", event)) => ["created", "updated", "deleted", "restored", "published"].contains(&event),
        Some(("customer", event)) => ["created", "updated", "deleted"].contains(&event),
        _ => false,
    };
    if known {
        return Ok(());
    }
    Err(error(400, "woocommerce_rest_shop_webhook_invalid_topic", "Webhook topic must be valid."))
}

fn check_url(url: &str) -> Result<(), Reply> {
    if url::Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme())) {
        return Ok(());
    }
    let message = "Webhook delivery URL must be a valid URL starting with http:// or https://.";
    Err(error(400, "woocommerce_rest_shop_webhook_invalid_delivery_url", message))
}

/// `POST /webhooks`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    let absent: Vec<&str> = ["topic", "delivery_url"].into_iter().filter(|name| body.get(*name).is_none()).collect();
    if !absent.is_empty() {
        return Err(missing(&absent));
    }
    check_body(&body, &[("status", Kind::OneOf(STATUSES))])?;
    ctx.allow(Need::Create)?;
    let (topic, url) = (text(&body, "topic"), text(&body, "delivery_url"));
    check_topic(topic)?;
    check_url(url)?;
    let id = ctx.store.next_number("webhook", 1);
    let (resource, event) = topic.split_once('.').unwrap_or_default();
    let name = match text(&body, "name") {
        "" => format!("Webhook created on {}", ctx.now.format("%b %d, %Y @ %I:%M %p")),
        name => name.to_owned(),
    };
    let site = render::RECORDED_SITE;
    // Without a secret the shop makes one that nobody gets to see.
    let secret = match text(&body, "secret") {
        "" => uuid::Uuid::new_v4().simple().to_string(),
        secret => secret.to_owned(),
    };
    let mut row = json!({"id": id, "name": name, "status": body.get("status").unwrap_or(&json!("active")),
        "topic": topic, "resource": resource, "event": event, "hooks": [], "delivery_url": url,
        "secret": secret, "failure_count": 0, "pending_ping": true, "date_created": null, "date_created_gmt": null, "date_modified": null,
        "date_modified_gmt": null, "_links": {"self": [{"href": format!("{site}/wp-json/wc/v3/webhooks/{id}")}],
            "collection": [{"href": format!("{site}/wp-json/wc/v3/webhooks")}]}});
    set_moment(&mut row, "date_created", ctx.now);
    set_moment(&mut row, "date_modified", ctx.now);
    ctx.store.put("webhooks", &id.to_string(), row.clone());
    ctx.pings.push(id);
    Ok(render::json(201, &shown(&row)))
}

/// `PUT /webhooks/{id}`.
pub(super) fn update(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    let body = ctx.body()?;
    check_body(&body, &[("status", Kind::OneOf(STATUSES))])?;
    ctx.allow(Need::Edit)?;
    let mut row = find(ctx, id)?;
    if let Some(topic) = body.get("topic").and_then(Value::as_str) {
        check_topic(topic)?;
        let (resource, event) = topic.split_once('.').unwrap_or_default();
        (row["topic"], row["resource"], row["event"]) = (json!(topic), json!(resource), json!(event));
    }
    if let Some(url) = body.get("delivery_url").and_then(Value::as_str) {
        check_url(url)?;
        if url != text(&row, "delivery_url") {
            row["pending_ping"] = json!(true);
            ctx.pings.push(id);
        }
    }
    // The count of failures stays: one more disables again.
    for field in ["name", "status", "delivery_url", "secret"] {
        if let Some(value) = body.get(field).filter(|value| value.is_string()) {
            row[field] = value.clone();
        }
    }
    set_moment(&mut row, "date_modified", ctx.now);
    ctx.store.put("webhooks", &id.to_string(), row.clone());
    Ok(render::json(200, &shown(&row)))
}

/// `DELETE /webhooks/{id}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    ctx.allow(Need::Delete)?;
    let row = find(ctx, id)?;
    if !ctx.params.flag("force") {
        let message = "Webhooks do not support trashing.";
        return Err(error(501, "woocommerce_rest_trash_not_supported", message));
    }
    ctx.store.delete("webhooks", &id.to_string());
    Ok(render::json(200, &shown(&row)))
}
