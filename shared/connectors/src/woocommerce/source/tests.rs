//! Reading from a scripted shop whose list changes while it is read, and from the sandbox.

mod kept;
mod refunds;

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use koppel_core::error::RetryReason;
use koppel_core::ports::Clock;
use koppel_sandbox::{FaultAction, FaultRule, Handle, Options, Sandbox};
use serde_json::json;

use super::*;
use crate::http::testing::server::{Reply, Seen, TestServer};
use crate::http::testing::{connection, world};

const KEYS: [(&str, &str); 2] = [("key", "ck_one"), ("secret", "cs_two")];

/// A shop that pages by id as WooCommerce does.
#[derive(Default)]
struct Shop {
    orders: Vec<u64>,
    /// Ids that are counted but left out of pages, as some plugins do.
    hidden: BTreeSet<u64>,
    /// Most records a page, whatever is asked for.
    cap: usize,
    /// Gives no total.
    silent: bool,
    reads: usize,
}

impl Shop {
    fn new(ids: impl IntoIterator<Item = u64>) -> Self {
        Self { orders: ids.into_iter().collect(), cap: 100, ..Self::default() }
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        self.reads += 1;
        self.orders.sort_unstable();
        let size = seen.number("per_page").min(self.cap);
        let page: Vec<Value> = self
            .orders
            .iter()
            .skip(seen.number("offset"))
            .take(size)
            .filter(|id| !self.hidden.contains(id))
            .map(|id| json!({"id": id, "status": "processing", "billing": {"email": "a@b.test"}}))
            .collect();
        let past = seen.number("offset") >= self.orders.len();
        let total = if past { 0 } else { self.orders.len() };
        let reply = Reply::json(200, Value::Array(page));
        if self.silent { reply } else { reply.header("X-WP-Total", total) }
    }
}

/// Reads everything; `change` may change the shop after each page. Gives the ids in the order they were handed out.
async fn read_all(shop: Shop, page_size: u32, mut change: impl FnMut(usize, &mut Shop)) -> (Vec<u64>, usize) {
    let shop = Arc::new(Mutex::new(shop));
    let answering = Arc::clone(&shop);
    let server = TestServer::start(move |seen| answering.lock().unwrap().answer(seen)).await;
    let source = source(&server.url, json!({"page_size": page_size}));
    let mut query = query();
    let mut ids = Vec::new();
    for page in 0..200 {
        let fetched = source.fetch_page(&query, &Calls::default()).await.unwrap();
        ids.extend(fetched.records.iter().map(|record| record.key.as_str().parse::<u64>().unwrap()));
        query.page = fetched.next;
        if query.page.is_none() {
            let reads = shop.lock().unwrap().reads;
            return (ids, reads);
        }
        change(page, &mut shop.lock().unwrap());
    }
    panic!("the list never ended: {ids:?}");
}

fn source(url: &str, mut options: Value) -> WooCommerceSource {
    let (_, _, deps) = world();
    options["url"] = json!(url);
    WooCommerceSource::new(&connection("woocommerce", options, &KEYS), &deps).unwrap()
}

fn query() -> FetchQuery {
    FetchQuery { entity: Entity::Orders, since: "2026-11-22T06:00:00.7Z".parse().unwrap(), page: None }
}

#[tokio::test]
async fn a_quiet_list_is_read_once_and_in_few_calls() {
    for count in [0, 1, 2, 9, 10, 11, 19, 20, 250] {
        let (ids, reads) = read_all(Shop::new(1..=count), 10, |_, _| {}).await;
        assert_eq!(ids, (1..=count).collect::<Vec<_>>());
        // One record of each page is read twice.
        let fewest = usize::try_from(count.saturating_sub(1).div_ceil(9)).unwrap().max(1);
        assert_eq!(reads, fewest, "{count} orders");
    }
}

