//! Numbers of documents, noted at a shop record by record.

use koppel_core::Failure;
use koppel_core::error::RetryReason;
use koppel_core::ports::DocumentNumber;

/// Notes each number. Once the shop is down or a limit is reached, the rest would only meet the same answer and gets it.
pub async fn one_by_one<'a, Noting: Future<Output = Result<(), Failure>>>(
    numbers: &'a [DocumentNumber],
    note: impl Fn(&'a DocumentNumber) -> Noting,
) -> Vec<Result<(), Failure>> {
    let mut answers: Vec<Result<(), Failure>> = Vec::with_capacity(numbers.len());
    for number in numbers {
        match answers.last() {
            Some(Err(failure)) if ends_all(failure) => answers.push(Err(failure.clone())),
            _ => answers.push(note(number).await),
        }
    }
    answers
}

fn ends_all(failure: &Failure) -> bool {
    match failure {
        Failure::Reject(_) => false,
        Failure::Retry { reason, .. } => matches!(reason, RetryReason::Throttled | RetryReason::Unavailable),
        Failure::Auth(_) | Failure::Settings(_) => true,
    }
}
