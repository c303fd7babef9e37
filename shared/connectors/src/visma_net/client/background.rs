//! Calls that run in the background: the answer is a promise, and the result is asked for until it is there.
//!
//! They are for companies whose calls take longer than a call may take. They are no protection against doing a thing
//! twice: when the result does not come in time its outcome is unknown, and the chain searches first.

use std::time::Duration;

use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::{Client, Service};
use crate::http::{Answer, Request};
use crate::visma_net::errors::{self, Decision, Facts};
use crate::visma_net::wire;

/// Waits between questions: quick ones end soon, and each question is a call.
const WAITS_MS: [u64; 6] = [250, 1_000, 3_000, 6_000, 10_000, 10_000];

impl Client {
    /// The answer itself, or the result of the promise that it is.
    pub(super) async fn finished(
        &self,
        answer: Answer,
        endpoint: &'static str,
        calls: &Calls,
    ) -> Result<Answer, Failure> {
        let promise = answer.json().unwrap_or_default();
        if answer.status != 202 || promise.get("stateLocation").is_none() {
            return Ok(answer);
        }
        let Some(id) = wire::field(&promise, "id") else { return Err(self.unknown(endpoint)) };
        for wait in WAITS_MS {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let request = Request::get(format!("v1/background/{}", wire::path_key(&id))).endpoint("background");
            // Whatever keeps the result from being read, the work itself goes on.
            let Ok(state) = self.answer(Service::Erp, request, "background", calls).await else { continue };
            let state = state.json().unwrap_or_default();
            match wire::field(&state, "status").as_deref() {
                Some("Finished" | "Failed") => return self.result(&state, endpoint),
                _ => continue,
            }
        }
        Err(self.unknown(endpoint))
    }

    /// What the call would have answered.
    fn result(&self, state: &Value, endpoint: &'static str) -> Result<Answer, Failure> {
        let status = wire::field(state, "statusCode").and_then(|code| code.parse().ok()).unwrap_or(0_u16);
        let headers = state.get("responseHeaders").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| {
            let value = value.as_str().or_else(|| value.as_array()?.first()?.as_str())?;
            Some((name.to_lowercase(), value.to_owned()))
        });
        let said = wire::field(state, "errorMessage").map(|said| serde_json::json!({ "message": said }).to_string());
        let answer = Answer { status, headers: headers.collect(), body: said.unwrap_or_default().into_bytes() };
        let body = answer.text();
        let facts = Facts { writes: true, endpoint, status, retry_after: None, body: &body };
        match errors::decide(&facts) {
            Decision::Accept => Ok(Answer { body: Vec::new(), ..answer }),
            Decision::Fail(failure) => Err(failure.map_cause(|cause| cause.at_connection(&self.name))),
            Decision::TokenRefused => Err(self.unknown(endpoint)),
        }
    }

    fn unknown(&self, endpoint: &str) -> Failure {
        Failure::retry(
            RetryReason::OutcomeUnknown,
            None,
            Cause::new("still_running", format!("Visma Net still works on the {endpoint} in the background"))
                .at_connection(&self.name),
        )
    }
}
