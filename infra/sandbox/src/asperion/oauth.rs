//! The identity server: consent, codes that work once, access tokens of an hour, refresh tokens that rotate.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use ring::digest;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Switches;
use crate::message::{Call, Reply, pairs};
use crate::state::Store;
use crate::text::text;

/// The registered application.
pub const CLIENT_ID: &str = "koppel-asperion-sandbox";
/// Its secret.
pub const CLIENT_SECRET: &str = "As-kPpl5andb0x";
/// Its redirect URI; with the switch `loopback_redirects` any address on this machine is accepted too.
pub const REDIRECT_URI: &str = "https://koppel.example/callback/asperion";

const CODE_SECONDS: i64 = 300;
const OFFLINE: &str = "offline_access";

fn refusal(error: &str) -> Reply {
    Reply::json(400, &json!({"error": error}))
}

fn moment(row: &Value, field: &str) -> DateTime<Utc> {
    text(row, field).parse().unwrap_or_default()
}

fn secret() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).to_uppercase()
}

/// `GET /connect/authorize`: the user always says yes.
pub(super) fn authorize(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let get = |name: &str| call.param(name).unwrap_or_default();
    let redirect = get("redirect_uri");
    let target = url::Url::parse(&redirect).ok().filter(|_| registered(switches, &redirect));
    // Nobody is sent to an address that is not registered.
    let (Some(mut target), true) = (target, get("client_id") == CLIENT_ID) else {
        let page = "<!DOCTYPE html><html><body><h1>Error</h1><p>unauthorized_client</p></body></html>";
        return Reply::typed(400, "text/html; charset=utf-8", page);
    };
    let scope = get("scope");
    let challenge = get("code_challenge");
    let lacks = switches.required_scope.as_ref().is_some_and(|wanted| !asks(&scope, wanted));
    let error = if get("response_type") != "code" {
        "unsupported_response_type"
    } else if lacks {
        "invalid_scope"
    } else if switches.pkce_required && (challenge.is_empty() || get("code_challenge_method") != "S256") {
        "invalid_request"
    } else {
        ""
    };
    if error.is_empty() {
        let code = secret();
        let row = json!({"redirect_uri": redirect, "at": now.to_rfc3339(), "scope": scope, "challenge": challenge});
        store.put("_codes", &code, row);
        target.query_pairs_mut().append_pair("code", &code).append_pair("scope", &scope);
    } else {
        target.query_pairs_mut().append_pair("error", error);
    }
    if let Some(state) = call.param("state") {
        target.query_pairs_mut().append_pair("state", &state);
    }
    Reply::empty(302).with("Location", target)
}

fn asks(scope: &str, wanted: &str) -> bool {
    scope.split(' ').any(|one| one == wanted)
}

fn registered(switches: &Switches, redirect: &str) -> bool {
    let host = url::Url::parse(redirect).ok().and_then(|url| url.host_str().map(str::to_owned));
    let loopback = host.is_some_and(|host| matches!(host.as_str(), "127.0.0.1" | "localhost" | "[::1]"));
    redirect == REDIRECT_URI || switches.loopback_redirects && loopback
}

/// `POST /connect/token`: client id and secret are in the form.
pub(super) fn token(store: &mut Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let form_type =
        call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form_type {
        return refusal("invalid_request");
    }
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or("");
    if get("client_id") != CLIENT_ID || get("client_secret") != CLIENT_SECRET {
        return refusal("invalid_client");
    }
    match get("grant_type") {
        "authorization_code" => {
            // A code works once, whatever comes of it.
            let Some(row) = store.delete("_codes", get("code")) else { return refusal("invalid_grant") };
            let late = now - moment(&row, "at") > Duration::seconds(CODE_SECONDS);
            let challenge = text(&row, "challenge");
            let proven = challenge.is_empty() || challenge == challenge_of(get("code_verifier"));
            if late || !proven || text(&row, "redirect_uri") != get("redirect_uri") {
                return refusal("invalid_grant");
            }
            Reply::json(200, &issue(store, switches, text(&row, "scope"), now))
        }
        "refresh_token" => refresh(store, switches, get("refresh_token"), now),
        _ => refusal("unsupported_grant_type"),
    }
}

/// The challenge of a verifier, by SHA-256.
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
}

fn refresh(store: &mut Store, switches: &Switches, token: &str, now: DateTime<Utc>) -> Reply {
    let Some(row) = store.get("_refresh", token).cloned() else { return refusal("invalid_grant") };
    if now - moment(&row, "at") > Duration::days(switches.refresh_days) {
        return refusal("invalid_grant");
    }
    if !switches.rotate_refresh {
        let mut answer = issue(store, switches, text(&row, "scope"), now);
        let fresh = text(&answer, "refresh_token").to_owned();
        store.delete("_refresh", &fresh);
        answer["refresh_token"] = json!(token);
        return Reply::json(200, &answer);
    }
    store.delete("_refresh", token);
    Reply::json(200, &issue(store, switches, text(&row, "scope"), now))
}

/// A new pair. Access tokens that were given before live on until their time is over.
pub(super) fn issue(store: &mut Store, switches: &Switches, scope: &str, now: DateTime<Utc>) -> Value {
    let access = secret();
    store.put("_access", &access, json!({"at": now.to_rfc3339()}));
    let mut answer = json!({"access_token": access, "expires_in": switches.access_seconds, "token_type": "Bearer",
        "scope": scope});
    if !switches.offline_access || asks(scope, OFFLINE) {
        let refresh = secret();
        store.put("_refresh", &refresh, json!({"at": now.to_rfc3339(), "scope": scope}));
        answer["refresh_token"] = json!(refresh);
    }
    answer
}

/// The bearer token is one of ours and still lives.
pub(super) fn check(store: &Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Result<(), Reply> {
    let bare = call.header("authorization").is_none();
    let told = if bare { "Bearer" } else { "Bearer error=\"invalid_token\"" };
    let refused = || Reply::empty(401).with("WWW-Authenticate", told);
    let token = call.header("authorization").and_then(|header| header.strip_prefix("Bearer ")).ok_or_else(refused)?;
    let row = store.get("_access", token).ok_or_else(refused)?;
    if now - moment(row, "at") >= Duration::seconds(switches.access_seconds) {
        return Err(refused());
    }
    Ok(())
}
