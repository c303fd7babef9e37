//! Cells that try to take the memory, the stack or the time of the process. Each ends in an error.

use koppel_mapping::{Expression, RowFile, Scope, limits};

use crate::support::{cell, findings, json, mapped, run_time, stops};

fn texts(length: usize) -> String {
    format!(r#"{{"text": "{}"}}"#, "a".repeat(length))
}

#[test]
fn brackets_by_the_thousand() {
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("(-", ")")] {
        let long = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        assert!(stops(&long, "{}").contains("2000 are allowed"), "{open}");
        let fits = format!("{}1{}", open.repeat(300), close.repeat(300));
        assert!(stops(&fits, "{}").contains("64 levels"), "{open}");
    }
    for chain in ["1 + ", "'a' ~ ", "true and ", "1 if true else ", "source."] {
        let long = format!("{}x", chain.repeat(120));
        assert!(stops(&long, "{}").contains("64 levels"), "{chain}");
    }
    assert!(stops(&format!("1{}", "| abs".repeat(300)), "{}").contains("64 levels"));
    assert!(stops(&format!("source{}", "[0]".repeat(300)), "{}").contains("64 levels"));
    // As deep as is allowed is allowed.
    assert!(cell(&format!("{}1{}", "(".repeat(limits::NESTING), ")".repeat(limits::NESTING)), "{}").is_ok());
}

#[test]
fn nested_groups_in_a_row_file() {
    let deep = format!("mapping: m\nfields: {}1{}", "{a: ".repeat(100), "}".repeat(100));
    let said = findings(&deep, &crate::support::checks());
    assert!(said[0].contains("Depth"), "{said:?}");
    let mut rows = RowFile::parse("rows/order.yaml", "mapping: m\nfields: {}").unwrap();
    let own = json(&format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100)));
    let said = rows.override_rows(&[("x".to_owned(), own)], "koppel.yaml").unwrap_err()[0].to_string();
    assert!(said.contains("64 levels"), "{said}");
    let endless = format!("mapping: m\nfields: {}", "{a: ".repeat(20_000));
    assert!(!findings(&endless, &crate::support::checks()).is_empty());
}

#[test]
fn a_replacement_that_multiplies() {
    let source = texts(90_000);
    assert!(stops("source.text | replace('a', source.text)", &source).contains("100 KB"));
}

#[test]
fn a_text_that_doubles() {
    let doubled: String = (1..40).map(|n| format!("  d{n}: d{0} ~ d{0}\n", n - 1)).collect();
    let yaml = format!("mapping: m\nlet:\n  d0: source.text\n{doubled}fields: {{ x: d39 }}");
    let error = mapped(&yaml, &texts(1_000)).unwrap_err();
    assert_eq!(error.row, "let d7");
    assert!(error.message.contains("100 KB"));
    assert!(stops(r#"[source.text, source.text] | join("")"#, &texts(90_000)).contains("100 KB"));
}

#[test]
fn lists_that_multiply() {
    let items = vec!["1"; 150].join(",");
    let yaml = "mapping: m\nlists:\n  pairs:\n    - each: source.list\n      as: outer\n      fields:\n        inner: { each: source.list, as: inner, value: outer }\nfields: { pairs: pairs }";
    // 22,500 values are fine as they are in lists of 150 …
    assert!(mapped(yaml, &format!(r#"{{"list": [{items}]}}"#)).is_ok());
    // … but ten thousand times ten thousand is more than a record may take.
    let items = vec!["1"; 9_000].join(",");
    let error = mapped(yaml, &format!(r#"{{"list": [{items}]}}"#)).unwrap_err();
    assert!(error.message.contains("steps"), "{error}");
    let error = mapped(
        "mapping: m\nfields: { a: { each: source.list, value: line } }",
        &format!(r#"{{"list": [{}]}}"#, vec!["1"; 10_001].join(",")),
    )
    .unwrap_err();
    assert!(error.message.contains("10,000"), "{error}");
    assert!(stops("source.text | split('a')", &texts(20_000)).contains("10,000"));
}

#[test]
fn copies_of_the_record_are_counted() {
    let record = format!(r#"{{"list": [{}], "text": "{}"}}"#, vec!["1"; 5_000].join(","), "a".repeat(90_000));
    let yaml = "mapping: m\nfields: { a: { each: source.list, fields: { copy: source } } }";
    assert!(mapped(yaml, &record).unwrap_err().message.contains("steps"));
}

#[test]
fn the_caller_sets_the_step_budget() {
    let scope = Scope::new(run_time()).with("source", json("{}")).with_steps(3);
    let small = Expression::parse("1 + 1").unwrap();
    assert!(small.evaluate(&scope).is_ok());
    assert!(Expression::parse("1 + 1 + 1").unwrap().evaluate(&scope).is_err());
}

#[test]
fn more_rows_than_allowed() {
    let rows: String = (0..=limits::ROWS).map(|n| format!("  f{n}: 1\n")).collect();
    let said = findings(&format!("mapping: m\nfields:\n{rows}"), &crate::support::checks());
    assert_eq!(said, ["rows/order.yaml: there are 501 rows, 500 are allowed"]);
}
