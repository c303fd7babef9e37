//! The list of systems. Adding a connector is a folder, one line in [`SYSTEMS`], and a line in the changelog.
//!
//! Every connector keeps these rules; the tests walk the list and hold it to them:
//!
//! 1. The folder is named after the system's id, with `_` for `-`, and holds `mod.rs`, `auth.rs`, `client.rs`,
//!    `source.rs` when it can be read and `target.rs` when it can be written, `diagnose.rs`, `fields.yaml`,
//!    `settings.yaml`, `README.md`, `rows/` and `fixtures/`.
//! 2. Ids are lower case, unique, and hold no space.
//! 3. For each entity it reads there are source rows, for each document it takes there are target rows; every rows file
//!    of the folder is declared, parses and compiles.
//! 4. `fields.yaml` has a section for each rows file, named like it; each section is a field catalogue.
//! 5. `settings.yaml` lists under `connection` each setting with a unique name, a type, `secret: true` where it is one,
//!    and a label (and help, where there is one) in English, Dutch, German, French and Italian.
//! 6. Limits are declared in the facts, and `README.md` says where they come from under "Limits".
//! 7. `README.md` has the sections "Facts", "Quirks" and "To confirm on a live account".
//! 8. A connector made of a connection with secrets never shows them in `{:?}`, in errors or in recorded exchanges.
//! 9. What it cannot do is refused with a `Settings` failure that names the system.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::ports::{Budget, Consent, Source, Systems, Target, VatNumbers, WebhookAdmin, WebhookReceiver};
use koppel_core::system::SystemFacts;
use koppel_core::{Cause, Failure};

use crate::http::Deps;
use crate::http::budget::CallBudget;
use crate::vies::Vies;
use crate::{accountview, asperion, ccv_shop, exact_online, mijnwebwinkel, visma_net, woocommerce};

type MakeSource = fn(&Connection, &Deps) -> Result<Arc<dyn Source>, Failure>;
type MakeTarget = fn(&Connection, &Deps) -> Result<Arc<dyn Target>, Failure>;
type MakeConsent = fn(&Connection, &Deps) -> Result<Arc<dyn Consent>, Failure>;
type MakeReceiver = fn(&str) -> Arc<dyn WebhookReceiver>;
type MakeAdmin = fn(&Connection, &Deps) -> Result<Arc<dyn WebhookAdmin>, Failure>;

/// How the webhooks of a system are received and registered.
pub struct Webhooks {
    /// Makes a receiver for the secret that deliveries are signed with.
    pub receiver: MakeReceiver,
    /// Makes what registers them.
    pub admin: MakeAdmin,
}

/// One system: its facts and how its connectors are made.
pub struct SystemEntry {
    /// Facts.
    pub facts: &'static SystemFacts,
    /// Makes a connector to read with; `None` when the system cannot be read.
    pub source: Option<MakeSource>,
    /// Makes a connector to write with; `None` when the system cannot be written.
    pub target: Option<MakeTarget>,
    /// The way to consent; `None` when keys are enough.
    pub consent: Option<MakeConsent>,
    /// Webhooks; `None` when the system has none, or they are not used.
    pub webhooks: Option<Webhooks>,
}

/// All systems.
pub static SYSTEMS: &[SystemEntry] = &[
    SystemEntry {
        facts: &woocommerce::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(woocommerce::WooCommerceSource::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(woocommerce::WooCommerceTarget::new(connection, deps)?))),
        consent: None,
        webhooks: Some(Webhooks {
            receiver: |secret| Arc::new(woocommerce::webhook::Receiver::new(secret)),
            admin: |connection, deps| Ok(Arc::new(woocommerce::webhook::Admin::new(connection, deps)?)),
        }),
    },
    SystemEntry {
        facts: &ccv_shop::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(ccv_shop::CcvShopSource::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(ccv_shop::CcvShopTarget::new(connection, deps)?))),
        consent: None,
        webhooks: Some(Webhooks {
            receiver: |secret| Arc::new(ccv_shop::webhook::Receiver::new(secret)),
            admin: |connection, deps| Ok(Arc::new(ccv_shop::webhook::Admin::new(connection, deps)?)),
        }),
    },
    SystemEntry {
        facts: &exact_online::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(exact_online::ExactOnline::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(exact_online::ExactOnline::new(connection, deps)?))),
        consent: Some(|connection, deps| Ok(Arc::new(exact_online::auth::token_keeper(connection, deps)?))),
        webhooks: None,
    },
    SystemEntry {
        facts: &mijnwebwinkel::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(mijnwebwinkel::MijnWebwinkelSource::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(mijnwebwinkel::MijnWebwinkelTarget::new(connection, deps)?))),
        consent: None,
        webhooks: None,
    },
    SystemEntry {
        facts: &accountview::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(accountview::AccountView::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(accountview::AccountView::new(connection, deps)?))),
        consent: Some(|connection, deps| Ok(Arc::new(accountview::auth::token_keeper(connection, deps)?))),
        webhooks: None,
    },
    SystemEntry {
        facts: &asperion::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(asperion::Asperion::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(asperion::Asperion::new(connection, deps)?))),
        consent: Some(|connection, deps| Ok(Arc::new(asperion::auth::token_keeper(connection, deps)?))),
        webhooks: None,
    },
    SystemEntry {
        facts: &visma_net::FACTS,
        source: Some(|connection, deps| Ok(Arc::new(visma_net::VismaNet::new(connection, deps)?))),
        target: Some(|connection, deps| Ok(Arc::new(visma_net::VismaNet::new(connection, deps)?))),
        consent: None,
        webhooks: None,
    },
];

