//! Posting a document on a day that is open: its own, or, where the flow wants it, the first one after it.
//!
//! Key and reference stay the same whatever the day, so what was posted is found under any of them. A refusal is definite:
//! the target has written nothing, so the next day may be tried within the same claim.

use koppel_core::document::{Document, DocumentType};
use koppel_core::error::{Cause, Failure};
use koppel_core::message::Decision;
use koppel_core::ports::target::{CustomerLink, Sent};
use koppel_core::ports::{Calls, PERIOD_CLOSED, Target};

use crate::Engine;
use crate::loaded::LoadedFlow;
use crate::periods::{Periods, Trial, own_date};
use crate::steps::check;

/// Where a document goes.
pub struct To<'a> {
    pub engine: &'a Engine,
    pub flow: &'a LoadedFlow,
    pub target: &'a dyn Target,
    pub document: DocumentType,
}

/// Posts a document. `decision` becomes what was posted.
pub async fn send(
    to: &To<'_>,
    decision: &mut Decision,
    link: &CustomerLink,
    periods: &mut Periods,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let (engine, flow) = (to.engine, to.flow);
    let Document::Order(order) = &decision.record.document else {
        return Err(Failure::settings(Cause::new("not_supported", "only orders become documents")));
    };
    let date = order.date;
    let delivery_key = decision.customer.as_ref().and_then(|wanted| wanted.delivery_key.clone());
    // The words of the target, when it has refused one just now.
    let mut said: Option<String> = None;
    loop {
        let placed =
            periods.place(date).map_err(|shut| shut.failure(periods, flow, &decision.record, said.as_deref()))?;
        if decision.dated.unwrap_or(date) != placed.date {
            check::redate(engine, flow, to.target, decision, &placed, calls).await?;
        }
        let day = placed.date;
        let trial = periods.begin(engine, flow, day).await?;
        if trial == Trial::Known && periods.place(date).ok().as_ref() != Some(&placed) {
            // Somebody else has just found out.
            continue;
        }
        let answer = to.target.send_order(to.document, &decision.payload, link, delivery_key.as_deref(), calls).await;
        match answer {
            Err(failure) if failure.cause().code == PERIOD_CLOSED => {
                if !decision.payload.to_string().contains(&day.to_string()) {
                    // Of the period of this day nothing was learned.
                    if trial == Trial::Ours {
                        periods.end(engine, flow, day, false).await;
                    }
                    return Err(own_date(flow, &decision.record, day));
                }
                tracing::info!(
                    flow = flow.name,
                    record = decision.record.key.as_str(),
                    period = periods.name_of(day),
                    "the period is closed"
                );
                said = Some(failure.cause().message.clone());
                periods.closed(engine, flow, day).await?;
            }
            answer => {
                if trial == Trial::Ours {
                    periods.end(engine, flow, day, answer.is_ok()).await;
                }
                return answer;
            }
        }
    }
}
