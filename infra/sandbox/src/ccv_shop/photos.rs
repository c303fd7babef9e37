//! Photos: base64 without a `data:` in front of it; one of a product is its main photo.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::render::picture;
use super::{Ctx, errors};
use crate::message::Reply;
use crate::pictures;
use crate::text::text;

/// Checks a photo and gives back the ending of its file.
fn checked(ctx: &Ctx<'_>, body: &Value) -> Result<&'static str, Reply> {
    let wrong = |message: &str| errors::error("500.22", message);
    let ending = match text(body, "file_type").to_lowercase().as_str() {
        "png" => "png",
        "jpg" | "jpeg" => "jpg",
        "gif" => "gif",
        other => return Err(wrong(&format!("File type \"{other}\" is not allowed."))),
    };
    let bytes = STANDARD.decode(text(body, "source")).map_err(|_| wrong("The source is no base64."))?;
    if bytes.len() > ctx.switches.photo_bytes_max {
        return Err(errors::error("500.21", "The file is too large."));
    }
    let fits = match ending {
        "gif" => bytes.starts_with(b"GIF8"),
        "png" => pictures::kind(&bytes) == Some("image/png"),
        _ => pictures::kind(&bytes) == Some("image/jpeg"),
    };
    if fits { Ok(ending) } else { Err(wrong("The content of the file is not of its type.")) }
}

fn link(resource: &str) -> &'static str {
    if resource == "productphotos" { "product_id" } else { "attributecombination_id" }
}

/// Only one is the main photo.
fn demote_others(ctx: &mut Ctx<'_>, resource: &str, main: &Value) {
    let field = link(resource);
    let above = main[field].as_i64().unwrap_or_default();
    let others: Vec<Value> = ctx.below(resource, field, above).into_iter().cloned().collect();
    for mut other in others.into_iter().filter(|row| row["id"] != main["id"] && row["is_mainphoto"] == true) {
        other["is_mainphoto"] = json!(false);
        ctx.put(resource, other);
    }
}

fn store(ctx: &mut Ctx<'_>, resource: &str, above: i64, body: &Value, ending: &str) -> Value {
    let id = ctx.next_id(resource);
    let file = format!("{}{id}.{ending}", if resource == "productphotos" { "p" } else { "c" });
    let words = if resource == "productphotos" { "alttext" } else { "alt" };
    let row = json!({"id": id, link(resource): above, "filename": file, words: text(body, words),
        "is_mainphoto": body["is_mainphoto"].as_bool().unwrap_or_default(), "deeplink": picture(&file)});
    ctx.store.put("_images", &file, json!({"source": body["source"]}));
    ctx.put(resource, row.clone());
    if row["is_mainphoto"] == true {
        demote_others(ctx, resource, &row);
    }
    row
}

/// `POST` of one photo.
pub(super) fn add(ctx: &mut Ctx<'_>, resource: &str, _above: &str, id: i64, body: &Value) -> Result<Reply, Reply> {
    let ending = checked(ctx, body)?;
    let row = store(ctx, resource, id, body, ending);
    ctx.made(resource, &row)
}

/// `PUT /products/{id}/productphotos/`: these in place of all there were.
pub(super) fn replace(ctx: &mut Ctx<'_>, product: i64, body: &Value) -> Result<Reply, Reply> {
    let photos = body["productphotos"].as_array().cloned().unwrap_or_default();
    let mut endings = Vec::new();
    for photo in &photos {
        endings.push(checked(ctx, photo)?);
    }
    let old: Vec<Value> = ctx.below("productphotos", "product_id", product).into_iter().cloned().collect();
    for row in old {
        gone(ctx, &row);
        ctx.store.delete("productphotos", &row["id"].to_string());
    }
    for (photo, ending) in photos.iter().zip(endings) {
        store(ctx, "productphotos", product, photo, ending);
    }
    Ok(Reply::empty(204))
}

/// The file of a photo that is gone.
pub(super) fn gone(ctx: &mut Ctx<'_>, row: &Value) {
    ctx.store.delete("_images", text(row, "filename"));
}

/// Before a changed photo is stored.
pub(super) fn before_patch(ctx: &mut Ctx<'_>, resource: &str, changed: &Value) {
    if changed["is_mainphoto"] == true {
        demote_others(ctx, resource, changed);
    }
}
