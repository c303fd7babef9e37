//! The data dictionary of the installation: tables, fields and business objects, from the files in `data/`.
//!
//! Roles give the names that differ from one installation to the next (order tables, fields of an order line), so that
//! rules and seeds speak of what is meant.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

/// One field.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Field {
    pub name: String,
    /// Letter of Visual FoxPro: C, M, N, Y, B, I, L, D or T.
    #[serde(rename = "type")]
    pub kind: String,
    pub len: usize,
    #[serde(default)]
    pub desc_nl: String,
    #[serde(default)]
    pub mandatory: bool,
    #[serde(default)]
    pub blocked_for_com: bool,
    #[serde(default)]
    format: String,
    /// Added by this customer.
    #[serde(default)]
    pub custom: bool,
}

impl Field {
    /// Stored in upper case.
    pub fn upper(&self) -> bool {
        self.format == "!"
    }

    pub fn format(&self) -> &str {
        &self.format
    }

    /// The letter that a write must give: dates are `T`, every amount is `N`, memos are `C`.
    pub fn written_as(&self) -> &'static str {
        match self.kind.as_str() {
            "C" | "M" => "C",
            "D" | "T" => "T",
            "L" => "L",
            "I" => "I",
            _ => "N",
        }
    }
}

/// One table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub name: String,
    pub fields: Vec<Field>,
}

impl Table {
    /// A field, in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The field that `LastKey` is compared with.
    pub fn paging_key(&self, article_key: &str) -> String {
        let natural = match self.name.as_str() {
            "CONTACT" => "SUB_NR",
            "LEDGER" => "ACCT_NR",
            "ARTICLE" => article_key,
            "DCT_FLD" => "DCT_FLD_Id",
            "VAT" => "VAT_CODE",
            "COST" => "COST_CODE",
            "DAILY" => "DJ_CODE",
            _ => "REC_ID",
        };
        // Tables without a record id page by their own key.
        match self.field(natural).or_else(|| self.fields.iter().find(|field| field.mandatory && field.kind == "C")) {
            Some(field) => field.name.clone(),
            None => natural.to_owned(),
        }
    }
}

/// One business object.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Object {
    pub code: String,
    pub description: String,
    pub table: String,
    #[serde(default)]
    pub child: Option<String>,
    /// Tables that come along empty.
    #[serde(default)]
    pub siblings: Vec<String>,
    #[serde(default)]
    pub insert: bool,
    #[serde(default)]
    pub update: bool,
    /// Its lines are written through it and read elsewhere.
    #[serde(default)]
    pub header_only: bool,
}

/// What one installation has.
#[derive(Debug)]
pub(super) struct Dictionary {
    pub tables: Vec<Table>,
    pub objects: Vec<Object>,
    roles: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    roles: BTreeMap<String, String>,
    #[serde(default)]
    objects: Vec<Object>,
    tables: serde_json::Map<String, Value>,
}

impl Dictionary {
    /// A table, in any case.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name.trim()))
    }

    /// A business object, in any case.
    pub fn object(&self, code: &str) -> Option<&Object> {
        self.objects.iter().find(|object| object.code.eq_ignore_ascii_case(code.trim()))
    }

    /// The name that this installation has for something.
    pub fn role(&self, role: &str) -> &str {
        self.roles.get(role).map_or("", String::as_str)
    }

    fn made(own: &str, invoices: bool) -> Self {
        let read = |text: &str| serde_json::from_str::<File>(text).ok();
        let objects = serde_json::from_str(include_str!("data/objects.json")).unwrap_or_default();
        let mut all = Self { tables: Vec::new(), objects, roles: BTreeMap::new() };
        let mut files = vec![read(include_str!("data/fields.json")), read(own)];
        if invoices {
            files.push(read(include_str!("data/invoices.json")));
        }
        for file in files.into_iter().flatten() {
            all.roles.extend(file.roles);
            all.objects.extend(file.objects);
            for (name, fields) in file.tables {
                let fields = serde_json::from_value(fields).unwrap_or_default();
                all.tables.push(Table { name, fields });
            }
        }
        all
    }
}

/// The dictionary of this name (`default` or `other`), with or without an object for sales invoices.
pub(super) fn dictionary(name: &str, invoices: bool) -> &'static Dictionary {
    static ALL: LazyLock<[Dictionary; 4]> = LazyLock::new(|| {
        let (one, other) = (include_str!("data/placeholder.json"), include_str!("data/other.json"));
        [
            Dictionary::made(one, false),
            Dictionary::made(one, true),
            Dictionary::made(other, false),
            Dictionary::made(other, true),
        ]
    });
    &ALL[usize::from(name == "other") * 2 + usize::from(invoices)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_has_its_tables_and_every_role_its_field() {
        for (name, invoices) in [("default", false), ("default", true), ("other", false), ("other", true)] {
            let all = dictionary(name, invoices);
            assert!(all.tables.len() > 14, "{}", all.tables.len());
            assert!(all.tables.iter().all(|table| !table.fields.is_empty()));
            for object in &all.objects {
                for table in std::iter::once(&object.table).chain(&object.child) {
                    assert!(all.table(table).is_some(), "{}: {table}", object.code);
                }
            }
            let has = |table: &str, role: &str| all.table(all.role(table)).unwrap().field(all.role(role)).is_some();
            assert!(has("order", "order_number") && has("terms", "terms_name"));
            assert!(["line_article", "line_quantity", "line_price"].iter().all(|role| has("order_line", role)));
            let article = all.table("article").unwrap();
            let of_article = ["article_price", "article_vat", "article_ean"];
            assert!(of_article.iter().all(|role| article.field(all.role(role)).is_some()));
            assert_eq!(all.object("PH_SI1").is_some(), invoices);
        }
        let contact = dictionary("default", false).table("CONTACT").unwrap();
        let mail = contact.field("mail_bus").unwrap();
        assert_eq!((mail.len, mail.written_as(), contact.paging_key("ART_CODE").as_str()), (50, "C", "SUB_NR"));
        assert_eq!(dictionary("default", false).table("VAT").unwrap().paging_key("ART_CODE"), "VAT_CODE");
    }
}
