//! The endpoints and models CCV Shop documents: paths, limits, filters, field names and types. Everything generic is
//! driven by these files (`data/*.json`, derived from MIT-licensed work; the licence lies beside them).

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::text::text;

/// Type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    List(Box<Kind>),
    Model(String),
}

/// One field of a model.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub kind: Kind,
    /// May be absent or null; the source cannot tell the two apart.
    pub optional: bool,
}

/// One model.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub fields: Vec<Field>,
}

impl Model {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// One method of one path.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub method: String,
    /// `["orders", "{id}", "orderrows"]`
    pub pattern: Vec<String>,
    /// Calls per minute; None: not documented.
    pub per_minute: Option<u32>,
    /// Query parameters besides `expand` and `orderby`, with their types.
    pub query: Vec<(String, Kind)>,
    pub expand: Vec<String>,
    pub orderby: Vec<String>,
    /// Model of the body.
    pub input: Option<String>,
}

impl Endpoint {
    /// The resource it is about: the last word of the path.
    pub fn resource(&self) -> &str {
        self.pattern.iter().rev().find(|part| *part != "{id}").map_or("", String::as_str)
    }

    /// True for a list that comes in pages.
    pub fn is_paged(&self) -> bool {
        self.query.iter().any(|(name, _)| name == "start")
    }
}

/// Everything in the files.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    endpoints: Vec<Endpoint>,
    models: HashMap<String, Model>,
}

/// The files, read once; they never change.
pub(super) fn metadata() -> &'static Metadata {
    static READ: OnceLock<Metadata> = OnceLock::new();
    READ.get_or_init(|| {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
        let endpoints = read(include_str!("data/ccv-shop-endpoints.json"));
        let models = read(include_str!("data/ccv-shop-models.json"));
        Metadata {
            endpoints: endpoints["endpoints"].as_array().into_iter().flatten().map(endpoint).collect(),
            models: models["models"].as_object().into_iter().flatten().map(|(name, row)| model(name, row)).collect(),
        }
    })
}

impl Metadata {
    /// All methods of a path.
    pub fn methods(&'static self, parts: &[&str]) -> Vec<&'static Endpoint> {
        let is_id = |part: &str| !part.is_empty() && part.len() < 16 && part.bytes().all(|byte| byte.is_ascii_digit());
        let fits = |endpoint: &&Endpoint| {
            endpoint.pattern.len() == parts.len()
                && endpoint.pattern.iter().zip(parts).all(
                    |(known, part)| {
                        if known == "{id}" { is_id(part) } else { known == part }
                    },
                )
        };
        self.endpoints.iter().filter(fits).collect()
    }

    /// One method of a path pattern.
    pub fn endpoint(&'static self, method: &str, pattern: &[&str]) -> Option<&'static Endpoint> {
        self.endpoints.iter().find(|one| one.method == method && one.pattern == pattern)
    }

    /// A model by its name, without the `in:` or `ref:` in front of it.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name)
    }

    /// All endpoints.
    #[cfg(test)]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

fn kind(text: &str) -> Kind {
    match text {
        "int" => Kind::Whole,
        "float" => Kind::Number,
        "bool" => Kind::Flag,
        "string" => Kind::Text,
        other => {
            if let Some(name) = other.strip_prefix("ref:") {
                return Kind::Model(name.into());
            }
            match other.strip_prefix("array<").and_then(|inner| inner.strip_suffix('>')) {
                Some(inner) => Kind::List(Box::new(kind(inner))),
                None => Kind::Model(other.into()),
            }
        }
    }
}

fn model(name: &str, row: &Value) -> (String, Model) {
    let field = |(name, kind_text): (&String, &Value)| {
        let kind_text = kind_text.as_str().unwrap_or_default();
        Field { name: name.clone(), kind: kind(kind_text.trim_end_matches('?')), optional: kind_text.ends_with('?') }
    };
    (name.to_owned(), Model { fields: row.as_object().into_iter().flatten().map(field).collect() })
}

fn endpoint(row: &Value) -> Endpoint {
    let names = |field: &str| {
        let list = row[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let query = row["query"].as_object().into_iter().flatten();
    let path = text(row, "p").strip_prefix("/api/rest/v1/").unwrap_or_default();
    Endpoint {
        method: text(row, "m").to_owned(),
        pattern: path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        per_minute: row["per_minute"].as_u64().and_then(|limit| u32::try_from(limit).ok()),
        query: query.map(|(name, value)| (name.clone(), kind(value.as_str().unwrap_or_default()))).collect(),
        expand: names("expand"),
        orderby: names("orderby"),
        input: row["in"].as_str().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read_whole() {
        let all = metadata();
        assert_eq!((all.endpoints().len(), all.models.len()), (367, 244));
        let orders = all.endpoint("GET", &["orders"]).unwrap();
        assert_eq!((orders.per_minute, orders.is_paged(), orders.expand.len()), (Some(150), true, 0));
        assert_eq!(orders.query[2], ("ordernumber".into(), Kind::Whole));
        assert_eq!(all.endpoint("GET", &["productqueries"]).unwrap().per_minute, Some(30));
        assert_eq!(all.methods(&["orders", "7", "orderrows"]).len(), 3);
        assert!(all.methods(&["orders", "x"]).is_empty());
        let rows = all.model("in:Orders.Post.Post").unwrap().field("orderrows").unwrap();
        assert_eq!(rows.kind, Kind::List(Box::new(Kind::Model("in-entity:Orderrow.Input.Input".into()))));
        assert!(!rows.optional);
    }
}
