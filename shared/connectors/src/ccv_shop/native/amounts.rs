//! Net amounts and tax of an order, worked out so that they add up to what is paid.
//!
//! The shop shows prices with or without tax, as it is set for rows, for shipping, and for the whole. Which of its header
//! amounts are part of the total, how costs are taxed, and what a discount took off is not said. So the few ways in which it can
//! be are tried: one counts when rows, shipping, costs, discounts and tax give the total to the cent, and the tax nearest
//! to the shop's own. When none does, nothing is invented: the sums differ, and the order is refused with them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{decimal, is_yes, text};

/// Decimals of an amount that was divided.
const DECIMALS: u32 = 6;
/// A difference that is rounding.
const CENT: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// Tax of a line at one rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Tax {
    pub percent: Decimal,
    pub amount: Decimal,
}

/// Amounts of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Amounts {
    pub net: Decimal,
    /// Without any discount of the row itself.
    pub net_before: Decimal,
    pub taxes: Vec<Tax>,
}

impl Amounts {
    /// Tax of all rates.
    pub fn tax(&self) -> Decimal {
        self.taxes.iter().map(|tax| tax.amount).sum()
    }

    fn put(&self, line: &mut Value) {
        let text = |amount: Decimal| json!(amount.normalize().to_string());
        line["net"] = text(self.net);
        line["net_before_discount"] = text(self.net_before);
        line["vat"] = text(self.tax());
        line["taxes"] = self
            .taxes
            .iter()
            .map(|tax| json!({ "rate_id": tax.percent.normalize().to_string(), "rate_percent": text(tax.percent), "amount": text(tax.amount) }))
            .collect();
    }

    /// Makes everything what is given back.
    pub fn negate(&mut self) {
        self.net = -self.net;
        self.net_before = -self.net_before;
        self.taxes.iter_mut().for_each(|tax| tax.amount = -tax.amount);
    }
}

/// A line that is not a row: shipping, costs, a discount.
#[derive(Clone, Debug, PartialEq)]
pub struct Charge {
    pub id: &'static str,
    pub kind: &'static str,
    pub description: String,
    pub source_code: String,
    pub amounts: Amounts,
}

/// Everything that was worked out of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkedOut {
    /// One for each row, in their order.
    pub rows: Vec<Amounts>,
    pub charges: Vec<Charge>,
    /// What is paid, tax included.
    pub total: Decimal,
    pub tax: Decimal,
    /// The lines give the total.
    pub adds_up: bool,
}

impl WorkedOut {
    /// Puts the amounts where rows find them.
    pub fn put(&self, raw: &mut Value, mut rows: Vec<Value>) {
        for (row, amounts) in rows.iter_mut().zip(&self.rows) {
            amounts.put(row);
        }
        let charges = self.charges.iter().map(|charge| {
            let mut line = json!({
                "id": charge.id, "kind": charge.kind, "description": charge.description, "source_code": charge.source_code,
            });
            charge.amounts.put(&mut line);
            line
        });
        raw["charges"] = charges.collect();
        raw["rows"] = Value::Array(rows);
        raw["paid_total"] = json!(self.total.normalize().to_string());
        raw["paid_tax"] = json!(self.tax.normalize().to_string());
    }
}

/// How tax is on an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vat {
    /// As the rates say.
    Charged,
    /// There is none, and the amounts are as they stand.
    None,
    /// There is none, and what the amounts hold of it is taken out.
    TakenOut,
}

/// An amount as the shop gives it.
#[derive(Clone, Copy, Debug)]
struct Given {
    amount: Decimal,
    before: Decimal,
    percent: Decimal,
    with_tax: bool,
}

/// One way in which it can be.
#[derive(Clone, Copy, Debug)]
struct Way {
    discount: Decimal,
    points: Decimal,
    costs_percent: Decimal,
    vat: Vat,
    /// The total that is paid.
    total: Decimal,
}

