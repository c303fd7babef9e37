//! Nothing secret and nothing personal stands in the clear: not in a log, not in what a person is told of a failure of a system,
//! not in an alert by whatever channel, not in the file of the engine. Every flow of every example is run, also while both
//! systems fail, and while the books refuse what they are sent and quote an address of it.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use koppel_flows::{config, waiting};
use koppel_sandbox::{FaultAction, FaultRule, Inspector};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::channels;
use super::examples::{at, options, text_of, turn, whole};
use crate::chain::world::World;

/// Flows that are run while both systems fail now and then; each failure is waited for in real time.
const BAD_DAYS: [&str; 3] = ["customers", "invoices", "web-orders"];

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// E-mail addresses in the rows of a system.
fn addresses(system: &Inspector, tables: &[&str]) -> BTreeSet<String> {
    fn gather(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if text.contains('@') && text.ends_with(".test") && !text.contains([' ', '/']) => {
                found.insert(text.clone());
            }
            Value::Array(list) => list.iter().for_each(|one| gather(one, found)),
            Value::Object(fields) => fields.values().for_each(|one| gather(one, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    tables.iter().flat_map(|table| system.documents(table)).for_each(|row| gather(&row, &mut found));
    found
}

fn bad_days(system: &Inspector) {
    system.clear_faults();
    for rule in [
        FaultRule::new(FaultAction::Status).status(503).nth(2).count(2),
        FaultRule::new(FaultAction::HtmlPage).nth(5).count(1),
        FaultRule::new(FaultAction::ConnectionReset).nth(8).count(1),
        FaultRule::new(FaultAction::TruncatedBody).nth(11).count(1),
    ] {
        system.fault(rule).unwrap();
    }
}

/// The books refuse what is created, and say whose it is.
fn refusing(books: &str, system: &Inspector, address: &str) {
    system.clear_faults();
    let path = match books {
        "exact-online" => "crm/Accounts",
        "visma-net" => "customer",
        "asperion" => "debtors",
        _ => "accountviewdata",
    };
    let said = format!("The address {address} is not allowed for this relation");
    let body = json!({ "error": { "code": "", "message": { "lang": "", "value": said } }, "message": said,
        "Message": said, "detail": said, "title": said });
    let rule = FaultRule::new(FaultAction::Status).status(400).method("POST").path(path).count(4);
    system.fault(FaultRule { body: Some(body.to_string()), ..rule }).unwrap();
}

async fn says_nothing(pair: &str) {
    let log = Log::default();
    let filter =
        EnvFilter::new("info,koppel_flows=trace,koppel_connectors=trace,koppel_hosting=trace,koppel_sandbox=off");
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_env_filter(filter).with_writer(log.clone()).finish();
    let guard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);

    let channels::Listening { yaml, chat_url, told: alerts } = channels::listen().await;
    let text = text_of(pair);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("koppel.db");
    let world = World::with(options(), &file, |sandbox| at(&text, sandbox)).await;
    let written = config::parse("koppel.yaml", &(at(&text, &world.sandbox) + &yaml)).unwrap();
    let secrets = config::resolve_secrets(&written, |_| Some(chat_url.clone())).unwrap();
    {
        let (engine, tenant) = (&world.embedded.engine, &world.tenant);
        config::store_secrets(&*engine.store, &*engine.vault, tenant, &secrets).await.unwrap();
        config::save_version(&*engine.store, tenant, &written, "koppel.yaml", engine.clock.now(), None).await.unwrap();
    }
    let (shop, books) = pair.split_once("--").unwrap();
    let systems = [shop, books].map(|id| world.sandbox.system(id).unwrap());
    for system in &systems {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
    let mut told = String::new();
    let notifier = channels::notifier(&world.embedded.engine, &alerts);
    let people = addresses(&systems[0], &["orders", "customers", "users"]);
    assert!(people.len() >= 3, "{pair}: {people:?}");
    // First with books that refuse, then with systems that fail, then in peace.
    let flows = turn(&text);
    let refused: Vec<&String> = flows.iter().filter(|flow| BAD_DAYS.contains(&flow.as_str())).collect();
    assert!(!refused.is_empty(), "{pair}: {flows:?}");
    for flow in refused.into_iter().chain(&flows) {
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
        if told.is_empty() {
            refusing(books, &systems[1], people.iter().next().unwrap());
        } else {
            systems.iter().for_each(Inspector::clear_faults);
        }
        if !told.is_empty() && BAD_DAYS.contains(&flow.as_str()) {
            systems.iter().for_each(bad_days);
        }
        let ended = world.run_flow_scope(flow, whole()).await;
        // A person is shown the label of a record, which may be an address; a cause must not repeat anything of it.
        for result in ended.by_label.values() {
            told += &format!("{:?} {:?}\n", result.cause, result.warnings);
        }
        for record in waiting::list(&world.embedded.engine, &world.tenant, flow).await.unwrap() {
            told += &format!("{} {:?}\n", record.label, record.cause);
        }
        if told.is_empty() {
            told += "nothing\n";
        }
        // Once at once, and once when what keeps quiet for a while is told too.
        notifier.tick().await;
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(70));
        notifier.tick().await;
    }
    world.sandbox.clock().advance(chrono::TimeDelta::hours(25));
    notifier.tick().await;
    drop(guard);
    for channel in ["email", "slack", "sns"] {
        let said = alerts.of(channel);
        assert!(said.iter().any(|text| text.contains("rejected")), "{pair}: nothing by {channel}: {said:#?}");
    }

    let secrets: BTreeSet<String> = serde_json::to_value(&secrets)
        .unwrap()
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, of)| of.as_object().cloned().unwrap_or_default())
        // A login is no secret, and that of the sandbox is a word of every line.
        .filter(|(name, _)| name != "wp_user")
        .filter_map(|(_, value)| value.as_str().map(str::to_owned))
        .collect();
    assert!(secrets.len() >= 3, "{pair}: {} secrets are looked for", secrets.len());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("503") || log.contains("unavailable"), "{pair}: the bad days were logged:\n{log}");
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let stored = String::from_utf8_lossy(&stored).into_owned();
    assert!(stored.contains("trail") && stored.len() > 100_000, "{pair}: the file of the engine was read");
    let alerts = ["email", "slack", "sns"].map(|channel| alerts.of(channel)).concat();
    // That of a company may be one of a person; VIES is asked about it.
    let number = BTreeSet::from(["0123456789".to_owned()]);
    for needle in secrets.iter().chain(&people).chain(&number) {
        let loud: Vec<&String> = alerts.iter().filter(|text| text.contains(needle.as_str())).take(2).collect();
        assert!(loud.is_empty(), "{pair}: «{needle}» is in an alert: {loud:#?}");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(needle.as_str())).take(3).collect();
        assert!(lines.is_empty(), "{pair}: «{needle}» is in the log: {lines:#?}");
        assert!(!told.contains(needle.as_str()), "{pair}: «{needle}» is in a cause: {told}");
        if let Some(place) = stored.find(needle.as_str()) {
            let from = stored[..place].char_indices().rev().nth(300).map_or(0, |(at, _)| at);
            panic!("{pair}: «{needle}» is in the file of the engine: {}", &stored[from..place]);
        }
    }
    assert!(told.contains("(e-mail address)"), "{pair}: the refusal was told, without the address: {told}");
}

#[tokio::test]
async fn woocommerce_and_exact_online_say_nothing() {
    says_nothing("woocommerce--exact-online").await;
}

#[tokio::test]
async fn woocommerce_and_visma_net_say_nothing() {
    says_nothing("woocommerce--visma-net").await;
}

#[tokio::test]
async fn ccv_shop_and_visma_net_say_nothing() {
    says_nothing("ccv-shop--visma-net").await;
}

#[tokio::test]
async fn mijnwebwinkel_and_accountview_say_nothing() {
    says_nothing("mijnwebwinkel--accountview").await;
}

#[tokio::test]
async fn woocommerce_and_asperion_say_nothing() {
    says_nothing("woocommerce--asperion").await;
}
