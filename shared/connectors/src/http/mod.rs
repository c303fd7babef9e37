//! The kit that connectors are built on: one HTTP client per connection that keeps the limits, judges each answer,
//! records each exchange without secrets, and never follows a redirect to another host.
//!
//! A connector builds a [`Request`], adds its credentials, and calls [`HttpClient::send`] with its [`Judge`].

pub mod answer;
pub mod budget;
pub mod client;
pub mod judge;
pub mod oauth2;
pub mod pages;
pub mod redact;
pub mod request;
pub mod tls;
mod transport;

use std::sync::Arc;

use koppel_core::ports::{Clock, Store, Vault};

pub use answer::Answer;
pub use budget::{CallBudget, Learned, Window};
pub use client::HttpClient;
pub use judge::{DefaultJudge, Judge, Verdict};
pub use pages::PageToken;
pub use redact::Redactor;
pub use request::{Body, Method, Request};

/// What every connector is given by its host.
#[derive(Clone)]
pub struct Deps {
    /// Where budgets and sealed tokens live.
    pub store: Arc<dyn Store>,
    /// Seals tokens.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[cfg(test)]
pub(crate) mod testing;
