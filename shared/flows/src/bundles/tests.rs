use std::collections::BTreeMap;

use koppel_core::document::Refund;
use proptest::prelude::*;

use super::*;
use crate::testing::{order, product_line};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A line of a bundle: id, what it is a part of, quantity, net, rate.
fn line(id: &str, part_of: &str, quantity: &str, net: &str, rate: &str) -> Line {
    let tax = (d(net) * d(rate) / Decimal::ONE_HUNDRED).round_dp(2);
    Line {
        id: id.into(),
        part_of: part_of.into(),
        sku: format!("SKU-{id}"),
        ..product_line(net, &tax.to_string(), rate, quantity)
    }
}

fn of(lines: Vec<Line>) -> Order {
    let tax: Decimal = lines.iter().map(|line| line.tax).sum();
    let net: Decimal = lines.iter().map(|line| line.net).sum();
    order(lines, &(net + tax).to_string(), &tax.to_string())
}

/// A bundle for 30.00 of one part and twice another, both at nothing, and the first of them once more beside it.
fn priced_on_bundle() -> Order {
    of(vec![
        line("1", "", "1", "30.00", "21"),
        line("2", "1", "1", "0.00", "21"),
        line("3", "1", "2", "0.00", "21"),
        Line { sku: "SKU-2".into(), ..line("9", "", "1", "9.95", "21") },
    ])
}

/// A bundle that costs nothing, of parts with a price each.
fn priced_on_parts(rate: &str) -> Order {
    of(vec![line("1", "", "1", "0.00", "21"), line("2", "1", "1", "9.95", "21"), line("3", "1", "1", "18.35", rate)])
}

fn seen(lines: &[Line]) -> Vec<(String, String, String, String)> {
    let text = |number: Decimal| number.normalize().to_string();
    lines.iter().map(|l| (l.id.clone(), text(l.quantity), text(l.net), text(l.rate_percent()))).collect()
}

fn rows(expected: &[(&str, &str, &str, &str)]) -> Vec<(String, String, String, String)> {
    expected.iter().map(|(a, b, c, d)| ((*a).into(), (*b).into(), (*c).into(), (*d).into())).collect()
}

fn after(mut order: Order, policy: Bundles) -> Vec<(String, String, String, String)> {
    of_order(&mut order, policy).unwrap();
    seen(&order.lines)
}

#[test]
fn each_policy_gives_the_lines_that_it_names() {
    let beside = ("9", "1", "9.95", "21");
    for (policy, expected) in [
        (Bundles::AsIs, vec![("1", "1", "30", "21"), ("2", "1", "0", "21"), ("3", "2", "0", "21"), beside]),
        (Bundles::Parent, vec![("1", "1", "30", "21"), beside]),
        // Nothing tells what the parts cost: by quantity.
        (Bundles::Children, vec![("2", "1", "10", "21"), ("3", "2", "20", "21"), beside]),
        (
            Bundles::BothPricedOnParent,
            vec![("1", "1", "30", "21"), ("2", "1", "0", "21"), ("3", "2", "0", "21"), beside],
        ),
        (
            Bundles::BothPricedOnChildren,
            vec![("1", "1", "0", "21"), ("2", "1", "10", "21"), ("3", "2", "20", "21"), beside],
        ),
    ] {
        assert_eq!(after(priced_on_bundle(), policy), rows(&expected), "{policy}");
    }
    let parts = after(priced_on_parts("21"), Bundles::Parent);
    assert_eq!(parts, rows(&[("1", "1", "28.3", "21")]));
    assert_eq!(
        after(priced_on_parts("9"), Bundles::Children),
        rows(&[("2", "1", "9.95", "21"), ("3", "1", "18.35", "9")])
    );
}

