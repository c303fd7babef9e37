//! Attributes of products. Articles have five free fields; a connection says which of them are a choice between
//! variations (colour, size), which a piece of information (brand, season), and what tells a service.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::asperion::native;

const FREE_FIELDS: [&str; 5] =
    ["characteristic1", "characteristic2", "characteristic3", "characteristic4", "characteristic5"];
/// Fields that may tell a service.
const KIND_FIELDS: [&str; 2] = ["unit", "salesTypeId"];

/// The name of a free field.
pub(super) fn is_free_field(name: &str) -> bool {
    FREE_FIELDS.contains(&name)
}

/// One attribute: what the shop calls it, and the field it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    name: String,
    field: String,
    varies: bool,
}

/// The attributes of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::asperion) struct Attributes {
    all: Vec<Attribute>,
    /// Field → values that make an article a service.
    services: BTreeMap<String, Vec<String>>,
}

impl Attributes {
    /// The options `attributes` (variations differ by them), `features` (they inform) and `virtual` (nothing is sent).
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let mut attributes = Self::default();
        for (option, varies) in [("attributes", true), ("features", false)] {
            for (name, field) in group(connection, option, "{ Colour: characteristic2 }")? {
                if !is_free_field(&field) {
                    let (label, advice) = (format!("{option}.{name}"), near(&field, &FREE_FIELDS));
                    return Err(bad(connection, option, format!("{label}: «{field}» is not a free field"), advice));
                }
                attributes.all.push(Attribute { name, field, varies });
            }
        }
        for (field, values) in group(connection, "virtual", "{ unit: \"hour, service\" }")? {
            let known: Vec<&str> = KIND_FIELDS.iter().chain(&FREE_FIELDS).copied().collect();
            if !known.contains(&field.as_str()) {
                let message = format!("virtual: «{field}» is not a field that tells a service");
                return Err(bad(connection, "virtual", message, near(&field, &known)));
            }
            let values = values.split(',').map(|value| value.trim().to_lowercase()).filter(|value| !value.is_empty());
            attributes.services.insert(field, values.collect());
        }
        Ok(attributes)
    }

    /// The values of an article: `[{ name, values, varies }]`, empty ones left out.
    pub fn values(&self, article: &Value) -> Vec<Value> {
        let value = |attribute: &Attribute| {
            let value = native::field(article, &attribute.field)?;
            Some(json!({ "name": attribute.name, "values": [value], "varies": attribute.varies }))
        };
        self.all.iter().filter_map(value).collect()
    }

    /// The article is a service: nothing is sent.
    pub fn is_virtual(&self, article: &Value) -> bool {
        self.services.iter().any(|(field, values)| {
            native::field(article, field).is_some_and(|value| values.contains(&value.to_lowercase()))
        })
    }
}

/// A group of texts, in the order of its names.
fn group(connection: &Connection, option: &str, example: &str) -> Result<Vec<(String, String)>, Failure> {
    let Some(value) = connection.options.get(option).filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let fields = value.as_object().ok_or_else(|| {
        bad(connection, option, format!("{option} is not a list of names"), format!("write {option}: {example}"))
    })?;
    Ok(fields.iter().map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned())).collect())
}

fn near(field: &str, known: &[&str]) -> String {
    nearest(field, known.iter().copied())
        .map_or_else(|| format!("use one of {}", known.join(", ")), |near| format!("did you mean «{near}»?"))
}

fn bad(connection: &Connection, option: &str, message: String, advice: String) -> Failure {
    Failure::settings(Cause::new("bad_option", message).advice(advice).in_row(option).at_connection(&connection.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn attributes(options: Value) -> Result<Attributes, Failure> {
        Attributes::of(&connection("asperion", options, &[]))
    }

    #[test]
    fn free_fields_are_choices_or_features_as_the_connection_says() {
        let all = attributes(json!({"attributes":{"Kleur":"characteristic2"},"features":{"Merk":"characteristic4"}}));
        let article = json!({"characteristic2":"Rood","characteristic4":"Noordwol","characteristic5":"Winter"});
        assert_eq!(
            Value::Array(all.unwrap().values(&article)),
            json!([{"name":"Kleur","values":["Rood"],"varies":true},{"name":"Merk","values":["Noordwol"],"varies":false}])
        );
    }

    #[test]
    fn a_service_is_told_by_a_field() {
        let all = attributes(json!({"virtual":{"unit":"Uur, dienst"}})).unwrap();
        assert!(all.is_virtual(&json!({"unit":"uur"})) && all.is_virtual(&json!({"unit":"Dienst"})));
        assert!(!all.is_virtual(&json!({"unit":"stuk"})) && !all.is_virtual(&json!({})));
    }

    #[test]
    fn a_wrong_name_is_refused_with_its_neighbour() {
        for (options, advice) in [
            (json!({"attributes":{"Kleur":"characteristic22"}}), "did you mean «characteristic2»?"),
            (json!({"virtual":{"units":"uur"}}), "did you mean «unit»?"),
            (json!({"features":"x"}), "write features:"),
        ] {
            let failure = attributes(options.clone()).unwrap_err();
            assert!(failure.class() == "settings" && failure.to_string().contains(advice), "{options}: {failure}");
        }
    }
}
