//! The store on one DynamoDB table.
//!
//! Attributes: `pk` and `sk` (key), `version`, `value` (JSON text), `ends_ms` (exact end, what conditions look at) and
//! `expires_at` (the same in whole seconds, rounded up, for DynamoDB's own sweeping). The sweep may come days late, so
//! every read and every condition looks at `ends_ms` and treats an expired item as absent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValue};
use chrono::{DateTime, Utc};
use koppel_core::ports::{Clock, Condition, Item, Key, Store, StoreError};

use super::trouble::Trouble;

/// DynamoDB takes 400 KB an item with its key and names; what is above this limit would be refused with a less clear error.
pub const VALUE_MAX_BYTES: usize = 390 * 1024;
/// BatchGetItem takes this many keys.
const BATCH_KEYS: usize = 100;
/// Rounds for keys that DynamoDB left unprocessed.
const BATCH_ROUNDS: u32 = 8;
/// What DynamoDB calls it when somebody else was first.
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

type Attributes = HashMap<String, AttributeValue>;

/// [`Store`] on DynamoDB.
#[derive(Clone)]
pub struct DynamoStore {
    client: Client,
    table: String,
    clock: Arc<dyn Clock>,
}

impl DynamoStore {
    /// A store on `table`; `clock` decides what has expired.
    pub fn new(config: &SdkConfig, table: &str, clock: Arc<dyn Clock>) -> Self {
        Self { client: Client::new(config), table: table.to_owned(), clock }
    }

    fn now_ms(&self) -> AttributeValue {
        number(self.clock.now().timestamp_millis())
    }

    fn alive(&self, item: Item) -> Option<Item> {
        item.expires_at.is_none_or(|end| end > self.clock.now()).then_some(item)
    }

    /// Condition expression and its values.
    fn condition(&self, condition: Condition) -> Option<(&'static str, Attributes)> {
        match condition {
            Condition::Always => None,
            Condition::Absent => Some((
                "attribute_not_exists(pk) OR ends_ms <= :now",
                HashMap::from([(":now".to_owned(), self.now_ms())]),
            )),
            Condition::Version(version) => Some((
                "#version = :expected AND (attribute_not_exists(ends_ms) OR ends_ms > :now)",
                HashMap::from([(":expected".to_owned(), number(version)), (":now".to_owned(), self.now_ms())]),
            )),
        }
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key_of(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Trouble::of("DynamoDB GetItem", &error).store())?;
        answer.item().map(item_of).transpose().map(|item| item.and_then(|item| self.alive(item)))
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found: BTreeMap<Key, Item> = BTreeMap::new();
        // A key asked twice in one request is refused, so every key is asked once.
        let distinct: Vec<&Key> = keys.iter().collect::<HashSet<_>>().into_iter().collect();
        for part in distinct.chunks(BATCH_KEYS) {
            let mut asked: Vec<Attributes> = part.iter().map(|key| key_of(key)).collect();
            for round in 0..=BATCH_ROUNDS {
                if asked.is_empty() {
                    break;
                }
                if round == BATCH_ROUNDS {
                    let left = asked.len();
                    return Err(StoreError::Throttled(format!("DynamoDB BatchGetItem left {left} keys unprocessed")));
                }
                if round > 0 {
                    tokio::time::sleep(Duration::from_millis(25 << round)).await;
                }
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(asked))
                    .consistent_read(true)
                    .build()
                    .map_err(|error| StoreError::Unavailable(error.to_string()))?;
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(&self.table, request)
                    .send()
                    .await
                    .map_err(|error| Trouble::of("DynamoDB BatchGetItem", &error).store())?;
                for attributes in answer.responses().into_iter().flat_map(|tables| tables.values()).flatten() {
                    let item = item_of(attributes)?;
                    found.insert(item.key.clone(), item);
                }
                // Also how DynamoDB says that the answer reached its 16 MB.
                asked = answer
                    .unprocessed_keys()
                    .into_iter()
                    .flat_map(|tables| tables.values())
                    .flat_map(|rest| rest.keys().to_vec())
                    .collect();
            }
        }
        Ok(keys.iter().map(|key| found.get(key).cloned().and_then(|item| self.alive(item))).collect())
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        if value.len() > VALUE_MAX_BYTES {
            return Err(StoreError::Unavailable(format!(
                "the value under {}/{} has {} bytes; an item takes at most {VALUE_MAX_BYTES}",
                key.partition,
                key.sort,
                value.len()
            )));
        }
        // An update and not a put, because only an update can count the version up without reading it first.
        let (ends, update) = match expires_at {
            Some(end) => (Some(end), "SET #value = :value, ends_ms = :ends, expires_at = :sweep ADD #version :one"),
            None => (None, "SET #value = :value REMOVE ends_ms, expires_at ADD #version :one"),
        };
        let mut request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key_of(key)))
            .update_expression(update)
            .expression_attribute_names("#value", "value")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .expression_attribute_values(":one", number(1))
            // The answer repeats the value, so it is only asked for when the new version cannot be told without it.
            .return_values(match condition {
                Condition::Version(_) => ReturnValue::None,
                Condition::Always | Condition::Absent => ReturnValue::UpdatedNew,
            });
        if let Some(end) = ends {
            request = request
                .expression_attribute_values(":ends", number(end.timestamp_millis()))
                .expression_attribute_values(":sweep", number(end.timestamp_millis().div_euclid(1000) + 1));
        }
        if let Some((expression, values)) = self.condition(condition) {
            request = request.condition_expression(expression);
            for (name, value) in values {
                request = request.expression_attribute_values(name, value);
            }
        }
        match (request.send().await, condition) {
            (Ok(_), Condition::Version(version)) => Ok(version + 1),
            (Ok(answer), _) => number_in(answer.attributes().unwrap_or(&HashMap::new()), "version"),
            (Err(error), _) if error.code() == Some(CONDITION_FAILED) => Err(StoreError::ConditionFailed),
            (Err(error), _) => Err(Trouble::of("DynamoDB UpdateItem", &error).store()),
        }
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        let mut request = self.client.delete_item().table_name(&self.table).set_key(Some(key_of(key)));
        if let Some((expression, values)) = self.condition(condition) {
            request = request.condition_expression(expression).set_expression_attribute_values(Some(values));
            if matches!(condition, Condition::Version(_)) {
                request = request.expression_attribute_names("#version", "version");
            }
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some(CONDITION_FAILED) => Err(StoreError::ConditionFailed),
            Err(error) => Err(Trouble::of("DynamoDB DeleteItem", &error).store()),
        }
    }

    async fn query(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        // A start key outside the prefix is refused, so the two cases outside it are decided here.
        let mut start = match after {
            Some(after) if after.starts_with(prefix) && !after.is_empty() => {
                Some(key_of(&Key { partition: partition.to_owned(), sort: after.to_owned() }))
            }
            Some(after) if after > prefix => return Ok(Vec::new()),
            _ => None,
        };
        let mut items = Vec::new();
        while items.len() < limit {
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .expression_attribute_values(":pk", AttributeValue::S(partition.to_owned()))
                .expression_attribute_values(":now", self.now_ms())
                .filter_expression("attribute_not_exists(ends_ms) OR ends_ms > :now")
                .limit(i32::try_from(limit - items.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            request = if prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            };
            let answer = request.send().await.map_err(|error| Trouble::of("DynamoDB Query", &error).store())?;
            for attributes in answer.items() {
                items.extend(self.alive(item_of(attributes)?));
            }
            match answer.last_evaluated_key() {
                Some(last) => start = Some(last.clone()),
                None => break,
            }
        }
        Ok(items)
    }
}

