//! The engine of the cloud on an emulator: the template deploys unchanged, the engine keeps the rules of every port,
//! and the deployed functions run under the permissions that the template gives them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use koppel_core::event::Event;
use koppel_core::message::Step;
use koppel_core::ports::{Clock, QueueMessage, SystemClock};
use koppel_core::{Failure, Tenant};
use koppel_hosting::aws::{self, Names, SqsQueue, Stack};
use koppel_hosting::contract::{self, RealTime};
use koppel_hosting::{ReceivingQueue, connectors};
use serde_json::Value;

/// An emulator that ends with this test, however it ends.
pub struct Emulator {
    child: Child,
    /// Its end is the emulator's end.
    input: Option<ChildStdin>,
    state: tempfile::TempDir,
    answer: Value,
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn script(state: &Path, arguments: &[&str]) -> Command {
    let python = project().join(".venv/emulator/bin/python");
    assert!(python.exists(), "{} is missing: run make venv", python.display());
    let (command, rest) = arguments.split_first().unwrap();
    let mut script = Command::new(python);
    script.arg(project().join("infra/stack/emulator.py")).arg(command).arg("--state").arg(state).args(rest);
    script
}

impl Emulator {
    /// Starts the emulator and deploys the template with the functions of this build.
    pub fn up() -> Self {
        let state = tempfile::tempdir().unwrap();
        // This test stands in target/<profile>/deps, the functions in target/<profile>.
        let bin_dir = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf();
        let mut child = script(state.path(), &["up", "--attached", "--bin-dir", bin_dir.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answer = serde_json::from_str(&line).expect("the emulator did not come up; its message is above");
        Self { input: child.stdin.take(), child, state, answer }
    }

    fn text(&self, pointer: &str) -> &str {
        self.answer
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no {pointer} in {}", self.answer))
    }

    /// Its process: the parent of every function that runs.
    pub fn process(&self) -> u32 {
        self.answer["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("the emulator tells its process")
    }

    /// Lets a message come back after this time when its function died.
    pub fn messages_return_after(&self, seconds: u64) {
        let output = script(self.state.path(), &["return", &seconds.to_string()]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn config(&self) -> aws::SdkConfig {
        aws::sdk_config_at(
            self.text("/endpoint"),
            self.text("/region"),
            self.text("/environment/AWS_ACCESS_KEY_ID"),
            self.text("/environment/AWS_SECRET_ACCESS_KEY"),
        )
        .await
    }

    /// The deployed stack as an engine.
    pub async fn stack(&self) -> Stack {
        aws::connect_with(&self.config().await, self.text("/stack"), connectors).await.unwrap()
    }

    /// Queues beside the stack, so that no function takes the messages of a rule.
    async fn queues(&self, steps: [Step; 2], receives: u32, visibility: Duration, bus: Option<&str>) -> SqsQueue {
        let mut urls = BTreeMap::new();
        for step in steps {
            let name = format!("contract-{step}");
            let (receives, seconds) = (receives.to_string(), visibility.as_secs().to_string());
            let mut arguments = vec!["queues", &name, "--receives", &receives, "--visibility", &seconds];
            arguments.extend(bus.into_iter().flat_map(|bus| ["--bus", bus]));
            let output = script(self.state.path(), &arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let made: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
            let word = match step {
                Step::Fetch => "Fetch",
                Step::Map => "Map",
                Step::Check => "Check",
                _ => "Write",
            };
            urls.insert(format!("{word}QueueUrl"), made["queue"].clone());
            urls.insert(format!("{word}DeadLettersUrl"), made["dead_letters"].clone());
        }
        SqsQueue::new(&self.config().await, Names::from_outputs(&urls)).with_visibility(visibility)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// Reads the events of the bus from a queue that a rule fills.
struct Listener {
    queue: SqsQueue,
    heard: tokio::sync::Mutex<Vec<Event>>,
}

#[async_trait]
impl contract::bus::Published for Listener {
    async fn events(&self, tenant: &Tenant) -> Result<Vec<Event>, Failure> {
        let mut heard = self.heard.lock().await;
        for message in self.queue.receive(Step::Write, 10).await? {
            let envelope: Value = serde_json::from_str(&message.body).unwrap();
            let event: Event = serde_json::from_value(envelope["detail"].clone()).unwrap();
            assert_eq!(envelope["detail-type"], event.kind.name(), "rules match on the detail type");
            heard.push(event);
            self.queue.ack(&message.receipt).await?;
        }
        Ok(heard.iter().filter(|event| event.tenant == *tenant).cloned().collect())
    }
}

/// One test, because starting the emulator and deploying takes longer than everything else.
#[tokio::test]
async fn aws_stack_on_the_emulator_is_an_engine_like_any_other() {
    let emulator = Emulator::up();
    a_stack_that_is_not_there_is_named(&emulator).await;
    a_deployed_function_sets_aside_what_it_cannot_read(&emulator).await;
    the_engine_keeps_the_rules_of_every_port(&emulator).await;
}

async fn a_stack_that_is_not_there_is_named(emulator: &Emulator) {
    let failure = aws::connect_with(&emulator.config().await, "kopel", connectors).await.err().unwrap();
    assert!(failure.to_string().contains("«kopel»"), "{failure}");
}

/// A message that no step can read travels through a deployed function to its dead letters, and there again when it is
/// sent again.
async fn a_deployed_function_sets_aside_what_it_cannot_read(emulator: &Emulator) {
    let stack = emulator.stack().await;
    for step in Step::QUEUED {
        let message = QueueMessage { group: "main#x#0".into(), dedup_id: format!("{step}#x"), body: "garbage".into() };
        stack.engine.queue.send(step, &[message]).await.unwrap();
    }
    for step in Step::QUEUED {
        assert_eq!(dead_letters(&stack.queues, step).await, ["garbage"], "{step}");
        assert_eq!(stack.queues.redrive(step).await.unwrap(), 1, "{step}");
        assert_eq!(dead_letters(&stack.queues, step).await, ["garbage"], "{step}, after it was sent again");
    }
}

async fn dead_letters(queues: &SqsQueue, step: Step) -> Vec<String> {
    for _ in 0..300 {
        let letters = queues.dead_letters(step, 10).await.unwrap();
        if !letters.is_empty() {
            return letters.into_iter().map(|letter| letter.body).collect();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Vec::new()
}

async fn the_engine_keeps_the_rules_of_every_port(emulator: &Emulator) {
    let (stack, again) = (emulator.stack().await, emulator.stack().await);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (time, brief) = (Arc::new(RealTime), Duration::from_secs(2));

    let fixture = contract::store::Fixture { store: stack.engine.store.clone(), clock, time: time.clone(), brief };
    let store = contract::store::all(&fixture).await;

    let fixture = contract::vault::Fixture { vault: stack.engine.vault.clone(), reopened: again.engine.vault.clone() };
    let vault = contract::vault::all(&fixture).await;

    let (visibility, max_attempts) = (Duration::from_secs(2), 3);
    let queue = emulator.queues([Step::Map, Step::Check], max_attempts, visibility, None).await;
    let fixture = contract::queue::Fixture {
        queue: Arc::new(queue),
        time,
        step: Step::Map,
        other_step: Step::Check,
        max_attempts,
        tells_attempts: false,
        brief,
    };
    let queue = contract::queue::all(&fixture).await;

    let listening = emulator.queues([Step::Write, Step::Write], 1000, Duration::from_secs(30), Some("koppel")).await;
    let published = Arc::new(Listener { queue: listening, heard: tokio::sync::Mutex::default() });
    let bus = contract::bus::all(&contract::bus::Fixture { bus: stack.engine.bus.clone(), published }).await;

    for (port, report) in [("store", &store), ("vault", &vault), ("queue", &queue), ("bus", &bus)] {
        eprintln!("{port}: {report}");
    }
    [store, vault, queue, bus].iter().for_each(contract::Report::assert);
}
