//! Mistakes that expression languages make without a word on shop data. Here each one stops or gives the right value.

use crate::support::{checks, findings, gives, stops};

/// Texts come from the record, so that nothing is caught before it is seen.
const SHOP: &str = r#"{"amount": "4.00", "five": "5", "nothing": null, "a": "a", "money": 24.61, "id": 9007199254740993,
    "one": [{"x": 1}], "zero": 0, "total": "10"}"#;

#[test]
fn an_amount_in_a_text_is_never_compared_or_calculated_with() {
    assert!(stops("source.amount > 5", SHOP).contains("write … | number on the text"));
    assert!(stops("source.five * 3", SHOP).contains("write … | number"));
    assert!(stops("source.five + 3", SHOP).contains("write … | number"));
    assert!(stops("source.amount > source.total", SHOP).contains("texts that hold numbers"));
    assert!(stops("source.five == 5", SHOP).contains("cannot be compared"));
    assert!(stops("5 in [source.five]", SHOP).contains("cannot be compared"));
    assert_eq!(gives("source.amount | number < 5", SHOP), "true");
}

#[test]
fn empty_never_becomes_the_word_for_it() {
    assert_eq!(gives("source.nothing | trim", SHOP), "null");
    assert_eq!(gives("source.a ~ source.nothing", SHOP), "\"a\"");
    assert_eq!(gives("source.nothing ~ source.missing", SHOP), "\"\"");
    assert!(stops("source.nothing + 1", SHOP).contains("default(0)"));
    assert!(stops("source.nothing < 1", SHOP).contains("cannot be compared"));
    assert_eq!(gives("source.nothing == none", SHOP), "true");
    assert_eq!(gives("source.nothing == source.missing", SHOP), "true");
    assert_eq!(gives("source.nothing == ''", SHOP), "false");
    assert_eq!(gives("source.money == ''", SHOP), "false");
    assert_eq!(gives("source.money != none", SHOP), "true");
}

#[test]
fn cents_are_exact() {
    assert_eq!(gives("(source.money / 2) | round(2)", SHOP), "12.31");
    assert_eq!(gives("1.005 | round(2)", SHOP), "1.01");
    assert_eq!(gives("0.1 + 0.2", SHOP), "0.3");
    assert_eq!(gives("source.id", SHOP), "9007199254740993");
    assert_eq!(gives("source.id ~ ''", SHOP), "\"9007199254740993\"");
    assert_eq!(gives("0 * -1", SHOP), "0");
}

#[test]
fn a_list_of_one_stays_a_list() {
    assert_eq!(gives("source.one | pick('x')", SHOP), "[1]");
    assert_eq!(gives("source.one | where('x', '==', 1)", SHOP), r#"[{"x":1}]"#);
}

#[test]
fn division_by_zero_and_overflow_stop() {
    assert!(stops("1 / source.zero", SHOP).contains("column 1-15: division by zero"));
    assert!(stops("source.zero / source.zero", SHOP).contains("division by zero"));
    assert!(stops("79228162514264337593543950335 + 1", SHOP).contains("too large"));
    assert!(stops("79228162514264337593543950335 * 10", SHOP).contains("too large"));
    assert!(stops("1 / 0.000000000000000001 / 0.000000000000000001", SHOP).contains("too large"));
}

#[test]
fn conditions_are_yes_or_no() {
    for condition in ["source.a", "source.zero", "source.one", "''", "source.nothing"] {
        assert!(stops(&format!("1 if {condition} else 2"), SHOP).contains("must be yes or no"), "{condition}");
        assert!(stops(&format!("not {condition}"), SHOP).contains("must be yes or no"), "{condition}");
        assert!(stops(&format!("true and {condition}"), SHOP).contains("must be yes or no"), "{condition}");
    }
    assert!(stops("1 if source.nothing", SHOP).contains("!= none"));
    // What is not reached is not judged.
    assert_eq!(gives("true or source.a", SHOP), "true");
    assert_eq!(gives("1 if false", SHOP), "null");
}

#[test]
fn what_can_be_seen_without_a_record_is_found_when_saved() {
    for (cell, said) in [
        (r#""4.00" > 5"#, "cannot be compared"),
        (r#""5" * 3"#, "a number is needed"),
        (r#""5" + 3"#, "a number is needed"),
        ("1 / 0", "division by zero"),
        ("source.x | trimm", "did you mean «trim»?"),
        ("1 if source.x | trim else 2", "must be yes or no"),
        ("(source.x | upper) | round(2)", "put | number before it"),
    ] {
        let found = findings(&format!("mapping: m\nfields:\n  f: '{cell}'"), &checks());
        assert!(found.len() == 1 && found[0].contains(said), "{cell}: {found:?}");
    }
}

#[test]
fn php_shops_write_an_empty_group_as_list_or_text() {
    let shop = r#"{"list": [], "text": "", "no": false, "full": [1], "word": "x", "group": {"a": 1}}"#;
    for empty in ["list", "text", "no"] {
        assert_eq!(gives(&format!("source.{empty}.city"), shop), "null");
    }
    assert!(stops("source.full.city", shop).contains("take one element"));
    assert!(stops("source.word.city", shop).contains("has no field «city»"));
    assert!(stops("source.group[0]", shop).contains("no numbered elements"));
    assert_eq!(gives("source.full[7]", shop), "null");
    assert_eq!(gives("source[\"group\"][\"a\"]", shop), "1");
}
