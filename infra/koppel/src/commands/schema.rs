//! `koppel schema`: the JSON Schema of koppel.yaml, which editors complete and check with.

use crate::error::{CliError, Exit};
use crate::output::put;

/// Runs the command. The schema is JSON already, with or without `--json`.
pub fn schema() -> Result<Exit, CliError> {
    let text = serde_json::to_string_pretty(&koppel_flows::config::json_schema()).unwrap_or_default();
    put(&format!("{text}\n"));
    Ok(Exit::Done)
}
