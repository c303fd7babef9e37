//! Stand-ins of the systems Koppel connects. They are written from what the real systems are known to do, not from
//! the connectors, and refuse what the real systems refuse.
//!
//! One [`Sandbox`] is one world with one clock: each system has a port of its own. Any number of sandboxes can run in
//! one process.

#![recursion_limit = "256"]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub mod accountview;
pub mod asperion;
pub mod catalogue;
pub mod ccv_shop;
pub mod clock;
pub mod exact_online;
pub mod faults;
pub mod fetch;
pub mod host;
pub mod inspect;
pub mod message;
pub mod mijnwebwinkel;
pub mod pictures;
pub mod registry;
pub mod server;
pub mod state;
mod text;
pub mod tls;
pub mod vies;
pub mod visma_net;
pub mod woocommerce;

pub use catalogue::{Article, generate_articles};
pub use clock::Clock;
pub use faults::{FaultAction, FaultRule};
use host::Host;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A wrong option.
    #[error("{0}")]
    Settings(String),
    /// The state folder cannot be used.
    #[error("state \"{path}\": {source}")]
    State {
        /// File or folder.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// A port cannot be opened.
    #[error("{system}: cannot listen on {address}: {source}")]
    Listen {
        /// Name of the system.
        system: String,
        /// Host and port.
        address: String,
        /// What the network said.
        source: std::io::Error,
    },
    /// No certificate could be made.
    #[error("TLS: {0}")]
    Tls(String),
}

impl SandboxError {
    pub(crate) fn state(path: &Path, source: std::io::Error) -> Self {
        Self::State { path: path.into(), source }
    }
}

/// How a sandbox starts. The default: all systems, free ports of 127.0.0.1, in memory, real time.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on.
    pub host: IpAddr,
    /// System → port (0 = a free one). Only these systems start; empty: all, on free ports.
    pub ports: BTreeMap<String, u16>,
    /// Folder that keeps the state over restarts.
    pub state: Option<PathBuf>,
    /// Time the clock shows at the start.
    pub start_time: Option<DateTime<Utc>>,
    /// System → switches that differ from their default (see the README).
    pub switches: BTreeMap<String, Value>,
    /// Systems that speak TLS, with a certificate of a private authority.
    pub tls: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: BTreeMap::new(),
            state: None,
            start_time: None,
            switches: BTreeMap::new(),
            tls: Vec::new(),
        }
    }
}

impl Options {
    /// Sets switches of one system.
    #[must_use]
    pub fn switch(mut self, system: &str, values: Value) -> Self {
        self.switches.insert(system.into(), values);
        self
    }

    /// Keeps the state in a folder.
    #[must_use]
    pub fn state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state = Some(folder.into());
        self
    }

    /// Lets a system speak TLS.
    #[must_use]
    pub fn tls(mut self, system: &str) -> Self {
        self.tls.push(system.into());
        self
    }

    /// Starts the clock at this time.
    #[must_use]
    pub fn start_time(mut self, time: DateTime<Utc>) -> Self {
        self.start_time = Some(time);
        self
    }
}

/// Starts sandboxes.
pub struct Sandbox;

