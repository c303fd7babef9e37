use koppel_core::document::{LineKind, LineTax};

use super::*;
use crate::testing::{order, product_line};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Of an order without bundles.
fn plain(original: Order, refund: Refund) -> Result<Order, Failure> {
    credit(original, refund, Bundles::AsIs).map(|(credit, _)| credit)
}

fn amount(total: &str) -> Refund {
    Refund { id: "32".into(), total: d(total), ..Refund::default() }
}

/// 60.50 at 21 %, 21.80 at 9 % and 10.00 without tax.
fn mixed() -> Order {
    let mut cup = product_line("50.00", "10.50", "21", "5");
    cup.id = "7".into();
    order(vec![cup, product_line("20.00", "1.80", "9", "1"), product_line("10.00", "0", "0", "1")], "92.30", "12.30")
}

fn shares(original: Order, total: &str) -> Vec<(Decimal, Decimal, Decimal)> {
    let credit = plain(original, amount(total)).unwrap();
    assert_eq!(credit.net() + credit.total_tax, d(total) * d("-1"), "the shares are the amount");
    assert!(credit.lines.iter().all(|line| line.kind == LineKind::Refund));
    credit.lines.iter().map(|line| (line.rate_percent(), line.net, line.tax)).collect()
}

#[test]
fn an_amount_is_divided_over_the_rates_by_largest_remainder() {
    // 10.00 × 60.50 / 92.30 = 6.5547, × 21.80 = 2.3619, × 10 = 1.0834: the cent that is left goes to the first.
    assert_eq!(
        shares(mixed(), "10.00"),
        [(d("21"), d("-5.42"), d("-1.14")), (d("9"), d("-2.17"), d("-0.19")), (d("0"), d("-1.08"), d("0")),]
    );
    assert_eq!(shares(mixed(), "0.01"), [(d("21"), d("-0.01"), d("0"))]);
}

#[test]
fn all_that_was_paid_at_a_rate_comes_back_with_its_own_tax() {
    // The shop rounded the tax of each line: 1.06 + 1.06 on 10.06, not the 2.11 of the sum.
    let lines = vec![product_line("5.03", "1.06", "21", "1"), product_line("5.03", "1.06", "21", "1")];
    assert_eq!(shares(order(lines, "12.18", "2.12"), "12.18"), [(d("21"), d("-10.06"), d("-2.12"))]);
}

#[test]
fn a_reduction_lowers_what_was_paid_at_its_rate_and_nothing_goes_to_a_rate_without_payment() {
    let lines = vec![product_line("100", "21", "21", "1"), product_line("-10", "-0.90", "9", "1")];
    assert_eq!(shares(order(lines, "110.10", "20.10"), "12.10"), [(d("21"), d("-10.00"), d("-2.10"))]);
    assert_eq!(shares(order(Vec::new(), "0", "0"), "5.00"), [(d("0"), d("-5.00"), d("0"))]);
}

fn given(id: &str, quantity: &str, net: &str, tax: &str) -> Line {
    let taxes = vec![LineTax { rate_id: "1".into(), rate_percent: d("21"), amount: d(tax) }];
    Line { id: id.into(), quantity: d(quantity), net: d(net), tax: d(tax), taxes, sku: "OLD".into(), ..Line::default() }
}

#[test]
fn a_line_given_back_is_the_line_of_the_order_with_what_the_refund_says() {
    let lines =
        vec![given("7", "-2", "-20.00", "-4.20"), given("99", "0", "-1.00", "-0.21"), given("8", "0", "0", "0")];
    let refund = Refund { lines, reason: "Broken".into(), ..amount("25.41") };
    let mut original = mixed();
    original.number = "31".into();
    original.refunds = vec![amount("25.41")];
    let credit = plain(original, refund).unwrap();
    let seen: Vec<(&str, Decimal, Decimal)> =
        credit.lines.iter().map(|line| (line.sku.as_str(), line.quantity, line.net)).collect();
    assert_eq!(seen, [("MOK-WIT", d("-2"), d("-20.00")), ("OLD", d("-1"), d("-1.00"))]);
    assert_eq!((credit.total, credit.total_tax), (d("-25.41"), d("-4.41")));
    assert_eq!((credit.reference.as_str(), credit.number.as_str()), ("WC-1-R32", "31 refund 32"));
    assert_eq!((credit.note.as_str(), credit.payment.method.as_str()), ("Broken", "ideal"));
    let credits = credit.credits.unwrap();
    assert_eq!((credits.reference.as_str(), credits.order.as_str(), credits.full), ("WC-1", "1", false));
}

#[test]
fn an_order_is_refunded_in_full_by_all_its_refunds_together() {
    let mut original = mixed();
    original.refunds = vec![amount("90.00"), amount("2.30")];
    assert!(plain(original.clone(), amount("2.30")).unwrap().credits.unwrap().full);
    original.reference = " ".into();
    assert_eq!(plain(original, amount("2.30")).unwrap_err().cause().code, "empty_key");
}

#[test]
fn rows_of_the_order_flow_give_the_reference_and_own_rows_come_over_them() {
    let yaml = |refund: &str| {
        format!(
            "connections: {{ shop: {{ system: a }}, books: {{ system: b }} }}\nflows:\n  orders: {{ from: shop, to: books, \
             entity: orders, map: {{ reference: '\"WEB\"', note: '\"n\"', target.X: '1' }} }}\n  back: {{ from: shop, to: books, \
             entity: refunds, map: {{ {refund} }} }}\n"
        )
    };
    let split = |refund: &str| {
        let config = crate::config::parse("koppel.yaml", &yaml(refund)).unwrap();
        let flow = &config.flows["back"];
        let (mut own, ..) = split_user_rows(&flow.map);
        let order = split_rows(&config, flow, &mut own);
        let text = |rows: UserRows| rows.into_iter().map(|(path, cell)| format!("{path}={cell}")).collect::<Vec<_>>();
        (text(own), text(order))
    };
    assert_eq!(split(""), (Vec::new(), vec!["reference=\"\\\"WEB\\\"\"".into(), "note=\"\\\"n\\\"\"".into()]));
    let (own, order) = split("reference: x, refund.reason: z");
    assert_eq!(own, ["reason=\"z\""]);
    assert_eq!(order, ["note=\"\\\"n\\\"\"", "reference=\"x\""]);
}
