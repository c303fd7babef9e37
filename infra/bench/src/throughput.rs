//! Throughput: orders a second and CPU per order, beside a loop that makes only the calls that nobody can leave out.
//!
//! The loop reads the same pages and posts the same bodies, one after another as the chain does for a lane, with the
//! same HTTP client. Both alternate, so that what else the machine does hits both.

use std::path::Path;
use std::time::{Duration, Instant};

use koppel_hosting::embedded::IN_MEMORY;
use koppel_sandbox::woocommerce;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::failed::Failed;
use crate::machine::{cpu_time, median, micros, seconds};
use crate::report::{Goal, Report};
use crate::stand_ins::{StandIns, begin_of};
use crate::world::{Setup, World};

const ORDERS: usize = 1000;
const ROUNDS: u64 = 3;
const PAGE: usize = 100;

/// Time and CPU of one round.
struct Took {
    wall: Duration,
    cpu: Duration,
}

/// Measures the section.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(Failed::io("a temporary folder"))?;
    on(report, "in a file", &folder.path().join("koppel.db")).await?;
    on(report, "in memory", IN_MEMORY.as_ref()).await
}

async fn on(report: &mut Report, place: &str, database: &Path) -> Result<(), Failed> {
    let stand_ins = StandIns::start().await?;
    let world = World::new(Setup::new(&stand_ins.shop, &stand_ins.books, database)).await?;
    stand_ins.add(1, ORDERS).await?;
    world.run(begin_of(1), ORDERS).await?;
    let (mut chain, mut bare) = (Vec::new(), Vec::new());
    for day in 2..2 + ROUNDS {
        stand_ins.add(day, ORDERS).await?;
        let before = cpu_time()?;
        let wall = world.run(begin_of(day), ORDERS).await?;
        chain.push(Took { wall, cpu: cpu_time()? - before });
        let bodies = posted(&stand_ins).await?;
        bare.push(loop_alone(&stand_ins, day, &bodies).await?);
    }
    let orders = Decimal::from(ORDERS);
    let middle = |took: &[Took], what: fn(&Took) -> Duration| {
        median(&took.iter().map(what).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (chain_wall, bare_wall) = (middle(&chain, |t| t.wall), middle(&bare, |t| t.wall));
    let speed = |wall: Duration| if wall.is_zero() { Decimal::ZERO } else { orders / seconds(wall) };
    report.row(format!("chain, engine {place}"), speed(chain_wall), Goal::None, "orders/s");
    report.row(format!("bare loop beside it ({place})"), speed(bare_wall), Goal::None, "orders/s");
    let ratio = if chain_wall.is_zero() { Decimal::ZERO } else { micros(bare_wall) / micros(chain_wall) };
    report.noted(
        format!("chain to bare loop, engine {place}"),
        ratio,
        Goal::at_least("0.4"),
        "ratio",
        format!("middle of {ROUNDS} rounds of {ORDERS} orders"),
    );
    report.row(
        format!("CPU of the chain, engine {place}"),
        micros(middle(&chain, |t| t.cpu)) / orders,
        Goal::None,
        "µs/order",
    );
    report.row(
        format!("CPU of the bare loop ({place})"),
        micros(middle(&bare, |t| t.cpu)) / orders,
        Goal::None,
        "µs/order",
    );
    Ok(())
}

/// Bodies of the orders that the chain has just posted.
async fn posted(stand_ins: &StandIns) -> Result<Vec<(String, String)>, Failed> {
    // Beside the orders there are a few look-ups.
    let log = stand_ins.ask(&stand_ins.books, &format!("log?last={}", ORDERS + ORDERS / 4)).await?;
    let text = |call: &Value, name: &str| call[name].as_str().unwrap_or_default().to_owned();
    let mut posts: Vec<(String, String)> = log
        .as_array()
        .into_iter()
        .flatten()
        .filter(|call| call["method"] == "POST" && text(call, "path").ends_with("/SalesOrders"))
        .map(|call| (text(call, "path"), text(call, "body")))
        .collect();
    let extra = posts.len().saturating_sub(ORDERS);
    posts.drain(..extra);
    if posts.len() == ORDERS {
        return Ok(posts);
    }
    Err(Failed::NotAsExpected(format!("{} orders were posted, not {ORDERS}", posts.len())))
}

/// Reads the pages, posts the orders, and nothing else.
async fn loop_alone(stand_ins: &StandIns, day: u64, posts: &[(String, String)]) -> Result<Took, Failed> {
    let pair = stand_ins.tell(&stand_ins.books, "authorise", &json!({})).await?;
    let bearer = format!("Bearer {}", pair["access_token"].as_str().unwrap_or_default());
    let client = reqwest::Client::new();
    let key = &woocommerce::keys()[0];
    let since = begin_of(day) - chrono::TimeDelta::seconds(60);
    let (cpu, begun) = (cpu_time()?, Instant::now());
    let mut read = 0;
    for offset in (0..ORDERS).step_by(PAGE) {
        let url = format!(
            "{}/wp-json/wc/v3/orders?per_page={PAGE}&offset={offset}&orderby=id&order=asc&dates_are_gmt=true&modified_after={}",
            stand_ins.shop,
            since.format("%Y-%m-%dT%H:%M:%S")
        );
        let request = client.get(url).basic_auth(key.key, Some(key.secret)).header("x-forwarded-proto", "https");
        read += expected(request.send().await?, 200).await?;
    }
    for (path, body) in posts {
        let request = client
            .post(format!("{}{path}", stand_ins.books))
            .header(AUTHORIZATION, &bearer)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.clone());
        expected(request.send().await?, 201).await?;
    }
    let took = Took { wall: begun.elapsed(), cpu: cpu_time()? - cpu };
    // A page without orders would make the loop look fast.
    if read < ORDERS * 500 {
        return Err(Failed::NotAsExpected(format!("the bare loop read only {read} bytes")));
    }
    Ok(took)
}

async fn expected(answer: reqwest::Response, status: u16) -> Result<usize, Failed> {
    let got = answer.status();
    let body = answer.bytes().await?;
    if got.as_u16() == status {
        return Ok(body.len());
    }
    Err(Failed::StandIn(format!("the bare loop got {got}: {}", String::from_utf8_lossy(&body))))
}
