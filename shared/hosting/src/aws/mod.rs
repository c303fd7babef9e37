//! The AWS engine: DynamoDB, SQS FIFO, EventBridge and KMS behind the ports.
//!
//! The functions learn the names of their resources from their environment ([`Names::from_env`]); the command line
//! learns them from the outputs of the stack ([`connect`]). Both then build the same engine.

mod bus_eventbridge;
mod client;
mod names;
mod queue_sqs;
mod receiving_sqs;
mod settle_sqs;
mod stack;
mod store_dynamodb;
mod trouble;
mod vault_kms;

use std::sync::Arc;

pub use aws_config::SdkConfig;
use koppel_core::Failure;
use koppel_core::ports::{Clock, SystemClock, Systems};
use koppel_flows::Engine;

use crate::Ports;

pub use bus_eventbridge::EventBridgeBus;
pub use client::{sdk_config, sdk_config_at};
pub use names::Names;
pub use queue_sqs::SqsQueue;
pub use settle_sqs::SqsSettle;
pub use stack::{Stack, connect, connect_with};
pub use store_dynamodb::DynamoStore;
pub use vault_kms::KmsVault;

/// Builds the engine over the named resources; `systems` makes the connectors from its ports.
pub fn engine(
    config: &SdkConfig,
    names: &Names,
    systems: impl FnOnce(&Ports) -> Arc<dyn Systems>,
) -> Result<Engine, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ports = Ports {
        store: Arc::new(DynamoStore::new(config, names.table()?, clock.clone())),
        vault: Arc::new(KmsVault::new(config, names.key()?, clock.clone())),
        clock,
    };
    let systems = systems(&ports);
    let queue = Arc::new(SqsQueue::new(config, names.clone()));
    let bus = Arc::new(EventBridgeBus::new(config, names.bus()?));
    Ok(Engine::new(ports.store, queue, bus, ports.vault, ports.clock, systems))
}
