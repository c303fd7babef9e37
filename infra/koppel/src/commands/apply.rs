//! `koppel apply`: checks the file, shows what changes, seals the secrets and puts the version in force.

use std::path::Path;

use koppel_core::Cause;
use koppel_flows::config::{
    Change, Config, Secrets, differences, load_current, parse, resolve_secrets, save_version, store_secrets, validate,
};
use koppel_flows::{connections, waiting};
use serde_json::{Value, json};

use super::apply_codes::Codes;
use crate::cli::Global;
use crate::error::{CliError, Exit};
use crate::lines::with_line;
use crate::output::{Output, count};
use crate::place::Place;

/// Arguments of `apply`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only check and show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask the systems whether they have the codes of the settings
    #[arg(long)]
    no_codes: bool,
}

/// Runs the command.
pub async fn apply(global: &Global, output: Output, args: &Args) -> Result<Exit, CliError> {
    let (file, text) = read(&global.file)?;
    let config = parse(&file, &text).map_err(CliError::settings)?;
    let place = Place::open(global).await?;
    let mut causes = validate(&*place.engine.systems, &config, &file);
    let secrets = match secrets_of(&config, &file) {
        Ok(secrets) => secrets,
        Err(missing) => {
            causes.extend(missing);
            Secrets::new()
        }
    };
    if !causes.is_empty() {
        return Err(causes.into_iter().map(|cause| with_line(cause, &file, &text)).collect::<Vec<_>>().into());
    }
    let codes = if args.no_codes {
        Codes::skipped()
    } else {
        let wrong =
            |causes: Vec<Cause>| causes.into_iter().map(|cause| with_line(cause, &file, &text)).collect::<Vec<_>>();
        Codes::check(&place, &config, &secrets, &file).await.map_err(wrong)?
    };
    let before = load_current(&*place.engine.store, &place.tenant).await?;
    let known = before.as_ref().map(|stored| stored.config.clone()).unwrap_or_default();
    let changes = visible(differences(&known, &config), &known);
    let renewed = renewed(&place, &known, &secrets).await?;
    for line in changes.iter().map(line_of).chain(renewed.iter().map(|key| format!("~ {key} (new value)"))) {
        output.text(&line);
    }
    let in_force = before.as_ref().map_or(0, |stored| stored.version);
    let changed = !changes.is_empty() || in_force == 0;
    let mut version = in_force;
    if !args.dry_run {
        // Secrets first: a version in force always finds its secrets.
        store_secrets(&*place.engine.store, &*place.engine.vault, &place.tenant, &secrets).await?;
        if changed {
            let now = place.engine.clock.now();
            version = save_version(&*place.engine.store, &place.tenant, &config, &file, now, None).await?;
        }
    }
    let next = if changed { in_force + 1 } else { in_force };
    let again = tried_again(&place, &config, next).await?;
    report(output, args, &file, &config, (changed, !renewed.is_empty()), version, again);
    codes.tell(output);
    let consents = consents(&place, &config, &known)?;
    for name in consents.iter().filter(|_| !args.dry_run) {
        output.note(&format!("next: koppel connect {name}"));
    }
    output.document(&json!({
        "file": file, "dry_run": args.dry_run, "changed": changed, "version": version, "changes": changes,
        "renewed_credentials": renewed, "tried_again": again, "to_connect": consents,
        "codes": codes.to_json(),
    }));
    Ok(Exit::Done)
}

fn report(
    output: Output,
    args: &Args,
    file: &str,
    config: &Config,
    (changed, renewed): (bool, bool),
    version: u64,
    again: usize,
) {
    let (connections, flows) = (config.connections.len(), config.flows.len());
    let what = format!("{}, {}", count(connections, "connection", "connections"), count(flows, "flow", "flows"));
    let text = match (args.dry_run, changed, renewed) {
        (true, true, _) => format!("{file} is valid ({what}); nothing was stored, this was --dry-run"),
        (true, false, _) => format!("{file} is valid ({what}) and changes nothing"),
        (false, true, _) => format!("version {version} is in force: {what}"),
        (false, false, true) => format!("the new credentials are in force; version {version} stays"),
        (false, false, false) => format!("nothing changed: version {version} stays in force"),
    };
    output.note(&text);
    if again > 0 {
        let verb = if args.dry_run { "would be" } else { "will be" };
        output.note(&format!("{} {verb} tried again", count(again, "waiting record", "waiting records")));
    }
}

