//! The picture of an item. Exact keeps one, and gives it only to who shows the token.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use koppel_core::ports::target::Picture;

use crate::exact_online::client::Client;

const PICTURES: &str = "pictures";

/// Reads a picture from the site itself. Pictures elsewhere are left alone: the token goes to the site and nowhere else.
pub(super) async fn fetch(client: &Client, url: &str, calls: &Calls) -> Result<Option<Picture>, Failure> {
    let picture = client.file(url, PICTURES, calls).await?.and_then(|answer| answer.picture(url));
    // The address names no file, and shops want a name with an ending.
    Ok(picture.map(|picture| {
        let ending = picture.media_type.trim_start_matches("image/");
        Picture { name: format!("{}.{ending}", &picture.sha256[..16]), ..picture }
    }))
}
