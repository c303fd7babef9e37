//! Calls: signatures both ways, clocks, limits, pages, and what is recorded.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use koppel_core::error::RetryReason;
use koppel_core::ports::Clock;

use super::*;
use crate::ccv_shop::auth::date;
use crate::ccv_shop::client::CcvShopClient;
use crate::http::testing::server::TestServer;
use crate::http::testing::world;

/// The request is signed as the shop wants it, over exactly what was sent.
fn is_signed(seen: &Seen) -> bool {
    let keys = Keys::of(&connection("http://x", json!({}))).unwrap();
    let header = |name: &str| seen.header(name).unwrap_or_default();
    header("x-public") == "test_public"
        && keys.verify(&seen.method, &address(seen), seen.body.as_bytes(), header("x-date"), header("x-hash"))
}

fn client(url: &str, options: Value) -> CcvShopClient {
    let (_, _, deps) = world();
    CcvShopClient::new(&connection(url, options), &deps).unwrap()
}

#[tokio::test]
async fn requests_are_signed_over_what_is_sent_and_answers_are_verified() {
    let server = TestServer::start(|seen| {
        assert!(is_signed(seen), "{seen:?}");
        assert_eq!(seen.header("accept-language"), Some("de"));
        if seen.method == "GET" { page(seen, &[json!({"id": 1})]) } else { signed(seen, 204, "") }
    })
    .await;
    let client = client(&server.url, json!({ "language": "de" }));
    let calls = Calls::default();
    let query = [("productnumber", "A&B é/1".to_owned())];
    let found = client.page("products", &query, 0, 250, &calls).await.unwrap().unwrap();
    assert_eq!((found.items.len(), found.next), (1, None));
    client.change("products/42", json!({ "name": "Tür «3»", "price": 1.10 }), &calls).await.unwrap();
    assert_eq!(client.create("products", json!({}), &calls).await.unwrap(), None, "done without saying what");
    assert_eq!(server.take().len(), 3);
}

#[tokio::test]
async fn an_answer_that_was_changed_on_its_way_is_not_used() {
    let server = TestServer::start(|seen| {
        let reply = page(seen, &[json!({"id": 1})]);
        let body = reply.body.replace("\"id\":1", "\"id\":2");
        Reply { body, ..reply }
    })
    .await;
    let calls = Calls::default();
    let strict = client(&server.url, json!({}));
    let failure = strict.page("orders", &[], 0, 10, &calls).await.unwrap_err();
    assert!(matches!(&failure, Failure::Settings(cause) if cause.code == "answer_not_signed"), "{failure:?}");
    let warn = client(&server.url, json!({ "verify_answers": "warn" }));
    assert_eq!(warn.page("orders", &[], 0, 10, &calls).await.unwrap().unwrap().items[0]["id"], 2);
    assert!(warn.used_unsigned() && !strict.used_unsigned());
}

#[tokio::test]
async fn another_clock_is_learned_from_the_shop_with_one_more_try() {
    // The shop is twenty minutes ahead, and takes five.
    let times = Mutex::new(Vec::new());
    let server = TestServer::start(move |seen| {
        let told: chrono::DateTime<chrono::Utc> = seen.header("x-date").unwrap().parse().unwrap();
        let theirs: chrono::DateTime<chrono::Utc> = "2026-11-22T06:20:00Z".parse().unwrap();
        times.lock().unwrap().push(told);
        let reply = if (theirs - told).num_minutes().abs() >= 5 { error(401, "401.10") } else { page(seen, &[]) };
        reply.header("Date", theirs.to_rfc2822().replace("+0000", "GMT"))
    })
    .await;
    let client = client(&server.url, json!({}));
    let calls = Calls::default();
    for expected in [2, 1] {
        client.page("orders", &[], 0, 10, &calls).await.unwrap();
        assert_eq!(server.take().len(), expected, "learned once");
    }
    assert_eq!(client.seconds_ahead(), 1200);
    assert_eq!(date(client.now()), "2026-11-22T06:00:00Z");
}

