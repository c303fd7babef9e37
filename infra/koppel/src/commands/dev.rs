//! `koppel dev`: all flows on this machine, one line for each thing that happens, until Ctrl-C.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use koppel_core::event::{Event, EventKind};
use koppel_core::message::Task;
use koppel_core::outcome::Outcome;
use koppel_core::{Cause, Failure, Tenant};
use koppel_flows::Engine;
use koppel_hosting::embedded::EmbeddedBus;
use koppel_hosting::local::{Chain, HostSettings, LocalHost, Steps, serve_http, stop_signal};
use koppel_hosting::notify::Notifier;
use serde_json::json;
use tokio::net::TcpListener;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::style::Colour;
use crate::output::{Output, count, put};
use crate::place::Place;

/// Time between two looks at the schedule: somebody watches, and wants to see a run end.
const TICK: Duration = Duration::from_secs(2);
/// How often new events are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// Most events between two looks.
const EVENTS: usize = 200;

/// Arguments of `dev`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take webhooks on this address («POST /webhook/TENANT/CONNECTION»), and answer «GET /health»; a port alone is on
    /// this machine only
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address)]
    listen: Option<SocketAddr>,
}

/// A port alone is one of this machine: whoever wants to be reached from elsewhere says so.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => text.parse().map_err(|_| "give a port, or an address with a port such as 127.0.0.1:8000".to_owned()),
    }
}

/// Runs the command.
pub async fn dev(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let Some(embedded) = &place.embedded else {
        let cause = Cause::new("not_here", "a stack runs its flows by itself").advice("leave --stack out");
        return Err(CliError::settings(cause));
    };
    let stored = place.config().await?;
    if let Some(address) = args.listen {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("{address} cannot be listened on: {error}");
            CliError::settings(Cause::new("port_taken", message).advice("choose another with --listen"))
        })?;
        tokio::spawn(serve_http(listener, place.engine.clone(), stop_signal()));
    }
    let flows: Vec<&str> = stored.config.flows.keys().map(String::as_str).collect();
    say(
        output,
        "started",
        &format!("version {} is in force: {}", stored.version, flows.join(", ")),
        json!({
            "version": stored.version, "flows": flows,
        }),
    );
    let steps = Arc::new(Told { output });
    let settings = HostSettings { tick: TICK, ..HostSettings::default() };
    let notifier = Notifier::new(place.engine.clone()).watching(place.queue.clone());
    let host =
        LocalHost::new(place.engine.clone(), place.queue.clone()).with(settings).running(steps).alerting(notifier);
    let told = tell_events(embedded.bus.clone(), place.tenant.clone(), output);
    tokio::select! {
        () = host.run(stop_signal()) => {}
        ended = told => ended?,
    }
    say(output, "stopped", "what was in hand has been finished", json!({}));
    Ok(Exit::Done)
}

/// The steps of the chain; the beginning of a run is told.
struct Told {
    output: Output,
}

#[async_trait]
impl Steps for Told {
    async fn run_task(&self, engine: &Engine, task: Task) -> Result<(), Failure> {
        if let Task::Fetch(fetch) = &task
            && fetch.page_number == 0
        {
            let (flow, run) = (&fetch.header.flow, &fetch.header.run);
            let what = match fetch.ids.len() {
                0 => format!("run {run} started"),
                _ if koppel_flows::hints::is_hint(run) => format!("run {run} started by a webhook"),
                ids => format!("run {run} started for {}", count(ids, "waiting record", "waiting records")),
            };
            say(self.output, flow, &what, json!({ "flow": flow, "run": run, "event": "RunStarted" }));
        }
        let result = Chain.run_task(engine, task).await;
        if let Err(failure) = &result {
            let text = self.output.style.paint(Colour::Yellow, &format!("tried again: {failure}"));
            say(self.output, "retry", &text, json!({ "event": "Retry", "cause": failure.cause() }));
        }
        result
    }

    async fn schedule(&self, engine: &Engine) -> Result<(), Failure> {
        Chain.schedule(engine).await
    }
}

/// Tells every event that was not there at the start.
async fn tell_events(bus: Arc<EmbeddedBus>, tenant: Tenant, output: Output) -> Result<(), Failure> {
    let name = |event: &Event| serde_json::to_string(event).unwrap_or_default();
    let mut known: BTreeSet<String> = bus.recent(&tenant, EVENTS).await?.iter().map(name).collect();
    loop {
        tokio::time::sleep(LOOK).await;
        let recent = bus.recent(&tenant, EVENTS).await?;
        for event in recent.iter().rev().filter(|event| !known.contains(&name(event))) {
            tell(output, event);
        }
        known = recent.iter().map(name).collect();
    }
}

fn tell(output: Output, event: &Event) {
    let (who, text, colour) = match &event.kind {
        EventKind::RunFinished { flow, run, funnel } => {
            let bad = funnel.count(Outcome::Rejected) + funnel.count(Outcome::Parked) > 0;
            (flow.as_str(), format!("run {run} ended: {funnel}"), if bad { Colour::Yellow } else { Colour::Green })
        }
        EventKind::RecordsRejected { flow, count, causes, .. } => {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            (flow.as_str(), format!("{count} rejected: {}", causes.join("; ")), Colour::Red)
        }
        EventKind::RecordsWaiting { flow, count, causes, .. } => {
            let causes: Vec<String> = causes.iter().map(ToString::to_string).collect();
            (flow.as_str(), format!("{count} waiting: {}", causes.join("; ")), Colour::Yellow)
        }
        EventKind::RunInterrupted { flow, cause, .. } => {
            (flow.as_str(), format!("could not read everything: {cause}"), Colour::Yellow)
        }
        EventKind::FlowNeedsSettings { flow, cause } => {
            (flow.as_str(), format!("needs settings: {cause}"), Colour::Red)
        }
        EventKind::ConnectionNeedsConsent { connection, cause } => {
            (connection.as_str(), format!("stopped: {cause}. To do: koppel connect {connection}"), Colour::Red)
        }
        EventKind::BudgetLow { connection, cause } => {
            (connection.as_str(), format!("calls are nearly used up: {cause}"), Colour::Yellow)
        }
        EventKind::DeadLetters { step, count } => {
            (step.name(), format!("{count} set aside. To do: koppel dead-letters list"), Colour::Red)
        }
        EventKind::DeadMan { flow, count, oldest, .. } => {
            (flow.as_str(), format!("{count} not arrived, the oldest is {oldest}"), Colour::Red)
        }
        EventKind::ConnectionPaused { connection, cause } => {
            (connection.as_str(), format!("paused, and probed until it answers: {cause}"), Colour::Yellow)
        }
        EventKind::ConnectionResumed { connection, .. } => (connection.as_str(), "goes on".to_owned(), Colour::Green),
    };
    say(output, who, &output.style.paint(colour, &text), json!({ "event": event }));
}

/// One line: the time, who, and what. Under `--json` one JSON line.
fn say(output: Output, who: &str, what: &str, fields: serde_json::Value) {
    if output.json {
        put(&format!("{}\n", json!({ "at": chrono::Utc::now(), "who": who, "what": fields })));
    } else {
        put(&format!("{}  {who}  {what}\n", chrono::Utc::now().format("%H:%M:%S")));
    }
}