fn key_of(key: &Key) -> Attributes {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.partition.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sort.clone())),
    ])
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item_of(attributes: &Attributes) -> Result<Item, StoreError> {
    let expires_at = match attributes.contains_key("ends_ms") {
        true => DateTime::from_timestamp_millis(number_in(attributes, "ends_ms")?),
        false => None,
    };
    Ok(Item {
        key: Key { partition: text_in(attributes, "pk")?, sort: text_in(attributes, "sk")? },
        value: text_in(attributes, "value")?,
        version: number_in(attributes, "version")?,
        expires_at,
    })
}

fn text_in(attributes: &Attributes, name: &str) -> Result<String, StoreError> {
    attributes.get(name).and_then(|value| value.as_s().ok()).cloned().ok_or_else(|| damaged(name))
}

fn number_in<N: std::str::FromStr>(attributes: &Attributes, name: &str) -> Result<N, StoreError> {
    let text = attributes.get(name).and_then(|value| value.as_n().ok()).ok_or_else(|| damaged(name))?;
    text.parse().map_err(|_| damaged(name))
}

fn damaged(name: &str) -> StoreError {
    StoreError::Unavailable(format!(
        "an item in the table has no readable «{name}»; something else wrote into the table"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_another_program_is_named_and_not_guessed() {
        let mut attributes = key_of(&Key { partition: "main#x".into(), sort: "1".into() });
        attributes.insert("value".into(), AttributeValue::S("{}".into()));
        attributes.insert("version".into(), number(3));
        assert_eq!(item_of(&attributes).unwrap().version, 3);
        attributes.insert("version".into(), AttributeValue::S("three".into()));
        assert!(item_of(&attributes).unwrap_err().to_string().contains("«version»"));
    }
}