#[test]
fn the_amount_of_a_bundle_is_divided_by_what_its_parts_cost() {
    let mut discounted = of(vec![
        line("1", "", "1", "10.00", "21"),
        Line { net_before_discount: d("20"), ..line("2", "1", "1", "0.00", "21") },
        Line { net_before_discount: d("10"), ..line("3", "1", "5", "0.00", "21") },
    ]);
    let fates = of_order(&mut discounted, Bundles::Children).unwrap();
    assert_eq!(seen(&discounted.lines), rows(&[("2", "1", "6.67", "21"), ("3", "5", "3.33", "21")]));
    let told: Vec<String> = fates.iter().map(|f| format!("{} {}: {}", f.line, f.article, f.became)).collect();
    assert_eq!(
        told,
        [
            "1 SKU-1: 10 divided over the lines 2, 3; left out",
            "2 SKU-2: 6.67 of line 1 added; sent",
            "3 SKU-3: 3.33 of line 1 added; sent"
        ]
    );
    // Less than a cent goes to the heaviest, so that rounded amounts have the rounded sum.
    let fine =
        of(vec![line("1", "", "1", "24.793388", "21"), line("2", "1", "1", "0", "21"), line("3", "1", "1", "0", "21")]);
    assert_eq!(after(fine, Bundles::Children), rows(&[("2", "1", "12.403388", "21"), ("3", "1", "12.39", "21")]));
}

#[test]
fn one_line_takes_one_rate_and_what_cannot_be_done_waits_with_both_rates_named() {
    let refused = |mut order: Order, policy| of_order(&mut order, policy).unwrap_err();
    let failure = refused(priced_on_parts("9"), Bundles::Parent);
    assert!(matches!(failure, Failure::Settings(_)), "{failure:?}");
    let text = failure.to_string();
    assert!(text.contains("the bundle «SKU-1» is charged at 21 % and «SKU-3», a part of it, at 9 %"), "{text}");
    // Parts that cost something at another rate take nothing of the bundle; the others take all of it.
    let mut mixed =
        of(vec![line("1", "", "1", "5.00", "21"), line("2", "1", "1", "3.00", "9"), line("3", "1", "1", "0.00", "9")]);
    assert_eq!(
        after(mixed.clone(), Bundles::Children),
        rows(&[("2", "1", "3", "9"), ("3", "1", "5", "21")]),
        "what is charged at 21 % stays at 21 %"
    );
    mixed.lines.pop();
    let text = refused(mixed, Bundles::BothPricedOnChildren).to_string();
    assert!(text.contains("the amount 5 of the bundle «SKU-1» is charged at 21 %"), "{text}");
    // A bundle that costs nothing takes the one rate of its parts.
    let cheap = of(vec![line("1", "", "1", "0", "21"), line("2", "1", "2", "8.00", "9")]);
    assert_eq!(after(cheap, Bundles::Parent), rows(&[("1", "1", "8", "9")]));
}

#[test]
fn a_bundle_in_a_bundle_goes_to_the_outermost_or_to_the_innermost() {
    let nested = || {
        of(vec![
            line("1", "", "1", "20.00", "21"),
            line("2", "1", "1", "4.00", "21"),
            line("3", "2", "1", "0.00", "21"),
            line("4", "2", "1", "0.00", "21"),
            line("5", "1", "1", "6.00", "21"),
        ])
    };
    assert_eq!(after(nested(), Bundles::Parent), rows(&[("1", "1", "30", "21")]));
    assert_eq!(
        after(nested(), Bundles::Children),
        rows(&[("3", "1", "6", "21"), ("4", "1", "6", "21"), ("5", "1", "18", "21")])
    );
}

#[test]
fn a_part_without_its_bundle_and_a_circle_stand_alone() {
    let lost = of(vec![line("2", "1", "1", "9.95", "21")]);
    assert_eq!(after(lost, Bundles::Parent), rows(&[("2", "1", "9.95", "21")]));
    let circle = of(vec![line("1", "2", "1", "1.00", "21"), line("2", "1", "1", "2.00", "21")]);
    assert_eq!(after(circle, Bundles::Children).len(), 2);
}

