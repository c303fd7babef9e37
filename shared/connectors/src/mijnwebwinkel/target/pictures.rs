//! Pictures: uploaded once, and remembered. The shop tells of a picture only its id, name and place, so which content it
//! has is kept in the store, by article.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::connection::Connection;
use koppel_core::ports::store::partition;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Calls, Condition, Key, Store};
use koppel_core::{Failure, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::MijnWebwinkelTarget;
use crate::http::Deps;
use crate::mijnwebwinkel::native::{many, number_of, text};

/// Most pictures of an article.
const MOST: usize = 15;

/// A picture that an article has, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub url: String,
    pub version: String,
    pub name: String,
    pub sha256: String,
    /// Id in the shop.
    pub id: String,
}

impl Known {
    /// As rows write it.
    pub fn shown(&self) -> Value {
        json!({"url": self.url, "version": self.version, "name": self.name})
    }
}

/// What is remembered of the pictures of one shop.
pub struct Memory {
    store: Arc<dyn Store>,
    tenant: Tenant,
    connection: String,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Memory {
    /// The memory of a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Self {
        Self { store: Arc::clone(&deps.store), tenant: connection.tenant.clone(), connection: connection.name.clone() }
    }

    fn key(&self, article: &str) -> Key {
        Key { partition: partition(&self.tenant, &["article-pictures", &self.connection]), sort: article.to_owned() }
    }

    /// Pictures that are remembered and still shown, in the order in which they are shown.
    pub async fn of(&self, article: &str, row: &Value) -> Result<Vec<Known>, Failure> {
        let item = self.store.get(&self.key(article)).await?;
        let known: Vec<Known> = item.and_then(|item| serde_json::from_str(&item.value).ok()).unwrap_or_default();
        let shown = in_order(row);
        let mut known: Vec<(usize, Known)> =
            known.into_iter().filter_map(|one| Some((shown.iter().position(|(id, _)| *id == one.id)?, one))).collect();
        known.sort_by_key(|(at, _)| *at);
        Ok(known.into_iter().map(|(_, one)| one).collect())
    }

    async fn keep(&self, article: &str, known: &[Known]) -> Result<(), Failure> {
        let text = serde_json::to_string(known).unwrap_or_default();
        self.store.put(&self.key(article), &text, Condition::Always, None).await?;
        Ok(())
    }
}

/// Ids and positions of what an article shows.
fn in_order(row: &Value) -> Vec<(String, i64)> {
    let mut shown: Vec<(String, i64)> = many(&row["images"])
        .iter()
        .map(|image| (text(&image["id"]), number_of(&image["position"]).parse().unwrap_or_default()))
        .collect();
    shown.sort_by_key(|(_, position)| *position);
    shown
}

