//! `koppel settings`: what a flow has set and could set, and the lists that codes come from.

use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::error::nearest;
use koppel_core::ports::{Calls, Priority, Reference};
use koppel_core::{Cause, Failure};
use koppel_flows::catalogue::{
    Language, ListName, ListSide, Origin, SetValue, SettingFacts, StoredList, list_of, settings as catalogue, values_of,
};
use koppel_flows::config::{Config, FlowConfig, parse};
use koppel_flows::connections;
use serde_json::{Value, json};

use super::apply::read;
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::lines::with_line;
use crate::output::style::Colour;
use crate::output::table::{Cell, Column};
use crate::output::{Output, Table, count, moment};
use crate::place::{Place, known_flow};

/// Arguments of `settings`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Flow, as in koppel.yaml
    flow: String,
    /// Explain only this setting
    setting: Option<String>,
    /// Show the codes of a list, such as vat_code or source.payment_method
    #[arg(long, value_name = "LIST", conflicts_with = "setting")]
    list: Option<String>,
    /// Ask the system again, in place of the list that is kept
    #[arg(long, requires = "list")]
    refresh: bool,
    /// Language of labels and help: en, nl, de, fr or it
    #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = language)]
    lang: Language,
}

fn language(text: &str) -> Result<Language, String> {
    let known = Language::ALL.map(|(code, _)| code).join(", ");
    let found = Language::ALL.into_iter().find(|(code, _)| *code == text);
    found.map(|(_, language)| language).ok_or_else(|| format!("use one of {known}"))
}

/// Runs the command.
pub async fn settings(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let place = Place::open(global).await?;
    let config = config(global, &place).await?;
    known_flow(&config, &args.flow)?;
    let flow = &config.flows[&args.flow];
    if let Some(name) = &args.list {
        let list = ListName::parse(name).map_err(|cause| CliError::settings(cause.in_row("--list")))?;
        return show_list(&place, output, &config, flow, list, args).await;
    }
    let shown = applying(&place, &config, flow)?;
    if let Some(name) = &args.setting {
        let facts = known(&shown, name, flow)?;
        explain(output, flow, facts, args.lang);
        output.document(&to_json(flow, facts, args.lang));
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&[
        ("setting", Column::Left),
        ("value", Column::Flexible),
        ("from", Column::Left),
        ("allowed", Column::Flexible),
        ("", Column::Flexible),
    ]);
    for facts in &shown {
        let values = values_of(flow, facts);
        let label = facts.label.of(args.lang);
        let rows = values.len().max(1);
        for number in 0..rows {
            let first = |text: &str| if number == 0 { text.to_owned() } else { String::new() };
            let (value, origin) = values.get(number).map(|set| (plain(&set.value), origin(set))).unwrap_or_default();
            let dim = values.get(number).is_none_or(|set| set.origin == Origin::BuiltIn).then_some(Colour::Dim);
            let cells = [first(&facts.name), value, origin, first(&allowed(facts)), first(label)];
            table.row(cells.map(|text| Cell::coloured(text, dim)));
        }
    }
    output.table(&table);
    output.note(&format!("koppel settings {} <setting> explains one; --list <list> shows its codes", args.flow));
    let document = flow.document.map(|document| document.name());
    let list: Vec<Value> = shown.iter().map(|facts| to_json(flow, facts, args.lang)).collect();
    output.document(&json!({ "flow": args.flow, "entity": flow.entity, "document": document, "settings": list }));
    Ok(Exit::Done)
}

/// What stands in the file; without one, what is in force.
async fn config(global: &Global, place: &Place) -> Result<Config, CliError> {
    if !global.file.exists() {
        return Ok(place.config().await?.config);
    }
    let (file, text) = read(&global.file)?;
    parse(&file, &text).map_err(|cause| CliError::settings(with_line(cause, &file, &text)))
}

/// The settings that decide something in this flow.
fn applying(place: &Place, config: &Config, flow: &FlowConfig) -> Result<Vec<SettingFacts>, CliError> {
    let facts_of = |name: &str| {
        let connection = config.connections.get(name);
        connection.and_then(|connection| place.engine.systems.facts(&connection.system)).ok_or_else(|| {
            let cause = Cause::new("unknown_connection", format!("the connection «{name}» has no known system"));
            CliError::settings(cause.advice("koppel apply --dry-run tells what is wrong"))
        })
    };
    let (source, target) = (facts_of(&flow.from)?, facts_of(&flow.to)?);
    let all = catalogue()?.into_iter();
    Ok(all.filter(|facts| facts.applies(flow.entity, flow.document, source, target)).collect())
}

fn known<'a>(shown: &'a [SettingFacts], name: &str, flow: &FlowConfig) -> Result<&'a SettingFacts, CliError> {
    shown.iter().find(|facts| facts.name == name).ok_or_else(|| {
        let cause = Cause::new("unknown_setting", format!("«{name}» decides nothing in a flow of {}", flow.entity));
        CliError::settings(match nearest(name, shown.iter().map(|facts| facts.name.as_str())) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice("koppel settings <flow> lists those that do"),
        })
    })
}

