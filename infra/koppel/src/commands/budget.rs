//! `koppel budget`: the calls that each connection may still make, what they are spent on, and whether the day will do.

use koppel_core::Failure;
use koppel_core::ports::BudgetView;
use koppel_flows::config::Config;
use koppel_flows::connections;
use koppel_flows::pace::{self, Pace};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::table::{Cell, Column};
use crate::output::{Output, Table, moment};
use crate::place::{Place, known_connection};

/// Arguments of `budget`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this connection
    connection: Option<String>,
}

/// Runs the command.
pub async fn budget(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = place.config().await?.config;
    if let Some(name) = &args.connection {
        known_connection(&config, name)?;
    }
    let mut list = Vec::new();
    for name in config.connections.keys().filter(|name| args.connection.as_ref().is_none_or(|only| only == *name)) {
        list.push(show(&place, output, &config, name).await?);
    }
    output.document(&list);
    Ok(Exit::Done)
}

async fn show(place: &Place, output: Output, config: &Config, name: &str) -> Result<Value, Failure> {
    let connection = connections::open(&place.engine, &place.tenant, config, name).await?;
    let budget = match place.engine.systems.budget(&connection)? {
        Some(budget) => Some(budget.look().await?),
        None => None,
    };
    output.text(name);
    match &budget {
        Some(view) => show_windows(output, view),
        None => output.text("  no limits are known"),
    }
    let mut paces = Vec::new();
    for (flow, settings) in config.flows.iter().filter(|(_, flow)| flow.from == name || flow.to == name) {
        if let Some(pace) = pace::of_flow(&place.engine, &place.tenant, flow, settings, name).await? {
            show_pace(output, &pace);
            paces.push(pace);
        }
    }
    let forecast = budget.as_ref().and_then(|view| pace::forecast(view, &paces));
    if let Some(forecast) = &forecast {
        let text = format!("  forecast: {} calls by the end of the day (UTC), of {}", forecast.calls, forecast.limit);
        let colour = if forecast.calls > u64::from(forecast.limit) { Colour::Red } else { Colour::Green };
        output.text(&output.style.paint(colour, &text));
    }
    Ok(json!({
        "connection": name, "budget": budget, "flows": paces,
        "forecast": forecast,
    }))
}

fn show_windows(output: Output, view: &BudgetView) {
    let mut table = Table::new(&[
        ("  window", Column::Left),
        ("limit", Column::Right),
        ("used", Column::Right),
        ("left", Column::Right),
        ("of these for orders", Column::Right),
        ("free again", Column::Left),
        ("counted by", Column::Left),
    ]);
    for window in &view.windows {
        let scarce = window.left.saturating_mul(5) < window.limit;
        table.row([
            format!("  {}", window.window).into(),
            window.limit.to_string().into(),
            window.used.to_string().into(),
            Cell::coloured(window.left.to_string(), scarce.then_some(Colour::Yellow)),
            window.kept_for_orders.to_string().into(),
            window.resets_at.map(moment).unwrap_or_default().into(),
            if window.told { "the system" } else { "koppel" }.into(),
        ]);
    }
    output.table(&table);
    if let Some(until) = view.blocked_until {
        output.text(&format!("  the system asked to wait until {}", moment(until)));
    }
    for endpoint in &view.endpoints {
        let rests = endpoint.rests_until.map(|until| format!("; it rests until {}", moment(until))).unwrap_or_default();
        output.text(&format!("  {}: {} errors in the last hour{rests}", endpoint.endpoint, endpoint.errors));
    }
}

fn show_pace(output: Output, pace: &Pace) {
    output.text(&format!(
        "  {}: {} calls for {} records in run {}{}",
        pace.flow,
        pace.calls,
        pace.records,
        pace.run,
        per_record(pace.calls, pace.records)
    ));
    for (what, calls) in pace.by_step.iter().chain(&pace.by_endpoint) {
        output.text(&format!("    {what}: {calls}{}", per_record(*calls, pace.records)));
    }
}

/// Calls per record, with two decimals and without a float.
fn per_record(calls: u64, records: u64) -> String {
    if records == 0 {
        return String::new();
    }
    let hundredths = calls.saturating_mul(100) / records;
    format!(" ({}.{:02} a record)", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_per_record_are_cut_and_never_divided_by_nothing() {
        assert_eq!(per_record(52, 50), " (1.04 a record)");
        assert_eq!(per_record(3, 0), "");
    }
}
