//! Checks a whole configuration before it is stored: every mistake is named, nothing is half-applied.

use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::{Cause, nearest};
use koppel_core::ports::Systems;
use koppel_core::system::SystemFacts;

use super::{Config, FlowConfig};
use crate::loaded::{prepare, unknown_system};

/// Everything that is wrong with `config`.
pub fn validate(systems: &dyn Systems, config: &Config, file: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (name, connection) in &config.connections {
        match systems.facts(&connection.system) {
            None => causes.push(unknown_system(systems, &connection.system, name).in_file(file)),
            Some(facts) => causes.extend(check_connection(facts, name, config).into_iter().map(|c| c.in_file(file))),
        }
    }
    for name in config.flows.keys() {
        if let Err(found) = prepare(systems, name, config, file) {
            causes.extend(found);
        }
    }
    if let Some(alerts) = &config.alerts {
        causes.extend(alerts.check().into_iter().map(|cause| cause.in_file(file)));
    }
    // A wrong connection makes its flows fail with the same cause.
    let mut unique: Vec<Cause> = Vec::new();
    for cause in causes {
        if !unique.iter().any(|known| {
            known.code == cause.code && known.message == cause.message && known.place.row == cause.place.row
        }) {
            unique.push(cause);
        }
    }
    unique
}

fn check_connection(facts: &SystemFacts, name: &str, config: &Config) -> Vec<Cause> {
    let Some(connection) = config.connections.get(name) else { return Vec::new() };
    let declared = match super::options::declared(facts) {
        Ok(declared) => declared,
        Err(cause) => return vec![cause],
    };
    let mut causes = Vec::new();
    let here = |cause: Cause, key: &str| cause.at_connection(name).in_row(format!("connections.{name}.{key}"));
    for key in connection.options.keys() {
        let known = || declared.iter().filter(|o| !o.secret).map(|o| o.name.as_str());
        if !known().any(|option| option == key) {
            let cause = Cause::new("unknown_option", format!("«{key}» is not an option of {}", facts.name));
            let advice = nearest(key, known()).map_or_else(
                || format!("known: {}", known().collect::<Vec<_>>().join(", ")),
                |n| format!("did you mean «{n}»?"),
            );
            causes.push(here(cause.advice(advice), key));
        }
    }
    for key in connection.credentials.keys() {
        let known = || declared.iter().filter(|o| o.secret).map(|o| o.name.as_str());
        if !known().any(|option| option == key) {
            let cause = Cause::new("unknown_credential", format!("«{key}» is not a credential of {}", facts.name));
            let advice = nearest(key, known()).map_or_else(
                || format!("known: {}", known().collect::<Vec<_>>().join(", ")),
                |n| format!("did you mean «{n}»?"),
            );
            causes.push(here(cause.advice(advice), &format!("credentials.{key}")));
        }
    }
    for option in declared.iter().filter(|o| o.required) {
        let given = if option.secret {
            connection.credentials.contains_key(&option.name)
        } else {
            connection.options.contains_key(&option.name)
        };
        if !given {
            let place = if option.secret { "credentials" } else { "the connection" };
            causes.push(here(
                Cause::new("missing_option", format!("{} needs «{}» ({})", facts.name, option.name, option.label))
                    .advice(format!("add «{}:» to {place}", option.name)),
                &option.name,
            ));
        }
    }
    causes
}

/// The document type of a flow, when its entity and systems allow it.
pub(crate) fn document_of(
    flow: &FlowConfig,
    source: &SystemFacts,
    target: &SystemFacts,
) -> Result<Option<DocumentType>, Cause> {
    if !source.gets.contains(&flow.entity) {
        return Err(
            Cause::new("not_supported", format!("{} cannot be read from {}", flow.entity, source.name)).in_row("from")
        );
    }
    if !target.sends.contains(&flow.entity) {
        return Err(
            Cause::new("not_supported", format!("{} cannot be written to {}", flow.entity, target.name)).in_row("to")
        );
    }
    match (flow.entity, flow.document) {
        (Entity::Orders | Entity::Refunds, document) if !target.documents.is_empty() => {
            let names = || target.documents.iter().map(|d| d.name()).collect::<Vec<_>>().join(", ");
            let document = document.ok_or_else(|| {
                Cause::new("missing_key", format!("a flow of {} says what they become", flow.entity))
                    .advice(format!("add «document:» with one of {}", names()))
                    .in_row("document")
            })?;
            if target.documents.contains(&document) {
                Ok(Some(document))
            } else {
                Err(Cause::new("not_supported", format!("{} does not take a {}", target.name, document.name()))
                    .advice(format!("use one of {}", names()))
                    .in_row("document"))
            }
        }
        (_, Some(_)) => {
            Err(Cause::new("bad_value", format!("«document» has no meaning for {}", flow.entity)).in_row("document"))
        }
        (_, None) => Ok(None),
    }
}
