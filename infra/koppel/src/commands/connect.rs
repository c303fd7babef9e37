//! `koppel connect`: consent for systems that ask for it, a check of the keys for the others.

use std::io::{BufRead, IsTerminal, stdin};

use koppel_core::connection::Connection;
use koppel_core::ports::{Calls, Priority};
use koppel_core::{Cause, Failure};
use koppel_flows::connections;
use serde_json::json;
use tokio::net::TcpListener;
use url::Url;

use super::test::reach;
use crate::cli::Global;
use crate::consent;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::{Place, known_connection};

/// Arguments of `connect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Connection, as in koppel.yaml
    connection: String,
    /// The address the browser ended at after consent, from an earlier `koppel connect`
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["auto", "redirect_port"])]
    code: Option<String>,
    /// Only print the address to open, and end; bring the answer with --code
    #[arg(long)]
    no_browser: bool,
    /// Let the browser come back to this port of this machine, in place of redirect_uri
    #[arg(long, value_name = "PORT")]
    redirect_port: Option<u16>,
    /// Consent by itself: only for a sandbox on this machine
    #[arg(long)]
    auto: bool,
}

/// Runs the command.
pub async fn connect(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = place.config().await?.config;
    let name = args.connection.as_str();
    known_connection(&config, name)?;
    let mut connection = connections::open(&place.engine, &place.tenant, &config, name).await?;
    if let Some(port) = args.redirect_port {
        connection.options.insert("redirect_uri".into(), format!("http://127.0.0.1:{port}/callback").into());
    }
    let consents = match place.engine.systems.consent(&connection)? {
        None => false,
        Some(page) => {
            let address = match &args.code {
                Some(address) => Some(address.clone()),
                None => {
                    let state = consent::new_state(&place.engine, &connection).await?;
                    let url = page.authorize_url(&state)?;
                    ask(output, args, &connection, &url).await?
                }
            };
            let Some(address) = address else { return Ok(Exit::Done) };
            let code = consent::code_of(&place.engine, &connection, &address).await?;
            page.exchange_code(&code, &Calls::new(Priority::Orders)).await?;
            true
        }
    };
    // What answers now may go on, whatever stopped it before.
    let who = reach(&place, &output, &config, name).await?;
    connections::resume(&place.engine, &place.tenant, name).await?;
    let how = if consents { "connected" } else { "the keys work" };
    output.text(&format!("{name}: {how}. {who}"));
    output.document(&json!({ "connection": name, "consent": consents, "answers": who }));
    Ok(Exit::Done)
}

/// Lets a person consent and returns the address the browser ended at; `None` when it is brought later.
async fn ask(output: Output, args: &Args, connection: &Connection, url: &str) -> Result<Option<String>, Failure> {
    if args.auto {
        return consent::agree(url).await.map(Some);
    }
    let later = format!("koppel connect {} --code \"<the address the browser ends at>\"", connection.name);
    if args.no_browser {
        output.text(&format!("Open this address and consent:\n\n  {url}\n\nThen: {later}"));
        output.document(&json!({ "connection": connection.name, "open": url, "then": later }));
        return Ok(None);
    }
    let back = connection.option("redirect_uri").and_then(|text| Url::parse(&text).ok());
    if let Some(back) = back.filter(is_here) {
        let port = back.port_or_known_default().unwrap_or(80);
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
            Failure::settings(
                Cause::new("port_taken", format!("port {port} of this machine cannot be listened on: {error}"))
                    .advice("choose another with --redirect-port, and register its address at the system")
                    .at_connection(&connection.name),
            )
        })?;
        output.aside(&format!("Open this address and consent; this command waits for the answer:\n\n  {url}\n"));
        return consent::wait_for_browser(listener, &back).await.map(Some);
    }
    output.aside(&format!("Open this address and consent:\n\n  {url}\n\nThen paste the address the browser ends at:"));
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    if read.is_ok() && !line.trim().is_empty() {
        return Ok(Some(line));
    }
    let message = if stdin().is_terminal() { "nothing was pasted" } else { "there is no terminal to paste on" };
    Err(Failure::settings(Cause::new("no_code", message).advice(later).at_connection(&connection.name)))
}

/// The browser comes back to this machine.
fn is_here(url: &Url) -> bool {
    url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}
