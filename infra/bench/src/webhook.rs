//! Time to acknowledge a webhook. Without an endpoint on this machine there is nothing to measure.

use crate::failed::Failed;
use crate::report::Report;

/// Says that it is left out.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    report.left_out("acknowledge a delivery", "this bench does not start the local webhook endpoint yet");
    Ok(())
}
