//! Amounts of an order, from its rows and costs.
//!
//! A row: `price` less `discount` (an amount per unit) less the user's discount (percent) is the selling price; what the
//! attributes cost comes on top. VAT is rounded per rate (or per row, by a switch); the coupon and the credit points
//! come off every rate in proportion; costs of payment and extra costs have the rate of shipping.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::text::{amount, number, text};

/// Two decimals, half away from zero.
pub(super) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn flag(row: &Value, field: &str) -> bool {
    row[field].as_bool().unwrap_or_default()
}

/// Fills the computed fields of a row.
pub(super) fn fill_row(row: &mut Value) {
    let (price, count) = (amount(row, "price"), amount(row, "count"));
    let original = price - amount(row, "discount");
    let selling = cents_kept(original * (Decimal::ONE - amount(row, "user_discount") / Decimal::ONE_HUNDRED));
    let extra: Decimal = row["attributes"].as_array().into_iter().flatten().map(|one| amount(one, "price")).sum();
    for (field, value) in [
        ("original_price", original),
        ("selling_price", selling),
        ("price_without_discount", price),
        ("price_without_discount_with_attributes", price + extra),
        ("total_price", cents(selling * count)),
        ("total_extra_option_price", extra),
        ("price_with_attributes", selling + extra),
        ("total_price_with_attributes", cents((selling + extra) * count)),
    ] {
        row[field] = number(value);
    }
}

/// Prices per unit keep four decimals.
fn cents_kept(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(4, RoundingStrategy::MidpointAwayFromZero)
}

/// Amounts of one rate, apart for prices with and without VAT in them.
#[derive(Debug, Default)]
struct Share {
    including: Decimal,
    excluding: Decimal,
}

impl Share {
    fn add(&mut self, including: bool, value: Decimal) {
        if including { self.including += value } else { self.excluding += value }
    }

    fn tax(&self, rate: Decimal) -> (Decimal, Decimal) {
        let hundred = Decimal::ONE_HUNDRED;
        (cents(self.including * rate / (hundred + rate)), cents(self.excluding * rate / hundred))
    }
}

/// What the coupon takes off the rows.
fn coupon(order: &Value, rows: Decimal) -> Decimal {
    let coupon = &order["discountcoupon"];
    let value = amount(coupon, "discount");
    match text(coupon, "type") {
        "" => Decimal::ZERO,
        "percentage" => cents(rows * value / Decimal::ONE_HUNDRED),
        _ => value.min(rows),
    }
}