impl Sandbox {
    /// Starts the systems; they answer as soon as this returns.
    pub async fn start(options: Options) -> Result<Handle, SandboxError> {
        let mut ports = options.ports.clone();
        if ports.is_empty() {
            ports = registry::SYSTEMS.iter().map(|line| (line.name.to_owned(), 0)).collect();
        }
        for name in ports.keys().chain(options.switches.keys()).chain(&options.tls) {
            registry::find(name)?;
        }
        let lock = options.state.as_deref().map(claim).transpose()?;
        let file = options.state.as_ref().map(|folder| folder.join("clock"));
        let clock = Clock::new(options.start_time, file);
        let tls = if options.tls.is_empty() { None } else { Some(tls::make(options.state.as_deref())?) };
        let (stop, stopped) = watch::channel(false);
        let mut handle = Handle {
            systems: BTreeMap::new(),
            clock: clock.clone(),
            stop,
            tasks: Vec::new(),
            ca_pem: tls.as_ref().map(|tls| tls.ca_pem.clone()),
            ca_file: tls.as_ref().and_then(|tls| tls.ca_file.clone()),
            _lock: lock,
        };
        for (name, port) in &ports {
            let line = registry::find(name)?;
            let address = (options.host, *port);
            let failed = |source| SandboxError::Listen {
                system: name.clone(),
                address: format!("{}:{port}", options.host),
                source,
            };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let acceptor = tls.as_ref().filter(|_| options.tls.contains(name)).map(|tls| tls.acceptor.clone());
            let scheme = if acceptor.is_some() { "https" } else { "http" };
            let url = format!("{scheme}://{address}");
            let system = (line.build)(registry::Start {
                url: &url,
                clock: clock.clone(),
                folder: options.state.as_deref(),
                switches: options.switches.get(name),
            })?;
            let host = Arc::new(Host {
                name: line.name,
                system,
                clock: clock.clone(),
                faults: Default::default(),
                calls: Default::default(),
            });
            handle.tasks.push(tokio::spawn(server::serve(listener, Arc::clone(&host), acceptor, stopped.clone())));
            handle.systems.insert(line.name, (url, host));
        }
        Ok(handle)
    }
}

/// Creates the state folder and keeps other sandboxes out of it.
fn claim(folder: &Path) -> Result<std::fs::File, SandboxError> {
    std::fs::create_dir_all(folder).map_err(|source| SandboxError::state(folder, source))?;
    let path = folder.join("lock");
    let file = std::fs::File::create(&path).map_err(|source| SandboxError::state(&path, source))?;
    file.try_lock()
        .map_err(|_| SandboxError::Settings(format!("state \"{}\" is in use by another sandbox", folder.display())))?;
    Ok(file)
}

/// A running sandbox. Dropping it stops it.
pub struct Handle {
    systems: BTreeMap<&'static str, (String, Arc<Host>)>,
    clock: Clock,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    ca_pem: Option<String>,
    ca_file: Option<PathBuf>,
    _lock: Option<std::fs::File>,
}

impl Handle {
    /// Address of a system, without a slash at the end; empty when it was not started.
    pub fn url(&self, system: &str) -> &str {
        self.systems.get(system).map_or("", |(url, _)| url.as_str())
    }

    /// Address of the WooCommerce shop.
    pub fn woocommerce_url(&self) -> &str {
        self.url("woocommerce")
    }

    /// Address of the CCV Shop web shop.
    pub fn ccv_shop_url(&self) -> &str {
        self.url("ccv-shop")
    }

    /// Address of Asperion.
    pub fn asperion_url(&self) -> &str {
        self.url("asperion")
    }

    /// A look inside Asperion.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn asperion(&self) -> Inspector {
        self.system("asperion").expect("the sandbox was started without asperion")
    }

    /// Address of Visma.net: Visma Connect, the ERP service and the sales order service.
    pub fn visma_net_url(&self) -> &str {
        self.url("visma-net")
    }

    /// A look inside Visma.net.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn visma(&self) -> Inspector {
        self.system("visma-net").expect("the sandbox was started without visma-net")
    }

    /// Address of Exact Online.
    pub fn exact_online_url(&self) -> &str {
        self.url("exact-online")
    }

    /// Address that a client of VIES is given.
    pub fn vies_url(&self) -> String {
        format!("{}{}", self.url("vies"), vies::BASE)
    }

    /// A look inside VIES.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn vies(&self) -> Inspector {
        self.system("vies").expect("the sandbox was started without vies")
    }

    /// All systems with their addresses.
    pub fn urls(&self) -> Vec<(&'static str, &str)> {
        self.systems.iter().map(|(name, (url, _))| (*name, url.as_str())).collect()
    }

    /// The clock all systems share.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A look inside a system; None when it was not started.
    pub fn system(&self, name: &str) -> Option<Inspector> {
        self.systems.get(name).map(|(_, host)| Inspector { host: Arc::clone(host) })
    }

    /// A look inside WooCommerce.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn woocommerce(&self) -> Inspector {
        self.system("woocommerce").expect("the sandbox was started without woocommerce")
    }

    /// A look inside CCV Shop.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn ccv_shop(&self) -> Inspector {
        self.system("ccv-shop").expect("the sandbox was started without ccv-shop")
    }

    /// A look inside Exact Online.
    ///
    /// # Panics
    /// When it was not started.
    #[allow(clippy::expect_used)]
    pub fn exact(&self) -> Inspector {
        self.system("exact-online").expect("the sandbox was started without exact-online")
    }

    /// Adds a fault rule to a system.
    pub fn fault(&self, system: &str, rule: FaultRule) -> Result<(), SandboxError> {
        let (_, host) = self
            .systems
            .get(system)
            .ok_or_else(|| SandboxError::Settings(format!("system \"{system}\" was not started")))?;
        host.faults.add(rule).map_err(SandboxError::Settings)
    }

    /// The authority a client must trust when a system speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The file with that authority, when there is a state folder.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// Stops all systems; open connections end at once, as when the process is killed.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// A look inside one system.
