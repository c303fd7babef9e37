//! `/_sandbox/…` of every system: what was created, how often it was called, clock, switches and faults.
//! No key is needed; only callers on this machine are let in.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use crate::faults::FaultRule;
use crate::host::Host;
use crate::lock;
use crate::message::{Call, Reply};
use crate::pictures;

/// Answers an inspection request.
pub fn answer(host: &Host, call: &Call) -> Reply {
    if !call.loopback {
        return problem(403, "the inspection door only opens for callers on this machine");
    }
    let segments = call.segments();
    let path: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    if let Some(reply) = host.system.inspect(call, &path) {
        return reply;
    }
    match (call.method.as_str(), path.as_slice()) {
        ("GET", [] | ["health"]) => {
            Reply::json(200, &json!({"system": host.name, "now": host.clock.now().to_rfc3339()}))
        }
        ("GET", ["pictures", name]) if name.ends_with(".png") => {
            let mut reply = Reply::typed(200, "image/png", "");
            reply.body = pictures::png(name, 16);
            reply
        }
        ("GET", ["calls"]) => Reply::json(200, &calls(host)),
        ("POST", ["calls", "reset"]) => {
            *lock(&host.calls) = Default::default();
            Reply::empty(204)
        }
        ("GET", ["log"]) => {
            let last = call.param("last").and_then(|text| text.parse().ok()).unwrap_or(100);
            let calls = lock(&host.calls);
            let skip = calls.log.len().saturating_sub(last);
            Reply::json(200, &calls.log.iter().skip(skip).map(|logged| logged.to_json()).collect())
        }
        ("GET", ["clock"]) => Reply::json(200, &clock(host)),
        ("POST" | "PUT", ["clock"]) => move_clock(host, call),
        ("GET", ["switches"]) => Reply::json(200, &host.system.switches()),
        ("POST" | "PUT", ["switches"]) => {
            with_body(call, |body| host.system.set_switches(&body).map(|()| Reply::json(200, &host.system.switches())))
        }
        ("GET", ["faults"]) => Reply::json(200, &faults(host)),
        ("POST", ["faults"]) => with_body(call, |body| {
            let rules = match body {
                Value::Array(rules) => rules,
                rule => vec![rule],
            };
            for rule in rules {
                let rule: FaultRule = serde_json::from_value(rule).map_err(|error| format!("fault rule: {error}"))?;
                host.faults.add(rule)?;
            }
            Ok(Reply::json(201, &faults(host)))
        }),
        ("DELETE", ["faults"]) => {
            host.faults.clear();
            Reply::empty(204)
        }
        ("POST", ["reset"]) => match host.system.reset() {
            Ok(()) => {
                host.faults.clear();
                *lock(&host.calls) = Default::default();
                Reply::empty(204)
            }
            Err(error) => problem(500, &error),
        },
        ("GET", ["tables"]) => Reply::json(200, &json!(host.system.tables())),
        ("GET", ["tables", name @ ..]) => match host.system.table(&name.join("/")) {
            Some(rows) => Reply::json(200, &Value::Array(rows)),
            None => problem(
                404,
                &format!("no table \"{}\"; there are: {}", name.join("/"), host.system.tables().join(", ")),
            ),
        },
        _ => problem(404, &format!("no inspection endpoint {} {}", call.method, call.path)),
    }
}

/// Runs `work` on the JSON body; its error text becomes a 400.
pub fn with_body(call: &Call, work: impl FnOnce(Value) -> Result<Reply, String>) -> Reply {
    match call.json() {
        Err(error) => problem(400, &format!("the body is no JSON: {error}")),
        Ok(body) => work(body).unwrap_or_else(|error| problem(400, &error)),
    }
}

/// An inspection answer that says what is wrong.
pub fn problem(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"error": message}))
}

/// The counters as JSON.
pub fn calls(host: &Host) -> Value {
    let calls = lock(&host.calls);
    let by_status: Map<String, Value> =
        calls.by_status.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
    json!({"total": calls.total, "by_endpoint": calls.by_endpoint, "by_status": by_status})
}

fn faults(host: &Host) -> Value {
    let list = host.faults.list();
    list.into_iter().map(|(rule, seen, hits)| json!({"rule": rule, "matched": seen, "hit": hits})).collect()
}

fn clock(host: &Host) -> Value {
    json!({"now": host.clock.now().to_rfc3339(), "frozen": host.clock.is_frozen()})
}

fn move_clock(host: &Host, call: &Call) -> Reply {
    with_body(call, |body| {
        let fields = body.as_object().ok_or("the clock takes an object")?;
        for (name, value) in fields {
            let time = || -> Result<DateTime<Utc>, String> {
                let text = value.as_str().unwrap_or_default();
                let time = DateTime::parse_from_rfc3339(text).map_err(|e| format!("clock: {name} \"{text}\": {e}"))?;
                Ok(time.with_timezone(&Utc))
            };
            match name.as_str() {
                "advance_seconds" => {
                    let seconds = value.as_i64().ok_or("clock: advance_seconds takes a whole number")?;
                    host.clock.advance(Duration::seconds(seconds));
                }
                "set" => host.clock.set(time()?),
                "freeze" => host.clock.freeze(time()?),
                _ => return Err(format!("clock: unknown field \"{name}\"; it takes advance_seconds, set or freeze")),
            }
        }
        Ok(Reply::json(200, &clock(host)))
    })
}
