//! Alerts into a chat channel, by an incoming webhook as Slack has it (Mattermost, Rocket.Chat and others take the same).

use std::collections::BTreeMap;

use async_trait::async_trait;
use koppel_connectors::http::tls;
use koppel_core::{Cause, Failure};
use koppel_flows::alerts::{Kind, Message, Severity};
use koppel_flows::config::SLACK_URL;
use reqwest::Url;
use serde_json::{Value, json};

use super::{Channel, TIMEOUT, unavailable};

/// Longest heading and section of a block.
const HEADING: usize = 150;
const SECTION: usize = 2900;

/// A chat channel. Its address is a secret: whoever knows it can write there.
pub struct Slack {
    client: reqwest::Client,
    url: Url,
}

impl Slack {
    /// The channel whose address is in `secrets`.
    pub fn new(secrets: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let wrong = |what: &str| {
            Failure::settings(
                Cause::new("bad_webhook_url", what).advice("run koppel apply again").in_row("alerts.slack.url"),
            )
        };
        let url = secrets.get(SLACK_URL).ok_or_else(|| wrong("the address of the chat channel is not stored"))?;
        let url: Url = url.trim().parse().map_err(|_| wrong("the address of the chat channel is not a URL"))?;
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if url.scheme() != "https" && !(here && url.scheme() == "http") {
            return Err(wrong("the address of the chat channel does not begin with https://"));
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(None)?)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()
            .map_err(|error| Failure::settings(Cause::new("http_unavailable", error.without_url().to_string())))?;
        Ok(Self { client, url })
    }
}

#[async_trait]
impl Channel for Slack {
    fn name(&self) -> String {
        format!("slack at {}", self.url.host_str().unwrap_or("?"))
    }

    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let answer = self.client.post(self.url.clone()).json(&body(message)).send().await.map_err(|error| {
            // The URL is the secret.
            let cause =
                Cause::new("chat_unreachable", format!("the chat channel is not reached: {}", error.without_url()));
            unavailable(cause.advice("look at the address in alerts.slack.url"))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let cause = Cause::new("chat_refused", format!("the chat channel answered {status}"));
        Err(unavailable(cause.advice("make a new incoming webhook and put its address in alerts.slack.url")))
    }
}

/// Text for notifications, blocks for the channel.
fn body(message: &Message) -> Value {
    let sign = match (message.kind, message.severity) {
        (Kind::Over, _) => ":white_check_mark:",
        (_, Severity::Critical) => ":rotating_light:",
        (_, Severity::Warning) => ":warning:",
        (_, Severity::Info) => ":information_source:",
    };
    json!({
        "text": format!("{sign} {}", escape(&message.subject)),
        "blocks": [
            { "type": "header", "text": { "type": "plain_text", "text": cut(&message.subject, HEADING) } },
            { "type": "section", "text": { "type": "mrkdwn", "text": cut(&escape(&message.text), SECTION) } },
        ],
    })
}

/// The three characters that have a meaning there.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most - 1) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
