//! The chain from shop to books on the embedded engine, against the sandboxes.

mod asperion;
pub mod both;
mod both_ways;
mod bundles;
mod ccv_shop;
mod claims;
pub mod consent;
mod customers;
mod doctor;
mod down;
mod exists_field;
mod explain;
mod faults;
mod forgotten;
mod gone;
mod items;
mod limits;
mod mijnwebwinkel;
mod missing;
mod number_back;
mod orders;
mod periods;
mod plan;
mod plan_kept;
mod products;
mod refunds;

mod reports;
mod review;
mod stale;
mod stock;
mod vat_numbers;
mod visma;
mod webhook;
pub mod world;
