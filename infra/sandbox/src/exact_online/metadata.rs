//! The resources Exact Online documents: names, types, keys, methods. Everything generic is driven by this file
//! (`data/metadata.json`, MIT, see the licence beside it).

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::text::text;

/// Type of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edm {
    Guid,
    String,
    Double,
    Int,
    Int64,
    Byte,
    Boolean,
    DateTime,
    Binary,
    Collection,
}

/// One property of a resource.
#[derive(Debug, Clone)]
pub(super) struct Prop {
    pub name: String,
    pub kind: Edm,
    pub read: bool,
    pub post: bool,
    pub put: bool,
    /// Must be filled when a row is posted on its own.
    pub mandatory: bool,
    pub filter: bool,
    /// Width, and whether the blanks stand before the text.
    pub pad: Option<(usize, bool)>,
    /// Longest text it takes.
    pub max: Option<usize>,
}

/// One resource.
#[derive(Debug, Clone)]
pub(super) struct Entity {
    /// `salesorder/SalesOrders`
    pub path: String,
    /// `SalesOrders`
    pub name: String,
    pub key: String,
    pub methods: Vec<String>,
    pub page_size: usize,
    pub filter_mode: String,
    pub scope: String,
    pub props: Vec<Prop>,
    by_name: HashMap<String, usize>,
    /// Where its rows are kept; a sync twin shows the rows of its original.
    pub table: String,
}

impl Entity {
    /// A property by its exact name.
    pub fn prop(&self, name: &str) -> Option<&Prop> {
        self.by_name.get(name).map(|at| &self.props[*at])
    }

    /// Name of the type in messages and `__metadata`.
    pub fn type_name(&self) -> String {
        let one = match self.name.as_str() {
            "Addresses" => "Address",
            "SalesEntries" => "SalesEntry",
            "GeneralJournalEntries" => "GeneralJournalEntry",
            "GoodsDeliveries" => "GoodsDelivery",
            "Me" => "System.Me",
            name => name.strip_suffix('s').unwrap_or(name),
        };
        format!("Exact.Web.Api.Models.{one}")
    }

    /// A read-only feed of rows by their time stamp.
    pub fn is_sync(&self) -> bool {
        self.filter_mode == "timestamp_only"
    }
}

/// All resources.
#[derive(Debug)]
pub(super) struct Metadata {
    entities: Vec<Entity>,
    by_path: HashMap<String, usize>,
}

/// The file, read once; it never changes.
pub(super) fn metadata() -> &'static Metadata {
    static READ: OnceLock<Metadata> = OnceLock::new();
    READ.get_or_init(|| {
        let file = serde_json::from_str(include_str!("data/metadata.json")).unwrap_or_default();
        Metadata::read(&file)
    })
}

impl Metadata {
    /// A resource by its path below the division, letters of whatever case.
    pub fn find(&self, path: &str) -> Option<&Entity> {
        self.by_path.get(&path.to_lowercase()).map(|at| &self.entities[*at])
    }

    /// True when some resource has this path or last part.
    pub fn known(&self, name: &str) -> bool {
        self.entities
            .iter()
            .any(|entity| entity.path.eq_ignore_ascii_case(name) || entity.name.eq_ignore_ascii_case(name))
    }

    /// All resources.
    #[cfg(test)]
    pub fn all(&self) -> &[Entity] {
        &self.entities
    }

