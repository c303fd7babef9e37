//! Amounts of an order by WooCommerce's own rules: line amounts without tax, tax per rate, rounded per line to cents
//! (or over the order, when the shop rounds at the subtotal), halves down when prices include tax.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

use super::render::fixed;
use crate::text::{number, parse_decimal, text};

/// One tax rate.
#[derive(Debug, Clone)]
pub(super) struct Rate {
    id: i64,
    country: String,
    percent: Decimal,
    name: String,
    shipping: bool,
    class: String,
}

/// Reads the rates of the shop.
pub(super) fn rates<'a>(rows: impl Iterator<Item = &'a Value>) -> Vec<Rate> {
    rows.map(|row| Rate {
        id: row["id"].as_i64().unwrap_or_default(),
        country: text(row, "country").into(),
        percent: parse_decimal(text(row, "rate")).unwrap_or_default(),
        name: text(row, "name").into(),
        shipping: row["shipping"].as_bool().unwrap_or_default(),
        class: match text(row, "class") {
            "standard" => String::new(),
            class => class.into(),
        },
    })
    .collect()
}

/// A product line before its amounts are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub name: String,
    pub product_id: i64,
    pub variation_id: i64,
    pub sku: String,
    pub gtin: String,
    pub tax_class: String,
    pub taxable: bool,
    pub quantity: i64,
    /// Catalogue price of one, on the shop's tax basis.
    pub price: Decimal,
    /// Without tax, in place of price × quantity.
    pub subtotal: Option<Decimal>,
    /// Without tax, in place of the subtotal less coupons.
    pub total: Option<Decimal>,
    pub meta: Vec<Value>,
    pub parent_name: Option<String>,
}

/// A shipping line.
#[derive(Debug, Clone, Default)]
pub(super) struct Shipping {
    pub method_id: String,
    pub instance_id: String,
    pub title: String,
    pub total: Decimal,
}

/// A fee; a negative one is a discount.
#[derive(Debug, Clone, Default)]
pub(super) struct Fee {
    pub name: String,
    pub tax_class: String,
    pub taxable: bool,
    pub total: Decimal,
}

/// An order before its amounts are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub country: String,
    pub vat_exempt: bool,
    pub prices_include_tax: bool,
    pub round_at_subtotal: bool,
    pub lines: Vec<Line>,
    pub shipping: Vec<Shipping>,
    pub fees: Vec<Fee>,
    /// Code and percentage.
    pub coupon: Option<(String, Decimal)>,
}

const BASE_COUNTRY: &str = "NL";
/// Decimals the shop stores for amounts that are not rounded to cents.
const RAW: u32 = 6;

struct Taxes<'a> {
    draft: &'a Draft,
    rates: &'a [Rate],
}

impl<'a> Taxes<'a> {
    fn of(&self, country: &str, class: &str) -> impl Iterator<Item = &'a Rate> {
        let (country, class) = (country.to_owned(), class.to_owned());
        self.rates.iter().filter(move |rate| rate.country == country && rate.class == class)
    }

    /// Raw tax per rate on an amount without tax.
    fn on(&self, amount: Decimal, class: &str, shipping: bool) -> Vec<(&'a Rate, Decimal)> {
        if self.draft.vat_exempt {
            return Vec::new();
        }
        let rates = self.of(&self.draft.country, class).filter(|rate| !shipping || rate.shipping);
        rates.map(|rate| (rate, raw(amount * rate.percent / Decimal::ONE_HUNDRED))).collect()
    }

    /// Takes the tax of the shop's own country out of a price that includes it.
    fn without(&self, amount: Decimal, class: &str) -> Decimal {
        let percent: Decimal = self.of(BASE_COUNTRY, class).map(|rate| rate.percent).sum();
        raw(amount * Decimal::ONE_HUNDRED / (Decimal::ONE_HUNDRED + percent))
    }

    /// Tax as it counts: in cents per rate and line, unless the shop rounds at the subtotal.
    fn counted(&self, tax: Decimal) -> Decimal {
        if self.draft.round_at_subtotal { tax } else { self.cents(tax) }
    }

    fn cents(&self, tax: Decimal) -> Decimal {
        let halves = if self.draft.prices_include_tax {
            RoundingStrategy::MidpointTowardZero
        } else {
            RoundingStrategy::MidpointAwayFromZero
        };
        tax.round_dp_with_strategy(2, halves)
    }
}

