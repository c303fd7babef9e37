//! Credentials of connections: read from the environment when a configuration is applied, sealed, and opened only
//! when a connector is made.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::error::{Cause, Failure};
use koppel_core::keys::Tenant;
use koppel_core::ports::{Condition, Key, Store, Vault};

use super::{ALERT_SECRETS, Config};

/// Opened secrets: connection → name → value.
pub type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// Resolves `${env:NAME}` in all credentials, and in the secrets of alerts, through `environment`.
pub fn resolve_secrets(config: &Config, environment: impl Fn(&str) -> Option<String>) -> Result<Secrets, Cause> {
    let value_of = |text: &str| match text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')) {
        Some(variable) => environment(variable).filter(|value| !value.is_empty()).ok_or_else(|| {
            Cause::new("missing_variable", format!("the environment variable {variable} is not set"))
                .advice(format!("set it: export {variable}=…"))
        }),
        None => Ok(text.to_owned()),
    };
    let mut secrets = Secrets::new();
    for (connection, settings) in &config.connections {
        let mut opened = BTreeMap::new();
        for (name, text) in &settings.credentials {
            let value = value_of(text).map_err(|cause| {
                cause.at_connection(connection).in_row(format!("connections.{connection}.credentials.{name}"))
            })?;
            opened.insert(name.clone(), value);
        }
        secrets.insert(connection.clone(), opened);
    }
    if let Some(alerts) = &config.alerts {
        let mut opened = BTreeMap::new();
        for (name, text) in alerts.secrets() {
            let value = value_of(text).map_err(|cause| cause.in_row(format!("alerts.{name}")))?;
            opened.insert(name.to_owned(), value);
        }
        secrets.insert(ALERT_SECRETS.to_owned(), opened);
    }
    Ok(secrets)
}

/// Replaces literal credentials by a mark, so that a stored configuration never holds a secret.
pub(super) fn without_literals(config: &Config) -> Config {
    let mut config = config.clone();
    for connection in config.connections.values_mut() {
        for text in connection.credentials.values_mut() {
            if !text.starts_with("${") {
                "${sealed}".clone_into(text);
            }
        }
    }
    let alerts = config.alerts.iter_mut().flat_map(|alerts| alerts.secrets_mut());
    for text in alerts.filter(|text| !text.starts_with("${")) {
        "${sealed}".clone_into(text);
    }
    config
}

/// Seals and stores the secrets of every connection.
pub async fn store_secrets(
    store: &dyn Store,
    vault: &dyn Vault,
    tenant: &Tenant,
    secrets: &Secrets,
) -> Result<(), Failure> {
    for (connection, opened) in secrets {
        let text = serde_json::to_vec(opened).unwrap_or_default();
        let sealed = vault.seal(&context(tenant, connection), &text).await?;
        let value = serde_json::json!({ "sealed": STANDARD.encode(sealed) }).to_string();
        store.put(&key(tenant, connection), &value, Condition::Always, None).await?;
    }
    Ok(())
}

/// Opens the secrets of one connection; none when nothing was stored.
pub(crate) async fn open_secrets(
    store: &dyn Store,
    vault: &dyn Vault,
    tenant: &Tenant,
    connection: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let Some(item) = store.get(&key(tenant, connection)).await? else {
        return Ok(BTreeMap::new());
    };
    let broken = || {
        Failure::settings(
            Cause::new("broken_secret", "the stored credentials cannot be read")
                .advice("run koppel apply again")
                .at_connection(connection),
        )
    };
    let value: serde_json::Value = serde_json::from_str(&item.value).map_err(|_| broken())?;
    let sealed = value["sealed"].as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(broken)?;
    let opened = vault.open(&context(tenant, connection), &sealed).await?;
    serde_json::from_slice(&opened).map_err(|_| broken())
}

fn key(tenant: &Tenant, connection: &str) -> Key {
    Key::new(tenant, &["secret"], connection)
}

fn context(tenant: &Tenant, connection: &str) -> String {
    format!("secret#{tenant}#{connection}")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TEXT: &str =
        r#"connections: { shop: { system: woocommerce, credentials: { key: "${env:K}", secret: "cs_1" } } }"#;

    #[test]
    fn variables_are_read_and_a_missing_one_is_named() {
        let config = parse("koppel.yaml", TEXT).unwrap();
        let secrets = resolve_secrets(&config, |name| (name == "K").then(|| "ck_1".to_owned())).unwrap();
        assert_eq!(secrets["shop"]["key"], "ck_1");
        assert_eq!(secrets["shop"]["secret"], "cs_1");
        let cause = resolve_secrets(&config, |_| None).unwrap_err().to_string();
        assert!(
            cause.contains("variable K is not set") && cause.contains("connections.shop.credentials.key"),
            "{cause}"
        );
    }

    #[test]
    fn a_stored_configuration_holds_no_literal_secret() {
        let config = without_literals(&parse("koppel.yaml", TEXT).unwrap());
        let text = serde_json::to_string(&config).unwrap();
        assert!(!text.contains("cs_1") && text.contains("${env:K}") && text.contains("${sealed}"), "{text}");
    }
}
