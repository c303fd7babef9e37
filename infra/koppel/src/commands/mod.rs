//! The commands, one file each. Each takes its arguments, does one thing and says how it ended.

pub mod alerts;
pub mod apply;
mod apply_codes;
pub mod budget;
pub mod connect;
pub mod dead_letters;
pub mod dev;
pub mod doctor;
pub mod erase;
pub mod explain;
pub mod init;
mod init_answers;
mod init_text;
mod init_wizard;
pub mod map;
mod map_test;
pub mod plan;
pub mod review;
pub mod rollback;
pub mod run;
mod schema;
pub mod settings;
mod status;
mod systems;
pub mod test;
pub mod trail;
mod versions;
pub mod webhook;

use koppel_hosting::logging;

use crate::cli::{Cli, Command};
use crate::error::{CliError, Exit};
use crate::output::Output;

/// Runs the command that was asked for.
pub async fn dispatch(cli: Cli, output: Output) -> Result<Exit, CliError> {
    // What happens inside belongs in a log, and a command that ends has none unless somebody wants to look.
    if std::env::var_os(logging::LEVEL_VARIABLE).is_some() {
        logging::init();
    }
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::init(global, output, &args),
        Command::Apply(args) => apply::apply(global, output, &args).await,
        Command::Rollback(args) => rollback::rollback(global, output, &args).await,
        Command::Versions => versions::versions(global, output).await,
        Command::Connect(args) => connect::connect(global, output, &args).await,
        Command::Test(args) => test::test(global, output, &args).await,
        Command::Doctor(args) => doctor::doctor(global, output, &args).await,
        Command::Explain(args) => explain::explain(global, output, &args).await,
        Command::Plan(args) => plan::plan(global, output, &args).await,
        Command::Run(args) => run::run(global, output, &args).await,
        Command::Dev(args) => dev::dev(global, output, &args).await,
        Command::Webhook(args) => webhook::webhook(global, output, &args).await,
        Command::Status => status::status(global, output).await,
        Command::DeadLetters(args) => dead_letters::dead_letters(global, output, &args).await,
        Command::Trail(args) => trail::trail(global, output, &args).await,
        Command::Review(args) => review::review(global, output, &args).await,
        Command::Budget(args) => budget::budget(global, output, &args).await,
        Command::Erase(args) => erase::erase(global, output, &args).await,
        Command::Map(args) => map::map(global, output, &args).await,
        Command::Alerts(args) => alerts::alerts(global, output, &args).await,
        Command::Settings(args) => settings::settings(global, output, &args).await,
        Command::Systems => systems::systems(global, output).await,
        Command::Schema => schema::schema(),
    }
}
