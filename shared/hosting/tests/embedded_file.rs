//! What is special about an engine in a file: its key, its secrecy, its age, and other processes.

// A helper of a test may end the test.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use koppel_core::message::Step;
use koppel_core::ports::{Clock, Condition, Key, Queue, QueueMessage, SystemClock};
use koppel_core::{Failure, Tenant};
use koppel_hosting::contract::ManualClock;
use koppel_hosting::embedded::{self, EmbeddedEngine, Options, QueueSettings, key_file};
use koppel_hosting::{ReceivingQueue, Settled};

const OLD: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const NEW: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

fn open(path: &Path, vault_key: Option<&str>) -> Result<EmbeddedEngine, Failure> {
    let options = Options { vault_key: vault_key.map(str::to_owned), ..Options::default() };
    embedded::open(path, Arc::new(SystemClock), &options, |_| Arc::new(common::NoSystems))
}

fn refusal(path: &Path, vault_key: Option<&str>) -> String {
    match open(path, vault_key) {
        Ok(_) => panic!("the engine was opened"),
        Err(failure) => {
            assert_eq!(failure.class(), "settings", "{failure}");
            assert!(failure.to_string().contains("koppel.db"), "names the file: {failure}");
            failure.cause().code.clone()
        }
    }
}

fn message(group: &str, body: &str) -> QueueMessage {
    QueueMessage { group: group.to_owned(), dedup_id: format!("{group}/{body}"), body: body.to_owned() }
}

#[tokio::test]
async fn many_that_create_the_file_at_once_share_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let openers: Vec<_> = (0..6)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || open(&path, None).unwrap())
        })
        .collect();
    let engines: Vec<_> = openers.into_iter().map(|opener| opener.join().unwrap()).collect();
    let sealed = engines[0].engine.vault.seal("x", b"text").await.unwrap();
    for engine in &engines {
        assert_eq!(engine.engine.vault.open("x", &sealed).await.unwrap(), b"text");
    }
}

#[tokio::test]
async fn a_database_without_its_key_is_refused_before_anything_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let sealed = open(&path, None).unwrap().engine.vault.seal("x", b"text").await.unwrap();
    let key = std::fs::read_to_string(key_file(&path)).unwrap();
    std::fs::remove_file(key_file(&path)).unwrap();
    assert_eq!(refusal(&path, None), "vault_key_missing");
    assert_eq!(refusal(&path, Some(OLD)), "vault_other_key");
    assert!(!key_file(&path).exists(), "no new key was made");
    assert_eq!(open(&path, Some(&key)).unwrap().engine.vault.open("x", &sealed).await.unwrap(), b"text");
}

#[tokio::test]
async fn a_master_key_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let sealed = open(&path, Some(OLD)).unwrap().engine.vault.seal("x", b"text").await.unwrap();
    assert_eq!(refusal(&path, Some(NEW)), "vault_other_key");
    let both = open(&path, Some(&format!("{NEW},{OLD}"))).unwrap();
    assert_eq!(both.engine.vault.open("x", &sealed).await.unwrap(), b"text");
    let fresh = both.engine.vault.seal("x", b"text").await.unwrap();
    drop(both);
    assert_eq!(open(&path, Some(NEW)).unwrap().engine.vault.open("x", &fresh).await.unwrap(), b"text");
}

#[tokio::test]
async fn records_on_their_way_cannot_be_read_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let engine = open(&path, None).unwrap();
    let message = QueueMessage { dedup_id: "1".into(), ..message("g", "jan@example.test") };
    engine.queue.send(Step::Map, &[message]).await.unwrap();
    engine
        .engine
        .store
        .put(&Key::new(&Tenant::default(), &["seen"], "1"), "visible", Condition::Always, None)
        .await
        .unwrap();
    let mut seen = false;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds("jan@example.test"), "{} shows a record", path.display());
        seen |= holds("visible");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} can be read by others", path.display());
        }
    }
    assert!(seen, "the test looks at the right files");
}

#[tokio::test]
async fn everything_is_there_after_closing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let key = Key::new(&Tenant::default(), &["area"], "1");
    let engine = open(&path, None).unwrap();
    let version = engine.engine.store.put(&key, "1", Condition::Absent, None).await.unwrap();
    engine.queue.send(Step::Map, &[message("g", "1")]).await.unwrap();
    drop(engine);
    let engine = open(&path, None).unwrap();
    assert_eq!(engine.engine.store.get(&key).await.unwrap().map(|item| item.version), Some(version));
    let received = engine.queue.receive(Step::Map, 10).await.unwrap();
    assert_eq!(received.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["1"]);
    engine.queue.send(Step::Map, &[message("g", "1")]).await.unwrap();
    assert_eq!(engine.queue.depth(Step::Map).await.unwrap().waiting, 0, "the identity of a message is remembered too");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    drop(open(&path, None).unwrap());
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.pragma_update(None, "user_version", 999).unwrap();
    drop(raw);
    assert_eq!(refusal(&path, None), "database_too_new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_and_do_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let engines = [open(&path, None).unwrap(), open(&path, None).unwrap()];
    let messages: Vec<_> =
        (0..5).flat_map(|n| (0..6).map(move |g| message(&format!("g{g}"), &format!("{n}")))).collect();
    engines[0].queue.send(Step::Map, &messages).await.unwrap();
    let workers = engines.map(|engine| {
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let messages = engine.queue.receive(Step::Map, 2).await.unwrap();
                if messages.is_empty()
                    && engine.queue.depth(Step::Map).await.unwrap() == koppel_hosting::Depth::default()
                {
                    return done;
                }
                for message in messages {
                    done.push((message.group.clone(), message.body.clone()));
                    assert_eq!(engine.queue.ack(&message.receipt).await.unwrap(), Settled::Done);
                }
            }
        })
    });
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    done.sort();
    let mut wanted: Vec<_> = messages.into_iter().map(|message| (message.group, message.body)).collect();
    wanted.sort();
    assert_eq!(done, wanted);
}

#[tokio::test]
async fn a_sweep_removes_what_is_over_and_nothing_else() {
    let clock = Arc::new(ManualClock::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("koppel.db");
    let engine = common::open(&path, clock.clone(), QueueSettings::default());
    let tenant = Tenant::default();
    let soon = clock.now() + chrono::TimeDelta::minutes(1);
    for n in 0..1200 {
        let key = Key::new(&tenant, &["area"], format!("{n:04}"));
        let expires_at = (n != 7).then_some(soon);
        engine.engine.store.put(&key, "x", Condition::Always, expires_at).await.unwrap();
    }
    clock.advance(Duration::from_secs(61));
    assert_eq!(engine.sweeper.sweep().await.unwrap(), 1199);
    let raw = rusqlite::Connection::open(&path).unwrap();
    let left: String = raw.query_row("SELECT group_concat(sort_key) FROM item", [], |row| row.get(0)).unwrap();
    assert_eq!(left, "0007");
}
