//! `koppel doctor`: looks at connections and flows before they go live.

use koppel_core::ports::{Finding, Severity};
use koppel_flows::doctor::{self, Diagnosis};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::{Output, count};
use crate::place::{Place, known_flow};

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this flow and its connections
    flow: Option<String>,
}

/// Runs the command.
pub async fn doctor(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = place.config().await?;
    if let Some(flow) = &args.flow {
        known_flow(&stored.config, flow)?;
    }
    let found = doctor::examine(&place.engine, &place.tenant, &stored, args.flow.as_deref()).await?;
    show(output, &found);
    output.document(&document(&found));
    Ok(if found.findings.is_empty() { Exit::Done } else { Exit::Failed })
}

fn show(output: Output, found: &Diagnosis) {
    for finding in &found.findings {
        let colour = match finding.severity {
            Severity::Error => Colour::Red,
            Severity::Warning => Colour::Yellow,
        };
        let (severity, cause) = (output.style.paint(colour, finding.severity.name()), &finding.cause);
        let place = if cause.place.is_nowhere() { String::new() } else { format!(" ({})", cause.place) };
        output.text(&format!("{severity} {}{place}\n  {}", cause.code, cause.message));
        if let Some(advice) = &cause.advice {
            output.text(&format!("  To do: {advice}"));
        }
    }
    if found.findings.is_empty() {
        output.text("nothing is wrong");
    }
    let errors = found.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = found.findings.len() - errors;
    output.note(&format!(
        "{}, {}; looked at {}, {} and {} of the last twelve months, with {}",
        count(errors, "error", "errors"),
        count(warnings, "warning", "warnings"),
        count(found.flows.len(), "flow", "flows"),
        count(found.reached.len(), "connection that answers", "connections that answer"),
        count(usize::try_from(found.orders).unwrap_or(usize::MAX), "order", "orders"),
        count(found.calls, "call", "calls"),
    ));
}

fn document(found: &Diagnosis) -> Value {
    let finding = |finding: &Finding| {
        let cause = &finding.cause;
        json!({
            "severity": finding.severity, "code": cause.code, "message": cause.message, "advice": cause.advice,
            "place": cause.place,
        })
    };
    json!({
        "findings": found.findings.iter().map(finding).collect::<Vec<_>>(),
        "flows": found.flows, "reached": found.reached, "orders": found.orders, "calls": found.calls,
    })
}
