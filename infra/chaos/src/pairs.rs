//! The pairs that worlds are told of: which shop, which books, which flows.

use koppel_sandbox::Handle;

use crate::ChaosError;
use crate::books::{BooksSide, OURS, accountview, asperion, exact_online, visma_net};
use crate::shops::{ShopSide, ccv_shop, mijnwebwinkel, woocommerce};

/// The flow of orders of every world.
pub const FLOW: &str = "web-orders";
/// The flow of those orders that the books take as bookings alone, where there are such.
pub const ENTRIES: &str = "bookings";
/// The other flows of every world.
const OTHERS: [&str; 4] = ["refunds", "articles", "stock", "customers"];

/// A shop and books.
pub struct Pair {
    /// As its example is called.
    pub name: &'static str,
    /// The shop.
    pub shop: &'static dyn ShopSide,
    /// The books.
    pub books: &'static dyn BooksSide,
}

/// All pairs; the first is the usual one.
pub static PAIRS: [Pair; 5] = [
    Pair { name: "woocommerce--exact-online", shop: &woocommerce::WooCommerce, books: &exact_online::ExactOnline },
    Pair { name: "woocommerce--visma-net", shop: &woocommerce::WooCommerce, books: &visma_net::VismaNet },
    Pair { name: "ccv-shop--visma-net", shop: &ccv_shop::CcvShop, books: &visma_net::VismaNet },
    Pair { name: "mijnwebwinkel--accountview", shop: &mijnwebwinkel::MijnWebwinkel, books: &accountview::AccountView },
    Pair { name: "woocommerce--asperion", shop: &woocommerce::WooCommerce, books: &asperion::Asperion },
];

/// The pairs that a name stands for: one, or `all`.
pub fn named(name: &str) -> Result<Vec<&'static Pair>, ChaosError> {
    let found: Vec<&Pair> = PAIRS.iter().filter(|pair| name == "all" || pair.name == name).collect();
    if found.is_empty() {
        let names: Vec<&str> = PAIRS.iter().map(|pair| pair.name).collect();
        return Err(ChaosError::Other(format!("no pair «{name}»; there are: all, {}", names.join(", "))));
    }
    Ok(found)
}

impl Pair {
    /// Flows that carry orders.
    pub fn order_flows(&self) -> Vec<&'static str> {
        let entries = self.books.entry_settings().map(|_| ENTRIES);
        [FLOW].into_iter().chain(entries).collect()
    }

    /// All flows of its worlds.
    pub fn flows(&self) -> Vec<&'static str> {
        self.order_flows().into_iter().chain(OTHERS).collect()
    }

    /// The world of this seed has webhooks.
    pub fn has_hooks(&self, seed: u64) -> bool {
        self.shop.has_hooks() && !seed.is_multiple_of(3)
    }

    /// The configuration of a world. Its kind goes by the seed.
    pub fn yaml(&self, seed: u64, sandbox: &Handle) -> String {
        let (shop, books) = (self.shop, self.books);
        let guests = if seed.is_multiple_of(2) { "default_customer: { when: guest, code: \"10000\" }" } else { "" };
        let schedule = if seed % 3 == 2 {
            "schedule: { cron: \"*/7 * * * *\", timezone: Europe/Amsterdam }"
        } else {
            "schedule: { every: 5m }"
        };
        let (lanes, webhook) = ([8, 3, 12, 5][(seed % 4) as usize], self.has_hooks(seed));
        let (statuses, condition) = shop.order_filter();
        let (code, stock_code) = books.code_fields();
        let document = books.document();
        let number_back = shop.number_field().map(|field| format!("      number_back: {field}\n")).unwrap_or_default();
        let flow_of_orders = |name: &str, document: &str, condition: String, settings: &str| {
            format!(
                r#"
  {name}:
    from: shop
    to: books
    entity: orders
    document: {document}
    since: 2026-01-01
    lanes: {lanes}
    {schedule}
    webhook: {webhook}
    filter: {{ status: {statuses}, where: '{condition}' }}
    settings:
{number_back}{settings}"#
            )
        };
        // What decides orders decides what credits them.
        let settings = books.settings(guests);
        let (orders, refunds) = match books.entry_settings() {
            None => (flow_of_orders(FLOW, document, condition.to_owned(), &settings), String::new()),
            Some(entries) => {
                let home = shop.home("source");
                let of_home = flow_of_orders(FLOW, document, format!("{condition} and {home}"), &settings);
                let others = format!("{condition} and not ({home})");
                let others = flow_of_orders(ENTRIES, "financial-entry", others, entries);
                (of_home + &others, format!("    filter: {{ where: '{}' }}\n", shop.home("source.order")))
            }
        };
        format!(
            r#"
connections:
  shop:
{shop_connection}
  books:
{books_connection}
flows:{orders}
  refunds:
    from: shop
    to: books
    entity: refunds
    document: {document}
    since: 2026-01-01
    lanes: {lanes}
    schedule: {{ every: 11m }}
{refunds}    settings:
{refund_settings}
{settings}
  articles:
    from: books
    to: shop
    entity: products
    schedule: {{ every: 13m }}
    filter: {{ where: 'source.{code} | starts_with("{OURS}")' }}
{article_settings}  stock:
    from: books
    to: shop
    entity: stock
    schedule: {{ every: 9m }}
    filter: {{ where: 'source.{stock_code} | starts_with("{OURS}")' }}
  customers:
    from: shop
    to: books
    entity: customers
    schedule: {{ every: 17m }}
    filter: {{ where: '{customer_filter}' }}
    settings:
{customer_settings}
"#,
            shop_connection = shop.connection(seed, has_limits(seed), sandbox),
            books_connection = books.connection(has_limits(seed), shop.charges_abroad(), sandbox),
            refund_settings = books.refund_settings(),
            article_settings = shop.article_settings(),
            customer_filter = shop.customer_filter(),
            customer_settings = books.customer_settings(),
        )
    }
}

/// The systems of this world have limits.
pub fn has_limits(seed: u64) -> bool {
    seed % 3 == 1
}
