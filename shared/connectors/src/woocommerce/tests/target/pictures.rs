//! Pictures.

use koppel_core::ports::target::Picture;

use super::server::{batch_answer, target};
use super::*;
use crate::http::testing::server::{Reply, Seen};

const USER: [(&str, &str); 2] = [("wp_user", "koppel"), ("wp_application_password", "abcd efgh")];
const ONE: &str = "https://books.test/1.jpg";
const TWO: &str = "https://books.test/2.jpg";

fn picture(url: &str, sha256: &str) -> Picture {
    let (name, media_type) = ("foto één.jpg".to_owned(), "image/jpeg".to_owned());
    Picture { url: url.into(), name, media_type, sha256: sha256.into(), bytes: b"bytes".to_vec() }
}

fn with_pictures(id: Option<&str>, urls: &[&str], pictures: Vec<Picture>) -> Change {
    let list: Vec<Value> = urls.iter().map(|url| json!({ "url": url, "version": "1", "name": "Mok" })).collect();
    let mut fields = json!({ "_pictures": list });
    if id.is_none() {
        fields["name"] = json!("Mok");
    }
    Change { pictures, ..change("MOK", id, fields) }
}

fn answer(seen: &Seen) -> Reply {
    match (seen.method.as_str(), seen.path.as_str()) {
        (_, "/wp-json/wp/v2/media") => Reply::json(201, json!({ "id": 70 })),
        ("GET", _) => {
            let memory = json!([{ "url": ONE, "version": "1", "sha256": "aa", "name": "Mok", "id": 70 }]);
            let row = json!({
                "id": 10, "type": "simple", "images": [{ "id": 70 }, { "id": 5 }],
                "meta_data": [{ "id": 1, "key": "_koppel_pictures", "value": memory }],
            });
            Reply::json(200, json!([row])).header("X-WP-Total", 1)
        }
        _ => Reply::json(200, batch_answer(&seen.body)),
    }
}

fn sent(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| format!("{} {}", seen.method, seen.path.trim_start_matches("/wp-json"))).collect()
}

#[tokio::test]
async fn a_picture_is_uploaded_once_and_remembered_with_the_product() {
    let (server, target) = target(json!({}), &USER, answer).await;
    let calls = Calls::default();
    let new = [with_pictures(None, &[ONE], vec![picture(ONE, "aa")])];
    target.send_records(Entity::Products, &new, &calls).await.unwrap().remove(0).unwrap();
    let seen = server.take();
    assert_eq!(sent(&seen), ["POST /wp/v2/media", "POST /wc/v3/products/batch"]);
    assert_eq!(seen[0].header("content-disposition"), Some("attachment; filename=\"foto---n.jpg\""));
    assert_eq!((seen[0].header("content-type"), seen[0].body.as_str()), (Some("image/jpeg"), "bytes"));
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    let created = &body["create"][0];
    assert_eq!(created["images"], json!([{ "id": 70, "alt": "Mok" }]));
    let memory = json!([{ "url": ONE, "version": "1", "sha256": "aa", "name": "Mok", "id": 70 }]);
    assert_eq!(created["meta_data"], json!([{ "key": "_koppel_pictures", "value": memory }]));

    // The same content elsewhere, and a picture that the product remembers: nothing is uploaded.
    let again = [with_pictures(None, &[TWO], vec![picture(TWO, "aa")]), with_pictures(Some("10"), &[ONE], Vec::new())];
    target.send_records(Entity::Products, &again, &calls).await.unwrap();
    assert_eq!(sent(&server.take()), ["GET /wc/v3/products", "POST /wc/v3/products/batch"]);
    assert!(!format!("{:?}", calls.take()).contains("abcd efgh"));
}

#[tokio::test]
async fn without_a_password_pictures_are_left_alone_or_fetched_by_the_shop() {
    let (server, silent) = target(json!({}), &[], answer).await;
    let change = [with_pictures(Some("10"), &[TWO], vec![picture(TWO, "bb")])];
    assert!(silent.send_records(Entity::Products, &change, &Calls::default()).await.unwrap()[0].is_ok());
    assert_eq!(sent(&server.take()), ["GET /wc/v3/products"], "nothing is written");

    let (server, linked) = target(json!({ "picture_links": true }), &[], |seen| {
        let mut reply = batch_answer(&seen.body);
        if seen.body.contains("src") {
            assert!(seen.query("_fields").unwrap().contains("create.0.images"));
            reply["create"][0]["images"] = json!([{ "id": 81 }]);
        }
        Reply::json(200, reply)
    })
    .await;
    let new = [with_pictures(None, &[TWO, "http://books.test/plain.jpg"], Vec::new())];
    assert!(linked.send_records(Entity::Products, &new, &Calls::default()).await.unwrap()[0].is_ok());
    let seen = server.take();
    assert_eq!(seen.len(), 2);
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(body["create"][0]["images"], json!([{ "src": TWO, "alt": "Mok" }]), "only what is encrypted");
    let body: Value = serde_json::from_str(&seen[1].body).unwrap();
    assert_eq!(body["update"][0]["meta_data"][0]["value"][0]["id"], 81, "remembered by the id that the shop gave");
}

#[tokio::test]
async fn a_picture_that_the_shop_refuses_holds_back_no_product_and_a_wrong_password_does() {
    let (server, picky) = target(json!({}), &USER, |seen| match seen.path.as_str() {
        "/wp-json/wp/v2/media" => Reply::json(400, json!({ "code": "rest_upload_unknown_error" })),
        _ => Reply::json(200, batch_answer(&seen.body)),
    })
    .await;
    let new = || [with_pictures(None, &[ONE], vec![picture(ONE, "aa")])];
    assert!(picky.send_records(Entity::Products, &new(), &Calls::default()).await.unwrap()[0].is_ok());
    let body: Value = serde_json::from_str(&server.take()[1].body).unwrap();
    assert_eq!(body["create"][0], json!({ "name": "Mok" }));

    let (_server, closed) =
        target(json!({}), &USER, |_| Reply::json(401, json!({ "code": "incorrect_password" }))).await;
    let failure = closed.send_records(Entity::Products, &new(), &Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "application_password_refused"), "{failure:?}");
}