/// Fills the totals of an order; `per_row` rounds VAT row by row.
pub(super) fn fill(order: &mut Value, rows: &mut [Value], per_row: bool) {
    rows.iter_mut().for_each(fill_row);
    let rows_include = flag(order, "order_row_taxes_included");
    let total: Decimal = rows.iter().map(|row| amount(row, "total_price_with_attributes")).sum();
    let off = coupon(order, total);
    let points = amount(order, "credit_point_discount");
    let mut shares: BTreeMap<Decimal, Vec<Share>> = BTreeMap::new();
    let mut sums: BTreeMap<Decimal, Decimal> = BTreeMap::new();
    for row in rows.iter() {
        *sums.entry(amount(row, "tax")).or_default() += amount(row, "total_price_with_attributes");
    }
    for row in rows.iter() {
        let list = shares.entry(amount(row, "tax")).or_default();
        if per_row || list.is_empty() {
            list.push(Share::default());
        }
        if let Some(share) = list.last_mut() {
            share.add(rows_include, amount(row, "total_price_with_attributes"));
        }
    }
    // The last rate takes what is left, so that the parts are the whole.
    let mut left = off + points;
    let last = sums.keys().next_back().copied();
    for (rate, sum) in &sums {
        let part = if Some(*rate) == last || total.is_zero() { left } else { cents((off + points) * sum / total) };
        left -= part;
        if let Some(share) = shares.get_mut(rate).and_then(|list| list.last_mut()) {
            share.add(rows_include, -part);
        }
    }
    let costs =
        amount(order, "paymethod_costs") + amount(order, "extra_costs") + amount(order, "extra_payment_option_price");
    let mut side = Share::default();
    side.add(flag(order, "shipping_taxes_included"), amount(order, "total_shipping"));
    side.add(flag(order, "taxes_included"), costs);
    shares.entry(amount(order, "shipping_tax_percentage")).or_default().push(side);
    if !per_row {
        // One rounding per rate, over rows and costs together.
        for list in shares.values_mut() {
            let all = list.drain(..).fold(Share::default(), |mut sum, one| {
                sum.including += one.including;
                sum.excluding += one.excluding;
                sum
            });
            list.push(all);
        }
    }
    let (mut price, mut tax) = (Decimal::ZERO, Decimal::ZERO);
    for (rate, list) in &shares {
        for share in list {
            let (inside, on_top) = share.tax(*rate);
            price += share.including + share.excluding + on_top;
            tax += inside + on_top;
        }
    }
    let discounts: Decimal = rows.iter().map(|row| cents(amount(row, "discount") * amount(row, "count"))).sum();
    let weight: Decimal = rows.iter().map(|row| amount(row, "weight") * amount(row, "count")).sum();
    for (field, value) in [
        ("_rows_total", total),
        ("_row_discounts", discounts),
        ("total_discounts", off),
        ("total_price", cents(price)),
        ("total_tax", tax),
        ("total_weight", weight),
    ] {
        order[field] = number(value);
    }
    order["_filled"] = json!(true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::dec;

    fn order(extra: &Value) -> Value {
        let mut order = json!({"order_row_taxes_included": true, "shipping_taxes_included": true,
            "taxes_included": true, "shipping_tax_percentage": 21});
        for (name, value) in extra.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    }

    #[test]
    fn the_known_order_comes_out() {
        let mut rows = vec![json!({"price": 595, "discount": 10, "count": 1, "tax": 21})];
        let mut order = order(&json!({"total_shipping": 5}));
        fill(&mut order, &mut rows, false);
        assert_eq!((amount(&rows[0], "selling_price"), amount(&rows[0], "total_price")), (dec("585"), dec("585")));
        assert_eq!((amount(&order, "total_price"), amount(&order, "total_tax")), (dec("590"), dec("102.4")));
    }

    #[test]
    fn prices_without_vat_get_it_on_top_and_the_coupon_is_shared_over_the_rates() {
        let mut rows = vec![
            json!({"price": 9.95, "discount": 0, "count": 3, "tax": 21}),
            json!({"price": 18.35, "discount": 0, "count": 1, "tax": 9, "attributes": [{"price": 1.65}]}),
        ];
        let mut order = order(&json!({"order_row_taxes_included": false, "shipping_taxes_included": false,
            "taxes_included": false, "total_shipping": 6.95, "discountcoupon": {"type": "percentage", "discount": 10}}));
        fill(&mut order, &mut rows, false);
        // 29.85 + 20.00 = 49.85, less 4.99: 2.00 of the 9 % and 2.99 of the 21 %.
        assert_eq!(amount(&order, "total_discounts"), dec("4.99"));
        let tax = cents(dec("18.00") * dec("0.09")) + cents((dec("26.86") + dec("6.95")) * dec("0.21"));
        assert_eq!(amount(&order, "total_tax"), tax);
        assert_eq!(amount(&order, "total_price"), dec("18") + dec("26.86") + dec("6.95") + tax);
    }

    #[test]
    fn rounding_per_row_differs_from_rounding_per_rate() {
        let rows = vec![json!({"price": 0.13, "discount": 0, "count": 1, "tax": 21}); 3];
        let mut one = order(&json!({"order_row_taxes_included": false}));
        let mut other = one.clone();
        fill(&mut one, &mut rows.clone(), false);
        fill(&mut other, &mut rows.clone(), true);
        assert_eq!((amount(&one, "total_tax"), amount(&other, "total_tax")), (dec("0.08"), dec("0.09")));
    }
}