fn raw(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(RAW, RoundingStrategy::MidpointAwayFromZero)
}

fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn money(amount: Decimal) -> Value {
    json!(fixed(amount, RAW))
}

/// Tax of the order, per rate.
#[derive(Default)]
struct PerRate {
    cart: BTreeMap<i64, Decimal>,
    shipping: BTreeMap<i64, Decimal>,
}

/// All lists and totals of an order, in the shape of the REST API.
pub(super) fn compute(draft: &Draft, rates: &[Rate], next_id: &mut dyn FnMut() -> i64) -> Map<String, Value> {
    let taxes = Taxes { draft, rates };
    let (subtotals, totals, discount) = line_amounts(&taxes);
    let mut per_rate = PerRate::default();
    let (mut cart, mut cart_before, mut before_tax, mut after_tax) =
        (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    let mut line_items = Vec::new();
    for (at, line) in draft.lines.iter().enumerate() {
        let class = if line.taxable { Some(line.tax_class.as_str()) } else { None };
        let before = class.map(|class| taxes.on(subtotals[at], class, false)).unwrap_or_default();
        let after = class.map(|class| taxes.on(totals[at], class, false)).unwrap_or_default();
        let subtotal_tax: Decimal = before.iter().map(|(_, tax)| taxes.counted(*tax)).sum();
        let total_tax: Decimal = after.iter().map(|(_, tax)| taxes.counted(*tax)).sum();
        for (rate, tax) in &after {
            *per_rate.cart.entry(rate.id).or_default() += taxes.counted(*tax);
        }
        let list: Vec<Value> = after
            .iter()
            .zip(&before)
            .map(|((rate, tax), (_, whole))| json!({"id": rate.id, "total": money(*tax), "subtotal": money(*whole)}))
            .collect();
        let rounded = |amount| if draft.round_at_subtotal { amount } else { cents(amount) };
        cart += rounded(totals[at]);
        cart_before += rounded(subtotals[at]);
        before_tax += subtotal_tax;
        after_tax += total_tax;
        let price = if line.quantity == 0 { Decimal::ZERO } else { totals[at] / Decimal::from(line.quantity) };
        line_items.push(json!({
            "id": next_id(), "name": line.name, "product_id": line.product_id, "variation_id": line.variation_id,
            "quantity": line.quantity, "tax_class": line.tax_class, "subtotal": money(subtotals[at]),
            "subtotal_tax": money(subtotal_tax), "total": money(totals[at]), "total_tax": money(total_tax),
            "taxes": list, "meta_data": line.meta, "sku": line.sku, "global_unique_id": line.gtin,
            "price": number(price.round_dp(15)), "image": {"id": "", "src": ""}, "parent_name": line.parent_name,
        }));
    }
    let (shipping_lines, shipping_total, shipping_tax) = shipping(&taxes, &mut per_rate, next_id);
    let (fee_lines, fee_total) = fees(&taxes, &totals, &mut per_rate, next_id);
    let tax_lines = tax_lines(rates, &per_rate, next_id);
    let cart_tax = cents(per_rate.cart.values().copied().sum());
    let shipping_tax = cents(shipping_tax);
    let coupon_lines: Vec<Value> = draft
        .coupon
        .iter()
        .map(|(code, percent)| {
            json!({"id": next_id(), "code": code, "discount": fixed(discount, 2),
                "discount_tax": fixed(taxes.cents(before_tax - after_tax), 2), "meta_data": [],
                "discount_type": "percent", "nominal_amount": number(*percent), "free_shipping": false})
        })
        .collect();
    let mut order = Map::new();
    order.insert("discount_total".into(), money(cents(cart_before - cart)));
    order.insert("discount_tax".into(), money(taxes.cents(before_tax - after_tax)));
    order.insert("shipping_total".into(), money(shipping_total));
    order.insert("shipping_tax".into(), money(shipping_tax));
    order.insert("cart_tax".into(), money(cart_tax));
    order.insert("total".into(), money(cents(cart + fee_total + shipping_total + cart_tax + shipping_tax)));
    order.insert("total_tax".into(), money(cart_tax + shipping_tax));
    for (name, list) in [
        ("line_items", line_items),
        ("tax_lines", tax_lines),
        ("shipping_lines", shipping_lines),
        ("fee_lines", fee_lines),
        ("coupon_lines", coupon_lines),
    ] {
        order.insert(name.into(), Value::Array(list));
    }
    order
}

/// Subtotals and totals without tax, and the discount without tax. A percentage is taken per line in whole cents,
/// rounded down; what is missing to the discount over the whole cart goes cent by cent to the first lines.
fn line_amounts(taxes: &Taxes<'_>) -> (Vec<Decimal>, Vec<Decimal>, Decimal) {
    let draft = taxes.draft;
    let shown: Vec<Decimal> = draft.lines.iter().map(|line| line.price * Decimal::from(line.quantity)).collect();
    let net = |at: usize, amount: Decimal| {
        let line = &draft.lines[at];
        if draft.prices_include_tax && line.taxable { taxes.without(amount, &line.tax_class) } else { raw(amount) }
    };
    let subtotals: Vec<Decimal> = draft
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| line.subtotal.unwrap_or_else(|| line.total.unwrap_or_else(|| net(at, shown[at]))))
        .collect();
    let mut cut: Vec<Decimal> = vec![Decimal::ZERO; draft.lines.len()];
    if let Some((_, percent)) = &draft.coupon {
        let share = *percent / Decimal::ONE_HUNDRED;
        for (at, amount) in shown.iter().enumerate() {
            cut[at] = (*amount * share).round_dp_with_strategy(2, RoundingStrategy::ToZero);
        }
        let mut missing = cents(shown.iter().sum::<Decimal>() * share) - cut.iter().sum::<Decimal>();
        'out: for (at, line) in draft.lines.iter().enumerate() {
            for _ in 0..line.quantity {
                if missing < Decimal::new(1, 2) {
                    break 'out;
                }
                cut[at] += Decimal::new(1, 2);
                missing -= Decimal::new(1, 2);
            }
        }
    }
    let totals: Vec<Decimal> = draft
        .lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            line.total.unwrap_or_else(|| match line.subtotal {
                Some(subtotal) => raw(subtotal - cut[at]),
                None => net(at, shown[at] - cut[at]),
            })
        })
        .collect();
    let discount = cents(subtotals.iter().sum::<Decimal>() - totals.iter().sum::<Decimal>());
    (subtotals, totals, discount)
}

