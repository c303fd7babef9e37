//! A process that is killed at any moment, in the middle of a commit too, loses nothing that it was answered, and what
//! it acknowledged does not come back. Two processes at once make it harder.

// A helper of a test may end the test.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use koppel_core::Tenant;
use koppel_core::message::Step;
use koppel_core::ports::{Condition, Key, Queue, QueueMessage, SystemClock};
use koppel_hosting::embedded::{EmbeddedEngine, QueueSettings};
use koppel_hosting::{ReceivingQueue, Settled};

const CHILD: &str = "KOPPEL_TEST_CRASH_CHILD";
const ROUNDS: u32 = 6;
const LANES: u32 = 4;

fn engine(path: &Path) -> EmbeddedEngine {
    // A short time-out, so that what a killed child held comes back within the test; attempts do not matter here.
    let queue = QueueSettings { visibility: Duration::from_millis(300), max_attempts: u32::MAX };
    common::open(path, Arc::new(SystemClock), queue)
}

fn counter(lane: &str) -> Key {
    Key::new(&Tenant::default(), &["counter"], lane)
}

/// Says what was answered. A line is one write, so a killed child leaves no half ones behind but the last.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("#{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Sends, receives, acknowledges and counts until it is killed.
fn child(path: &Path, name: &str) -> ! {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = engine(path);
        let mut tasks = Vec::new();
        for lane in 0..LANES {
            tasks.push(tokio::spawn(send_and_count(engine.clone(), format!("{name}-{lane}"))));
        }
        tasks.push(tokio::spawn(receive(engine)));
        for task in tasks {
            task.await.unwrap();
        }
    });
    unreachable!("the child runs until it is killed")
}

async fn send_and_count(engine: EmbeddedEngine, lane: String) {
    for n in 0_u64.. {
        let body = format!("{lane}/{n}");
        let message = QueueMessage { group: lane.clone(), dedup_id: body.clone(), body: body.clone() };
        engine.queue.send(Step::Map, &[message]).await.unwrap();
        say(&format!("sent {body}"));
        let version = engine.engine.store.put(&counter(&lane), &body, Condition::Always, None).await.unwrap();
        say(&format!("put {lane} {version}"));
    }
}

async fn receive(engine: EmbeddedEngine) {
    loop {
        for message in engine.queue.receive(Step::Map, 3).await.unwrap() {
            say(&format!("acking {}", message.body));
            if engine.queue.ack(&message.receipt).await.unwrap() == Settled::Done {
                say(&format!("acked {}", message.body));
            }
        }
        engine.queue.wait(Step::Map, Duration::from_millis(20)).await;
    }
}

/// What the children were answered before they died.
#[derive(Default)]
struct Told {
    sent: BTreeSet<String>,
    acking: BTreeSet<String>,
    acked: BTreeSet<String>,
    put: BTreeMap<String, u64>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        // The test harness writes on the same output; its lines have no `#`, or stand before it.
        let Some((_, line)) = line.split_once('#') else { return };
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["sent", body] => _ = self.sent.insert((*body).to_owned()),
            ["acking", body] => _ = self.acking.insert((*body).to_owned()),
            ["acked", body] => _ = self.acked.insert((*body).to_owned()),
            ["put", lane, version] => _ = self.put.insert((*lane).to_owned(), version.parse().unwrap()),
            _ => {}
        }
    }
}

fn start(path: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_loses_nothing", "--nocapture"])
        .env(CHILD, format!("{}|{name}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Listens to a child, kills it after so many lines, and hears what it had still said.
fn listen_and_kill(mut child: Child, lines: usize) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut heard = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if out.read_until(b'\n', &mut line).unwrap() == 0 || line.last() != Some(&b'\n') {
            break;
        }
        heard.push(String::from_utf8(line.clone()).unwrap().trim_end().to_owned());
        if heard.len() == lines {
            child.kill().unwrap();
        }
    }
    let _ = child.kill();
    child.wait().unwrap();
    assert!(heard.len() >= lines, "the child ended by itself: {heard:?}");
    heard
}

#[test]
fn a_killed_process_loses_nothing() {
    if let Ok(task) = std::env::var(CHILD) {
        let (path, name) = task.split_once('|').unwrap();
        child(Path::new(path), name);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let mut told = Told::default();
    for round in 0..ROUNDS {
        let chance = usize::from(uuid::Uuid::new_v4().as_bytes()[0]);
        let (first, second) = (start(&path, &format!("r{round}a")), start(&path, &format!("r{round}b")));
        let listening = std::thread::spawn(move || listen_and_kill(first, 20 + chance));
        let heard = [listen_and_kill(second, 150), listening.join().unwrap()].concat();
        heard.iter().for_each(|line| told.hear(line));
    }
    assert!(told.sent.len() > 50 && told.acked.len() > 20, "{} sent, {} acked", told.sent.len(), told.acked.len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(check(&path, &told));
}

async fn check(path: &Path, told: &Told) {
    let engine = engine(path);
    for (lane, version) in &told.put {
        let stored = engine.engine.store.get(&counter(lane)).await.unwrap().map_or(0, |item| item.version);
        assert!(stored == *version || stored == version + 1, "lane {lane}: answered {version}, stored {stored}");
    }
    let mut left: Vec<String> = Vec::new();
    loop {
        let messages = engine.queue.receive(Step::Map, 100).await.unwrap();
        for message in &messages {
            left.push(message.body.clone());
            engine.queue.ack(&message.receipt).await.unwrap();
        }
        let depth = engine.queue.depth(Step::Map).await.unwrap();
        if messages.is_empty() && depth.waiting + depth.in_hand == 0 {
            break;
        }
        engine.queue.wait(Step::Map, Duration::from_millis(20)).await;
    }
    let unique: BTreeSet<_> = left.iter().cloned().collect();
    assert_eq!(unique.len(), left.len(), "a message was there twice");
    for body in &told.sent {
        assert!(unique.contains(body) || told.acking.contains(body), "{body} was sent and is lost");
    }
    for body in &told.acked {
        assert!(!unique.contains(body), "{body} was done and came back");
    }
    // Within a lane what is left comes in the order in which it was sent.
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for body in &left {
        let (lane, n) = body.split_once('/').unwrap();
        let n: u64 = n.parse().unwrap();
        assert!(last.insert(lane, n).is_none_or(|before| before < n), "{body} came out of order");
    }
}
