//! The picture of a product: sent once, and remembered on our side, because the shop keeps neither its address nor a hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Calls, Condition, Key, Store};
use koppel_core::{Failure, Tenant};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ccv_shop::client::CcvShopClient;
use crate::ccv_shop::native::{self, is_yes, text};
use crate::http::Deps;

/// The picture that a product was given, and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub url: String,
    pub version: String,
    pub name: String,
    pub sha256: String,
    /// Id of the photo in the shop.
    pub photo: u64,
}

impl Known {
    /// As rows write it.
    pub fn shown(&self) -> Value {
        json!({ "url": self.url, "version": self.version, "name": self.name })
    }
}

/// Pictures of one shop.
pub struct Pictures {
    store: Arc<dyn Store>,
    tenant: Tenant,
    connection: String,
}

impl Pictures {
    /// For a connection.
    pub fn new(connection: &Connection, deps: &Deps) -> Self {
        let (tenant, connection) = (connection.tenant.clone(), connection.name.clone());
        Self { store: Arc::clone(&deps.store), tenant, connection }
    }

    /// What these products were given.
    pub async fn known(&self, products: &[u64]) -> Result<BTreeMap<u64, Known>, Failure> {
        let keys: Vec<Key> = products.iter().map(|product| self.key(*product)).collect();
        let items = if keys.is_empty() { Vec::new() } else { self.store.batch_get(&keys).await? };
        let known = products
            .iter()
            .zip(items)
            .filter_map(|(product, item)| Some((*product, serde_json::from_str(&item?.value).ok()?)));
        Ok(known.collect())
    }

    /// Makes the picture of a product the wanted one. One that the shop does not want holds nothing back.
    pub async fn show(
        &self,
        client: &CcvShopClient,
        product: u64,
        wanted: Option<&Value>,
        contents: &[Picture],
        calls: &Calls,
    ) -> Result<(), Failure> {
        let before = self.known(&[product]).await?.remove(&product);
        let Some(wanted) = wanted else {
            if let Some(before) = before {
                client.remove(&format!("productphotos/{}", before.photo), calls).await?;
                self.store.delete(&self.key(product), Condition::Always).await?;
            }
            return Ok(());
        };
        let mut known = Known {
            url: text(&wanted["url"]),
            version: text(&wanted["version"]),
            name: text(&wanted["name"]),
            ..Known::default()
        };
        // Without its content nothing can be sent: it is tried with the next change.
        let Some(content) = contents.iter().find(|picture| picture.url == known.url) else { return Ok(()) };
        known.sha256.clone_from(&content.sha256);
        if let Some(before) = before.as_ref().filter(|before| before.sha256 == content.sha256) {
            // The same picture under another address or name.
            if before.name != known.name {
                let path = format!("productphotos/{}", before.photo);
                client.change(&path, json!({ "alttext": known.name }), calls).await?;
            }
            known.photo = before.photo;
            return self.remember(product, &known).await;
        }
        let Some(photo) = upload(client, product, content, &known.name, calls).await? else { return Ok(()) };
        known.photo = photo;
        self.remember(product, &known).await?;
        if let Some(before) = before {
            client.remove(&format!("productphotos/{}", before.photo), calls).await?;
        }
        Ok(())
    }

    async fn remember(&self, product: u64, known: &Known) -> Result<(), Failure> {
        let text = serde_json::to_string(known).unwrap_or_default();
        self.store.put(&self.key(product), &text, Condition::Always, None).await?;
        Ok(())
    }

    fn key(&self, product: u64) -> Key {
        Key::new(&self.tenant, &["product-photo", &self.connection], product.to_string())
    }
}

impl std::fmt::Debug for Pictures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pictures").finish_non_exhaustive()
    }
}

/// Sends a picture as the main one; `None` when the shop does not want it.
async fn upload(
    client: &CcvShopClient,
    product: u64,
    picture: &Picture,
    name: &str,
    calls: &Calls,
) -> Result<Option<u64>, Failure> {
    let path = format!("products/{product}/productphotos");
    let mut body = json!({
        "file_type": file_type(picture), "source": STANDARD.encode(&picture.bytes), "is_mainphoto": true,
    });
    if !name.is_empty() {
        body["alttext"] = json!(name);
    }
    let answer = match client.create(&path, body, calls).await {
        Ok(answer) => answer,
        Err(Failure::Reject(cause)) => {
            tracing::warn!(picture = picture.name, %cause, "the shop refused a picture");
            return Ok(None);
        }
        // A picture that may or may not have arrived changes no record: sending it again leaves at most a spare one.
        Err(Failure::Retry { reason: RetryReason::OutcomeUnknown, after, cause }) => {
            return Err(Failure::Retry { reason: RetryReason::Unavailable, after, cause });
        }
        Err(failure) => return Err(failure),
    };
    if let Some(id) = answer.as_ref().and_then(native::id) {
        return Ok(Some(id));
    }
    // It was taken without saying as what: the newest main photo is it.
    let photos = client.whole(&path, &[], calls).await?;
    Ok(photos.iter().filter(|photo| is_yes(&photo["is_mainphoto"])).filter_map(native::id).max())
}

/// The ending of a file of this kind.
fn file_type(picture: &Picture) -> String {
    match picture.media_type.as_str() {
        "image/jpeg" | "image/jpg" => "jpg".to_owned(),
        other => match other.strip_prefix("image/") {
            Some(kind) if kind.bytes().all(|b| b.is_ascii_alphanumeric()) => kind.to_owned(),
            _ => {
                let ending = picture.name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
                ending.filter(|ending| (2..=4).contains(&ending.len())).unwrap_or_else(|| "jpg".into())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_file_follows_its_media_type() {
        let kind = |media_type: &str, name: &str| {
            let (name, media_type) = (name.to_owned(), media_type.to_owned());
            file_type(&Picture { url: String::new(), name, media_type, sha256: String::new(), bytes: Vec::new() })
        };
        assert_eq!((kind("image/jpeg", "x"), kind("image/png", "x")), ("jpg".into(), "png".into()));
        assert_eq!((kind("application/octet-stream", "A.GIF"), kind("", "a")), ("gif".into(), "jpg".into()));
    }
}
