//! Time to acknowledge a webhook: from the connection to the whole answer, over HTTP, each delivery of another order.
//!
//! What lies before the answer is measured with it: the signature over the raw body, the hint in the database, the message
//! in the queue. Nothing takes the messages out meanwhile, as when the hosts are busy.

use std::time::{Duration, Instant};

use koppel_hosting::local::serve_http;
use koppel_sandbox::woocommerce::{generate_orders, webhook_signature};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::failed::Failed;
use crate::machine::micros;
use crate::report::{Goal, Report};
use crate::stand_ins::StandIns;
use crate::world::{Setup, World};

/// Deliveries that are not counted: the first ones open the database and read the configuration.
const WARM_UP: usize = 200;
/// Deliveries that are measured.
const MEASURED: usize = 2_000;

/// Measures the section.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(Failed::io("a folder"))?;
    let database = folder.path().join("koppel.db");
    let stand_ins = StandIns::start().await?;
    let world = World::new(Setup::new(&stand_ins.shop, &stand_ins.books, &database)).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(Failed::io("a port"))?;
    let base = format!("http://{}", listener.local_addr().map_err(Failed::io("a port"))?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let endpoint = tokio::spawn(serve_http(listener, world.engine.clone(), async move {
        let _ = stopped.await;
    }));
    world.register_webhooks(&base).await?;
    let secret = secret(&stand_ins).await?;
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
    let mut times = Vec::with_capacity(MEASURED);
    for (number, order) in generate_orders(5, WARM_UP + MEASURED).into_iter().enumerate() {
        let took = deliver(&client, &base, &secret, number, &order).await?;
        if number >= WARM_UP {
            times.push(took);
        }
    }
    let _ = stop.send(());
    let _ = endpoint.await;
    times.sort_unstable();
    let at = |percent: usize| milliseconds(times[(times.len() * percent / 100).min(times.len() - 1)]);
    report.row("acknowledge a delivery, p50", at(50), Goal::None, "ms");
    report.row("acknowledge a delivery, p99", at(99), Goal::at_most("20"), "ms");
    Ok(())
}

/// One signed delivery, which must be taken.
async fn deliver(
    client: &reqwest::Client,
    base: &str,
    secret: &str,
    number: usize,
    order: &Value,
) -> Result<Duration, Failed> {
    let mut order = order.clone();
    order["id"] = (500_000 + number).into();
    let body = order.to_string();
    let request = client
        .post(format!("{base}/webhook/main/shop"))
        .header("Content-Type", "application/json")
        .header("X-WC-Webhook-Topic", "order.updated")
        .header("X-WC-Webhook-Resource", "order")
        .header("X-WC-Webhook-Event", "updated")
        .header("X-WC-Webhook-ID", "1")
        .header("X-WC-Webhook-Delivery-ID", format!("{number:032x}"))
        .header("X-WC-Webhook-Signature", webhook_signature(secret, body.as_bytes()))
        .body(body);
    let begun = Instant::now();
    let answer = request.send().await?;
    let status = answer.status();
    answer.bytes().await?;
    let took = begun.elapsed();
    if status == 200 { Ok(took) } else { Err(Failed::NotAsExpected(format!("a delivery was answered with {status}"))) }
}

/// The secret that the shop signs with.
async fn secret(stand_ins: &StandIns) -> Result<String, Failed> {
    let hooks = stand_ins.ask(&stand_ins.shop, "tables/webhooks").await?;
    let secret = hooks[0]["secret"].as_str().map(str::to_owned);
    secret.ok_or_else(|| Failed::StandIn("the shop has no webhook with a secret".into()))
}

fn milliseconds(time: Duration) -> Decimal {
    micros(time) / Decimal::ONE_THOUSAND
}
