//! Webhooks of a connection: registered in the shop, signed with a secret of our own, looked after once a day.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::Tenant;
use koppel_core::ports::webhook::HookState;
use koppel_core::ports::{Calls, Condition, Key, Priority, StoreError};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::{Config, StoredConfig};
use crate::connections;
use crate::runs::{put, read_required};

/// Shops disable webhooks in silence, so they are looked at this often.
const CHECK_EVERY: TimeDelta = TimeDelta::hours(24);

/// What is known of the webhooks of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Address that the shop delivers to.
    pub url: String,
    /// Since when.
    pub registered_at: DateTime<Utc>,
    /// When they were looked at last.
    pub checked_at: DateTime<Utc>,
    /// What was wrong then, and was mended.
    #[serde(default)]
    pub mended: Vec<Finding>,
    /// Why they could not be looked at.
    #[serde(default)]
    pub problem: Option<Cause>,
}

/// How one webhook was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it tells.
    pub topic: String,
    /// How it was.
    pub was: Found,
}

/// How a webhook was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// As it should be.
    Good,
    /// Not there; registered.
    Missing,
    /// Paused by somebody; active again.
    Paused,
    /// Given up by the shop after failed deliveries; active again.
    Disabled,
}

impl Found {
    /// In words, with what was done about it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Good => "active",
            Self::Missing => "was missing, registered",
            Self::Paused => "was paused, active again",
            Self::Disabled => "was disabled after failed deliveries, active again",
        }
    }
}

/// The address that a connection's webhooks deliver to, below the address of the endpoint.
pub fn delivery_url(base: &str, tenant: &Tenant, connection: &str) -> Result<String, Failure> {
    let refused = |message: String, advice: &str| {
        Failure::settings(Cause::new("bad_webhook_address", message).advice(advice).at_connection(connection))
    };
    let base = base.trim().trim_end_matches('/');
    let (scheme, rest) = base.split_once("://").unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |h| h.0);
    let here = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
    if host.is_empty() || host.contains('@') || !(scheme == "https" || scheme == "http" && here) {
        let advice = "deliveries hold orders: give https://…, or an http address of this machine for a sandbox";
        return Err(refused(format!("«{base}» is not an address for webhooks"), advice));
    }
    for name in [tenant.0.as_str(), connection] {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            let advice = "use letters, digits, «-», «_» and «.» in the names of tenants and connections with webhooks";
            return Err(refused(format!("«{name}» cannot stand in an address"), advice));
        }
    }
    Ok(format!("{base}/webhook/{tenant}/{connection}"))
}

/// Registers the webhooks that the flows of a connection need; those that are there are mended.
pub async fn register(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    connection: &str,
    base: &str,
) -> Result<Vec<Finding>, Failure> {
    let url = delivery_url(base, tenant, connection)?;
    // The secret before the webhook: the shop tries the address while it makes one.
    let secret = ensure_secret(engine, tenant, connection).await?;
    let findings = mend(engine, tenant, config, connection, &url, &secret, true).await?;
    let now = engine.clock.now();
    let before = registration(engine, tenant, connection).await?.filter(|before| before.url == url);
    let registration = Registration {
        url,
        registered_at: before.map_or(now, |before| before.registered_at),
        checked_at: now,
        mended: Vec::new(),
        problem: None,
    };
    put(engine, &registration_key(tenant, connection), &registration, Condition::Always, None).await?;
    Ok(findings)
}

/// Looks at the webhooks of a connection and mends what is wrong.
pub async fn check(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    connection: &str,
) -> Result<Vec<Finding>, Failure> {
    let not_registered = || {
        Failure::settings(
            Cause::new("no_webhooks", "no webhooks are registered for this connection")
                .advice(format!("koppel webhook register {connection} --url https://…"))
                .at_connection(connection),
        )
    };
    let before = registration(engine, tenant, connection).await?.ok_or_else(not_registered)?;
    let secret = secret(engine, tenant, connection).await?.ok_or_else(not_registered)?;
    let result = mend(engine, tenant, config, connection, &before.url, &secret, false).await;
    let mended = result.as_ref().map(|all| all.iter().filter(|f| f.was != Found::Good).cloned().collect());
    let after = Registration {
        checked_at: engine.clock.now(),
        mended: mended.unwrap_or_default(),
        problem: result.as_ref().err().map(|failure| failure.cause().clone()),
        ..before
    };
    put(engine, &registration_key(tenant, connection), &after, Condition::Always, None).await?;
    result
}