#[tokio::test]
async fn a_shop_that_tells_no_total_is_read_to_the_end() {
    for count in [0, 9, 10, 11, 28, 30] {
        let (ids, _) = read_all(Shop { silent: true, ..Shop::new(1..=count) }, 10, |_, _| {}).await;
        assert_eq!(ids, (1..=count).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn orders_that_leave_the_list_hide_no_others() {
    for page_size in [2, 3, 10] {
        for at in 0..4 {
            for gone in 1..=12_u64 {
                let (ids, _) = read_all(Shop::new(1..=12), page_size, |page, shop| {
                    if page == at {
                        shop.orders.retain(|id| *id != gone && *id != gone + 1);
                    }
                })
                .await;
                check(&ids, (1..=12).filter(|id| *id != gone && *id != gone + 1), &format!("{page_size} {at} {gone}"));
            }
        }
    }
}

#[tokio::test]
async fn a_list_that_keeps_shrinking_hides_nothing_that_stays() {
    let (ids, _) = read_all(Shop::new(1..=40), 5, |_, shop| {
        shop.orders.remove(0);
        shop.orders.remove(0);
    })
    .await;
    let stays: Vec<u64> = (1..=40).filter(|id| *id > 20).collect();
    check(&ids, stays.into_iter(), "shrinking");
}

#[tokio::test]
async fn orders_that_enter_the_list_shift_nothing_out() {
    // Even ids are on the list; old orders are modified during the run and enter it in front.
    let (ids, _) = read_all(Shop::new((1..=15).map(|n| n * 2)), 4, |page, shop| {
        shop.orders.push(2 * page as u64 + 1);
    })
    .await;
    check(&ids, (1..=15).map(|n| n * 2), "entering");
}

#[tokio::test]
async fn hidden_orders_and_capped_pages_end_and_miss_nothing() {
    for hidden in [
        vec![20],
        vec![19, 20],
        vec![10],
        vec![5, 6, 7, 8, 9, 10],
        vec![1, 2, 3],
        (2..=19).collect(),
        (1..=20).collect(),
    ] {
        for page_size in [3, 5, 20] {
            let hidden: BTreeSet<u64> = hidden.iter().copied().collect();
            let seen = (1..=20).filter(|id| !hidden.contains(id)).collect::<Vec<_>>();
            let (ids, _) = read_all(Shop { hidden: hidden.clone(), ..Shop::new(1..=20) }, page_size, |_, _| {}).await;
            check(&ids, seen.into_iter(), &format!("{hidden:?} {page_size}"));
        }
    }
    let (ids, _) = read_all(Shop { cap: 4, ..Shop::new(1..=23) }, 20, |page, shop| {
        if page == 2 {
            shop.orders.retain(|id| *id != 3 && *id != 11);
        }
    })
    .await;
    check(&ids, (1..=23).filter(|id| *id != 3 && *id != 11), "capped");
}

/// All that stayed were handed out, none twice.
fn check(ids: &[u64], stayed: impl Iterator<Item = u64>, what: &str) {
    let once: BTreeSet<u64> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len(), "{what}: handed out twice: {ids:?}");
    let missed: Vec<u64> = stayed.filter(|id| !once.contains(id)).collect();
    assert!(missed.is_empty(), "{what}: missed {missed:?} of {ids:?}");
}

#[tokio::test]
async fn the_filter_starts_early_and_in_utc() {
    let server = TestServer::start(|_| Reply::json(200, "[]")).await;
    source(&server.url, json!({})).fetch_page(&query(), &Calls::default()).await.unwrap();
    let seen = server.take().remove(0);
    assert_eq!(seen.path, "/wp-json/wc/v3/orders");
    assert_eq!(seen.query("modified_after"), Some("2026-11-22T05:59:00"));
    let rest = ["dates_are_gmt", "orderby", "order", "per_page", "dp", "status"].map(|name| seen.query(name));
    assert_eq!(rest, [Some("true"), Some("id"), Some("asc"), Some("100"), Some("6"), None]);
}

#[tokio::test]
async fn a_shop_that_breaks_on_a_page_gets_smaller_ones() {
    let server = TestServer::start(|seen| match seen.number("per_page") {
        100 => Reply::json(500, "{\"code\":\"internal_server_error\"}"),
        50 => Reply::lost(),
        _ => Reply::json(200, "[]"),
    })
    .await;
    let source = source(&server.url, json!({}));
    source.fetch_page(&query(), &Calls::default()).await.unwrap();
    let sizes: Vec<usize> = server.take().iter().map(|seen| seen.number("per_page")).collect();
    assert_eq!(sizes, [100, 50, 25]);
    source.fetch_page(&query(), &Calls::default()).await.unwrap();
    assert_eq!(server.take()[0].number("per_page"), 25, "the size is remembered");
}

#[tokio::test]
async fn a_shop_that_is_down_is_not_asked_for_less_than_the_smallest_page() {
    let server = TestServer::start(|_| Reply::json(503, "{}")).await;
    let failure = source(&server.url, json!({})).fetch_page(&query(), &Calls::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }));
    assert_eq!(server.take().len(), 3);
}

