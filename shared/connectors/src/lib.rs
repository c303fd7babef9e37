//! Connectors: the code for each system that Koppel reads from or writes to, written once per system and never per
//! pair.
//!
//! [`http`] is the kit they are built on, [`categories`] what all shops do with their category tree,
//! [`families`] what all books do with articles of one product; each system is a folder with the same file names;
//! [`registry`] lists them.

pub mod accountview;
pub mod asperion;
pub mod categories;
pub mod ccv_shop;
mod closed_period;
pub mod exact_online;
pub mod families;
pub mod http;
pub mod mijnwebwinkel;
mod numbers;
pub mod registry;
pub mod vies;
pub mod visma_net;
mod wall_clock;
pub mod woocommerce;
