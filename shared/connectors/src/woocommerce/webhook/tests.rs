//! Recorded deliveries are let in byte for byte, and nothing that differs from them.

use koppel_core::document::Entity;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const RECORDED: &str = include_str!("../fixtures/webhook-deliveries.json");

fn recorded() -> (String, Vec<Delivery>) {
    let file: Value = serde_json::from_str(RECORDED).unwrap();
    let deliveries = file["deliveries"].as_array().unwrap().iter().map(|delivery| Delivery {
        headers: delivery["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body: delivery["body"].as_str().unwrap().as_bytes().to_vec(),
    });
    (file["secret"].as_str().unwrap().to_owned(), deliveries.collect())
}

/// The recorded order, and who verifies it.
fn order() -> (Receiver, Delivery) {
    let (secret, mut deliveries) = recorded();
    (Receiver::new(&secret), deliveries.remove(1))
}

fn set(delivery: &Delivery, name: &str, value: &str) -> Delivery {
    let mut changed = without(delivery, name);
    changed.headers.push((name.to_owned(), value.to_owned()));
    changed
}

fn without(delivery: &Delivery, name: &str) -> Delivery {
    let mut changed = delivery.clone();
    changed.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    changed
}

/// The same headers with another body, signed with the recorded secret.
fn signed(delivery: &Delivery, body: &str) -> Delivery {
    let key = hmac::Key::new(hmac::HMAC_SHA256, recorded().0.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    Delivery { body: body.as_bytes().to_vec(), ..set(delivery, SIGNATURE, &signature) }
}

fn of_topic(delivery: &Delivery, resource: &str, event: &str) -> Delivery {
    let delivery = set(delivery, TOPIC, &format!("{resource}.{event}"));
    set(&set(&delivery, RESOURCE, resource), EVENT, event)
}

fn reason(result: Result<Hint, Refused>) -> (u16, &'static str) {
    let refused = result.unwrap_err();
    (refused.status, refused.reason)
}

#[test]
fn the_recorded_ping_and_the_recorded_order_are_known() {
    let (secret, deliveries) = recorded();
    let receiver = Receiver::new(&secret);
    assert_eq!(receiver.verify(&deliveries[0]), Ok(Hint::Ping));
    let Ok(Hint::Record { entity, key, delivery }) = receiver.verify(&deliveries[1]) else {
        panic!("{:?}", receiver.verify(&deliveries[1]))
    };
    assert_eq!((entity, key.as_str(), delivery.as_str().len()), (Entity::Orders, "24", 32));
}

#[test]
fn header_names_are_known_in_any_case() {
    let (receiver, mut delivery) = order();
    for (name, _) in &mut delivery.headers {
        *name = name.to_lowercase();
    }
    assert!(matches!(receiver.verify(&delivery), Ok(Hint::Record { .. })));
}

#[test]
fn a_ping_is_nothing_but_a_ping() {
    let (receiver, order) = order();
    let ping = recorded().1.remove(0);
    for body in ["webhook_id=", "webhook_id=x", "webhook_id=1&id=24", "id=1", "webhook_id=123456789012345678901"] {
        let other = Delivery { body: body.into(), ..ping.clone() };
        assert_eq!(reason(receiver.verify(&other)), (401, "no_signature"), "{body}");
    }
    assert_eq!(reason(receiver.verify(&set(&ping, TOPIC, "order.updated"))), (401, "no_signature"));
    assert_eq!(reason(receiver.verify(&set(&ping, CONTENT_TYPE, "application/json"))), (401, "no_signature"));
    assert_eq!(reason(receiver.verify(&without(&order, SIGNATURE))), (401, "no_signature"));
}

#[test]
fn what_is_refused_says_why() {
    let (receiver, order) = order();
    let twice = |name: &str| {
        let mut delivery = order.clone();
        let value = delivery.one(name).unwrap().unwrap().to_owned();
        delivery.headers.push((name.to_lowercase(), value));
        delivery
    };
    for name in [SIGNATURE, TOPIC, RESOURCE, EVENT, DELIVERY, CONTENT_TYPE] {
        assert_eq!(reason(receiver.verify(&twice(name))), (400, "header_twice"), "{name}");
    }
    for name in [TOPIC, RESOURCE, EVENT, DELIVERY] {
        assert_eq!(reason(receiver.verify(&without(&order, name))), (400, "no_header"), "{name}");
    }
    assert_eq!(reason(receiver.verify(&set(&order, TOPIC, "order.created"))), (400, "bad_header"));
    assert_eq!(reason(receiver.verify(&set(&order, DELIVERY, "1"))), (400, "bad_header"));
    assert_eq!(reason(receiver.verify(&set(&order, SIGNATURE, "not base64!"))), (401, "wrong_signature"));
    assert_eq!(reason(receiver.verify(&signed(&order, "<html>"))), (400, "not_json"));
    assert_eq!(reason(receiver.verify(&signed(&set(&order, CONTENT_TYPE, "text/plain"), "{}"))), (400, "not_json"));
    assert_eq!(reason(Receiver::new("other").verify(&order)), (401, "wrong_signature"));
    // Too large is said before anything is computed, signed or not.
    let large = format!("{{\"id\":1,\"note\":\"{}\"}}", "x".repeat(MAX_DELIVERY_BYTES));
    assert_eq!(reason(receiver.verify(&signed(&order, &large))), (413, "too_large"));
}

#[test]
fn topics_lead_to_what_is_read_or_nowhere() {
    let (receiver, order) = order();
    for event in ["created", "updated", "restored"] {
        assert!(matches!(receiver.verify(&of_topic(&order, "order", event)), Ok(Hint::Record { .. })), "{event}");
    }
    for (resource, event) in [("coupon", "updated"), ("customer", "restored"), ("action", "wc_x"), ("order", "odd")] {
        let hint = receiver.verify(&of_topic(&order, resource, event));
        assert_eq!(hint, Ok(Hint::Ignored { why: "topic" }), "{resource}.{event}");
    }
    let told = |resource: &str, body: &str| match receiver.verify(&signed(&of_topic(&order, resource, "updated"), body))
    {
        Ok(Hint::Record { entity, key, .. }) => format!("{entity} {key}"),
        other => format!("{other:?}"),
    };
    assert_eq!(told("customer", r#"{"id":3}"#), "customers 3");
    assert_eq!(told("product", r#"{"id":10,"type":"simple","parent_id":0}"#), "products 10");
    assert_eq!(told("product", r#"{"id":19,"type":"variation","parent_id":16}"#), "products 16");
    // Trashed: only the id is left.
    let deleted = signed(&of_topic(&order, "order", "deleted"), r#"{"id":24}"#);
    assert!(matches!(receiver.verify(&deleted), Ok(Hint::Record { key, .. }) if key.as_str() == "24"));
    // Gone before the delivery went out: an error in place of the order.
    let error = r#"{"code":"woocommerce_rest_shop_order_invalid_id","message":"Invalid ID.","data":{"status":404}}"#;
    assert_eq!(receiver.verify(&signed(&order, error)), Ok(Hint::Ignored { why: "no_id" }));
}

/// One change of a genuine delivery that must not be let in.
fn mutated(order: &Delivery, random: &mut StdRng) -> (&'static str, Delivery) {
    let mut delivery = order.clone();
    let at = random.random_range(0..delivery.body.len());
    let what = match random.random_range(0..9) {
        0 => {
            delivery.body[at] ^= 1 << random.random_range(0..8);
            "a flipped bit"
        }
        1 => {
            delivery.body.truncate(at);
            "a truncated body"
        }
        2 => {
            delivery.body.insert(at, random.random());
            "a byte too many"
        }
        3 => {
            delivery.body.remove(at);
            "a byte too few"
        }
        4 => {
            // The same document written in another way: with a space after a comma that is not inside a text.
            let json: Value = serde_json::from_slice(&delivery.body).unwrap();
            delivery.body = if random.random() {
                serde_json::to_vec_pretty(&json).unwrap()
            } else {
                // Slashes and letters beyond ASCII lose their escapes.
                serde_json::to_vec(&json).unwrap()
            };
            "the same JSON written anew"
        }
        5 => {
            let mut signature = delivery.one(SIGNATURE).unwrap().unwrap().as_bytes().to_vec();
            let at = random.random_range(0..signature.len());
            signature[at] ^= 1 << random.random_range(0..7);
            delivery = set(&delivery, SIGNATURE, &String::from_utf8_lossy(&signature));
            "a changed signature"
        }
        6 => {
            let secret: String = (0..random.random_range(0..40)).map(|_| random.random_range('a'..='z')).collect();
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            delivery = set(&delivery, SIGNATURE, &STANDARD.encode(hmac::sign(&key, &delivery.body)));
            "another secret"
        }
        7 => {
            let name = [SIGNATURE, TOPIC, RESOURCE, EVENT, DELIVERY, CONTENT_TYPE][random.random_range(0..6)];
            let value = delivery.one(name).unwrap().unwrap().to_owned();
            if random.random() {
                delivery = without(&delivery, name);
            } else {
                delivery.headers.insert(random.random_range(0..delivery.headers.len()), (name.to_lowercase(), value));
            }
            "a header missing or there twice"
        }
        _ => {
            let name = [SIGNATURE, TOPIC, RESOURCE, EVENT, DELIVERY, CONTENT_TYPE][random.random_range(0..6)];
            let value = delivery.one(name).unwrap().unwrap().to_owned();
            let at = random.random_range(0..value.len());
            delivery = set(&delivery, name, &format!("{}~{}", &value[..at], &value[at..]));
            "a header with something in it"
        }
    };
    (what, delivery)
}

#[test]
fn ten_thousand_mutated_deliveries_are_refused() {
    let (receiver, order) = order();
    let mut random = StdRng::seed_from_u64(7);
    let mut kinds = std::collections::BTreeMap::new();
    for round in 0..10_000 {
        let (what, delivery) = mutated(&order, &mut random);
        assert_ne!(delivery, order, "round {round}: {what} changed nothing");
        let result = receiver.verify(&delivery);
        assert!(!matches!(result, Ok(Hint::Record { .. } | Hint::Ping)), "round {round}: {what} was let in");
        *kinds.entry(what).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    assert!(kinds.values().all(|count| *count > 800), "{kinds:?}");
}
