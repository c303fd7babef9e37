//! The command line: global options and the list of commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::webhook;
use crate::commands::{
    alerts, apply, budget, connect, dead_letters, dev, doctor, erase, explain, init, map, plan, review, rollback, run,
    settings, test, trail,
};
use crate::error::EXIT_CODES;

/// Keeps web shops and ERP systems in step.
#[derive(Debug, Parser)]
#[command(name = "koppel", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "koppel.yaml", env = "KOPPEL_FILE")]
    pub file: PathBuf,
    /// Database of this machine; its folder is made when it is not there
    #[arg(long, global = true, value_name = "FILE", default_value = ".koppel/koppel.db", env = "KOPPEL_STATE")]
    pub state: PathBuf,
    /// Talk to this deployed stack in place of the database of this machine
    #[arg(long, global = true, value_name = "NAME", env = "KOPPEL_STACK")]
    pub stack: Option<String>,
    /// Whose data
    #[arg(long, global = true, value_name = "NAME", default_value = "main", env = "KOPPEL_TENANT")]
    pub tenant: String,
    /// One JSON document on standard output; errors as JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Only what was asked for
    #[arg(long, global = true)]
    pub quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a koppel.yaml for a pair of systems
    Init(init::Args),
    /// Check the configuration and put it in force
    Apply(apply::Args),
    /// Put an older configuration in force again
    Rollback(rollback::Args),
    /// List the versions of the configuration
    Versions,
    /// Give consent for a connection, or check its keys
    Connect(connect::Args),
    /// Reach a system and say who answers
    Test(test::Args),
    /// Look at connections and flows before they go live; exit code 1 when something is found
    Doctor(doctor::Args),
    /// Show what a run would do, document by document; nothing is written
    Plan(plan::Args),
    /// Run a flow once and show what became of every record
    Run(run::Args),
    /// Run all flows on this machine until Ctrl-C
    Dev(dev::Args),
    /// Register the webhooks of a shop, or look whether they still deliver
    Webhook(webhook::Args),
    /// Show connections, flows, waiting records and queues
    Status,
    /// Show records whose customer somebody must choose, or choose it
    Review(review::Args),
    /// Show what is wrong and was told, or test the channels that tell it
    Alerts(alerts::Args),
    /// Show or send again the messages that failed too often
    DeadLetters(dead_letters::Args),
    /// Show the calls that connections may still make, and what they are spent on
    Budget(budget::Args),
    /// Show what came, what was decided and what was sent for one record
    Trail(trail::Args),
    /// Show which filter, row or setting decided each value of one record
    Explain(explain::Args),
    /// Remove everything that is kept of one person
    Erase(erase::Args),
    /// Try and explain the mapping
    Map(map::Args),
    /// Show what a flow has set and could set, and the lists that codes come from
    Settings(settings::Args),
    /// List the systems and what they can do
    Systems,
    /// Print the JSON Schema of koppel.yaml, for editors
    Schema,
}
