//! The contract: which addresses there are, what their bodies and answers consist of, which values are known.
//! Everything generic is driven by this file (`data/contract.json`; facts only, not an official document).

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::text::text;

/// What a field of a body holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    Bool,
    Date,
    /// Members of another entity.
    Entity(String),
    /// A list of entities.
    List(String),
    /// A form nobody listed: taken as it is.
    Any,
}

/// One field of an entity.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub name: String,
    pub read: bool,
    pub create: bool,
    pub update: bool,
    /// What it is in a body.
    pub kind: Kind,
    /// Sent as `{"value": …}`.
    pub wrap: bool,
    /// Longest text.
    pub max: Option<usize>,
    /// Key into the value lists, for bodies.
    pub values: Option<String>,
    /// The body of a create must carry it.
    pub required: bool,
}

/// A thing with fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Entity {
    pub fields: Vec<Field>,
    by_name: HashMap<String, usize>,
}

impl Entity {
    /// A field by its exact name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|at| &self.fields[*at])
    }
}

/// How lists come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paging {
    None,
    /// A bare list whose items carry `metadata`.
    Items,
    /// An object with `records`.
    Records,
    /// An object with `value` and `nextPage`, from page 0.
    Pages,
}

/// One address.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// `GET /v1/customer/{customerCd}`
    pub key: String,
    pub method: String,
    segments: Vec<String>,
    /// It belongs to the sales order service.
    pub v3: bool,
    /// `read`, `create`, `update`, `delete`, `write`.
    pub scope: String,
    pub query: Vec<String>,
    /// Entity of the answer.
    pub returns: String,
    pub list: bool,
    pub paging: Paging,
    /// `required`, `optional` or "".
    pub if_match: String,
    /// The background header works here.
    pub background: bool,
}

/// An address that fits a request, with what stands in its braces.
#[derive(Debug)]
pub(super) struct Found {
    pub endpoint: &'static Endpoint,
    pub params: Vec<String>,
}

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct Contract {
    endpoints: Vec<Endpoint>,
    entities: HashMap<String, Entity>,
    values: HashMap<String, Vec<String>>,
}

/// The file, read once; it never changes.
pub(super) fn contract() -> &'static Contract {
    static READ: OnceLock<Contract> = OnceLock::new();
    READ.get_or_init(|| {
        let file = serde_json::from_str(include_str!("data/contract.json")).unwrap_or_default();
        Contract::read(&file)
    })
}

impl Contract {
    /// An entity; an unknown one has no fields.
    pub fn entity(&self, name: &str) -> &Entity {
        static NONE: OnceLock<Entity> = OnceLock::new();
        self.entities.get(name).unwrap_or_else(|| NONE.get_or_init(Entity::default))
    }

    /// A value list.
    pub fn values(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// All addresses.
    #[cfg(test)]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The address of a request: fixed words (letters of whatever case) win over braces.
    pub fn find(&'static self, method: &str, segments: &[String]) -> Option<Found> {
        let fits = self.endpoints.iter().filter(|one| one.method == method && one.fits(segments));
        let endpoint = fits.max_by_key(|one| one.segments.iter().filter(|part| !is_param(part)).count())?;
        let pairs = endpoint.segments.iter().zip(segments);
        Some(Found {
            endpoint,
            params: pairs.filter(|(part, _)| is_param(part)).map(|(_, sent)| sent.clone()).collect(),
        })
    }

    /// True when the address is there for another verb.
    pub fn other_verb(&self, segments: &[String]) -> bool {
        self.endpoints.iter().any(|one| one.fits(segments))
    }

    fn read(file: &Value) -> Self {
        let mut read = Self::default();
        for (name, list) in file["enums"].as_object().into_iter().flatten() {
            let values = list.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
            read.values.insert(name.clone(), values);
        }
        for (name, fields) in file["entities"].as_object().into_iter().flatten() {
            let fields: Vec<Field> =
                fields.as_object().into_iter().flatten().map(|(name, raw)| field(name, raw)).collect();
            let by_name = fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at)).collect();
            read.entities.insert(name.clone(), Entity { fields, by_name });
        }
        for (key, raw) in file["endpoints"].as_object().into_iter().flatten() {
            read.endpoints.push(endpoint(key, raw));
        }
        read
    }
}

