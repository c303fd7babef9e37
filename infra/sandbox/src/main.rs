//! `koppel-sandbox`: runs the stand-ins on this machine.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};
use koppel_sandbox::registry::{SYSTEMS, find};
use koppel_sandbox::{
    Options, Sandbox, SandboxError, accountview, asperion, ccv_shop, exact_online, mijnwebwinkel, visma_net,
    woocommerce,
};
use serde_json::{Value, json};

#[derive(Parser)]
#[command(version, about = "Stand-ins of the systems Koppel connects")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the stand-ins until Ctrl-C.
    Serve(Serve),
    /// Prints orders made from a seed, as JSON.
    Orders {
        /// Seed: the same one gives the same orders.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// How many.
        #[arg(long, default_value_t = 10)]
        count: usize,
    },
}

#[derive(clap::Args)]
struct Serve {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Folder that keeps the state over restarts; without it everything is in memory.
    #[arg(long)]
    state: Option<PathBuf>,
    /// Systems and their ports, e.g. `woocommerce=18081,exact-online=18082`; only these start. Default: all.
    #[arg(long, value_delimiter = ',')]
    ports: Vec<String>,
    /// A switch, e.g. `exact-online.minute_limit=null` or `woocommerce.behind_tls=true`; may be repeated.
    #[arg(long = "switch")]
    switches: Vec<String>,
    /// Systems that speak TLS, with a certificate of a private authority (`ca.pem` in the state folder).
    #[arg(long, value_delimiter = ',')]
    tls: Vec<String>,
    /// Time the clock shows at the start, e.g. 2026-11-25T12:00:00Z.
    #[arg(long)]
    time: Option<DateTime<Utc>>,
    /// With the articles and customers of the demonstration, as `POST /_sandbox/catalogue` adds them; a state that has
    /// them already is left as it is.
    #[arg(long)]
    catalogue: bool,
    /// One JSON line when ready, in place of readable ones.
    #[arg(long)]
    json: bool,
}

fn main() -> std::process::ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match Cli::parse().command {
        Command::Orders { seed, count } => {
            println!("{}", Value::Array(woocommerce::generate_orders(seed, count)));
            Ok(())
        }
        Command::Serve(options) => serve(options),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("koppel-sandbox: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn settings(message: String) -> SandboxError {
    SandboxError::Settings(message)
}

fn options(args: &Serve) -> Result<Options, SandboxError> {
    let mut ports = BTreeMap::new();
    for text in &args.ports {
        let (name, port) = text.split_once('=').unwrap_or((text, ""));
        let port = match port {
            "" => find(name)?.port,
            port => port.parse().map_err(|_| settings(format!("--ports {text}: \"{port}\" is no port")))?,
        };
        ports.insert(name.to_owned(), port);
    }
    if ports.is_empty() {
        ports = SYSTEMS.iter().map(|line| (line.name.to_owned(), line.port)).collect();
    }
    let mut switches: BTreeMap<String, Value> = BTreeMap::new();
    for text in &args.switches {
        let parts = text
            .split_once('=')
            .and_then(|(name, value)| name.split_once('.').map(|(system, name)| (system, name, value)));
        let (system, name, value) =
            parts.ok_or_else(|| settings(format!("--switch {text}: system.name=value is expected")))?;
        // What is no JSON is a text: `language=en` needs no quotes.
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        switches.entry(system.into()).or_insert_with(|| json!({}))[name] = value;
    }
    Ok(Options {
        host: args.host,
        ports,
        state: args.state.clone(),
        start_time: args.time,
        switches,
        tls: args.tls.clone(),
    })
}

#[tokio::main]
async fn serve(args: Serve) -> Result<(), SandboxError> {
    let handle = Sandbox::start(options(&args)?).await?;
    if args.catalogue {
        for (name, _) in handle.urls() {
            handle.system(name).map_or(Ok(()), |system| system.add_catalogue())?;
        }
    }
    if args.json {
        let mut line = json!({});
        for (name, url) in handle.urls() {
            line[name] = json!(url);
        }
        println!("{line}");
    } else {
        for (name, url) in handle.urls() {
            println!("{name}: {url}");
            match name {
                "woocommerce" => {
                    println!("  key {}  secret {}", woocommerce::keys()[0].key, woocommerce::keys()[0].secret)
                }
                "ccv-shop" => {
                    println!("  public key {}  secret {}", ccv_shop::keys()[0].public, ccv_shop::keys()[0].secret)
                }
                "mijnwebwinkel" => {
                    println!("  token {}  partner token {}", mijnwebwinkel::STORE_TOKEN, mijnwebwinkel::PARTNER_TOKEN)
                }
                "accountview" => println!(
                    "  company {}  client id {}  client secret {}",
                    accountview::COMPANY,
                    accountview::CLIENT_ID,
                    accountview::CLIENT_SECRET
                ),
                "asperion" => println!(
                    "  administration {}  client id {}  client secret {}",
                    asperion::ADMINISTRATION,
                    asperion::CLIENT_ID,
                    asperion::CLIENT_SECRET
                ),
                "visma-net" => println!(
                    "  client id {}  client secret {}  tenant {}",
                    visma_net::CLIENT_ID,
                    visma_net::CLIENT_SECRET,
                    visma_net::TENANT_ID
                ),
                "exact-online" => println!(
                    "  division {}  client id {}  client secret {}",
                    exact_online::DIVISION,
                    exact_online::CLIENT_ID,
                    exact_online::CLIENT_SECRET
                ),
                _ => {}
            }
        }
        if let Some(file) = handle.ca_file() {
            println!("authority to trust: {}", file.display());
        }
        println!("ready; Ctrl-C stops");
    }
    let stopped = tokio::signal::ctrl_c().await;
    handle.stop().await;
    stopped.map_err(|error| settings(format!("waiting for Ctrl-C: {error}")))
}
