//! CCV Shop: webhooks are made, delivered and signed.
// A helper of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Ccv;
use koppel_sandbox::ccv_shop;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Heads and bodies.
type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Takes requests down, and answers them all the same.
struct Receiver {
    address: String,
    seen: Seen,
}

impl Receiver {
    async fn open(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook?shop=1", listener.local_addr().unwrap());
        let seen = Seen::default();
        let list = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut data = Vec::new();
                let mut piece = [0; 4096];
                loop {
                    let end = data.windows(4).position(|four| four == b"\r\n\r\n");
                    if let Some(end) = end {
                        let head = String::from_utf8_lossy(&data[..end]).to_lowercase();
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                        let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                        if data.len() >= end + 4 + length {
                            list.lock().unwrap().push((head, data[end + 4..end + 4 + length].to_vec()));
                            break;
                        }
                    }
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => data.extend(&piece[..count]),
                    }
                }
                let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, seen }
    }

    async fn wait(&self, count: usize) -> Vec<(String, Vec<u8>)> {
        for _ in 0..200 {
            if self.seen.lock().unwrap().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // One too many would be here by now.
        tokio::time::sleep(Duration::from_millis(40)).await;
        let seen = self.seen.lock().unwrap().clone();
        assert_eq!(seen.len(), count, "{seen:?}");
        seen
    }
}

fn hash(head: &str) -> String {
    head.lines().find_map(|line| line.strip_prefix("x-hash: ")).unwrap_or_default().to_owned()
}

