//! The catalogue and the types of the configuration are the same settings: whoever adds one to either hears of the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::*;
use crate::config::FlowSettings;

/// A setting as the types know it.
#[derive(Debug, PartialEq)]
struct Typed {
    kind: Kind,
    choices: BTreeSet<String>,
    required: bool,
}

/// Walks the schema of the types: groups are objects with keys of their own, everything else is a setting.
fn typed() -> BTreeMap<String, Typed> {
    let schema = serde_json::to_value(schemars::schema_for!(FlowSettings)).unwrap();
    let mut found = BTreeMap::new();
    walk(&schema, &schema, "", &mut found);
    found
}

fn walk(root: &Value, object: &Value, prefix: &str, found: &mut BTreeMap<String, Typed>) {
    let required: BTreeSet<&str> =
        object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, schema) in object["properties"].as_object().unwrap() {
        let (name, schema) = resolve(root, schema);
        let path = format!("{prefix}{key}");
        if name != "Setting" && schema["properties"].is_object() {
            walk(root, schema, &format!("{path}."), found);
            continue;
        }
        found.insert(path, leaf(root, name, schema, required.contains(key.as_str())));
    }
}

/// Follows references, and leaves out that a value may be absent.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> (&'a str, &'a Value) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return (name, resolve(root, &root["$defs"][name]).1);
    }
    for options in [&schema["anyOf"], &schema["oneOf"]] {
        let one: Vec<&Value> = options.as_array().into_iter().flatten().filter(|o| o["type"] != "null").collect();
        if let [only] = one.as_slice() {
            return resolve(root, only);
        }
    }
    ("", schema)
}

fn leaf(root: &Value, name: &str, schema: &Value, required: bool) -> Typed {
    let constants = schema["oneOf"].as_array().into_iter().flatten().map(|one| &one["const"]);
    let names = constants.chain(schema["enum"].as_array().into_iter().flatten());
    let choices: BTreeSet<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    let is = |wanted: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == wanted),
        one => one == wanted,
    };
    let kind = match name {
        "Setting" => Kind::Coded,
        "Code" => Kind::Code,
        _ if !choices.is_empty() => Kind::Choice,
        _ if is("boolean") => Kind::YesNo,
        _ if is("array") && resolve(root, &schema["items"]).0 == "Code" => Kind::Codes,
        _ if is("array") => Kind::List,
        _ if is("object") => Kind::Map,
        _ if is("string") => Kind::Text,
        _ => panic!("a setting of a kind that the catalogue does not know: {schema}"),
    };
    Typed { kind, choices, required }
}

#[test]
fn the_catalogue_has_exactly_the_settings_of_the_types() {
    let typed = typed();
    let catalogue = settings().unwrap();
    let names: BTreeSet<&str> = catalogue.iter().map(|facts| facts.name.as_str()).collect();
    assert_eq!(names.len(), catalogue.len(), "a setting stands there twice");
    let in_types: BTreeSet<&str> = typed.keys().map(String::as_str).collect();
    assert_eq!(names, in_types);
    for facts in &catalogue {
        let of_types = &typed[&facts.name];
        // Decimals are texts in the schema, because a float would not be exact.
        let kind = if facts.kind == Kind::Decimal { Kind::Text } else { facts.kind };
        assert_eq!(kind, of_types.kind, "{}", facts.name);
        assert_eq!(facts.choices.iter().cloned().collect::<BTreeSet<_>>(), of_types.choices, "{}", facts.name);
        assert_eq!(facts.required, of_types.required, "{}", facts.name);
        let coded = matches!(facts.kind, Kind::Coded | Kind::Code | Kind::Codes);
        assert_eq!(coded, facts.list.is_some(), "{}: codes come from a list", facts.name);
    }
}

#[test]
fn no_setting_lacks_a_language_or_a_place_where_it_applies() {
    for facts in settings().unwrap() {
        for (code, language) in Language::ALL {
            for text in [&facts.label, &facts.help] {
                assert!(!text.of(language).trim().is_empty(), "{} has no text in {code}", facts.name);
            }
        }
        assert!(!facts.entities.is_empty(), "{} applies nowhere", facts.name);
    }
}

/// `{ stock: { calculation: … } }`, with what else its group needs.
fn alone(facts: &SettingFacts, value: Value) -> Value {
    let Some((group, name)) = facts.group() else { return json!({ facts.name.as_str(): value }) };
    let mut parts = Map::new();
    for other in settings().unwrap().iter().filter(|other| other.required) {
        if let Some((of, part)) = other.group()
            && of == group
        {
            parts.insert(part.to_owned(), serde_saphyr::from_str(&other.example).unwrap());
        }
    }
    parts.insert(name.to_owned(), value);
    json!({ group: parts })
}

