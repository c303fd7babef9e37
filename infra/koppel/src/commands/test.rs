//! `koppel test`: reaches a system with its credentials and says who answers.

use koppel_core::Failure;
use koppel_flows::config::Config;
use koppel_flows::connections;
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::{Place, known_connection};

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Connection, as in koppel.yaml
    connection: String,
}

/// Runs the command.
pub async fn test(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = place.config().await?.config;
    let name = args.connection.as_str();
    known_connection(&config, name)?;
    let who = reach(&place, &config, name).await?;
    output.text(&format!("{name}: {who}"));
    output.document(&json!({ "connection": name, "answers": who }));
    Ok(Exit::Done)
}

/// Who answers on a connection.
pub async fn reach(place: &Place, config: &Config, name: &str) -> Result<String, Failure> {
    connections::reach(&place.engine, &place.tenant, config, name).await
}
