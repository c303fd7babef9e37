//! The page of features has a row for each feature of each pair, and the tests that it names exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Features of each pair, by the ids of its feature table.
const WANTED: [(&str, &str); 5] = [
    ("WooCommerce–Exact Online", "O1-26 O28 A1-9 A11-14 A16-19 T1-4 C1 C9-13"),
    ("WooCommerce–Visma.net", "O1-2 O4-20 O22-26 O28 A1-5 A7-9 A11-15 A17-19 T1-4 C1 C9-12 B1-5"),
    ("CCV Shop–Visma.net", "O1-2 O4-20 O22-26 O28 A1-5 A7-9 A11-15 A17-19 T1-4 C1-4 C9-12"),
    ("MijnWebwinkel–AccountView", "O1-2 O5-20 O23-26 O28 A1-5 A7-9 A11-13 A17-19 T1-4"),
    ("WooCommerce–Asperion", "O1-2 O4-20 O23-28 A1-13 A17-19 T1-4 C1 C5-11 C14"),
];

/// Parts of articles that a system does not have, so that no shop gets them from it.
const NOT_THERE: [(&str, &[&str]); 2] = [("accountview", &["images"]), ("asperion", &["categories", "images"])];

/// `O1-3 O5` as `O01 O02 O03 O05`.
fn ids(short: &str) -> Vec<String> {
    let number = |text: &str| text.parse::<u8>().unwrap();
    let of = |part: &str| {
        let (letter, numbers) = part.split_at(1);
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        (number(first)..=number(last)).map(|n| format!("{letter}{n:02}")).collect::<Vec<_>>()
    };
    short.split(' ').flat_map(of).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Sources in which a package keeps the tests that the page names.
fn sources(package: &str) -> PathBuf {
    root().join(match package {
        "koppel-tests::it" => "tests",
        "koppel::cli" => "infra/koppel/tests/cli",
        "koppel-connectors" => "shared/connectors/src",
        "koppel-flows" => "shared/flows/src",
        "koppel-mapping" => "shared/mapping/src",
        other => panic!("{other}: the page names no tests of this package"),
    })
}

/// The file that holds a module, whichever of the two forms it has.
fn file_of(folder: &Path, modules: &[&str]) -> Option<PathBuf> {
    let path = modules.iter().fold(folder.to_path_buf(), |path, module| path.join(module));
    [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| file.is_file())
}

/// Whether a text holds this test: a function of its own, or a name in a list of which a macro makes tests.
fn holds(text: &str, function: &str) -> bool {
    let is_test = |before: &str| {
        let before = before.trim_end_matches("async ").trim_end();
        before.lines().last().is_some_and(|line| line.trim().starts_with("#[test") || line.contains("tokio::test"))
    };
    if let Some(at) = text.find(&format!("fn {function}()")) {
        return is_test(&text[..at]);
    }
    let Some((before, list)) = text.split_once("\npairs! {\n") else { return false };
    let (list, _) = list.split_once("\n}").unwrap();
    let made = before.find("fn $name()").is_some_and(|at| is_test(&before[..at]));
    made && list.lines().any(|line| line.trim().starts_with(&format!("{function}:")))
}

fn exists(name: &str) -> bool {
    let (package, test) = name.split_once(' ').unwrap_or_else(|| panic!("«{name}»: a package and a test"));
    let mut modules: Vec<&str> = test.split("::").collect();
    let function = modules.pop().unwrap();
    let folder = sources(package);
    if let Some(file) = file_of(&folder, &modules) {
        // What stands in a module `tests` of this file has that in its name.
        let text = std::fs::read_to_string(file).unwrap();
        return holds(text.split("\nmod tests {\n").next().unwrap(), function);
    }
    let inner = modules.pop_if(|last| *last == "tests").and_then(|_| file_of(&folder, &modules));
    let text = inner.map(|file| std::fs::read_to_string(file).unwrap()).unwrap_or_default();
    text.split_once("\nmod tests {\n").is_some_and(|(_, tests)| holds(tests, function))
}

/// What a cell of the page names between back quotes.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_feature_has_a_row_and_every_test_that_is_named_exists() {
    let page = read("docs/features.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    let found: BTreeSet<(String, String)> = rows.iter().map(|row| (row[2].to_owned(), row[0].to_owned())).collect();
    let wanted: BTreeSet<(String, String)> = WANTED
        .iter()
        .flat_map(|(pair, short)| ids(short).into_iter().map(move |id| ((*pair).to_owned(), id)))
        .collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let unknown: Vec<_> = found.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing: {missing:?}, unknown: {unknown:?}");
    assert_eq!(found.len(), rows.len(), "an id is there twice");

    let cells = rows.iter().map(|row| row[3]);
    let bare: Vec<&str> = cells.clone().filter(|cell| named(cell).is_empty() && *cell != "no test yet").collect();
    assert!(bare.is_empty(), "neither a test nor that there is none: {bare:#?}");
    let absent: BTreeSet<&str> = cells.flat_map(named).filter(|name| !exists(name)).collect();
    assert!(absent.is_empty(), "these tests do not exist: {absent:#?}");
}

#[test]
fn a_test_is_found_where_it_is_and_nowhere_else() {
    for there in [
        "koppel-flows stock::tests::each_calculation_counts_what_it_says",
        "koppel-tests::it chain::orders::the_second_run_creates_nothing",
        "koppel-tests::it pairs::woocommerce_and_exact_online",
        "koppel-connectors exact_online::tests::rows::a_sales_order_is_made_to_the_cent",
        "koppel-connectors woocommerce::tests::target::stock::stock_of_products_and_variations_is_found_and_written",
    ] {
        assert!(exists(there), "{there}");
    }
    for absent in [
        "koppel-flows stock::tests::no_such_test",
        // Its module is missing in the name.
        "koppel-flows stock::each_calculation_counts_what_it_says",
        // Functions, but no tests.
        "koppel-tests::it chain::world::yaml",
        "koppel-flows stock::tests::level",
        "koppel-tests::it pairs::woocommerce_and_nothing",
    ] {
        assert!(!exists(absent), "{absent}");
    }
}

#[test]
fn what_a_system_does_not_have_is_in_none_of_its_rows() {
    for (system, parts) in NOT_THERE {
        let rows = read(format!("shared/connectors/src/{system}/rows/product.yaml"));
        let has = |part: &str| rows.lines().any(|line| line.trim().starts_with(&format!("{part}:")));
        let found: Vec<_> = parts.iter().filter(|part| has(part)).collect();
        assert!(found.is_empty(), "{system} has {found:?} now: the page of features says that it has not");
        assert!(has("name") && has("attributes"), "{system}: the rows look otherwise than this test thinks");
    }
}
