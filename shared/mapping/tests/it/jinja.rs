//! Cells are Jinja expressions: where neither decimals nor our stricter rules differ, minijinja gives the same answer.
//!
//! An independent reading of the same text keeps precedence and meaning honest.

use minijinja::{Environment, Value as Jinja, context};

use crate::support::{gives, json};

const CORPUS: &str = include_str!("../data/jinja.txt");

/// The functions of ours that Jinja has under another name or in another form. All others in the corpus are its own.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.add_filter("starts_with", |text: String, part: String| text.starts_with(&part));
    environment.add_filter("left", |text: String, count: usize| text.chars().take(count).collect::<String>());
    environment.add_filter("pick", |list: Vec<Jinja>, key: String| -> Result<Vec<Jinja>, minijinja::Error> {
        list.iter().map(|item| item.get_attr(&key)).collect()
    });
    environment
}

fn by_jinja(environment: &Environment<'_>, cell: &str, source: &str) -> String {
    let source = to_plain(&json(source));
    let value = environment.compile_expression(cell).and_then(|cell| cell.eval(context! { source }));
    match value {
        Ok(value) if value.is_undefined() => "null".to_owned(),
        Ok(value) => serde_json::to_string(&value).unwrap(),
        Err(error) => panic!("{cell}: {error}"),
    }
}

/// With arbitrary precision a JSON number serializes as a group of its own; Jinja has to get a plain integer.
fn to_plain(json: &serde_json::Value) -> Jinja {
    use serde_json::Value as Json;
    match json {
        Json::Null => Jinja::from(()),
        Json::Bool(yes) => Jinja::from(*yes),
        Json::Number(number) => Jinja::from(number.as_i64().unwrap()),
        Json::String(text) => Jinja::from(text.as_str()),
        Json::Array(items) => Jinja::from(items.iter().map(to_plain).collect::<Vec<_>>()),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), to_plain(value)));
            Jinja::from(fields.collect::<std::collections::BTreeMap<_, _>>())
        }
    }
}

#[test]
fn both_engines_agree_on_the_corpus() {
    let source = r#"{"name": "Zoë", "empty": "", "nothing": null, "n": 7, "two": 2, "yes": true, "no": false, "list": [3, 1, 2],
        "lines": [{"sku": "A", "q": 2}, {"sku": "B", "q": 5}], "group": {"city": "Gent", "in": "keyword", "odd name": 4}, "status": "paid"}"#;
    let environment = environment();
    let mut cells = 0;
    for cell in CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (ours, theirs) = (gives(cell, source), by_jinja(&environment, cell, source));
        assert_eq!(ours, theirs, "{cell}");
        cells += 1;
    }
    assert!(cells > 90, "only {cells} cells in the corpus");
}
