//! Pictures of items: attachments, which only who shows the token gets.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;
use serde_json::{Value, json};

use crate::http::Answer;
use crate::visma_net::client::Client;
use crate::visma_net::wire;

/// Endings of files that are pictures, and their media types.
const KINDS: [(&str, &str); 5] =
    [("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("png", "image/png"), ("gif", "image/gif"), ("webp", "image/webp")];

/// The pictures among the attachments of an item, in their order: nothing marks the main one.
pub(super) fn of_item(client: &Client, item: &Value) -> Vec<Value> {
    let all = item.get("attachments").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|file| {
        let (id, name) = (wire::field(file, "id")?, wire::field(file, "name")?);
        kind(&name)?;
        let revision = wire::field(file, "revision").unwrap_or_default();
        // The name goes along: an attachment is called by its id alone, and shops want a name with an ending.
        let url = client.address(&format!("v1/attachment/{id}?name={}", crate::http::request::encode(&name)));
        Some(json!({ "url": url, "name": name, "version": format!("{id}@{revision}") }))
    })
    .collect()
}

fn kind(name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1.to_lowercase();
    KINDS.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind)
}

/// Reads a picture of this company. Pictures elsewhere are left alone: the token goes to Visma Net and nowhere else.
pub(super) async fn fetch(client: &Client, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
    let name = url.rsplit_once("?name=").map(|(_, name)| name).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    let Some(answer) = client.file(url, "attachment", calls).await? else { return Ok(None) };
    // Files come without a type of their own.
    let told = answer.header("content-type").is_some_and(|kind| kind.starts_with("image/"));
    let answer = match kind(&name) {
        Some(kind) if !told => Answer { headers: vec![("content-type".into(), kind.into())], ..answer },
        _ => answer,
    };
    Ok(answer.picture(url).map(|picture| Picture { name, ..picture }))
}
