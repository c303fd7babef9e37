//! What an AWS error means for us: throttled, not allowed, not there, or simply again later.

use std::error::Error;
use std::fmt::Debug;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use koppel_core::error::RetryReason;
use koppel_core::ports::StoreError;
use koppel_core::{Cause, Failure};

/// Kind of an AWS error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Too many requests.
    Throttled,
    /// The role lacks a permission, or the credentials are not valid.
    Denied,
    /// The resource does not exist.
    Missing,
    /// The request can never succeed as it is.
    Invalid,
    /// Everything else: network, time-outs, server errors.
    Unavailable,
}

/// An AWS error with what was attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub kind: Kind,
    pub text: String,
}

impl Trouble {
    /// Reads the error of `call`, such as `SQS SendMessageBatch`.
    pub fn of<E, R>(call: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: Debug + 'static,
    {
        let text = match (error.code(), error.message()) {
            (Some(code), message) => format!("{call}: {code}: {}", message.unwrap_or("no message")),
            // Without an answer from the service the reason hides in the chain of sources.
            (None, _) => format!("{call}: {}", DisplayErrorContext(error)),
        };
        Self { kind: error.code().map_or(Kind::Unavailable, kind_of), text }
    }

    /// As a failure of a step.
    pub fn failure(self) -> Failure {
        match self.kind {
            Kind::Throttled => Failure::retry(RetryReason::Throttled, None, Cause::new("aws_throttled", self.text)),
            Kind::Unavailable => {
                Failure::retry(RetryReason::Unavailable, None, Cause::new("aws_unavailable", self.text))
            }
            Kind::Invalid => Failure::reject(Cause::new("aws_refused", self.text)),
            Kind::Denied => Failure::settings(
                Cause::new("aws_denied", self.text).advice("check the credentials and the policies of the role"),
            ),
            Kind::Missing => Failure::settings(
                Cause::new("aws_missing", self.text).advice("check that the stack is deployed in this region"),
            ),
        }
    }

    /// As a store error.
    pub fn store(self) -> StoreError {
        match self.kind {
            Kind::Throttled => StoreError::Throttled(self.text),
            _ => StoreError::Unavailable(self.text),
        }
    }
}

/// Services spell the same thing differently.
fn kind_of(code: &str) -> Kind {
    let bare = code.rsplit(['.', '#']).next().unwrap_or(code);
    match bare {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "RequestThrottledException"
        | "ProvisionedThroughputExceededException"
        | "TooManyRequestsException"
        | "KmsThrottled"
        | "OverLimit"
        | "LimitExceededException" => Kind::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "AuthorizationError"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "KmsAccessDenied"
        | "DisabledException"
        | "KMSInvalidStateException"
        | "KmsDisabled" => Kind::Denied,
        "ResourceNotFoundException" | "QueueDoesNotExist" | "NonExistentQueue" | "NotFoundException" | "NotFound" => {
            Kind::Missing
        }
        "ValidationException"
        | "ValidationError"
        | "InvalidParameter"
        | "InvalidParameterValue"
        | "InvalidMessageContents"
        | "BatchRequestTooLong"
        | "InvalidCiphertextException" => Kind::Invalid,
        _ => Kind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_recognised_with_and_without_their_prefix() {
        assert_eq!(kind_of("AWS.SimpleQueueService.NonExistentQueue"), Kind::Missing);
        assert_eq!(kind_of("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"), Kind::Throttled);
        assert_eq!(kind_of("KMS.DisabledException"), Kind::Denied);
        assert_eq!(kind_of("InternalServerError"), Kind::Unavailable);
    }
}
