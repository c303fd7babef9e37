//! Alerts to the topic of the stack: whoever subscribes gets them.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use koppel_core::Failure;
use koppel_flows::alerts::Message;

use super::{Channel, unavailable};
use crate::aws::SdkConfig;

/// SNS takes subjects of at most this many ASCII characters.
const SUBJECT_MAX_CHARS: usize = 100;

/// A topic.
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic with this name.
    pub fn new(config: &SdkConfig, arn: &str) -> Self {
        Self { client: Client::new(config), arn: arn.to_owned() }
    }
}

#[async_trait]
impl Channel for Topic {
    fn name(&self) -> String {
        format!("sns topic {}", self.arn.rsplit(':').next().unwrap_or(&self.arn))
    }

    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let request =
            self.client.publish().topic_arn(&self.arn).subject(subject(&message.subject)).message(&message.text);
        request.send().await.map(|_| ()).map_err(|error| {
            let what =
                format!("the topic did not take the message: {}", aws_sdk_sns::error::DisplayErrorContext(&error));
            unavailable(
                koppel_core::Cause::new("topic_refused", what).advice("look at the rights of the function notify"),
            )
        })
    }
}

/// A subject that SNS takes.
pub(super) fn subject(text: &str) -> String {
    let plain = text.replace(['«', '»'], "'").replace('…', "...");
    plain.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(SUBJECT_MAX_CHARS).collect()
}
