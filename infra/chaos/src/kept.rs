//! What is kept in step while orders come in: articles and stock of the books, customers of the shop. They change meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use koppel_sandbox::Inspector;
use serde_json::json;

use crate::ChaosError;
use crate::dice::Dice;
use crate::pairs::Pair;
use crate::shops::told;

/// Time between two changes.
const PAUSE: TimeDelta = TimeDelta::minutes(6);
/// Changes of a world, at most.
const CHANGES: usize = 12;

/// What of it still changes.
pub struct Kept {
    pair: &'static Pair,
    dice: Dice,
    left: usize,
    next: DateTime<Utc>,
}

impl Kept {
    /// A third as many articles as orders in the books, half of them in the shop already, and as many customers in the shop.
    pub fn open(
        pair: &'static Pair,
        seed: u64,
        orders: usize,
        (shop, books): (&Inspector, &Inspector),
        now: DateTime<Utc>,
    ) -> Result<Self, ChaosError> {
        let n = (orders / 3).max(4);
        told(books.inspect("POST", "generate", &json!({ "seed": seed, "n": n, "differs_percent": 60 })))?;
        pair.shop.open_articles(shop, &json!({ "seed": seed, "n": n / 2, "differs_percent": 60 }))?;
        let persons: Vec<usize> = (1..=n).map(|number| number * 5 % 400).collect();
        pair.shop.open_customers(shop, &persons, now)?;
        Ok(Self { pair, dice: Dice::new(seed, "kept"), left: CHANGES, next: now + PAUSE })
    }

    /// Nothing changes any more.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The next changes, when their time has come: names, prices, stock, where customers live.
    pub fn live(&mut self, shop: &Inspector, books: &Inspector, now: DateTime<Utc>) -> Result<(), ChaosError> {
        if self.left == 0 || now < self.next {
            return Ok(());
        }
        self.left -= 1;
        self.next = now + PAUSE + TimeDelta::seconds(self.dice.signed(0, 400));
        let articles = self.pair.books.articles(books);
        for _ in 0..2 {
            let Some(article) = articles.get(self.dice.index(articles.len())) else { continue };
            let (name, price) = (format!("{} v{}", article.code, self.left), self.dice.between(1, 90));
            self.pair.books.change_article(books, article, &name, price)?;
        }
        // A row that was read before it was changed must not bring the old name back.
        let articles = self.pair.books.articles(books);
        for _ in 0..3 {
            let Some(article) = articles.get(self.dice.index(articles.len())) else { continue };
            self.pair.books.count(books, article, self.dice.between(0, 300))?;
        }
        let customers = self.pair.shop.customer_rows(shop);
        for _ in 0..2 {
            let Some(customer) = customers.get(self.dice.index(customers.len())).cloned() else { continue };
            self.pair.shop.moved(shop, customer, &format!("Nieuwstad {}", self.left), now)?;
        }
        Ok(())
    }
}