#[tokio::test]
async fn keys_that_are_refused_though_the_clocks_agree_are_not_tried_again() {
    let server = TestServer::start(|_| error(401, "401.10").header("Date", "Sun, 22 Nov 2026 06:00:20 GMT")).await;
    let failure = client(&server.url, json!({})).page("orders", &[], 0, 10, &Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(_)) && failure.to_string().contains("API app"), "{failure}");
    assert_eq!(server.take().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_signed_long_before_it_went_out_is_signed_anew_and_says_nothing_of_the_keys() {
    // The first so many calls wait for seven minutes between signing and sending; the shop takes five.
    for (late, made) in [(1, Ok(2)), (5, Err(2))] {
        let (clock, _, deps) = world();
        let (theirs, waits) = (clock.clone(), AtomicUsize::new(late));
        let server = TestServer::start(move |seen| {
            if waits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                theirs.forward(420);
            }
            let (now, told) = (theirs.now(), seen.header("x-date").unwrap().parse::<chrono::DateTime<chrono::Utc>>());
            let old = (now - told.unwrap()).num_minutes() >= 5;
            let reply = if old { error(401, "401.10") } else { page(seen, &[]) };
            reply.header("Date", now.to_rfc2822().replace("+0000", "GMT"))
        })
        .await;
        let client = CcvShopClient::new(&connection(&server.url, json!({})), &deps).unwrap();
        let result = client.page("orders", &[], 0, 10, &Calls::default()).await;
        let calls = server.take().len();
        let is_retry =
            |failure: &Failure| matches!(failure, Failure::Retry { cause, .. } if cause.code == "signed_too_early");
        match result {
            Ok(_) => assert_eq!(Ok(calls), made),
            Err(failure) => {
                assert!(is_retry(&failure), "{failure:?}");
                assert_eq!(Err(calls), made);
            }
        }
    }
}

#[tokio::test]
async fn each_resource_has_its_own_limit_and_all_have_one_together() {
    let server = TestServer::start(|seen| page(seen, &[])).await;
    let (clock, _, deps) = world();
    let client = CcvShopClient::new(&connection(&server.url, json!({ "calls_per_minute": 10_000 })), &deps).unwrap();
    let calls = Calls::default();
    let mut made = 0;
    let failure = loop {
        match client.page("orders", &[], 0, 10, &calls).await {
            Ok(_) => made += 1,
            Err(failure) => break failure,
        }
    };
    // Four fifths of 150.
    assert_eq!(made, 120);
    let Failure::Retry { reason: RetryReason::Throttled, after: Some(after), cause } = failure else {
        panic!("{failure:?}")
    };
    assert_eq!(cause.place.connection.as_deref(), Some("shop"));
    assert!(client.page("products", &[], 0, 10, &calls).await.is_ok(), "another resource");
    assert!(client.page("orders/1/orderrows", &[], 0, 10, &calls).await.is_ok(), "rows are a resource of their own");
    clock.forward(i64::try_from(after.as_secs()).unwrap());
    assert!(client.page("orders", &[], 0, 10, &calls).await.is_ok());

    let own = CcvShopClient::new(&connection(&server.url, json!({ "calls_per_minute": 3 })), &deps).unwrap();
    server.take();
    for resource in ["brands", "labels", "packages", "suppliers"] {
        let _ = own.whole(resource, &[], &calls).await;
    }
    assert!(server.take().len() <= 3, "all together");
}

#[tokio::test]
async fn what_the_shop_says_of_a_limit_is_kept() {
    for (code, others_wait) in [("429.10", false), ("429.11", true)] {
        let refused = AtomicUsize::new(0);
        let server = TestServer::start(move |seen| match refused.fetch_add(1, Ordering::Relaxed) {
            0 => error(429, code),
            _ => page(seen, &[]),
        })
        .await;
        let (clock, _, deps) = world();
        let client = CcvShopClient::new(&connection(&server.url, json!({})), &deps).unwrap();
        let calls = Calls::default();
        let failure = client.page("orders", &[], 0, 10, &calls).await.unwrap_err();
        let Failure::Retry { reason: RetryReason::Throttled, after: Some(after), .. } = failure else {
            panic!("{failure:?}")
        };
        assert_eq!(after.as_secs(), 60);
        assert!(client.page("orders", &[], 0, 10, &calls).await.is_err(), "{code}: not asked again before that");
        assert_eq!(client.page("products", &[], 0, 10, &calls).await.is_err(), others_wait, "{code}");
        clock.forward(61);
        assert!(client.page("orders", &[], 0, 10, &calls).await.is_ok(), "{code}");
    }
}

