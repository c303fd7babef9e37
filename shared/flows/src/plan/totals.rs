//! What would be booked, added up as an accountant looks at it: by VAT code, and by revenue account.

use std::collections::BTreeMap;

use koppel_core::document::{Document, Order};
use koppel_core::system::Lookup;
use rust_decimal::Decimal;
use serde::Serialize;

/// Amounts of the documents that would be created.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Documents.
    pub documents: usize,
    /// By VAT code and currency.
    pub by_vat_code: Vec<Amounts>,
    /// By revenue account and currency. An empty code is the account of the article.
    pub by_revenue_account: Vec<Amounts>,
}

/// Amounts under one code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Amounts {
    /// Code.
    pub code: String,
    /// Currency.
    pub currency: String,
    /// Lines.
    pub lines: usize,
    /// Net, as it would be posted.
    pub net: Decimal,
    /// Tax, as the source charged it.
    pub tax: Decimal,
}

type Sums = BTreeMap<(String, String), Amounts>;

impl Totals {
    /// Of these documents; records that are no orders are not counted.
    pub fn of<'a>(documents: impl Iterator<Item = &'a Document>) -> Self {
        let (mut count, mut vat, mut accounts) = (0, Sums::new(), Sums::new());
        for document in documents {
            if let Document::Order(order) = document {
                count += 1;
                add(&mut vat, Lookup::VatCode, order);
                add(&mut accounts, Lookup::RevenueAccount, order);
            }
        }
        let list = |sums: Sums| sums.into_values().collect();
        Self { documents: count, by_vat_code: list(vat), by_revenue_account: list(accounts) }
    }
}

fn add(sums: &mut Sums, lookup: Lookup, order: &Order) {
    let currency = &order.currency;
    let mut tax_of_order: BTreeMap<&str, Decimal> = BTreeMap::new();
    for line in &order.lines {
        let code = line.codes.get(lookup.name()).map(String::as_str).unwrap_or_default();
        let sum = sums.entry((code.to_owned(), currency.code().to_owned())).or_insert_with(|| Amounts {
            code: code.to_owned(),
            currency: currency.code().to_owned(),
            lines: 0,
            net: Decimal::ZERO,
            tax: Decimal::ZERO,
        });
        sum.lines += 1;
        sum.net += currency.round(line.unit_price.unwrap_or_else(|| line.unit_net()) * line.quantity);
        *tax_of_order.entry(code).or_default() += line.tax;
    }
    // Tax is rounded once per code and document, as a book does it.
    for (code, tax) in tax_of_order {
        if let Some(sum) = sums.get_mut(&(code.to_owned(), currency.code().to_owned())) {
            sum.tax += currency.round(tax);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{order, product_line};

    #[test]
    fn lines_add_up_under_their_codes() {
        let mut high = product_line("10.00", "2.10", "21", "1");
        high.codes.insert("vat_code".into(), "4".into());
        let mut low = product_line("5.00", "0.45", "9", "2");
        low.codes.insert("vat_code".into(), "2".into());
        low.codes.insert("revenue_account".into(), "8010".into());
        let document = |lines| Document::Order(Box::new(order(lines, "17.55", "2.55")));
        let totals = Totals::of([document(vec![high.clone(), low]), document(vec![high])].iter());
        let shown: Vec<String> =
            totals.by_vat_code.iter().map(|a| format!("{} {} {} {}", a.code, a.lines, a.net, a.tax)).collect();
        assert_eq!(shown, ["2 1 5.00 0.45", "4 2 20.00 4.20"]);
        let accounts: Vec<(&str, usize)> =
            totals.by_revenue_account.iter().map(|a| (a.code.as_str(), a.lines)).collect();
        assert_eq!(accounts, [("", 2), ("8010", 1)]);
        assert_eq!(totals.documents, 2);
    }
}
