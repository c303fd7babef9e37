//! The engine of one machine: store, queues, bus and vault in one SQLite file. Several processes may share the file.

mod bus;
pub(crate) mod database;
mod master_key;
mod queue;
mod schema;
mod sql_queue;
pub(crate) mod store;
pub(crate) mod sweep;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use koppel_core::Failure;
use koppel_core::ports::{Clock, Systems};
use koppel_flows::Engine;
use rusqlite::{OptionalExtension, params};

pub use bus::EmbeddedBus;
pub use database::{Database, DatabaseError};
pub use master_key::{MasterKeys, VARIABLE as VAULT_KEY_VARIABLE};
pub use queue::{DEDUP_WINDOW, EmbeddedQueue, QueueSettings};
pub use store::EmbeddedStore;
pub use sweep::Sweeper;
pub use vault::EmbeddedVault;

use crate::Ports;

/// The name that means: in memory, gone when the process ends.
pub const IN_MEMORY: &str = ":memory:";

/// How an engine is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Master key of the vault as base64. Without it a key file next to the database is used.
    pub vault_key: Option<String>,
    /// Queues.
    pub queue: QueueSettings,
}

impl Options {
    /// Options with the vault key of the environment, when there is one.
    pub fn from_env() -> Self {
        let vault_key = std::env::var(VAULT_KEY_VARIABLE).ok().filter(|text| !text.trim().is_empty());
        Self { vault_key, ..Self::default() }
    }
}

/// An engine and the handles that only this engine has.
#[derive(Clone)]
pub struct EmbeddedEngine {
    /// What the steps work with.
    pub engine: Engine,
    /// Queues: receiving, depth, dead letters.
    pub queue: Arc<EmbeddedQueue>,
    /// Events that were published.
    pub bus: Arc<EmbeddedBus>,
    /// Removes what has expired.
    pub sweeper: Arc<Sweeper>,
}

/// Opens or creates the engine at `path` (or [`IN_MEMORY`]). `systems` makes the connectors over its ports.
pub fn open(
    path: &Path,
    clock: Arc<dyn Clock>,
    options: &Options,
    systems: impl FnOnce(&Ports) -> Arc<dyn Systems>,
) -> Result<EmbeddedEngine, Failure> {
    let in_memory = path == Path::new(IN_MEMORY);
    let database = if in_memory { Database::in_memory() } else { Database::open(path) };
    let database = Arc::new(
        database.map_err(|error| Failure::from(error).map_cause(|cause| cause.in_file(path.display().to_string())))?,
    );
    let masters = master_keys(path, in_memory, &database, options)?;
    let vault = Arc::new(EmbeddedVault::new(masters, clock.clone()));
    let sweeper = Arc::new(Sweeper::new(database.clone(), clock.clone()));
    let store = Arc::new(EmbeddedStore::new(database.clone(), clock.clone(), sweeper.clone()));
    let queue =
        Arc::new(EmbeddedQueue::new(database.clone(), clock.clone(), vault.clone(), sweeper.clone(), options.queue));
    let bus = Arc::new(EmbeddedBus::new(database, vault.clone()).noting(store.clone()));
    let ports = Ports { store, vault, clock };
    let systems = systems(&ports);
    let engine = Engine::new(ports.store, queue.clone(), bus.clone(), ports.vault, ports.clock, systems);
    Ok(EmbeddedEngine { engine, queue, bus, sweeper })
}

/// The key file of a database.
pub fn key_file(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Finds the master keys and makes sure that they belong to what the database has sealed already.
fn master_keys(path: &Path, in_memory: bool, database: &Database, options: &Options) -> Result<MasterKeys, Failure> {
    if in_memory {
        return options
            .vault_key
            .as_deref()
            .map_or_else(MasterKeys::random, |t| MasterKeys::parse(t, VAULT_KEY_VARIABLE));
    }
    let known: Option<String> = database.now(|connection| {
        connection.query_row("SELECT value FROM fact WHERE name = 'master_key'", [], |row| row.get(0)).optional()
    })?;
    let masters = match &options.vault_key {
        Some(text) => MasterKeys::parse(text, VAULT_KEY_VARIABLE)?,
        None => MasterKeys::from_file(&key_file(path), known.is_none())?,
    };
    masters.belong_to(known.as_deref(), path)?;
    if let Some(current) = masters.current().map(|key| master_key::hex(&key.id))
        && known.as_ref() != Some(&current)
    {
        database.now(move |connection| {
            connection.execute(
                "INSERT INTO fact (name, value) VALUES ('master_key', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![current],
            )
        })?;
    }
    Ok(masters)
}

fn micros(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_micros()
}

fn from_micros(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros)
}
