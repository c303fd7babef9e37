//! `koppel test`: reaches a system with its credentials and says who answers.

use std::time::Duration;

use koppel_core::Failure;
use koppel_core::error::RetryReason;
use koppel_flows::config::Config;
use koppel_flows::connections;
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::{Place, known_connection};

/// Longest wait in front of a person.
const LONGEST_WAIT: Duration = Duration::from_secs(75);

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
    let who = reach(&place, &output, &config, name).await?;
    output.text(&format!("{name}: {who}"));
    output.document(&json!({ "connection": name, "answers": who }));
    Ok(Exit::Done)
}

/// Who answers on a connection. When the calls of this minute are used up, the next minute is waited for: whoever asks
/// sits in front of it.
pub async fn reach(place: &Place, output: &Output, config: &Config, name: &str) -> Result<String, Failure> {
    match connections::reach(&place.engine, &place.tenant, config, name).await {
        Err(Failure::Retry { reason: RetryReason::Throttled, after: Some(after), cause }) if after <= LONGEST_WAIT => {
            output.aside(&format!("{name}: {}; waiting {} s", cause.message, after.as_secs() + 1));
            tokio::time::sleep(after + Duration::from_secs(1)).await;
            connections::reach(&place.engine, &place.tenant, config, name).await
        }
        other => other,
    }
}
