//! Plan: what a run would do, worked out by the real steps against the real systems, with nothing written anywhere.
//!
//! The steps fetch, map and check run on an engine of their own: a store that keeps in memory what is written
//! ([`overlay`]), a queue that the plan drains itself and that keeps what would go to write ([`nowhere`]), and
//! connectors that can only be read ([`looking`]). So a plan says what a run does, because it is the same code. Budgets
//! and tokens belong to the connectors, and these keep them in the real store: the calls of a plan are real.

mod looking;
mod nowhere;
mod overlay;
mod report;
mod totals;

use std::sync::Arc;

use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::keys::Tenant;
use koppel_core::message::{FetchTask, Header, Task};

use crate::Engine;
use crate::config::StoredConfig;
use crate::loaded::{LoadedFlow, remember};
use crate::runs::{self, Run, Scope};
use crate::steps;

pub use report::{Change, CustomerAct, Plan, PlannedCustomer, PlannedRecord};
pub use totals::{Amounts, Totals};

use looking::{Looking, Seen};
use nowhere::{Collecting, OpensOnly, Unheard};
use overlay::Overlay;

/// A plan under way.
pub struct Planner {
    engine: Engine,
    flow: Arc<LoadedFlow>,
    tasks: Arc<Collecting>,
    seen: Arc<Seen>,
    first: FetchTask,
    limit: Option<usize>,
}

impl Planner {
    /// A plan of one flow of a configuration, which need not be the one in force. At most `limit` records are read.
    pub async fn new(
        real: &Engine,
        tenant: &Tenant,
        stored: &StoredConfig,
        name: &str,
        scope: Scope,
        limit: Option<usize>,
    ) -> Result<Self, Failure> {
        let (tasks, seen) = (Arc::new(Collecting::default()), Arc::new(Seen::default()));
        let engine = Engine::new(
            Arc::new(Overlay::over(real.store.clone(), real.clock.clone())),
            tasks.clone(),
            Arc::new(Unheard),
            Arc::new(OpensOnly(real.vault.clone())),
            real.clock.clone(),
            Arc::new(Looking { systems: real.systems.clone(), seen: seen.clone(), limit }),
        );
        let flow = remember(&engine, tenant, name, stored).await?;
        let now = engine.clock.now();
        let run = now.format("plan-%Y%m%dT%H%M%S%3fZ").to_string();
        let state = runs::state(&engine, tenant, name).await?;
        let first = FetchTask {
            header: Header {
                tenant: tenant.clone(),
                flow: name.to_owned(),
                run: run.clone(),
                config_version: stored.version,
                chunk: "page-0".to_owned(),
                lane: 0,
            },
            since: runs::since(&scope, &state, &flow),
            until: now,
            page: None,
            page_number: 0,
            ids: scope.ids,
            hints_since: None,
        };
        // The run is known to the steps as any other: how it ends is read from it.
        let known = Run { id: run, flow: name.to_owned(), started_at: now, ..Run::default() };
        runs::put_new(&engine, tenant, &known).await?;
        tasks.push(Task::Fetch(first.clone()));
        Ok(Self { engine, flow, tasks, seen, first, limit })
    }

    /// Handles the next task; `false` when there is none left.
    ///
    /// After a retry the same task is the next one: who calls decides whether to wait.
    pub async fn next(&self) -> Result<bool, Failure> {
        let Some(task) = self.tasks.take() else { return Ok(false) };
        match steps::run_task(&self.engine, task.clone()).await {
            Ok(()) => Ok(true),
            Err(failure) => {
                self.tasks.put_back(task);
                Err(failure)
            }
        }
    }

    /// What was found out. A plan that could not read everything says so as an error.
    pub async fn finish(self) -> Result<Plan, Failure> {
        let Header { tenant, flow, run, .. } = &self.first.header;
        let known = runs::load(&self.engine, tenant, flow, run).await?.unwrap_or_default();
        if let Some(cause) = known.incomplete {
            return Err(match known.incomplete_class.as_deref() {
                Some("auth") => Failure::auth(cause),
                Some("retry") => Failure::retry(RetryReason::Unavailable, None, cause),
                _ => Failure::settings(cause),
            });
        }
        let (ended, calls) = runs::results(&self.engine, tenant, flow, run).await?;
        let fetched = runs::funnel(&self.engine, tenant, flow, run).await?.fetched;
        let decisions = self.tasks.decisions();
        let plan = report::of(&self, ended, decisions, fetched, calls).await?;
        if plan.funnel.adds_up() {
            return Ok(plan);
        }
        let cause = Cause::new("funnel", format!("the plan does not add up: {}", plan.funnel)).in_flow(flow);
        Err(Failure::settings(cause.advice("report this as a defect")))
    }
}
