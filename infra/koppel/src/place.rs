//! Where a command works: the database of this machine, or a deployed stack. Opened once per command.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use koppel_core::error::nearest;
use koppel_core::ports::SystemClock;
use koppel_core::{Cause, Failure, Tenant};
use koppel_flows::Engine;
use koppel_flows::config::{Config, StoredConfig, load_current};
use koppel_flows::loaded::nothing_applied;
use koppel_hosting::embedded::{self, EmbeddedEngine, Options};
use koppel_hosting::notify::Channel;
use koppel_hosting::{ReceivingQueue, aws, connectors};

use crate::cli::Global;
use crate::error::CliError;

/// The engine of a command.
pub struct Place {
    /// Ports and connectors.
    pub engine: Engine,
    /// Its queues, to look at and to receive from.
    pub queue: Arc<dyn ReceivingQueue>,
    /// Whose data.
    pub tenant: Tenant,
    /// The embedded engine; `None` for a stack, which does its work by itself.
    pub embedded: Option<EmbeddedEngine>,
    /// The topic for alerts of a stack.
    pub topic: Option<Arc<dyn Channel>>,
}

impl Place {
    /// Opens what the options name.
    pub async fn open(global: &Global) -> Result<Self, CliError> {
        let tenant = Tenant(global.tenant.trim().to_owned());
        if tenant.0.is_empty() {
            return Err(CliError::settings(Cause::new("empty_tenant", "--tenant is empty")));
        }
        if let Some(name) = &global.stack {
            let stack = aws::connect(name, connectors).await?;
            return Ok(Self {
                engine: stack.engine,
                queue: Arc::new(stack.queues),
                tenant,
                embedded: None,
                topic: stack.topic,
            });
        }
        if let Some(folder) = global.state.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_private(folder)?;
        }
        let opened = embedded::open(&global.state, Arc::new(SystemClock), &Options::from_env(), connectors)?;
        Ok(Self {
            engine: opened.engine.clone(),
            queue: opened.queue.clone(),
            tenant,
            embedded: Some(opened),
            topic: None,
        })
    }

    /// The configuration in force.
    pub async fn config(&self) -> Result<StoredConfig, CliError> {
        Ok(load_current(&*self.engine.store, &self.tenant).await?.ok_or_else(nothing_applied)?)
    }
}

/// Makes the folder of the database, for its owner only: it holds the vault's key.
fn make_private(folder: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::settings(
            Cause::new("state_folder", format!("the folder cannot be made: {error}"))
                .advice("choose another place with --state")
                .in_file(folder.display().to_string()),
        )
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(failed)
}

/// What to say about a flow that is not configured.
pub fn known_flow(config: &Config, flow: &str) -> Result<(), Failure> {
    if config.flows.contains_key(flow) {
        return Ok(());
    }
    let names = config.flows.keys().map(String::as_str);
    Err(unknown("flow", flow, names.collect()))
}

/// What to say about a connection that is not configured.
pub fn known_connection(config: &Config, connection: &str) -> Result<(), Failure> {
    if config.connections.contains_key(connection) {
        return Ok(());
    }
    let names = config.connections.keys().map(String::as_str);
    Err(unknown("connection", connection, names.collect()))
}

fn unknown(what: &str, name: &str, known: Vec<&str>) -> Failure {
    let cause = Cause::new(format!("unknown_{what}"), format!("the {what} «{name}» is not configured"));
    Failure::settings(match nearest(name, known.iter().copied()) {
        Some(near) => cause.advice(format!("did you mean «{near}»?")),
        None if known.is_empty() => cause.advice("add it to koppel.yaml and run koppel apply"),
        None => cause.advice(format!("configured: {}", known.join(", "))),
    })
}

/// Ports that hold nothing, for commands that only ask what connectors can do.
pub fn facts_only() -> Result<koppel_hosting::Ports, Failure> {
    let mut ports = None;
    let keep = |given: &koppel_hosting::Ports| {
        ports = Some(given.clone());
        connectors(given)
    };
    embedded::open(Path::new(embedded::IN_MEMORY), Arc::new(SystemClock), &Options::default(), keep)?;
    ports.ok_or_else(|| Failure::settings(Cause::new("no_engine", "the engine in memory cannot be opened")))
}
