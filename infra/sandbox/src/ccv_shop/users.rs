//! Users: there is no list by e-mail address, and only the user name is there once.

use serde_json::{Map, Value, json};

use super::{Ctx, check, errors};
use crate::message::Reply;
use crate::text::text;

fn check_username(ctx: &Ctx<'_>, row: &Value, own: i64) -> Result<(), Reply> {
    let name = text(row, "username");
    let others = ctx.store.find("users", "username", name).unwrap_or_default();
    if others.iter().any(|other| other["id"].as_i64() != Some(own)) {
        return Err(errors::taken("username", name));
    }
    Ok(())
}

/// `POST /users/`.
pub(super) fn create(ctx: &mut Ctx<'_>, body: Map<String, Value>) -> Result<Reply, Reply> {
    let mut row = Value::Object(body);
    check::filled(ctx, &row, "username")?;
    check::filled(ctx, &row, "password")?;
    check_username(ctx, &row, 0)?;
    super::rules::check_pointers(ctx, &row)?;
    let usual = ctx.store.rows("usergroups").find(|group| group["default"] == true).map(|group| group["id"].clone());
    let id = ctx.next_id("users");
    let mut stored = json!({"id": id, "group_id": usual, "status": true, "approval_status": "accepted",
        "product_in_category_discount": "HIGHEST", "userinfo": {}});
    row["_password"] = row["password"].clone();
    for (name, value) in row.as_object().into_iter().flatten().filter(|(name, _)| *name != "password") {
        stored[name] = value.clone();
    }
    ctx.put("users", stored.clone());
    ctx.made("users", &stored)
}

/// Before a changed user is stored.
pub(super) fn before_patch(ctx: &Ctx<'_>, row: &Value, changed: &mut Value) -> Result<(), Reply> {
    if let Some(password) = changed.as_object_mut().and_then(|map| map.shift_remove("password")) {
        changed["_password"] = password;
    }
    check::filled(ctx, changed, "username")?;
    check_username(ctx, changed, row["id"].as_i64().unwrap_or_default())?;
    super::rules::check_pointers(ctx, changed)
}
