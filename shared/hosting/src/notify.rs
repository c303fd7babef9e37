//! Sends alerts: the rules in `koppel_flows::alerts` say what is due, this brings it to the people.
//!
//! Each host calls [`Notifier::tick`] now and then; a claim in the store makes sure that two hosts send once. Before
//! anything leaves, every secret of the tenant is taken out of it, should a cause have quoted one.

mod email;
mod slack;
mod sns;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use koppel_core::event::Event;
use koppel_core::keys::Tenant;
use koppel_core::message::Step;
use koppel_core::{Cause, Failure};
use koppel_flows::Engine;
use koppel_flows::alerts::{self, Facts, Kind, Message, Severity};
use koppel_flows::config::{AlertsConfig, StoredConfig, alert_secrets, load_current};
use koppel_flows::connections;

use crate::queue::ReceivingQueue;

pub use email::Email;
pub use slack::Slack;
pub use sns::Topic;

/// Sending takes no longer: less than the claim.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Shorter secrets would hide ordinary words.
const SHORTEST_SECRET: usize = 6;

/// A way to the people.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Name of the channel, and where it leads as far as that is no secret.
    fn name(&self) -> String;

    /// Sends a message.
    async fn send(&self, message: &Message) -> Result<(), Failure>;
}

/// A channel, or its name and why it cannot be opened.
type Opened = Result<Arc<dyn Channel>, (String, Failure)>;

/// How a channel took a message.
#[derive(Debug)]
pub struct Tried {
    /// The channel.
    pub channel: String,
    /// What happened.
    pub result: Result<(), Failure>,
}

/// Sends the alerts of all tenants.
#[derive(Clone)]
pub struct Notifier {
    engine: Engine,
    topic: Option<Arc<dyn Channel>>,
    queue: Option<Arc<dyn ReceivingQueue>>,
}

impl Notifier {
    /// A notifier over the engine of the host.
    pub fn new(engine: Engine) -> Self {
        Self { engine, topic: None, queue: None }
    }

    /// With the topic of the stack.
    #[must_use]
    pub fn with_topic(mut self, topic: Arc<dyn Channel>) -> Self {
        self.topic = Some(topic);
        self
    }

    /// With the queues, to see whether messages still lie aside.
    #[must_use]
    pub fn watching(mut self, queue: Arc<dyn ReceivingQueue>) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Looks at every tenant and sends what is due. A tenant that fails does not keep the others waiting.
    pub async fn tick(&self) {
        let tenants = match alerts::tenants(&self.engine).await {
            Ok(tenants) => tenants,
            Err(failure) => {
                tracing::error!(class = failure.class(), code = failure.cause().code, "alerts cannot be looked at");
                return;
            }
        };
        let facts = self.facts().await;
        for tenant in tenants {
            if let Err(failure) = self.tick_tenant(&tenant, &facts).await {
                tracing::error!(
                    %tenant, class = failure.class(), code = failure.cause().code, "alerts were not looked at; tried again"
                );
            }
        }
    }

    /// Takes an event of the bus, and sends what is due for its tenant.
    pub async fn heard(&self, event: &Event) -> Result<(), Failure> {
        alerts::note(&*self.engine.store, event).await?;
        self.tick_tenant(&event.tenant, &self.facts().await).await
    }

    /// Sends a message through every channel and says how each took it.
    pub async fn test(&self, tenant: &Tenant) -> Result<Vec<Tried>, Failure> {
        let stored = load_current(&*self.engine.store, tenant).await?;
        let message = Message {
            subject: "Koppel: this is a test".to_owned(),
            text: format!(
                "This is a test of the alerts of Koppel, tenant {tenant}.\n\nNothing is wrong, and nothing has to be done. \
                 An alert would say here what is wrong, since when, which orders it concerns, and what to do."
            ),
            severity: Severity::Info,
            kind: Kind::First,
        };
        let mut tried = Vec::new();
        for channel in self.channels(tenant, stored.as_ref()).await? {
            let result = match &channel {
                Ok(channel) => send(&**channel, &message).await,
                Err((_, failure)) => Err(failure.clone()),
            };
            let channel = channel.map_or_else(|(name, _)| name, |channel| channel.name());
            tried.push(Tried { channel, result });
        }
        Ok(tried)
    }

