//! The chain from shop to books on the embedded engine, against the sandboxes.

mod ccv_shop;
mod claims;
pub mod consent;
mod doctor;
mod down;
mod explain;
mod faults;
mod forgotten;
mod gone;
mod limits;
mod missing;
mod orders;
mod plan;
mod plan_kept;
mod products;
mod refunds;
mod reports;
mod stale;
mod stock;
mod webhook;
pub mod world;
