//! Orders. All line amounts are net of tax and after discount; tax stands beside them; nothing is implied.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Address, CustomFields, Customer};
use crate::money::Currency;
use crate::vat::VatCheck;

/// An order of a shop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Id in the source: the identity of the record.
    pub id: String,
    /// Number that the shop shows; plugins make it differ from the id.
    pub number: String,
    /// Reference in the target: the natural key of the document.
    pub reference: String,
    /// Status in the source's own words.
    pub status: String,
    /// Currency of every amount.
    pub currency: Currency,
    /// Catalogue prices were typed including tax (says nothing about the amounts here).
    #[serde(default)]
    pub prices_include_tax: bool,
    /// When the order was placed.
    pub created_at: DateTime<Utc>,
    /// Last change in the source.
    pub modified_at: DateTime<Utc>,
    /// Date of the document, in the time zone of the flow.
    pub date: NaiveDate,
    /// Who buys, with both addresses.
    pub customer: Customer,
    /// Everything that is sold or charged: products, shipping, fees, discounts, rounding.
    pub lines: Vec<Line>,
    /// Tax per rate as the shop computed it.
    #[serde(default)]
    pub taxes: Vec<TaxTotal>,
    /// Tax of the whole order.
    pub total_tax: Decimal,
    /// What the customer pays, tax included.
    pub total: Decimal,
    /// The shop charged no VAT on purpose.
    #[serde(default)]
    pub vat_exempt: bool,
    /// What VIES said of the buyer's VAT number; none when it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_check: Option<VatCheck>,
    /// How it is paid.
    #[serde(default)]
    pub payment: Payment,
    /// How it is sent.
    #[serde(default)]
    pub shipping: Shipping,
    /// Coupons: information only, the lines are already reduced.
    #[serde(default)]
    pub coupons: Vec<Coupon>,
    /// Refunds that the source shows on the order.
    #[serde(default)]
    pub refunds: Vec<Refund>,
    /// What it credits: then it is a refund, and every quantity and amount is what is given back, negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    /// What the customer wrote.
    #[serde(default)]
    pub note: String,
    /// Free fields.
    #[serde(default)]
    pub custom: CustomFields,
    /// Coded values decided by settings (name → code in the target).
    #[serde(default)]
    pub codes: Codes,
}

/// Coded values of the target that settings decided: `payment_terms` → `30`.
pub type Codes = BTreeMap<String, String>;

impl Order {
    /// Where the goods go: the shipping address, or the billing address when there is none.
    pub fn ship_to(&self) -> &Address {
        if self.customer.shipping.is_empty() { &self.customer.billing } else { &self.customer.shipping }
    }

    /// Net of all lines.
    pub fn net(&self) -> Decimal {
        self.lines.iter().map(|line| line.net).sum()
    }
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// An article.
    #[default]
    Product,
    /// Shipping costs.
    Shipping,
    /// A surcharge (or, when negative, a reduction that some plugins book as a fee).
    Fee,
    /// A discount that is a line of its own.
    Discount,
    /// An amount that is given back without saying for which line.
    Refund,
    /// A rounding difference, added by the proof of cents.
    Rounding,
}

impl LineKind {
    /// Name in rows, settings and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Shipping => "shipping",
            Self::Fee => "fee",
            Self::Discount => "discount",
            Self::Refund => "refund",
            Self::Rounding => "rounding",
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Id in the source.
    pub id: String,
    /// Line that it is a part of, when a bundle was sold: its id in the source.
    // Left out when empty, so that what was delivered before is not taken for changed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part_of: String,
    /// What it stands for.
    pub kind: LineKind,
    /// Article number; empty when the source has none (a setting then names an item).
    pub sku: String,
    /// Text on the document.
    pub description: String,
    /// Quantity; may be fractional or negative.
    pub quantity: Decimal,
    /// Net of the whole line, after discount.
    pub net: Decimal,
    /// Net of the whole line before discount.
    pub net_before_discount: Decimal,
    /// Net price of one piece as it will be posted, rounded to what the target takes; set by the proof of cents.
    pub unit_price: Option<Decimal>,
    /// Tax of the whole line.
    pub tax: Decimal,
    /// Tax per rate, unrounded where the source tells.
    pub taxes: Vec<LineTax>,
    /// Tax class in the source.
    pub tax_class: String,
    /// Method or product id in the source, for tables.
    pub source_code: String,
    /// Free fields.
    pub custom: CustomFields,
    /// Coded values decided by settings: `vat_code`, `revenue_account`, `item`, `cost_center`, …
    pub codes: Codes,
}

impl Line {
    /// Net price of one piece, unrounded; the net itself when the quantity is zero.
    pub fn unit_net(&self) -> Decimal {
        if self.quantity.is_zero() { self.net } else { self.net / self.quantity }
    }

    /// The rate charged on this line: the sum of its rates, zero without tax.
    pub fn rate_percent(&self) -> Decimal {
        self.taxes.iter().map(|tax| tax.rate_percent).sum()
    }
}

/// Tax of a line at one rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LineTax {
    /// Id of the rate in the source.
    pub rate_id: String,
    /// Rate in percent, 21 for 21 %.
    pub rate_percent: Decimal,
    /// Amount, unrounded where the source tells.
    pub amount: Decimal,
}

/// Tax of the order at one rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaxTotal {
    /// Id of the rate in the source.
    pub rate_id: String,
    /// Label in the source.
    pub label: String,
    /// Rate in percent.
    pub rate_percent: Decimal,
    /// Tax on goods and fees.
    pub goods: Decimal,
    /// Tax on shipping.
    pub shipping: Decimal,
}

/// Payment of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payment {
    /// Method in the source (`ideal`, `bacs`).
    pub method: String,
    /// What the customer saw.
    pub title: String,
    /// Reference at the payment provider.
    pub transaction_id: String,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
}

/// Shipping of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shipping {
    /// Method in the source (`flat_rate`).
    pub method: String,
    /// What the customer saw.
    pub title: String,
}

/// A coupon that already reduced the lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Coupon {
    /// Code.
    pub code: String,
    /// Net discount.
    pub discount: Decimal,
    /// Tax on the discount.
    pub discount_tax: Decimal,
}

/// A refund: what the source shows of it on the order, or the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refund {
    /// Id in the source.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Amount given back, tax included, positive.
    pub total: Decimal,
    /// When it was given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Date of the credit document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<NaiveDate>,
    /// What is given back of each line, negative as the books take it; `id` is the line of the order. None when only an
    /// amount is given back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// What an order credits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Credits {
    /// Reference of the original document in the target.
    pub reference: String,
    /// Id of the original order in the source.
    pub order: String,
    /// Id of the refund in the source.
    pub refund: String,
    /// Why.
    pub reason: String,
    /// Nothing is left of the original order: all that was paid has been given back.
    pub full: bool,
}
