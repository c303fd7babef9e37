//! Prices and assumptions, read from `prices.yaml`.

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::failed::Failed;

const TEXT: &str = include_str!("../prices.yaml");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceList {
    /// When they were written down.
    pub date: String,
    /// Where they hold.
    pub region: String,
    /// Somebody has compared them with the price pages.
    pub checked: bool,
    /// What is charged.
    pub prices: Prices,
    /// What is assumed.
    pub assumed: Assumed,
}

/// Dollars.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    pub lambda_gb_second_arm64: Decimal,
    pub lambda_million_requests: Decimal,
    pub dynamodb_million_write_units: Decimal,
    pub dynamodb_million_read_units: Decimal,
    pub sqs_fifo_million_requests: Decimal,
    pub eventbridge_million_events: Decimal,
    pub kms_million_requests: Decimal,
    pub kms_key_month: Decimal,
    pub logs_gb: Decimal,
    pub alarm_month: Decimal,
    pub scheduler_million_invocations: Decimal,
}

/// What a machine without AWS cannot tell.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumed {
    pub books_call_ms: Decimal,
    pub shop_call_ms: Decimal,
    pub store_call_ms: Decimal,
    pub queue_call_ms: Decimal,
    pub full_processor_mb: Decimal,
    pub log_bytes_per_invocation: Decimal,
    pub receives_per_queue_and_minute: Decimal,
    pub key_periods: Decimal,
}

impl PriceList {
    /// Reads the file.
    pub fn read() -> Result<Self, Failed> {
        serde_saphyr::from_str(TEXT).map_err(|error| Failed::Unreadable(format!("prices.yaml: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_no_price_is_forgotten() {
        let list = PriceList::read().unwrap();
        assert_eq!(list.prices.lambda_gb_second_arm64.to_string(), "0.0000133334");
        assert!(list.prices.kms_key_month > Decimal::ZERO && list.assumed.full_processor_mb > Decimal::ZERO);
    }
}