fn explain(output: Output, flow: &FlowConfig, facts: &SettingFacts, language: Language) {
    output.text(&format!("{}: {}\n{}\n", facts.name, facts.label.of(language), facts.help.of(language)));
    for set in values_of(flow, facts) {
        output.text(&format!("  {} ({})", plain(&set.value), origin(&set)));
    }
    let allowed = allowed(facts);
    if !allowed.is_empty() {
        output.text(&format!("  allowed: {allowed}"));
    }
    if let Some(keys) = facts.keys.and_then(|keys| keys.list()) {
        output.text(&format!("  keys of the table: --list {}", keys.name()));
    }
    output.text(&format!("  example: {}: {}", facts.name, facts.example));
}

/// Where a value comes from, in the words of `koppel.yaml`.
fn origin(set: &SetValue) -> String {
    let word = match set.origin {
        Origin::Force => "force",
        Origin::Table => "table",
        Origin::ByCountry => "by_country",
        Origin::Default => "default",
        Origin::Value => "koppel.yaml",
        Origin::BuiltIn => "built-in",
    };
    set.key.as_ref().map_or_else(|| word.to_owned(), |key| format!("{word} {key}"))
}

/// What a value may be.
fn allowed(facts: &SettingFacts) -> String {
    match facts.list {
        Some(list) => format!("--list {}", list.name()),
        None if !facts.choices.is_empty() => facts.choices.join(" | "),
        None => match facts.kind {
            koppel_flows::catalogue::Kind::YesNo => "true | false".to_owned(),
            koppel_flows::catalogue::Kind::Decimal => "number in quotes".to_owned(),
            _ => String::new(),
        },
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn to_json(flow: &FlowConfig, facts: &SettingFacts, language: Language) -> Value {
    json!({
        "name": facts.name, "label": facts.label.of(language), "help": facts.help.of(language), "type": facts.kind,
        "choices": facts.choices, "list": facts.list.map(|list| list.name()), "list_of": facts.list.map(|_| facts.side),
        "table_keys": facts.keys.and_then(|keys| keys.list()).map(|list| list.name()), "required": facts.required,
        "default": facts.default, "example": facts.example, "values": values_of(flow, facts),
    })
}

async fn show_list(
    place: &Place,
    output: Output,
    config: &Config,
    flow: &FlowConfig,
    list: ListName,
    args: &Args,
) -> Result<Exit, CliError> {
    let name = if side_of(list, flow)? == ListSide::Source { &flow.from } else { &flow.to };
    let connection = connections::open(&place.engine, &place.tenant, config, name).await?;
    let calls = Calls::new(Priority::Customers);
    let found = list_of(&place.engine, &place.tenant, &connection, list, args.refresh, &calls).await?;
    let system = place.engine.systems.facts(&connection.system).map_or(name.as_str(), |facts| facts.name);
    let mut table = Table::new(&[("code", Column::Left), ("name", Column::Flexible), ("", Column::Flexible)]);
    for reference in &found.codes {
        let colour = blocked(reference).then_some(Colour::Dim);
        let cells = [reference.code.clone(), reference.name.clone(), remark(reference)];
        table.row(cells.map(|text| Cell::coloured(text, colour)));
    }
    output.table(&table);
    let age = place.engine.clock.now() - found.read_at;
    let codes = count(found.codes.len(), "code", "codes");
    output.note(&format!("{codes} in {system}, {}", age_of(&found, age)));
    output.document(&json!({
        "flow": args.flow, "connection": name, "list": list.name(), "read_at": found.read_at,
        "age_seconds": age.num_seconds(), "kept": found.from_store, "codes": found.codes,
    }));
    Ok(Exit::Done)
}

/// Which system of the flow has the list: values are the source's, codes belong to whom the settings ask.
fn side_of(list: ListName, flow: &FlowConfig) -> Result<ListSide, Failure> {
    let ListName::Codes(list) = list else { return Ok(ListSide::Source) };
    let all = catalogue()?;
    let mut here = all.iter().filter(|facts| facts.list == Some(list) && facts.entities.contains(&flow.entity));
    Ok(here.next().map_or(ListSide::Target, |facts| facts.side))
}

fn blocked(reference: &Reference) -> bool {
    reference.attributes.get("blocked") == Some(&Value::Bool(true))
}

/// What a person wants to know beside the name.
fn remark(reference: &Reference) -> String {
    let percent = reference.attributes.get("percent").map(|percent| format!("{} %", plain(percent)));
    let blocked = blocked(reference).then(|| "blocked".to_owned());
    percent.into_iter().chain(blocked).collect::<Vec<_>>().join(", ")
}

fn age_of(found: &StoredList, age: TimeDelta) -> String {
    if !found.from_store {
        return "read just now".to_owned();
    }
    let age = Duration::from_secs(age.num_seconds().unsigned_abs());
    let (days, hours, minutes) = (age.as_secs() / 86_400, age.as_secs() / 3_600, age.as_secs() / 60);
    let ago = match (days, hours, minutes) {
        (0, 0, 0) => "less than a minute ago".to_owned(),
        (0, 0, minutes) => format!("{} ago", count(minutes as usize, "minute", "minutes")),
        (0, hours, _) => format!("{} ago", count(hours as usize, "hour", "hours")),
        (days, ..) => format!("{} ago", count(days as usize, "day", "days")),
    };
    format!("read {} ({ago}); --refresh asks again", moment(found.read_at))
}
