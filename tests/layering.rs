//! Dependencies point one way, and only `hosting` knows an engine. Holds the manifests and the sources to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which crates of this project a crate may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("koppel-core", &[]),
    ("koppel-mapping", &["koppel-core"]),
    ("koppel-connectors", &["koppel-core", "koppel-mapping"]),
    ("koppel-flows", &["koppel-core", "koppel-mapping"]),
    ("koppel-hosting", &["koppel-core", "koppel-mapping", "koppel-connectors", "koppel-flows"]),
    ("koppel", &["koppel-core", "koppel-mapping", "koppel-connectors", "koppel-flows", "koppel-hosting"]),
    ("koppel-sandbox", &[]),
    // It measures the whole: the chain on one side, the stand-ins on the other.
    ("koppel-bench", &["koppel-chaos", "koppel-core", "koppel-flows", "koppel-hosting", "koppel-sandbox"]),
    ("koppel-chaos", &["koppel-core", "koppel-flows", "koppel-hosting", "koppel-sandbox"]),
];

/// What only `hosting` may name.
const ENGINES: &[&str] = &["aws_config", "aws_sdk_", "aws_smithy", "aws_lambda_events", "lambda_runtime", "rusqlite"];

/// What the pure crates may not name: they do no I/O.
const IO: &[&str] = &["reqwest", "tokio", "std::fs", "std::net", "std::env", "std::process"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the project").to_path_buf()
}

/// Name, folder and project crates used (outside tests) of every member.
fn members() -> Vec<(String, PathBuf, BTreeSet<String>)> {
    let mut found = Vec::new();
    for group in ["shared", "functions", "infra"] {
        for entry in std::fs::read_dir(root().join(group)).expect("folder").flatten() {
            let Ok(text) = std::fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
            let name = text
                .lines()
                .find_map(|line| line.strip_prefix("name = \""))
                .and_then(|rest| rest.strip_suffix('"'))
                .expect("a name")
                .to_owned();
            let mut section = "";
            let mut used = BTreeSet::new();
            for line in text.lines() {
                if let Some(header) = line.strip_prefix('[') {
                    section = header.trim_end_matches(']');
                } else if section == "dependencies"
                    && let Some(dependency) = line.split(['.', ' ', '=']).next()
                    && (dependency == "koppel" || dependency.starts_with("koppel-"))
                {
                    used.insert(dependency.to_owned());
                }
            }
            found.push((name, entry.path(), used));
        }
    }
    assert!(found.len() >= 13, "the members were not found: {found:?}");
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// Code lines of a file, up to its unit tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(path).expect("source");
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.to_owned()));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, l)| !l.trim_start().starts_with("//"))
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut breaches = Vec::new();
    for (name, _, used) in members() {
        let allowed: &[&str] = if name.starts_with("function-") {
            &["koppel-core", "koppel-hosting"]
        } else {
            rules.get(name.as_str()).copied().unwrap_or(&[])
        };
        for dependency in used {
            if !allowed.contains(&dependency.as_str()) {
                breaches.push(format!("{name} uses {dependency}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn only_hosting_knows_an_engine() {
    let mut breaches = Vec::new();
    for (name, folder, _) in members() {
        if name == "koppel-hosting" {
            continue;
        }
        for file in sources(&folder.join("src")) {
            for (number, line) in code(&file) {
                for engine in ENGINES.iter().filter(|engine| line.contains(**engine)) {
                    breaches.push(format!("{}:{number} names {engine}", file.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn core_mapping_and_flows_do_no_io_and_no_float() {
    let mut breaches = Vec::new();
    for crate_folder in ["shared/core", "shared/mapping", "shared/flows"] {
        for file in sources(&root().join(crate_folder).join("src")) {
            for (number, line) in code(&file) {
                for word in IO.iter().filter(|word| line.contains(**word)) {
                    breaches.push(format!("{}:{number} names {word}", file.display()));
                }
                if line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "f64" || word == "f32") {
                    breaches.push(format!("{}:{number} uses a float", file.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn function_mains_hold_no_logic() {
    for (name, folder, _) in members().into_iter().filter(|(name, ..)| name.starts_with("function-")) {
        let text = std::fs::read_to_string(folder.join("src/main.rs")).expect("main");
        assert!(text.lines().count() <= 30, "{name}: main.rs has more than 30 lines");
        assert_eq!(sources(&folder.join("src")).len(), 1, "{name}: only main.rs");
    }
}

#[test]
fn files_stay_readable() {
    let mut long = Vec::new();
    for (_, folder, _) in members() {
        for file in sources(&folder) {
            let lines = std::fs::read_to_string(&file).expect("source").lines().count();
            if lines > 600 {
                long.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "split these: {long:#?}");
}
