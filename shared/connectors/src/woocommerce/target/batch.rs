//! Many records a call: `POST …/batch` takes a hundred, and answers each of them by itself.
//!
//! A shop on a slow host may need longer for a hundred products than its web server waits. So a call that was lost or
//! refused as too large makes the following ones smaller, and they stay so as long as the process lives.

use std::sync::atomic::{AtomicUsize, Ordering};

use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Map, Value, json};

use super::refused;
use crate::woocommerce::client::WooCommerceClient;
use crate::woocommerce::judge::TOO_LARGE;

/// What WooCommerce takes at once.
const LARGEST: usize = 100;
/// Most bytes of a body: hosts set their own limit, and descriptions can be long.
const MOST_BYTES: usize = 1024 * 1024;

/// One record of a batch.
#[derive(Clone, Debug)]
pub struct Item {
    /// What to change; `None` creates.
    pub id: Option<u64>,
    /// Its fields.
    pub body: Map<String, Value>,
    /// What a merchant calls it, for messages.
    pub label: String,
}

/// Answers to the records of a batch, in their order.
pub type Answers = Vec<Result<Value, Failure>>;

/// Sends batches to one shop.
#[derive(Debug)]
pub struct Batches {
    size: AtomicUsize,
}

impl Batches {
    /// With the option `batch_size`.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let size = match connection.option("batch_size") {
            None => LARGEST,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if (1..=LARGEST).contains(&size) => size,
                _ => {
                    return Err(Failure::settings(
                        Cause::new("bad_option", format!("«{text}» is not a size of a batch"))
                            .advice("give a number from 1 to 100")
                            .in_row("batch_size")
                            .at_connection(&connection.name),
                    ));
                }
            },
        };
        Ok(Self { size: AtomicUsize::new(size) })
    }

    /// Sends all items to `path`. Of each answer come the id, and what `fields` names.
    ///
    /// An error of the whole means that nothing is known of any of them. When some have their answer already, what ended
    /// the rest is told of each of the rest.
    pub async fn send(
        &self,
        client: &WooCommerceClient,
        path: &str,
        items: &[Item],
        fields: &[&str],
        calls: &Calls,
    ) -> Result<Answers, Failure> {
        let mut answers: Answers = Vec::with_capacity(items.len());
        while answers.len() < items.len() {
            let left = &items[answers.len()..];
            let group = &left[..fitting(left, self.size.load(Ordering::Relaxed))];
            match call(client, path, group, fields, calls).await {
                Ok(list) => answers.extend(list),
                Err(failure) if is_too_large(&failure) => {
                    // Nothing of it was done.
                    if group.len() == 1 {
                        answers.push(Err(failure));
                    } else {
                        self.shrink(group.len());
                    }
                }
                Err(failure) => {
                    if matches!(&failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }) {
                        self.shrink(group.len());
                    }
                    if answers.is_empty() {
                        return Err(failure);
                    }
                    answers.extend(left.iter().map(|_| Err(failure.clone())));
                }
            }
        }
        Ok(answers)
    }

    fn shrink(&self, from: usize) {
        let smaller = (from / 2).max(1);
        tracing::info!(from, smaller, "the shop cannot take so many records at once");
        self.size.fetch_min(smaller, Ordering::Relaxed);
    }
}

/// How many of these go into one call: at least one.
fn fitting(items: &[Item], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |item: &&Item| {
        bytes += serde_json::to_string(&item.body).map_or(0, |text| text.len());
        bytes <= MOST_BYTES
    };
    items.iter().take(most.max(1)).take_while(fits).count().max(1)
}

async fn call(
    client: &WooCommerceClient,
    path: &str,
    items: &[Item],
    fields: &[&str],
    calls: &Calls,
) -> Result<Answers, Failure> {
    let mut groups: [(&str, Vec<Value>); 2] = [("create", Vec::new()), ("update", Vec::new())];
    let mut places = Vec::with_capacity(items.len());
    let mut wanted = Vec::new();
    for item in items {
        let (name, group) = &mut groups[usize::from(item.id.is_some())];
        let mut body = item.body.clone();
        if let Some(id) = item.id {
            body.insert("id".into(), json!(id));
        }
        // A hundred whole products are 200 KiB of answer or more.
        wanted.extend(["id", "error"].iter().chain(fields).map(|field| format!("{name}.{}.{field}", group.len())));
        places.push((*name, group.len()));
        group.push(Value::Object(body));
    }
    let body: Map<String, Value> = groups
        .into_iter()
        .filter(|(_, group)| !group.is_empty())
        .map(|(name, group)| (name.to_owned(), Value::Array(group)))
        .collect();
    let answer = client.post(path, Value::Object(body), Some(&wanted.join(",")), calls).await?;
    let answers = items.iter().zip(places).map(|(item, (name, at))| {
        let one = answer.get(name)?.get(at)?;
        match one.get("error") {
            Some(error) => Some(Err(refused::failure(error, &item.label))),
            None => one.get("id").map(|_| Ok(one.clone())),
        }
    });
    // An answer that does not speak of every record leaves open what became of them.
    answers.collect::<Option<Answers>>().ok_or_else(|| {
        let cause = Cause::new("unexpected_answer", "the shop did not answer each record of a batch")
            .advice("look for a plugin that changes the REST API");
        Failure::retry(RetryReason::OutcomeUnknown, None, cause)
    })
}

fn is_too_large(failure: &Failure) -> bool {
    matches!(failure, Failure::Reject(cause) if cause.code == TOO_LARGE)
}
