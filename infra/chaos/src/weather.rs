//! Faults on the wire, by the sandbox's own rules. They change with the weather: calm, rough, storm.

use koppel_sandbox::{FaultAction, FaultRule, Handle};
use serde_json::Value;

use crate::dice::Dice;
use crate::gate::Chaos;
use crate::pairs::Pair;

/// Strengths in percent that the weather takes by turns.
const STRENGTHS: [u64; 6] = [0, 15, 25, 30, 50, 90];

/// What systems make their own faults of.
pub struct Weather<'a> {
    strength: u64,
    /// Has the clock.
    pub chaos: &'a Chaos,
    /// Chance.
    pub dice: &'a mut Dice,
}

impl Weather<'_> {
    /// The chance of a fault that has this one in a hundred at full strength.
    pub fn percent(&self, full: u64) -> u8 {
        u8::try_from((full * self.strength / 100).clamp(1, 90)).unwrap_or(1)
    }
}

/// A new weather: other strength, other rules.
pub fn change(pair: &Pair, sandbox: &Handle, chaos: &Chaos, dice: &mut Dice) {
    settle(pair, sandbox, chaos);
    let strength = STRENGTHS[dice.index(STRENGTHS.len())];
    chaos.set_strength(strength);
    if strength == 0 {
        return;
    }
    let mut weather = Weather { strength, chaos, dice };
    for shop in [true, false] {
        let mut rules = vec![
            with(FaultRule::new(FaultAction::HtmlPage), weather.percent(1)),
            with(FaultRule::new(FaultAction::Status).status(503), weather.percent(1)),
            with(FaultRule::new(FaultAction::ConnectionReset), weather.percent(2)),
            with(FaultRule::new(FaultAction::TruncatedBody), weather.percent(2)),
            with(FaultRule::new(FaultAction::AnswerLost), weather.percent(2)),
            with(FaultRule::new(FaultAction::Delay).delay_ms(3), weather.percent(2)),
        ];
        let (system, own) = match shop {
            true => (pair.shop.system(), pair.shop.wire(&mut weather)),
            false => (pair.books.system(), pair.books.wire(&mut weather)),
        };
        rules.extend(own);
        for mut rule in rules {
            rule.seed = weather.dice.roll();
            // A rule of ours is never mistaken; if one were, it would only be a fault less.
            let _ = sandbox.fault(system, rule);
        }
    }
}

/// Every rule without an end, with its chance.
pub fn with(rule: FaultRule, percent: u8) -> FaultRule {
    let mut rule = rule.count(0);
    rule.percent = Some(percent);
    rule
}

/// Counts what the rules have done, and takes them away.
pub fn settle(pair: &Pair, sandbox: &Handle, chaos: &Chaos) {
    for system in [pair.shop.system(), pair.books.system()] {
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
