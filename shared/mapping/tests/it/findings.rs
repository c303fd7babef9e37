//! What is found when a mapping is saved.

use koppel_mapping::{Checks, Expression, FieldCatalogue, FieldType, FindingCode, RowFile, compile};

use crate::support::{checks, compiled, findings};

fn source() -> FieldCatalogue {
    FieldCatalogue::from_paths([
        "number",
        "billing.city",
        "billing.country",
        "shipping.city",
        "line_items[].sku",
        "line_items[].total",
        "meta.*",
    ])
}

fn strict() -> Checks {
    Checks::new().catalogued("source", source()).tables(["payment_terms"])
}

#[test]
fn each_mistake_names_row_column_and_the_nearest_word() {
    let yaml = r#"
mapping: m
let: { bill: source.billing }
lists:
  lines:
    - each: source.line_items
      fields: { sku: line.skuu, net: line.total | numbr }
fields:
  a: bill.citty
  b: sourc.number
  c: source.number | table("payment_term")
  d: source.number | left
  e: source.number |
  f: source.meta.anything
  g: { h: source.line_items | sum("totl") }
  i: (source.line_items | first).skku
  j: source.line_items.sku
  k: source.number | left("3")
  lines: lines
"#;
    let found = findings(yaml, &strict());
    let expected = [
        "lines: block 1: sku: column 1-9: there is no field «skuu» here: did you mean «sku»?",
        "lines: block 1: net: column 14-18: unknown function «numbr»: did you mean «number»?",
        "a: column 1-10: there is no field «citty» here: did you mean «city»?",
        "b: column 1-5: unknown variable «sourc»: did you mean «source»?",
        "c: column 23-36: there is no table «payment_term»: did you mean «payment_terms»?",
        "d: column 17-20: left takes 1 argument, 0 given: text | left(count)",
        "e: column 16: the name of a function is missing",
        "g.h: column 25-30: there is no field «totl» here: did you mean «total»?",
        "i: column 1-32: there is no field «skku» here: did you mean «sku»?",
        "j: column 1-21: this is a list, it has no field «sku»: take one element, for instance [0]",
        "k: column 22-24: count of left must be a number, this is a text",
    ];
    assert_eq!(found, expected.map(|said| format!("rows/order.yaml: {said}")));
}

#[test]
fn the_target_has_its_say() {
    let target = FieldCatalogue::new()
        .field("reference", FieldType::Text { max: Some(5) }, true)
        .field("paid", FieldType::YesNo, false)
        .field("total", FieldType::Money, true)
        .field("day", FieldType::Date, false)
        .field("billTo.city", FieldType::Text { max: None }, true)
        .field("lines", FieldType::List, false)
        .field("lines[].sku", FieldType::Code { max: None }, true);
    let checks = checks().target(target);
    let yaml = r#"
mapping: m
lists:
  rules:
    - { each: source.a, fields: { skuu: line.sku } }
fields:
  reference: { const: too long }
  totals: source.total
  paid: '["x"]'
  day: 12
  billTo: { street: source.street }
  lines: rules
"#;
    let found = findings(yaml, &checks);
    let expected = [
        "rules: block 1: skuu: the target has no field «skuu»: did you mean «sku»?",
        "rules: block 1: sku: this field is required and has no row (there is a row «skuu»)",
        "reference: «too long» has 8 characters, the field takes 5: | left(5) cuts it",
        "totals: the target has no field «totals»: did you mean «total»?",
        "paid: a list never becomes yes or no",
        "day: the number 12 is not a date",
        "billTo.street: the target has no field «street»",
        "billTo.city: this field is required and has no row",
        "total: this field is required and has no row (there is a row «totals»)",
    ];
    assert_eq!(found, expected.map(|said| format!("rows/order.yaml: {said}")));
}

#[test]
fn own_rows_are_blamed_on_their_own_file() {
    let mut rows = RowFile::parse("rows/order.yaml", "mapping: m\nfields: { a: source.number }").unwrap();
    rows.override_rows(&[("a".to_owned(), "source.numbr".into())], "koppel.yaml").unwrap();
    let found = compile(&rows, &strict()).unwrap_err();
    assert_eq!(found[0].code, FindingCode::UnknownPath);
    assert_eq!(
        found[0].to_string(),
        "koppel.yaml: a: column 1-12: there is no field «numbr» here: did you mean «number»?"
    );
}

#[test]
fn names_mean_one_thing() {
    for yaml in [
        "let: { source: 1 }",
        "let: { if: 1 }",
        "let: { a-b: 1 }",
        "let: { run: 1 }",
        "let: { a: 1 }\nlists: { a: [] }",
    ] {
        assert_eq!(findings(&format!("mapping: m\n{yaml}\nfields: {{}}"), &checks()).len(), 1, "{yaml}");
    }
}

#[test]
fn a_condition_outside_a_row_file_is_checked_too() {
    let check =
        |cell: &str| strict().expression(&Expression::parse(cell).unwrap()).map_err(|errors| errors[0].to_string());
    assert_eq!(check("source.number in ['1', '2'] and source.meta.x == none"), Ok(()));
    assert_eq!(
        check("source.nubmer == '1'"),
        Err("column 1-13: there is no field «nubmer» here: did you mean «number»?".to_owned())
    );
    assert_eq!(check("null == 1"), Err("column 1-4: unknown variable «null»: did you mean «none»?".to_owned()));
}

#[test]
fn a_mapping_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&compiled("mapping: m\nfields: { a: 1 }", &checks()).unwrap());
}
