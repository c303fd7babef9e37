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
