//! Alerts through a mail server and a chat channel that the tests listen on.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use koppel_core::connection::Connection;
use koppel_core::event::EventKind;
use koppel_core::ports::{Condition, Key, Source, Systems, Target};
use koppel_core::system::SystemFacts;
use koppel_core::{NonEmpty, Tenant};
use koppel_flows::config::{self, parse, resolve_secrets, save_version, store_secrets};
use koppel_flows::{connections, waiting};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use super::*;
use crate::contract::ManualClock;
use crate::embedded::{self, EmbeddedEngine, Options};

const FLOW: &str = "web-orders";

struct NoSystems;

impl Systems for NoSystems {
    fn facts(&self, _system: &str) -> Option<&'static SystemFacts> {
        None
    }

    fn ids(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn source(&self, _connection: &Connection) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::settings(Cause::new("none", "no systems here")))
    }

    fn target(&self, _connection: &Connection) -> Result<Arc<dyn Target>, Failure> {
        Err(Failure::settings(Cause::new("none", "no systems here")))
    }
}

/// What a listener got.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<String>>>);

impl Inbox {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn len(&self) -> usize {
        self.all().len()
    }

    fn last(&self) -> String {
        self.all().last().cloned().unwrap_or_default()
    }
}

/// A mail server that takes everything.
async fn mail_server() -> (u16, Inbox) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, inbox) = (listener.local_addr().unwrap().port(), Inbox::default());
    let kept = inbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = kept.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                let _ = write.write_all(b"220 mail.test\r\n").await;
                while let Ok(Some(line)) = lines.next_line().await {
                    let verb = line.get(..4).unwrap_or_default().to_uppercase();
                    let answer = match verb.as_str() {
                        "DATA" => {
                            let _ = write.write_all(b"354 go on\r\n").await;
                            let mut mail = String::new();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                mail.push_str(&line);
                                mail.push('\n');
                            }
                            kept.0.lock().unwrap().push(readable(&mail));
                            "250 kept\r\n"
                        }
                        "QUIT" => "221 bye\r\n",
                        _ => "250 fine\r\n",
                    };
                    if write.write_all(answer.as_bytes()).await.is_err() || verb == "QUIT" {
                        return;
                    }
                }
            });
        }
    });
    (port, inbox)
}

/// A mail with its text decoded, as a mail program shows it.
fn readable(mail: &str) -> String {
    use base64::Engine as _;
    let (head, body) = mail.split_once("\n\n").unwrap_or((mail, ""));
    let bytes = if head.to_lowercase().contains("quoted-printable") {
        let body = body.replace("=\n", "");
        let mut bytes = Vec::new();
        let mut rest = body.as_bytes();
        while let Some((first, tail)) = rest.split_first() {
            let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
            match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'=') {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &tail[2..];
                }
                None => {
                    bytes.push(*first);
                    rest = tail;
                }
            }
        }
        bytes
    } else if head.to_lowercase().contains("base64") {
        base64::engine::general_purpose::STANDARD.decode(body.replace('\n', "")).unwrap()
    } else {
        body.as_bytes().to_vec()
    };
    format!("{head}\n\n{}", String::from_utf8(bytes).unwrap().replace("\r\n", "\n"))
}

/// A chat channel that answers with a status that tests can change.
async fn chat_server(status: Arc<Mutex<u16>>) -> (String, Inbox) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (url, inbox) = (format!("http://{}/services/geheim-1234", listener.local_addr().unwrap()), Inbox::default());
    let kept = inbox.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let (mut length, mut line) = (0, String::new());
            while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = stream.read_exact(&mut body).await;
            kept.0.lock().unwrap().push(String::from_utf8(body).unwrap());
            let status = *status.lock().unwrap();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes()).await;
        }
    });
    (url, inbox)
}

struct World {
    clock: Arc<ManualClock>,
    embedded: EmbeddedEngine,
    notifier: Notifier,
    mail: Inbox,
    chat: Inbox,
    chat_status: Arc<Mutex<u16>>,
    tenant: Tenant,
}

fn open(path: &Path, clock: &Arc<ManualClock>) -> EmbeddedEngine {
    let options =
        Options { vault_key: Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()), ..Options::default() };
    embedded::open(path, clock.clone(), &options, |_| Arc::new(NoSystems)).unwrap()
}