#[tokio::test]
async fn a_record_that_the_shop_cannot_show_is_left_out_alone() {
    let server = TestServer::start(|seen| {
        let (start, size) = (seen.number("start"), seen.number("size"));
        let all: Vec<Value> = (0..40).map(|id| json!({ "id": id })).collect();
        if (start..start + size).contains(&17) { error(500, "500.20") } else { page(seen, &all) }
    })
    .await;
    let client = client(&server.url, json!({}));
    let found = client.all("orders", &[], 16, &Calls::default()).await.unwrap();
    let ids: Vec<u64> = found.iter().filter_map(|row| row["id"].as_u64()).collect();
    assert_eq!(ids, (0..40).filter(|id| *id != 17).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_shop_with_smaller_pages_is_read_to_the_end() {
    // One caps what it is asked for, the other refuses it.
    for refuses in [false, true] {
        let all: Vec<Value> = (0..130).map(|id| json!({ "id": id })).collect();
        let server = TestServer::start(move |seen| {
            if refuses && seen.number("size") > 100 {
                return error(400, "400.10");
            }
            let size = seen.number("size").min(50);
            let start = seen.number("start");
            let items: Vec<&Value> = all.iter().skip(start).take(size).collect();
            let next =
                (start + size < all.len()).then(|| format!("http://shop.test/x?start={}&size={size}", start + size));
            signed(seen, 200, &json!({ "items": items, "next": next }).to_string())
        })
        .await;
        let client = client(&server.url, json!({}));
        let found = client.all("orders", &[], 250, &Calls::default()).await.unwrap();
        assert_eq!(found.len(), 130);
        let asked = server.take().len();
        assert_eq!((asked, client.page_size()), if refuses { (4, 100) } else { (3, 250) });
    }
}

#[tokio::test]
async fn keys_of_webhooks_and_passwords_stay_out_of_what_is_recorded() {
    let server =
        TestServer::start(|seen| page(seen, &[json!({ "id": 1, "key": "webhook-key-1", "event": "orders.created" })]))
            .await;
    let client = client(&server.url, json!({}));
    let calls = Calls::default();
    assert_eq!(client.webhooks(&calls).await.unwrap()[0]["key"], "webhook-key-1");
    let _ = client.create("users", json!({ "username": "a", "password": "secret-of-a-user" }), &calls).await;
    let recorded = format!("{:?}", calls.take());
    assert!(recorded.contains("orders.created") && recorded.contains("username"), "{recorded}");
    for hidden in ["webhook-key-1", "secret-of-a-user", "test_secret", "test_public"] {
        assert!(!recorded.contains(hidden), "{hidden} in {recorded}");
    }
    assert!(!format!("{client:?}").contains("test_"));
}

#[test]
fn options_that_are_wrong_are_named() {
    let (_, _, deps) = world();
    for (option, value) in
        [("verify_answers", json!("perhaps")), ("language", json!("dutch")), ("page_size", json!(1000))]
    {
        let options = json!({ option: value });
        let failure = CcvShopClient::new(&connection("https://shop.test", options), &deps).unwrap_err();
        assert_eq!(failure.cause().place.row.as_deref(), Some(option));
    }
    for (option, value) in [
        ("order_statuses", json!(["sendt"])),
        ("look_back_days", json!(0)),
        ("time_zone", json!("Mars")),
        ("costs_vat_percent", json!("x")),
    ] {
        let options = json!({ option: value });
        let failure = CcvShopSource::new(&connection("https://shop.test", options), &deps).unwrap_err();
        assert_eq!(failure.cause().place.row.as_deref(), Some(option));
    }
    let near = CcvShopSource::new(&connection("https://shop.test", json!({ "order_statuses": ["sendt"] })), &deps);
    assert!(near.unwrap_err().to_string().contains("did you mean «sent»?"));
}
