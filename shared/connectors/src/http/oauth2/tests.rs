//! Races, lost answers and crashes around a token that rotates: it must never be burnt.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use koppel_core::Tenant;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Clock, Key};
use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::http::Deps;
use crate::http::testing::{HandClock, connection, world};

/// A token endpoint with rotation: each refresh token works once, and only from 570 seconds on.
struct Vendor {
    clock: Arc<HandClock>,
    state: Mutex<VendorState>,
    /// When set, each refresh waits here before it answers.
    gate: Option<Arc<Notify>>,
}

#[derive(Default)]
struct VendorState {
    round: u32,
    issued_at: DateTime<Utc>,
    refreshes: u32,
    /// Times an old token was shown: each one would lock out a person.
    old_shown: u32,
    /// What goes wrong with the next refreshes: the answer is lost, after or before the token was renewed.
    lose: VecDeque<bool>,
}

impl Vendor {
    fn new(clock: &Arc<HandClock>) -> Arc<Self> {
        Arc::new(Self { clock: clock.clone(), state: Mutex::default(), gate: None })
    }

    fn issue(&self, state: &mut VendorState) -> TokenSet {
        state.round += 1;
        state.issued_at = self.clock.now();
        let answer = json!({
            "access_token": format!("access-{}", state.round),
            "refresh_token": format!("refresh-{}", state.round),
            "expires_in": "600",
        });
        TokenSet::from_answer(&answer, state.issued_at).unwrap()
    }

    fn refreshes(&self) -> u32 {
        self.state.lock().unwrap().refreshes
    }

    fn old_shown(&self) -> u32 {
        self.state.lock().unwrap().old_shown
    }

    fn lose(&self, after_renewal: bool) {
        self.state.lock().unwrap().lose.push_back(after_renewal);
    }
}

#[async_trait]
impl TokenEndpoint for Vendor {
    fn authorize_url(&self, state: &str) -> Result<String, Failure> {
        Ok(format!("https://vendor.test/auth?state={state}"))
    }

    async fn exchange_code(&self, code: &str, _calls: &Calls) -> Result<TokenSet, TokenError> {
        match code {
            "good" => Ok(self.issue(&mut self.state.lock().unwrap())),
            _ => Err(TokenError::Dead(Cause::new("invalid_grant", "the code does not work"))),
        }
    }

    async fn refresh(&self, current: &TokenSet, _calls: &Calls) -> Result<TokenSet, TokenError> {
        tokio::task::yield_now().await;
        let result = {
            let mut state = self.state.lock().unwrap();
            state.refreshes += 1;
            let valid = format!("refresh-{}", state.round);
            let lost =
                || TokenError::from(Failure::retry(RetryReason::OutcomeUnknown, None, Cause::new("lost", "no answer")));
            if current.refresh.as_deref() != Some(valid.as_str()) {
                state.old_shown += 1;
                Err(TokenError::Old(Cause::new("old_token", "old refresh token used")))
            } else if self.clock.now() - state.issued_at < chrono::TimeDelta::seconds(570) {
                Err(TokenError::TooEarly(Cause::new("too_early", "the access token has not expired")))
            } else {
                match state.lose.pop_front() {
                    Some(true) => {
                        self.issue(&mut state);
                        Err(lost())
                    }
                    Some(false) => Err(lost()),
                    None => Ok(self.issue(&mut state)),
                }
            }
        };
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        result
    }

    fn min_age(&self) -> Duration {
        Duration::from_secs(570)
    }
}

fn keeper(vendor: &Arc<Vendor>, deps: &Deps) -> TokenKeeper {
    let endpoint: Arc<dyn TokenEndpoint> = vendor.clone();
    TokenKeeper::new(&connection("test", json!({}), &[]), endpoint, deps)
}

async fn connected(vendor: &Arc<Vendor>, deps: &Deps) -> TokenKeeper {
    let keeper = keeper(vendor, deps);
    keeper.exchange_code("good", &Calls::default()).await.unwrap();
    keeper
}

async fn stored(deps: &Deps) -> String {
    deps.store.get(&Key::new(&Tenant::default(), &["token"], "shop")).await.unwrap().unwrap().value
}

