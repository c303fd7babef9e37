//! Rules of the bus port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use koppel_core::event::{Event, EventKind};
use koppel_core::message::Step;
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::ports::Bus;
use koppel_core::{Cause, Failure, Tenant};

use super::{Rule, fresh_tenant, hold, rules};

/// Shows what subscribers got.
#[async_trait]
pub trait Published: Send + Sync {
    /// Events of a tenant so far, in any order.
    async fn events(&self, tenant: &Tenant) -> Result<Vec<Event>, Failure>;
}

/// A bus and a look behind it.
pub struct Fixture {
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// What came out of it.
    pub published: Arc<dyn Published>,
}

rules!(Fixture: every_kind_arrives_as_it_was, tenants_are_told_apart);

const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

impl Fixture {
    async fn wait_for(&self, tenant: &Tenant, count: usize) -> Result<Vec<Event>, Failure> {
        let mut got = Vec::new();
        for _ in 0..TRIES {
            got = self.published.events(tenant).await?;
            if got.len() >= count {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(got)
    }
}

fn kinds() -> Vec<EventKind> {
    let mut funnel = Funnel { fetched: 3, ..Funnel::default() };
    funnel.add(Outcome::Created, 2);
    funnel.add(Outcome::Rejected, 1);
    let cause = Cause::new("unknown_sku", "SKU «É1» is not there").advice("create it").of_record("23");
    let (flow, run, connection) = ("web-orders".to_owned(), "r1".to_owned(), "books".to_owned());
    vec![
        EventKind::RunFinished { flow: flow.clone(), run: run.clone(), funnel },
        EventKind::RecordsRejected { flow: flow.clone(), run: run.clone(), count: 1, causes: vec![cause.clone()] },
        EventKind::RecordsWaiting { flow: flow.clone(), run: run.clone(), count: 1, causes: vec![cause.clone()] },
        EventKind::RunInterrupted { flow: flow.clone(), run, cause: cause.clone() },
        EventKind::FlowNeedsSettings { flow: flow.clone(), cause: cause.clone() },
        EventKind::ConnectionNeedsConsent { connection: connection.clone(), cause: cause.clone() },
        EventKind::ConnectionPaused { connection: connection.clone(), cause: cause.clone() },
        EventKind::ConnectionResumed { connection: connection.clone(), cause: cause.clone() },
        EventKind::BudgetLow { connection, cause },
        EventKind::DeadLetters { step: Step::Write, count: 2 },
        EventKind::DeadMan { flow, count: 2, oldest: "23".to_owned(), since: DateTime::UNIX_EPOCH },
    ]
}

fn event(tenant: &Tenant, kind: EventKind) -> Event {
    let at: DateTime<Utc> = DateTime::from_timestamp_millis(1_767_600_000_123).unwrap_or_default();
    Event { tenant: tenant.clone(), at, kind }
}

/// All kinds, once each, with everything in them.
pub async fn every_kind_arrives_as_it_was(f: &Fixture) -> Rule {
    let tenant = fresh_tenant();
    let sent: Vec<_> = kinds().into_iter().map(|kind| event(&tenant, kind)).collect();
    for event in &sent {
        f.bus.publish(event).await?;
    }
    let got = f.wait_for(&tenant, sent.len()).await?;
    hold!(got.len() == sent.len(), "{} events were sent and {} came", sent.len(), got.len());
    for event in &sent {
        hold!(got.contains(event), "{} did not come as it was sent", event.kind.name());
    }
    Ok(())
}

/// An event names whose it is.
pub async fn tenants_are_told_apart(f: &Fixture) -> Rule {
    let (mine, other) = (fresh_tenant(), fresh_tenant());
    for tenant in [&mine, &other] {
        for kind in kinds().into_iter().take(1) {
            f.bus.publish(&event(tenant, kind)).await?;
        }
    }
    for tenant in [&mine, &other] {
        let got = f.wait_for(tenant, 1).await?;
        hold!(got.len() == 1 && got[0].tenant == *tenant, "a tenant got {} events instead of its own one", got.len());
    }
    Ok(())
}
