//! Reads the pictures that a product names from the source, so that the target can be given their content.

use std::collections::BTreeMap;
use std::sync::Arc;

use koppel_core::error::Failure;
use koppel_core::ports::target::Picture;
use koppel_core::ports::{Calls, Priority, Source};
use serde_json::{Map, Value};

use crate::Engine;
use crate::connections;
use crate::loaded::LoadedFlow;

/// Names under which target rows put pictures: `[{ url, version }]` and, within variations, `{ url, version }`.
const PICTURES: [&str; 2] = ["_pictures", "_picture"];

/// Pictures of one chunk; each is read once.
pub struct Pictures<'a> {
    engine: &'a Engine,
    flow: &'a LoadedFlow,
    source: Option<Arc<dyn Source>>,
    known: BTreeMap<String, Option<Picture>>,
}

impl<'a> Pictures<'a> {
    /// Nothing is read yet.
    pub fn of(engine: &'a Engine, flow: &'a LoadedFlow) -> Self {
        Self { engine, flow, source: None, known: BTreeMap::new() }
    }

    /// The content of every picture that these fields name.
    pub async fn fetch(&mut self, fields: &Map<String, Value>, calls: &Calls) -> Result<Vec<Picture>, Failure> {
        let mut urls = Vec::new();
        for (name, value) in fields {
            collect(name, value, &mut urls);
        }
        let mut pictures = Vec::new();
        for url in urls {
            if !self.known.contains_key(&url) {
                let picture = self.read(&url, calls).await?;
                self.known.insert(url.clone(), picture);
            }
            if let Some(Some(picture)) = self.known.get(&url) {
                pictures.push(Picture { url: url.clone(), ..picture.clone() });
            }
        }
        Ok(pictures)
    }

    async fn read(&mut self, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
        let source = match &self.source {
            Some(source) => source.clone(),
            None => {
                let flow = self.flow;
                let source = connections::source(self.engine, &flow.tenant, &flow.config, &flow.flow.from).await?;
                self.source.insert(source).clone()
            }
        };
        // Pictures go last when calls are short, and their calls keep to the time of the claims.
        source.fetch_picture(url, &calls.beside(Priority::Images)).await
    }
}

fn collect(name: &str, value: &Value, urls: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(name, item, urls)),
        Value::Object(fields) => {
            if PICTURES.contains(&name)
                && let Some(url) = fields.get("url").and_then(Value::as_str).filter(|url| !url.is_empty())
            {
                urls.push(url.to_owned());
            }
            for (name, value) in fields {
                collect(name, value, urls);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_product_and_of_its_variations_are_found() {
        let fields = serde_json::json!({
            "name": "Trui",
            "_pictures": [{ "url": "https://a/1", "version": "x" }, { "url": "" }],
            "_variations": [{ "sku": "S", "_picture": { "url": "https://a/2" } }, { "url": "https://a/3" }],
        });
        let mut urls = Vec::new();
        for (name, value) in fields.as_object().unwrap() {
            collect(name, value, &mut urls);
        }
        assert_eq!(urls, ["https://a/1", "https://a/2"]);
    }
}
