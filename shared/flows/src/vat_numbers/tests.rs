//! Which numbers are asked about, and what an answer makes of an order.

use chrono::{DateTime, Utc};
use koppel_core::document::{Company, Line, Order};
use koppel_core::vat::{VatAnswer, VatCheck};
use rust_decimal::Decimal;

use super::ask::Said;
use super::{apply_to_order, follow, of_order};
use crate::config::{FlowSettings, VatNumberSettings};
use crate::testing::{order, product_line};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn free_line(net: &str) -> Line {
    product_line(net, "0", "0", "1")
}

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

/// Sold to a Belgian company without VAT.
fn free() -> Order {
    let mut order = order(vec![free_line("995.00")], "995.00", "0");
    order.vat_exempt = true;
    order.customer.company = Some(Company { name: "Peeters BV".into(), ..Company::default() });
    order.customer.vat_number = Some("BE0123456789".into());
    order.customer.billing.country = "BE".into();
    order.customer.shipping.country = "BE".into();
    order
}

#[test]
fn only_numbers_that_the_vat_depends_on_are_asked_about() {
    assert_eq!(of_order(&free(), "NL").unwrap().country(), "BE");
    assert!(of_order(&free(), "BE").is_none(), "domestic");
    let change = |change: fn(&mut Order)| {
        let mut order = free();
        change(&mut order);
        of_order(&order, "NL").is_some()
    };
    assert!(!change(|order| order.customer.vat_number = None));
    assert!(!change(|order| order.customer.vat_number = Some("NL123456789B01".into())), "domestic");
    assert!(change(|order| order.customer.vat_number = Some("CHE123456789".into())), "VIES will not know it");
    assert!(!change(|order| order.customer.shipping.country = "US".into()), "an export is free by itself");
    let charged = |order: &mut Order| {
        order.vat_exempt = false;
        order.lines = vec![product_line("100.00", "21.00", "21", "1")];
    };
    assert!(!change(charged), "who pays VAT needs no number");
    let voucher = |order: &mut Order| {
        order.vat_exempt = false;
        order.lines.push(product_line("100.00", "21.00", "21", "1"));
    };
    assert!(!change(voucher), "nor who pays VAT on some of it");
    assert!(change(|order| order.vat_exempt = false), "free without being called exempt");
}

fn settings(text: &str) -> VatNumberSettings {
    serde_saphyr::from_str::<FlowSettings>(&format!("{{ vat_number: {text} }}")).unwrap().vat_number
}

fn judged(answer: VatAnswer, text: &str) -> Result<VatCheck, String> {
    let said = Said { answer, asked_at: at() };
    follow::check(&said, &settings(text), "BE")
        .map_err(|failure| format!("{} {}", failure.class(), failure.cause().code))
}

#[test]
fn each_answer_follows_the_policy_and_unknown_is_never_invalid() {
    let unknown = || VatAnswer::Unknown { why: "MS_MAX_CONCURRENT_REQ".into() };
    let counts = |answer: VatAnswer, text: &str| judged(answer, text).map(|check| (check.counts, check.percent));
    assert_eq!(counts(VatAnswer::Valid, "{ invalid: reject, percent: { BE: \"21\" } }"), Ok((true, None)));
    assert_eq!(counts(VatAnswer::Invalid, "{}"), Ok((false, None)));
    assert_eq!(counts(VatAnswer::Invalid, "{ percent: { BE: \"21\", DE: \"19\" } }"), Ok((false, Some(d("21")))));
    assert_eq!(counts(VatAnswer::Invalid, "{ invalid: reject }"), Err("reject vat_number_invalid".into()));
    assert_eq!(counts(unknown(), "{ invalid: reject }"), Err("retry vat_number_unknown".into()));
    assert_eq!(counts(unknown(), "{ unknown: as_valid }"), Ok((true, None)));
    assert_eq!(counts(unknown(), "{ unknown: as_consumer, invalid: reject }"), Ok((false, None)));
}

#[test]
fn vat_that_is_owed_is_taken_out_to_the_cent() {
    let mut order = free();
    order.lines = vec![free_line("10.00"), free_line("0.99"), free_line("-3.33")];
    order.total = d("7.66");
    let check = VatCheck { answer: VatAnswer::Invalid, asked_at: at(), counts: false, percent: Some(d("21")) };
    apply_to_order(&mut order, Some(&check));
    let amounts: Vec<(Decimal, Decimal)> = order.lines.iter().map(|line| (line.net, line.tax)).collect();
    assert_eq!(amounts, [(d("8.26"), d("1.74")), (d("0.82"), d("0.17")), (d("-2.75"), d("-0.58"))]);
    assert_eq!(order.net() + order.total_tax, order.total);
    assert_eq!((order.vat_exempt, &order.customer.vat_number), (false, &None));
    assert!(order.lines.iter().all(|line| line.rate_percent() == d("21")));
    assert!(check.text().contains("21 % VAT is taken out"), "{}", check.text());
}

#[test]
fn a_number_that_counts_changes_nothing_but_what_is_told() {
    let mut order = free();
    let check = VatCheck { answer: VatAnswer::Valid, asked_at: at(), counts: true, percent: None };
    apply_to_order(&mut order, Some(&check));
    assert_eq!(order, Order { vat_check: Some(check), ..free() });
}
