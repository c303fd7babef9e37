//! `koppel erase`: removes everything that is kept of one person.

use koppel_flows::erase;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::{Output, count};
use crate::place::Place;

/// Arguments of `erase`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// E-mail address of the person
    #[arg(long, value_name = "ADDRESS")]
    email: String,
}

/// Runs the command.
pub async fn erase(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let erased = erase::erase(&place.engine, &place.tenant, &args.email).await?;
    output.text(&format!(
        "erased {}, {}, {}, {}, {}, {}, {}",
        count(erased.trail_entries, "entry of the trail", "entries of the trail"),
        count(erased.report_details, "record in reports", "records in reports"),
        count(erased.waiting_labels, "label of a waiting record", "labels of waiting records"),
        count(erased.customer_links, "customer link", "customer links"),
        count(erased.customer_claims, "customer claim", "customer claims"),
        count(erased.vat_numbers, "VAT number", "VAT numbers"),
        count(erased.records.len(), "record was concerned", "records were concerned"),
    ));
    for (flow, record) in &erased.records {
        output.note(&format!("  {flow}: id {record} in the source"));
    }
    output.note(
        "messages on their way and dead letters are not searched (koppel dead-letters list); the source and the target \
         keep what they have: erase the person there as well, or the next run reads the orders again",
    );
    output.document(&erased);
    Ok(Exit::Done)
}
