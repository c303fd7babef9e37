//! The content of pictures that products name.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;
use ring::digest::{SHA256, digest};

use crate::woocommerce::client::WooCommerceClient;

/// Reads a picture from the shop's own host. Pictures elsewhere are left alone: calls go to the shop and nowhere else.
pub async fn fetch(client: &WooCommerceClient, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
    let below = url.strip_prefix(client.base()).is_some_and(|rest| rest.starts_with('/'));
    if !below {
        return Ok(None);
    }
    let Some(answer) = client.file(url, calls).await? else { return Ok(None) };
    let media_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.starts_with("image/") || answer.body.is_empty() {
        return Ok(None);
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    Ok(Some(Picture {
        url: url.to_owned(),
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        media_type: media_type.to_owned(),
        sha256: digest(&SHA256, &answer.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        bytes: answer.body,
    }))
}