/// Shipping takes the first tax class found among the lines, and of it the rates that apply to shipping.
fn shipping(
    taxes: &Taxes<'_>,
    per_rate: &mut PerRate,
    next_id: &mut dyn FnMut() -> i64,
) -> (Vec<Value>, Decimal, Decimal) {
    let draft = taxes.draft;
    let found = ["", "reduced-rate", "zero-rate"]
        .into_iter()
        .find(|class| draft.lines.iter().any(|line| line.taxable && line.tax_class == *class));
    let (mut lines, mut total, mut tax_total) = (Vec::new(), Decimal::ZERO, Decimal::ZERO);
    for line in &draft.shipping {
        let tax = found.map(|class| taxes.on(line.total, class, true)).unwrap_or_default();
        let sum: Decimal = tax.iter().map(|(_, tax)| taxes.counted(*tax)).sum();
        for (rate, tax) in &tax {
            *per_rate.shipping.entry(rate.id).or_default() += taxes.counted(*tax);
        }
        let list: Vec<Value> =
            tax.iter().map(|(rate, tax)| json!({"id": rate.id, "total": money(*tax), "subtotal": ""})).collect();
        lines.push(json!({"id": next_id(), "method_title": line.title, "method_id": line.method_id,
            "instance_id": line.instance_id, "total": money(line.total), "total_tax": money(sum), "taxes": list,
            "tax_status": "taxable", "meta_data": []}));
        total += line.total;
        tax_total += sum;
    }
    (lines, total, tax_total)
}

