//! Documents for unit tests.

use chrono::NaiveDate;
use koppel_core::Currency;
use koppel_core::document::{Address, Customer, Line, LineTax, Order, Payment, Shipping};
use rust_decimal::Decimal;

/// An order of these lines to the Netherlands.
pub fn order(lines: Vec<Line>, total: &str, total_tax: &str) -> Order {
    let address = Address {
        line1: "Dorpsstraat 12b".into(),
        city: "Ons Dorp".into(),
        country: "NL".into(),
        ..Address::default()
    };
    Order {
        id: "1".into(),
        number: "1".into(),
        reference: "WC-1".into(),
        status: "processing".into(),
        currency: Currency::EUR,
        prices_include_tax: false,
        created_at: "2026-11-22T05:08:04Z".parse().unwrap(),
        modified_at: "2026-11-22T05:08:04Z".parse().unwrap(),
        date: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
        customer: Customer {
            email: "jan@example.test".into(),
            billing: address.clone(),
            shipping: address,
            ..Customer::default()
        },
        lines,
        taxes: Vec::new(),
        total_tax: number(total_tax),
        total: number(total),
        vat_exempt: false,
        vat_check: None,
        payment: Payment { method: "ideal".into(), ..Payment::default() },
        shipping: Shipping::default(),
        coupons: Vec::new(),
        refunds: Vec::new(),
        credits: None,
        note: String::new(),
        custom: Default::default(),
        codes: Default::default(),
    }
}

/// A line with one rate.
pub fn product_line(net: &str, tax: &str, rate: &str, quantity: &str) -> Line {
    Line {
        sku: "MOK-WIT".into(),
        description: "Mok".into(),
        quantity: number(quantity),
        net: number(net),
        net_before_discount: number(net),
        tax: number(tax),
        taxes: vec![LineTax { rate_id: "1".into(), rate_percent: number(rate), amount: number(tax) }],
        ..Line::default()
    }
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Facts of books that have VAT codes and items.
pub fn books() -> koppel_core::system::SystemFacts {
    use koppel_core::system::{Limits, Lookup, SystemFacts, SystemKind};
    SystemFacts {
        id: "books",
        name: "Books",
        kind: SystemKind::Erp,
        gets: &[],
        sends: &[],
        documents: &[],
        lookups: &[Lookup::VatCode, Lookup::Item],
        customers: koppel_core::system::CustomerSearch::default(),
        reference_max_chars: None,
        searched: &[],
        numbered: &[],
        rounding: None,
        limits: Limits::default(),
        default_lanes: 1,
        rows: &[],
        fields: "",
        settings: "",
    }
}
