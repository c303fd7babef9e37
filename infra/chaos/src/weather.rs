//! Faults on the wire, by the sandbox's own rules. They change with the weather: calm, rough, storm.

use koppel_sandbox::{FaultAction, FaultRule, Handle};
use serde_json::Value;

use crate::dice::Dice;
use crate::gate::Chaos;

const SYSTEMS: [&str; 2] = ["woocommerce", "exact-online"];

/// Strengths in percent that the weather takes by turns.
const STRENGTHS: [u64; 6] = [0, 15, 25, 30, 50, 90];

/// A new weather: other strength, other rules.
pub fn change(sandbox: &Handle, chaos: &Chaos, dice: &mut Dice) {
    settle(sandbox, chaos);
    let strength = STRENGTHS[dice.index(STRENGTHS.len())];
    chaos.set_strength(strength);
    if strength == 0 {
        return;
    }
    let percent = |full: u64| u8::try_from((full * strength / 100).clamp(1, 90)).unwrap_or(1);
    for system in SYSTEMS {
        let mut rules = vec![
            with(FaultRule::new(FaultAction::HtmlPage), percent(1)),
            with(FaultRule::new(FaultAction::Status).status(503), percent(1)),
            with(FaultRule::new(FaultAction::ConnectionReset), percent(2)),
            with(FaultRule::new(FaultAction::TruncatedBody), percent(2)),
            with(FaultRule::new(FaultAction::AnswerLost), percent(2)),
            with(FaultRule::new(FaultAction::Delay).delay_ms(3), percent(2)),
        ];
        if system == "exact-online" {
            for path in ["SalesOrders", "Accounts", "Contacts", "Addresses"] {
                rules.push(with(FaultRule::new(FaultAction::AnswerLost).method("POST").path(path), percent(4)));
            }
            rules.push(throttled(chaos, dice));
        } else {
            // Batches of the shop take longest, so their answers are lost most.
            rules.push(with(FaultRule::new(FaultAction::AnswerLost).method("POST").path("batch"), percent(8)));
            rules.push(with(FaultRule::new(FaultAction::ConnectionReset).method("POST").path("batch"), percent(4)));
        }
        for mut rule in rules {
            rule.seed = dice.roll();
            // A rule of ours is never mistaken; if one were, it would only be a fault less.
            let _ = sandbox.fault(system, rule);
        }
    }
}

/// Every rule without an end, with its chance.
fn with(rule: FaultRule, percent: u8) -> FaultRule {
    let mut rule = rule.count(0);
    rule.percent = Some(percent);
    rule
}

/// The limit of a minute, or once in a while that of a day or of an endpoint.
fn throttled(chaos: &Chaos, dice: &mut Dice) -> FaultRule {
    let now = chaos.clock.now();
    let (header, seconds) = match dice.index(8) {
        0 => (Some("X-RateLimit-Reset"), 7_200),
        1 => (None, 0),
        _ => (Some("X-RateLimit-Minutely-Reset"), 40),
    };
    let mut rule = FaultRule::new(FaultAction::Status).status(429).nth(dice.between(5, 60)).count(2);
    if let Some(name) = header {
        let reset = (now + chrono::TimeDelta::seconds(seconds)).timestamp_millis();
        rule.headers = vec![(name.to_owned(), reset.to_string())];
    }
    rule
}

/// Counts what the rules have done, and takes them away.
pub fn settle(sandbox: &Handle, chaos: &Chaos) {
    for system in SYSTEMS {
        let Some(inside) = sandbox.system(system) else { continue };
        let (_, rules) = inside.inspect("GET", "faults", &Value::Null);
        for rule in rules.as_array().into_iter().flatten() {
            let kind = match rule["rule"]["action"].as_str().unwrap_or_default() {
                "html_page" => "http: HTML page",
                "status" if rule["rule"]["status"] == 429 => "http: 429",
                "status" => "http: 503",
                "connection_reset" => "http: connection reset",
                "truncated_body" => "http: answer cut off",
                "answer_lost" => "http: answer lost",
                _ => "http: delay",
            };
            chaos.count(kind, rule["hit"].to_string().parse().unwrap_or_default());
        }
        inside.clear_faults();
    }
}
