//! The authorization server: consent, codes, access tokens of ten minutes, refresh tokens that rotate.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Switches;
use crate::message::{Call, Reply, pairs};
use crate::state::Store;
use crate::text::text;

/// The registered application.
pub const CLIENT_ID: &str = "7f3c2b1a-0d9e-4c8b-a7f6-5e4d3c2b1a09";
/// Its secret.
pub const CLIENT_SECRET: &str = "kPpl5andb0x";
/// Its redirect URI; with the switch `loopback_redirects` any address on this machine is accepted too.
pub const REDIRECT_URI: &str = "https://koppel.example/callback/exact-online";

const CODE_MINUTES: i64 = 3;
const ACCESS_SECONDS: i64 = 600;
const EARLIEST_REFRESH_SECONDS: i64 = 570;
const REFRESH_DAYS: i64 = 30;

fn refusal(status: u16, error: &str, description: &str) -> Reply {
    let mut body = json!({"error": error});
    if !description.is_empty() {
        body["error_description"] = json!(description);
    }
    Reply::json(status, &body)
}

fn moment(row: &Value, field: &str) -> DateTime<Utc> {
    text(row, field).parse().unwrap_or_default()
}

/// Random text in the look of the real codes: it has characters that must be percent-encoded in an address.
fn secret(prefix: &str) -> String {
    let (a, b) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4().simple().to_string());
    format!("{prefix}NL001.{a}!IAAA-_{b}!")
}

/// `GET /api/oauth2/auth`: the user always says yes.
pub(super) fn authorize(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let redirect = get("redirect_uri");
    if get("client_id") != CLIENT_ID || !registered(switches, &redirect) || get("response_type") != "code" {
        let page = "<!DOCTYPE html><html><body><h1>Invalid request</h1><p>client_id, redirect_uri or response_type is not valid.</p></body></html>";
        return Reply::typed(400, "text/html; charset=utf-8", page);
    }
    let code = secret("stamp");
    store.put("_codes", &code, json!({"redirect_uri": redirect, "at": now.to_rfc3339(), "used": false}));
    let Ok(mut target) = url::Url::parse(&redirect) else {
        return Reply::typed(400, "text/html; charset=utf-8", "<html><body>redirect_uri</body></html>");
    };
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = call.param("state") {
        target.query_pairs_mut().append_pair("state", &state);
    }
    Reply::empty(302).with("Location", target)
}

fn registered(switches: &Switches, redirect: &str) -> bool {
    let loopback = url::Url::parse(redirect)
        .ok()
        .is_some_and(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")));
    redirect == REDIRECT_URI || switches.loopback_redirects && loopback
}

/// `POST /api/oauth2/token`.
pub(super) fn token(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let form_type =
        call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or("");
    if !form_type || get("client_id") != CLIENT_ID || get("client_secret") != CLIENT_SECRET {
        return refusal(400, "invalid_request", "");
    }
    match get("grant_type") {
        "authorization_code" => {
            let code = get("code");
            let Some(mut row) = store.get("_codes", code).cloned() else {
                return refusal(400, "invalid_grant", "Token is not allowed, because of invalid or empty chainId");
            };
            if text(&row, "redirect_uri") != get("redirect_uri") {
                return refusal(400, "invalid_request", "");
            }
            if row["used"] == true || now - moment(&row, "at") > Duration::minutes(CODE_MINUTES) {
                return refusal(400, "invalid_grant", "");
            }
            row["used"] = json!(true);
            store.put("_codes", code, row);
            let chain = Uuid::new_v4().to_string();
            Reply::json(200, &issue(store, switches, &chain, now))
        }
        "refresh_token" => refresh(store, switches, get("refresh_token"), now),
        _ => refusal(400, "unsupported_grant_type", ""),
    }
}

/// A new pair. The pair before it is dead.
pub(super) fn issue(store: &mut Store, switches: &Switches, chain: &str, now: DateTime<Utc>) -> Value {
    let (access, refresh) = (secret("access"), secret("refresh"));
    if let Some(old) = store.get("_chains", chain).cloned() {
        if switches.single_access_token {
            store.delete("_access", text(&old, "access"));
        }
        let before = text(&old, "refresh").to_owned();
        store.put("_refresh", &before, json!({"chain": chain, "state": "old"}));
    }
    let at = now.to_rfc3339();
    store.put("_access", &access, json!({"chain": chain, "at": at}));
    store.put("_refresh", &refresh, json!({"chain": chain, "state": "current"}));
    store.put("_chains", chain, json!({"access": access, "refresh": refresh, "at": at, "used": false}));
    json!({"access_token": access, "token_type": "bearer", "expires_in": ACCESS_SECONDS.to_string(), "refresh_token": refresh})
}

fn refresh(store: &mut Store, switches: &Switches, token: &str, now: DateTime<Utc>) -> Reply {
    let Some(row) = store.get("_refresh", token).cloned() else {
        return refusal(400, "invalid_grant", "Token is not allowed, because of invalid or empty chainId");
    };
    let chain = text(&row, "chain").to_owned();
    let known = store.get("_chains", &chain).cloned().unwrap_or_default();
    if text(&row, "state") == "old" {
        // Once the answer with the new pair may have been lost: until the new pair is used the old one still counts.
        if !(switches.refresh_grace && known["used"] != true) {
            return refusal(401, "unauthorized_client", "Old refresh token used.");
        }
        return Reply::json(200, &issue(store, switches, &chain, now));
    }
    let age = now - moment(&known, "at");
    if age < Duration::seconds(EARLIEST_REFRESH_SECONDS) {
        return refusal(400, "access_denied", "Rate limit exceeded: access_token not expired")
            .with("Reason", "TooEarlyToRefreshTokens: access token is still valid");
    }
    if age > Duration::days(REFRESH_DAYS) {
        return refusal(400, "invalid_grant", "Refresh token expired.");
    }
    Reply::json(200, &issue(store, switches, &chain, now))
}

/// The bearer token is one of ours and still lives.
pub(super) fn check(store: &mut Store, call: &Call, now: DateTime<Utc>) -> Result<(), Reply> {
    let refused = || Reply::empty(401).with("WWW-Authenticate", "Bearer");
    let token = call.header("authorization").and_then(|header| header.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let row = store.get("_access", token).ok_or_else(refused)?;
    if now - moment(row, "at") >= Duration::seconds(ACCESS_SECONDS) {
        return Err(refused());
    }
    let chain = text(row, "chain").to_owned();
    if let Some(mut known) = store.get("_chains", &chain).cloned()
        && known["used"] != true
        && text(&known, "access") == token
    {
        known["used"] = json!(true);
        store.put("_chains", &chain, known);
    }
    Ok(())
}
