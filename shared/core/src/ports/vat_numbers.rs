//! Whoever knows whether a VAT number is valid: asked about one number at a time, and allowed not to know.

use async_trait::async_trait;

use crate::error::Failure;
use crate::ports::Calls;
use crate::vat::{VatAnswer, VatNumber};

/// Tells whether VAT numbers are valid.
#[async_trait]
pub trait VatNumbers: Send + Sync {
    /// The answer on one number. Whatever goes wrong is an answer too: [`VatAnswer::Unknown`], never "invalid".
    async fn check(&self, number: &VatNumber, calls: &Calls) -> VatAnswer;

    /// Countries whose numbers cannot be asked about at this moment; an error when nothing can be asked at all.
    async fn resting_countries(&self, calls: &Calls) -> Result<Vec<String>, Failure>;
}
