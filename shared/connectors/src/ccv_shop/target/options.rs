//! Options of a product: the shop's own lists of attributes and their values, which products choose from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::prices::Choice;
use crate::ccv_shop::client::{CcvShopClient, unexpected};
use crate::ccv_shop::native::{self, text};

/// A merchant may add some; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);
/// The kind of a new attribute: a list that a buyer has to choose from.
const KIND: &str = "option_menu_required";

/// Ids by name in small letters.
type Ids = BTreeMap<String, u64>;

/// Attributes of one shop.
#[derive(Debug)]
pub struct Options {
    kind: String,
    attributes: Mutex<Option<(DateTime<Utc>, Ids)>>,
    values: Mutex<BTreeMap<u64, (DateTime<Utc>, Ids)>>,
}

impl Options {
    /// With the option `attribute_type`.
    pub fn new(connection: &Connection) -> Self {
        let kind = connection.option("attribute_type").unwrap_or_else(|| KIND.to_owned());
        Self { kind, attributes: Mutex::default(), values: Mutex::default() }
    }

    /// Ids of the values of these choices; what is missing is made. `names` are the choices as people write them.
    pub async fn value_ids(
        &self,
        client: &CcvShopClient,
        names: &BTreeMap<Choice, (String, String)>,
        calls: &Calls,
    ) -> Result<BTreeMap<Choice, u64>, Failure> {
        let mut ids = BTreeMap::new();
        for (choice, (option, value)) in names {
            let attribute = self.attribute(client, &choice.0, option, calls).await?;
            let id = self.value(client, attribute, &choice.1, value, calls).await?;
            ids.insert(choice.clone(), id);
        }
        Ok(ids)
    }

    async fn attribute(&self, client: &CcvShopClient, key: &str, name: &str, calls: &Calls) -> Result<u64, Failure> {
        let mut known = self.attributes.lock().await;
        let fresh = known.as_ref().is_some_and(|(read, _)| client.now() - *read < KEPT);
        if fresh && let Some(id) = known.as_ref().and_then(|(_, ids)| ids.get(key)) {
            return Ok(*id);
        }
        let mut ids = ids_of(&client.whole("attributes", &[], calls).await?);
        if !ids.contains_key(key) {
            client.create("attributes", json!({ "name": name, "type": self.kind }), calls).await?;
            // The answer may be empty, so the new id is looked up where everybody sees it.
            ids = ids_of(&client.whole("attributes", &[], calls).await?);
        }
        let id = ids.get(key).copied();
        *known = Some((client.now(), ids));
        id.ok_or_else(|| unexpected("the option that was made"))
    }

    async fn value(
        &self,
        client: &CcvShopClient,
        attribute: u64,
        key: &str,
        name: &str,
        calls: &Calls,
    ) -> Result<u64, Failure> {
        let mut known = self.values.lock().await;
        if let Some((read, ids)) = known.get(&attribute)
            && client.now() - *read < KEPT
            && let Some(id) = ids.get(key)
        {
            return Ok(*id);
        }
        let path = format!("attributes/{attribute}/attributevalues");
        let mut ids = ids_of(&client.whole(&path, &[], calls).await?);
        if !ids.contains_key(key) {
            client.create(&path, json!({ "name": name, "default_price": 0 }), calls).await?;
            ids = ids_of(&client.whole(&path, &[], calls).await?);
        }
        let id = ids.get(key).copied();
        known.insert(attribute, (client.now(), ids));
        id.ok_or_else(|| unexpected("the value of an option that was made"))
    }
}

fn ids_of(rows: &[Value]) -> Ids {
    let mut ids = Ids::new();
    for row in rows {
        if let Some(id) = native::id(row) {
            // The first of a name counts.
            ids.entry(text(&row["name"]).trim().to_lowercase()).or_insert(id);
        }
    }
    ids
}
