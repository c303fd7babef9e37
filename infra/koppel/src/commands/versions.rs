//! `koppel versions`: what was applied when.

use koppel_flows::config::load_version;
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::table::Column;
use crate::output::{Output, Table, moment};
use crate::place::Place;

/// Versions that are shown.
const SHOWN: u64 = 50;

/// Runs the command.
pub async fn versions(global: &Global, output: Output) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let current = place.config().await?;
    let mut table = Table::new(&[
        ("version", Column::Right),
        ("applied", Column::Left),
        ("file", Column::Flexible),
        ("flows", Column::Flexible),
        ("", Column::Left),
    ]);
    let mut list = Vec::new();
    for version in (1..=current.version).rev().take(usize::try_from(SHOWN).unwrap_or(usize::MAX)) {
        // A version that cannot be read any more must not hide the others.
        let Ok(stored) = load_version(&*place.engine.store, &place.tenant, version).await else { continue };
        let flows: Vec<&str> = stored.config.flows.keys().map(String::as_str).collect();
        let mut remark = stored.rollback_to.map(|to| format!("the same as {to}")).unwrap_or_default();
        if version == current.version {
            remark = if remark.is_empty() { "in force".to_owned() } else { format!("in force, {remark}") };
        }
        list.push(json!({
            "version": version, "applied_at": stored.applied_at, "file": stored.file, "flows": flows,
            "rollback_to": stored.rollback_to, "in_force": version == current.version,
        }));
        table.row([
            version.to_string().into(),
            moment(stored.applied_at).into(),
            stored.file.clone().into(),
            flows.join(", ").into(),
            remark.into(),
        ]);
    }
    output.table(&table);
    output.document(&list);
    Ok(Exit::Done)
}
