//! The picture of an item. Exact keeps one, and gives it only to who shows the token.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;
use ring::digest::{SHA256, digest};

use crate::exact_online::client::Client;

const PICTURES: &str = "pictures";

/// Reads a picture from the site itself. Pictures elsewhere are left alone: the token goes to the site and nowhere else.
pub(super) async fn fetch(client: &Client, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
    let Some(answer) = client.file(url, PICTURES, calls).await? else { return Ok(None) };
    let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let Some(ending) = media_type.strip_prefix("image/").filter(|_| !answer.body.is_empty()) else { return Ok(None) };
    let sha256: String = digest(&SHA256, &answer.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Picture {
        url: url.to_owned(),
        // The address names no file, and shops want a name with an ending.
        name: format!("{}.{ending}", &sha256[..16]),
        media_type: media_type.to_owned(),
        sha256,
        bytes: answer.body,
    }))
}
