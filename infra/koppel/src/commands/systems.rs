//! `koppel systems`: what each system can do.

use koppel_core::document::Entity;
use koppel_core::system::{Limits, SystemFacts, SystemKind};
use koppel_hosting::connectors;
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::table::Column;
use crate::output::{Output, Table};
use crate::place::facts_only;

/// Runs the command.
pub async fn systems(_global: &Global, output: Output) -> Result<Exit, CliError> {
    let systems = connectors(&facts_only()?);
    let mut facts: Vec<&SystemFacts> = systems.ids().into_iter().filter_map(|id| systems.facts(id)).collect();
    facts.sort_by_key(|facts| (facts.kind == SystemKind::Erp, facts.id));
    let mut table = Table::new(&[
        ("system", Column::Left),
        ("name", Column::Left),
        ("kind", Column::Left),
        ("gets", Column::Flexible),
        ("sends", Column::Flexible),
        ("documents", Column::Flexible),
        ("limits", Column::Flexible),
    ]);
    for facts in &facts {
        let documents: Vec<&str> = facts.documents.iter().map(|document| document.name()).collect();
        table.row([
            facts.id.into(),
            facts.name.into(),
            kind(facts.kind).into(),
            names(facts.gets).into(),
            names(facts.sends).into(),
            documents.join(", ").into(),
            limits(&facts.limits).into(),
        ]);
    }
    output.table(&table);
    output.document(&facts.iter().map(|facts| to_json(facts)).collect::<Vec<_>>());
    Ok(Exit::Done)
}

fn kind(kind: SystemKind) -> &'static str {
    match kind {
        SystemKind::Shop => "shop",
        SystemKind::Erp => "ERP",
    }
}

fn names(entities: &[Entity]) -> String {
    entities.iter().map(|entity| entity.name()).collect::<Vec<_>>().join(", ")
}

fn limits(limits: &Limits) -> String {
    let parts = [
        limits.calls_per_minute.map(|calls| format!("{calls} calls a minute")),
        limits.calls_per_hour.map(|calls| format!("{calls} calls an hour")),
        limits.calls_per_day.map(|calls| format!("{calls} a day")),
        limits.concurrency.map(|calls| format!("{calls} at a time")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn to_json(facts: &SystemFacts) -> serde_json::Value {
    let documents: Vec<&str> = facts.documents.iter().map(|document| document.name()).collect();
    json!({
        "system": facts.id, "name": facts.name, "kind": facts.kind, "gets": facts.gets, "sends": facts.sends,
        "documents": documents, "limits": {
            "calls_per_minute": facts.limits.calls_per_minute, "calls_per_hour": facts.limits.calls_per_hour,
            "calls_per_day": facts.limits.calls_per_day, "errors_per_hour": facts.limits.errors_per_hour, "concurrency": facts.limits.concurrency,
        },
    })
}
