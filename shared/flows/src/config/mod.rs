//! Configuration: what a user writes in `koppel.yaml`, read strictly and kept in versions.

mod alerts;
mod diff;
mod kept;
pub mod options;
mod parse;
mod schedule;
mod secrets;
mod types;
mod validate;
mod vat_number;
mod versions;

pub use alerts::{
    ALERT_SECRETS, AlertsConfig, DigestConfig, EMAIL_PASSWORD, EmailConfig, SLACK_URL, SlackConfig, SmtpServer,
};
pub use diff::{Change, differences};
pub use kept::{Calculation, PriceSettings, ProductSettings, StockSettings, Unpublished, Update};
pub use parse::parse;
pub use schedule::{Schedule, parse_duration};
use secrets::open_secrets;
pub use secrets::{Secrets, resolve_secrets, store_secrets};
pub use types::{
    Bundles, ClosedPeriod, Code, Config, Confirm, ConnectionConfig, CustomerSettings, DefaultCustomer,
    DefaultCustomerWhen, Filter, FlowConfig, FlowSettings, Rounding, Setting,
};
pub(crate) use validate::document_of;
pub use validate::validate;
pub use vat_number::{InvalidNumber, NumberCheck, UnknownNumber, VatNumberSettings};
pub use versions::{StoredConfig, current_version, load_current, load_version, rollback, save_version};

/// JSON Schema of `koppel.yaml`, for editors.
pub fn json_schema() -> serde_json::Value {
    serde_json::to_value(schemars::schema_for!(Config)).unwrap_or_default()
}

/// The opened secrets of alerts.
pub async fn alert_secrets(
    engine: &crate::Engine,
    tenant: &koppel_core::Tenant,
) -> Result<std::collections::BTreeMap<String, String>, koppel_core::Failure> {
    secrets_of(engine, tenant, ALERT_SECRETS).await
}

/// The opened secrets of one connection.
pub(crate) async fn secrets_of(
    engine: &crate::Engine,
    tenant: &koppel_core::Tenant,
    connection: &str,
) -> Result<std::collections::BTreeMap<String, String>, koppel_core::Failure> {
    open_secrets(&*engine.store, &*engine.vault, tenant, connection).await
}
