//! Pictures of articles: by address, uploaded, shown, removed.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Ctx, articles, dates, errors};
use crate::message::{Call, Reply};
use crate::pictures;
use crate::text::{text, whole};

/// Most pictures of an article, and its last position.
const MOST: i64 = 15;

/// Addresses a request wants to be loaded.
pub(super) fn addresses(call: &Call) -> Vec<String> {
    let writes = ["POST", "PATCH"].contains(&call.method.as_str()) && call.path.contains("/articles");
    let body = if writes { call.json().unwrap_or_default() } else { Value::Null };
    let images = body["images"].as_array().cloned().unwrap_or_default();
    images.iter().filter_map(|image| image["url"].as_str().map(str::to_owned)).collect()
}

fn refuse(message: String) -> Reply {
    errors::classic(400, &message)
}

fn store(ctx: &mut Ctx<'_>, bytes: &[u8], name: &str, position: i64) -> Result<Value, Reply> {
    let Some(kind) = pictures::kind(bytes) else {
        return Err(refuse(format!("images: \"{name}\" is not a valid image.")));
    };
    let number = ctx.store.next_number("image", 1);
    let id = super::uuid_of(0x1a, number);
    let content = base64::engine::general_purpose::STANDARD.encode(bytes);
    ctx.store.put("files", &id, json!({"kind": kind, "content": content}));
    Ok(json!({"id": id, "position": position, "original_name": name}))
}

/// The images of a body: `position` with the `id` of one that is there, or with a `url` that is loaded.
pub(super) fn write(ctx: &mut Ctx<'_>, row: &mut Value, wanted: &[Value]) -> Result<(), Reply> {
    let known: Vec<Value> = row["images"].as_array().cloned().unwrap_or_default();
    let mut kept = if ctx.switches.patch_images == "merge" { known.clone() } else { Vec::new() };
    for one in wanted {
        let position = whole(&one["position"]).unwrap_or(0);
        if !(1..=MOST).contains(&position) {
            return Err(refuse(format!("images: position {} is not between 1 and {MOST}.", one["position"])));
        }
        let image = if let Some(before) = known.iter().find(|known| one["id"].is_string() && known["id"] == one["id"]) {
            let mut image = before.clone();
            image["position"] = json!(position);
            image
        } else if let Some(url) = one["url"].as_str() {
            let fetched = ctx.call.fetched.iter().find(|(address, _)| address == url);
            let content = fetched.and_then(|(_, fetched)| fetched.clone()).filter(|fetched| fetched.status == 200);
            let Some(content) = content else {
                return Err(refuse(format!("images: \"{url}\" could not be downloaded.")));
            };
            let name = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or("image");
            store(ctx, &content.body, name, position)?
        } else {
            return Err(refuse("images: an image has an id of this article, or a url.".into()));
        };
        kept.retain(|other| other["id"] != image["id"]);
        if kept.iter().any(|other| other["position"] == image["position"]) {
            return Err(refuse(format!("images: position {position} is taken.")));
        }
        kept.push(image);
    }
    kept.sort_by_key(|image| image["position"].as_i64());
    row["images"] = Value::Array(kept);
    Ok(())
}

/// `POST /articles/uploadImage/{article}`.
pub(super) fn upload(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = articles::find(ctx, id)?;
    let body = ctx.body("ArticleImageUpload", 'c')?;
    let position = whole(&body["position"]).unwrap_or(0);
    let name = text(&body, "filename").to_owned();
    if !(1..=MOST).contains(&position) {
        return Err(refuse(format!("position: {} is not between 1 and {MOST}.", body["position"])));
    }
    if name.is_empty() {
        return Err(refuse("filename: this value should not be blank.".into()));
    }
    let content = base64::engine::general_purpose::STANDARD.decode(text(&body, "content"));
    let content = content.map_err(|_| refuse("content: this value is not valid base64.".into()))?;
    let image = store(ctx, &content, &name, position)?;
    // What was at that position makes room.
    let images = row["images"].as_array().cloned().unwrap_or_default();
    let mut images: Vec<Value> = images.into_iter().filter(|other| other["position"] != json!(position)).collect();
    images.push(image);
    images.sort_by_key(|image| image["position"].as_i64());
    row["images"] = Value::Array(images);
    row["_changed"] = dates::kept(ctx.now);
    let key = row["id"].to_string();
    ctx.store.put("articles", &key, row);
    Ok(Reply::json(200, &json!("Image uploaded")))
}

/// `DELETE /deleteImage/{image}`.
pub(super) fn delete(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let has = |row: &&Value| row["images"].as_array().into_iter().flatten().any(|image| image["id"] == id);
    let Some(mut row) = ctx.store.rows("articles").find(has).cloned() else {
        return Err(errors::not_found("Image"));
    };
    if let Some(images) = row["images"].as_array_mut() {
        images.retain(|image| image["id"] != id);
    }
    row["_changed"] = dates::kept(ctx.now);
    ctx.store.delete("files", id);
    let key = row["id"].to_string();
    ctx.store.put("articles", &key, row);
    Ok(Reply::empty(204))
}

/// Images as the API gives them: the position is a text.
pub(super) fn shown(ctx: &Ctx<'_>, row: &Value) -> Value {
    let images = row["images"].as_array().cloned().unwrap_or_default();
    let one = |image: &Value| {
        let url = |size: &str| format!("{}/uploads/{size}/{}.png", ctx.site, text(image, "id"));
        json!({"id": image["id"], "position": image["position"].to_string(), "original_name": image["original_name"],
            "url": url("full"), "urls": [{"full": url("full"), "article": url("article"), "thumb": url("thumb")}]})
    };
    images.iter().map(one).collect()
}

/// A picture by its address: no token is needed.
pub(super) fn serve(store: &crate::state::Store, path: &str) -> Option<Reply> {
    let id = path.strip_prefix("/uploads/")?.rsplit('/').next()?.strip_suffix(".png")?;
    let row = store.get("files", id)?;
    let mut reply = Reply::typed(200, text(row, "kind"), "");
    reply.body = base64::engine::general_purpose::STANDARD.decode(text(row, "content")).unwrap_or_default();
    Some(reply)
}
