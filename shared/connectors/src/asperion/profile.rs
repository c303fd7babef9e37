//! Names that nobody outside has seen yet: paths, filters and properties of the parts of the API that are only documented
//! by name. They are data (`profile.json`), and a connection may lay its own over them, so that a correction needs no
//! new version.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value};

static DEFAULTS: LazyLock<BTreeMap<String, String>> =
    LazyLock::new(|| serde_json::from_str(include_str!("profile.json")).unwrap_or_default());

/// The properties of an article that are called by name in rows and code.
const OF_ARTICLES: &str = "articles.";

/// The names in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile(BTreeMap<String, String>);

impl Profile {
    /// The option `profile`: `{ articles.price: salesPrice }` over what is assumed.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let mut names = DEFAULTS.clone();
        let own = connection.options.get("profile").and_then(Value::as_object);
        for (name, value) in own.into_iter().flatten() {
            if !names.contains_key(name) {
                let near = nearest(name, DEFAULTS.keys().map(String::as_str));
                return Err(Failure::settings(
                    Cause::new("bad_option", format!("profile: «{name}» is not a name that can be set"))
                        .advice(near.map_or_else(
                            || "the README of the connector lists the names".to_owned(),
                            |near| format!("did you mean «{near}»?"),
                        ))
                        .in_row("profile")
                        .at_connection(&connection.name),
                ));
            }
            names.insert(name.clone(), value.as_str().unwrap_or_default().to_owned());
        }
        Ok(Self(names))
    }

    /// The name in use; empty where there is none.
    pub fn name(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// What an article property is called there.
    pub fn of_article(&self, property: &str) -> String {
        let known = self.name(&format!("{OF_ARTICLES}{property}"));
        if known.is_empty() { property.to_owned() } else { known.to_owned() }
    }

    /// An article with its properties under the names that rows know, whatever they are called there.
    pub fn article(&self, row: &Value) -> Map<String, Value> {
        let mut fields = row.as_object().cloned().unwrap_or_default();
        fields.remove("_meta");
        for (key, native) in &self.0 {
            let Some(property) = key.strip_prefix(OF_ARTICLES).filter(|name| is_property(name)) else { continue };
            if property != native
                && let Some(value) = fields.remove(native)
            {
                fields.insert(property.to_owned(), value);
            }
        }
        fields
    }
}

/// The others are a path, filters and their values.
fn is_property(name: &str) -> bool {
    !matches!(name, "path" | "code_filter" | "state_filter" | "all_states" | "active")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn profile(own: Value) -> Result<Profile, Failure> {
        Profile::of(&connection("asperion", json!({ "profile": own }), &[]))
    }

    #[test]
    fn a_correction_is_data() {
        let own = profile(json!({"articles.price":"salesPrice","articles.path":"v2articles"})).unwrap();
        assert_eq!((own.name("articles.path"), own.of_article("price")), ("v2articles", "salesPrice".to_owned()));
        let article = own.article(&json!({"code":"A","salesPrice":5,"other":1,"_meta":{}}));
        assert_eq!(Value::Object(article), json!({"code":"A","other":1,"price":5}));
        assert_eq!(profile(Value::Null).unwrap().of_article("currentStock"), "currentStock");
    }

    #[test]
    fn an_unknown_name_is_refused_with_its_neighbour() {
        let failure = profile(json!({"articles.prise":"x"})).unwrap_err();
        assert!(failure.to_string().contains("did you mean «articles.price»?"), "{failure}");
    }
}
