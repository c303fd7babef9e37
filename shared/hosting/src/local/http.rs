//! The endpoint of one machine: `POST /webhook/<tenant>/<connection>` and `GET /health`. It has no TLS: put a reverse
//! proxy or a tunnel in front of it when a shop elsewhere is to reach it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use koppel_core::ports::webhook::{Delivery, MAX_DELIVERY_BYTES};
use koppel_flows::Engine;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests at the same time; more wait for their turn.
const AT_ONCE: usize = 64;
/// Longest time for one request, its body included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `stop`, then finishes what is in hand.
pub async fn serve_http(listener: TcpListener, engine: Engine, stop: impl Future<Output = ()> + Send) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut requests = JoinSet::new();
    tokio::pin!(stop);
    loop {
        while requests.try_join_next().is_some() {}
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { break };
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or the caller has gone: a moment later it may work.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let engine = engine.clone();
        requests.spawn(async move {
            let _turn = turn;
            let service = service_fn(move |request| {
                let engine = engine.clone();
                async move { Ok::<_, Infallible>(answer(&engine, request).await) }
            });
            // One request a connection: callers are few, and an idle one must not keep a turn.
            let connection = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            match tokio::time::timeout(TIMEOUT, connection).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a request ended"),
                Err(_) => tracing::debug!("a request took too long"),
            }
        });
    }
    while requests.join_next().await.is_some() {}
}

async fn answer(engine: &Engine, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/health" {
        return text(StatusCode::OK, "ok\n");
    }
    let Ok(body) = Limited::new(body, MAX_DELIVERY_BYTES).collect().await else {
        tracing::warn!(path = parts.uri.path(), reason = "too_large", "a delivery was refused");
        return text(StatusCode::PAYLOAD_TOO_LARGE, "too_large\n");
    };
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let delivery = Delivery { headers, body: body.to_bytes().to_vec() };
    let answer = crate::webhook::answer(engine, parts.method.as_str(), parts.uri.path(), &delivery).await;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    text(status, answer.outcome)
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}
