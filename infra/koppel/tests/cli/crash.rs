//! `kill -9` of the local host at any moment, then start again: everything arrives once.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::bench::Bench;

/// Orders beside the recorded ones.
const ORDERS: u64 = 60;
/// How often the host is killed.
const KILLS: u64 = 12;
/// A claim of a killed host ends after 90 seconds, so the last one may have to be waited for.
const AT_MOST: Duration = Duration::from_secs(240);

fn dev(bench: &Bench) -> Child {
    bench.command(&["dev"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Orders in the books by reference, and how often each.
fn delivered(bench: &Bench) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for order in bench.sandbox().exact().documents("SalesOrders") {
        *count.entry(order["YourRef"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_at_any_moment_delivers_everything_once() {
    let bench = Bench::configured().await;
    let exact = bench.sandbox().exact();
    exact.set_switches(json!({ "minute_limit": null, "day_limit": null })).unwrap();
    let shop = bench.sandbox().woocommerce();
    // Copies of an order with rounding line, and of one of a company with contact.
    for (id, original) in (1000..1000 + ORDERS).zip([25_u64, 26].into_iter().cycle()) {
        let mut order = shop.documents("orders").into_iter().find(|o| o["id"] == original).unwrap();
        order["id"] = id.into();
        order["number"] = id.to_string().into();
        order["billing"]["email"] = format!("buyer{}@example.test", id % 17).into();
        assert!(shop.inspect("POST", "orders", &order).0 < 300);
    }
    // Without the limits of the books: this is about crashes, not about waiting.
    let unlimited = "division: 123456\n    calls_per_minute: 100000\n    calls_per_day: 1000000";
    let yaml = bench.example().replace("division: 123456", unlimited);
    bench.write(&yaml.replace("default_customer:", "# default_customer:"));
    bench.ok(&["apply"]);
    bench.ok(&["connect", "books", "--auto"]);

    // Moments that differ from kill to kill, the same in every test run.
    let mut moment = 40_u64;
    for _ in 0..KILLS {
        let mut host = dev(&bench);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        host.kill().unwrap();
        host.wait().unwrap();
        moment = (moment * 7 + 61) % 700;
    }
    let eligible = 6 + usize::try_from(ORDERS).unwrap();
    let (mut host, begun) = (dev(&bench), Instant::now());
    while delivered(&bench).len() < eligible && begun.elapsed() < AT_MOST {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    host.kill().unwrap();
    host.wait().unwrap();

    let count = delivered(&bench);
    let twice: Vec<&String> = count.iter().filter(|(_, n)| **n > 1).map(|(reference, _)| reference).collect();
    assert!(twice.is_empty(), "delivered twice: {twice:?}");
    assert_eq!(count.len(), eligible, "{}", bench.ok(&["status"]));
    let mut accounts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for account in exact.documents("Accounts") {
        let email = account["Email"].as_str().unwrap_or_default().to_owned();
        accounts.entry(email).or_default().push(account);
    }
    accounts.retain(|email, same| !email.is_empty() && same.len() > 1);
    assert!(accounts.is_empty(), "a customer is there twice: {accounts:#?}");
}
