//! What every stand-in has in common: fault rules, counters, the call log and the inspection door in front of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::faults::{FaultAction, Faults};
use crate::fetch;
use crate::inspect;
use crate::lock;
use crate::message::{Call, Reply};

/// A stand-in of one system.
pub trait System: Send + Sync + 'static {
    /// Short name of what a request is about, for the counters: `orders`, `crm/Accounts`, …
    fn endpoint(&self, call: &Call) -> String;
    /// Addresses the answer needs the content of: they are loaded before it is asked for.
    fn addresses(&self, _call: &Call) -> Vec<String> {
        Vec::new()
    }
    /// Answers a request, as one transaction.
    fn answer(&self, call: &Call) -> Reply;
    /// Answers a request of its own below `/_sandbox/`; None: not one of its own.
    fn inspect(&self, call: &Call, path: &[&str]) -> Option<Reply>;
    /// Names of the kinds of rows it holds.
    fn tables(&self) -> Vec<String>;
    /// Rows of a kind (full name, or its last part).
    fn table(&self, name: &str) -> Option<Vec<Value>>;
    /// The switches and their values.
    fn switches(&self) -> Value;
    /// Sets some switches; an error names the unknown switch or the wrong value.
    fn set_switches(&self, values: &Value) -> Result<(), String>;
    /// Back to the seeds.
    fn reset(&self) -> Result<(), String>;
}

/// One request that came in.
#[derive(Debug, Clone)]
pub struct LoggedCall {
    /// Verb.
    pub method: String,
    /// Path as sent.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// What the request was about.
    pub endpoint: String,
    /// Status of the answer; 0 when no answer went out.
    pub status: u16,
    /// Body as sent.
    pub body: String,
}

impl LoggedCall {
    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({"method": self.method, "path": self.path, "query": self.query, "endpoint": self.endpoint,
            "status": self.status, "body": self.body})
    }
}

/// Counters of one system.
#[derive(Debug, Default)]
pub struct Calls {
    /// All requests since the last reset.
    pub total: u64,
    /// `GET orders` → how often.
    pub by_endpoint: BTreeMap<String, u64>,
    /// Status → how often; 0 stands for "no answer".
    pub by_status: BTreeMap<u16, u64>,
    /// The last requests.
    pub log: VecDeque<LoggedCall>,
}

const LOG_LENGTH: usize = 5_000;

impl Calls {
    fn count(&mut self, call: LoggedCall) {
        self.total += 1;
        *self.by_endpoint.entry(format!("{} {}", call.method, call.endpoint)).or_default() += 1;
        *self.by_status.entry(call.status).or_default() += 1;
        if self.log.len() == LOG_LENGTH {
            self.log.pop_front();
        }
        self.log.push_back(call);
    }
}

/// What becomes of a request.
pub enum Outcome {
    /// This answer.
    Answer(Reply),
    /// This answer, but only so many bytes of its body.
    Cut(Reply, usize),
    /// No answer: the connection closes.
    Close,
}

/// One system with everything in front of it.
pub struct Host {
    /// Name in the registry.
    pub name: &'static str,
    /// The system.
    pub system: Arc<dyn System>,
    /// The clock of the sandbox.
    pub clock: Clock,
    /// Fault rules of this system.
    pub faults: Faults,
    /// Counters of this system.
    pub calls: Mutex<Calls>,
}

impl Host {
    /// Answers a request, with the faults that apply to it.
    pub async fn dispatch(&self, mut call: Call) -> Outcome {
        if call.path == "/_sandbox" || call.path.starts_with("/_sandbox/") {
            return Outcome::Answer(inspect::answer(self, &call));
        }
        let verdict = self.faults.decide(&call);
        if verdict.delay_ms > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(verdict.delay_ms)).await;
        }
        for address in self.system.addresses(&call) {
            let content = fetch::send("GET", &address, &[], &[]).await;
            call.fetched.push((address, content));
        }
        let outcome = self.carry_out(&call, verdict.rule);
        let status = match &outcome {
            Outcome::Answer(reply) | Outcome::Cut(reply, _) => reply.status,
            Outcome::Close => 0,
        };
        let logged = LoggedCall {
            endpoint: self.system.endpoint(&call),
            status,
            body: String::from_utf8_lossy(&call.body).into_owned(),
            method: call.method,
            path: call.path,
            query: call.query,
        };
        tracing::debug!(system = self.name, method = logged.method, path = logged.path, status, "call");
        lock(&self.calls).count(logged);
        outcome
    }

    fn carry_out(&self, call: &Call, rule: Option<crate::FaultRule>) -> Outcome {
        let Some(rule) = rule else { return Outcome::Answer(self.system.answer(call)) };
        match rule.action {
            FaultAction::Delay => Outcome::Answer(self.system.answer(call)),
            FaultAction::ConnectionReset => Outcome::Close,
            FaultAction::AnswerLost => {
                let reply = self.system.answer(call);
                tracing::debug!(status = reply.status, "answer thrown away by a fault rule");
                Outcome::Close
            }
            FaultAction::TruncatedBody => {
                let reply = self.system.answer(call);
                let at = rule.bytes.unwrap_or(reply.body.len() / 2).min(reply.body.len().saturating_sub(1));
                Outcome::Cut(reply, at)
            }
            FaultAction::Status => {
                let mut reply = Reply::empty(rule.status.unwrap_or(500));
                reply.body = rule.body.unwrap_or_default().into_bytes();
                reply.headers = rule.headers;
                Outcome::Answer(reply)
            }
            FaultAction::HtmlPage => {
                let status = rule.status.unwrap_or(503);
                let page = format!(
                    "<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>Service unavailable</h1></body></html>"
                );
                Outcome::Answer(Reply::typed(status, "text/html; charset=utf-8", page))
            }
        }
    }
}