#[tokio::test]
async fn one_order_is_read_or_is_not_there() {
    let server = TestServer::start(|seen| match seen.path.rsplit('/').next() {
        Some("7") => Reply::json(200, "{\"id\":7,\"number\":\"W7\",\"status\":\"completed\"}"),
        Some("8") => Reply::json(200, "{\"id\":8,\"status\":\"trash\"}"),
        _ => Reply::json(404, "{\"code\":\"woocommerce_rest_shop_order_invalid_id\"}"),
    })
    .await;
    let source = source(&server.url, json!({}));
    let one = async |key: &str| {
        source.fetch_one(Entity::Orders, &RecordKey::new(key).unwrap(), &Calls::default()).await.unwrap()
    };
    assert_eq!(one("7").await.unwrap().label, "W7");
    assert!(one("8").await.is_none());
    assert!(one("9").await.is_none());
    let other = source.fetch_one(Entity::Stock, &RecordKey::new("1").unwrap(), &Calls::default()).await;
    assert!(matches!(other, Err(Failure::Settings(_))));
}

#[test]
fn options_that_make_no_sense_are_named() {
    let (_, _, deps) = world();
    for (options, row) in [(json!({"url": "https://x.test", "page_size": 500}), "page_size"), (json!({}), "url")] {
        let failure = WooCommerceSource::new(&connection("woocommerce", options, &KEYS), &deps).unwrap_err();
        assert!(matches!(&failure, Failure::Settings(cause) if cause.place.row.as_deref() == Some(row)), "{failure}");
    }
}

// What follows runs against the sandbox, which verifies signatures and credentials as WooCommerce does.

const SANDBOX_KEYS: [(&str, &str); 2] =
    [("key", "ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1"), ("secret", "cs_68568b8871d2d70d583699ea3665e0297f6ebe28")];

async fn sandbox(tls: bool, switches: Value) -> (Handle, tempfile::NamedTempFile) {
    let mut options = Options { ports: [("woocommerce".to_owned(), 0)].into(), ..Options::default() };
    options = options.switch("woocommerce", switches);
    if tls {
        options = options.tls("woocommerce");
    }
    let handle = Sandbox::start(options).await.unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(handle.ca_pem().unwrap_or_default().as_bytes()).unwrap();
    (handle, file)
}

/// A source on the sandbox's own time: signatures are only good for a quarter of an hour.
fn sandbox_source(handle: &Handle, ca_file: &tempfile::NamedTempFile, mut options: Value) -> WooCommerceSource {
    struct SandboxClock(koppel_sandbox::Clock);
    impl Clock for SandboxClock {
        fn now(&self) -> DateTime<Utc> {
            self.0.now()
        }
    }
    let (_, _, mut deps) = world();
    deps.clock = Arc::new(SandboxClock(handle.clock().clone()));
    options["url"] = json!(handle.woocommerce_url());
    if handle.ca_pem().is_some() {
        options["ca_file"] = json!(ca_file.path().to_str().unwrap());
    }
    WooCommerceSource::new(&connection("woocommerce", options, &SANDBOX_KEYS), &deps).unwrap()
}