#[derive(Clone)]
pub struct Inspector {
    host: Arc<Host>,
}

impl Inspector {
    /// Rows of a kind: `orders`, `SalesOrders`, `crm/Accounts`, … Empty when there are none.
    pub fn documents(&self, table: &str) -> Vec<Value> {
        self.host.system.table(table).unwrap_or_default()
    }

    /// All requests since the last reset.
    pub fn total_calls(&self) -> u64 {
        lock(&self.host.calls).total
    }

    /// `GET orders` → how often.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.host.calls).by_endpoint.clone()
    }

    /// Status → how often; 0 stands for "no answer".
    pub fn statuses(&self) -> BTreeMap<u16, u64> {
        lock(&self.host.calls).by_status.clone()
    }

    /// The last requests, oldest first.
    pub fn log(&self) -> Vec<host::LoggedCall> {
        lock(&self.host.calls).log.iter().cloned().collect()
    }

    /// Counters back to zero.
    pub fn reset_calls(&self) {
        *lock(&self.host.calls) = Default::default();
    }

    /// The switches and their values.
    pub fn switches(&self) -> Value {
        self.host.system.switches()
    }

    /// Sets some switches.
    pub fn set_switches(&self, values: Value) -> Result<(), SandboxError> {
        self.host.system.set_switches(&values).map_err(SandboxError::Settings)
    }

    /// Adds a fault rule.
    pub fn fault(&self, rule: FaultRule) -> Result<(), SandboxError> {
        self.host.faults.add(rule).map_err(SandboxError::Settings)
    }

    /// Removes all fault rules.
    pub fn clear_faults(&self) {
        self.host.faults.clear();
    }

    /// Adds the articles and customers of the demonstration, once: they may have been changed since.
    pub fn add_catalogue(&self) -> Result<(), SandboxError> {
        const SIGN: &str = "VAAS-GROEN";
        let is_there = |table: &str, field: &str| self.documents(table).iter().any(|row| row[field] == SIGN);
        if is_there("products", "sku")
            || is_there("products", "productnumber")
            || is_there("articles", "sku")
            || is_there("ARTICLE", "ART_CODE")
            || is_there("articles", "code")
            || is_there("inventory", "inventoryNumber")
            || is_there("Items", "Code")
        {
            return Ok(());
        }
        match self.inspect("POST", "catalogue", &serde_json::json!({})) {
            (204, _) => Ok(()),
            (status, answer) => {
                Err(SandboxError::Settings(format!("the catalogue was not added ({status}): {answer}")))
            }
        }
    }

    /// Sends a request to the inspection door: `inspect("POST", "orders", &order)`.
    pub fn inspect(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let reply = inspect::answer(
            &self.host,
            &message::Call {
                method: method.into(),
                path: format!("/_sandbox/{path}"),
                query: query.into(),
                headers: Vec::new(),
                body: body.to_string().into_bytes(),
                tls: false,
                loopback: true,
                fetched: Vec::new(),
            },
        );
        (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
    }
}

/// A poisoned lock only says that another test thread panicked; the data is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