/// The daily look, for connections of flows with webhooks. Called by the schedule; a failure is told, never passed on.
pub(crate) async fn check_due(engine: &Engine, tenant: &Tenant, stored: &StoredConfig) {
    let mut connections: Vec<&str> =
        stored.config.flows.values().filter(|f| f.webhook && !f.paused).map(|f| f.from.as_str()).collect();
    connections.sort_unstable();
    connections.dedup();
    for connection in connections {
        match check_one_due(engine, tenant, stored, connection).await {
            Ok(findings) => {
                for finding in findings.iter().filter(|finding| finding.was != Found::Good) {
                    tracing::warn!(connection, topic = finding.topic, "the webhook {}", finding.was.text());
                }
            }
            Err(failure) => tracing::warn!(
                connection,
                class = failure.class(),
                code = failure.cause().code,
                "the webhooks could not be looked at"
            ),
        }
    }
}

async fn check_one_due(
    engine: &Engine,
    tenant: &Tenant,
    stored: &StoredConfig,
    connection: &str,
) -> Result<Vec<Finding>, Failure> {
    let key = registration_key(tenant, connection);
    let Some(item) = engine.store.get(&key).await? else { return Ok(Vec::new()) };
    let registration: Registration = read_required(&item.value)?;
    let now = engine.clock.now();
    if now - registration.checked_at < CHECK_EVERY || connections::stopped(engine, tenant, connection).await?.is_some()
    {
        return Ok(Vec::new());
    }
    // Taken down before it is done: a check that fails waits for the next day, and two schedules do it once.
    let taken = Registration { checked_at: now, ..registration };
    match put(engine, &key, &taken, Condition::Version(item.version), None).await {
        Ok(_) => check(engine, tenant, &stored.config, connection).await,
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

/// Makes every topic of the flows have one active webhook to `url`. `sign_anew` gives the secret to those that are good.
async fn mend(
    engine: &Engine,
    tenant: &Tenant,
    config: &Config,
    connection: &str,
    url: &str,
    secret: &str,
    sign_anew: bool,
) -> Result<Vec<Finding>, Failure> {
    let at = |failure: Failure| failure.map_cause(|cause| cause.at_connection(connection));
    let opened = connections::open(engine, tenant, config, connection).await?;
    let admin = engine.systems.webhook_admin(&opened).map_err(at)?.ok_or_else(|| {
        at(Failure::settings(
            Cause::new("not_supported", format!("{} has no webhooks that Koppel can use", opened.system))
                .advice("leave «webhook» out of the flow; it is read by its schedule"),
        ))
    })?;
    let entities: Vec<Entity> =
        config.flows.values().filter(|flow| flow.webhook && flow.from == connection).map(|flow| flow.entity).collect();
    let topics: std::collections::BTreeSet<&str> = entities.iter().flat_map(|e| admin.topics(*e)).copied().collect();
    if topics.is_empty() {
        return Err(at(Failure::settings(
            Cause::new("no_flow_with_webhooks", "no flow of this connection has «webhook: true»")
                .advice("set webhook: true in the flow, run koppel apply, and register again"),
        )));
    }
    let calls = Calls::new(Priority::Orders);
    let hooks = admin.list(&calls).await.map_err(at)?;
    let mut findings = Vec::new();
    for topic in topics {
        let hook = hooks.iter().find(|hook| hook.topic == topic && hook.url == url);
        let was = match hook.map(|hook| hook.state) {
            None => Found::Missing,
            Some(HookState::Active) => Found::Good,
            Some(HookState::Paused) => Found::Paused,
            Some(HookState::Disabled) => Found::Disabled,
        };
        match hook {
            None => _ = admin.register(topic, url, secret, &calls).await.map_err(at)?,
            Some(hook) if was != Found::Good || sign_anew => {
                admin.enable(&hook.id, secret, &calls).await.map_err(at)?;
            }
            Some(_) => {}
        }
        findings.push(Finding { topic: topic.to_owned(), was });
    }
    // A system that makes its secrets itself has made one for each webhook by now.
    if let Some(issued) = admin.issued_secret(url, &calls).await.map_err(at)?.filter(|issued| issued != secret) {
        keep_secret(engine, tenant, connection, &issued, Condition::Always).await?;
    }
    Ok(findings)
}

/// What is known of the webhooks of a connection; `None` when they were never registered.
pub async fn registration(engine: &Engine, tenant: &Tenant, connection: &str) -> Result<Option<Registration>, Failure> {
    let item = engine.store.get(&registration_key(tenant, connection)).await?;
    item.map(|item| read_required(&item.value)).transpose()
}

pub(crate) async fn registered_at(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
) -> Result<Option<DateTime<Utc>>, Failure> {
    Ok(registration(engine, tenant, connection).await?.map(|registration| registration.registered_at))
}

fn registration_key(tenant: &Tenant, connection: &str) -> Key {
    Key::new(tenant, &["webhook"], connection)
}

/// The secret that deliveries of a connection are signed with; `None` before they are registered.
pub(crate) async fn secret(engine: &Engine, tenant: &Tenant, connection: &str) -> Result<Option<String>, Failure> {
    let Some(item) = engine.store.get(&secret_key(tenant, connection)).await? else { return Ok(None) };
    let sealed: String = read_required(&item.value)?;
    let opened = engine.vault.open(&context(tenant, connection), &STANDARD.decode(sealed).unwrap_or_default()).await?;
    let text = String::from_utf8(opened).ok().filter(|text| !text.is_empty());
    text.map(Some).ok_or_else(|| StoreError::Unavailable("the webhook secret cannot be read".into()).into())
}

/// The secret; made and sealed the first time. Nobody sees it but the shop.
async fn ensure_secret(engine: &Engine, tenant: &Tenant, connection: &str) -> Result<String, Failure> {
    for _ in 0..2 {
        if let Some(secret) = secret(engine, tenant, connection).await? {
            return Ok(secret);
        }
        let mut fresh = [0_u8; 32];
        SystemRandom::new().fill(&mut fresh).map_err(|_| {
            let cause = Cause::new("no_randomness", "the machine gave no random bytes");
            Failure::retry(RetryReason::Unavailable, None, cause)
        })?;
        let secret = URL_SAFE_NO_PAD.encode(fresh);
        match keep_secret(engine, tenant, connection, &secret, Condition::Absent).await {
            // Read back what is stored: another process may have been first.
            Ok(_) | Err(Failure::Retry { reason: RetryReason::Busy, .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StoreError::Unavailable("the webhook secret could not be stored".into()).into())
}

async fn keep_secret(
    engine: &Engine,
    tenant: &Tenant,
    connection: &str,
    secret: &str,
    condition: Condition,
) -> Result<(), Failure> {
    let sealed = STANDARD.encode(engine.vault.seal(&context(tenant, connection), secret.as_bytes()).await?);
    put(engine, &secret_key(tenant, connection), &sealed, condition, None).await.map(drop)
}

fn secret_key(tenant: &Tenant, connection: &str) -> Key {
    Key::new(tenant, &["webhook-secret"], connection)
}

fn context(tenant: &Tenant, connection: &str) -> String {
    format!("webhook-secret#{tenant}#{connection}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_go_over_https_or_stay_on_this_machine() {
        let url = |base: &str| delivery_url(base, &Tenant::default(), "shop").ok();
        assert_eq!(url("https://in.example/x/").as_deref(), Some("https://in.example/x/webhook/main/shop"));
        assert_eq!(url("http://127.0.0.1:8000").as_deref(), Some("http://127.0.0.1:8000/webhook/main/shop"));
        assert!(url("http://[::1]:80").is_some() && url("http://localhost").is_some());
        for base in [
            "http://in.example",
            "ftp://127.0.0.1",
            "",
            "https://",
            "https://me@in.example",
            "127.0.0.1",
            "http://127.0.0.1.example:80",
            "http://localhost@evil.example",
        ] {
            assert_eq!(url(base), None, "{base}");
        }
        assert!(delivery_url("https://in.example", &Tenant::default(), "a/b").is_err());
    }
}
