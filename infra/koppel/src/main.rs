//! `koppel`: the command line, and the host of one machine.

mod cli;
mod commands;
mod consent;
mod drive;
mod error;
mod lines;
mod output;
mod place;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use cli::Cli;
use error::{CliError, Exit};
use koppel_core::Cause;
use output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => return usage(&wrong),
    };
    let output = Output::new(cli.global.json, cli.global.quiet);
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failed, Cause::new("no_runtime", format!("cannot start: {error}"))))
        .and_then(|runtime| runtime.block_on(commands::dispatch(cli, output)));
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            tell(&error, output.json);
            error.exit.into()
        }
    }
}

fn tell(error: &CliError, json: bool) {
    if json {
        output::put_error(&serde_json::to_string_pretty(&error.to_json()).unwrap_or_default());
    } else {
        output::put_error(&error.text());
    }
}

/// Help and version are answers, not errors. Under `--json` a wrong usage is JSON as well.
fn usage(wrong: &clap::Error) -> ExitCode {
    if matches!(wrong.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        output::put(&wrong.to_string());
        return Exit::Done.into();
    }
    if std::env::args().any(|argument| argument == "--json") {
        let text = wrong.to_string();
        let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned();
        tell(&CliError::settings(Cause::new("usage", message).advice("see koppel --help")), true);
    } else {
        // clap colours by itself when the terminal allows it.
        let _ = wrong.print();
    }
    Exit::Settings.into()
}
