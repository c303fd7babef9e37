//! What is the same for a whole shop: its name, its currency, whether prices are with tax, and the percent of each tariff.

use std::collections::BTreeMap;

use koppel_core::Failure;
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use rust_decimal::Decimal;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::client::{CcvShopClient, unexpected};
use super::native::{self, decimal, is_yes, list, text};

/// Tariffs of tax that a product can have.
pub const TARIFFS: [&str; 5] = ["normal", "low a", "low b", "extra low", "zero"];

/// Facts of one shop.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShopFacts {
    /// Id of the shop.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Address that its API is called at.
    pub api_root: String,
    /// Currency of prices.
    pub currency: String,
    /// Prices of products are with tax.
    pub prices_include_vat: bool,
    /// Products that may still be made, when the subscription has a limit.
    pub products_left: Option<u64>,
    /// Percent of each tariff in the shop's own country.
    pub percents: BTreeMap<String, Decimal>,
}

impl ShopFacts {
    /// Percent of tax on a product.
    pub fn percent_of(&self, product: &Value) -> Option<Decimal> {
        let tariff = text(&product["taxtariff"]).trim().to_lowercase();
        self.percents.get(&tariff).copied().or_else(|| decimal(&product["vatrate"]))
    }

    /// The tariff with this percent; the first in the order of the shop.
    pub fn tariff_of(&self, percent: Decimal) -> Option<&'static str> {
        TARIFFS.into_iter().find(|tariff| self.percents.get(*tariff).is_some_and(|known| *known == percent))
    }
}

/// The facts of one shop, asked for once as long as the process lives.
#[derive(Debug)]
pub struct Shop {
    country: String,
    facts: OnceCell<ShopFacts>,
}

impl Shop {
    /// With the option `country`.
    pub fn new(connection: &Connection) -> Self {
        let country = connection.option("country").unwrap_or_else(|| "NL".into()).to_uppercase();
        Self { country, facts: OnceCell::new() }
    }

    /// The facts.
    pub async fn facts(&self, client: &CcvShopClient, calls: &Calls) -> Result<&ShopFacts, Failure> {
        self.facts.get_or_try_init(|| read(client, &self.country, calls)).await
    }
}

async fn read(client: &CcvShopClient, country: &str, calls: &Calls) -> Result<ShopFacts, Failure> {
    let mut facts = introduce(client, calls).await?;
    let settings = client.one(&format!("webshops/{}/settings", facts.id), &[], calls).await?.unwrap_or_default();
    facts.currency = Some(text(&settings["currency"])).filter(|code| !code.is_empty()).unwrap_or_else(|| "EUR".into());
    facts.prices_include_vat = is_yes(&settings["prices_include_vat"]);
    let countries = client.whole(&format!("webshops/{}/geozonecountries", facts.id), &[], calls).await?;
    let own = countries.iter().find(|one| text(&one["code"]).trim().eq_ignore_ascii_case(country));
    let tariffs = own.map(|own| list(&own["tariffs"])).unwrap_or_default();
    let percent = |tariff: &Value| Some((text(&tariff["type"]).trim().to_lowercase(), decimal(&tariff["percentage"])?));
    facts.percents = tariffs.iter().filter_map(percent).collect();
    Ok(facts)
}

/// The shop that these keys belong to.
pub async fn introduce(client: &CcvShopClient, calls: &Calls) -> Result<ShopFacts, Failure> {
    let shops = client.whole("webshops", &[], calls).await?;
    // A shop that is one of several shows the others too.
    let host = |url: &str| {
        url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default().to_lowercase()
    };
    let own = shops.iter().find(|shop| host(&text(&shop["api_root"])) == host(client.base()));
    let shop = own.or(shops.first()).ok_or_else(|| unexpected("which shop it is"))?;
    let limited = native::number(&shop["product_limit"]).is_some_and(|limit| limit > 0);
    Ok(ShopFacts {
        id: native::id(shop).ok_or_else(|| unexpected("which shop it is"))?,
        name: text(&shop["name"]),
        api_root: text(&shop["api_root"]),
        products_left: native::number(&shop["product_limit_left"]).filter(|_| limited),
        ..ShopFacts::default()
    })
}
