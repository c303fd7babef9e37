//! What prices of a shop mean: its currency, whether they are with VAT, and at which rates. Read once.

use std::collections::BTreeMap;

use koppel_core::Failure;
use koppel_core::ports::Calls;
use rust_decimal::Decimal;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::mijnwebwinkel::client::MijnWebwinkelClient;
use crate::mijnwebwinkel::native::{decimal, flag, many, text};

/// What is the same for all articles of a shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopFacts {
    /// Currency of prices.
    pub currency: String,
    /// Prices are with VAT.
    pub prices_include_tax: bool,
    /// Percent of VAT in the shop's own country.
    pub percent: Option<Decimal>,
    /// Percent of articles that differ, by their uuid.
    pub overrides: BTreeMap<String, Decimal>,
}

impl ShopFacts {
    /// Percent of VAT on an article.
    pub fn percent(&self, uuid: &str) -> Option<Decimal> {
        self.overrides.get(uuid).copied().or(self.percent)
    }
}

/// The facts of one shop.
#[derive(Debug, Default)]
pub struct Shop(OnceCell<ShopFacts>);

impl Shop {
    /// The facts, asked for once as long as the process lives.
    pub async fn facts(&self, client: &MijnWebwinkelClient, calls: &Calls) -> Result<&ShopFacts, Failure> {
        self.0.get_or_try_init(|| read(client, calls)).await
    }
}

async fn read(client: &MijnWebwinkelClient, calls: &Calls) -> Result<ShopFacts, Failure> {
    let store = client.store(calls).await?;
    let regions = client.regions(calls).await?;
    let mut facts = ShopFacts {
        currency: text(&store["currency"]),
        prices_include_tax: flag(&store["prices_include_tax"]),
        ..ShopFacts::default()
    };
    let home = text(&store["region_code"]);
    let home = regions.iter().find(|region| text(&region["regionCode"]) == home);
    if let Some(region) = home.filter(|region| region.get("taxEnabled").is_none_or(flag)) {
        facts.percent = percent(&region["taxRate"]);
        for one in many(&region["overrides"]) {
            let Some(rate) = percent(&one["taxRate"]) else { continue };
            // Overrides of whole collections are not looked up: which articles they hold is told nowhere.
            let items = many(&one["items"]).into_iter().filter(|item| text(&item["type"]) == "product");
            let uuids = items.flat_map(|item| many(&item["references"])).map(|uuid| text(&uuid));
            facts.overrides.extend(uuids.map(|uuid| (uuid, rate)));
        }
    }
    Ok(facts)
}

/// Rates of the tax policy are fractions; those of lines are percentages.
fn percent(fraction: &Value) -> Option<Decimal> {
    decimal(fraction).map(|fraction| (fraction * Decimal::ONE_HUNDRED).normalize())
}
