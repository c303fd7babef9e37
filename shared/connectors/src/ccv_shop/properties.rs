//! Properties of products: what the shop has of them, and what products have.
//!
//! Properties stand in groups, and have types; some take one of their options only. A product has values of the properties of
//! the groups that belong to it. Lists are read as a whole and kept for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;
use tokio::sync::Mutex;

use super::client::CcvShopClient;
use super::native::{self, decimal, is_yes, list, number, text};

/// A merchant may add some; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// One that is not in the list is looked for again after this long: the list may never have it.
const LOOKED: TimeDelta = TimeDelta::minutes(1);

/// What is done with properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are neither read nor written.
    Leave,
    /// Those that the shop has are; others are left out.
    Existing,
    /// What the shop does not have is made.
    Create,
}

/// What values of a property look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One of its options.
    Option,
    /// One or more of its options.
    Options,
    /// Yes or no.
    Checkbox,
    /// An amount.
    Price,
}

impl Kind {
    /// By the shop's word; nothing for one that only holds others.
    fn of(word: &str) -> Option<Self> {
        Some(match word.trim() {
            "Group" | "CollapsedGroup" => return None,
            "Option" => Self::Option,
            "OptionCheckbox" => Self::Options,
            "Checkbox" => Self::Checkbox,
            "Price" => Self::Price,
            _ => Self::Text,
        })
    }

    /// Both texts say the same.
    pub fn is_same(self, one: &str, other: &str) -> bool {
        let same = one.trim() == other.trim();
        match self {
            Self::Price => same || value_of(one).is_some_and(|one| value_of(other) == Some(one)),
            Self::Options => set_of(one) == set_of(other),
            Self::Checkbox => is_yes(&Value::from(one)) == is_yes(&Value::from(other)),
            _ => same,
        }
    }
}

fn set_of(text: &str) -> BTreeSet<&str> {
    text.split(',').map(str::trim).collect()
}

fn value_of(text: &str) -> Option<rust_decimal::Decimal> {
    decimal(&Value::from(text))
}

/// A property that products can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub id: u64,
    pub group: u64,
    pub name: String,
    pub kind: Kind,
}

/// All properties of a shop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lists {
    properties: Vec<Property>,
    /// Groups by id.
    groups: BTreeMap<u64, String>,
}

impl Lists {
    /// Those with one of these ids.
    pub fn by_id(&self, id: u64) -> Option<&Property> {
        self.properties.iter().find(|property| property.id == id)
    }

    /// The one of this name, in any case. Of several: one that the product has, else one in this group, else the first.
    pub fn by_name(&self, name: &str, has: &BTreeSet<u64>, group: &str) -> Option<&Property> {
        let named: Vec<&Property> = self.properties.iter().filter(|property| is_name(&property.name, name)).collect();
        let in_group = |id: u64| self.groups.get(&id).is_some_and(|known| is_name(known, group));
        let had = named.iter().find(|property| has.contains(&property.id));
        had.or_else(|| named.iter().find(|property| in_group(property.group))).or(named.first()).copied()
    }

    /// The group of this name.
    pub fn group(&self, name: &str) -> Option<u64> {
        self.groups.iter().find(|(_, known)| is_name(known, name)).map(|(id, _)| *id)
    }
}

/// Two names are the same in any case.
pub fn is_name(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// A value that a product has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnValue {
    pub id: u64,
    pub property: u64,
    pub value: String,
}

/// What a product has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Ids of groups that belong to it.
    pub groups: BTreeSet<u64>,
    pub values: Vec<OwnValue>,
}

impl Own {
    /// Of rows of `producttopropertygroups`; `None` when they do not say the values.
    fn of(rows: &[Value]) -> Option<Self> {
        let mut own = Self::default();
        for row in rows {
            own.groups.extend(number(&row["product_property_group_id"]));
            if !row["values"]["collection"].is_array() {
                return None;
            }
            for one in list(&row["values"]["collection"]) {
                if let (Some(id), Some(property)) = (native::id(&one), number(&one["product_property_id"])) {
                    own.values.push(OwnValue { id, property, value: text(&one["value"]).trim().to_owned() });
                }
            }
        }
        Some(own)
    }

    /// Ids of properties that it has a value of.
    pub fn has(&self) -> BTreeSet<u64> {
        self.values.iter().map(|one| one.property).collect()
    }
}

