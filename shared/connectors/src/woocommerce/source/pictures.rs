//! The content of pictures that products name.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;

use crate::woocommerce::client::WooCommerceClient;

/// Reads a picture from the shop's own host. Pictures elsewhere are left alone: calls go to the shop and nowhere else.
pub async fn fetch(client: &WooCommerceClient, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
    let below = url.strip_prefix(client.base()).is_some_and(|rest| rest.starts_with('/'));
    if !below {
        return Ok(None);
    }
    Ok(client.file(url, calls).await?.and_then(|answer| answer.picture(url)))
}
