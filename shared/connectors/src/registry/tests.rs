//! The walk over the registry: each connector is held to the numbered rules of the module above.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use koppel_core::document::DocumentType;
use koppel_core::ports::Systems;
use koppel_core::system::Side;
use koppel_mapping::{Checks, FieldCatalogue, RowFile, compile};
use serde_json::{Value, json};

use super::*;
use crate::http::testing::{connection, world};

const LANGUAGES: [&str; 5] = ["en", "nl", "de", "fr", "it"];

fn folder(entry: &SystemEntry) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(entry.facts.id.replace('-', "_"))
}

fn yaml(name: &str, text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Gathers every breach before it fails, so that a new connector sees all of them at once.
fn hold(check: impl Fn(&SystemEntry, &mut Vec<String>)) {
    let mut breaches = Vec::new();
    for entry in SYSTEMS {
        let mut found = Vec::new();
        check(entry, &mut found);
        breaches.extend(found.into_iter().map(|breach| format!("{}: {breach}", entry.facts.id)));
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn rule_1_every_folder_holds_the_same_files() {
    hold(|entry, breaches| {
        let mut files =
            vec!["mod.rs", "auth.rs", "client.rs", "diagnose.rs", "fields.yaml", "settings.yaml", "README.md"];
        files.extend(entry.source.map(|_| "source.rs"));
        files.extend(entry.target.map(|_| "target.rs"));
        let missing = files.iter().filter(|file| !folder(entry).join(file).is_file());
        breaches.extend(missing.map(|file| format!("{file} is missing")));
        for inner in ["rows", "fixtures"] {
            let filled = std::fs::read_dir(folder(entry).join(inner)).is_ok_and(|mut files| files.next().is_some());
            if !filled {
                breaches.push(format!("{inner}/ is missing or empty"));
            }
        }
    });
}

#[test]
fn rule_2_ids_are_plain_and_unique() {
    let ids: BTreeSet<&str> = SYSTEMS.iter().map(|entry| entry.facts.id).collect();
    assert_eq!(ids.len(), SYSTEMS.len());
    hold(|entry, breaches| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if entry.facts.id.is_empty() || !entry.facts.id.chars().all(plain) {
            breaches.push("the id has other characters than a-z, 0-9 and -".into());
        }
        if entry.source.is_some() == entry.facts.gets.is_empty() {
            breaches.push("what it gets and whether it is a source do not agree".into());
        }
        if entry.target.is_some() == entry.facts.sends.is_empty() {
            breaches.push("what it sends and whether it is a target do not agree".into());
        }
    });
}

#[test]
fn rule_3_rows_are_complete_and_compile() {
    hold(|entry, breaches| {
        let facts = entry.facts;
        for entity in facts.gets.iter().filter(|entity| facts.rows_for(Side::Source, **entity, None).is_none()) {
            breaches.push(format!("no source rows for {entity}"));
        }
        // Orders and refunds are written as documents.
        for entity in facts.sends.iter().filter(|entity| entity.is_order()) {
            for document in facts.documents {
                if facts.rows_for(Side::Target, *entity, Some(*document)).is_none() {
                    breaches.push(format!("no target rows for {entity} as {}", document.name()));
                }
            }
        }
        let kept = facts.sends.iter().filter(|entity| !entity.is_order());
        for entity in kept.filter(|entity| facts.rows_for(Side::Target, **entity, None).is_none()) {
            breaches.push(format!("no target rows for {entity}"));
        }
        for rows in facts.rows {
            let checks = match rows.side {
                Side::Source => Checks::new().variable("source"),
                Side::Target => ["order", "customer", "product", "stock", "price", "settings"]
                    .into_iter()
                    .fold(Checks::new(), Checks::variable),
            };
            match RowFile::parse(rows.name, rows.text).and_then(|file| compile(&file, &checks)) {
                Ok(_) => {}
                Err(findings) => breaches.extend(findings.iter().map(ToString::to_string)),
            }
        }
        let declared: BTreeSet<String> = facts.rows.iter().map(|rows| rows.name.to_owned()).collect();
        let files = std::fs::read_dir(folder(entry).join("rows")).into_iter().flatten().flatten();
        for file in files {
            let name = format!("{}/rows/{}", facts.id, file.file_name().to_string_lossy());
            if !declared.contains(&name) {
                breaches.push(format!("{name} is not declared"));
            }
        }
    });
}

#[test]
fn rule_4_the_field_catalogue_parses() {
    hold(|entry, breaches| {
        let name = format!("{}/fields.yaml", entry.facts.id);
        let sections = yaml(&name, entry.facts.fields);
        for (section, fields) in sections.as_object().into_iter().flatten() {
            match FieldCatalogue::parse(&name, &fields.to_string()) {
                Ok(_) => {}
                Err(findings) => breaches.extend(findings.iter().map(|f| format!("section {section}: {f}"))),
            }
        }
        let has = |stem: &str| sections.get(stem).is_some_and(Value::is_object);
        for rows in entry.facts.rows {
            let stem = rows.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".yaml");
            if !has(stem) {
                breaches.push(format!("fields.yaml has no section {stem}"));
            }
        }
    });
}

#[test]
fn rule_5_settings_have_labels_in_five_languages() {
    hold(|entry, breaches| {
        let declared = declared(entry);
        if declared.is_empty() {
            breaches.push("settings.yaml has no list «connection»".into());
        }
        let mut names = BTreeSet::new();
        for (_, name, option) in declared {
            if !names.insert(name.clone()) {
                breaches.push(format!("setting {name} stands there twice"));
            }
            if option["type"].as_str().is_none() {
                breaches.push(format!("setting {name} has no type"));
            }
            for text in ["label", "help"] {
                if text == "help" && option.get("help").is_none() {
                    continue;
                }
                for language in LANGUAGES.iter().filter(|l| option[text][**l].as_str().is_none_or(str::is_empty)) {
                    breaches.push(format!("setting {name} has no {text} in {language}"));
                }
            }
        }
    });
}

#[test]
fn rules_6_and_7_the_readme_tells_facts_limits_and_what_is_unconfirmed() {
    hold(|entry, breaches| {
        let text = std::fs::read_to_string(folder(entry).join("README.md")).unwrap_or_default();
        for title in ["Facts", "Limits", "Quirks", "To confirm on a live account"] {
            let there = text.lines().any(|line| line.starts_with('#') && line.trim_start_matches('#').trim() == title);
            if !there {
                breaches.push(format!("README.md has no section «{title}»"));
            }
        }
    });
}

/// The settings of a system: secret or not, name, and what stands behind it.
fn declared(entry: &SystemEntry) -> Vec<(bool, String, Value)> {
    let settings = yaml("settings.yaml", entry.facts.settings);
    let list = settings["connection"].as_array().cloned().unwrap_or_default();
    let entry = |option: Value| {
        let name = option["name"].as_str().unwrap_or("(without name)").to_owned();
        (option["secret"] == json!(true), name, option)
    };
    list.into_iter().map(entry).collect()
}

/// A connection with every secret that the system declares.
fn filled(entry: &SystemEntry) -> Connection {
    let options = json!({"url": "http://127.0.0.1:9", "country": "nl", "division": 1});
    let mut filled = connection(entry.facts.id, options, &[]);
    for (_, name, _) in declared(entry).into_iter().filter(|(secret, ..)| *secret) {
        let value = format!("hidden-{name}-0123456789");
        filled.secrets.insert(name, value);
    }
    assert!(!filled.secrets.is_empty(), "{} declares no credentials", entry.facts.id);
    filled
}

#[tokio::test]
async fn rule_8_secrets_never_show() {
    for entry in SYSTEMS {
        let connection = filled(entry);
        let (_, _, deps) = world();
        let registry = Registry::new(deps);
        let calls = koppel_core::ports::Calls::default();
        let mut shown = format!("{connection:?}");
        // Nobody listens at this address: the failure and the recorded exchange must still be clean.
        if entry.source.is_some() {
            let source = registry.source(&connection).unwrap();
            shown += &format!("{:?}", source.test_connection(&calls).await);
        }
        if entry.target.is_some() {
            let target = registry.target(&connection).unwrap();
            shown += &format!("{:?}", target.test_connection(&calls).await);
        }
        shown += &format!("{:?}", calls.take());
        for (name, secret) in &connection.secrets {
            assert!(!shown.contains(secret.as_str()), "{}: {name} shows in {shown}", entry.facts.id);
        }
    }
}

#[tokio::test]
async fn rule_9_what_cannot_be_done_is_refused_with_the_systems_name() {
    let (_, _, deps) = world();
    let registry = Registry::new(deps);
    for entry in SYSTEMS {
        let connection = filled(entry);
        if entry.source.is_none() {
            let failure = registry.source(&connection).err().unwrap();
            assert!(matches!(&failure, Failure::Settings(cause) if cause.message.contains(entry.facts.name)));
        }
        if entry.target.is_none() {
            let failure = registry.target(&connection).err().unwrap();
            assert!(matches!(&failure, Failure::Settings(cause) if cause.message.contains(entry.facts.name)));
        }
    }
    let shop = registry.target(&filled(&SYSTEMS[0])).unwrap();
    let calls = koppel_core::ports::Calls::default();
    let refused = shop.find_documents(DocumentType::SalesOrder, &[], &calls).await.unwrap_err();
    assert!(matches!(&refused, Failure::Settings(cause) if cause.message.contains("WooCommerce")), "{refused}");
}

#[test]
fn an_unknown_system_is_named_with_its_nearest_neighbour() {
    let (_, _, deps) = world();
    let registry = Registry::new(deps);
    let failure = registry.source(&connection("wocommerce", json!({}), &[])).err().unwrap();
    assert!(failure.to_string().contains("did you mean «woocommerce»?"), "{failure}");
    assert!(registry.facts("wocommerce").is_none());
    assert!(registry.facts("woocommerce").is_some() && registry.ids().contains(&"woocommerce"));
}

#[test]
fn a_connector_is_kept_until_its_configuration_changes() {
    let (_, _, deps) = world();
    let registry = Registry::new(deps);
    let mut shop = filled(&SYSTEMS[0]);
    let first = registry.source(&shop).unwrap();
    assert!(Arc::ptr_eq(&first, &registry.source(&shop).unwrap()));
    shop.options.insert("page_size".into(), json!(50));
    let second = registry.source(&shop).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    shop.tenant.0 = "other".into();
    assert!(!Arc::ptr_eq(&second, &registry.source(&shop).unwrap()));
}
