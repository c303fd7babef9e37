//! Properties that hold for any cell and any record.

use koppel_mapping::{Expression, FieldCatalogue, RowFile, Scope, Value, compile, functions};
use proptest::prelude::*;

use crate::support::{checks, json, run_time};

/// Pieces of cells, put together at random: nearly right cells find more than random bytes do.
fn pieces() -> impl Strategy<Value = String> {
    let names: Vec<String> = functions::all().iter().map(|function| format!("| {}", function.name)).collect();
    let fixed = [
        "source",
        ".a",
        ".list",
        "[0]",
        "[\"b\"]",
        "1",
        "2.50",
        "0",
        "'x'",
        "\"é\"",
        "''",
        "none",
        "true",
        "false",
        "(",
        ")",
        "[",
        "]",
        ",",
        "+",
        "-",
        "*",
        "/",
        "~",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "not",
        "and",
        "or",
        "if",
        "else",
        "|",
        "(1)",
        "('a')",
        "('a', 'b')",
        "run.date",
        "\\",
        "\"",
        "\u{301}",
        "source.list",
        "source.a.b",
        "source.n",
        "source.t",
    ];
    let pieces: Vec<String> = fixed.iter().map(|piece| (*piece).to_owned()).chain(names).collect();
    prop::collection::vec(prop::sample::select(pieces), 1..12).prop_map(|pieces| pieces.join(" "))
}

/// Cells that can be read, made from the grammar.
fn cells() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("none".to_owned()),
        Just("true".to_owned()),
        Just("source.a".to_owned()),
        Just("source.list[1].k".to_owned()),
        Just("source.t".to_owned()),
        Just("source[\"odd name\"]".to_owned()),
        Just("'it\\'s \\\\ \\u00e9\\n'".to_owned()),
        (0u32..1000, 0u32..100).prop_map(|(whole, cents)| format!("{whole}.{cents:02}")),
        "[a-z é\"]{0,6}".prop_map(|text| format!("'{}'", text.replace('\'', ""))),
    ];
    leaf.prop_recursive(5, 40, 3, |inner| {
        let operators = ["+", "-", "*", "/", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators.to_vec()), inner.clone())
                .prop_map(|(a, o, b)| format!("({a}) {o} ({b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) if ({b}) else ({c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) if ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("({a}).name[2]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), prop::sample::select(functions::all().to_vec()), prop::collection::vec(inner, 0..3))
                .prop_map(|(a, function, arguments)| format!("({a}) | {}({})", function.name, arguments.join(", "))),
        ]
    })
}

fn scope() -> Scope<'static> {
    let source = r#"{"a": {"b": "text", "k": [1, null]}, "list": [{"a": 1.5, "k": "v"}, {"a": "2", "k": ""}, null, "é"], "n": -12.345,
        "t": "Straße 1 &amp; <b>2026-10-17</b>", "odd name": true}"#;
    Scope::new(run_time()).with("source", json(source)).with_steps(20_000)
}

fn survives(cell: &str) {
    let Ok(expression) = Expression::parse(cell) else { return };
    let _ = expression.evaluate(&scope());
    let _ = checks().expression(&expression);
    let printed = expression.to_string();
    assert_eq!(Expression::parse(&printed).as_ref(), Ok(&expression), "{cell} was printed as {printed}");
    assert_eq!(Expression::parse(&printed).map(|again| again.to_string()), Ok(printed));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(cell in "\\PC{0,60}") {
        survives(&cell);
    }

    #[test]
    fn any_pieces_are_read_or_refused(cell in pieces()) {
        survives(&cell);
    }

    #[test]
    fn what_is_read_prints_back_and_ends(cell in cells()) {
        survives(&cell);
    }

    #[test]
    fn functions_take_any_text(text in "\\PC{0,40}", index in 0..functions::all().len()) {
        let function = functions::all()[index];
        for arguments in ["", "(source)", "(source, source)", "(2)", "(source, '==', source)"] {
            if let Ok(expression) = Expression::parse(&format!("source | {}{arguments}", function.name)) {
                let _ = expression.evaluate(&Scope::new(run_time()).with("source", text.as_str()));
            }
        }
    }

    #[test]
    fn addresses_lose_no_letter_or_digit(text in "[A-Za-zé0-9 ./-]{0,30}") {
        let scope = Scope::new(run_time()).with("source", text.as_str());
        let value = Expression::parse("source | split_street").unwrap().evaluate(&scope).unwrap();
        let kept = |text: &str| {
            let mut kept: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
            kept.sort_unstable();
            kept
        };
        let parts: String = ["street", "number", "addition"].iter().filter_map(|part| value.get(part).as_text()).collect();
        prop_assume!(!text.contains("nr") && !text.contains("no"));
        prop_assert_eq!(kept(&text), kept(&parts));
    }

    #[test]
    fn json_goes_through_unchanged(whole in any::<i64>(), scale in 0u32..12, text in "\\PC{0,20}") {
        let number = rust_decimal::Decimal::new(whole, scale);
        let record = serde_json::json!({ "number": json(&number.to_string()), "list": [text, null, true], "group": {} });
        prop_assert_eq!(Value::from_json(&record).to_json().to_string(), record.to_string());
    }

    #[test]
    fn any_file_is_read_or_refused(text in "[a-z:{}\\[\\]\"' \\n|~.-]{0,80}") {
        let yaml = format!("mapping: m\nfields:\n  a: {text}");
        for file in [text.as_str(), yaml.as_str()] {
            if let Ok(rows) = RowFile::parse("x", file) {
                let _ = compile(&rows, &checks()).map(|mapping| mapping.evaluate(&scope()));
            }
            let _ = FieldCatalogue::parse("x", file);
        }
    }
}
