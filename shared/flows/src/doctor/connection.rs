//! One connection: whether it can be reached, what its connector finds, its webhooks, and its calls of the day.

use std::collections::{BTreeMap, BTreeSet};

use koppel_core::error::{Cause, Failure};
use koppel_core::ports::webhook::HookState;
use koppel_core::ports::{Asked, Finding};

use super::{At, named, warned};
use crate::config::FlowConfig;
use crate::connections::{self, StopKind};
use crate::{pace, webhooks};

/// What was seen of a connection.
pub(super) struct Seen {
    pub findings: Vec<Finding>,
    /// It answers.
    pub reached: bool,
}

/// Looks at a connection.
pub(super) async fn look(at: &At<'_>, flows: &BTreeMap<&str, &FlowConfig>, asked: &Asked) -> Result<Seen, Failure> {
    let diagnosed = diagnose(at, flows, asked).await;
    let mut findings = match diagnosed {
        Ok(findings) => findings,
        // Whoever cannot be reached cannot be asked anything else.
        Err(failure) => return Ok(Seen { findings: vec![named(failure, at.name).into()], reached: false }),
    };
    findings.extend(stopped(at).await?);
    findings.extend(hooks(at, flows).await.unwrap_or_else(|failure| vec![failure.into()]));
    findings.extend(budget(at, flows).await.unwrap_or_else(|failure| vec![failure.into()]));
    let findings = findings.into_iter().map(|finding| finding.map_cause(|cause| cause.at_connection(at.name)));
    Ok(Seen { findings: findings.collect(), reached: true })
}

async fn diagnose(at: &At<'_>, flows: &BTreeMap<&str, &FlowConfig>, asked: &Asked) -> Result<Vec<Finding>, Failure> {
    // A connection that is read and written is one system: asked once.
    if flows.values().any(|flow| flow.from == at.name) {
        connections::source(at.engine, at.tenant, at.config, at.name).await?.diagnose(asked, at.calls).await
    } else {
        connections::target(at.engine, at.tenant, at.config, at.name).await?.diagnose(asked, at.calls).await
    }
}

/// It answers now, but its flows still rest.
async fn stopped(at: &At<'_>) -> Result<Option<Finding>, Failure> {
    let Some(stopped) = connections::stopped(at.engine, at.tenant, at.name).await? else { return Ok(None) };
    let advice = match stopped.kind {
        StopKind::NeedsConsent => format!("run koppel connect {}, so that its flows go on", at.name),
        StopKind::Down { .. } => "its flows go on by themselves at the next probe".to_owned(),
    };
    let message =
        format!("its flows rest since {}: {}", stopped.since.format("%Y-%m-%d %H:%M UTC"), stopped.cause.message);
    Ok(Some(Finding::error(Cause::new("connection_stopped", message).advice(advice))))
}

/// Webhooks as the shop has them; nothing is mended here.
async fn hooks(at: &At<'_>, flows: &BTreeMap<&str, &FlowConfig>) -> Result<Vec<Finding>, Failure> {
    let told: Vec<&FlowConfig> = flows.values().filter(|flow| flow.webhook && flow.from == at.name).copied().collect();
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let register = format!("koppel webhook register {} --url https://…", at.name);
    let Some(known) = webhooks::registration(at.engine, at.tenant, at.name).await? else {
        let message = "a flow waits for webhooks, and none are registered: changes come with its schedule only";
        return Ok(vec![warned("webhook_not_registered", message.to_owned(), register)]);
    };
    let connection = connections::open(at.engine, at.tenant, at.config, at.name).await?;
    let Some(admin) = at.engine.systems.webhook_admin(&connection)? else { return Ok(Vec::new()) };
    let topics: BTreeSet<&str> = told.iter().flat_map(|flow| admin.topics(flow.entity)).copied().collect();
    let hooks = admin.list(at.calls).await?;
    let mend = format!("koppel webhook check {}", at.name);
    let mut findings = Vec::new();
    for topic in topics {
        let of_topic: Vec<_> = hooks.iter().filter(|hook| hook.topic == topic).collect();
        let here = of_topic.iter().find(|hook| hook.url == known.url);
        // Another address that ends as ours do: the endpoint has moved.
        let path = format!("/webhook/{}/{}", at.tenant, at.name);
        let elsewhere = of_topic.iter().find(|hook| hook.url.ends_with(&path));
        let (code, message, advice) = match (here.map(|hook| hook.state), elsewhere) {
            (Some(HookState::Active), _) => continue,
            (Some(HookState::Paused), _) => ("webhook_paused", format!("the webhook {topic} is paused"), &mend),
            (Some(HookState::Disabled), _) => (
                "webhook_disabled",
                format!("the shop has disabled the webhook {topic} after failed deliveries"),
                &mend,
            ),
            (None, Some(other)) => {
                let message = format!("the webhook {topic} delivers to {}, not to {}", other.url, known.url);
                ("webhook_wrong_address", message, &register)
            }
            (None, None) => ("webhook_missing", format!("the webhook {topic} is not there"), &mend),
        };
        findings.push(warned(code, message, advice.clone()));
    }
    Ok(findings)
}

/// The calls that are left, and whether the day will do.
async fn budget(at: &At<'_>, flows: &BTreeMap<&str, &FlowConfig>) -> Result<Vec<Finding>, Failure> {
    let connection = connections::open(at.engine, at.tenant, at.config, at.name).await?;
    let Some(budget) = at.engine.systems.budget(&connection)? else { return Ok(Vec::new()) };
    let view = budget.look().await?;
    let mut findings = Vec::new();
    for endpoint in view.endpoints.iter().filter(|endpoint| endpoint.rests_until.is_some()) {
        let message = format!("{} had {} errors in the last hour and rests", endpoint.endpoint, endpoint.errors);
        findings.push(warned("endpoint_rests", message, "see the causes with koppel status".to_owned()));
    }
    let mut paces = Vec::new();
    for (name, flow) in flows.iter().filter(|(_, flow)| flow.from == at.name || flow.to == at.name) {
        paces.extend(pace::of_flow(at.engine, at.tenant, name, flow, at.name).await?);
    }
    if let Some(forecast) = pace::forecast(&view, &paces)
        && forecast.calls > u64::from(forecast.limit)
    {
        let message = format!(
            "{} calls are to be expected by the end of the day (UTC), and {} are allowed",
            forecast.calls, forecast.limit
        );
        let advice = "run its flows less often, or see with koppel budget what the calls are spent on";
        findings.push(warned("budget_forecast", message, advice.to_owned()));
    }
    Ok(findings)
}
