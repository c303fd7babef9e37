//! `docs/systems.md`: what each system can do, made of the facts that the connectors declare and of what their READMEs say is
//! still to be confirmed. Renewed with `KOPPEL_BLESS=1`.

use std::fmt::Write;
use std::path::Path;

use koppel_core::document::{DocumentType, Entity};
use koppel_core::system::{Limits, NumberField, NumberFields, SearchFields, SystemFacts, SystemKind};

use super::SYSTEMS;

const DOCUMENTS: [DocumentType; 4] =
    [DocumentType::SalesOrder, DocumentType::SalesInvoice, DocumentType::DirectInvoice, DocumentType::FinancialEntry];

fn folder(facts: &SystemFacts) -> String {
    facts.id.replace('-', "_")
}

/// What moves which way: get, send, both, or neither.
fn ways(facts: &SystemFacts, entity: Entity) -> &'static str {
    match (facts.gets.contains(&entity), facts.sends.contains(&entity)) {
        (true, true) => "get, send",
        (true, false) => "get",
        (false, true) => "send",
        (false, false) => "–",
    }
}

fn limits(limits: &Limits) -> String {
    let parts = [
        limits.calls_per_minute.map(|calls| format!("{calls} a minute")),
        limits.calls_per_hour.map(|calls| format!("{calls} an hour")),
        limits.calls_per_day.map(|calls| format!("{calls} a day")),
        limits.errors_per_hour.map(|errors| format!("{errors} errors an hour")),
        limits.concurrency.map(|calls| format!("{calls} at a time")),
    ];
    let known: Vec<String> = parts.into_iter().flatten().collect();
    if known.is_empty() { "none known".into() } else { known.join(", ") }
}

/// Points of the section «To confirm on a live account» of a README.
fn unconfirmed(facts: &SystemFacts) -> usize {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder(facts)).join("README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let section = text.split("## To confirm on a live account").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let is_point = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("* ")
            || line.starts_with("- ")
            || line.starts_with("| ")
            || line.starts_with(|c: char| c.is_ascii_digit())
    };
    section.lines().filter(is_point).filter(|line| !line.contains("---")).count()
}

fn page() -> String {
    let mut text = String::from(
        "# Systems, and what each can do\n\nMade of what the connectors declare: `koppel systems` shows the same. Any system that an entity can \
         be got from can be\njoined with any that it can be sent to.\n\n",
    );
    let mut systems: Vec<&SystemFacts> = SYSTEMS.iter().map(|entry| entry.facts).collect();
    systems.sort_by_key(|facts| (facts.kind == SystemKind::Erp, facts.id));
    let names: Vec<String> = systems
        .iter()
        .map(|facts| format!("[{}](../shared/connectors/src/{}/README.md)", facts.name, folder(facts)))
        .collect();
    let mut row = |name: &str, cells: Vec<String>| writeln!(text, "| {name} | {} |", cells.join(" | ")).unwrap();
    row("", names);
    row("---", systems.iter().map(|_| "---".to_owned()).collect());
    row("id", systems.iter().map(|facts| format!("`{}`", facts.id)).collect());
    for entity in Entity::ALL {
        row(entity.name(), systems.iter().map(|facts| ways(facts, entity).to_owned()).collect());
    }
    for document in DOCUMENTS {
        let has = |facts: &&SystemFacts| if facts.documents.contains(&document) { "yes" } else { "–" }.to_owned();
        row(document.name(), systems.iter().map(has).collect());
    }
    let lists = |facts: &&SystemFacts| {
        let names: Vec<&str> = facts.lookups.iter().map(|list| list.label()).collect();
        if names.is_empty() { "–".to_owned() } else { names.join(", ") }
    };
    row("lists of codes", systems.iter().map(lists).collect());
    let length =
        |facts: &&SystemFacts| facts.reference_max_chars.map_or("–".into(), |most| format!("{most} characters"));
    row("reference of a document", systems.iter().map(length).collect());
    row("fields that a document is looked for by", systems.iter().map(|facts| searched(facts)).collect());
    row("fields for the number of a document", systems.iter().map(|facts| numbered(facts)).collect());
    row("limits", systems.iter().map(|facts| limits(&facts.limits)).collect());
    let open = |facts: &&SystemFacts| format!("{} points", unconfirmed(facts));
    row("to confirm on a live account", systems.iter().map(open).collect());
    text
}

/// The fields of each document, the usual one first.
fn searched(facts: &SystemFacts) -> String {
    let fields = |one: &SearchFields| {
        let names: Vec<String> = one.fields.iter().map(|field| format!("`{}`", field.name)).collect();
        format!("{}: {}", one.document.name(), names.join(", "))
    };
    let all: Vec<String> = facts.searched.iter().map(fields).collect();
    if all.is_empty() { "–".to_owned() } else { all.join("; ") }
}

/// The fields of records that take the number of the document they became.
fn numbered(facts: &SystemFacts) -> String {
    let fields = |one: &NumberFields| match one.field {
        NumberField::OneOf(names) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("{}: {}", one.entity, names.join(", "))
        }
        NumberField::Custom { .. } => format!("{}: a custom field of any name", one.entity),
    };
    let all: Vec<String> = facts.numbered.iter().map(fields).collect();
    if all.is_empty() { "–".to_owned() } else { all.join("; ") }
}

#[test]
fn the_page_of_systems_is_that_of_the_registry() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/systems.md");
    if std::env::var_os("KOPPEL_BLESS").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), page(), "renew docs/systems.md with KOPPEL_BLESS=1");
    assert!(page().matches("| 0 points").count() == 0, "every README says what is to be confirmed:\n{}", page());
}
