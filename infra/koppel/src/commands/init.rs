//! `koppel init`: writes a commented, valid koppel.yaml for a pair of systems, and says what to do next.

use std::fs::OpenOptions;
use std::io::Write as _;

use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::nearest;
use koppel_core::ports::Systems;
use koppel_core::system::SystemFacts;
use koppel_core::{Cause, Failure};
use koppel_hosting::connectors;
use serde_json::json;

use super::init_text::{self, Pair};
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::Output;
use crate::place::facts_only;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// System to read from, such as woocommerce
    #[arg(long, value_name = "SYSTEM")]
    from: String,
    /// System to write to, such as exact-online
    #[arg(long, value_name = "SYSTEM")]
    to: String,
    /// What is moved: orders, refunds, products, stock, customers or prices
    #[arg(long, value_name = "ENTITY", default_value = "orders")]
    entity: String,
    /// What an order becomes; the first that the target takes when left out
    #[arg(long, value_name = "DOCUMENT")]
    document: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn init(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let systems = connectors(&facts_only()?);
    let pair = pair(&*systems, args)?;
    let text = init_text::write(&pair)?;
    save(global, args.force, &text)?;
    let file = global.file.display().to_string();
    let variables = init_text::variables(&pair)?;
    let mut steps = vec![format!("fill in the addresses and codes in {file}")];
    if !variables.is_empty() {
        steps.push(format!("set {}", variables.join(", ")));
    }
    steps.push("koppel apply".to_owned());
    steps.push("koppel connect books".to_owned());
    steps.push(format!("koppel run {}", pair.flow()));
    output.text(&format!("{file} is written: {} from {} to {}", pair.entity, pair.from.name, pair.to.name));
    output.note("Next:");
    for (number, step) in steps.iter().enumerate() {
        output.note(&format!("  {}. {step}", number + 1));
    }
    output.document(&json!({ "file": file, "flow": pair.flow(), "variables": variables, "next": steps }));
    Ok(Exit::Done)
}

fn pair(systems: &dyn Systems, args: &Args) -> Result<Pair, CliError> {
    let from = known_system(systems, &args.from, "--from")?;
    let to = known_system(systems, &args.to, "--to")?;
    let entity: Entity = args.entity.parse().map_err(|cause: Cause| CliError::settings(cause.in_row("--entity")))?;
    for (facts, can, verb, row) in [(from, from.gets, "read from", "--from"), (to, to.sends, "written to", "--to")] {
        if !can.contains(&entity) {
            let cause = Cause::new("not_supported", format!("{entity} cannot be {verb} {}", facts.name));
            return Err(CliError::settings(cause.advice("koppel systems shows what each system can do").in_row(row)));
        }
    }
    let document = document(to, entity, args.document.as_deref())?;
    Ok(Pair { from, to, entity, document })
}

fn known_system(systems: &dyn Systems, id: &str, row: &str) -> Result<&'static SystemFacts, Failure> {
    systems.facts(id).ok_or_else(|| {
        let ids = systems.ids();
        let cause = Cause::new("unknown_system", format!("«{id}» is not a system")).in_row(row);
        Failure::settings(match nearest(id, ids.iter().copied()) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("known: {}", ids.join(", "))),
        })
    })
}

fn document(to: &SystemFacts, entity: Entity, asked: Option<&str>) -> Result<Option<DocumentType>, CliError> {
    if !entity.is_order() || to.documents.is_empty() {
        return match asked {
            None => Ok(None),
            Some(_) => {
                let cause = Cause::new("bad_value", format!("--document has no meaning for {entity} to {}", to.name));
                Err(CliError::settings(cause))
            }
        };
    }
    let names = || to.documents.iter().map(|document| document.name());
    let Some(asked) = asked else { return Ok(to.documents.first().copied()) };
    to.documents.iter().copied().find(|document| document.name() == asked).map(Some).ok_or_else(|| {
        let cause = Cause::new("not_supported", format!("{} does not take a «{asked}»", to.name)).in_row("--document");
        CliError::settings(match nearest(asked, names()) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("use one of {}", names().collect::<Vec<_>>().join(", "))),
        })
    })
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
        CliError::settings(if error.kind() == std::io::ErrorKind::AlreadyExists {
            Cause::new("file_exists", "the file is there already and is left as it is")
                .advice("name another with --file, or write over it with --force")
                .in_file(file)
        } else {
            Cause::new("unwritable_file", format!("the file cannot be written: {error}")).in_file(file)
        })
    })
}