/// Works out an order and its prepared rows.
pub fn of_order(order: &Value, rows: &[Value], costs_percent: Option<Decimal>) -> WorkedOut {
    let total = amount(order, "total_price");
    let with_tax = total + amount(order, "total_tax");
    // Whether the total is with tax follows the order's own word first.
    let totals = if is_yes(&order["taxes_included"]) { [total, with_tax] } else { [with_tax, total] };
    work_out(order, rows, "order_row_taxes_included", &totals, costs_percent)
}

/// Works out a credit: an invoice that gives back, whose amounts may be below zero or not.
pub fn of_credit(invoice: &Value, rows: &[Value], costs_percent: Option<Decimal>) -> WorkedOut {
    let with_tax = decimal(&invoice["total_price_inc_tax"]).unwrap_or_else(|| amount(invoice, "total_price"));
    let totals = [with_tax, -with_tax];
    work_out(invoice, rows, "invoice_row_taxes_included", &totals, costs_percent)
}

fn work_out(
    order: &Value,
    rows: &[Value],
    rows_with_tax: &str,
    totals: &[Decimal],
    costs_percent: Option<Decimal>,
) -> WorkedOut {
    let rows_with_tax = is_yes(&order[rows_with_tax]);
    let rows: Vec<Given> = rows.iter().map(|row| of_row(row, rows_with_tax)).collect();
    let ways = ways(order, &rows, totals, costs_percent);
    // Each amount may be off by half a cent, because the shop rounded it on its own.
    let tolerance = (CENT * Decimal::from(rows.len() as u64 + 1) / Decimal::TWO).max(CENT);
    let own_tax = amount(order, "total_tax").abs();
    let mut best: Option<(Decimal, WorkedOut)> = None;
    for way in &ways {
        let tried = try_way(order, &rows, rows_with_tax, way);
        let (net, tax) = sums(&tried);
        if (net + tax - way.total).abs() > tolerance {
            continue;
        }
        let off = (tax.abs() - own_tax).abs();
        if best.as_ref().is_none_or(|(least, _)| off < *least) {
            best = Some((off, balanced(tried, way.total)));
        }
    }
    match (best, ways.first()) {
        (Some((_, worked_out)), _) => worked_out,
        // Nothing fits: the shop's own sums are shown as they are.
        (None, Some(way)) => {
            let plain = Way { discount: Decimal::ZERO, points: Decimal::ZERO, ..*way };
            let tax = amount(order, "total_tax");
            WorkedOut { total: way.total, tax, adds_up: false, ..try_way(order, &rows, rows_with_tax, &plain) }
        }
        (None, None) => try_way(order, &rows, rows_with_tax, &Way::nothing()),
    }
}

impl Way {
    fn nothing() -> Self {
        let zero = Decimal::ZERO;
        Self { discount: zero, points: zero, costs_percent: zero, vat: Vat::Charged, total: zero }
    }
}

/// All ways, the likeliest first.
fn ways(order: &Value, rows: &[Given], totals: &[Decimal], costs_percent: Option<Decimal>) -> Vec<Way> {
    let sum: Decimal = rows.iter().map(|row| row.amount).sum();
    let coupon = amount(&order["discountcoupon"], "discount");
    let free = if is_yes(&order["discountcoupon"]["givesfreeshipping"]) {
        amount(order, "total_shipping")
    } else {
        Decimal::ZERO
    };
    let percent = sum * coupon / Decimal::ONE_HUNDRED;
    let mut discounts = vec![Decimal::ZERO];
    for discount in [amount(order, "total_discounts"), coupon, percent, percent + free, coupon + free, free] {
        let discount = discount.abs().round_dp(2);
        if !discounts.contains(&discount) {
            discounts.push(discount);
        }
    }
    let points = amount(order, "credit_point_discount").abs();
    let points = if points.is_zero() { vec![points] } else { vec![points, Decimal::ZERO] };
    let percents = match costs_percent {
        Some(percent) => vec![percent],
        None => {
            let mut percents = vec![amount(order, "shipping_tax_percentage")];
            let mut of_rows: Vec<Decimal> = rows.iter().map(|row| row.percent).collect();
            of_rows.sort_by(|one, other| other.cmp(one));
            for percent in of_rows.into_iter().chain([Decimal::ZERO]) {
                if !percents.contains(&percent) {
                    percents.push(percent);
                }
            }
            // Without costs there is nothing to choose.
            if costs(order).iter().all(|cost| cost.2.is_zero()) { percents[..1].to_vec() } else { percents }
        }
    };
    let no_tax = amount(order, "total_tax").is_zero();
    let vats: &[Vat] = if no_tax { &[Vat::Charged, Vat::None, Vat::TakenOut] } else { &[Vat::Charged] };
    let mut ways = Vec::new();
    for vat in vats {
        for total in totals {
            for points in &points {
                for discount in &discounts {
                    for costs_percent in &percents {
                        let (discount, points, costs_percent) = (*discount, *points, *costs_percent);
                        ways.push(Way { discount, points, costs_percent, vat: *vat, total: *total });
                    }
                }
            }
        }
    }
    ways
}

