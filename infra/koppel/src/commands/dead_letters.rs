//! `koppel dead-letters`: messages that failed too often, to be looked at and sent again.

use koppel_core::error::nearest;
use koppel_core::message::{Step, Task};
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::table::Column;
use crate::output::{Output, Table, count, moment};
use crate::place::Place;

/// Most dead letters of one step that are shown.
const SHOWN: usize = 200;

/// Arguments of `dead-letters`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show them
    List,
    /// Send them again
    Redrive {
        /// Only those of this step: fetch, map, check or write
        step: Option<String>,
    },
}

/// Runs the command.
pub async fn dead_letters(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    match &args.what {
        What::List => list(&place, output).await?,
        What::Redrive { step } => redrive(&place, output, step.as_deref()).await?,
    }
    Ok(Exit::Done)
}

async fn list(place: &Place, output: Output) -> Result<(), Failure> {
    let mut table = Table::new(&[
        ("step", Column::Left),
        ("flow", Column::Flexible),
        ("run", Column::Left),
        ("chunk", Column::Flexible),
        ("records", Column::Right),
        ("attempts", Column::Right),
        ("given up", Column::Left),
    ]);
    let mut letters = Vec::new();
    for step in Step::QUEUED {
        for letter in place.queue.dead_letters(step, SHOWN).await? {
            let task: Option<Task> = serde_json::from_str(&letter.body).ok();
            let header = task.as_ref().map(Task::header);
            if header.is_some_and(|header| header.tenant != place.tenant) {
                continue;
            }
            let get = |read: fn(&koppel_core::message::Header) -> &str| header.map(read).unwrap_or_default();
            let (flow, run, chunk) = (get(|h| &h.flow), get(|h| &h.run), get(|h| &h.chunk));
            let records = task.as_ref().map_or(0, size);
            let at = letter.died_at.map(moment).unwrap_or_default();
            let flow_shown = if task.is_some() { flow } else { "(not a task of this version)" };
            table.row([
                step.name().into(),
                flow_shown.into(),
                run.into(),
                chunk.into(),
                records.to_string().into(),
                letter.attempts.to_string().into(),
                at.into(),
            ]);
            letters.push(json!({
                "step": step, "flow": flow, "run": run, "chunk": chunk, "records": records,
                "attempts": letter.attempts, "died_at": letter.died_at,
            }));
        }
    }
    if letters.is_empty() {
        output.note("no dead letters");
    } else {
        output.table(&table);
        output.note("send them again with koppel dead-letters redrive");
    }
    output.document(&letters);
    Ok(())
}

async fn redrive(place: &Place, output: Output, step: Option<&str>) -> Result<(), CliError> {
    let steps = match step {
        None => Step::QUEUED.to_vec(),
        Some(name) => vec![known_step(name)?],
    };
    let (mut sent, mut all) = (serde_json::Map::new(), 0);
    for step in steps {
        let number = place.queue.redrive(step).await?;
        all += number;
        if number > 0 {
            output.text(&format!("{step}: {number} sent again"));
            sent.insert(step.name().to_owned(), Value::from(number));
        }
    }
    let letters = count(usize::try_from(all).unwrap_or(usize::MAX), "dead letter", "dead letters");
    output.note(&if all == 0 { "no dead letters".to_owned() } else { format!("{letters} sent again in all") });
    output.document(&json!({ "sent": sent, "all": all }));
    Ok(())
}

fn known_step(name: &str) -> Result<Step, CliError> {
    let known = Step::QUEUED.map(Step::name);
    name.parse::<Step>().ok().filter(|step| Step::QUEUED.contains(step)).ok_or_else(|| {
        let cause = Cause::new("unknown_step", format!("«{name}» is not a step with a queue"));
        CliError::settings(match nearest(name, known) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("use one of {}", known.join(", "))),
        })
    })
}

fn size(task: &Task) -> usize {
    match task {
        Task::Fetch(task) => task.ids.len(),
        Task::Map(task) => task.records.len(),
        Task::Check(task) => task.records.len(),
        Task::Write(task) => task.decisions.len(),
    }
}
