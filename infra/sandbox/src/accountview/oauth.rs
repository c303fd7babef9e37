//! The consent page and the token endpoint: codes that work once, access tokens that end, refresh tokens that rotate.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Switches;
use crate::message::{Call, Reply, pairs};
use crate::state::Store;
use crate::text::text;

/// The API key of the registered application.
pub const CLIENT_ID: &str = "av-3f0c1d2e4b5a69788776655443322110";
/// Its API secret.
pub const CLIENT_SECRET: &str = "kPpl-4cc0untv13w";
/// Its redirect URI; with the switch `loopback_redirects` any address on this machine is accepted too.
pub const REDIRECT_URI: &str = "https://koppel.example/callback/accountview";
/// The scope for reading.
pub const READ_SCOPE: &str = "readaccountviewdata";

const CODE_MINUTES: i64 = 5;

fn refusal(error: &str) -> Reply {
    Reply::json(400, &json!({ "error": error }))
}

fn moment(row: &Value, field: &str) -> DateTime<Utc> {
    text(row, field).parse().unwrap_or_default()
}

/// Random text with characters that must be percent-encoded in an address.
fn secret(prefix: &str) -> String {
    format!("{prefix}+{}/{}=", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// `GET /ams/authorize.aspx`: the user always says yes.
pub(super) fn authorize(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let get = |name: &str| {
        let found = call.pairs().into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).unwrap_or_default()
    };
    let (redirect, scope) = (get("redirect_uri"), get("scope"));
    let known = |scope: &str| scope == READ_SCOPE || switches.write_scope.as_deref() == Some(scope);
    let scopes_known = !scope.is_empty() && scope.split(' ').all(known);
    let page = |what: &str| {
        let page = format!("<!DOCTYPE html><html><body><h1>AccountView.Net</h1><p>Ongeldig: {what}</p></body></html>");
        Reply::typed(400, "text/html; charset=utf-8", page)
    };
    if get("client_id") != CLIENT_ID || get("response_type") != "code" {
        return page("client_id");
    }
    if !registered(switches, &redirect) {
        return page("redirect_uri");
    }
    if !scopes_known {
        return page("scope");
    }
    let Ok(mut target) = url::Url::parse(&redirect) else { return page("redirect_uri") };
    let code = secret("code");
    store.put(
        "_codes",
        &code,
        json!({"redirect_uri": redirect, "scope": scope, "at": now.to_rfc3339(), "used": false}),
    );
    target.query_pairs_mut().append_pair("code", &code);
    let state = get("state");
    if switches.echo_state && !state.is_empty() {
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

/// `POST /api/v3/token`.
pub(super) fn token(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let form_type =
        call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or("");
    if !form_type {
        return refusal("invalid_request");
    }
    // In the body; a Basic header is not looked at.
    if get("client_id") != CLIENT_ID || get("client_secret") != CLIENT_SECRET {
        return refusal("invalid_client");
    }
    match get("grant_type") {
        "authorization_code" => {
            let code = get("code");
            let Some(mut row) = store.get("_codes", code).cloned() else { return refusal("invalid_grant") };
            let late = now - moment(&row, "at") > Duration::minutes(CODE_MINUTES);
            if row["used"] == true || late || text(&row, "redirect_uri") != get("redirect_uri") {
                return refusal("invalid_grant");
            }
            row["used"] = json!(true);
            let scope = text(&row, "scope").to_owned();
            store.put("_codes", code, row);
            Reply::json(200, &issue(store, switches, &scope, None, now))
        }
        "refresh_token" => {
            let token = get("refresh_token");
            let Some(row) = store.get("_refresh", token).cloned() else { return refusal("invalid_grant") };
            let old = now - moment(&row, "at") > Duration::days(switches.refresh_days);
            if row["dead"] == true || old {
                return refusal("invalid_grant");
            }
            Reply::json(200, &issue(store, switches, text(&row, "scope"), Some(token), now))
        }
        _ => refusal("unsupported_grant_type"),
    }
}

/// A fresh access token, and a refresh token as the switch says.
pub(super) fn issue(
    store: &mut Store,
    switches: &Switches,
    scope: &str,
    before: Option<&str>,
    now: DateTime<Utc>,
) -> Value {
    let access = secret("access");
    store.put("_access", &access, json!({"scope": scope, "at": now.to_rfc3339()}));
    let mut answer = json!({"access_token": access, "token_type": "bearer"});
    if switches.expires_in {
        answer["expires_in"] = json!(switches.access_seconds);
    }
    let refresh = match before {
        Some(token) if switches.refresh_tokens != "rotating" => token.to_owned(),
        _ => secret("refresh"),
    };
    if let Some(before) = before.filter(|token| *token != refresh) {
        store.put("_refresh", before, json!({"scope": scope, "at": now.to_rfc3339(), "dead": true}));
    }
    store.put("_refresh", &refresh, json!({"scope": scope, "at": now.to_rfc3339(), "dead": false}));
    if before.is_none() || switches.refresh_tokens != "omitted" {
        answer["refresh_token"] = json!(refresh);
    }
    answer
}

/// The scopes of the bearer token; it must be one of ours and still live.
pub(super) fn check(store: &Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Result<String, Reply> {
    let refused = || Reply::empty(401).with("WWW-Authenticate", "Bearer");
    let token = call.header("authorization").and_then(|header| header.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let row = store.get("_access", token).ok_or_else(refused)?;
    if now - moment(row, "at") >= Duration::seconds(switches.access_seconds) {
        return Err(refused());
    }
    Ok(text(row, "scope").to_owned())
}
