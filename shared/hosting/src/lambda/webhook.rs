//! Webhooks on Lambda: requests of an HTTP API (payload format 2.0).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use koppel_core::ports::webhook::Delivery;
use koppel_flows::Engine;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::aws::{Names, engine, sdk_config};
use crate::{connectors, logging};

/// A request, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    raw_path: String,
    /// Names in lower case; values of a header that was there twice are joined with commas, so it matches nothing.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

/// The answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// Status.
    pub status_code: u16,
    /// What became of the request, in one word.
    pub body: &'static str,
}

/// Serves the endpoint of webhooks.
pub async fn serve_webhook() -> Result<(), Error> {
    logging::init();
    let engine = engine(&sdk_config().await, &Names::from_env(), connectors)?;
    let engine = &engine;
    run(service_fn(
        |event: LambdaEvent<HttpRequest>| async move { Ok::<_, Error>(answer(engine, event.payload).await) },
    ))
    .await
}

/// Answers one request.
pub async fn answer(engine: &Engine, request: HttpRequest) -> HttpResponse {
    // The signature covers the bytes as the shop sent them, so they are decoded before anything else.
    let body = if request.is_base64_encoded {
        match STANDARD.decode(request.body) {
            Ok(body) => body,
            Err(_) => return HttpResponse { status_code: 400, body: "not_base64" },
        }
    } else {
        request.body.into_bytes()
    };
    let delivery = Delivery { headers: request.headers.into_iter().collect(), body };
    let method = request.request_context.http.method;
    let answer = crate::webhook::answer(engine, &method, &request.raw_path, &delivery).await;
    HttpResponse { status_code: answer.status, body: answer.outcome }
}