    fn read(file: &Value) -> Self {
        let mut read = Self { entities: Vec::new(), by_path: HashMap::new() };
        let list = file["entities"].as_object();
        for (path, raw) in list.into_iter().flatten() {
            let original = raw.get("same_as").and_then(Value::as_str);
            let props_of = |from: &Value| from["properties"].as_array().cloned().unwrap_or_default();
            let mut raws = match original {
                Some(original) => props_of(&file["entities"][original]),
                None => props_of(raw),
            };
            let mut removed: Vec<&str> =
                raw["removes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            if path == "sync/Logistics/Items" {
                removed.push("Stock"); // has a feed of its own
            }
            raws.retain(|prop| !removed.contains(&text(prop, "name")));
            raws.extend(raw["adds"].as_array().into_iter().flatten().cloned());
            let table = original.unwrap_or(match path.as_str() {
                "sync/SalesOrder/SalesOrderHeaders" => "salesorder/SalesOrders",
                "sync/SalesOrder/SalesOrderLines" => "salesorder/SalesOrderLines",
                "sync/Inventory/ItemWarehouses" => "inventory/ItemWarehouses",
                "sync/Sales/SalesPriceListVolumeDiscounts" => "sales/SalesPriceListVolumeDiscounts",
                "system/AllDivisions" => "system/Divisions",
                path => path,
            });
            let props: Vec<Prop> = raws.iter().map(|raw| prop(file, original.unwrap_or(path), raw)).collect();
            let methods = raw["methods"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let entity = Entity {
                name: path.rsplit('/').next().unwrap_or(path).into(),
                key: text(raw, "key").into(),
                methods: methods.map(Into::into).collect(),
                page_size: raw["page_size"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(60),
                filter_mode: text(raw, "filter_mode").into(),
                scope: text(raw, "scope").into(),
                by_name: props.iter().enumerate().map(|(at, prop)| (prop.name.clone(), at)).collect(),
                props,
                table: table.into(),
                path: path.clone(),
            };
            read.by_path.insert(path.to_lowercase(), read.entities.len());
            read.entities.push(entity);
        }
        for (path, original) in BULK {
            let Some(mut entity) = read.find(original).cloned() else { continue };
            (entity.path, entity.page_size) = ((*path).into(), 1000);
            (entity.methods, entity.filter_mode) = (vec!["GET".into()], "any".into());
            read.by_path.insert(path.to_lowercase(), read.entities.len());
            read.entities.push(entity);
        }
        read
    }
}

/// Read-only twins with large pages.
const BULK: &[(&str, &str)] = &[
    ("bulk/CRM/Accounts", "crm/Accounts"),
    ("bulk/CRM/Contacts", "crm/Contacts"),
    ("bulk/CRM/Addresses", "crm/Addresses"),
    ("bulk/Logistics/Items", "logistics/Items"),
    ("bulk/Logistics/SalesItemPrices", "logistics/SalesItemPrices"),
    ("bulk/Financial/GLAccounts", "financial/GLAccounts"),
    ("bulk/SalesOrder/SalesOrders", "salesorder/SalesOrders"),
    ("bulk/SalesOrder/SalesOrderLines", "salesorder/SalesOrderLines"),
    ("bulk/SalesInvoice/SalesInvoices", "salesinvoice/SalesInvoices"),
    ("bulk/SalesInvoice/SalesInvoiceLines", "salesinvoice/SalesInvoiceLines"),
];

fn prop(file: &Value, path: &str, raw: &Value) -> Prop {
    let name = text(raw, "name");
    let full = format!("{path}.{name}");
    let pad = file["space_padding_in_responses"].get(&full).and_then(|pad| {
        let width = pad["width"].as_u64().and_then(|width| usize::try_from(width).ok())?;
        Some((width, pad["pad"] == "left"))
    });
    let lengths = &file["max_lengths"];
    let known = lengths["official"].get(&full).or_else(|| lengths["invantive_model_likely"].get(&full));
    let methods = text(raw, "methods");
    Prop {
        kind: match text(raw, "type") {
            "Edm.Guid" => Edm::Guid,
            "Edm.Double" | "Edm.Decimal" => Edm::Double,
            "Edm.Int16" | "Edm.Int32" => Edm::Int,
            "Edm.Int64" => Edm::Int64,
            "Edm.Byte" => Edm::Byte,
            "Edm.Boolean" => Edm::Boolean,
            "Edm.DateTime" => Edm::DateTime,
            "Edm.Binary" => Edm::Binary,
            kind if kind.starts_with("Collection") => Edm::Collection,
            _ => Edm::String,
        },
        read: methods.contains('G'),
        post: methods.contains('P'),
        put: methods.contains('U'),
        mandatory: raw["mandatory"] == true
            || matches!(text(raw, "mandatory"), "one_of_FirstName_LastName" | "standalone_only"),
        filter: raw["filter"] == true,
        max: known.and_then(Value::as_u64).and_then(|max| usize::try_from(max).ok()),
        name: name.into(),
        pad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_with_twins_padding_and_lengths() {
        let all = metadata();
        assert_eq!(all.all().len(), 73 + BULK.len());
        let accounts = all.find("CRM/accounts").unwrap();
        assert_eq!(accounts.prop("Code").unwrap().pad, Some((18, true)));
        assert_eq!(accounts.prop("Name").unwrap().max, Some(50));
        let twin = all.find("sync/CRM/Accounts").unwrap();
        assert!(twin.prop("Timestamp").is_some() && twin.table == "crm/Accounts" && twin.page_size == 1000);
        assert_eq!(all.find("salesorder/SalesOrders").unwrap().type_name(), "Exact.Web.Api.Models.SalesOrder");
    }
}
