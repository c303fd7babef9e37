//! The profile: names of one installation by role, as data. The shipped one is `profile.json`; a connection overrides
//! any part of it with its option `profile`.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::document::DocumentType;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::names::Field;

/// The shipped profile.
const DEFAULT: &str = include_str!("profile.json");
/// What stands before a name that was made up.
pub(super) const PLACEHOLDER: &str = "PH_";

/// A business object with its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Part {
    /// Its own name in the profile.
    #[serde(skip)]
    pub name: String,
    /// Code of the business object; none: what needs it is off.
    pub object: Option<String>,
    /// Business object that shows more of the table: all who may have a number.
    #[serde(default)]
    pub everyone: Option<String>,
    /// Table of its rows.
    pub table: Option<String>,
    /// Table of the lines below.
    #[serde(default)]
    pub lines: Option<String>,
    /// Field of its number or code.
    pub key: Option<String>,
    /// Fields by role.
    #[serde(default)]
    roles: BTreeMap<String, Option<String>>,
    /// Fields of the lines by role.
    #[serde(default)]
    line_roles: BTreeMap<String, Option<String>>,
}

impl Part {
    /// The field of a role; `None` when the role is off.
    pub fn role(&self, role: &str) -> Option<&str> {
        self.roles.get(role)?.as_deref()
    }

    /// The field of a role of the lines.
    pub fn line_role(&self, role: &str) -> Option<&str> {
        self.line_roles.get(role)?.as_deref()
    }

    /// The role is one that this part has, on or off.
    pub fn knows(&self, role: &str, on_lines: bool) -> bool {
        if on_lines { self.line_roles.contains_key(role) } else { self.roles.contains_key(role) }
    }

    /// Names of the roles, for the nearest right spelling.
    pub fn roles(&self, on_lines: bool) -> impl Iterator<Item = &str> {
        (if on_lines { &self.line_roles } else { &self.roles }).keys().map(String::as_str)
    }

    /// Every field that the profile names, with its table.
    pub fn fields(&self) -> Vec<(&str, &str)> {
        let header = self.table.as_deref().into_iter();
        let own = self.key.iter().chain(self.roles.values().flatten());
        let mut all: Vec<(&str, &str)> =
            header.flat_map(|table| own.clone().map(move |field| (table, field.as_str()))).collect();
        if let Some(lines) = self.lines.as_deref() {
            all.extend(self.line_roles.values().flatten().map(|field| (lines, field.as_str())));
        }
        all
    }

    /// Object, table and key, or a failure that says what is missing.
    pub fn required(&self) -> Result<(&str, &str, &str), Failure> {
        match (&self.object, &self.table, &self.key) {
            (Some(object), Some(table), Some(key)) => Ok((object, table, key)),
            _ => Err(Failure::settings(
                Cause::new(
                    "no_business_object",
                    format!("the profile names no business object, table and key for {}", self.name),
                )
                .advice(format!("set profile.{}.object, .table, .key and its roles in the connection", self.name))
                .in_row(format!("profile.{}", self.name)),
            )),
        }
    }

    /// The field of a role that cannot be done without.
    pub fn needed(&self, role: &str) -> Result<&str, Failure> {
        self.role(role).ok_or_else(|| self.role_is_off("roles", role))
    }

    /// The same of the lines.
    pub fn needed_on_lines(&self, role: &str) -> Result<&str, Failure> {
        self.line_role(role).ok_or_else(|| self.role_is_off("line_roles", role))
    }

    fn role_is_off(&self, which: &str, role: &str) -> Failure {
        let path = format!("profile.{}.{which}.{role}", self.name);
        Failure::settings(
            Cause::new("role_is_off", format!("the profile names no field for {role} of {}", self.name))
                .advice(format!("set {path} to the field of this installation"))
                .in_row(path),
        )
    }
}

/// How records that changed since a moment are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum How {
    /// A numbered filter with an operator code.
    Operator,
    /// A raw expression.
    Expression,
    /// Everything is read and compared here.
    Off,
}

/// The filter for changes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangedSince {
    pub how: How,
    #[serde(default)]
    pub operator: String,
    #[serde(default)]
    pub value_type: String,
}

#[derive(Clone, Debug, Deserialize)]
struct OfConnection {
    scope: String,
    changed_since: ChangedSince,
}

