//! `koppel alerts`: the problems that are open, and a test of the channels that tell them.

use koppel_core::{Cause, Failure};
use koppel_flows::alerts::{self, Facts, Severity};
use koppel_hosting::notify::Notifier;
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::table::{Cell, Column};
use crate::output::{Output, Table, moment};
use crate::place::Place;

/// Arguments of `alerts`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Send a test message through every channel and say what happened
    Test,
}

/// Runs the command.
pub async fn alerts(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    match args.what {
        None => list(&place, output).await,
        Some(What::Test) => test(&place, output).await,
    }
}

async fn list(place: &Place, output: Output) -> Result<Exit, CliError> {
    place.config().await?;
    // What is wrong now, not what was when a host looked last.
    alerts::look(&place.engine, &place.tenant, &Facts::default()).await?;
    let open = alerts::open(&place.engine, &place.tenant).await?;
    let mut table = Table::new(&[
        ("since", Column::Left),
        ("told", Column::Left),
        ("problem", Column::Flexible),
        ("to do", Column::Flexible),
    ]);
    for alert in &open {
        let colour = match alert.severity {
            Severity::Critical => Some(Colour::Red),
            Severity::Warning => Some(Colour::Yellow),
            Severity::Info => None,
        };
        let told = alert.told.last.map(moment).unwrap_or_else(|| "not yet".to_owned());
        let todo = alert.details.iter().find_map(|detail| detail.todo.clone()).unwrap_or_default();
        table.row([moment(alert.since).into(), told.into(), Cell::coloured(alert.title.clone(), colour), todo.into()]);
    }
    if open.is_empty() {
        output.text("no problem is open");
    } else {
        output.table(&table);
    }
    output.document(&json!({ "alerts": open }));
    Ok(Exit::Done)
}

async fn test(place: &Place, output: Output) -> Result<Exit, CliError> {
    place.config().await?;
    let mut notifier = Notifier::new(place.engine.clone());
    if let Some(topic) = &place.topic {
        notifier = notifier.with_topic(topic.clone());
    }
    let tried = notifier.test(&place.tenant).await?;
    if tried.is_empty() {
        let cause = Cause::new("no_channel", "no channel is configured, so nobody gets alerts");
        return Err(CliError::settings(
            cause.advice("add «alerts:» with email or slack to koppel.yaml and run koppel apply"),
        ));
    }
    let mut lines = Vec::new();
    let mut first: Option<Failure> = None;
    for channel in tried {
        let (text, sent) = match &channel.result {
            Ok(()) => (output.style.paint(Colour::Green, "sent"), true),
            Err(failure) => (output.style.paint(Colour::Red, &format!("not sent: {failure}")), false),
        };
        output.text(&format!("{}: {text}", channel.channel));
        let cause = channel.result.as_ref().err().map(|failure| failure.cause().clone());
        lines.push(json!({ "channel": channel.channel, "sent": sent, "cause": cause }));
        first = first.or(channel.result.err());
    }
    output.document(&json!({ "channels": lines }));
    match first {
        None => Ok(Exit::Done),
        Some(_) => Ok(Exit::Unreachable),
    }
}
