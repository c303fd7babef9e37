//! Webhooks: registered in the sandbox, and its deliveries verified by what it issued.

use koppel_core::ports::webhook::{Delivery, Hint, HookState};
use koppel_core::ports::{WebhookAdmin, WebhookReceiver};

use super::*;
use crate::ccv_shop::webhook::{Admin, Receiver};

const URL: &str = "http://127.0.0.1:9/webhook/main/shop";

#[tokio::test]
async fn webhooks_are_made_and_their_keys_verify_deliveries() {
    for without_answer in [false, true] {
        let switches = if without_answer { json!({ "post_without_answer": ["webhooks"] }) } else { json!({}) };
        let world = World::new(switches, json!({})).await;
        let admin = Admin::new(&world.connection, &world.deps).unwrap();
        assert_eq!(admin.issued_secret(URL, &world.calls).await.unwrap(), None);
        for topic in admin.topics(Entity::Orders).iter().chain(admin.topics(Entity::Products)) {
            let hook = admin.register(topic, URL, "a secret of ours", &world.calls).await.unwrap();
            assert_eq!((hook.topic.as_str(), hook.url.as_str(), hook.state), (*topic, URL, HookState::Active));
        }
        assert!(admin.topics(Entity::Customers).is_empty(), "the shop tells nothing of them");
        let hooks = admin.list(&world.calls).await.unwrap();
        assert_eq!(hooks.len(), 8);
        let secret = admin.issued_secret(URL, &world.calls).await.unwrap().unwrap();
        assert_eq!(secret.lines().count(), 8);
        let recorded = format!("{:?}", world.calls.take());
        let receiver = Receiver::new(&secret);
        for line in secret.lines() {
            let parts: Vec<&str> = line.split(' ').collect();
            assert!(!recorded.contains(parts[1]), "the key of {} was recorded", parts[0]);
            let body = format!("{{\"id\":31,\"topic\":\"{}\"}}", parts[0]);
            let message = koppel_sandbox::ccv_shop::webhook_message(URL, body.as_bytes(), true);
            let hash = koppel_sandbox::ccv_shop::hmac_hex(parts[1], &message);
            let delivery = Delivery { headers: vec![("x-hash".into(), hash)], body: body.into_bytes() };
            let Ok(Hint::Record { entity, key, .. }) = receiver.verify(&delivery) else { panic!("{}", parts[0]) };
            assert_eq!((entity == Entity::Orders, key.as_str()), (parts[0].starts_with("orders"), "31"));
        }
        assert!(admin.enable(&hooks[0].id, "", &world.calls).await.is_ok_and(|hook| hook.state == HookState::Active));
    }
}
