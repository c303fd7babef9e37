//! `koppel rollback`: puts an older configuration in force again, as a new version.

use koppel_core::Cause;
use koppel_flows::config::{self, differences, load_version};
use serde_json::json;

use super::apply::line_of;
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::Place;

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Version to go back to; the one before the version in force when left out
    version: Option<u64>,
}

/// Runs the command.
pub async fn rollback(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let current = place.config().await?;
    let to = match args.version {
        Some(version) => version,
        // After a rollback the one before it is the version that was left, not a way back.
        None => current.rollback_to.unwrap_or(current.version).saturating_sub(1),
    };
    if to == 0 {
        let cause = Cause::new("no_older_version", "there is no older version").advice("see koppel versions");
        return Err(CliError::settings(cause));
    }
    if to == current.version {
        let cause = Cause::new("same_version", format!("version {to} is in force already"));
        return Err(CliError::settings(cause.advice("see koppel versions")));
    }
    let old = load_version(&*place.engine.store, &place.tenant, to).await?;
    let changes = differences(&current.config, &old.config);
    let now = place.engine.clock.now();
    let version = config::rollback(&*place.engine.store, &place.tenant, to, now).await?;
    for change in &changes {
        output.text(&line_of(change));
    }
    output.note(&format!("version {version} is in force: the same as version {to}. Credentials stay as they are"));
    output.document(&json!({ "version": version, "rollback_to": to, "changes": changes }));
    Ok(Exit::Done)
}
