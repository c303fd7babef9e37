//! Visma Connect: tokens for service applications by client credentials, and what a token opens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use ring::hmac;
use serde_json::{Value, json};

use super::Switches;
use super::contract::Endpoint;
use super::errors::{message, platform, problem};
use crate::message::{Call, Reply, pairs};
use crate::state::Store;
use crate::text::text;

/// The registered application.
pub const CLIENT_ID: &str = "isv_koppel_sandbox";
/// Its secret.
pub const CLIENT_SECRET: &str = "Vsm4-Sandb0x-s3cret";
/// The company with data: the tenant a token must be asked for.
pub const TENANT_ID: &str = "5d2c8a10-7b1e-4b7e-9c55-0c0a4d0f1001";
/// The customer the company belongs to: a token is given for it, and opens nothing.
pub const CUSTOMER_TENANT_ID: &str = "9e0f6b52-31d4-4c0e-8a44-0c0a4d0f2002";

/// Everything a service application can be granted.
pub const SCOPES: &[&str] = &[
    "vismanet_erp_service_api:read",
    "vismanet_erp_service_api:create",
    "vismanet_erp_service_api:update",
    "vismanet_erp_service_api:delete",
    "visma.net.erp.salesorder:read",
    "visma.net.erp.salesorder:write",
];

/// Signs tokens. Anybody may know it: the stand-in protects nothing.
const KEY: &[u8] = b"koppel sandbox visma connect";

fn refusal(status: u16, error: &str) -> Reply {
    Reply::json(status, &json!({"error": error})).with("Cache-Control", "no-store")
}

/// `POST /connect/token`.
pub(super) fn token(store: &Store, switches: &Switches, call: &Call, now: DateTime<Utc>) -> Reply {
    let form_type =
        call.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form_type {
        return refusal(400, "invalid_request");
    }
    let form = pairs(&String::from_utf8_lossy(&call.body));
    let get = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or("");
    let (mut client, mut secret) = (get("client_id").to_owned(), get("client_secret").to_owned());
    if let Some((id, word)) = basic(call) {
        (client, secret) = (id, word);
    }
    if client != CLIENT_ID || secret != CLIENT_SECRET {
        return refusal(switches.invalid_client_status, "invalid_client");
    }
    if get("grant_type") != "client_credentials" {
        return refusal(400, "unsupported_grant_type");
    }
    if !switches.approved {
        return refusal(400, "unauthorized_client");
    }
    let tenant = get("tenant_id");
    if tenant.is_empty() || ![TENANT_ID, CUSTOMER_TENANT_ID].contains(&tenant) {
        return refusal(400, "invalid_request");
    }
    let scopes: Vec<&str> = get("scope").split_whitespace().collect();
    let refused = |scope: &&str| !SCOPES.contains(scope) || switches.missing_scopes.iter().any(|gone| gone == scope);
    let families = scopes.iter().map(|scope| scope.split(':').next()).collect::<std::collections::BTreeSet<_>>();
    if scopes.is_empty() || scopes.iter().any(refused) || families.len() > 1 && !switches.mixed_scopes {
        return refusal(400, "invalid_scope");
    }
    Reply::json(200, &issue(store, switches, tenant, &scopes, now)).with("Cache-Control", "no-store")
}

fn basic(call: &Call) -> Option<(String, String)> {
    let word = call.header("authorization")?.strip_prefix("Basic ")?;
    let text = base64::engine::general_purpose::STANDARD.decode(word).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((crate::message::decode(id), crate::message::decode(secret)))
}

/// A new token. It carries what it opens, so it outlives a restart.
pub(super) fn issue(store: &Store, switches: &Switches, tenant: &str, scopes: &[&str], now: DateTime<Utc>) -> Value {
    let generation = store.get("_tokens", "generation").and_then(Value::as_i64).unwrap_or(0);
    let claims = json!({"iss": "https://connect.visma.com", "client_id": CLIENT_ID, "tenant_id": tenant,
        "scope": scopes, "iat": now.timestamp(), "exp": now.timestamp() + switches.token_seconds,
        "jti": uuid::Uuid::new_v4().simple().to_string(), "generation": generation});
    let head = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "at+jwt"}).to_string());
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), signed.as_bytes());
    let access = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    json!({"access_token": access, "expires_in": switches.token_seconds, "token_type": "Bearer", "scope": scopes.join(" ")})
}

/// Ends every token that was given so far.
pub(super) fn revoke(store: &mut Store) {
    let generation = store.get("_tokens", "generation").and_then(Value::as_i64).unwrap_or(0);
    store.put("_tokens", "generation", json!(generation + 1));
}

fn claims(store: &Store, call: &Call, now: DateTime<Utc>) -> Option<Value> {
    let token = call.header("authorization")?.strip_prefix("Bearer ")?;
    let (signed, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, KEY), signed.as_bytes(), &tag).ok()?;
    let body = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
    let claims: Value = serde_json::from_slice(&body).ok()?;
    let generation = store.get("_tokens", "generation").and_then(Value::as_i64).unwrap_or(0);
    let alive = claims["exp"].as_i64()? > now.timestamp() && claims["generation"] == generation;
    alive.then_some(claims)
}

/// The token lives, is for the company, and has the scope of the address.
pub(super) fn check(
    store: &Store,
    switches: &Switches,
    call: &Call,
    endpoint: Option<&Endpoint>,
    now: DateTime<Utc>,
) -> Result<(), Reply> {
    let v3 = endpoint.is_some_and(|endpoint| endpoint.v3);
    let Some(claims) = claims(store, call, now) else {
        return Err(Reply::empty(401).with("WWW-Authenticate", "Bearer error=\"invalid_token\""));
    };
    if text(&claims, "tenant_id") != TENANT_ID || !switches.licensed {
        if v3 {
            return Err(problem(401, "Unauthorized", "", &call.path));
        }
        return Err(platform(401, "No license for this company.", "12027"));
    }
    let Some(endpoint) = endpoint else { return Ok(()) };
    let prefix = if endpoint.v3 { "visma.net.erp.salesorder" } else { "vismanet_erp_service_api" };
    let word = if endpoint.scope.is_empty() { "read" } else { &endpoint.scope };
    let wanted = format!("{prefix}:{word}");
    if claims["scope"].as_array().is_some_and(|scopes| scopes.iter().any(|scope| scope == wanted.as_str())) {
        return Ok(());
    }
    if endpoint.v3 {
        return Err(problem(403, "Forbidden", "", &call.path));
    }
    Err(message(403, "The access token does not have the scope this operation needs."))
}

/// `/.well-known/openid-configuration`.
pub(super) fn discovery(site: &str) -> Reply {
    let at = |path: &str| format!("{site}/connect/{path}");
    Reply::json(
        200,
        &json!({"issuer": site, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
            "userinfo_endpoint": at("userinfo"), "end_session_endpoint": at("endsession"),
            "grant_types_supported": ["client_credentials"], "scopes_supported": SCOPES}),
    )
}