#[tokio::test(start_paused = true)]
async fn many_processes_renew_once_in_every_round() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    connected(&vendor, &deps).await;
    for round in 1..=5_u32 {
        clock.forward(580);
        let tasks: Vec<_> = (0..8)
            .flat_map(|_| {
                let process = Arc::new(keeper(&vendor, &deps));
                (0..3).map(move |_| {
                    let process = Arc::clone(&process);
                    tokio::spawn(async move { process.access_token(&Calls::default()).await })
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap(), format!("access-{}", round + 1));
        }
        assert_eq!(vendor.refreshes(), round);
    }
    assert_eq!(vendor.old_shown(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_young_token_costs_no_call_at_all() {
    let (clock, store, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    let before = store.gets.load(Ordering::Relaxed);
    clock.forward(569);
    assert_eq!(keeper.access_token(&Calls::default()).await.unwrap(), "access-1");
    assert_eq!(store.gets.load(Ordering::Relaxed), before);
    assert_eq!(vendor.refreshes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_is_not_renewed() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    clock.forward(100);
    let failure = keeper.access_token_after_refusal("access-1", &Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "token_refused"), "{failure}");
    assert_eq!(vendor.refreshes(), 0);
    // Another process has renewed meanwhile: its token is taken.
    assert_eq!(keeper.access_token_after_refusal("access-0", &Calls::default()).await.unwrap(), "access-1");
}

#[tokio::test(start_paused = true)]
async fn an_old_enough_token_that_is_refused_is_renewed() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    clock.forward(575);
    assert_eq!(keeper.access_token_after_refusal("access-1", &Calls::default()).await.unwrap(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_once_more() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    clock.forward(580);
    vendor.lose(false);
    assert_eq!(keeper.access_token(&Calls::default()).await.unwrap(), "access-2");
    assert_eq!(vendor.refreshes(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_is_down_kills_no_token() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    clock.forward(580);
    vendor.lose(false);
    vendor.lose(false);
    let failure = keeper.access_token(&Calls::default()).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{failure:?}");
    assert_eq!(keeper.consent().await.unwrap(), Consent::Given);
    assert_eq!(keeper.access_token(&Calls::default()).await.unwrap(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_died_stops_everybody_and_is_not_wiped() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let first = connected(&vendor, &deps).await;
    clock.forward(580);
    vendor.lose(true);
    let failure = first.access_token(&Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "needs_consent"), "{failure}");
    assert!(failure.to_string().contains("koppel connect shop"), "{failure}");

    let refreshes = vendor.refreshes();
    let other = keeper(&vendor, &deps);
    assert!(matches!(other.access_token(&Calls::default()).await, Err(Failure::Auth(_))));
    assert_eq!(vendor.refreshes(), refreshes, "no retry loop");
    assert!(matches!(other.consent().await.unwrap(), Consent::Needed { .. }));
    assert!(stored(&deps).await.contains("sealed\":\""), "the old token is still there");

    other.exchange_code("good", &Calls::default()).await.unwrap();
    let revived = first.access_token(&Calls::default()).await.unwrap();
    assert_eq!(revived, "access-3");
    assert_eq!(other.consent().await.unwrap(), Consent::Given);
}

#[tokio::test(start_paused = true)]
async fn a_slow_holder_wins_over_the_mark_of_an_impatient_one() {
    let (clock, _, deps) = world();
    let gate = Arc::new(Notify::new());
    let vendor = Arc::new(Vendor { clock: clock.clone(), state: Mutex::default(), gate: Some(gate.clone()) });
    connected(&vendor, &deps).await;
    clock.forward(580);
    // The slow one has its answer on the way; its lease ends before it arrives.
    let slow = keeper(&vendor, &deps);
    let slow = tokio::spawn(async move { slow.access_token(&Calls::default()).await });
    while vendor.refreshes() == 0 {
        tokio::task::yield_now().await;
    }
    clock.forward(100);
    let impatient = keeper(&vendor, &deps);
    let impatient = tokio::spawn(async move { impatient.access_token(&Calls::default()).await });
    while vendor.refreshes() == 1 {
        tokio::task::yield_now().await;
    }
    gate.notify_waiters();
    assert_eq!(slow.await.unwrap().unwrap(), "access-2");
    // The impatient one saw «old token», looked again and found what the slow one stored.
    assert_eq!(impatient.await.unwrap().unwrap(), "access-2");
    let after = keeper(&vendor, &deps);
    assert_eq!(after.consent().await.unwrap(), Consent::Given);
    assert_eq!(after.access_token(&Calls::default()).await.unwrap(), "access-2");
}

#[tokio::test(start_paused = true)]
async fn a_crashed_holder_blocks_only_until_its_lease_ends() {
    let (clock, _, deps) = world();
    let gate = Arc::new(Notify::new());
    let vendor = Arc::new(Vendor { clock: clock.clone(), state: Mutex::default(), gate: Some(gate.clone()) });
    connected(&vendor, &deps).await;
    clock.forward(580);
    let crashing = keeper(&vendor, &deps);
    let crashing = tokio::spawn(async move { crashing.access_token(&Calls::default()).await });
    while vendor.refreshes() == 0 {
        tokio::task::yield_now().await;
    }
    crashing.abort();
    let waiting = keeper(&vendor, &deps);
    let deadline = Calls::default().until(clock.now());
    let failure = waiting.access_token(&deadline).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Busy, .. }), "{failure:?}");
    assert_eq!(vendor.refreshes(), 1);
    // Its renewed token went down with it: that cannot be mended, but it is found out and said.
    clock.forward(100);
    gate.notify_one();
    let failure = waiting.access_token(&Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "needs_consent"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stumbles_loses_no_new_token() {
    let (clock, store, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    clock.forward(580);
    // The lease is taken, then the writes fail: more often than one call tries.
    let failing = Arc::clone(&store);
    let watched = Arc::clone(&vendor);
    let breaker = tokio::spawn(async move {
        while watched.refreshes() == 0 {
            tokio::task::yield_now().await;
        }
        failing.failing.store(10, Ordering::SeqCst);
    });
    let result = keeper.access_token(&Calls::default()).await;
    breaker.await.unwrap();
    // What the store did not take stays in this process and is stored before it is used.
    if result.is_err() {
        assert_eq!(keeper.access_token(&Calls::default()).await.unwrap(), "access-2");
    }
    let other = self::keeper(&vendor, &deps);
    assert_eq!(other.access_token(&Calls::default()).await.unwrap(), "access-2");
    assert_eq!((vendor.refreshes(), vendor.old_shown()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn tokens_are_sealed_and_never_shown() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    let text = stored(&deps).await;
    let set = TokenSet::from_answer(&json!({"access_token": "access-1", "expires_in": 600}), clock.now()).unwrap();
    let shown = format!("{text} {keeper:?} {set:?}");
    assert!(!shown.contains("access-1") && !shown.contains("refresh-1"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_consent_says_what_to_do() {
    let (clock, _, deps) = world();
    let keeper = keeper(&Vendor::new(&clock), &deps);
    let failure = keeper.access_token(&Calls::default()).await.unwrap_err();
    assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "never_connected"), "{failure}");
    assert_eq!(keeper.consent().await.unwrap(), Consent::Never);
    assert!(keeper.authorize_url("s1").unwrap().ends_with("state=s1"));
    let refused = keeper.exchange_code("bad", &Calls::default()).await.unwrap_err();
    assert!(matches!(refused, Failure::Auth(_)));
}

/// Hands out tokens without a person, for one company.
struct Service {
    company: &'static str,
}

#[async_trait]
impl TokenEndpoint for Service {
    fn authorize_url(&self, _state: &str) -> Result<String, Failure> {
        Err(Failure::settings(Cause::new("no_consent", "nobody has to consent")))
    }

    async fn exchange_code(&self, _code: &str, _calls: &Calls) -> Result<TokenSet, TokenError> {
        Err(TokenError::Failed(Failure::settings(Cause::new("no_consent", "nobody has to consent"))))
    }

    async fn refresh(&self, current: &TokenSet, calls: &Calls) -> Result<TokenSet, TokenError> {
        let next = self.first(calls).await?.unwrap();
        Ok(TokenSet { access: format!("{}+", current.access), ..next })
    }

    async fn first(&self, _calls: &Calls) -> Result<Option<TokenSet>, TokenError> {
        let answer = json!({"access_token": self.company, "expires_in": 3600});
        Ok(Some(TokenSet::from_answer(&answer, "2026-11-22T06:00:00Z".parse().unwrap()).unwrap()))
    }

    fn audience(&self) -> String {
        self.company.to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_one_company_is_never_used_for_another() {
    let (_, _, deps) = world();
    let of = |company| TokenKeeper::new(&connection("test", json!({}), &[]), Arc::new(Service { company }), &deps);
    assert_eq!(of("one").access_token(&Calls::default()).await.unwrap(), "one");
    // The same connection, with another company in its settings.
    assert_eq!(of("two").access_token(&Calls::default()).await.unwrap(), "two");
    assert_eq!(of("one").access_token_after_refusal("one", &Calls::default()).await.unwrap(), "one+");
    assert_eq!(of("two").access_token(&Calls::default()).await.unwrap(), "two");
}

#[tokio::test(start_paused = true)]
async fn a_rarely_used_token_is_kept_alive() {
    let (clock, _, deps) = world();
    let vendor = Vendor::new(&clock);
    let keeper = connected(&vendor, &deps).await;
    let week = Duration::from_secs(7 * 86_400);
    clock.forward(6 * 86_400);
    keeper.keep_alive(week, &Calls::default()).await.unwrap();
    assert_eq!(vendor.refreshes(), 0);
    clock.forward(86_400);
    keeper.keep_alive(week, &Calls::default()).await.unwrap();
    assert_eq!(vendor.refreshes(), 1);
}

#[test]
fn expiry_is_read_as_number_and_as_text() {
    let now = DateTime::UNIX_EPOCH;
    let left = |answer| (TokenSet::from_answer(&answer, now).unwrap().expires_at - now).num_seconds();
    assert_eq!(left(json!({"access_token": "a", "expires_in": 3600})), 3600);
    assert_eq!(left(json!({"access_token": "a", "expires_in": "600"})), 600);
    assert!(TokenSet::from_answer(&json!({"access_token": ""}), now).is_err());
}
