//! `koppel map`: try the mapping on a record, look functions up, check the rows.

use koppel_core::Cause;
use koppel_core::error::nearest;
use koppel_flows::config::parse;
use koppel_flows::loaded::prepare;
use koppel_hosting::connectors;
use koppel_mapping::functions;
use koppel_mapping::functions::Function;
use serde_json::{Value, json};

use super::apply::read;
use super::map_test::{self, TestArgs, caret};
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::lines::with_line;
use crate::output::table::Column;
use crate::output::{Output, Table, count};
use crate::place::facts_only;

/// Arguments of `map`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Map one record with the rows of koppel.yaml; nothing is written
    Test(TestArgs),
    /// List the functions, or explain one
    Functions {
        /// Function
        name: Option<String>,
    },
    /// Compile the rows of every flow
    Check,
}

/// Runs the command.
pub async fn map(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    match &args.what {
        What::Test(args) => map_test::run(global, output, args).await,
        What::Functions { name } => explain(output, name.as_deref()),
        What::Check => check(global, output),
    }
}

fn explain(output: Output, name: Option<&str>) -> Result<Exit, CliError> {
    let all: Vec<&Function> = functions::all().to_vec();
    let Some(name) = name else {
        let heads =
            [("function", Column::Left), ("works on", Column::Left), ("gives", Column::Left), ("", Column::Flexible)];
        let mut table = Table::new(&heads);
        for function in &all {
            let (input, returns) = (function.input.word(), function.returns.word());
            table.row([function.signature().into(), input.into(), returns.into(), function.doc.into()]);
        }
        output.table(&table);
        output.document(&all.iter().map(|function| to_json(function)).collect::<Vec<_>>());
        return Ok(Exit::Done);
    };
    let Some(function) = all.iter().find(|function| function.name == name) else {
        let cause = Cause::new("unknown_function", format!("there is no function «{name}»"));
        let near = nearest(name, all.iter().map(|function| function.name));
        return Err(CliError::settings(match near {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice("koppel map functions lists all"),
        }));
    };
    output.text(&format!("{}\n\n{}\n", function.signature(), function.doc));
    for (cell, gives) in function.examples {
        output.text(&format!("  {cell}\n    gives {gives}"));
    }
    output.document(&to_json(function));
    Ok(Exit::Done)
}

fn to_json(function: &Function) -> Value {
    let examples: Vec<Value> =
        function.examples.iter().map(|(cell, gives)| json!({ "cell": cell, "gives": gives })).collect();
    json!({
        "name": function.name, "signature": function.signature(), "works_on": function.input.word(),
        "gives": function.returns.word(), "what": function.doc, "examples": examples,
    })
}

/// Compiles the rows of every flow of the file; what is wrong is shown under its cell.
fn check(global: &Global, output: Output) -> Result<Exit, CliError> {
    let (file, text) = read(&global.file)?;
    let config = parse(&file, &text).map_err(CliError::settings)?;
    let systems = connectors(&facts_only()?);
    let mut causes = Vec::new();
    for name in config.flows.keys() {
        if let Err(found) = prepare(&*systems, name, &config, &file) {
            causes.extend(found.into_iter().map(|cause| with_line(cause.in_flow(name), &file, &text)));
        }
    }
    if !causes.is_empty() {
        let flow_of = |cause: &Cause| config.flows.get(cause.place.flow.as_deref()?);
        return Err(CliError::from(causes).with_snippets(|cause| caret(cause, flow_of(cause)?)));
    }
    output.text(&format!("the rows of {} are right", count(config.flows.len(), "flow", "flows")));
    output.document(&json!({ "flows": config.flows.keys().collect::<Vec<_>>() }));
    Ok(Exit::Done)
}
