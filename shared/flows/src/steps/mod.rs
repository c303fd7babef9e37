//! The steps. A step returns `Ok` when the message is done, or a retry: everything else it settles itself.
//!
//! `Settings`, `Auth` and `Reject` concern records: they are put on the waiting list with their cause. What comes back
//! as an error is only what the engine can help with by handing out the same message again.

mod check;
pub(crate) mod dead_man;
pub mod explain;
mod fetch;
pub(crate) mod low_budget;
mod map;
pub mod preview;
mod schedule;
mod settle;
pub mod webhook;
mod write;

use koppel_core::Failure;
use koppel_core::message::Task;

use crate::Engine;

pub(crate) use check::{describe, fields_of};
pub(crate) use map::order_of;
pub use schedule::{end_run, schedule, tenants};
pub(crate) use write::outcome_of;

/// Runs the step that `task` is for.
pub async fn run_task(engine: &Engine, task: Task) -> Result<(), Failure> {
    match task {
        Task::Fetch(task) => fetch::fetch(engine, task).await,
        Task::Map(task) => map::map(engine, task).await,
        Task::Check(task) => check::check(engine, task).await,
        Task::Write(task) => write::write(engine, task).await,
    }
}