fn given(id: &str, quantity: &str, net: &str) -> Line {
    Line { part_of: String::new(), ..line(id, "", quantity, net, "21") }
}

fn credited(original: Order, given: Vec<Line>, policy: Bundles) -> Vec<(String, String, String, String)> {
    let total: Decimal = given.iter().map(|line| -line.net - line.tax).sum();
    let refund = Refund { id: "32".into(), total, lines: given, ..Refund::default() };
    let (credit, _) = refunds::credit(original, refund, policy).unwrap();
    assert_eq!(credit.net() + credit.total_tax, -total, "{policy}");
    assert_eq!(credit.credits.as_ref().unwrap().reference, "WC-1");
    seen(&credit.lines)
}

#[test]
fn a_refund_follows_its_order() {
    use Bundles::{AsIs, BothPricedOnChildren, BothPricedOnParent, Children, Parent};
    // The whole bundle, and nothing said of its parts: what the order had comes back.
    let bundle = || vec![given("1", "-1", "-30.00")];
    for (policy, expected) in [
        (AsIs, vec![("1", "-1", "-30", "21")]),
        (Parent, vec![("1", "-1", "-30", "21")]),
        (Children, vec![("2", "-1", "-10", "21"), ("3", "-2", "-20", "21")]),
        (BothPricedOnParent, vec![("1", "-1", "-30", "21")]),
        (BothPricedOnChildren, vec![("1", "-1", "0", "21"), ("2", "-1", "-10", "21"), ("3", "-2", "-20", "21")]),
    ] {
        assert_eq!(credited(priced_on_bundle(), bundle(), policy), rows(&expected), "{policy}");
    }
    // An amount for a part that the books do not have lands on the bundle, as one piece.
    let part = || vec![given("2", "-1", "-5.00")];
    assert_eq!(credited(priced_on_bundle(), part(), Parent), rows(&[("1", "-1", "-5", "21")]));
    assert_eq!(credited(priced_on_bundle(), part(), Children), rows(&[("2", "-1", "-5", "21")]));
    assert_eq!(
        credited(priced_on_bundle(), part(), BothPricedOnParent),
        rows(&[("2", "-1", "0", "21"), ("1", "-1", "-5", "21")])
    );
    // What is taken off the bundle belongs to the part that comes back with it.
    let both = vec![given("1", "0", "-8.00"), given("3", "-1", "0")];
    assert_eq!(credited(priced_on_bundle(), both, Children), rows(&[("3", "-1", "-8", "21")]));
    // The same article beside the bundle has nothing to do with it.
    assert_eq!(
        credited(priced_on_bundle(), vec![given("9", "-1", "-9.95")], Parent),
        rows(&[("9", "-1", "-9.95", "21")])
    );
}

#[test]
fn refunds_follow_the_flow_of_orders_and_may_not_say_otherwise() {
    let config = |orders: &str, refunds: &str| {
        let yaml = format!(
            "connections: {{ shop: {{ system: a }}, books: {{ system: b }} }}\nflows:\n  orders: {{ from: shop, to: books, \
             entity: orders, settings: {{ {orders} }} }}\n  back: {{ from: shop, to: books, entity: refunds, settings: {{ \
             {refunds} }} }}\n"
        );
        crate::config::parse("koppel.yaml", &yaml).unwrap()
    };
    let facts = crate::testing::books();
    let of = |orders: &str, refunds: &str| {
        let config = config(orders, refunds);
        let flow = &config.flows["back"];
        (policy(&config, flow, &facts, None), differs(&config, flow).map(|cause| cause.to_string()))
    };
    assert_eq!(of("bundles: parent", ""), (Bundles::Parent, None));
    assert_eq!(of("bundles: parent", "bundles: parent"), (Bundles::Parent, None));
    let cause = of("", "bundles: children").1.unwrap();
    assert!(cause.contains("refunds follow the flow of their orders «orders», where bundles are as_is"), "{cause}");
    // A booking has no articles: the side at 0.00 would say nothing.
    let config = config("bundles: both_priced_on_children", "");
    let booking = Some(DocumentType::FinancialEntry);
    assert_eq!(policy(&config, &config.flows["orders"], &facts, booking), Bundles::Children);
}