/// Fees; the tax of a negative one is spread over the tax classes of the lines.
fn fees(
    taxes: &Taxes<'_>,
    totals: &[Decimal],
    per_rate: &mut PerRate,
    next_id: &mut dyn FnMut() -> i64,
) -> (Vec<Value>, Decimal) {
    let draft = taxes.draft;
    let (mut lines, mut total) = (Vec::new(), Decimal::ZERO);
    for fee in &draft.fees {
        let mut tax: Vec<(&Rate, Decimal)> = Vec::new();
        if fee.taxable && fee.total.is_sign_negative() {
            let mut classes: BTreeMap<&str, Decimal> = BTreeMap::new();
            for (at, line) in draft.lines.iter().enumerate().filter(|(_, line)| line.taxable) {
                *classes.entry(&line.tax_class).or_default() += totals[at];
            }
            let whole: Decimal = classes.values().copied().sum();
            for (class, part) in classes.into_iter().filter(|_| !whole.is_zero()) {
                tax.extend(taxes.on(fee.total * part / whole, class, false));
            }
        } else if fee.taxable {
            tax = taxes.on(fee.total, &fee.tax_class, false);
        }
        let sum: Decimal = tax.iter().map(|(_, tax)| taxes.counted(*tax)).sum();
        for (rate, tax) in &tax {
            *per_rate.cart.entry(rate.id).or_default() += taxes.counted(*tax);
        }
        let list: Vec<Value> =
            tax.iter().map(|(rate, tax)| json!({"id": rate.id, "total": money(*tax), "subtotal": ""})).collect();
        lines.push(json!({"id": next_id(), "name": fee.name, "tax_class": fee.tax_class,
            "tax_status": if fee.taxable { "taxable" } else { "none" }, "amount": "", "total": money(fee.total),
            "total_tax": money(sum), "taxes": list, "meta_data": []}));
        total += fee.total;
    }
    (lines, total)
}

fn tax_lines(rates: &[Rate], per_rate: &PerRate, next_id: &mut dyn FnMut() -> i64) -> Vec<Value> {
    let used =
        rates.iter().filter(|rate| per_rate.cart.contains_key(&rate.id) || per_rate.shipping.contains_key(&rate.id));
    used.map(|rate| {
        let cart = per_rate.cart.get(&rate.id).copied().unwrap_or_default();
        let shipping = per_rate.shipping.get(&rate.id).copied().unwrap_or_default();
        json!({"id": next_id(), "rate_code": format!("{}-{}-1", rate.country, rate.name.to_uppercase()), "rate_id": rate.id,
            "label": rate.name, "compound": false, "tax_total": money(cents(cart)),
            "shipping_tax_total": money(cents(shipping)), "rate_percent": number(rate.percent), "meta_data": []})
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::dec;

    fn run(draft: &Draft) -> Map<String, Value> {
        let rows = super::super::seeds::tax_rates();
        let mut id = 0;
        compute(draft, &rates(rows.iter()), &mut || {
            id += 1;
            id
        })
    }

    fn mug(quantity: i64, price: Decimal) -> Line {
        Line { name: "Mok wit".into(), taxable: true, quantity, price, ..Line::default() }
    }

    #[test]
    fn the_recorded_order_with_coupon_and_fee_comes_out_to_the_cent() {
        let order = run(&Draft {
            country: "NL".into(),
            lines: vec![mug(10, dec("9.95"))],
            shipping: vec![Shipping { total: dec("6.95"), ..Shipping::default() }],
            fees: vec![Fee { total: dec("2.50"), taxable: true, ..Fee::default() }],
            coupon: Some(("tien".into(), dec("10"))),
            ..Draft::default()
        });
        for (field, value) in [
            ("total", "119.800000"),
            ("total_tax", "20.800000"),
            ("cart_tax", "19.340000"),
            ("shipping_tax", "1.460000"),
            ("discount_total", "9.950000"),
            ("discount_tax", "2.090000"),
        ] {
            assert_eq!(order[field], value, "{field}");
        }
        assert_eq!(order["line_items"][0]["taxes"][0]["total"], "18.805500");
        assert_eq!(order["line_items"][0]["total_tax"], "18.810000");
        assert_eq!(order["tax_lines"][0]["tax_total"], "19.340000");
    }

    #[test]
    fn a_price_with_tax_in_it_is_paid_as_shown() {
        let order = run(&Draft {
            country: "NL".into(),
            prices_include_tax: true,
            lines: vec![mug(1, dec("9.99"))],
            ..Draft::default()
        });
        assert_eq!(order["line_items"][0]["total"], "8.256198");
        assert_eq!(order["total_tax"], "1.730000");
        assert_eq!(order["total"], "9.990000");
    }

    #[test]
    fn an_exempt_order_has_no_tax_lines() {
        let order = run(&Draft {
            country: "BE".into(),
            vat_exempt: true,
            lines: vec![mug(100, dec("9.95"))],
            ..Draft::default()
        });
        assert_eq!((&order["total"], &order["tax_lines"]), (&json!("995.000000"), &json!([])));
    }
}
