//! The store of apps: what the shop sends to an app that is installed from there. A test plays the merchant.

use serde_json::{Value, json};

use super::{Inner, SITE, auth};
use crate::message::Reply;
use crate::text::text;

fn field<'a>(body: &'a Value, name: &str) -> Result<&'a str, String> {
    Some(text(body, name)).filter(|value| !value.is_empty()).ok_or_else(|| format!("app: {name} is missing"))
}

/// What of the address is signed: the address itself, unless `uri` says something else, for that is not proven.
fn signed<'a>(body: &'a Value, address: &'a str) -> &'a str {
    Some(text(body, "uri")).filter(|uri| !uri.is_empty()).unwrap_or(address)
}

/// `POST /_sandbox/app/handshake`: the shop hands its keys to the app.
pub(super) fn handshake(inner: &mut Inner, body: &Value, site: &str) -> Result<Reply, String> {
    let (address, secret) = (field(body, "address")?, field(body, "secret")?);
    let key = auth::keys()[0];
    let told = json!({"api_public": key.public, "api_secret": key.secret, "api_root": SITE,
        "return_url": format!("{SITE}/admin/apps/1")});
    inner.outbox.queue_signed(address, secret, signed(body, address), &told, site);
    Ok(Reply::empty(202))
}

/// `POST /_sandbox/app/uninstall`.
pub(super) fn uninstall(inner: &mut Inner, body: &Value, site: &str) -> Result<Reply, String> {
    let (address, secret) = (field(body, "address")?, field(body, "secret")?);
    let told = json!({"api_public": auth::keys()[0].public});
    inner.outbox.queue_signed(address, secret, signed(body, address), &told, site);
    if let Some(mut row) = inner.store.get("apps", "1").cloned() {
        row["is_installed"] = json!(false);
        inner.store.put("apps", "1", row);
    }
    Ok(Reply::empty(202))
}

/// `POST /_sandbox/app/install`: where the browser of the merchant goes.
pub(super) fn install(body: &Value) -> Result<Reply, String> {
    let (address, secret) = (field(body, "address")?, field(body, "secret")?);
    let public = auth::keys()[0].public;
    let hash = auth::hmac_hex(secret, format!("{}|{public}", signed(body, address)).as_bytes());
    Ok(Reply::json(200, &json!({"url": format!("{address}?api_public={public}&language=nl&x-hash={hash}")})))
}