impl World {
    async fn new(path: &Path, now: &str) -> Self {
        let clock = Arc::new(ManualClock::at(now.parse().unwrap()));
        let embedded = open(path, &clock);
        let chat_status = Arc::new(Mutex::new(200));
        let ((port, mail), (url, chat)) = (mail_server().await, chat_server(chat_status.clone()).await);
        let text = format!(
            r#"
connections:
  shop: {{ system: woocommerce, credentials: {{ key: "geheim-shop-sleutel" }} }}
  books: {{ system: exact-online }}
flows:
  {FLOW}: {{ from: shop, to: books, entity: orders, document: sales-order }}
alerts:
  email: {{ smtp: "smtp://127.0.0.1:{port}", from: koppel@example.test, to: [merchant@example.test] }}
  slack: {{ url: "${{env:CHAT}}" }}
  digest: {{ at: "07:30", timezone: Europe/Amsterdam }}
"#
        );
        let config = parse("koppel.yaml", &text).unwrap_or_else(|cause| panic!("{cause}"));
        assert!(config.alerts.as_ref().unwrap().check().is_empty());
        let (engine, tenant) = (&embedded.engine, Tenant::default());
        let secrets = resolve_secrets(&config, |_| Some(url.clone())).unwrap();
        store_secrets(&*engine.store, &*engine.vault, &tenant, &secrets).await.unwrap();
        save_version(&*engine.store, &tenant, &config, "koppel.yaml", engine.clock.now(), None).await.unwrap();
        let notifier = Notifier::new(engine.clone());
        Self { notifier, clock, embedded, mail, chat, chat_status, tenant }
    }

    async fn in_memory() -> Self {
        Self::new(Path::new(embedded::IN_MEMORY), "2026-11-22T10:00:00Z").await
    }

    async fn after(&self, minutes: u64) -> usize {
        self.clock.advance(Duration::from_secs(minutes * 60));
        self.notifier.tick().await;
        self.mail.len()
    }

    async fn lose_consent(&self) {
        let cause = Cause::new("token_dead", "Exact Online does not accept the token any more");
        connections::stop(&self.embedded.engine, &self.tenant, "books", &cause).await.unwrap();
    }

    async fn wait(&self, order: &str, failure: &Failure) {
        let key = NonEmpty::new(order).unwrap();
        waiting::put_waiting(&self.embedded.engine, &self.tenant, FLOW, (&key, order), 1, failure).await.unwrap();
    }

    async fn arrive(&self, order: &str) {
        let key = NonEmpty::new(order).unwrap();
        waiting::remove(&self.embedded.engine, &self.tenant, FLOW, &key).await.unwrap();
    }
}

fn unknown(sku: &str) -> Failure {
    Failure::settings(
        Cause::new("unknown_sku", format!("SKU «{sku}» is not in Exact Online"))
            .advice("create the item or set default_item"),
    )
}

#[tokio::test]
async fn two_hosts_tell_a_problem_once_with_cause_and_fix_and_once_that_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let world = World::new(&path, "2026-11-22T10:00:00Z").await;
    let other = Notifier::new(open(&path, &world.clock).engine);
    world.lose_consent().await;
    for _ in 0..3 {
        tokio::join!(world.notifier.tick(), other.tick());
    }
    assert_eq!((world.mail.len(), world.chat.len()), (1, 1), "{:#?}", world.mail.all());
    let mail = world.mail.last();
    assert!(mail.contains("«books» needs consent again"), "{mail}");
    assert!(mail.contains("What is wrong: Exact Online does not accept the token any more"), "{mail}");
    assert!(mail.contains("To do: koppel connect books"), "{mail}");
    assert!(mail.contains("Since Sun 22 Nov 2026 11:00 CET"), "{mail}");
    assert!(mail.contains("To: merchant@example.test") && mail.contains("web-orders"), "{mail}");
    let chat = world.chat.last();
    assert!(chat.contains("rotating_light") && chat.contains("koppel connect books"), "{chat}");

    connections::resume(&world.embedded.engine, &world.tenant, "books").await.unwrap();
    for _ in 0..3 {
        tokio::join!(world.notifier.tick(), other.tick());
    }
    assert_eq!((world.mail.len(), world.chat.len()), (2, 2), "{:#?}", world.mail.all());
    assert!(world.mail.last().contains("This is over since") && world.mail.last().contains("Nothing has to be done"));
    assert!(alerts::open(&world.embedded.engine, &world.tenant).await.unwrap().is_empty());
    world.lose_consent().await;
    assert_eq!(world.after(1).await, 3, "what comes back is a new problem");
}

