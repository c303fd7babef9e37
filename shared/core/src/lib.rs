//! The words of the business: documents, money, VAT, keys, messages, errors and ports.
//!
//! Nothing here performs I/O and nothing here knows a cloud, a database or a web shop. Every other crate speaks in
//! these types, so a record keeps one shape from the shop to the books.

pub mod connection;
pub mod document;
pub mod error;
pub mod event;
pub mod keys;
pub mod message;
pub mod money;
pub mod outcome;
pub mod ports;
pub mod system;
pub mod vat;

pub use document::{Document, Entity};
pub use error::{Cause, Failure};
pub use keys::{NonEmpty, RecordKey, Tenant};
pub use money::Currency;
