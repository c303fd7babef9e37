//! `koppel plan`: what a run would do, document by document, with nothing written anywhere.

mod show;

use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::error::RetryReason;
use koppel_core::keys::RecordKey;
use koppel_core::outcome::Outcome;
use koppel_core::{Cause, Failure, NonEmpty};
use koppel_flows::config::{StoredConfig, parse};
use koppel_flows::loaded::parse_since;
use koppel_flows::plan::{Plan, Planner};
use koppel_flows::runs::Scope;
use koppel_hosting::local::stop_signal;

use super::apply::read;
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::{Output, Progress, moment};
use crate::place::{Place, known_flow};

/// Waits for a limit are sat out up to this length.
const PATIENCE_WITH_LIMITS: Duration = Duration::from_secs(15 * 60);
/// How often a system that does not answer is asked again.
const ATTEMPTS: u32 = 3;
/// The wait before that, when the system names none.
const WAIT: Duration = Duration::from_secs(5);

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flow, as in koppel.yaml
    flow: String,
    /// Read what changed since this date, in place of since the last run
    #[arg(long, value_name = "DATE")]
    since: Option<String>,
    /// Read only these records, by their id in the source; may be repeated
    #[arg(long = "id", value_name = "ID", conflicts_with_all = ["since", "limit"])]
    ids: Vec<String>,
    /// Read at most so many records
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Plan with the configuration file as it stands, before it is applied
    #[arg(long)]
    draft: bool,
    /// Show what would be sent
    #[arg(long)]
    full: bool,
}

/// Runs the command.
pub async fn plan(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = if args.draft { draft(global, &place)? } else { place.config().await? };
    known_flow(&stored.config, &args.flow)?;
    let scope = scope(args)?;
    let limit = args.limit.map(|limit| limit as usize);
    let planner = Planner::new(&place.engine, &place.tenant, &stored, &args.flow, scope, limit).await?;
    let progress = Progress::new(&output, &args.flow);
    let worked = work(&planner, &place, &progress).await;
    progress.end();
    worked?;
    let plan = planner.finish().await?;
    show::plan(output, &plan, args.full);
    output.document(&plan);
    Ok(exit_of(&plan))
}

fn exit_of(plan: &Plan) -> Exit {
    let attention = plan.funnel.count(Outcome::Rejected) + plan.funnel.count(Outcome::Parked);
    if attention > 0 { Exit::Attention } else { Exit::Done }
}

/// The file as a version that was never applied; credentials are those of the last time it was.
pub(super) fn draft(global: &Global, place: &Place) -> Result<StoredConfig, CliError> {
    let (file, text) = read(&global.file)?;
    let config = parse(&file, &text).map_err(CliError::settings)?;
    Ok(StoredConfig { version: 0, applied_at: place.engine.clock.now(), rollback_to: None, file, config })
}

fn scope(args: &Args) -> Result<Scope, CliError> {
    let since = args.since.as_deref().map(parse_since).transpose();
    let since =
        since.map_err(|cause| CliError::settings(Cause { place: Box::default(), ..cause }.in_row("--since")))?;
    let ids: Option<Vec<RecordKey>> = args.ids.iter().map(NonEmpty::new).collect();
    let ids = ids.ok_or_else(|| CliError::settings(Cause::new("empty_key", "--id is empty")))?;
    Ok(Scope { since, ids })
}

/// Works through the plan. Limits are waited for; a system that is down is asked a few times.
async fn work(planner: &Planner, place: &Place, progress: &Progress) -> Result<(), CliError> {
    let mut failed = 0;
    loop {
        let failure = tokio::select! {
            step = planner.next() => match step {
                Ok(true) => {
                    failed = 0;
                    continue;
                }
                Ok(false) => return Ok(()),
                Err(failure) => failure,
            },
            () = stop_signal() => return Err(stopped()),
        };
        let Failure::Retry { after, reason, .. } = &failure else { return Err(failure.into()) };
        let wait = after.unwrap_or(WAIT);
        failed += u32::from(matches!(reason, RetryReason::Unavailable | RetryReason::OutcomeUnknown));
        if failed >= ATTEMPTS || wait > PATIENCE_WITH_LIMITS {
            return Err(failure.into());
        }
        let until = place.engine.clock.now() + TimeDelta::from_std(wait).unwrap_or_default();
        progress.say(&format!("waits until {}: {}", moment(until), failure.cause().message));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop_signal() => return Err(stopped()),
        }
    }
}

fn stopped() -> CliError {
    CliError::new(Exit::Failed, Cause::new("stopped", "stopped: the plan was not finished, and nothing was written"))
}