fn of_row(row: &Value, with_tax: bool) -> Given {
    let count = decimal(&row["count"]).unwrap_or_default();
    let has_options = !super::list(&row["attributes"]).is_empty();
    let set = |name: &str| decimal(&row[name]);
    let whole = |total: &str, each: &str| set(total).or_else(|| set(each).map(|price| price * count));
    let with_options = whole("total_price_with_attributes", "price_with_attributes");
    let plain = whole("total_price", "selling_price");
    // What a row without options has in the fields with options may be nothing at all.
    let with_options = with_options.filter(|amount| has_options || !amount.is_zero());
    let amount = with_options
        .or(plain)
        .unwrap_or_else(|| (set("price").unwrap_or_default() - set("discount").unwrap_or_default()) * count);
    let each = set("price_without_discount_with_attributes").filter(|price| !price.is_zero());
    let each = each.or_else(|| set("price_without_discount")).or_else(|| set("price").filter(|_| !has_options));
    let before = each.map(|price| price * count).filter(|before| before.abs() > amount.abs()).unwrap_or(amount);
    Given { amount: amount.round_dp(DECIMALS), before, percent: set("tax").unwrap_or_default(), with_tax }
}

/// Id, kind, amount and text of costs beside shipping.
fn costs(order: &Value) -> [(&'static str, &'static str, Decimal, String, String); 3] {
    let of = |name: &str| amount(order, name);
    let label = |name: &str, else_: &str| {
        Some(text(&order[name])).filter(|text| !text.trim().is_empty()).unwrap_or_else(|| else_.to_owned())
    };
    let pay = label("paymethod_label", "Payment");
    [
        ("payment", "fee", of("paymethod_costs"), pay, text(&order["paymethod"])),
        ("extra", "fee", of("extra_costs"), label("extra_costs_description", "Extra costs"), String::new()),
        (
            "option",
            "fee",
            of("extra_payment_option_price"),
            label("extra_payment_option", "Payment option"),
            String::new(),
        ),
    ]
}

fn try_way(order: &Value, rows: &[Given], rows_with_tax: bool, way: &Way) -> WorkedOut {
    let worked: Vec<Amounts> = rows.iter().map(|row| row.amounts(way.vat)).collect();
    let mut charges = Vec::new();
    let mut add = |id, kind, description: String, source_code: String, amounts: Amounts| {
        if !amounts.net.is_zero() || !amounts.tax().is_zero() {
            charges.push(Charge { id, kind, description, source_code, amounts });
        }
    };
    let given = |amount: Decimal, percent: Decimal, with_tax: bool| Given { amount, before: amount, percent, with_tax };
    let shipping = given(
        amount(order, "total_shipping"),
        amount(order, "shipping_tax_percentage"),
        is_yes(&order["shipping_taxes_included"]),
    );
    let method = text(&order["deliver_method"]);
    let shown = Some(method.clone()).filter(|method| !method.trim().is_empty()).unwrap_or_else(|| "Shipping".into());
    add("shipping", "shipping", shown, method, shipping.amounts(way.vat));
    for (id, kind, cost, description, code) in costs(order) {
        let with_tax = is_yes(&order["taxes_included"]);
        add(id, kind, description, code, given(cost, way.costs_percent, with_tax).amounts(way.vat));
    }
    let code = text(&order["discountcoupon"]["code"]);
    let name = if code.trim().is_empty() { "Discount".to_owned() } else { format!("Discount {code}") };
    add("discount", "discount", name, code, spread(-way.discount, rows, rows_with_tax, way));
    add("points", "discount", "Credit points".into(), String::new(), spread(-way.points, rows, rows_with_tax, way));
    WorkedOut { rows: worked, charges, total: way.total, tax: Decimal::ZERO, adds_up: false }
}

