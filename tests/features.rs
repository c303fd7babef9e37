//! The page of features names tests that exist, and none of its ids is missing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Ids of the feature table that the pair WooCommerce–Exact Online has.
fn wanted() -> BTreeSet<String> {
    let ids = |letter: char, numbers: &[u8]| numbers.iter().map(|n| format!("{letter}{n:02}")).collect::<Vec<_>>();
    let all = |upto: u8, without: &[u8]| (1..=upto).filter(|n| !without.contains(n)).collect::<Vec<_>>();
    [
        ids('O', &all(28, &[27])),
        ids('A', &all(19, &[10, 15])),
        ids('T', &all(4, &[])),
        ids('C', &[1, 9, 10, 11, 12, 13]),
    ]
    .concat()
    .into_iter()
    .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Sources in which a package keeps the tests that the page names.
fn sources(package: &str) -> PathBuf {
    match package {
        "koppel-tests::it" => root().join("tests"),
        "koppel-connectors" => root().join("shared/connectors/src"),
        "koppel-flows" => root().join("shared/flows/src"),
        other => panic!("{other}: the page names tests of koppel-tests::it, koppel-connectors and koppel-flows"),
    }
}

/// The file that holds a module, whichever of the two forms it has.
fn file_of(folder: &Path, modules: &[&str]) -> Option<PathBuf> {
    let path = modules.iter().fold(folder.to_path_buf(), |path, module| path.join(module));
    [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| file.is_file())
}

fn exists(name: &str) -> bool {
    let (package, test) = name.split_once(' ').unwrap_or_else(|| panic!("«{name}»: a package and a test"));
    let mut modules: Vec<&str> = test.split("::").collect();
    let function = modules.pop().unwrap();
    let folder = sources(package);
    // A module `tests` stands in the file of the module that it tests, or has one of its own.
    let file = file_of(&folder, &modules).or_else(|| {
        modules.pop_if(|last| *last == "tests")?;
        file_of(&folder, &modules)
    });
    let text = file.map(|file| std::fs::read_to_string(file).unwrap()).unwrap_or_default();
    let Some(at) = text.find(&format!("fn {function}()")) else { return false };
    let before = text[..at].trim_end_matches("async ").trim_end();
    before.lines().last().is_some_and(|line| line.trim().starts_with("#[test") || line.contains("tokio::test"))
}

#[test]
fn every_feature_has_a_row_and_every_test_that_is_named_exists() {
    let page = std::fs::read_to_string(root().join("docs/features.md")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let ids: BTreeSet<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!((&ids, ids.len()), (&wanted(), rows.len()), "an id is missing, unknown or there twice");
    let unknown: Vec<&str> = rows
        .iter()
        .map(|row| row[3].trim_matches('`'))
        .filter(|name| *name != "no test yet" && !exists(name))
        .collect();
    assert!(unknown.is_empty(), "these tests do not exist: {unknown:#?}");
    // What could go wrong with this test itself.
    assert!(!exists("koppel-flows stock::tests::no_such_test"));
}
