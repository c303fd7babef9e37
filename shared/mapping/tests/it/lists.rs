//! Blocks of rows.

use crate::support::{checks, findings, mapped};

fn gives(yaml: &str, source: &str) -> String {
    mapped(yaml, source).map(|value| value.to_json().to_string()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn blocks_and_fixed_elements_make_one_list() {
    let yaml = r#"
mapping: m
let: { factor: 2 }
lists:
  lines:
    - each: source.items
      as: item
      when: item.n != 0
      let: { double: item.n * factor }
      fields: { n: double, inside: { name: item.name } }
    - { n: 0, inside: { name: '"last"' } }
fields:
  total: lines | sum("n")
  lines: lines
  names: { each: source.items, value: line.name | upper }
  tags: [source.tag, { const: fixed }]
"#;
    let source = r#"{"items": [{"n": 1, "name": "a"}, {"n": 0, "name": "b"}, {"n": 3, "name": "c"}], "tag": "t"}"#;
    assert_eq!(
        gives(yaml, source),
        r#"{"total":8,"lines":[{"n":2,"inside":{"name":"a"}},{"n":6,"inside":{"name":"c"}},{"n":0,"inside":{"name":"last"}}],"names":["A","B","C"],"tags":["t","fixed"]}"#
    );
    assert_eq!(
        gives(yaml, r#"{"items": null}"#),
        r#"{"total":0,"lines":[{"n":0,"inside":{"name":"last"}}],"names":[],"tags":[null,"fixed"]}"#
    );
}

#[test]
fn a_list_in_a_line_has_its_own_name_and_place_in_errors() {
    let yaml = r#"
mapping: m
fields:
  products:
    each: source.products
    as: product
    fields:
      sku: product.sku
      options:
        each: product.options
        as: option
        fields: { price: (option.price | number) * product.factor }
"#;
    let source = r#"{"products": [{"sku": "a", "options": [], "factor": 1}, {"sku": "b", "factor": 2, "options": [{"price": "1"}, {"price": "x"}]}]}"#;
    let error = mapped(yaml, source).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rows/order.yaml: products: line 2: options: line 2: price: column 1-23: «x» is not a number"
    );
    assert_eq!(
        gives(yaml, &source.replace("\"x\"", "\"2\"")),
        r#"{"products":[{"sku":"a","options":[]},{"sku":"b","options":[{"price":2},{"price":4}]}]}"#
    );
    let same_name = yaml.replace("as: option", "as: product");
    assert!(findings(&same_name, &checks())[0].contains("the name «product» is already in use"));
}

#[test]
fn each_takes_a_list_and_nothing_else() {
    let yaml = "mapping: m\nfields: { a: { each: source.items, value: line } }";
    let error = mapped(yaml, r#"{"items": {"1": "x"}}"#).unwrap_err();
    assert_eq!(error.to_string(), "rows/order.yaml: a: each: column 1-12: each needs a list, this is a group");
    assert!(
        findings("mapping: m\nfields: { a: { each: '\"x\"', value: line } }", &checks())[0]
            .contains("each needs a list")
    );
    let error = mapped(
        "mapping: m\nfields: { a: { each: source.items, when: line.x, value: line } }",
        r#"{"items": [{"x": 1}]}"#,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "rows/order.yaml: a: line 1: when: column 1-6: a condition must be yes or no, this is the number 1"
    );
}
