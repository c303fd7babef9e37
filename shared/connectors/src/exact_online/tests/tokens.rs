//! Tokens: renewed once by one, never early, and alive after a lost answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use koppel_core::Failure;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::Lookup;
use serde_json::json;

use super::server::{Reply, Seen, Server};
use super::{World, connection, keys, list};
use crate::exact_online::ExactOnline;
use crate::exact_online::auth::token_keeper;
use crate::http::testing;

/// A token endpoint that rotates as Exact does: a refresh token works once.
#[derive(Default)]
struct Rotation {
    live: Mutex<usize>,
    refreshes: AtomicUsize,
    old: AtomicUsize,
    /// So many answers get lost after the rotation; the previous token then works once more, as it was observed.
    lose: AtomicUsize,
}

impl Rotation {
    fn answer(&self, seen: &Seen) -> Reply {
        if seen.path != "/api/oauth2/token" {
            return list(json!([]));
        }
        let mut live = self.live.lock().unwrap();
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(seen.text.as_bytes()).into_owned().collect();
        assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("client-id", "client-secret"));
        if form["grant_type"] == "refresh_token" {
            assert_eq!(form.len(), 4, "{form:?}");
            if form["refresh_token"] != format!("refresh-{live}") {
                self.old.fetch_add(1, Ordering::SeqCst);
                return Reply::json(401, include_str!("../fixtures/token-old.json"));
            }
            self.refreshes.fetch_add(1, Ordering::SeqCst);
            if self.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
                return Reply::lost();
            }
        } else {
            assert_eq!(form["redirect_uri"], "https://koppel.example/back");
            assert_eq!(form["code"], "a!b");
        }
        *live += 1;
        let body = json!({"access_token":format!("access-{live}"),"token_type":"bearer","expires_in":"600",
            "refresh_token":format!("refresh-{live}")});
        Reply::json(200, &body.to_string())
    }
}

async fn start() -> (Arc<Rotation>, Server) {
    let rotation = Arc::new(Rotation::default());
    let shared = Arc::clone(&rotation);
    (rotation, Server::start(move |seen| shared.answer(seen)).await)
}

#[tokio::test]
async fn two_connectors_that_need_a_token_at_once_renew_it_once() {
    let (rotation, server) = start().await;
    let (clock, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("a%21b", &calls).await.unwrap();
    for round in 1..=5 {
        clock.forward(580);
        let connectors: Vec<ExactOnline> = (0..2).map(|_| ExactOnline::new(&connection, &deps).unwrap()).collect();
        let asked = keys(["A"]);
        let (one, two) = tokio::join!(
            connectors[0].look_up(Lookup::Item, &asked, &calls),
            connectors[1].look_up(Lookup::Item, &asked, &calls)
        );
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(rotation.refreshes.load(Ordering::SeqCst), round);
    }
    assert_eq!(rotation.old.load(Ordering::SeqCst), 0);
    assert!(
        server.take().iter().filter(|seen| seen.method == "GET").all(|seen| seen.headers.contains_key("authorization"))
    );
}

#[tokio::test]
async fn a_young_token_is_never_renewed_even_when_it_is_refused() {
    let world = World::new(|_| Reply::empty(401)).await;
    for age in [0, 569] {
        world.clock.forward(age);
        let failure = world.exact.look_up(Lookup::Item, &keys(["A"]), &world.calls).await.unwrap_err();
        assert_eq!(failure.class(), "auth");
        assert_eq!(world.server.lines(), ["GET logistics/Items"]);
    }
}

#[tokio::test]
async fn a_token_is_used_until_it_may_be_renewed_and_a_refused_old_one_is_renewed_once() {
    let (rotation, server) = start().await;
    let (clock, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("a!b", &calls).await.unwrap();
    let exact = ExactOnline::new(&connection, &deps).unwrap();
    for (seconds, refreshes) in [(0, 0), (569, 0), (2, 1), (569, 1), (1, 2)] {
        clock.forward(seconds);
        exact.look_up(Lookup::Item, &keys(["A"]), &calls).await.unwrap();
        assert_eq!(rotation.refreshes.load(Ordering::SeqCst), refreshes);
    }
}

#[tokio::test]
async fn a_lost_token_answer_is_asked_for_once_more_with_the_same_token() {
    let (rotation, server) = start().await;
    let (clock, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("a!b", &calls).await.unwrap();
    clock.forward(580);
    rotation.lose.store(1, Ordering::SeqCst);
    let exact = ExactOnline::new(&connection, &deps).unwrap();
    exact.look_up(Lookup::Item, &keys(["A"]), &calls).await.unwrap();
    assert_eq!((rotation.refreshes.load(Ordering::SeqCst), rotation.old.load(Ordering::SeqCst)), (2, 0));
}

#[tokio::test]
async fn a_dead_token_asks_for_consent_and_stops_calling() {
    let (rotation, server) = start().await;
    let (clock, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("a!b", &calls).await.unwrap();
    // Somebody outside used the refresh token.
    *rotation.live.lock().unwrap() += 1;
    clock.forward(700);
    let exact = ExactOnline::new(&connection, &deps).unwrap();
    for _ in 0..3 {
        let failure = exact.look_up(Lookup::Item, &keys(["A"]), &calls).await.unwrap_err();
        assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "needs_consent"), "{failure}");
    }
    assert_eq!(rotation.old.load(Ordering::SeqCst), 1);
    token_keeper(&connection, &deps).unwrap().exchange_code("a!b", &calls).await.unwrap();
    ExactOnline::new(&connection, &deps).unwrap().look_up(Lookup::Item, &keys(["A"]), &calls).await.unwrap();
}

#[tokio::test]
async fn no_token_reaches_what_is_recorded() {
    let (_, server) = start().await;
    let (_, _, deps) = testing::world();
    let connection = connection(&server.url, json!({}));
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("a!b", &calls).await.unwrap();
    ExactOnline::new(&connection, &deps).unwrap().look_up(Lookup::Item, &keys(["A"]), &calls).await.unwrap();
    let recorded = format!("{:?}", calls.take());
    for secret in ["access-1", "refresh-1", "client-secret", "a!b"] {
        assert!(!recorded.contains(secret), "{secret} in {recorded}");
    }
}
