//! The books: how one connects, which documents orders become, and what stands in them.
//!
//! One file a system, as for the shops.

pub mod accountview;
pub mod asperion;
pub mod exact_online;
pub mod visma_net;

use koppel_sandbox::{FaultAction, FaultRule, Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::ChaosError;
use crate::weather::{Weather, with};

/// How the numbers of the articles begin that are sold in the shop.
pub const OURS: &str = "ART-";

/// A document of an order or of a refund.
pub struct Booked {
    /// Its reference.
    pub reference: String,
    /// What it comes to; below zero for what gives back.
    pub amount: Decimal,
    /// What the ledger must call it.
    pub id: String,
}

/// An article that is sold in the shop.
pub struct Article {
    /// Number.
    pub code: String,
    /// Name.
    pub name: String,
    /// Price without VAT.
    pub price: Decimal,
    /// What may be sold of it.
    pub stock: Decimal,
    /// The row it stands in.
    pub row: Value,
}

/// A customer.
pub struct Debtor {
    /// In small letters; may be empty.
    pub email: String,
    /// Where he lives.
    pub city: String,
}

/// What a world needs of the books.
pub trait BooksSide: Sync {
    /// Id of the system.
    fn system(&self) -> &'static str;
    /// Switches of the stand-in.
    fn switches(&self, seed: u64, limits: bool) -> Value;
    /// Options of the connection, each line with four spaces before it. `abroad`: the shop charges the VAT of where its
    /// customers live, not that of the Netherlands.
    fn connection(&self, limits: bool, abroad: bool, sandbox: &Handle) -> String;
    /// A person has to consent, in a browser.
    fn asks_for_consent(&self) -> bool {
        true
    }

    /// The document that orders become, and refunds of them.
    fn document(&self) -> &'static str;
    /// Settings of both, each line with six spaces before it; guests stand on one debtor or on their own.
    fn settings(&self, guests: &str) -> String;
    /// Settings of refunds alone.
    fn refund_settings(&self) -> &'static str {
        "      refund_item: \"DIVERS\""
    }
    /// Settings of the flow that books what is no document with articles; None: every order is one.
    fn entry_settings(&self) -> Option<&'static str> {
        None
    }
    /// Settings of the flow of customers, each line with six spaces before it.
    fn customer_settings(&self) -> &'static str;
    /// Where an article has its number, and where its stock has it.
    fn code_fields(&self) -> (&'static str, &'static str);

    /// Articles that are sold in the shop.
    fn articles(&self, books: &Inspector) -> Vec<Article>;
    /// Gives one another name and price.
    fn change_article(&self, books: &Inspector, article: &Article, name: &str, price: u64) -> Result<(), ChaosError>;
    /// So many of it lie on the shelf.
    fn count(&self, books: &Inspector, article: &Article, quantity: u64) -> Result<(), ChaosError>;
    /// All documents of orders and refunds.
    fn booked(&self, books: &Inspector) -> Vec<Booked>;
    /// All customers.
    fn debtors(&self, books: &Inspector) -> Vec<Debtor>;

    /// Faults on the wire that are its own, besides those of everybody.
    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule>;
}

/// Answers of writes to these paths are lost more often than others.
fn lost_posts(weather: &Weather<'_>, paths: &[&str]) -> Vec<FaultRule> {
    let lost = |path: &&str| FaultRule::new(FaultAction::AnswerLost).method("POST").path(path);
    paths.iter().map(|path| with(lost(path), weather.percent(4))).collect()
}
