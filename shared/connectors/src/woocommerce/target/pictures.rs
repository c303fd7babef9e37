//! Pictures: sent to the shop once, and remembered with the product that shows them.
//!
//! The keys of WooCommerce do not open the media of WordPress. With an application password the content is uploaded and
//! the product is given the id; without one the shop may fetch the pictures itself, where the connection says that their
//! addresses are public. Otherwise pictures are left alone.
//!
//! Giving a product the same address twice would store the picture twice, so a product remembers in its own meta data
//! where each picture came from.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;
use serde_json::{Map, Value, json};

use crate::http::Request;
use crate::woocommerce::client::{WooCommerceClient, WordPressUser, unexpected};
use crate::woocommerce::native::{self, text};

/// Meta key under which a product remembers its pictures.
pub const MEMORY: &str = "_koppel_pictures";

/// A picture that a product has, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub url: String,
    pub version: String,
    pub sha256: String,
    pub name: String,
    pub id: u64,
}

impl Known {
    fn of(entry: &Value) -> Option<Self> {
        let field = |name: &str| text(&entry[name]);
        let id = native::id(entry)?;
        let (url, version) = (field("url"), field("version"));
        Some(Self { url, version, sha256: field("sha256"), name: field("name"), id })
    }

    fn stored(&self) -> Value {
        json!({
            "url": self.url, "version": self.version, "sha256": self.sha256, "name": self.name, "id": self.id,
        })
    }

    /// As rows write it.
    pub fn shown(&self) -> Value {
        json!({ "url": self.url, "version": self.version, "name": self.name })
    }
}

/// The pictures that a product or variation remembers and still shows, in the order of their memory.
pub fn remembered(row: &Value) -> Vec<Known> {
    let mut shown: Vec<u64> = native::list(&row["images"]).iter().filter_map(native::id).collect();
    shown.extend(native::id(&row["image"]));
    let meta = native::meta(row);
    native::list(&meta[MEMORY]).iter().filter_map(Known::of).filter(|known| shown.contains(&known.id)).collect()
}

/// Meta data that remembers these pictures.
pub fn memory(known: &[Known]) -> Value {
    json!([{ "key": MEMORY, "value": known.iter().map(Known::stored).collect::<Vec<_>>() }])
}

/// Pictures as the shop takes them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// Entries of `images`.
    pub images: Vec<Value>,
    /// What is to be remembered of each; the id of those that the shop fetches itself comes with the answer.
    pub known: Vec<Known>,
}

impl Resolved {
    /// The shop fetches some of them itself.
    pub fn has_links(&self) -> bool {
        self.known.iter().any(|known| known.id == 0)
    }
}

/// Sends pictures to one shop.
#[derive(Debug)]
pub struct Pictures {
    user: Option<WordPressUser>,
    links: bool,
    /// Pictures that were uploaded by this process, by their content: the same one may belong to several products.
    sent: Mutex<BTreeMap<String, u64>>,
}

impl Pictures {
    /// With the option `picture_links`.
    pub fn new(connection: &Connection, user: Option<WordPressUser>) -> Self {
        Self { user, links: connection.flag("picture_links"), sent: Mutex::default() }
    }

    /// The pictures that rows name. `None` when none of them can be given to the shop: it keeps what it has.
    pub async fn resolve(
        &self,
        client: &WooCommerceClient,
        wanted: &[Value],
        remembered: &[Known],
        contents: &[Picture],
        calls: &Calls,
    ) -> Result<Option<Resolved>, Failure> {
        let mut resolved = Resolved::default();
        for entry in wanted {
            let (url, version) = (text(&entry["url"]), text(&entry["version"]));
            if url.is_empty() {
                continue;
            }
            let content = contents.iter().find(|picture| picture.url == url);
            let by_address = remembered.iter().find(|known| known.url == url && known.version == version);
            let by_content = content.and_then(|picture| remembered.iter().find(|known| known.sha256 == picture.sha256));
            let id = match by_address.or(by_content) {
                Some(known) => Some(known.id),
                None => match content {
                    Some(picture) => self.upload(client, picture, calls).await?,
                    None => None,
                },
            };
            let link = self.user.is_none() && self.links && url.starts_with("https://");
            let name = text(&entry["name"]);
            let mut image = match id {
                Some(id) => json!({ "id": id }),
                None if link => json!({ "src": url }),
                None => continue,
            };
            if !name.is_empty() {
                image["alt"] = json!(name);
            }
            let sha256 = content
                .map(|picture| picture.sha256.clone())
                .or_else(|| by_address.map(|known| known.sha256.clone()))
                .unwrap_or_default();
            resolved.images.push(image);
            resolved.known.push(Known { url, version, sha256, name, id: id.unwrap_or_default() });
        }
        Ok((!resolved.images.is_empty() || wanted.is_empty()).then_some(resolved))
    }

