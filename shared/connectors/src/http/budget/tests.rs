//! Budgets with a clock that is moved by hand, and with several processes on one store.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::http::testing::{connection, world};

const LIMITS: Limits = Limits {
    calls_per_minute: Some(10),
    calls_per_hour: None,
    calls_per_day: Some(100),
    errors_per_hour: Some(5),
    concurrency: None,
};

fn budget(deps: &Deps, limits: Limits) -> CallBudget {
    CallBudget::new(&connection("test", json!({}), &[]), &limits, deps).unwrap()
}

fn only_hour(calls: u32) -> Limits {
    Limits { calls_per_hour: Some(calls), ..Limits::default() }
}

fn only_minute(calls: u32) -> Limits {
    Limits { calls_per_minute: Some(calls), ..Limits::default() }
}

/// The wait in seconds and the code of a refusal.
fn refused(result: Result<(), Failure>) -> (u64, String) {
    match result {
        Err(Failure::Retry { after: Some(after), reason: RetryReason::Throttled, cause }) => {
            (after.as_secs(), cause.code)
        }
        other => panic!("not throttled: {other:?}"),
    }
}

async fn take(budget: &CallBudget, calls: u32) {
    for _ in 0..calls {
        budget.take(Priority::Orders, "orders", "POST").await.unwrap();
    }
}

