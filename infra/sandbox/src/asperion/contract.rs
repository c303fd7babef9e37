//! What is known of the API, read from `data/contract.openapi.json`: paths, verbs, tiers, filters, names and types.

use std::sync::OnceLock;

use serde_json::Value;

use crate::text::text;

/// The type of a property or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Number,
    Text,
    Boolean,
    /// A list of rows of this schema, as `{"_data": [...], "_meta": {...}}`.
    Rows(String),
    /// `_meta`.
    Meta,
}

/// A property of a schema.
#[derive(Debug)]
pub(super) struct Prop {
    pub name: String,
    pub kind: Kind,
    pub read_only: bool,
}

impl Prop {
    /// A text that holds a moment.
    pub fn is_date(&self) -> bool {
        is_date(&self.name)
    }
}

/// The contract has no format for them; their names tell.
pub(super) fn is_date(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("date") || matches!(name.as_str(), "validfrom" | "validuntil")
}

/// The shape of a row.
#[derive(Debug)]
pub(super) struct Schema {
    pub name: String,
    pub props: Vec<Prop>,
}

impl Schema {
    /// A property by its name, in whatever case.
    pub fn prop(&self, name: &str) -> Option<&Prop> {
        self.props.iter().find(|prop| prop.name.eq_ignore_ascii_case(name))
    }
}

/// A parameter of a list.
#[derive(Debug)]
pub(super) struct Parameter {
    pub name: String,
    pub kind: Kind,
    pub assumed: bool,
}

/// One verb on a path.
#[derive(Debug)]
pub(super) struct Operation {
    pub tier: u8,
    pub parameters: Vec<Parameter>,
}

/// A path with what can be done there.
#[derive(Debug, Default)]
pub(super) struct Resource {
    /// Last part of the path: `debtors`.
    pub name: String,
    pub schema: String,
    pub list: Option<Operation>,
    pub post: Option<Operation>,
    pub one: Option<Operation>,
    pub put: Option<Operation>,
    pub file: Option<Operation>,
}

/// The whole contract.
#[derive(Debug)]
pub(super) struct Contract {
    schemas: Vec<Schema>,
    pub resources: Vec<Resource>,
}

impl Contract {
    pub fn schema(&self, name: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.name == name)
    }

    /// By the last part of the path, in whatever case.
    pub fn resource(&self, name: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.name.eq_ignore_ascii_case(name))
    }
}

/// The contract, read once.
pub(super) fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let document: Value = serde_json::from_str(include_str!("data/contract.openapi.json")).unwrap_or_default();
        read(&document)
    })
}

fn read(document: &Value) -> Contract {
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    let schemas = schemas.map(|(name, schema)| Schema { name: name.clone(), props: props(name, schema) }).collect();
    let mut resources: Vec<Resource> = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        let Some((name, rest)) = parts.split_first() else { continue };
        let at = match resources.iter().position(|resource| resource.name == **name) {
            Some(at) => at,
            None => {
                resources.push(Resource { name: (*name).into(), ..Resource::default() });
                resources.len() - 1
            }
        };
        for (verb, operation) in item.as_object().into_iter().flatten().filter(|(_, value)| value.is_object()) {
            let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            let row = match verb.as_str() {
                "get" if rest.is_empty() => &answer["properties"]["_data"]["items"],
                _ => answer,
            };
            let resource = &mut resources[at];
            if resource.schema.is_empty() {
                resource.schema = referred(row);
            }
            let operation = Some(operation_of(operation));
            match (verb.as_str(), rest) {
                ("get", []) => resource.list = operation,
                ("post", []) => resource.post = operation,
                ("get", ["{id}"]) => resource.one = operation,
                ("put", ["{id}"]) => resource.put = operation,
                ("post", ["{id}", "file"]) => resource.file = operation,
                _ => {}
            }
        }
    }
    Contract { schemas, resources }
}

fn referred(schema: &Value) -> String {
    text(schema, "$ref").rsplit('/').next().unwrap_or_default().to_owned()
}

fn props(schema: &str, fields: &Value) -> Vec<Prop> {
    let fields = fields["properties"].as_object().into_iter().flatten();
    fields
        .map(|(name, field)| Prop {
            name: name.clone(),
            kind: kind(name, field),
            read_only: field["readOnly"] == true || made_there(schema, name),
        })
        .collect()
}

/// What no client was ever seen to send: the system fills it.
fn made_there(schema: &str, name: &str) -> bool {
    match name {
        "id" | "dateAdded" | "dateLastChange" => true,
        "status" | "vatAmount" => schema == "SalesInvoiceWithLines",
        "openingBalance" | "closingBalance" | "state" => schema == "JournalEntryWithLines",
        "orderNumber" => schema == "SalesOrderWithLines",
        _ => false,
    }
}

fn kind(name: &str, field: &Value) -> Kind {
    match text(field, "type") {
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "boolean" => Kind::Boolean,
        "object" if name == "_meta" => Kind::Meta,
        "object" => Kind::Rows(referred(&field["properties"]["_data"]["items"])),
        _ => Kind::Text,
    }
}

fn operation_of(operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let of_query = parameters.filter(|parameter| text(parameter, "in") == "query");
    Operation {
        tier: operation["x-tier"].as_u64().and_then(|tier| u8::try_from(tier).ok()).unwrap_or(3),
        parameters: of_query
            .map(|parameter| Parameter {
                name: text(parameter, "name").into(),
                kind: kind("", &parameter["schema"]),
                assumed: text(parameter, "x-certainty") == "assumed",
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_tiers_and_types_come_from_the_contract() {
        let contract = contract();
        let debtors = contract.resource("Debtors").unwrap();
        assert_eq!((debtors.schema.as_str(), debtors.put.as_ref().unwrap().tier), ("Debtor", 2));
        assert!(debtors.list.is_some() && debtors.post.is_some() && debtors.one.is_none());
        let invoices = contract.resource("salesinvoiceswithlines").unwrap();
        assert!(invoices.file.is_some());
        let schema = contract.schema(&invoices.schema).unwrap();
        assert_eq!(schema.prop("lines").unwrap().kind, Kind::Rows("SalesInvoiceLine".into()));
        assert_eq!(schema.prop("journalId").unwrap().kind, Kind::Text);
        assert!(schema.prop("amountInclVat").unwrap().read_only);
        let articles = contract.resource("articles").unwrap();
        assert!(articles.list.as_ref().unwrap().parameters.iter().any(|one| one.name == "Code" && one.assumed));
        assert_eq!(contract.resource("salesorderswithlines").unwrap().post.as_ref().unwrap().tier, 3);
        assert!(contract.resources.iter().all(|resource| contract.schema(&resource.schema).is_some()));
    }
}