impl Endpoint {
    fn fits(&self, segments: &[String]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(part, sent)| is_param(part) || part.eq_ignore_ascii_case(sent))
    }

    /// The address without its verb and version: `customer/{customerCd}`.
    pub fn short(&self) -> String {
        let skip = if self.v3 { 2 } else { 1 };
        self.segments.iter().skip(skip).map(String::as_str).collect::<Vec<_>>().join("/")
    }
}

fn is_param(part: &str) -> bool {
    part.starts_with('{')
}

fn endpoint(key: &str, raw: &Value) -> Endpoint {
    let (method, path) = key.split_once(' ').unwrap_or((key, ""));
    let returns = text(raw, "returns");
    Endpoint {
        key: key.into(),
        method: method.into(),
        segments: path.split('/').filter(|part| !part.is_empty()).map(Into::into).collect(),
        v3: text(raw, "host") == "so3",
        scope: text(raw, "scope").into(),
        query: raw["query"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect(),
        returns: returns.trim_matches(['[', ']']).into(),
        list: returns.starts_with('['),
        paging: match text(raw, "paging") {
            "A" => Paging::Items,
            "B" => Paging::Records,
            "C" => Paging::Pages,
            _ => Paging::None,
        },
        if_match: text(raw, "if_match").into(),
        background: raw["background"] != false,
    }
}

fn field(name: &str, raw: &Value) -> Field {
    let places = text(raw, "in");
    let kind = match raw.get("type_in") {
        Some(_) => text(raw, "type_in"),
        None => text(raw, "type"),
    };
    let values = ["enum", "enum_cu", "enum_c"].iter().find_map(|key| raw.get(key).and_then(Value::as_str));
    Field {
        name: name.into(),
        read: places.contains('r'),
        create: places.contains('c'),
        update: places.contains('u'),
        kind: match kind {
            "string" | "uuid" | "any" => Kind::Text,
            "int" | "int32" | "int64" => Kind::Whole,
            "num" => Kind::Number,
            "bool" => Kind::Bool,
            "date" | "datetime" => Kind::Date,
            kind if kind.starts_with('[') => Kind::List(kind.trim_matches(['[', ']']).into()),
            kind if kind.starts_with(|first: char| first.is_ascii_uppercase()) => Kind::Entity(kind.into()),
            _ => Kind::Any,
        },
        wrap: raw["wrap"] == true,
        max: raw["max"].as_u64().and_then(|max| usize::try_from(max).ok()),
        values: values.map(Into::into),
        required: raw["required"] == true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<String> {
        path.split('/').map(Into::into).collect()
    }

    #[test]
    fn fixed_words_win_and_case_does_not_matter() {
        let find = |method: &str, path: &str| {
            contract().find(method, &parts(path)).map(|found| (found.endpoint.key.clone(), found.params))
        };
        assert_eq!(find("GET", "v1/Customer/customerclass").unwrap().0, "GET /v1/customer/customerClass");
        let (key, params) = find("GET", "v1/customer/10001").unwrap();
        assert_eq!((key.as_str(), params), ("GET /v1/customer/{customerCd}", vec!["10001".to_owned()]));
        let (key, params) = find("PATCH", "api/v3/salesorders/SO/1/lines").unwrap();
        assert_eq!((key.as_str(), params.len()), ("PATCH /api/v3/SalesOrders/{type}/{orderId}/lines", 2));
        assert!(find("DELETE", "v1/customer/10001").is_none() && contract().other_verb(&parts("v1/customer/10001")));
    }

    #[test]
    fn the_file_is_read_with_wrappers_lengths_and_values() {
        assert_eq!(contract().endpoints().len(), 175);
        let customer = contract().entity("Customer");
        let address = customer.field("mainAddress").unwrap();
        assert!(address.wrap && address.kind == Kind::Entity("Address".into()) && address.create);
        assert!(!customer.field("overrideWithClassValues").unwrap().wrap);
        assert!(!customer.field("priceClass").unwrap().create);
        let line = contract().entity("CustomerInvoiceLine");
        assert!(!line.field("operation").unwrap().wrap && line.field("quantity").unwrap().wrap);
        assert_eq!(contract().entity("SalesOrderAddress").field("city").unwrap().max, Some(50));
        assert_eq!(contract().values("So3ShippingRule").len(), 3);
        let list = contract().find("GET", &parts("v1/creditTerm")).unwrap();
        assert_eq!(list.endpoint.paging, Paging::Records);
    }
}
