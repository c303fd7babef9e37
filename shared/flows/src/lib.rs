//! The steps of the chain as plain types over ports, and everything they decide with: configuration, settings, proof
//! of cents, ledger, trail. No engine and no connector is known here.

mod absent;
pub mod alerts;
pub mod bundles;
mod canonical;
pub mod catalogue;
pub mod cents;
pub mod config;
pub mod connections;
mod customers;
pub mod doctor;
pub mod engine;
pub mod erase;
mod exists_field;
pub mod hints;
pub mod items;
pub mod ledger;
mod links;
pub mod loaded;
mod matching;
pub mod number_back;
mod on_their_way;
mod origin;
mod owners;
pub mod pace;
mod parts;
pub mod periods;
pub mod plan;
mod prices;
pub mod privacy;
mod products;
mod rates;
pub mod refunds;
pub mod review;
pub mod rows;
pub mod runs;
mod same;
pub mod settings;
pub mod steps;
mod stock;
#[cfg(test)]
mod testing;
pub mod trail;
pub mod vat_numbers;
pub mod waiting;
pub mod webhooks;

pub use engine::Engine;
