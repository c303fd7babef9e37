//! Measures what the chain costs: target calls, time, memory, use of a limit, start of the functions, money.
//!
//! Every number is measured in this run against the stand-ins; nothing is written down beforehand but the goals. All
//! arithmetic is decimal, because the cost section counts money and one kind of number is enough.

mod binaries;
mod calls;
mod cost;
mod counting;
mod failed;
mod growth;
mod limit;
mod machine;
mod pairs;
mod prices;
mod pump;
mod report;
mod stand_ins;
mod throughput;
mod webhook;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::failed::Failed;
use crate::report::Report;

#[derive(Parser)]
#[command(version, about = "Measures what the chain costs, and holds it to its goals")]
struct Cli {
    /// Sections to run; all of them when none is named.
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Section>,
    /// Also what takes long: growth up to 100,000 records.
    #[arg(long)]
    full: bool,
    /// Where the report goes.
    #[arg(long, default_value = "target/bench/report.json")]
    out: PathBuf,
    /// Folder of the release functions.
    #[arg(long, default_value = "target/release")]
    functions: PathBuf,
    /// End with an error when a goal is missed. Off by default: a busy machine misses goals of time.
    #[arg(long)]
    strict: bool,
    #[command(subcommand)]
    child: Option<Child>,
}

/// What this program runs as processes of its own, so that their time and memory are counted apart.
#[derive(Subcommand)]
enum Child {
    /// The stand-ins without limits, until standard input ends.
    #[command(hide = true)]
    StandIns,
    /// One run over a filled shop; prints what it took.
    #[command(hide = true)]
    Growth(growth::Job),
}

/// A part of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Calls per order, and to read orders.
    Calls,
    /// The same of every pair.
    Pairs,
    /// Orders a second and CPU per order, beside a bare loop.
    Throughput,
    /// Time and memory per record as the number of records grows.
    Growth,
    /// Share of a limit that is used while there is work.
    Limit,
    /// Size, start and memory of the functions.
    Binaries,
    /// Time to acknowledge a webhook.
    Webhook,
    /// Money on AWS.
    Cost,
}

impl Section {
    /// Name in the report and on the command line.
    fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Pairs => "pairs",
            Self::Throughput => "throughput",
            Self::Growth => "growth",
            Self::Limit => "limit",
            Self::Binaries => "binaries",
            Self::Webhook => "webhook",
            Self::Cost => "cost",
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    // The connectors install it too; whoever is first, it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let done = match &cli.child {
        Some(Child::StandIns) => stand_ins::serve().await.map(|()| true),
        Some(Child::Growth(job)) => growth::work(job).await.map(|()| true),
        None => measure(&cli).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failed) => {
            eprintln!("koppel-bench: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the sections; `false` when one could not be measured, or missed its goal under `--strict`.
async fn measure(cli: &Cli) -> Result<bool, Failed> {
    let sections: Vec<Section> =
        if cli.only.is_empty() { Section::value_variants().to_vec() } else { cli.only.clone() };
    let mut report = Report::new();
    let mut whole = true;
    for section in sections {
        eprintln!("measuring {} …", section.name());
        report.begin(section.name());
        let measured = match section {
            Section::Calls => calls::measure(&mut report).await,
            Section::Pairs => pairs::measure(&mut report).await,
            Section::Throughput => throughput::measure(&mut report).await,
            Section::Growth => growth::measure(&mut report, cli.full).await,
            Section::Limit => limit::measure(&mut report).await,
            Section::Binaries => binaries::measure(&mut report, &cli.functions).await,
            Section::Webhook => webhook::measure(&mut report).await,
            Section::Cost => cost::measure(&mut report).await,
        };
        // One section that cannot be measured must not take the others with it.
        if let Err(failed) = measured {
            whole = false;
            report.failed(failed.to_string());
        }
    }
    report.write(&cli.out)?;
    print!("{}", report.table());
    Ok(whole && !(cli.strict && report.missed()))
}