async fn read_sandbox(source: &WooCommerceSource, calls: &Calls) -> Result<Vec<String>, Failure> {
    let mut query = FetchQuery { entity: Entity::Orders, since: "2020-01-01T00:00:00Z".parse().unwrap(), page: None };
    let mut labels = Vec::new();
    loop {
        let page = source.fetch_page(&query, calls).await?;
        labels.extend(page.records.into_iter().map(|record| record.label));
        query.page = page.next;
        if query.page.is_none() {
            return Ok(labels);
        }
    }
}

#[tokio::test]
async fn the_shop_accepts_every_way_to_show_the_keys() {
    let (plain, file) = sandbox(false, json!({})).await;
    for options in [json!({}), json!({"signature": "sha1"}), json!({"page_size": 4})] {
        let labels = read_sandbox(&sandbox_source(&plain, &file, options), &Calls::default()).await.unwrap();
        assert_eq!(labels, ["23", "24", "25", "26", "27", "28", "29", "30", "31"]);
    }
    let (tls, file) = sandbox(true, json!({})).await;
    for auth in ["auto", "basic", "query", "oauth1"] {
        let source = sandbox_source(&tls, &file, json!({"auth": auth}));
        assert_eq!(read_sandbox(&source, &Calls::default()).await.unwrap().len(), 9, "{auth}");
        let said = source.test_connection(&Calls::default()).await.unwrap();
        assert!(said.starts_with("WooCommerce "), "{said}");
    }
}

#[tokio::test]
async fn a_stripped_header_is_found_out_once() {
    let (handle, file) = sandbox(true, json!({"strip_authorization": true})).await;
    let source = sandbox_source(&handle, &file, json!({}));
    let calls = Calls::default();
    assert_eq!(read_sandbox(&source, &calls).await.unwrap().len(), 9);
    assert_eq!(calls.count(), 2, "basic once, then the query string");
    assert_eq!(read_sandbox(&source, &calls).await.unwrap().len(), 9);
    assert_eq!(calls.count(), 3, "the query string at once");
    let shown = format!("{:?}", calls.take());
    assert!(!shown.contains(SANDBOX_KEYS[0].1) && !shown.contains(SANDBOX_KEYS[1].1), "{shown}");
    let chosen = sandbox_source(&handle, &file, json!({"auth": "basic"}));
    let failure = read_sandbox(&chosen, &Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(_)) && failure.to_string().contains("Authorization header"), "{failure}");
}

#[tokio::test]
async fn a_wrong_secret_needs_new_credentials() {
    let (handle, file) = sandbox(false, json!({})).await;
    let (_, _, mut deps) = world();
    deps.clock = Arc::new(koppel_core::ports::SystemClock);
    let keys = [SANDBOX_KEYS[0], ("secret", "cs_wrong")];
    let options = json!({"url": handle.woocommerce_url()});
    let source = WooCommerceSource::new(&connection("woocommerce", options, &keys), &deps).unwrap();
    let failure = read_sandbox(&source, &Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "keys_refused"), "{failure}");
    drop(file);
}

#[tokio::test]
async fn maintenance_and_half_answers_pass() {
    let (handle, file) = sandbox(false, json!({})).await;
    let source = sandbox_source(&handle, &file, json!({"page_size": 25}));
    handle.fault("woocommerce", FaultRule::new(FaultAction::HtmlPage)).unwrap();
    let failure = read_sandbox(&source, &Calls::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{failure:?}");
    handle.fault("woocommerce", FaultRule::new(FaultAction::TruncatedBody)).unwrap();
    let failure = read_sandbox(&source, &Calls::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{failure:?}");
    assert_eq!(read_sandbox(&source, &Calls::default()).await.unwrap().len(), 9);
}
