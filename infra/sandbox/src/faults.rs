//! Faults on demand: rules that match requests and say what goes wrong with them.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::lock;
use crate::message::Call;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultAction {
    /// Nothing but the delay of the rule.
    Delay,
    /// The request is not looked at; `status` comes back, with the body of the rule if it has one.
    Status,
    /// The request is not looked at; an HTML page with `status` (503 by default) comes back.
    HtmlPage,
    /// The request is carried out and stored, then the connection closes without an answer.
    AnswerLost,
    /// The connection closes before the request is looked at.
    ConnectionReset,
    /// The request is carried out; the answer stops after `bytes` bytes of its body.
    TruncatedBody,
}

/// One rule. All conditions must hold; absent ones hold always.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Verb, e.g. `POST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Text that must occur in path + query (letters of whatever case).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Starts at the n-th matching request (1 = the first).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Chance in percent that a matching request is hit; needs `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Seed of the chance: the same seed hits the same requests.
    #[serde(default)]
    pub seed: u64,
    /// How many requests are hit before the rule is spent (default 1; 0 = no end).
    #[serde(default = "one")]
    pub count: u64,
    /// What happens.
    pub action: FaultAction,
    /// Wait before anything else.
    #[serde(default)]
    pub delay_ms: u64,
    /// Status of `status` and `html_page`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Headers of `status`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Length of a truncated body (default: half).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

fn one() -> u64 {
    1
}

impl FaultRule {
    /// A rule that hits the next request, once.
    pub fn new(action: FaultAction) -> Self {
        Self {
            method: None,
            path: None,
            nth: None,
            percent: None,
            seed: 0,
            count: 1,
            action,
            delay_ms: 0,
            status: None,
            body: None,
            headers: Vec::new(),
            bytes: None,
        }
    }

    /// Only this verb.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_uppercase());
        self
    }

    /// Only paths (with query) that contain this text.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path = Some(part.into());
        self
    }

    /// From the n-th match on.
    #[must_use]
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// So many hits; 0 is without end.
    #[must_use]
    pub fn count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Wait first.
    #[must_use]
    pub fn delay_ms(mut self, delay: u64) -> Self {
        self.delay_ms = delay;
        self
    }

    /// A mistake in the rule, in words.
    pub fn mistake(&self) -> Option<String> {
        if self.percent.is_some_and(|percent| percent > 100) {
            return Some("fault rule: percent must be 0..100".into());
        }
        if self.action == FaultAction::Status && !self.status.is_some_and(|s| (100..=599).contains(&s)) {
            return Some("fault rule: action \"status\" needs a status between 100 and 599".into());
        }
        if self.action == FaultAction::Delay && self.delay_ms == 0 {
            return Some("fault rule: action \"delay\" needs delay_ms".into());
        }
        None
    }

    fn matches(&self, call: &Call) -> bool {
        let method = self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&call.method));
        let path = self
            .path
            .as_ref()
            .is_none_or(|part| format!("{}?{}", call.path, call.query).to_lowercase().contains(&part.to_lowercase()));
        method && path
    }
}

#[derive(Debug)]
struct Active {
    rule: FaultRule,
    seen: u64,
    hits: u64,
    dice: u64,
}

/// The rules of one system.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Active>>,
}

/// What the rules decided about one request.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Wait so long first.
    pub delay_ms: u64,
    /// The first rule that does more than wait.
    pub rule: Option<FaultRule>,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&self, rule: FaultRule) -> Result<(), String> {
        if let Some(mistake) = rule.mistake() {
            return Err(mistake);
        }
        let dice = rule.seed;
        lock(&self.rules).push(Active { rule, seen: 0, hits: 0, dice });
        Ok(())
    }

    /// Removes all rules.
    pub fn clear(&self) {
        lock(&self.rules).clear();
    }

    /// The rules, with how many requests each matched and hit.
    pub fn list(&self) -> Vec<(FaultRule, u64, u64)> {
        lock(&self.rules).iter().map(|active| (active.rule.clone(), active.seen, active.hits)).collect()
    }

    /// Decides about a request and counts it.
    pub fn decide(&self, call: &Call) -> Verdict {
        let mut verdict = Verdict::default();
        for active in lock(&self.rules).iter_mut() {
            if active.rule.count > 0 && active.hits >= active.rule.count || !active.rule.matches(call) {
                continue;
            }
            active.seen += 1;
            if active.rule.nth.is_some_and(|nth| active.seen < nth) {
                continue;
            }
            if active.rule.percent.is_some_and(|percent| roll(&mut active.dice) % 100 >= u64::from(percent)) {
                continue;
            }
            if active.rule.action != FaultAction::Delay && verdict.rule.is_some() {
                continue; // one fault a request; this rule waits for the next one
            }
            active.hits += 1;
            verdict.delay_ms += active.rule.delay_ms;
            if active.rule.action != FaultAction::Delay {
                verdict.rule = Some(active.rule.clone());
            }
        }
        verdict
    }
}

/// SplitMix64: small, and the same on every machine.
pub(crate) fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, path: &str) -> Call {
        Call {
            method: method.into(),
            path: path.into(),
            query: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            tls: false,
            loopback: true,
            fetched: Vec::new(),
        }
    }

    #[test]
    fn a_rule_hits_from_its_nth_match_so_often_as_it_says() {
        let faults = Faults::default();
        faults.add(FaultRule::new(FaultAction::AnswerLost).method("POST").path("salesorders").nth(2).count(2)).unwrap();
        let hits: Vec<bool> = (0..5).map(|_| faults.decide(&call("POST", "/x/SalesOrders")).rule.is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(faults.decide(&call("GET", "/x/SalesOrders")).rule.is_none());
    }

    #[test]
    fn chance_is_repeatable_and_a_mistake_is_named() {
        let run = || {
            let faults = Faults::default();
            let mut rule = FaultRule::new(FaultAction::ConnectionReset).count(0);
            rule.percent = Some(30);
            rule.seed = 7;
            faults.add(rule).unwrap();
            (0..200).filter(|_| faults.decide(&call("GET", "/")).rule.is_some()).count()
        };
        assert_eq!(run(), run());
        assert!((30..90).contains(&run()));
        let mistake = Faults::default().add(FaultRule::new(FaultAction::Status)).unwrap_err();
        assert!(mistake.contains("needs a status"));
    }
}