/// Makes connectors and keeps them, so that open connections, cached tokens and what was found out about a shop are
/// used again.
pub struct Registry {
    deps: Deps,
    sources: Cache<dyn Source>,
    targets: Cache<dyn Target>,
    /// By address.
    vies: Mutex<HashMap<Option<String>, Arc<Vies>>>,
}

impl Registry {
    /// A registry for one host.
    pub fn new(deps: Deps) -> Self {
        Self { deps, sources: Cache::default(), targets: Cache::default(), vies: Mutex::default() }
    }
}

impl Systems for Registry {
    fn facts(&self, system: &str) -> Option<&'static SystemFacts> {
        find(system).map(|entry| entry.facts)
    }

    fn ids(&self) -> Vec<&'static str> {
        SYSTEMS.iter().map(|entry| entry.facts.id).collect()
    }

    fn source(&self, connection: &Connection) -> Result<Arc<dyn Source>, Failure> {
        let entry = known(connection)?;
        let make = entry.source.ok_or_else(|| cannot(connection, entry.facts, "cannot be read", "receive from"))?;
        self.sources.get(connection, || make(connection, &self.deps))
    }

    fn target(&self, connection: &Connection) -> Result<Arc<dyn Target>, Failure> {
        let entry = known(connection)?;
        let make = entry.target.ok_or_else(|| cannot(connection, entry.facts, "cannot receive orders", "send to"))?;
        self.targets.get(connection, || make(connection, &self.deps))
    }

    fn budget(&self, connection: &Connection) -> Result<Option<Arc<dyn Budget>>, Failure> {
        let budget = CallBudget::new(connection, &known(connection)?.facts.limits, &self.deps)?;
        Ok(budget.has_limits().then(|| Arc::new(budget) as Arc<dyn Budget>))
    }

    fn consent(&self, connection: &Connection) -> Result<Option<Arc<dyn Consent>>, Failure> {
        known(connection)?.consent.map(|make| make(connection, &self.deps)).transpose()
    }

    fn webhook_receiver(
        &self,
        connection: &Connection,
        secret: &str,
    ) -> Result<Option<Arc<dyn WebhookReceiver>>, Failure> {
        Ok(known(connection)?.webhooks.as_ref().map(|webhooks| (webhooks.receiver)(secret)))
    }

    fn webhook_admin(&self, connection: &Connection) -> Result<Option<Arc<dyn WebhookAdmin>>, Failure> {
        known(connection)?.webhooks.as_ref().map(|webhooks| (webhooks.admin)(connection, &self.deps)).transpose()
    }

    fn vat_numbers(&self, url: Option<&str>) -> Result<Option<Arc<dyn VatNumbers>>, Failure> {
        let mut made = self.vies.lock().unwrap_or_else(PoisonError::into_inner);
        let key = url.map(str::to_owned);
        if let Some(known) = made.get(&key) {
            return Ok(Some(known.clone()));
        }
        let vies = Arc::new(Vies::new(url, &self.deps)?);
        made.insert(key, vies.clone());
        Ok(Some(vies))
    }
}

fn find(system: &str) -> Option<&'static SystemEntry> {
    SYSTEMS.iter().find(|entry| entry.facts.id == system)
}

fn known(connection: &Connection) -> Result<&'static SystemEntry, Failure> {
    find(&connection.system).ok_or_else(|| {
        let ids: Vec<&str> = SYSTEMS.iter().map(|entry| entry.facts.id).collect();
        let advice = match nearest(&connection.system, ids.iter().copied()) {
            Some(near) => format!("did you mean «{near}»?"),
            None => format!("use one of {}", ids.join(", ")),
        };
        Failure::settings(
            Cause::new("unknown_system", format!("«{}» is not a system that Koppel knows", connection.system))
                .advice(advice)
                .in_row("system")
                .at_connection(&connection.name),
        )
    })
}

fn cannot(connection: &Connection, facts: &SystemFacts, what: &str, verb: &str) -> Failure {
    Failure::settings(
        Cause::new("not_supported", format!("{} {what}", facts.name))
            .advice(format!("choose another connection to {verb}; koppel systems shows what each system can do"))
            .at_connection(&connection.name),
    )
}

/// Connectors by tenant and connection, remade when the connection's configuration changed.
struct Cache<T: ?Sized> {
    made: Mutex<HashMap<Name, Made<T>>>,
}

/// Tenant and connection.
type Name = (String, String);

/// A connector and the mark of the configuration it was made of.
type Made<T> = (u64, Arc<T>);

impl<T: ?Sized> Default for Cache<T> {
    fn default() -> Self {
        Self { made: Mutex::default() }
    }
}

impl<T: ?Sized> Cache<T> {
    fn get(&self, connection: &Connection, make: impl FnOnce() -> Result<Arc<T>, Failure>) -> Result<Arc<T>, Failure> {
        let name = (connection.tenant.0.clone(), connection.name.clone());
        let mark = fingerprint(connection);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, connector)) = made.get(&name)
            && *known == mark
        {
            return Ok(Arc::clone(connector));
        }
        let connector = make()?;
        made.insert(name, (mark, Arc::clone(&connector)));
        Ok(connector)
    }
}

/// Changes with the configuration; it stays in memory, so it needs no more than to tell versions apart.
fn fingerprint(connection: &Connection) -> u64 {
    let mut hasher = DefaultHasher::new();
    connection.system.hash(&mut hasher);
    serde_json::Value::Object(connection.options.clone()).to_string().hash(&mut hasher);
    connection.secrets.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;
