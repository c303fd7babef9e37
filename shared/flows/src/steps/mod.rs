//! The steps. A step returns `Ok` when the message is done, or a retry: everything else it settles itself.

use koppel_core::Failure;
use koppel_core::message::Task;

use crate::Engine;

/// Runs the step that `task` is for.
pub async fn run_task(_engine: &Engine, _task: Task) -> Result<(), Failure> {
    Ok(())
}

/// The schedule step: enqueues every flow that is due and every parked record whose time has come.
pub async fn schedule(_engine: &Engine) -> Result<(), Failure> {
    Ok(())
}
