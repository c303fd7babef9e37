//! `koppel review`: records whose customer somebody must choose, and the choice.

use std::collections::BTreeMap;

use koppel_core::error::{Cause, Failure};
use koppel_core::keys::NonEmpty;
use koppel_core::ports::{Calls, Priority};
use koppel_core::system::Lookup;
use koppel_flows::config::{StoredConfig, load_current};
use koppel_flows::connections;
use koppel_flows::loaded::nothing_applied;
use koppel_flows::review::{self, Case, Verdict};
use serde_json::json;

use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::output::table::Column;
use crate::output::{Output, Table, count, moment};
use crate::place::Place;

/// Arguments of `review`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Record to decide, by number or id; left out, the list is shown
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    /// Flow of the record, when several have one of that number
    #[arg(long, value_name = "FLOW", requires = "record")]
    flow: Option<String>,
    /// It is for the customer with this code
    #[arg(long = "use", value_name = "CODE", requires = "record", conflicts_with = "new")]
    code: Option<String>,
    /// It is for a customer that is not there yet
    #[arg(long, requires = "record")]
    new: bool,
}

/// Runs the command.
pub async fn review(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let stored = load_current(&*place.engine.store, &place.tenant).await?.ok_or_else(nothing_applied)?;
    let mut cases = Vec::new();
    for flow in stored.config.flows.keys().filter(|name| args.flow.as_ref().is_none_or(|flow| flow == *name)) {
        cases.extend(review::list(&place.engine, &place.tenant, flow).await?);
    }
    if let Some(record) = &args.record {
        cases.retain(|case| case.label == *record || case.record.as_str() == record);
    }
    let verdict = match &args.code {
        Some(code) => NonEmpty::new(code).map(Verdict::Use),
        None => args.new.then_some(Verdict::New),
    };
    match (verdict, cases.as_slice()) {
        (None, _) => show(&place, output, &stored, &cases).await,
        (Some(verdict), [case]) => decide(&place, output, &stored, case, &verdict).await,
        (Some(_), []) => {
            let record = args.record.clone().unwrap_or_default();
            let cause = Cause::new("not_waiting", format!("«{record}» does not wait for a decision"));
            Err(Failure::settings(cause.advice("koppel review shows what does")).into())
        }
        (Some(_), several) => {
            let flows: Vec<&str> = several.iter().map(|case| case.flow.as_str()).collect();
            let cause = Cause::new("several_records", "several flows have a record of that number");
            Err(Failure::settings(cause.advice(format!("add --flow with one of {}", flows.join(", ")))).into())
        }
    }
}

async fn show(place: &Place, output: Output, stored: &StoredConfig, cases: &[Case]) -> Result<Exit, CliError> {
    output.document(&json!({ "records": cases }));
    if cases.is_empty() {
        output.text("nothing waits for a decision");
        return Ok(Exit::Done);
    }
    let names = names(place, output, stored, cases).await;
    let mut table = Table::new(&[
        ("flow", Column::Left),
        ("record", Column::Left),
        ("since", Column::Left),
        ("it may be", Column::Left),
        ("called", Column::Flexible),
    ]);
    for case in cases {
        let to = stored.config.flows.get(&case.flow).map(|flow| flow.to.clone()).unwrap_or_default();
        for (at, choice) in case.choices.iter().enumerate() {
            let first = |text: String| if at == 0 { text } else { String::new() };
            let called = names.get(&(to.clone(), choice.code.clone())).cloned().unwrap_or_default();
            table.row([
                first(case.flow.clone()).into(),
                first(case.label.clone()).into(),
                first(moment(case.since)).into(),
                choice.code.as_str().into(),
                called.into(),
            ]);
        }
    }
    output.table(&table);
    for case in cases {
        output.text(&format!("{}  {}", case.label, case.why));
    }
    output.note(
        "decide with koppel review <record> --use <code>, or --new; whatever waits for the same customer goes on",
    );
    Ok(Exit::Done)
}

/// What the target calls the candidates. Asked now and kept nowhere; without an answer the codes must do.
async fn names(
    place: &Place,
    output: Output,
    stored: &StoredConfig,
    cases: &[Case],
) -> BTreeMap<(String, String), String> {
    let mut asked: BTreeMap<String, Vec<NonEmpty>> = BTreeMap::new();
    for case in cases {
        if let Some(flow) = stored.config.flows.get(&case.flow) {
            let codes = case.choices.iter().filter_map(|choice| NonEmpty::new(&choice.code));
            asked.entry(flow.to.clone()).or_default().extend(codes);
        }
    }
    let mut names = BTreeMap::new();
    for (connection, mut codes) in asked {
        codes.sort();
        codes.dedup();
        let found = async {
            let target = connections::target(&place.engine, &place.tenant, &stored.config, &connection).await?;
            target.look_up(Lookup::DefaultCustomer, &codes, &Calls::new(Priority::Orders)).await
        };
        match found.await {
            Ok(found) => names.extend(found.into_values().map(|one| ((connection.clone(), one.code), one.name))),
            Err(failure) => output.note(&format!("their names could not be asked: {}", failure.cause())),
        }
    }
    names
}

async fn decide(
    place: &Place,
    output: Output,
    stored: &StoredConfig,
    case: &Case,
    verdict: &Verdict,
) -> Result<Exit, CliError> {
    let released = review::decide(&place.engine, &place.tenant, &stored.config, case, verdict).await?;
    let what = match verdict {
        Verdict::Use(code) => format!("{} is for the customer {code}", case.label),
        Verdict::New => format!("{} is for a new customer", case.label),
    };
    let labels: Vec<&str> = released.iter().map(|(_, label)| label.as_str()).collect();
    let on = if labels.is_empty() { String::new() } else { format!(": {}", labels.join(", ")) };
    output.text(&format!("{what}; {} now{on}", count(released.len(), "record goes on", "records go on")));
    let released: Vec<_> = released.iter().map(|(flow, label)| json!({ "flow": flow, "record": label })).collect();
    output.document(&json!({ "released": released }));
    Ok(Exit::Done)
}