/// The profile of a connection.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    connection: OfConnection,
    parts: BTreeMap<String, Part>,
    assigned: BTreeMap<String, Vec<String>>,
    known: Map<String, Value>,
    fingerprint: String,
}

/// The names of the parts.
const PARTS: [&str; 11] = [
    "customer",
    "sales_order",
    "sales_invoice",
    "journal_page",
    "article",
    "article_group",
    "payment_terms",
    "vat_code",
    "ledger",
    "journal",
    "cost_center",
];

impl Profile {
    /// The shipped profile with what the connection overrides.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let mut all: Map<String, Value> = serde_json::from_str(DEFAULT).map_err(|error| bad(&error.to_string()))?;
        if let Some(own) = connection.options.get("profile").filter(|own| !own.is_null()) {
            let own = own.as_object().ok_or_else(|| bad("it is no group"))?;
            merge(&mut all, own, "profile")?;
        }
        let own_name = |failure: Failure| failure.map_cause(|cause| cause.at_connection(&connection.name));
        Self::read(&all).map_err(own_name)
    }

    fn read(all: &Map<String, Value>) -> Result<Self, Failure> {
        let get = |name: &str| all.get(name).cloned().unwrap_or_default();
        let mut parts = BTreeMap::new();
        for name in PARTS {
            let part: Part = serde_json::from_value(get(name)).map_err(|error| bad(&format!("{name}: {error}")))?;
            parts.insert(name.to_owned(), Part { name: name.to_owned(), ..part });
        }
        let text = Value::Object(all.clone()).to_string();
        let hash = digest(&SHA256, text.as_bytes());
        Ok(Self {
            connection: serde_json::from_value(get("connection")).map_err(|error| bad(&error.to_string()))?,
            parts,
            assigned: serde_json::from_value(get("assigned")).map_err(|error| bad(&error.to_string()))?,
            known: get("known").as_object().cloned().unwrap_or_default(),
            fingerprint: hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// A part by its name.
    pub fn part(&self, name: &'static str) -> &Part {
        static NONE: Part = Part {
            name: String::new(),
            object: None,
            everyone: None,
            table: None,
            lines: None,
            key: None,
            roles: BTreeMap::new(),
            line_roles: BTreeMap::new(),
        };
        self.parts.get(name).unwrap_or(&NONE)
    }

    /// The part of a document type.
    pub fn document(&self, document: DocumentType) -> Result<&Part, Failure> {
        match document {
            DocumentType::SalesOrder => Ok(self.part("sales_order")),
            DocumentType::SalesInvoice => Ok(self.part("sales_invoice")),
            DocumentType::FinancialEntry => Ok(self.part("journal_page")),
            DocumentType::DirectInvoice => Err(Failure::settings(
                Cause::new("not_supported", "AccountView takes no direct invoices")
                    .advice("use sales-order, sales-invoice or financial-entry"),
            )),
        }
    }

    /// All parts that are on.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.values().filter(|part| part.object.is_some())
    }

    /// The scopes that consent is asked for.
    pub fn scope(&self) -> &str {
        &self.connection.scope
    }

    /// How changes are asked for.
    pub fn changed_since(&self) -> &ChangedSince {
        &self.connection.changed_since
    }

    /// AccountView fills this field itself.
    pub fn is_assigned(&self, table: &str, field: &str) -> bool {
        self.assigned.get(table).is_some_and(|fields| fields.iter().any(|known| known == field))
    }

    /// Type and length of a field, as far as the profile knows them: by its own list, else by what its role holds.
    pub fn known(&self, table: &str, name: &str) -> Option<Field> {
        let listed = self.known.get(table).and_then(|table| table.get(name)?.as_str());
        if let Some(text) = listed {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let kind: String = text.chars().take(1).collect();
            let len = digits.parse().unwrap_or_default();
            return Some(Field { kind, len, upper: text.ends_with('!'), ..Field::default() });
        }
        let part = self.parts.values().find(|part| part.fields().contains(&(table, name)))?;
        let roles = part.roles.iter().chain(&part.line_roles);
        let role = roles.into_iter().find(|(_, field)| field.as_deref() == Some(name)).map(|(role, _)| role.as_str());
        let kind = match role {
            Some("date" | "delivery_date" | "changed") => "T",
            Some("quantity" | "unit_price" | "selling_price" | "amount" | "vat_amount" | "percent") => "N",
            Some("free_stock" | "technical_stock" | "weight_kg") => "N",
            Some("blocked" | "blocked_for_orders" | "direct" | "gross" | "web" | "reversed") => "L",
            _ => "C",
        };
        Some(Field { kind: kind.into(), ..Field::default() })
    }

    /// Changes with every change of the profile.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// Overrides leaf by leaf. A name that the shipped profile does not have is a slip of the pen.
fn merge(all: &mut Map<String, Value>, own: &Map<String, Value>, path: &str) -> Result<(), Failure> {
    for (name, value) in own {
        let path = format!("{path}.{name}");
        match (all.get_mut(name), value) {
            (Some(Value::Object(all)), Value::Object(own)) if !is_by_table(&path) => merge(all, own, &path)?,
            // What is said by table may be said of any table.
            (Some(Value::Object(all)), Value::Object(own)) => {
                all.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            (Some(Value::Object(_)), _) => return Err(bad(&format!("{path} is a group"))),
            (Some(leaf), Value::String(_) | Value::Null | Value::Number(_) | Value::Bool(_)) => *leaf = value.clone(),
            (Some(_), _) => return Err(bad(&format!("{path} is one name"))),
            (None, _) => {
                let near = nearest(name, all.keys().map(String::as_str).filter(|known| !known.starts_with('_')));
                let advice = near.map(|near| format!("; did you mean «{near}»?")).unwrap_or_default();
                return Err(bad(&format!("{path} is not part of it{advice}")));
            }
        }
    }
    Ok(())
}

fn is_by_table(path: &str) -> bool {
    path == "profile.assigned" || path == "profile.known"
}

fn bad(why: &str) -> Failure {
    Failure::settings(
        Cause::new("bad_profile", format!("the option profile cannot be used: {why}"))
            .advice("write it in the form of profile.json; only what differs needs to be there")
            .in_row("profile"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn profile(own: Value) -> Result<Profile, Failure> {
        Profile::of(&connection("accountview", json!({ "profile": own }), &[]))
    }

    #[test]
    fn a_connection_overrides_leaf_by_leaf() {
        let shipped = profile(Value::Null).unwrap();
        assert_eq!(shipped.part("sales_order").line_role("article"), Some("PH_ARTCD"));
        assert_eq!(shipped.part("sales_order").line_role("vat_code"), None);
        let own = json!({"sales_order": {"table": "SO_HDR", "line_roles": {"vat_code": "VAT_CODE", "article": null}},
            "assigned": {"SO_HDR": ["REC_ID"]}});
        let own = profile(own).unwrap();
        let order = own.part("sales_order");
        assert_eq!((order.table.as_deref(), order.line_role("vat_code")), (Some("SO_HDR"), Some("VAT_CODE")));
        assert_eq!(order.lines.as_deref(), Some("PH_SOLIN"));
        assert_eq!(order.needed_on_lines("article").unwrap_err().cause().code, "role_is_off");
        assert!(own.is_assigned("SO_HDR", "REC_ID") && own.is_assigned("DJ_PAGE", "PAGE_NR"));
        assert_ne!(own.fingerprint(), shipped.fingerprint());
        assert!(order.fields().contains(&("PH_SOLIN", "VAT_CODE")));
    }

    #[test]
    fn what_is_not_part_of_it_is_refused_with_the_nearest_name() {
        for (own, words) in [
            (json!({"sales_ordr": {}}), "did you mean «sales_order»"),
            (json!({"sales_order": {"line_roles": {"artcle": "X"}}}), "did you mean «article»"),
            (json!({"sales_order": "SO1"}), "is a group"),
            (json!({"sales_order": {"table": ["X"]}}), "is one name"),
            (json!("x"), "no group"),
            (json!({"connection": {"changed_since": {"how": "sometimes"}}}), "sometimes"),
        ] {
            let failure = profile(own).unwrap_err();
            assert!(failure.to_string().contains(words), "{words}: {failure}");
        }
    }

    #[test]
    fn a_part_without_an_object_is_off() {
        let shipped = profile(Value::Null).unwrap();
        assert!(shipped.parts().all(|part| part.name != "sales_invoice"));
        let failure = shipped.document(DocumentType::SalesInvoice).unwrap().required().unwrap_err();
        assert!(failure.to_string().contains("profile.sales_invoice"), "{failure}");
        assert_eq!(shipped.document(DocumentType::DirectInvoice).unwrap_err().class(), "settings");
    }
}