impl Given {
    fn amounts(&self, vat: Vat) -> Amounts {
        let (net, tax) = self.split(self.amount, vat);
        let net_before = self.split(self.before, vat).0;
        let percent = if vat == Vat::Charged { self.percent } else { Decimal::ZERO };
        Amounts { net, net_before, taxes: vec![Tax { percent, amount: tax }] }
    }

    fn split(&self, amount: Decimal, vat: Vat) -> (Decimal, Decimal) {
        let factor = Decimal::ONE + self.percent / Decimal::ONE_HUNDRED;
        let without = if factor.is_zero() { amount } else { (amount / factor).round_dp(DECIMALS) };
        match (vat, self.with_tax) {
            (Vat::Charged, true) => (without, amount - without),
            (Vat::Charged, false) => (amount, (amount * self.percent / Decimal::ONE_HUNDRED).round_dp(DECIMALS)),
            (Vat::TakenOut, true) => (without, Decimal::ZERO),
            (Vat::None, _) | (Vat::TakenOut, false) => (amount, Decimal::ZERO),
        }
    }
}

/// A reduction on the whole basket, spread over the rates in it by their share.
fn spread(amount: Decimal, rows: &[Given], with_tax: bool, way: &Way) -> Amounts {
    let mut shares: Vec<(Decimal, Decimal)> = Vec::new();
    for row in rows {
        match shares.iter_mut().find(|(percent, _)| *percent == row.percent) {
            Some((_, share)) => *share += row.amount,
            None => shares.push((row.percent, row.amount)),
        }
    }
    shares.retain(|(_, share)| !share.is_zero());
    let sum: Decimal = shares.iter().map(|(_, share)| *share).sum();
    if sum.is_zero() {
        shares = vec![(way.costs_percent, Decimal::ONE)];
    }
    let sum = if sum.is_zero() { Decimal::ONE } else { sum };
    let (mut left, last) = (amount, shares.len() - 1);
    let mut spread = Amounts { net: Decimal::ZERO, net_before: Decimal::ZERO, taxes: Vec::new() };
    for (number, (percent, share)) in shares.iter().enumerate() {
        let part = if number == last { left } else { (amount * share / sum).round_dp(DECIMALS) };
        left -= part;
        let part = Given { amount: part, before: part, percent: *percent, with_tax }.amounts(way.vat);
        spread.net += part.net;
        spread.taxes.extend(part.taxes);
    }
    spread.net_before = spread.net;
    spread
}

fn sums(worked_out: &WorkedOut) -> (Decimal, Decimal) {
    let charges = worked_out.charges.iter().map(|charge| &charge.amounts);
    worked_out
        .rows
        .iter()
        .chain(charges)
        .fold((Decimal::ZERO, Decimal::ZERO), |(net, tax), amounts| (net + amounts.net, tax + amounts.tax()))
}

/// What is left of a cent goes into the largest tax, so that net and tax are the total and nothing else.
fn balanced(mut worked_out: WorkedOut, total: Decimal) -> WorkedOut {
    let (net, tax) = sums(&worked_out);
    let rest = total - net - tax;
    let charges = worked_out.charges.iter_mut().map(|charge| &mut charge.amounts);
    let taxes = worked_out.rows.iter_mut().chain(charges).flat_map(|amounts| amounts.taxes.iter_mut());
    let largest = taxes.max_by_key(|tax| tax.amount.abs()).filter(|tax| !tax.amount.is_zero());
    let taken = match largest {
        Some(largest) => {
            largest.amount += rest;
            rest
        }
        None => Decimal::ZERO,
    };
    WorkedOut { tax: tax + taken, total, adds_up: true, ..worked_out }
}