/// Options of a property, by id.
pub type Choices = Vec<(u64, String)>;

/// Properties of one shop.
#[derive(Debug)]
pub struct Properties {
    pub mode: Mode,
    /// An option stands in values by its id, not by its name.
    pub by_id: bool,
    /// Several options may stand in one value.
    pub several: bool,
    /// Values that the source does not have are removed.
    pub remove_others: bool,
    /// The group that new properties come into.
    pub group: String,
    /// The type of new properties.
    pub kind: String,
    lists: Mutex<Option<(DateTime<Utc>, Arc<Lists>)>>,
    choices: Mutex<BTreeMap<u64, (DateTime<Utc>, Choices)>>,
}

impl Properties {
    /// With the options of a connection.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let one_of = |name: &str, words: &[&str]| -> Result<usize, Failure> {
            let Some(text) = connection.option(name) else { return Ok(0) };
            words.iter().position(|word| *word == text).ok_or_else(|| {
                Failure::settings(
                    Cause::new("bad_option", format!("«{text}» is none of {}", words.join(", ")))
                        .advice(format!("use {}", words.join(" or ")))
                        .in_row(name)
                        .at_connection(&connection.name),
                )
            })
        };
        let mode = [Mode::Existing, Mode::Create, Mode::Leave][one_of("properties", &["existing", "create", "leave"])?];
        let kinds = ["Text", "TextArea"];
        Ok(Self {
            mode,
            by_id: one_of("property_options", &["name", "id"])? == 1,
            several: one_of("option_checkbox", &["one", "list"])? == 1,
            remove_others: one_of("other_properties", &["keep", "remove"])? == 1,
            group: connection.option("property_group").unwrap_or_else(|| "Kenmerken".into()).trim().to_owned(),
            kind: kinds[one_of("property_type", &kinds)?].to_owned(),
            lists: Mutex::default(),
            choices: Mutex::default(),
        })
    }

    /// What a product has, as it was read with it; asked for when that does not say it.
    pub async fn own(&self, client: &CcvShopClient, product: &Value, calls: &Calls) -> Result<Own, Failure> {
        let said = product["producttopropertygroups"]["collection"].as_array();
        match (said.and_then(|rows| Own::of(rows)), native::id(product)) {
            (Some(own), _) => Ok(own),
            (None, Some(id)) => self.of_product(client, id, calls).await,
            (None, None) => Ok(Own::default()),
        }
    }

    /// What a product has, asked for.
    pub async fn of_product(&self, client: &CcvShopClient, id: u64, calls: &Calls) -> Result<Own, Failure> {
        let rows = client.whole(&format!("products/{id}/producttopropertygroups"), &[], calls).await?;
        Own::of(&rows).ok_or_else(|| super::client::unexpected("the properties of a product"))
    }

    /// Name of each property that a product has, its own id, and its value, options by their names.
    pub async fn named(
        &self,
        client: &CcvShopClient,
        own: &Own,
        calls: &Calls,
    ) -> Result<Vec<(Property, String)>, Failure> {
        let mut named = Vec::new();
        if own.values.is_empty() {
            return Ok(named);
        }
        let lists = self.lists(client, &own.has(), calls).await?;
        for one in &own.values {
            // One that was made or removed a moment ago.
            let Some(property) = lists.by_id(one.property) else { continue };
            let mut value = one.value.clone();
            if self.by_id && matches!(property.kind, Kind::Option | Kind::Options) {
                let choices = self.choices(client, property.id, calls).await?;
                let name = |id: &str| {
                    let known = choices.iter().find(|(known, _)| known.to_string() == id.trim());
                    known.map_or_else(|| id.trim().to_owned(), |(_, name)| name.clone())
                };
                value = value.split(',').map(name).collect::<Vec<_>>().join(", ");
            }
            named.push((property.clone(), value));
        }
        Ok(named)
    }

    /// All properties; with these, unless the shop does not have them or made them this minute.
    pub async fn lists(
        &self,
        client: &CcvShopClient,
        needed: &BTreeSet<u64>,
        calls: &Calls,
    ) -> Result<Arc<Lists>, Failure> {
        let mut kept = self.lists.lock().await;
        if let Some((read, lists)) = kept.as_ref()
            && (client.now() - *read < LOOKED
                || (client.now() - *read < KEPT && needed.iter().all(|id| lists.by_id(*id).is_some())))
        {
            return Ok(Arc::clone(lists));
        }
        let mut lists = Lists::default();
        for group in client.whole("productpropertygroups", &[], calls).await? {
            let Some(id) = native::id(&group) else { continue };
            lists.groups.insert(id, text(&group["name"]).trim().to_owned());
            let rows = client.whole(&format!("productpropertygroups/{id}/productproperties"), &[], calls).await?;
            lists.properties.extend(rows.iter().filter_map(|row| {
                let kind = Kind::of(&text(&row["type"]))?;
                Some(Property { id: native::id(row)?, group: id, name: text(&row["name"]).trim().to_owned(), kind })
            }));
        }
        let lists = Arc::new(lists);
        *kept = Some((client.now(), Arc::clone(&lists)));
        Ok(lists)
    }

    /// Options of a property.
    pub async fn choices(&self, client: &CcvShopClient, property: u64, calls: &Calls) -> Result<Choices, Failure> {
        let mut kept = self.choices.lock().await;
        if let Some((read, choices)) = kept.get(&property)
            && client.now() - *read < KEPT
        {
            return Ok(choices.clone());
        }
        let rows = client.whole(&format!("productproperties/{property}/productpropertyoptions"), &[], calls).await?;
        let choice = |row: &Value| Some((native::id(row)?, text(&row["name"]).trim().to_owned()));
        let choices: Choices = rows.iter().filter_map(choice).collect();
        kept.insert(property, (client.now(), choices.clone()));
        Ok(choices)
    }

    /// Something was made: the next look reads everything again.
    pub async fn forget(&self) {
        *self.lists.lock().await = None;
        self.choices.lock().await.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::testing::connection;

    fn property(id: u64, group: u64, name: &str) -> Property {
        Property { id, group, name: name.into(), kind: Kind::Text }
    }

    #[test]
    fn of_several_properties_of_a_name_the_one_that_the_product_has_counts() {
        let lists = Lists {
            properties: vec![
                property(1, 1, "Merk"),
                property(2, 2, "merk"),
                property(3, 3, "Merk "),
                property(4, 3, "x"),
            ],
            groups: [(1, "A".into()), (2, "B".into()), (3, "C".into())].into(),
        };
        let id = |has: &[u64], group: &str| {
            lists.by_name("MERK", &has.iter().copied().collect(), group).map(|property| property.id)
        };
        assert_eq!((id(&[3, 4], "b"), id(&[4], "b"), id(&[], "none")), (Some(3), Some(2), Some(1)));
        assert_eq!((lists.by_name("y", &BTreeSet::new(), "A"), lists.group("c")), (None, Some(3)));
    }

    #[test]
    fn values_are_the_same_in_the_way_of_their_kind() {
        assert!(Kind::Price.is_same("12.50", "12.5") && !Kind::Price.is_same("12.5", "12.6"));
        assert!(Kind::Checkbox.is_same("1", "true") && !Kind::Checkbox.is_same("0", "1"));
        assert!(Kind::Text.is_same(" Wool", "Wool ") && !Kind::Text.is_same("1.0", "1"));
    }

    #[test]
    fn words_that_nobody_knows_are_refused() {
        let new = |options: Value| Properties::new(&connection("ccv-shop", options, &[]));
        let failure = new(json!({ "properties": "make" })).unwrap_err();
        assert!(matches!(&failure, Failure::Settings(cause) if cause.message.contains("existing, create, leave")));
        assert!(
            new(json!({ "other_properties": "drop" })).is_err() && new(json!({ "property_type": "Price" })).is_err()
        );
        let strict = new(json!({})).unwrap();
        assert_eq!(
            (strict.mode, strict.by_id, strict.several, strict.remove_others),
            (Mode::Existing, false, false, false)
        );
    }

    #[test]
    fn values_that_are_not_said_are_not_taken_for_none() {
        let row = json!({ "product_property_group_id": 3 });
        assert_eq!((Own::of(std::slice::from_ref(&row)), Own::of(&[])), (None, Some(Own::default())));
        let mut said = row;
        said["values"] = json!({ "collection": [{ "id": 1, "product_property_id": "7", "value": " 250 g" }] });
        let own = Own::of(&[said]).unwrap();
        assert_eq!((own.values[0].property, own.values[0].value.as_str()), (7, "250 g"));
    }
}
