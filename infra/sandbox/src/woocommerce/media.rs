//! Pictures of products. An address is loaded and kept again on every write; an id points at what is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono_tz::Europe::Amsterdam;
use serde_json::{Value, json};

use super::errors::error;
use super::orders::set_moment;
use super::{Ctx, WooCommerce, render};
use crate::lock;
use crate::message::{Call, Reply};
use crate::pictures;
use crate::text::{text, whole};

/// Addresses a body asks to load: of products, variations, and their batches.
pub(super) fn addresses(call: &Call) -> Vec<String> {
    let reads = matches!(call.method.as_str(), "GET" | "HEAD" | "DELETE");
    if reads || !call.path.contains("/products") {
        return Vec::new();
    }
    let Ok(body) = call.json() else { return Vec::new() };
    let groups = ["create", "update"].into_iter().filter_map(|group| body.get(group)).filter_map(Value::as_array);
    let mut found = Vec::new();
    for item in groups.flatten().chain([&body]) {
        let several = item.get("images").and_then(Value::as_array).into_iter().flatten();
        for image in several.chain(item.get("image")).filter(|image| image.get("id").and_then(whole).unwrap_or(0) == 0)
        {
            let address = text(image, "src");
            if !address.is_empty() && !found.iter().any(|known| known == address) {
                found.push(address.to_owned());
            }
        }
    }
    found
}

/// One picture of a product, as it is shown there.
pub(super) fn take(ctx: &mut Ctx<'_>, sent: &Value) -> Result<Value, Reply> {
    let id = sent.get("id").and_then(whole).unwrap_or(0);
    let mut row = if id == 0 && !text(sent, "src").is_empty() {
        upload(ctx, text(sent, "src"))?
    } else {
        ctx.store.get("media", &id.to_string()).cloned().ok_or_else(|| {
            error(400, "woocommerce_product_invalid_image_id", &format!("#{id} is an invalid image ID."))
        })?
    };
    for field in ["name", "alt"] {
        if let Some(value) = sent.get(field).filter(|value| value.is_string()) {
            row[field] = value.clone();
        }
    }
    ctx.store.put("media", &row["id"].to_string(), row.clone());
    if let Value::Object(map) = &mut row {
        for inside in ["content", "type"] {
            map.shift_remove(inside);
        }
    }
    Ok(row)
}

fn upload(ctx: &mut Ctx<'_>, address: &str) -> Result<Value, Reply> {
    let failed = |why: &str| error(400, "woocommerce_product_image_upload_error", why);
    let found = ctx.call.fetched.iter().find(|(known, _)| known == address).and_then(|(_, content)| content.as_ref());
    let content = found.filter(|content| content.status == 200);
    let content = content.ok_or_else(|| failed(&format!("Error getting remote image {address}.")))?;
    let path = url::Url::parse(address).map(|url| url.path().to_owned()).unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default().to_owned();
    let (stem, extension) = file.rsplit_once('.').unwrap_or((&file, ""));
    let by_name = ["png", "jpg", "jpeg"].contains(&extension.to_lowercase().as_str());
    let by_type = ctx.switches.image_by_type && ["image/png", "image/jpeg"].contains(&content.content_type.as_str());
    let kind = pictures::kind(&content.body).filter(|_| by_name || by_type);
    let kind = kind.ok_or_else(|| failed("Invalid image: Sorry, you are not allowed to upload this file type."))?;
    Ok(keep(ctx, stem, kind, &content.body.clone()))
}

/// A new picture of the library; whoever takes it stores it too.
pub(super) fn keep(ctx: &mut Ctx<'_>, stem: &str, kind: &str, content: &[u8]) -> Value {
    let id = ctx.store.next_number("post", 100);
    let ending = if kind == "image/png" { "png" } else { "jpg" };
    let month = ctx.now.with_timezone(&Amsterdam).format("%Y/%m");
    let src =
        format!("{}/wp-content/uploads/{month}/{id}-{}.{ending}", render::RECORDED_SITE, super::words::slug(stem));
    let mut row = json!({"id": id, "date_created": null, "date_created_gmt": null, "date_modified": null,
        "date_modified_gmt": null, "src": src, "name": stem, "alt": "", "srcset": "", "sizes": "", "thumbnail": src,
        "type": kind, "content": STANDARD.encode(content)});
    set_moment(&mut row, "date_created", ctx.now);
    set_moment(&mut row, "date_modified", ctx.now);
    ctx.store.put("media", &id.to_string(), row.clone());
    row
}

impl WooCommerce {
    /// A kept picture, for everyone.
    pub(super) fn picture(&self, file: &str) -> Reply {
        let inner = lock(&self.inner);
        let id = file.split('-').next().unwrap_or_default();
        let Some(row) = inner.store.get("media", id) else { return Reply::typed(404, "text/html", "") };
        Reply::typed(200, text(row, "type"), STANDARD.decode(text(row, "content")).unwrap_or_default())
    }
}

/// Pictures a body brings; None: the body says nothing of them.
pub(super) fn take_all(ctx: &mut Ctx<'_>, sent: Option<&Value>) -> Result<Option<Value>, Reply> {
    let Some(list) = sent.and_then(Value::as_array) else { return Ok(None) };
    let mut taken = Vec::new();
    for image in list {
        taken.push(take(ctx, image)?);
    }
    Ok(Some(Value::Array(taken)))
}