    /// Uploads a picture unless this process has done so already. One that the shop does not want is left out: it must
    /// not hold back a price.
    async fn upload(
        &self,
        client: &WooCommerceClient,
        picture: &Picture,
        calls: &Calls,
    ) -> Result<Option<u64>, Failure> {
        let Some(user) = &self.user else { return Ok(None) };
        if let Some(id) = self.known(&picture.sha256) {
            return Ok(Some(id));
        }
        let request = Request::post("wp-json/wp/v2/media")
            .query("_fields", "id")
            .header("Content-Disposition", format!("attachment; filename=\"{}\"", file_name(picture)))
            .file(&picture.media_type, picture.bytes.clone());
        let answer = match client.wordpress(user, request, calls).await {
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
        let id = native::id(&answer).ok_or_else(|| unexpected("a picture"))?;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(picture.sha256.clone(), id);
        Ok(Some(id))
    }

    fn known(&self, sha256: &str) -> Option<u64> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).copied()
    }
}

/// Puts the ids that the shop gave to pictures it fetched itself where they are remembered.
pub fn learn(known: &[Known], answer: &Value) -> Option<Map<String, Value>> {
    let ids: Vec<u64> = match native::id(&answer["image"]) {
        Some(id) => vec![id],
        None => native::list(&answer["images"]).iter().filter_map(native::id).collect(),
    };
    if ids.len() != known.len() {
        return None;
    }
    let known: Vec<Known> = known.iter().zip(ids).map(|(known, id)| Known { id, ..known.clone() }).collect();
    Some(Map::from_iter([("meta_data".to_owned(), memory(&known))]))
}

/// A file name that WordPress takes as it is. Without an ending it would not know what it is.
fn file_name(picture: &Picture) -> String {
    let clean = |text: &str| {
        let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let text: String = text.chars().map(kept).collect();
        text.trim_matches('-').to_owned()
    };
    let (stem, given) = match picture.name.rsplit_once('.') {
        Some((stem, ending)) if (1..=5).contains(&ending.len()) => (stem, Some(ending.to_lowercase())),
        _ => (picture.name.as_str(), None),
    };
    let stem = clean(stem);
    let stem = if stem.is_empty() { picture.sha256.chars().take(16).collect() } else { stem };
    let ending = match picture.media_type.as_str() {
        "image/jpeg" => "jpg".to_owned(),
        "image/svg+xml" => "svg".to_owned(),
        other => other.strip_prefix("image/").map(clean).or(given).unwrap_or_else(|| "jpg".into()),
    };
    format!("{stem}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_that_are_still_shown_are_remembered() {
        let entry = |url: &str, id: u64| json!({ "url": url, "version": "1", "sha256": "x", "name": "", "id": id });
        let row = json!({
            "images": [{ "id": 7 }, { "id": 9 }],
            "meta_data": [{ "key": MEMORY, "value": [entry("a", 7), entry("b", 8)] }],
        });
        let known = remembered(&row);
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].shown(), json!({ "url": "a", "version": "1", "name": "" }));
        let variation =
            json!({ "image": { "id": "8" }, "meta_data": [{ "key": MEMORY, "value": { "0": entry("b", 8) } }] });
        assert_eq!(remembered(&variation)[0].url, "b");
        assert!(remembered(&json!({ "images": [{ "id": 7 }], "meta_data": [] })).is_empty());
    }

    #[test]
    fn file_names_are_plain_and_have_an_ending() {
        let name = |name: &str, media_type: &str| {
            let (name, media_type) = (name.to_owned(), media_type.to_owned());
            file_name(&Picture { url: String::new(), name, media_type, sha256: "abc".into(), bytes: Vec::new() })
        };
        assert_eq!(name("Mok rood (één).JPG", "image/jpeg"), "Mok-rood----n.jpg");
        assert_eq!(name("photo", "image/png"), "photo.png");
        assert_eq!(name("", "image/svg+xml"), "abc.svg");
        assert_eq!(name("x\"\r\n.gif", "image/gif"), "x.gif");
    }
}