#[tokio::test]
async fn a_system_without_limits_costs_no_store_call() {
    let (_, store, deps) = world();
    let budget = budget(&deps, Limits { concurrency: Some(2), ..Limits::default() });
    take(&budget, 500).await;
    budget.failed("orders", "POST").await;
    assert_eq!(store.gets.load(Ordering::Relaxed) + store.puts.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_limited_system_costs_one_write_a_call() {
    let (_, store, deps) = world();
    let budget = budget(&deps, LIMITS);
    take(&budget, 10).await;
    assert_eq!(store.gets.load(Ordering::Relaxed), 1);
    assert_eq!(store.puts.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn the_hour_is_full_keeps_a_share_for_orders_and_follows_the_systems_word() {
    let (clock, _, deps) = world();
    let budget = budget(&deps, only_hour(10));
    // Pictures stop while there is something left for orders.
    for _ in 0..7 {
        budget.take(Priority::Images, "items", "GET").await.unwrap();
    }
    assert_eq!(refused(budget.take(Priority::Images, "items", "GET").await).1, "hour_limit");
    take(&budget, 3).await;
    let (wait, code) = refused(budget.take(Priority::Orders, "orders", "POST").await);
    assert_eq!(code, "hour_limit");
    assert!((3_600..=3_720).contains(&wait), "{wait}");
    let view = budget.look().await.unwrap();
    assert_eq!((view.windows[0].window.as_str(), view.windows[0].limit, view.windows[0].left), ("hour", 10, 0));
    // The system says otherwise: its window began at another moment and its limit is another one.
    let reset = clock.now() + TimeDelta::minutes(20);
    budget.learn(&[Learned { window: Window::Hour, remaining: 0, reset }], clock.now()).await;
    assert_eq!(refused(budget.take(Priority::Orders, "orders", "POST").await).0, 1_200);
    clock.forward(1_200);
    take(&budget, 1).await;
    let reset = clock.now() + TimeDelta::hours(1);
    budget.learn(&[Learned { window: Window::Hour, remaining: 400, reset }], clock.now()).await;
    take(&budget, 50).await;
    assert_eq!(budget.look().await.unwrap().windows[0].left, 350);
}

#[tokio::test]
async fn the_minute_is_full_and_opens_again() {
    let (clock, _, deps) = world();
    let budget = budget(&deps, only_minute(10));
    take(&budget, 10).await;
    let (wait, code) = refused(budget.take(Priority::Orders, "orders", "POST").await);
    assert_eq!(code, "minute_limit");
    assert!((60..=65).contains(&wait), "{wait}");
    clock.forward(i64::try_from(wait).unwrap());
    take(&budget, 10).await;
}

#[tokio::test]
async fn no_minute_holds_more_calls_than_the_limit_whoever_makes_them() {
    let (clock, _, deps) = world();
    let processes = [budget(&deps, only_minute(7)), budget(&deps, only_minute(7)), budget(&deps, only_minute(7))];
    let mut made: Vec<DateTime<Utc>> = Vec::new();
    for turn in 0..400_u32 {
        let process = &processes[(turn % 3) as usize];
        if process.take(Priority::Orders, "orders", "POST").await.is_ok() {
            made.push(clock.now());
        }
        clock.forward(if turn % 50 == 0 { 7 } else { 1 });
    }
    // Any window of a minute, wherever the other side begins to count.
    for (at, start) in made.iter().enumerate() {
        let within = made[at..].iter().take_while(|time| **time - *start < TimeDelta::minutes(1)).count();
        assert!(within <= 7, "{within} calls in the minute from {start}");
    }
    assert!(made.len() >= 35, "only {} calls in seven minutes", made.len());
}

#[tokio::test]
async fn processes_at_the_same_moment_share_one_minute() {
    let (_, _, deps) = world();
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let budget = budget(&deps, only_minute(12));
            tokio::spawn(async move {
                let mut taken = 0;
                for _ in 0..6 {
                    taken += usize::from(budget.take(Priority::Orders, "orders", "POST").await.is_ok());
                }
                taken
            })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += task.await.unwrap();
    }
    assert_eq!(taken, 12);
}

#[tokio::test]
async fn a_fifth_of_the_day_is_kept_for_orders() {
    let (clock, _, deps) = world();
    let budget = budget(&deps, Limits { calls_per_day: Some(100), ..Limits::default() });
    for _ in 0..80 {
        budget.take(Priority::Customers, "customers", "POST").await.unwrap();
    }
    let (_, code) = refused(budget.take(Priority::Refunds, "refunds", "POST").await);
    assert_eq!(code, "day_limit");
    take(&budget, 20).await;
    let (wait, _) = refused(budget.take(Priority::Orders, "orders", "POST").await);
    assert!((86_400..=88_200).contains(&wait), "{wait}");
    clock.forward(i64::try_from(wait).unwrap());
    take(&budget, 1).await;
}

#[tokio::test]
async fn what_is_less_urgent_stops_first_when_the_day_runs_short() {
    let (_, _, deps) = world();
    let budget = budget(&deps, Limits { calls_per_day: Some(100), ..Limits::default() });
    let mut made = 0;
    let order = [
        (Priority::Images, 64),
        (Priority::Products, 68),
        (Priority::Prices, 72),
        (Priority::Stock, 76),
        (Priority::Customers, 80),
        (Priority::Refunds, 80),
        (Priority::Orders, 100),
    ];
    for (priority, until) in order {
        while budget.take(priority, "any", "GET").await.is_ok() {
            made += 1;
        }
        assert_eq!(made, until, "{priority:?}");
    }
}

#[tokio::test]
async fn a_look_shows_every_window_and_takes_no_call() {
    let (clock, store, deps) = world();
    let budget = budget(&deps, LIMITS);
    assert_eq!(budget.look().await.unwrap().windows[0].resets_at, None);
    take(&budget, 4).await;
    budget.failed("orders", "POST").await;
    let puts = store.puts.load(Ordering::Relaxed);
    let view = budget.look().await.unwrap();
    assert_eq!(store.puts.load(Ordering::Relaxed), puts);
    let of = |at: usize| {
        let window = &view.windows[at];
        (window.window.as_str(), window.limit, window.used, window.left, window.kept_for_orders, window.told)
    };
    assert_eq!(of(0), ("minute", 10, 4, 6, 0, false));
    assert_eq!(of(1), ("day", 100, 4, 96, 20, false));
    assert_eq!((view.endpoints.len(), view.endpoints[0].errors, view.endpoints[0].rests_until), (1, 1, None));
    // What the system tells is shown in place of our count.
    let reset = clock.now() + TimeDelta::hours(3);
    budget.learn(&[Learned { window: Window::Day, remaining: 0, reset }], clock.now()).await;
    let view = budget.look().await.unwrap();
    let day = &view.windows[1];
    assert_eq!((day.used, day.left, day.kept_for_orders, day.resets_at, day.told), (100, 0, 0, Some(reset), true));
    clock.forward(90);
    assert_eq!(budget.look().await.unwrap().windows[0].used, 0);
}

#[tokio::test]
async fn what_the_system_tells_replaces_the_count_until_its_reset() {
    let (clock, _, deps) = world();
    let (one, other) = (budget(&deps, only_minute(60)), budget(&deps, only_minute(60)));
    take(&one, 1).await;
    let reset = clock.now() + TimeDelta::seconds(20);
    // Somebody else uses the same app: the system tells that only two calls are left.
    one.learn(&[Learned { window: Window::Minute, remaining: 2, reset }], clock.now()).await;
    take(&one, 1).await;
    take(&other, 1).await;
    assert_eq!(refused(one.take(Priority::Orders, "orders", "POST").await), (20, "minute_limit".into()));
    assert_eq!(refused(other.take(Priority::Orders, "orders", "POST").await), (20, "minute_limit".into()));
    clock.forward(20);
    take(&other, 60).await;
    refused(one.take(Priority::Orders, "orders", "POST").await);
}

#[tokio::test]
async fn within_a_window_the_count_only_goes_down() {
    let (clock, _, deps) = world();
    let budget = budget(&deps, only_minute(60));
    let reset = clock.now() + TimeDelta::seconds(30);
    take(&budget, 1).await;
    budget.learn(&[Learned { window: Window::Minute, remaining: 3, reset }], clock.now()).await;
    take(&budget, 2).await;
    // The answer of an earlier call comes late.
    budget.learn(&[Learned { window: Window::Minute, remaining: 3, reset }], clock.now()).await;
    take(&budget, 1).await;
    refused(budget.take(Priority::Orders, "orders", "POST").await);
    // A reset in the past tells nothing.
    budget.learn(&[Learned { window: Window::Minute, remaining: 50, reset: clock.now() }], clock.now()).await;
    refused(budget.take(Priority::Orders, "orders", "POST").await);
}

#[tokio::test]
async fn nothing_left_is_known_to_all_at_once() {
    let (clock, _, deps) = world();
    let (one, other) = (budget(&deps, LIMITS), budget(&deps, LIMITS));
    take(&other, 1).await;
    take(&one, 1).await;
    let reset = clock.now() + TimeDelta::hours(3);
    one.learn(&[Learned { window: Window::Day, remaining: 0, reset }], clock.now()).await;
    assert_eq!(refused(other.take(Priority::Orders, "orders", "POST").await), (3 * 3600, "day_limit".into()));
    clock.forward(3 * 3600);
    take(&other, 1).await;
}

#[tokio::test]
async fn a_wait_that_was_asked_for_holds_for_all() {
    let (clock, _, deps) = world();
    let (one, other) = (budget(&deps, LIMITS), budget(&deps, LIMITS));
    take(&one, 1).await;
    one.block(clock.now(), Duration::from_secs(90)).await;
    assert_eq!(refused(other.take(Priority::Orders, "orders", "POST").await), (90, "throttled".into()));
    clock.forward(90);
    take(&other, 1).await;
}

/// Chaos found an endpoint that was called once in two minutes for ever, as if each call were a probe.
#[tokio::test]
async fn an_endpoint_that_was_asked_to_rest_is_free_after_that_where_errors_have_no_limit() {
    let (clock, _, deps) = world();
    let (one, other) = (budget(&deps, only_minute(100)), budget(&deps, only_minute(100)));
    one.block_endpoint("orders", clock.now(), Duration::from_secs(30)).await;
    for process in [&one, &other] {
        assert_eq!(refused(process.take(Priority::Orders, "orders", "GET").await), (30, "endpoint_rests".into()));
        process.take(Priority::Orders, "products", "GET").await.unwrap();
    }
    clock.forward(30);
    for process in [&one, &other, &one, &other] {
        process.take(Priority::Orders, "orders", "GET").await.unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_with_too_many_errors_rests_and_is_probed_once() {
    let (clock, _, deps) = world();
    let limits = Limits { errors_per_hour: Some(5), ..Limits::default() };
    let (one, other) = (budget(&deps, limits), budget(&deps, limits));
    for turn in 0..5 {
        let process = if turn % 2 == 0 { &one } else { &other };
        process.take(Priority::Orders, "orders", "POST").await.unwrap();
        process.failed("orders", "POST").await;
        clock.forward(60);
    }
    let (wait, code) = refused(one.take(Priority::Orders, "orders", "POST").await);
    assert_eq!((wait, code.as_str()), (3540, "error_limit"));
    one.take(Priority::Orders, "items", "POST").await.unwrap();

    clock.forward(3540);
    one.take(Priority::Orders, "orders", "POST").await.unwrap();
    let (wait, _) = refused(other.take(Priority::Orders, "orders", "POST").await);
    assert_eq!(wait, 120, "one probe at a time");
    one.failed("orders", "POST").await;
    let (wait, _) = refused(other.take(Priority::Orders, "orders", "POST").await);
    assert_eq!(wait, 3600, "a probe that failed opens the circuit again");

    clock.forward(3600);
    other.take(Priority::Orders, "orders", "POST").await.unwrap();
    other.succeeded("orders", "POST").await;
    for _ in 0..3 {
        one.take(Priority::Orders, "orders", "POST").await.unwrap();
    }
}

#[tokio::test]
async fn a_search_that_works_does_not_clear_writes_that_fail() {
    let (clock, _, deps) = world();
    let limits = Limits { errors_per_hour: Some(5), ..Limits::default() };
    let (one, other) = (budget(&deps, limits), budget(&deps, limits));
    for _ in 0..5 {
        one.take(Priority::Orders, "orders", "POST").await.unwrap();
        one.failed("orders", "POST").await;
    }
    clock.forward(3600);
    one.take(Priority::Orders, "orders", "GET").await.unwrap();
    one.succeeded("orders", "GET").await;
    other.take(Priority::Orders, "orders", "GET").await.unwrap();
    other.take(Priority::Orders, "orders", "POST").await.unwrap();
    let (wait, _) = refused(one.take(Priority::Orders, "orders", "POST").await);
    assert_eq!(wait, 120, "writes are probed one at a time");
    other.failed("orders", "POST").await;
    let (wait, _) = refused(one.take(Priority::Orders, "orders", "GET").await);
    assert_eq!(wait, 3600, "the first error opens the circuit again");

    clock.forward(3600);
    one.take(Priority::Orders, "orders", "POST").await.unwrap();
    one.succeeded("orders", "POST").await;
    for _ in 0..4 {
        one.take(Priority::Orders, "orders", "POST").await.unwrap();
        one.failed("orders", "POST").await;
    }
    one.take(Priority::Orders, "orders", "POST").await.unwrap();
}

#[tokio::test]
async fn errors_of_an_hour_ago_do_not_count() {
    let (clock, _, deps) = world();
    let budget = budget(&deps, Limits { errors_per_hour: Some(5), ..Limits::default() });
    for _ in 0..12 {
        budget.take(Priority::Orders, "orders", "POST").await.unwrap();
        budget.failed("orders", "POST").await;
        clock.forward(16 * 60);
    }
}

#[test]
fn a_connection_may_have_limits_of_its_own() {
    let (_, _, deps) = world();
    let own = |options| CallBudget::new(&connection("test", options, &[]), &LIMITS, &deps);
    assert_eq!(own(json!({"calls_per_minute": 300})).unwrap().rules.per_minute, Some(300));
    assert_eq!(own(json!({"calls_per_day": "5000"})).unwrap().rules.per_day, Some(5000));
    for wrong in [json!(0), json!("many"), json!(-1)] {
        let failure = own(json!({"calls_per_day": wrong})).err().unwrap();
        assert!(matches!(&failure, Failure::Settings(cause) if cause.place.row.as_deref() == Some("calls_per_day")));
    }
}
