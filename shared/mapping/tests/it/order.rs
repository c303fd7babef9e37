//! A whole web-shop order to a whole ERP order: the shape that most mappings have.

use koppel_mapping::{Checks, FieldCatalogue, Mapping, RowError, RowFile, Scope, Tables, Value, compile};
use serde_json::Value as Json;

use crate::support::{json, run_time};

const ROWS: &str = include_str!("../data/order.yaml");
const ORDER: &str = include_str!("../data/order.json");

fn tables() -> Tables {
    let table =
        |entries: &[(&str, Value)]| entries.iter().map(|(code, value)| ((*code).to_owned(), value.clone())).collect();
    [
        ("vat_code".to_owned(), table(&[("BE", "21".into())])),
        ("revenue_account".to_owned(), table(&[("BE", "8100".into())])),
        ("payment_terms".to_owned(), table(&[("bacs", "14".into())])),
        ("term_days".to_owned(), table(&[("14", Value::Number(14.into()))])),
        ("status".to_owned(), table(&[("completed", "Closed".into())])),
        ("debtor".to_owned(), table(&[("gold", "20001".into())])),
        ("shipping_method".to_owned(), table(&[("flat_rate", "POST".into())])),
    ]
    .into()
}

fn checks() -> Checks {
    let target = FieldCatalogue::parse("fields.yaml", include_str!("../data/order.fields.yaml")).unwrap();
    // Seen in the sample or not, an order may hold these.
    let source = FieldCatalogue::from_sample(&Value::from(json(ORDER)));
    Checks::new().catalogued("source", source).tables(tables().into_keys()).target(target)
}

fn mapping(own_rows: &[(&str, Json)]) -> Mapping {
    let mut rows = RowFile::parse("rows/order.yaml", ROWS).unwrap();
    let own: Vec<_> = own_rows.iter().map(|(path, cell)| ((*path).to_owned(), cell.clone())).collect();
    rows.override_rows(&own, "koppel.yaml").unwrap();
    match compile(&rows, &checks()) {
        Ok(mapping) => mapping,
        Err(findings) => panic!("{findings:#?}"),
    }
}

fn evaluate(mapping: &Mapping, order: &Json) -> Result<Value, RowError> {
    let tables = tables();
    mapping.evaluate(&Scope::new(run_time()).with("source", order.clone()).with_tables(&tables))
}

#[test]
fn the_order_is_mapped_to_the_cent() {
    let mapped = evaluate(&mapping(&[]), &json(ORDER)).unwrap();
    let expected = json(include_str!("../data/order.expected.json"));
    // As text: 90.00 and 90 are equal numbers, but it is the text that is sent.
    assert_eq!(
        serde_json::to_string_pretty(&mapped.to_json()).unwrap(),
        serde_json::to_string_pretty(&expected).unwrap()
    );
}

/// A damaged order is mapped with what is there, or stops with the place; it is never mapped wrongly.
#[test]
fn damaged_orders_are_mapped_or_refused() {
    let mapping = mapping(&[]);
    let damaged = |pointer: &str, value: Json| {
        let mut order = json(ORDER);
        *order.pointer_mut(pointer).unwrap() = value;
        evaluate(&mapping, &order)
    };
    let company = damaged("/billing/company", Json::Null).unwrap();
    assert_eq!((company.get("customerName"), company.get("isBusiness")), (&"Zoë Peeters".into(), &false.into()));
    assert_eq!(damaged("/line_items", Json::Null).unwrap().get("lines").as_list().map(<[_]>::len), Some(2));
    let one = damaged(
        "/line_items",
        json(r#"[{"name": "Tea", "sku": "T", "quantity": 1.5, "subtotal": "3", "total": "3", "total_tax": "0"}]"#),
    );
    let one = one.unwrap();
    assert_eq!(one.get("lines").as_list().map(<[_]>::len), Some(3));
    assert_eq!(one.get("lines[0].unitPrice").to_json().to_string(), "2.00");
    assert_eq!(damaged("/billing/country", json(r#""XX""#)).unwrap().get("billTo.countryName"), &Value::Empty);
    assert_eq!(damaged("/meta_data", json("[]")).unwrap().get("vatNumber"), &Value::Empty);

    assert_eq!(
        damaged("/line_items/0/total", json(r#""141,55""#)).unwrap_err().to_string(),
        "rows/order.yaml: lines: line 1: let net: column 1-16: «141,55» is not a number: numbers have a decimal point and no \
         thousands separator"
    );
    assert_eq!(
        damaged("/line_items/2/name", json(&format!("\"{}\"", "x".repeat(61)))).unwrap_err().to_string(),
        format!(
            "rows/order.yaml: lines: line 3: description: column 1-56: «{}…» has 61 characters, the field takes 60: \
             | left(60) cuts it",
            "x".repeat(60)
        )
    );
    let number = damaged("/total", Json::Null).unwrap_err();
    assert_eq!(number.to_string(), "rows/order.yaml: total: column 1-21: this field is required and it is empty");
}

#[test]
fn own_rows_replace_single_rows_and_are_named_as_their_origin() {
    let mapping = mapping(&[
        ("externalReference", json(r#""\"WEB-\" ~ source.number""#)),
        ("shipTo.city", json(r#""ship.city | upper""#)),
        ("lines[block 1].description", json(r#""l.name | left(3)""#)),
        ("lines.vatCode", json(r#""vat ~ \"%\"""#)),
        ("custom.gift", json(r#"{"const": true}"#)),
    ]);
    let (tables, order) = (tables(), Value::from(json(ORDER)));
    let scope = Scope::new(run_time()).with_ref("source", &order).with_tables(&tables);
    let traced = mapping.evaluate_traced(&scope).unwrap();
    assert_eq!(traced.value, mapping.evaluate(&scope).unwrap());
    assert_eq!(traced.value.get("externalReference"), &"WEB-1042".into());
    assert_eq!(traced.value.get("shipTo.city"), &"ANTWERPEN".into());
    assert_eq!(traced.value.get("lines[1].description"), &"Gif".into());

    assert_eq!(traced.value.get("lines[0].vatCode"), &"21%".into());
    assert_eq!(traced.value.get("lines[3].vatCode"), &"21%".into());

    let who = |path: &str| {
        let row = traced.rows.iter().find(|row| row.path == path).unwrap();
        (row.origin.clone(), row.cell.clone())
    };
    assert_eq!(who("externalReference"), ("koppel.yaml".to_owned(), r#""WEB-" ~ source.number"#.to_owned()));
    assert_eq!(who("shipTo.postcode"), ("rows/order.yaml".to_owned(), "ship.postcode".to_owned()));
    assert_eq!(who("lines[1].description"), ("koppel.yaml".to_owned(), "l.name | left(3)".to_owned()));
    assert_eq!(who("lines[1].net"), ("rows/order.yaml".to_owned(), "net".to_owned()));
    assert_eq!(who("custom.gift"), ("koppel.yaml".to_owned(), "true".to_owned()));
    for row in &traced.rows {
        assert_eq!(traced.value.get(&row.path), &row.value, "{}", row.path);
    }
}
