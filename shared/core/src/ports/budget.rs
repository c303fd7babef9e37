//! The calls that a connection may still make, to look at.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// A budget that can be looked at; looking takes no call.
#[async_trait]
pub trait Budget: Send + Sync {
    /// How it stands.
    async fn look(&self) -> Result<BudgetView, Failure>;
}

/// How a budget stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Limits in force, the shortest first.
    pub windows: Vec<BudgetWindow>,
    /// Nothing is called before: the system asked to wait.
    pub blocked_until: Option<DateTime<Utc>>,
    /// Endpoints with error answers in the last hour.
    pub endpoints: Vec<EndpointErrors>,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetWindow {
    /// `minute` or `day`.
    pub window: String,
    /// Calls in one window.
    pub limit: u32,
    /// Calls made.
    pub used: u32,
    /// Calls left for orders.
    pub left: u32,
    /// Of those, kept for orders.
    pub kept_for_orders: u32,
    /// When calls become free again; `None` while none is used.
    pub resets_at: Option<DateTime<Utc>>,
    /// The system itself told this; otherwise it is our own count.
    pub told: bool,
}

/// Error answers of one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointErrors {
    /// Endpoint.
    pub endpoint: String,
    /// Error answers in the last hour.
    pub errors: usize,
    /// It rests until then, so that the system does not block it.
    pub rests_until: Option<DateTime<Utc>>,
}