impl MijnWebwinkelTarget {
    /// Gives an article the pictures that rows name. Those that were put there by hand stay, behind them. A picture whose
    /// content cannot be had is passed over: it is tried with the next change.
    pub(super) async fn send_pictures(
        &self,
        article: &str,
        row: &Value,
        wanted: &[Value],
        contents: &[Picture],
        calls: &Calls,
    ) -> Result<(), Failure> {
        let before = self.memory.of(article, row).await?;
        let mut shown = in_order(row);
        let mut kept: Vec<Known> = Vec::new();
        let mut links: Vec<Known> = Vec::new();
        let mut uploads: Vec<(Known, &Picture)> = Vec::new();
        for entry in wanted.iter().take(MOST) {
            let (url, version, name) = (text(&entry["url"]), text(&entry["version"]), text(&entry["name"]));
            let content = contents.iter().find(|picture| picture.url == url);
            let same = |known: &&Known| {
                known.url == url && known.version == version
                    || content.is_some_and(|picture| picture.sha256 == known.sha256)
            };
            let fresh = |sha256: String, id: String| Known {
                url: url.clone(),
                version: version.clone(),
                name: name.clone(),
                sha256,
                id,
            };
            let older = || before.iter().find(|known| known.url == url);
            match (before.iter().find(same), content) {
                (Some(known), _) if kept.iter().any(|one| one.id == known.id) => {}
                (Some(known), _) => kept.push(fresh(known.sha256.clone(), known.id.clone())),
                (None, Some(picture)) => uploads.push((fresh(picture.sha256.clone(), String::new()), picture)),
                (None, None) if self.options.picture_links && url.starts_with("https://") => {
                    links.push(fresh(String::new(), String::new()));
                }
                // Its content cannot be had now: what the shop has of it stays, and it is tried again.
                (None, None) => kept.extend(older().cloned()),
            }
        }
        // What is no longer wanted makes room first.
        for gone in before.iter().filter(|known| !kept.iter().any(|one| one.id == known.id)) {
            self.client.delete_image(&gone.id, calls).await?;
            shown.retain(|(id, _)| *id != gone.id);
        }
        let mut free =
            (1..=MOST as i64).filter(|at| !shown.iter().any(|(_, taken)| taken == at)).collect::<Vec<_>>().into_iter();
        let mut placed: Vec<(Known, i64)> = Vec::new();
        for (known, picture) in &uploads {
            let Some(position) = free.next() else { break };
            let body = json!({"filename": file_name(picture), "position": position, "content": STANDARD.encode(&picture.bytes)});
            self.client.upload_image(article, body, calls).await?;
            placed.push((known.clone(), position));
        }
        if !links.is_empty() {
            let mut images: Vec<Value> = Vec::new();
            // The whole set: whether a part would replace the rest is not told.
            let now = if placed.is_empty() {
                row.clone()
            } else {
                self.client.article(article, calls).await?.unwrap_or_default()
            };
            let there = in_order(&now)
                .into_iter()
                .filter(|(id, _)| !before.iter().any(|known| known.id == *id && !kept.iter().any(|one| one.id == *id)));
            images.extend(there.map(|(id, position)| json!({"id": id, "position": position})));
            for known in &links {
                let Some(position) = free.next() else { break };
                images.push(json!({"position": position, "url": known.url}));
                placed.push((known.clone(), position));
            }
            self.client.update_article(article, json!({"images": images}), calls).await?;
        }
        if placed.is_empty() && kept.len() == before.len() {
            // The same pictures: their order, or what is known of them, may differ.
            return self.arrange(article, row, kept, calls).await;
        }
        let now = self.client.article(article, calls).await?.unwrap_or_default();
        let after = in_order(&now);
        let found = placed.into_iter().filter_map(|(known, position)| {
            let id = after.iter().find(|(_, taken)| *taken == position).map(|(id, _)| id.clone())?;
            Some(Known { id, ..known })
        });
        let mut all: Vec<Known> = kept;
        all.extend(found);
        all.sort_by_key(|known| wanted.iter().position(|entry| text(&entry["url"]) == known.url));
        self.arrange(article, &now, all, calls).await
    }

    /// Puts the pictures in the order of the rows, with all others behind them, and remembers them.
    async fn arrange(&self, article: &str, row: &Value, known: Vec<Known>, calls: &Calls) -> Result<(), Failure> {
        let shown = in_order(row);
        let others = shown.iter().map(|(id, _)| id).filter(|id| !known.iter().any(|one| one.id == **id));
        let order: Vec<&String> = known.iter().map(|one| &one.id).chain(others).collect();
        let is_so = shown.iter().map(|(id, _)| id).eq(order.iter().copied());
        if !is_so {
            let images: Vec<Value> =
                order.iter().enumerate().map(|(at, id)| json!({"id": id, "position": at + 1})).collect();
            self.client.update_article(article, json!({"images": images}), calls).await?;
        }
        self.memory.keep(article, &known).await
    }
}

/// A name with an ending: the shop goes by it.
fn file_name(picture: &Picture) -> String {
    let ending = match picture.media_type.as_str() {
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => "jpg",
    };
    let stem = picture.name.rsplit_once('.').map_or(picture.name.as_str(), |(stem, _)| stem);
    format!("{}.{ending}", if stem.is_empty() { "picture" } else { stem })
}