    async fn tick_tenant(&self, tenant: &Tenant, facts: &Facts) -> Result<(), Failure> {
        alerts::look(&self.engine, tenant, facts).await?;
        let Some(stored) = load_current(&*self.engine.store, tenant).await? else { return Ok(()) };
        let names = self.names(stored.config.alerts.as_ref());
        let taken = alerts::take(&self.engine, tenant, &names).await?;
        if taken.is_empty() {
            return Ok(());
        }
        let channels = self.channels(tenant, Some(&stored)).await?;
        let secrets = self.secrets(tenant, &stored).await;
        for outgoing in taken {
            let message = without(&outgoing.message, &secrets);
            let mut failed = BTreeSet::new();
            for (channel, name) in channels.iter().zip(&names).filter(|(_, name)| outgoing.channels.contains(name)) {
                let result = match channel {
                    Ok(channel) => send(&**channel, &message).await,
                    Err((_, failure)) => Err(failure.clone()),
                };
                match result {
                    Ok(()) => tracing::info!(%tenant, channel = name, subject = message.subject, "alert sent"),
                    Err(failure) => {
                        tracing::error!(%tenant, channel = name, cause = %failure, "alert not sent; tried again");
                        failed.insert(name.clone());
                    }
                }
            }
            alerts::settle(&self.engine, tenant, outgoing, &failed).await?;
        }
        Ok(())
    }

    /// Names of the channels that a configuration asks for, in the order of [`Self::channels`].
    fn names(&self, config: Option<&AlertsConfig>) -> Vec<String> {
        let email = config.is_some_and(|config| config.email.is_some()).then_some("email");
        let slack = config.is_some_and(|config| config.slack.is_some()).then_some("slack");
        let wanted = config.and_then(|config| config.sns).unwrap_or(true);
        let sns = (wanted && self.topic.is_some()).then_some("sns");
        [email, slack, sns].into_iter().flatten().map(str::to_owned).collect()
    }

    /// The channels that a configuration asks for; one that cannot be opened says why.
    async fn channels(&self, tenant: &Tenant, stored: Option<&StoredConfig>) -> Result<Vec<Opened>, Failure> {
        let config = stored.and_then(|stored| stored.config.alerts.as_ref());
        let secrets = match config.is_some_and(|config| config.email.is_some() || config.slack.is_some()) {
            true => alert_secrets(&self.engine, tenant).await?,
            false => Default::default(),
        };
        let mut channels = Vec::new();
        for name in self.names(config) {
            let opened: Result<Arc<dyn Channel>, Failure> = match (name.as_str(), config, &self.topic) {
                ("email", Some(AlertsConfig { email: Some(email), .. }), _) => {
                    Email::new(email, &secrets).map(|channel| Arc::new(channel) as Arc<dyn Channel>)
                }
                ("slack", ..) => Slack::new(&secrets).map(|channel| Arc::new(channel) as Arc<dyn Channel>),
                (_, _, Some(topic)) => Ok(topic.clone()),
                _ => Err(Failure::settings(Cause::new("no_channel", format!("there is no channel {name}")))),
            };
            channels.push(opened.map_err(|failure| (name, failure)));
        }
        Ok(channels)
    }

    async fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let Some(queue) = &self.queue else { return facts };
        for step in Step::QUEUED {
            match queue.depth(step).await {
                Ok(depth) => facts.dead_letters.push((step, depth.dead)),
                Err(failure) => {
                    tracing::warn!(%step, cause = %failure, "it is not known whether messages still lie aside");
                }
            }
        }
        facts
    }

    /// All secrets of the tenant, to be taken out of what is sent.
    async fn secrets(&self, tenant: &Tenant, stored: &StoredConfig) -> Vec<String> {
        let mut secrets = Vec::new();
        for name in stored.config.connections.keys() {
            match connections::open(&self.engine, tenant, &stored.config, name).await {
                Ok(connection) => secrets.extend(connection.secrets.into_values()),
                Err(failure) => {
                    tracing::warn!(connection = name, code = failure.cause().code, "its secrets cannot be looked for");
                }
            }
        }
        secrets.extend(alert_secrets(&self.engine, tenant).await.unwrap_or_default().into_values());
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        secrets
    }
}

/// A message without these secrets.
fn without(message: &Message, secrets: &[String]) -> Message {
    let clean = |text: &str| secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "…"));
    Message { subject: clean(&message.subject), text: clean(&message.text), ..message.clone() }
}

async fn send(channel: &dyn Channel, message: &Message) -> Result<(), Failure> {
    tokio::time::timeout(TIMEOUT, channel.send(message)).await.unwrap_or_else(|_| {
        let cause = Cause::new("no_answer", format!("{} did not take the message in time", channel.name()));
        Err(unavailable(cause))
    })
}

fn unavailable(cause: Cause) -> Failure {
    Failure::retry(koppel_core::error::RetryReason::Unavailable, None, cause)
}
