//! `koppel init`: writes a commented, valid koppel.yaml for a pair of systems, and says what to do next. On a terminal
//! it asks what no option says.

use std::fs::OpenOptions;
use std::io::{IsTerminal, Write as _};

use koppel_core::{Cause, Failure};
use koppel_flows::config::{parse, validate};
use koppel_hosting::connectors;
use serde_json::json;

use super::init_answers::{self, Answers};
use super::{init_text, init_wizard};
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::facts_only;

/// Arguments of `init`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// System to read from, such as woocommerce; without it the questions are asked on the terminal
    #[arg(long, value_name = "SYSTEM")]
    pub from: Option<String>,
    /// System to write to, such as exact-online
    #[arg(long, value_name = "SYSTEM")]
    pub to: Option<String>,
    /// What is moved: orders, products, stock, customers or prices; orders when left out
    #[arg(long, value_name = "ENTITY", conflicts_with = "flows")]
    pub entity: Option<String>,
    /// Several flows at once, each in the direction that the systems allow: orders,stock,products,customers
    #[arg(long, value_name = "ENTITY,…", value_delimiter = ',')]
    pub flows: Vec<String>,
    /// What an order becomes; the first that the target takes when left out
    #[arg(long, value_name = "DOCUMENT")]
    pub document: Option<String>,
    /// Statuses of orders that pass, in the shop's own words
    #[arg(long, value_name = "STATUS,…", value_delimiter = ',')]
    pub status: Vec<String>,
    /// VAT code of the target for a country, such as NL=4
    #[arg(long, value_name = "COUNTRY=CODE")]
    pub vat_code: Vec<String>,
    /// An option of a connection, such as shop.url=https://shop.example
    #[arg(long, value_name = "CONNECTION.OPTION=VALUE")]
    pub option: Vec<String>,
    /// A setting of the flows that have it, such as stock.calculation=on_hand
    #[arg(long, value_name = "SETTING=VALUE")]
    pub setting: Vec<String>,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

/// Runs the command.
pub fn init(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let systems = connectors(&facts_only()?);
    let file = global.file.display().to_string();
    if !args.force && global.file.exists() {
        return Err(is_there(&file));
    }
    let asks = args.from.is_none() || args.to.is_none();
    let watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !global.json;
    let answers = if asks && watched {
        init_wizard::ask(&*systems, args, &mut init_wizard::Terminal)?
    } else {
        Answers::of(&*systems, args)?
    };
    let text = init_text::write(&answers)?;
    // What is written must be right before anybody edits it, so a wrong value of an option is told here.
    let config = parse(&file, &text).map_err(|cause| CliError::settings(unwritten(cause)))?;
    let causes = validate(&*systems, &config, &file);
    if !causes.is_empty() {
        return Err(causes.into_iter().map(unwritten).collect::<Vec<_>>().into());
    }
    save(global, args.force, &text)?;
    let variables = init_text::variables(&answers)?;
    let mut steps = vec![format!("fill in the addresses and codes in {file}")];
    if !variables.is_empty() {
        steps.push(format!("set {}", variables.join(", ")));
    }
    steps.push("koppel apply".to_owned());
    steps.push(format!("koppel connect {}", answers.names()[1]));
    let flows: Vec<String> = answers.flows.iter().map(init_answers::Planned::name).collect();
    steps.extend(flows.iter().map(|flow| format!("koppel run {flow}")));
    output.text(&format!("{file} is written: {}", answers.summary()));
    output.note("Next:");
    for (number, step) in steps.iter().enumerate() {
        output.note(&format!("  {}. {step}", number + 1));
    }
    output.document(
        &json!({ "file": file, "flow": flows.first(), "flows": flows, "variables": variables, "next": steps }),
    );
    Ok(Exit::Done)
}

/// A mistake in what would have been written: there is no file to look into.
fn unwritten(mut cause: Cause) -> Cause {
    cause.place.file = None;
    cause
}

fn is_there(file: &str) -> CliError {
    CliError::settings(
        Cause::new("file_exists", "the file is there already and is left as it is")
            .advice("name another with --file, or write over it with --force")
            .in_file(file),
    )
}

fn save(global: &Global, force: bool, text: &str) -> Result<(), CliError> {
    let file = global.file.display().to_string();
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(&global.file).and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return is_there(&file);
        }
        let cause = Cause::new("unwritable_file", format!("the file cannot be written: {error}")).in_file(&file);
        Failure::settings(cause).into()
    })
}