#[test]
fn every_example_can_be_set_and_every_default_is_what_holds_without_it() {
    for facts in settings().unwrap() {
        let example: Value = serde_saphyr::from_str(&facts.example).unwrap();
        let read = |value: Value| serde_json::from_value::<FlowSettings>(value);
        let set = read(alone(&facts, example.clone())).unwrap_or_else(|error| panic!("{}: {error}", facts.name));
        assert_ne!(set, FlowSettings::default(), "the example of {} changes nothing", facts.name);
        if let Some(default) = &facts.default {
            let written = read(alone(&facts, default.clone())).unwrap();
            let mut left_out = alone(&facts, default.clone());
            match facts.group() {
                Some((group, name)) => left_out[group].as_object_mut().unwrap().remove(name),
                None => left_out.as_object_mut().unwrap().remove(&facts.name),
            };
            assert_eq!(written, read(left_out).unwrap(), "the default of {}", facts.name);
        }
    }
}

/// What stands above the reference.
const HEAD: &str = "\
# Settings of a flow

Settings stand under `settings` of a flow in `koppel.yaml`. This page is made of the catalogue in
`shared/flows/src/catalogue/`; `KOPPEL_BLESS=1 cargo nextest run -p koppel-flows` renews it. The same in Dutch, German,
French or Italian, with what your own flow has set: `koppel settings <flow> --lang nl`.

A **coded** setting is a code in quotes, or `{ force, table, by_country, default }`. What decides, the first that is
there: `force`, the entry of `table` for the value of the source, a mapping row, `by_country`, `default`. Codes are text:
`\"00\"` is not `0`.

## Lists

`koppel settings <flow> --list vat_code` shows the codes that the system really has. A list is kept for seven days and
shown with its age; `--refresh` asks again. Another division or address makes it ask by itself. The list of debtors names
persons, so it is never kept. `--list source.payment_method` (`source.shipping_method`, `source.tax_class`,
`source.category`) shows the words of the shop that are keys of tables.

## What `koppel apply` checks

Every code that a flow names is looked up before the configuration is put in force, with one question for each list. An
unknown code is refused with the row that names it and the nearest right spelling; so is a blocked one. Long lists (items,
debtors) are not read for a spelling: it comes from the list as `--list` has kept it. When a system cannot be asked,
because nobody has given consent yet or nobody answers, the configuration is put in force all the same, `koppel apply`
says that its codes were not checked, and the first run checks them. `--no-codes` asks nothing.
";

fn reference() -> String {
    let mut text = HEAD.to_owned();
    for (title, entity) in [
        ("Orders", Entity::Orders),
        ("Refunds", Entity::Refunds),
        ("Customers", Entity::Customers),
        ("Products", Entity::Products),
        ("Stock", Entity::Stock),
    ] {
        text.push_str(&format!(
            "\n## {title}\n\n| Setting | What it is | Values | Example |\n| --- | --- | --- | --- |\n"
        ));
        // What holds for orders holds for their refunds, and is said once.
        let is_new = |facts: &&SettingFacts| entity != Entity::Refunds || !facts.entities.contains(&Entity::Orders);
        for facts in settings().unwrap().iter().filter(|facts| facts.entities.contains(&entity)).filter(is_new) {
            let english = |texts: &Texts| texts.of(Language::En).to_owned();
            let mut values = match (facts.kind, facts.list) {
                (Kind::Coded, Some(list)) => format!("coded, list `{}`", list.name()),
                (Kind::Codes, Some(list)) => format!("codes, list `{}`", list.name()),
                (_, Some(list)) => format!("code, list `{}`", list.name()),
                (Kind::Choice, _) => facts.choices.join(", "),
                (Kind::YesNo, _) => "true, false".to_owned(),
                (Kind::Decimal, _) => "number in quotes".to_owned(),
                (Kind::List, _) => "texts".to_owned(),
                (Kind::Map, _) => "by key".to_owned(),
                (_, None) => "text".to_owned(),
            };
            if let Some(default) = &facts.default {
                values.push_str(&format!("; default {}", default.to_string().trim_matches('"')));
            }
            if facts.required {
                values.push_str("; needed with its group");
            }
            let into = facts.into.map(|kind| if kind == SystemKind::Erp { " Into books." } else { " Into a shop." });
            let documents: Vec<&str> = facts.documents.iter().map(|document| document.name()).collect();
            let only =
                if documents.is_empty() { String::new() } else { format!(" Only for {}.", documents.join(", ")) };
            text.push_str(&format!(
                "| `{}` | {}. {}{}{only} | {values} | `{}` |\n",
                facts.name,
                english(&facts.label),
                english(&facts.help),
                into.unwrap_or_default(),
                facts.example
            ));
        }
    }
    text
}

#[test]
fn the_reference_page_is_that_of_the_catalogue() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
    if std::env::var_os("KOPPEL_BLESS").is_some() {
        std::fs::write(file, reference()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert_eq!(written, reference(), "renew docs/settings.md with KOPPEL_BLESS=1");
}
