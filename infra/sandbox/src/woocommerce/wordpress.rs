//! WordPress beside WooCommerce: its own REST API, where only application passwords count. Here: uploads to the media
//! library, and roles of users.
//!
//! WordPress takes application passwords over TLS, or anywhere on a site that calls itself local, as this one does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::errors::error;
use super::{Ctx, media, render, words};
use crate::message::{Call, Reply};
use crate::pictures;

/// Login of the user with an application password.
pub const WP_USER: &str = "koppel";
/// Application password, as WordPress shows it: the spaces do not count.
pub const WP_APPLICATION_PASSWORD: &str = "b1Rk 9wQz mT4e Lp7s Xc2v Hn8d";
/// Endings that WordPress takes for pictures, with what it calls them.
const KINDS: [(&str, &str); 3] = [("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg")];

/// Whether the caller is a user; an error when a password is shown that is wrong.
fn user(call: &Call, stripped: bool) -> Result<bool, Reply> {
    let shown = call.header("authorization").filter(|_| !stripped).and_then(|header| header.strip_prefix("Basic "));
    let Some(shown) = shown else { return Ok(false) };
    let pair = STANDARD.decode(shown.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let (name, password) = pair.split_once(':').unwrap_or_default();
    if name != WP_USER {
        return Err(error(401, "invalid_username", "Unknown username. Check again or try your email address."));
    }
    let plain = |text: &str| text.replace(' ', "");
    if plain(password) != plain(WP_APPLICATION_PASSWORD) {
        return Err(error(401, "incorrect_password", "The provided password is an invalid application password."));
    }
    Ok(true)
}

/// A request below `/wp-json/wp/v2`.
pub(super) fn route(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    match (ctx.call.method.as_str(), parts) {
        ("POST", ["media"]) => upload(ctx),
        ("PUT" | "POST", ["users", user]) => set_roles(ctx, super::id(user)?),
        _ => Err(super::errors::no_route()),
    }
}

/// `PUT /wp/v2/users/{id}`: the only way to another role; `{"roles":["wholesale_customer"]}`.
fn set_roles(ctx: &mut Ctx<'_>, id: i64) -> Result<Reply, Reply> {
    if !user(ctx.call, ctx.switches.strip_authorization)? {
        return Err(error(401, "rest_cannot_edit", "Sorry, you are not allowed to edit this user."));
    }
    let Some(mut row) = ctx.store.get("customers", &id.to_string()).cloned() else {
        return Err(error(404, "rest_user_invalid_id", "Invalid user ID."));
    };
    let body = ctx.body()?;
    if let Some(roles) = body.get("roles") {
        let roles: Vec<&str> = roles.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if let Some(unknown) = roles.iter().find(|role| !super::wholesale::is_role(ctx, role)) {
            return Err(error(400, "rest_user_invalid_role", &format!("The role {unknown} does not exist.")));
        }
        row["role"] = json!(roles.first().copied().unwrap_or_default());
        ctx.store.put("customers", &id.to_string(), row.clone());
    }
    Ok(render::json(200, &json!({"id": id, "roles": [row["role"]], "email": row["email"]})))
}

/// `POST /wp/v2/media`: the content is the body, its name stands in `Content-Disposition`.
fn upload(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    if !user(ctx.call, ctx.switches.strip_authorization)? {
        return Err(error(401, "rest_cannot_create", "Sorry, you are not allowed to create posts as this user."));
    }
    let content = ctx.call.body.clone();
    if content.is_empty() {
        return Err(error(400, "rest_upload_no_data", "No data supplied."));
    }
    if ctx.call.header("content-type").is_none() {
        return Err(error(400, "rest_upload_no_content_type", "No Content-Type supplied."));
    }
    let Some(disposition) = ctx.call.header("content-disposition") else {
        return Err(error(400, "rest_upload_no_content_disposition", "No Content-Disposition supplied."));
    };
    let file = disposition.split(';').find_map(|part| part.trim().strip_prefix("filename="));
    let file = file.map(|name| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty()).ok_or_else(|| {
        let message = "Invalid Content-Disposition supplied. Content-Disposition needs to be formatted as \
             `attachment; filename=\"image.png\"` or similar.";
        error(400, "rest_upload_invalid_disposition", message)
    })?;
    let (stem, ending) = file.rsplit_once('.').unwrap_or((&file, ""));
    let by_name = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map(|(_, kind)| *kind);
    let kind = by_name.filter(|kind| pictures::kind(&content) == Some(kind)).ok_or_else(|| {
        error(500, "rest_upload_sideload_error", "Sorry, you are not allowed to upload this file type.")
    })?;
    let row = media::keep(ctx, stem, kind, &content);
    let shown = json!({"id": row["id"], "slug": words::slug(stem), "media_type": "image", "mime_type": kind,
        "source_url": row["src"], "title": {"raw": stem, "rendered": stem}, "alt_text": ""});
    let fields = ctx.params.get("_fields").unwrap_or_default().to_owned();
    let shown: Value = match &shown {
        Value::Object(map) if !fields.is_empty() => {
            let wanted = |name: &str| fields.split(',').any(|field| field.trim() == name);
            Value::Object(map.iter().filter(|(name, _)| wanted(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
        }
        other => other.clone(),
    };
    Ok(render::json(201, &shown))
}
