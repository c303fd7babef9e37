//! What prices of a shop mean: its currency, and whether they were typed with tax. Read once.

use koppel_core::Failure;
use koppel_core::ports::Calls;
use tokio::sync::OnceCell;

use crate::woocommerce::client::WooCommerceClient;
use crate::woocommerce::native::text;

/// What is the same for all products of a shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShopFacts {
    /// Currency of prices.
    pub currency: String,
    /// Prices are typed with tax.
    pub prices_include_tax: bool,
}

/// The facts of one shop.
#[derive(Debug, Default)]
pub struct Shop(OnceCell<ShopFacts>);

impl Shop {
    /// The facts, asked for once as long as the process lives.
    pub async fn facts(&self, client: &WooCommerceClient, calls: &Calls) -> Result<&ShopFacts, Failure> {
        self.0.get_or_try_init(|| read(client, calls)).await
    }
}

async fn read(client: &WooCommerceClient, calls: &Calls) -> Result<ShopFacts, Failure> {
    let setting = client.one("settings/tax/woocommerce_prices_include_tax", &[], calls).await?.unwrap_or_default();
    let currency = client.one("data/currencies/current", &[("_fields", "code")], calls).await?.unwrap_or_default();
    Ok(ShopFacts { currency: text(&currency["code"]), prices_include_tax: setting["value"] == "yes" })
}