async fn hook(shop: &Ccv, event: &str, address: &str) -> Value {
    let made = shop.post("webhooks/", &json!({"event": event, "address": address})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

#[tokio::test]
async fn what_happens_to_an_order_is_told_and_signed_with_the_key_of_the_webhook() {
    let shop = Ccv::open(json!({})).await;
    let receiver = Receiver::open(200).await;
    let mut keys = Vec::new();
    for event in ["orders.updated.status", "orders.updated.ispaid", "orders.updated.trackandtrace"] {
        let made = hook(&shop, event, &receiver.address).await;
        assert_eq!((made["event"].as_str(), made["is_active"].as_bool()), (Some(event), Some(true)));
        keys.push(made["key"].as_str().unwrap().to_owned());
    }
    let change = json!({"status": 5, "paid": true, "track_and_trace_code": "3S1"});
    assert_eq!(shop.patch("orders/24/", &change).await.status, 204);
    let seen = receiver.wait(3).await;
    let bodies: Vec<Value> = seen.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
    for (at, (head, body)) in seen.iter().enumerate() {
        let message = ccv_shop::webhook_message(&receiver.address, body, true);
        assert_eq!(hash(head), ccv_shop::hmac_hex(&keys[at], &message));
    }
    let root = shop.sandbox.ccv_shop_url();
    assert_eq!(
        bodies[0],
        json!({"triggered_at": "2026-11-25T12:00:00Z", "href": format!("{root}/api/rest/v1/orders/24/"),
        "id": 24, "order_number": 1024, "ordernumber_prefix": "W", "ordernumber_full": "W1024", "total_price": 59.23,
        "customer_email": "jan@example.test", "customer_mobile": "", "previous_status": 2, "status": 5})
    );
    assert_eq!(bodies[1]["paid"], true);
    assert_eq!((bodies[2]["track_and_trace_code"].as_str(), bodies[2].get("status")), (Some("3S1"), None));
}

#[tokio::test]
async fn a_customer_places_an_order_and_only_its_id_is_told() {
    let shop = Ccv::open(json!({})).await;
    let receiver = Receiver::open(200).await;
    hook(&shop, "orders.created", &receiver.address).await;
    let gone = hook(&shop, "orders.deleted", &receiver.address).await;
    let inspector = shop.sandbox.ccv_shop();
    let order = json!({"paid": true, "total_shipping": 6.95, "customer": {"email": "x@example.test"},
        "orderrows": [{"sells": "MOK-WIT", "count": 2}, {"sells": "GRAV-G", "count": 1}]});
    let (status, told) = inspector.inspect("POST", "orders", &order);
    assert_eq!(status, 201, "{told}");
    let id = told["ids"][0].as_i64().unwrap();
    let seen = receiver.wait(1).await;
    assert_eq!(serde_json::from_slice::<Value>(&seen[0].1).unwrap(), json!({"id": id}));
    let read = shop.get(&format!("orders/{id}/")).await.json();
    assert_eq!(
        (read["total_price"].to_string(), shop.get("products/10/").await.json()["stock"].as_i64()),
        ("79.43".into(), Some(135))
    );
    // Staff cancels it, then removes it.
    assert_eq!(inspector.inspect("PATCH", &format!("orders/{id}"), &json!({"status": 8})).0, 204);
    assert_eq!(inspector.inspect("PATCH", &format!("orders/{id}"), &json!({"statu": 8})).0, 400);
    assert_eq!(shop.patch(&format!("webhooks/{}/", gone["id"]), &json!({"is_active": false})).await.status, 204);
    assert_eq!(inspector.inspect("DELETE", &format!("orders/{id}"), &json!({})).0, 204);
    assert_eq!(shop.get(&format!("orders/{id}/")).await.code(), "500.24");
    receiver.wait(1).await;
    assert_eq!(inspector.inspect("POST", "orders", &json!({"orderrows": [{"sells": "NIETS", "count": 1}]})).0, 400);
}

#[tokio::test]
async fn a_delivery_may_be_lost_sent_twice_or_tried_again() {
    let shop = Ccv::open(json!({"webhook_message": "body"})).await;
    let receiver = Receiver::open(500).await;
    let made = hook(&shop, "products.updated", &receiver.address).await;
    assert_eq!(shop.patch("products/10/", &json!({"stock": 1})).await.status, 204);
    let seen = receiver.wait(1).await;
    assert_eq!(hash(&seen[0].0), ccv_shop::hmac_hex(made["key"].as_str().unwrap(), &seen[0].1));
    shop.switch(json!({"webhook_retries": 2}));
    assert_eq!(shop.patch("products/10/", &json!({"stock": 2})).await.status, 204);
    receiver.wait(4).await;
    shop.switch(json!({"webhook_retries": 0, "webhook_duplicate_percent": 100}));
    assert_eq!(shop.patch("products/10/", &json!({"stock": 3})).await.status, 204);
    receiver.wait(6).await;
    shop.switch(json!({"webhook_drop_percent": 100}));
    assert_eq!(shop.patch("products/10/", &json!({"stock": 4})).await.status, 204);
    shop.switch(json!({"webhook_drop_percent": 0, "webhooks_for_api_writes": false}));
    assert_eq!(shop.patch("products/10/", &json!({"stock": 5})).await.status, 204);
    receiver.wait(6).await;
    let (_, counts) = shop.sandbox.ccv_shop().inspect("GET", "webhooks", &json!({}));
    assert_eq!((counts["waiting"].as_i64(), counts["failed"].as_i64()), (Some(0), Some(4)));
}

#[tokio::test]
async fn a_webhook_has_a_known_event_and_an_address() {
    let shop = Ccv::open(json!({})).await;
    for body in [
        json!({"event": "customers.created", "address": "http://127.0.0.1:1/"}),
        json!({"event": "orders.created", "address": "somewhere"}),
        json!({"event": "orders.created"}),
        json!({"event": "orders.created", "address": "http://127.0.0.1:1/", "key": "chosen"}),
    ] {
        assert_eq!(shop.post("webhooks/", &body).await.code(), "400.10", "{body}");
    }
    let made = hook(&shop, "orders.created", "http://127.0.0.1:1/").await;
    let path = format!("webhooks/{}/", made["id"]);
    assert_eq!(shop.patch(&path, &json!({"event": "orders.deleted"})).await.code(), "400.10");
    assert_eq!(shop.get("webhooks/").await.items().len(), 1);
    assert_eq!(shop.send("DELETE", &path, None, &[]).await.status, 204);
    assert!(shop.get("webhooks/").await.items().is_empty());
}

#[tokio::test]
async fn an_app_of_the_store_gets_the_keys_and_tells_that_it_is_installed() {
    let shop = Ccv::open(json!({})).await;
    let receiver = Receiver::open(200).await;
    let inspector = shop.sandbox.ccv_shop();
    let app = json!({"address": receiver.address, "secret": "app-secret"});
    assert_eq!(inspector.inspect("POST", "app/handshake", &app).0, 202);
    let seen = receiver.wait(1).await;
    let message = ccv_shop::webhook_message(&receiver.address, &seen[0].1, true);
    assert_eq!(hash(&seen[0].0), ccv_shop::hmac_hex("app-secret", &message));
    let told: Value = serde_json::from_slice(&seen[0].1).unwrap();
    assert_eq!(
        (told["api_public"].as_str(), told["api_root"].as_str()),
        (Some(shop.key.public), Some(shop.sandbox.ccv_shop_url()))
    );
    let (_, opened) = inspector.inspect("POST", "app/install", &app);
    let hash_of_install =
        ccv_shop::hmac_hex("app-secret", format!("{}|{}", receiver.address, shop.key.public).as_bytes());
    assert!(opened["url"].as_str().unwrap().ends_with(&format!("&language=nl&x-hash={hash_of_install}")));
    let apps = shop.get("apps/").await.items();
    assert_eq!((apps.len(), apps[0]["is_installed"].as_bool()), (1, Some(false)));
    assert_eq!(shop.patch("apps/1/", &json!({"is_installed": true})).await.status, 204);
    assert_eq!(shop.get("apps/1/").await.json()["is_installed"], true);
    let other = json!({"address": receiver.address, "secret": "app-secret", "uri": "/away"});
    assert_eq!(inspector.inspect("POST", "app/uninstall", &other).0, 202);
    let seen = receiver.wait(2).await;
    let message = ccv_shop::webhook_message("/away", &seen[1].1, true);
    assert_eq!(hash(&seen[1].0), ccv_shop::hmac_hex("app-secret", &message));
    assert_eq!(shop.get("apps/1/").await.json()["is_installed"], false);
    assert_eq!(inspector.inspect("POST", "app/handshake", &json!({"address": "x"})).0, 400);
}