/// Net and tax by rate.
fn by_rate(lines: &[Line]) -> BTreeMap<Decimal, (Decimal, Decimal)> {
    let mut sums: BTreeMap<Decimal, (Decimal, Decimal)> = BTreeMap::new();
    for line in lines.iter().filter(|line| is_charged(line)) {
        let sum = sums.entry(line.rate_percent().normalize()).or_default();
        (sum.0, sum.1) = (sum.0 + line.net, sum.1 + line.tax);
    }
    sums.retain(|_, sum| !sum.0.is_zero() || !sum.1.is_zero());
    sums
}

/// Quantity, ten-thousandths of net, rate, and which line it is a part of.
fn any_line() -> impl Strategy<Value = (i64, i64, u32, usize)> {
    (1_i64..9, prop_oneof![Just(0_i64), 1_i64..3_000_000], prop::sample::select(vec![0_u32, 9, 21]), 0_usize..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_amount_is_lost_and_none_goes_to_another_rate(drawn in prop::collection::vec(any_line(), 1..9)) {
        let lines: Vec<Line> = drawn.iter().enumerate().map(|(at, (quantity, net, rate, of))| {
            let net = Decimal::new(*net, 4).to_string();
            line(&at.to_string(), &of.to_string(), &quantity.to_string(), &net, &rate.to_string())
        }).collect();
        let before = by_rate(&lines);
        let articles: Decimal = lines.iter().map(|line| line.net_before_discount).sum();
        for policy in
            [Bundles::Parent, Bundles::Children, Bundles::BothPricedOnParent, Bundles::BothPricedOnChildren]
        {
            let mut order = of(lines.clone());
            match of_order(&mut order, policy) {
                Ok(_) => {
                    prop_assert_eq!(&by_rate(&order.lines), &before, "{}", policy);
                    let sum: Decimal = order.lines.iter().map(|line| line.net_before_discount).sum();
                    prop_assert_eq!(sum, articles);
                    let taxes: Decimal = order.lines.iter().flat_map(|l| &l.taxes).map(|tax| tax.amount).sum();
                    prop_assert_eq!(taxes, order.total_tax);
                }
                Err(failure) => prop_assert_eq!(&failure.cause().code, "bundle_rates_differ"),
            }
        }
    }

    #[test]
    fn all_of_a_bundle_given_back_is_all_that_was_posted(
        price in 1_i64..100_000, parts in prop::collection::vec((1_i64..9, 0_i64..5_000), 1..6)
    ) {
        let mut lines = vec![line("0", "", "1", &Decimal::new(price, 2).to_string(), "21")];
        for (at, (quantity, catalogue)) in parts.iter().enumerate() {
            let part = line(&(at + 1).to_string(), "0", &quantity.to_string(), "0", "21");
            lines.push(Line { net_before_discount: Decimal::new(*catalogue, 2), ..part });
        }
        for policy in [Bundles::Parent, Bundles::Children, Bundles::BothPricedOnChildren] {
            let original = of(lines.clone());
            let mut posted = original.clone();
            of_order(&mut posted, policy).unwrap();
            let whole = given("0", "-1", &format!("-{}", Decimal::new(price, 2)));
            let back = credited(original, vec![whole], policy);
            let negated: Vec<Line> = posted.lines.iter().map(|line| Line {
                quantity: -line.quantity, net: -line.net, ..line.clone()
            }).collect();
            let charged = |rows: Vec<(String, String, String, String)>| {
                let mut rows: Vec<_> = rows.into_iter().filter(|row| row.2.trim_start_matches('-') != "0").collect();
                rows.sort();
                rows
            };
            prop_assert_eq!(charged(back), charged(seen(&negated)), "{}", policy);
        }
    }
}