#[tokio::test]
async fn while_retries_may_help_nobody_is_woken_and_a_short_outage_is_never_told() {
    let world = World::in_memory().await;
    let key = Key::new(&world.tenant, &["stopped"], "books");
    let store = &world.embedded.engine.store;
    let down = |at: DateTime<Utc>| {
        let kind = connections::StopKind::Down { probe_at: at, probes: 1 };
        let stopped = connections::Stopped { since: at, cause: Cause::new("no_connection", "nobody answers"), kind };
        serde_json::to_string(&stopped).unwrap()
    };
    let now = world.embedded.engine.clock.now();
    store.put(&key, &down(now), Condition::Always, None).await.unwrap();
    assert_eq!(world.after(0).await, 0);
    assert_eq!(alerts::open(&world.embedded.engine, &world.tenant).await.unwrap().len(), 1, "it is listed already");
    assert_eq!(world.after(20).await, 0);
    store.delete(&key, Condition::Always).await.unwrap();
    assert_eq!(world.after(60).await, 0, "it was over before anybody had to know");

    let now = world.embedded.engine.clock.now();
    store.put(&key, &down(now), Condition::Always, None).await.unwrap();
    assert_eq!(world.after(29).await, 0);
    assert_eq!(world.after(2).await, 1);
    let mail = world.mail.last();
    assert!(mail.contains("«books» does not answer") && mail.contains("goes on by itself"), "{mail}");
}

#[tokio::test]
async fn what_lasts_is_told_again_after_one_four_and_twenty_four_hours() {
    let world = World::in_memory().await;
    world.lose_consent().await;
    assert_eq!(world.after(0).await, 1);
    assert_eq!(world.after(59).await, 1);
    assert_eq!(world.after(2).await, 2);
    assert!(world.mail.last().contains("61 minutes ago"), "{}", world.mail.last());
    assert_eq!(world.after(170).await, 2);
    assert_eq!(world.after(10).await, 3);
    // The digest of the next morning is one more, and the last reminder comes after a whole day.
    assert_eq!(world.after(19 * 60).await, 4);
    assert_eq!(world.after(2 * 60).await, 5);
    assert!(world.mail.last().contains("25 hours ago"), "{}", world.mail.last());
    assert_eq!(world.after(5 * 60).await, 5);

    let late = World::in_memory().await;
    late.lose_consent().await;
    assert_eq!(late.after(0).await, 1);
    assert_eq!(late.after(5 * 60).await, 2, "a host that slept through two of them tells once");
    assert_eq!(late.after(1).await, 2);
}

#[tokio::test]
async fn waiting_orders_are_one_alert_for_each_kind_of_cause_and_a_further_cause_is_told_too() {
    let world = World::in_memory().await;
    world.wait("23", &unknown("MOK")).await;
    world.wait("24", &unknown("MOK")).await;
    assert_eq!(world.after(0).await, 1);
    let mail = world.mail.last();
    assert!(mail.contains("web-orders: 2 orders wait: SKU «MOK» is not in Exact Online"), "{mail}");
    assert!(mail.contains("Which: 23, 24") && mail.contains("To do: create the item or set default_item"), "{mail}");
    world.wait("25", &unknown("MOK")).await;
    assert_eq!(world.after(5).await, 1, "more of the same is not a new problem");
    world.wait("26", &unknown("BORD")).await;
    assert_eq!(world.after(5).await, 1);
    // An hour after the first: it lasts, and there is more of it.
    assert_eq!(world.after(51).await, 2);
    assert!(world.mail.last().contains("SKU «BORD» is not in Exact Online"), "{}", world.mail.last());
    for order in ["23", "24", "25"] {
        world.arrive(order).await;
    }
    assert_eq!(world.after(1).await, 2, "one order still waits");
    world.arrive("26").await;
    assert_eq!(world.after(1).await, 3);
    assert!(world.mail.last().contains("This is over"), "{}", world.mail.last());
}

#[tokio::test]
async fn no_secret_and_no_address_of_a_customer_leaves_with_an_alert() {
    let world = World::in_memory().await;
    let cause = Cause::new("customer_refused", "the books refuse jan.de.vries@klant.test (key geheim-shop-sleutel)")
        .advice("look at jan.de.vries@klant.test, ck_40e6269f8e005c6da0b6f94b649bc5b8 and https://x.test/?token=abc");
    world.wait("23", &Failure::reject(cause)).await;
    assert_eq!(world.after(0).await, 1);
    // And once more in the digest of the next morning.
    world.after(21 * 60).await;
    assert!(world.mail.len() >= 2);
    for text in world.mail.all().into_iter().chain(world.chat.all()) {
        assert!(text.contains("23") || text.contains("waiting"), "{text}");
        for forbidden in ["klant.test", "jan.de", "geheim-shop-sleutel", "ck_40e6", "token=abc", "geheim-1234"] {
            assert!(!text.contains(forbidden), "{forbidden}: {text}");
        }
    }
}

#[tokio::test]
async fn a_channel_that_fails_is_tried_again_alone() {
    let world = World::in_memory().await;
    *world.chat_status.lock().unwrap() = 503;
    world.lose_consent().await;
    assert_eq!((world.after(0).await, world.chat.len()), (1, 1));
    assert_eq!((world.after(2).await, world.chat.len()), (1, 1));
    *world.chat_status.lock().unwrap() = 200;
    assert_eq!((world.after(4).await, world.chat.len()), (1, 2));
    assert_eq!((world.after(10).await, world.chat.len()), (1, 2));
}

