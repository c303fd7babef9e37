//! Kills processes of functions, as a machine that is taken away does: without a word, at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use koppel_chaos::dice::Dice;
use koppel_core::message::Step;
use koppel_sandbox::{Handle, Inspector};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Most kills of one function: whatever message they hit, it has not yet failed so often that it is set aside.
const MOST: usize = 4;
/// So many of these are kept for writers whose order has just come into the books.
const KEPT: usize = 3;

/// A thread that hunts until it is told to end.
pub struct Hunter {
    stop: Arc<AtomicBool>,
    orders: mpsc::Receiver<String>,
    thread: Option<JoinHandle<BTreeMap<&'static str, usize>>>,
}

impl Hunter {
    /// Hunts the children of the process `emulator`.
    pub fn begin(emulator: u32, sandbox: &Handle) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, orders) = mpsc::channel();
        let mut hunt = Hunt {
            emulator,
            books: sandbox.exact(),
            dice: Dice::new(7, "hunter"),
            seen: BTreeSet::new(),
            prey: Vec::new(),
            booked: 0,
            killed: BTreeMap::new(),
            tell,
        };
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                hunt.look();
                std::thread::sleep(Duration::from_millis(1));
            }
            hunt.killed
        });
        Self { stop, orders, thread: Some(thread) }
    }

    /// Numbers of the orders that had just been created when their writer was killed, since this was asked last.
    pub fn orders_of_killed_writers(&mut self) -> Vec<String> {
        self.orders.try_iter().collect()
    }

    /// Ends the hunt and tells how often each step was hit.
    pub fn end(mut self) -> BTreeMap<&'static str, usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it ends once").join().expect("the hunter does not stumble")
    }
}

impl Drop for Hunter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Hunt {
    emulator: u32,
    books: Inspector,
    dice: Dice,
    /// Processes that were looked at.
    seen: BTreeSet<u32>,
    /// Functions that run.
    prey: Vec<Prey>,
    booked: usize,
    killed: BTreeMap<&'static str, usize>,
    tell: mpsc::Sender<String>,
}

struct Prey {
    process: u32,
    step: Step,
    /// Where the runtime of the function is told what became of it.
    runtime: String,
    dies_at: Option<Instant>,
}

impl Hunt {
    fn look(&mut self) {
        let orders = self.books.documents("SalesOrders");
        if orders.len() > self.booked {
            self.booked = orders.len();
            let writer = self.prey.iter().rposition(|prey| prey.step == Step::Write);
            if let Some(at) = writer.filter(|_| self.may_kill(Step::Write, MOST) && self.dice.percent(50))
                && self.kill(at)
            {
                let reference = orders.last().and_then(|order| order["YourRef"].as_str()).unwrap_or_default();
                let _ = self.tell.send(reference.trim_start_matches("WC-").to_owned());
            }
        }
        for process in processes() {
            if self.seen.contains(&process) {
                continue;
            }
            let is_child = parent(process) == Some(self.emulator);
            let function = if is_child { function(process) } else { None };
            // A child has the environment of the emulator for a moment, before it becomes the function.
            if !is_child || function.is_some() {
                self.seen.insert(process);
            }
            if let Some((step, runtime)) = function {
                // The first of each step dies young, so that none is missed; the others die at any age, or not at all.
                let first = !self.killed.contains_key(step.name());
                let at = Instant::now() + Duration::from_millis(self.dice.between(0, if first { 30 } else { 400 }));
                let dies_at = (first || self.dice.percent(60)).then_some(at);
                self.prey.push(Prey { process, step, runtime, dies_at });
            }
        }
        self.prey.retain(|prey| parent(prey.process) == Some(self.emulator));
        let due = |prey: &Prey| prey.dies_at.is_some_and(|at| at <= Instant::now());
        if let Some(at) = self.prey.iter().position(due) {
            self.prey[at].dies_at = None;
            let kept = if self.prey[at].step == Step::Write { KEPT } else { 1 };
            if self.may_kill(self.prey[at].step, MOST - kept) {
                self.kill(at);
            }
        }
    }

    fn may_kill(&self, step: Step, most: usize) -> bool {
        self.killed.get(step.name()).copied().unwrap_or_default() < most
    }

    /// True when the function was still at work.
    fn kill(&mut self, at: usize) -> bool {
        let Prey { process, step, runtime, .. } = self.prey.swap_remove(at);
        let pid = i32::try_from(process).expect("a process id");
        if parent(process) != Some(self.emulator) || kill(Pid::from_raw(pid), Signal::SIGKILL).is_err() {
            return false;
        }
        // The service sees at once that a process has ended; the emulator would wait for the time-out of the function.
        let was_at_work = tell_the_end(&runtime).is_ok();
        if was_at_work {
            *self.killed.entry(step.name()).or_default() += 1;
        }
        was_at_work
    }
}

fn processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc")
        .expect("processes")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Step and runtime of a process, when it is a function that works for a queue.
fn function(process: u32) -> Option<(Step, String)> {
    let environment = String::from_utf8(std::fs::read(format!("/proc/{process}/environ")).ok()?).ok()?;
    let variable = |name: &str| environment.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let name = variable("AWS_LAMBDA_FUNCTION_NAME")?;
    let step = Step::QUEUED.into_iter().find(|step| name.ends_with(&format!("-{step}")))?;
    Some((step, variable("AWS_LAMBDA_RUNTIME_API")?.to_owned()))
}

/// Tells a runtime what AWS says of a process that is gone.
fn tell_the_end(runtime: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(runtime)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = r#"{"errorType":"Runtime.ExitError","errorMessage":"Error: Runtime exited with error: signal: killed"}"#;
    write!(stream, "POST /2018-06-01/runtime/init/error HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.contains(" 202 ") { Ok(()) } else { Err(std::io::Error::other(answer)) }
}
