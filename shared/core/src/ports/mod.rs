//! Ports: what the chain needs from an engine (store, queue, bus, vault, clock) and from a connector (source, target).
//!
//! All are small, asynchronous and object-safe. Domain logic is written once over them; the engines are twins that one
//! suite of port tests holds to the same behaviour.

pub mod budget;
pub mod bus;
pub mod calls;
pub mod clock;
pub mod diagnosis;
pub mod queue;
pub mod source;
pub mod store;
pub mod systems;
pub mod target;
pub mod vat_numbers;
pub mod vault;
pub mod webhook;

pub use budget::{Budget, BudgetView, BudgetWindow, EndpointErrors};
pub use bus::Bus;
pub use calls::{Calls, Exchange, Priority};
pub use clock::{Clock, SystemClock};
pub use diagnosis::{Asked, Finding, Severity};
pub use queue::{Queue, QueueMessage};
pub use source::{Changed, DocumentNumber, FetchPage, FetchQuery, Source, Window};
pub use store::{Condition, Item, Key, Store, StoreError};
pub use systems::{Consent, Systems};
pub use target::{
    Candidate, Change, CustomerLink, Existing, Found, PERIOD_CLOSED, Period, Picture, Reference, Sent, Target, Wanted,
};
pub use vat_numbers::VatNumbers;
pub use vault::Vault;
pub use webhook::{WebhookAdmin, WebhookReceiver};