#[tokio::test]
async fn messages_that_were_set_aside_are_told_until_they_are_sent_again() {
    let world = World::in_memory().await;
    for _ in 0..2 {
        let kind = EventKind::DeadLetters { step: Step::Write, count: 1 };
        let event = Event { tenant: world.tenant.clone(), at: world.embedded.engine.clock.now(), kind };
        world.embedded.engine.bus.publish(&event).await.unwrap();
    }
    assert_eq!(world.after(0).await, 1);
    let mail = world.mail.last();
    assert!(mail.contains("2 messages of the step write failed too often"), "{mail}");
    assert!(mail.contains("koppel dead-letters redrive"), "{mail}");
    // The queue is looked at, and holds none any more.
    world.clock.advance(Duration::from_secs(600));
    let watching = world.notifier.clone().watching(world.embedded.queue.clone());
    watching.tick().await;
    assert_eq!(world.mail.len(), 2);
    assert!(world.mail.last().contains("This is over"), "{}", world.mail.last());
}

#[tokio::test]
async fn each_morning_has_one_digest_though_the_clock_is_put_forward() {
    let world = World::new(Path::new(embedded::IN_MEMORY), "2026-03-27T12:00:00Z").await;
    let run = serde_json::json!({
        "id": "20260328T040000000Z", "flow": FLOW, "config_version": 1, "started_at": "2026-03-28T04:00:00Z",
        "fetched_all": true, "finished_at": "2026-03-28T04:01:00Z",
        "funnel": { "fetched": 5, "outcomes": { "created": 3, "unchanged": 2 } },
    });
    let key = Key::new(&world.tenant, &["run", FLOW], "20260328T040000000Z");
    world.embedded.engine.store.put(&key, &run.to_string(), Condition::Always, None).await.unwrap();
    let other = Notifier::new(world.embedded.engine.clone());
    let mut sent = Vec::new();
    for _ in 0..(3 * 24 * 4) {
        let before = world.mail.len();
        world.clock.advance(Duration::from_secs(15 * 60));
        tokio::join!(world.notifier.tick(), other.tick());
        for _ in before..world.mail.len() {
            sent.push(world.embedded.engine.clock.now().format("%d %H:%M").to_string());
        }
    }
    assert_eq!(sent, ["28 06:30", "29 05:30", "30 05:30"]);
    let first = &world.mail.all()[0];
    assert!(first.contains("Koppel: 3 arrived, 0 waiting, 0 open"), "{first}");
    assert!(first.contains("fetched 5 = 0 filtered + 2 unchanged") && first.contains("No problem is open"), "{first}");
    assert!(world.mail.last().contains("0 runs"), "{}", world.mail.last());
}

#[tokio::test]
async fn a_test_message_goes_through_every_channel_and_says_what_happened() {
    let world = World::in_memory().await;
    *world.chat_status.lock().unwrap() = 404;
    let tried = world.notifier.test(&world.tenant).await.unwrap();
    assert_eq!(tried.len(), 2);
    assert!(tried[0].channel.starts_with("email to merchant@example.test") && tried[0].result.is_ok(), "{tried:?}");
    let failure = tried[1].result.as_ref().unwrap_err().to_string();
    assert!(
        failure.contains("404") && failure.contains("alerts.slack.url") && !failure.contains("geheim"),
        "{failure}"
    );
    assert!(world.mail.last().contains("This is a test"), "{}", world.mail.last());
}

#[test]
fn sns_takes_every_subject() {
    let subject = sns::subject(&format!("Koppel: «books» {}", "überlang\n".repeat(20)));
    assert!(subject.len() <= 100 && subject.starts_with("Koppel: 'books'"), "{subject}");
    assert!(subject.chars().all(|c| c.is_ascii() && !c.is_control()), "{subject}");
}

#[tokio::test]
async fn without_channels_problems_are_listed_and_nothing_is_claimed() {
    let world = World::in_memory().await;
    let text = "connections: { books: { system: exact-online } }";
    let config: config::Config = parse("koppel.yaml", text).unwrap();
    let engine = &world.embedded.engine;
    save_version(&*engine.store, &world.tenant, &config, "koppel.yaml", engine.clock.now(), None).await.unwrap();
    world.lose_consent().await;
    assert_eq!((world.after(0).await, world.chat.len()), (0, 0));
    let open = alerts::open(engine, &world.tenant).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(open[0].told.sending.is_none() && open[0].told.first.is_none(), "{open:?}");
}