fn amount(record: &Value, name: &str) -> Decimal {
    decimal(&record[name]).unwrap_or_default().round_dp(DECIMALS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn order(fields: Value) -> Value {
        let mut order = json!({
            "taxes_included": true, "order_row_taxes_included": true, "shipping_taxes_included": true,
            "shipping_tax_percentage": 21, "total_shipping": 0, "total_discounts": 0, "paymethod_costs": 0,
            "extra_costs": 0, "credit_point_discount": 0,
        });
        for (name, value) in fields.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    }

    fn row(count: i64, total: &str, tax: i64) -> Value {
        json!({ "count": count, "total_price": total, "tax": tax })
    }

    /// What is worked out always adds up to the last decimal, or says that it does not.
    fn worked(order: &Value, rows: &[Value]) -> WorkedOut {
        let worked_out = of_order(order, rows, None);
        let (net, tax) = sums(&worked_out);
        assert_eq!(worked_out.adds_up, net + tax == worked_out.total, "{worked_out:?}");
        if worked_out.adds_up {
            assert_eq!(tax, worked_out.tax);
        }
        worked_out
    }

    #[test]
    fn the_documented_order_adds_up() {
        // A price of 595 less 10, and 5 of shipping, 21 % in both: the header counts shipping among its rows.
        let order =
            order(json!({ "total_orderrow_price": 590, "total_shipping": 5, "total_price": 590, "total_tax": 102.4 }));
        let rows = [
            json!({ "count": 1, "price": 595, "discount": 10, "original_price": 585, "selling_price": 585, "total_price": 585, "tax": 21 }),
        ];
        let worked_out = worked(&order, &rows);
        assert!(worked_out.adds_up);
        assert_eq!((worked_out.total, worked_out.rows[0].net), (d("590"), d("483.471074")));
        assert_eq!(worked_out.rows[0].net_before, d("491.735537"));
        assert_eq!(worked_out.charges.len(), 1);
        assert_eq!(worked_out.charges[0].amounts.net, d("4.132231"));
    }

    #[test]
    fn amounts_without_tax_get_it_on_top() {
        let order = order(json!({
            "taxes_included": false, "order_row_taxes_included": false, "shipping_taxes_included": false,
            "total_shipping": "4.95", "total_price": 34.95, "total_tax": 7.34,
        }));
        let worked_out = worked(&order, &[row(3, "30.00", 21)]);
        assert_eq!((worked_out.total, worked_out.tax, worked_out.adds_up), (d("42.29"), d("7.34"), true));
        // Another shop shows the total with tax all the same.
        let mut with_tax = order.clone();
        with_tax["total_price"] = json!(42.29);
        assert_eq!(worked(&with_tax, &[row(3, "30.00", 21)]).total, d("42.29"));
    }

    #[test]
    fn rows_and_shipping_may_differ_in_whether_tax_is_in_them() {
        let order = order(json!({
            "shipping_taxes_included": false, "total_shipping": 10, "total_price": 24.2, "total_tax": 4.2,
        }));
        let worked_out = worked(&order, &[row(1, "12.10", 21)]);
        assert_eq!((worked_out.rows[0].net, worked_out.charges[0].amounts.net), (d("10"), d("10")));
        assert!(worked_out.adds_up);
    }

    #[test]
    fn a_coupon_is_taken_off_and_spread_over_the_rates() {
        for (coupon, kind) in [(json!(13.31), "amount"), (json!(10), "percent")] {
            let order = order(json!({
                "discountcoupon": { "code": "TIEN", "discount": coupon }, "total_price": "119.79", "total_tax": 15.3,
            }));
            let worked_out = worked(&order, &[row(1, "60.50", 21), row(2, "72.60", 9)]);
            assert!(worked_out.adds_up, "{kind}");
            let discount = worked_out.charges.iter().find(|charge| charge.id == "discount").unwrap();
            assert_eq!((discount.kind, discount.amounts.net + discount.amounts.tax()), ("discount", d("-13.31")));
            let rates: Vec<Decimal> = discount.amounts.taxes.iter().map(|tax| tax.percent).collect();
            assert_eq!(rates, [d("21"), d("9")]);
            assert_eq!(discount.source_code, "TIEN");
        }
    }

    #[test]
    fn discounts_in_the_header_that_the_rows_hold_already_are_not_taken_off_twice() {
        let order = order(json!({ "total_discounts": 10, "total_price": 60.5, "total_tax": 10.5 }));
        let worked_out = worked(&order, &[row(1, "60.50", 21)]);
        assert!(worked_out.adds_up && worked_out.charges.is_empty());
    }

    #[test]
    fn costs_are_taxed_at_the_rate_that_gives_the_tax_of_the_shop() {
        // Shipping at 21 %, costs of payment at 9 % like the books in the basket.
        let order = order(json!({
            "total_shipping": 12.1, "paymethod_costs": 1.09, "extra_costs": 2.18, "total_price": 26.27, "total_tax": 3.27,
            "paymethod_label": "iDEAL", "extra_costs_description": "Gift wrap", "credit_point_discount": 0,
        }));
        let worked_out = worked(&order, &[row(1, "10.90", 9)]);
        assert!(worked_out.adds_up);
        let nets: Vec<(&str, Decimal)> =
            worked_out.charges.iter().map(|charge| (charge.description.as_str(), charge.amounts.net)).collect();
        assert_eq!(nets, [("Shipping", d("10")), ("iDEAL", d("1")), ("Gift wrap", d("2"))]);
        // A connection that says the rate is believed.
        let told = of_order(&order, &[row(1, "10.90", 9)], Some(d("21")));
        assert_eq!(told.charges[1].amounts.taxes[0].percent, d("21"));
    }

    #[test]
    fn an_order_without_tax_within_the_union_is_without_it() {
        // Prices as they stand, and prices that hold tax which is taken out.
        for (total, net) in [("121.00", "121"), ("100.00", "100")] {
            let order = order(json!({ "is_intra_community_order": true, "total_price": total, "total_tax": 0 }));
            let worked_out = worked(&order, &[row(1, "121.00", 21)]);
            assert_eq!((worked_out.rows[0].net, worked_out.tax, worked_out.adds_up), (d(net), d("0"), true));
            assert_eq!(worked_out.rows[0].taxes[0].percent, d("0"));
        }
    }

    #[test]
    fn options_count_and_credit_points_are_taken_off() {
        let order = order(json!({ "total_price": 23.2, "total_tax": 4.03, "credit_point_discount": 1 }));
        let rows = [json!({
            "count": 2, "total_price": 20, "price_with_attributes": 12.1, "total_price_with_attributes": 24.2, "tax": 21,
            "attributes": [{ "option_name": "Engraving", "value_name": "Jan", "price": 2.1 }],
        })];
        let worked_out = worked(&order, &rows);
        assert!(worked_out.adds_up);
        assert_eq!((worked_out.rows[0].net, worked_out.charges[0].id), (d("20"), "points"));
    }

    #[test]
    fn what_cannot_be_explained_is_not_made_to_fit() {
        let order = order(json!({ "total_price": 55, "total_tax": 9.55 }));
        let worked_out = worked(&order, &[row(1, "60.50", 21)]);
        assert_eq!((worked_out.adds_up, worked_out.total, worked_out.tax), (false, d("55"), d("9.55")));
        assert!(worked_out.charges.is_empty());
        assert!(!worked(&order, &[]).adds_up);
        assert!(worked(&self::order(json!({ "total_price": 0, "total_tax": 0 })), &[]).adds_up);
    }

    #[test]
    fn a_credit_is_known_whatever_the_sign_of_its_amounts() {
        for sign in [1, -1] {
            let invoice = json!({
                "invoice_row_taxes_included": true, "taxes_included": true, "total_price_inc_tax": -12.1, "total_tax": -2.1,
            });
            let rows =
                [json!({ "count": sign, "total_price": format!("{}", d("12.10") * Decimal::from(sign)), "tax": 21 })];
            let worked_out = of_credit(&invoice, &rows, None);
            assert!(worked_out.adds_up);
            assert_eq!(worked_out.rows[0].net.abs(), d("10"));
        }
    }
}