/// The configuration file, and its name as messages show it.
pub fn read(path: &Path) -> Result<(String, String), CliError> {
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(CliError::settings(
            Cause::new("no_file", "there is no such file")
                .advice("make one with koppel init, or name it with --file")
                .in_file(name),
        )),
        Err(error) => Err(CliError::settings(
            Cause::new("unreadable_file", format!("the file cannot be read: {error}")).in_file(name),
        )),
    }
}

/// Reads all credentials from the environment; every one that is missing is named.
fn secrets_of(config: &Config, file: &str) -> Result<Secrets, Vec<Cause>> {
    let environment = |name: &str| std::env::var(name).ok();
    let mut missing = Vec::new();
    for (name, connection) in &config.connections {
        for credential in &connection.credentials {
            let mut one = connection.clone();
            one.credentials = [credential].into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            let only = Config { connections: [(name.clone(), one)].into(), ..Config::default() };
            missing.extend(resolve_secrets(&only, environment).err().map(|cause| cause.in_file(file)));
        }
    }
    if missing.is_empty() { resolve_secrets(config, environment).map_err(|cause| vec![cause]) } else { Err(missing) }
}

/// Changes fit to be shown: no literal credential, and a new connection or flow as one line.
fn visible(changes: Vec<Change>, before: &Config) -> Vec<Change> {
    let mut shown: Vec<Change> = Vec::new();
    for mut change in changes {
        if change.key.contains(".credentials.") {
            for value in [&mut change.before, &mut change.after].into_iter().flatten() {
                if !value.as_str().is_some_and(|text| text.starts_with("${")) {
                    *value = "${sealed}".into();
                }
            }
            if change.before == change.after {
                continue;
            }
        }
        let mut parts = change.key.split('.');
        if let (Some(section), Some(name)) = (parts.next(), parts.next()) {
            let known = match section {
                "connections" => before.connections.contains_key(name),
                "flows" => before.flows.contains_key(name),
                _ => true,
            };
            if !known {
                change = Change { key: format!("{section}.{name}"), before: None, after: Some(Value::Null) };
            }
        }
        if shown.last() != Some(&change) {
            shown.push(change);
        }
    }
    shown
}

/// A change as a line: `+` new, `-` gone, `~` changed.
pub fn line_of(change: &Change) -> String {
    let show = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => format!(": {text}"),
        other => format!(": {other}"),
    };
    match (&change.before, &change.after) {
        (None, Some(after)) => format!("+ {}{}", change.key, show(after)),
        (Some(before), None) => format!("- {}{}", change.key, show(before)),
        (before, after) => {
            let text = |value: &Option<Value>| value.as_ref().map(show).unwrap_or_default();
            format!("~ {}{} → {}", change.key, text(before), text(after).trim_start_matches(": "))
        }
    }
}

/// Credentials whose value differs from what is sealed under a version that names them already.
async fn renewed(place: &Place, known: &Config, secrets: &Secrets) -> Result<Vec<String>, CliError> {
    let mut renewed = Vec::new();
    for name in known.connections.keys() {
        let Some(new) = secrets.get(name) else { continue };
        let old = connections::open(&place.engine, &place.tenant, known, name).await?;
        let changed = new.iter().filter(|(key, value)| old.secrets.get(*key).is_some_and(|old| old != *value));
        renewed.extend(changed.map(|(key, _)| format!("connections.{name}.credentials.{key}")));
    }
    Ok(renewed)
}

/// New connections that a person must consent to.
fn consents(place: &Place, config: &Config, known: &Config) -> Result<Vec<String>, CliError> {
    let mut names = Vec::new();
    for (name, settings) in config.connections.iter().filter(|(name, _)| !known.connections.contains_key(*name)) {
        let connection = connections::assemble(&place.tenant, name, settings, Default::default());
        if place.engine.systems.consent(&connection)?.is_some() {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// Waiting records that are due under this version.
async fn tried_again(place: &Place, config: &Config, version: u64) -> Result<usize, CliError> {
    let now = place.engine.clock.now();
    let mut due = 0;
    for flow in config.flows.keys() {
        let list = waiting::list(&place.engine, &place.tenant, flow).await?;
        due += list.iter().filter(|record| record.is_due(now, version)).count();
    }
    Ok(due)
}
