//! A deployed stack, found by its name: the same engine as the functions have, and its queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use koppel_core::ports::Systems;
use koppel_core::{Cause, Failure};
use koppel_flows::Engine;

use super::client::sdk_config;
use super::names::Names;
use super::queue_sqs::SqsQueue;
use super::trouble::Trouble;
use crate::Ports;
use crate::notify::{Channel, Topic};

/// A deployed stack.
#[derive(Clone)]
pub struct Stack {
    /// Its engine.
    pub engine: Engine,
    /// Its queues, to be looked at and redriven.
    pub queues: SqsQueue,
    /// Names of its resources.
    pub names: Names,
    /// Its topic for alerts.
    pub topic: Option<Arc<dyn Channel>>,
}

/// Connects to the stack called `stack_name` in the region and account of the environment.
pub async fn connect(stack_name: &str, systems: impl FnOnce(&Ports) -> Arc<dyn Systems>) -> Result<Stack, Failure> {
    connect_with(&sdk_config().await, stack_name, systems).await
}

/// [`connect`] with a given client configuration.
pub async fn connect_with(
    config: &SdkConfig,
    stack_name: &str,
    systems: impl FnOnce(&Ports) -> Arc<dyn Systems>,
) -> Result<Stack, Failure> {
    let names = Names::from_outputs(&outputs(config, stack_name).await?);
    let topic = names.topic().ok().map(|arn| Arc::new(Topic::new(config, arn)) as Arc<dyn Channel>);
    let queues = SqsQueue::new(config, names.clone());
    Ok(Stack { engine: super::engine(config, &names, systems)?, queues, names, topic })
}

async fn outputs(config: &SdkConfig, stack_name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let answer = Client::new(config).describe_stacks().stack_name(stack_name).send().await.map_err(|error| {
        // CloudFormation calls an unknown stack a validation error.
        if error.message().is_some_and(|message| message.contains("does not exist")) {
            return no_stack(stack_name);
        }
        Trouble::of("CloudFormation DescribeStacks", &error).failure()
    })?;
    let stack = answer.stacks().first().ok_or_else(|| no_stack(stack_name))?;
    Ok(stack
        .outputs()
        .iter()
        .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
        .collect())
}

fn no_stack(stack_name: &str) -> Failure {
    Failure::settings(
        Cause::new("no_stack", format!("there is no stack «{stack_name}» in this account and region"))
            .advice("deploy it with `make deploy`, or name another stack, profile or region"),
    )
}
