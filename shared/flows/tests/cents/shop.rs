//! Orders as shops make them, one for each number of a seed: the same number is the same order on every machine.
//!
//! The shop computes like the real ones do: prices with or without tax, tax rounded per line or per order, discounts
//! spread over lines, shipping, fees and discounts as lines, whole, fractional, negative and zero quantities.

use chrono::{DateTime, NaiveDate};
use koppel_core::Currency;
use koppel_core::document::{Customer, Line, LineKind, LineTax, Order, Payment, Shipping, TaxTotal};
use koppel_core::money::round;
use rust_decimal::Decimal;

/// Random numbers (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// The dice of one order.
    pub fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(0) + 1;
        low + i64::try_from(self.next() % span).unwrap_or(0)
    }

    /// Happens in so many of a hundred cases.
    pub fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        let at = self.between(0, i64::try_from(of.len()).unwrap_or(1) - 1);
        of[usize::try_from(at).unwrap_or(0)]
    }
}

/// How the shop is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    currency: &'static str,
    includes_tax: bool,
    tax_per_line: bool,
    /// Line amounts are told with six decimals and not in whole cents.
    fine_amounts: bool,
}

/// An order and whether a plugin changed its total without a line.
pub struct Sold {
    /// The order.
    pub order: Order,
    /// Its total is not what its lines say.
    pub meddled: bool,
}

/// Rates in tenths of a percent by country.
const RATES: [&[i64]; 7] =
    [&[210, 90, 0], &[190, 70, 0], &[200, 100, 55, 21, 0], &[210, 120, 60], &[81, 26, 38], &[220, 100, 50, 40], &[0]];

/// The order of this number.
pub fn order(seed: u64, number: u64) -> Sold {
    let dice = &mut Dice::new(seed, number);
    let setup = Setup {
        currency: dice.one(&["EUR", "EUR", "EUR", "EUR", "EUR", "USD", "CHF", "JPY", "ISK", "KWD"]),
        includes_tax: dice.chance(60),
        tax_per_line: dice.chance(60),
        fine_amounts: dice.chance(25),
    };
    let currency = Currency::new(setup.currency).unwrap_or(Currency::EUR);
    let rates = dice.one(&RATES);
    let discount = if dice.chance(25) { dice.one(&[5, 10, 15, 20, 33, 50]) } else { 0 };
    let mut till = Till { setup, currency, lines: Vec::new(), gross: Decimal::ZERO, taxes: Vec::new() };
    let products = if dice.chance(5) { dice.between(13, 60) } else { dice.between(1, 12) };
    for _ in 0..products {
        let price = price(dice, currency);
        let quantity = quantity(dice);
        let rate = dice.one(rates);
        let second = if dice.chance(1) { Some(Decimal::new(9_975, 3)) } else { None };
        till.sell(LineKind::Product, price, quantity, discount, rate, second);
    }
    let rate = rates[0];
    if dice.chance(60) {
        till.sell(
            LineKind::Shipping,
            Decimal::new(dice.between(0, 1_999), currency.decimals()),
            Decimal::ONE,
            0,
            rate,
            None,
        );
    }
    if dice.chance(15) {
        let fee = Decimal::new(dice.between(-500, 500), currency.decimals());
        till.sell(LineKind::Fee, fee, Decimal::ONE, 0, rate, None);
    }
    if dice.chance(5) {
        let voucher = Decimal::new(-dice.between(1, 2_500), currency.decimals());
        till.sell(LineKind::Discount, voucher, Decimal::ONE, 0, rate, None);
    }
    let meddled = dice.chance(1);
    let mut order = till.close(number);
    if meddled {
        order.total += currency.unit() * Decimal::from(dice.between(50, 5_000));
    }
    Sold { order, meddled }
}

fn price(dice: &mut Dice, currency: Currency) -> Decimal {
    let decimals = currency.decimals();
    let units = match dice.between(1, 10) {
        1..=6 => dice.between(1, 9_999),
        7..=9 => dice.between(1_000, 99_999),
        _ => dice.between(100_000, 2_000_000),
    };
    // Price lists for companies have fractions of a cent.
    if dice.chance(8) {
        Decimal::new(units * 100 + dice.between(0, 99), decimals + 2)
    } else {
        Decimal::new(units, decimals)
    }
}

fn quantity(dice: &mut Dice) -> Decimal {
    match dice.between(1, 100) {
        1..=62 => Decimal::ONE,
        63..=84 => Decimal::from(dice.between(2, 12)),
        85..=90 => Decimal::from(dice.between(13, 144)),
        91 => Decimal::from(dice.between(145, 1_000)),
        92..=94 => Decimal::new(dice.between(1, 80), 2) * Decimal::new(25, 0),
        95..=96 => Decimal::new(dice.between(1, 20_000), 3),
        97..=98 => -Decimal::from(dice.between(1, 5)),
        _ => Decimal::ZERO,
    }
}

/// Adds up an order the way the shop does.
struct Till {
    setup: Setup,
    currency: Currency,
    lines: Vec<Line>,
    gross: Decimal,
    /// Rate → tax, unrounded when the shop rounds per order.
    taxes: Vec<(Decimal, Decimal)>,
}

impl Till {
    fn sell(
        &mut self,
        kind: LineKind,
        price: Decimal,
        quantity: Decimal,
        discount: i64,
        rate: i64,
        second: Option<Decimal>,
    ) {
        let decimals = self.currency.decimals();
        // Without a quantity a line still may have an amount: some plugins book their fees so.
        let pieces = if quantity.is_zero() && price.mantissa() % 2 == 0 { Decimal::ONE } else { quantity };
        let full = round(price * pieces, decimals);
        let amount = full - round(full * Decimal::from(discount) / Decimal::ONE_HUNDRED, decimals);
        let rates: Vec<Decimal> = std::iter::once(Decimal::new(rate, 1)).chain(second).collect();
        let percent: Decimal = rates.iter().sum();
        let exact_tax = if self.setup.includes_tax {
            amount * percent / (Decimal::ONE_HUNDRED + percent)
        } else {
            amount * percent / Decimal::ONE_HUNDRED
        };
        let kept = if self.setup.tax_per_line { round(exact_tax, decimals) } else { exact_tax };
        let net = if self.setup.includes_tax { amount - kept } else { amount };
        let shown = if self.setup.fine_amounts { 6 } else { decimals };
        self.gross += net + kept;
        match self.taxes.iter_mut().find(|(known, _)| *known == percent) {
            Some((_, tax)) => *tax += kept,
            None => self.taxes.push((percent, kept)),
        }
        let taxes = rates.iter().map(|rate| LineTax {
            rate_id: String::new(),
            rate_percent: *rate,
            amount: if percent.is_zero() { Decimal::ZERO } else { round(kept * rate / percent, 6) },
        });
        let mut line = Line {
            id: self.lines.len().to_string(),
            kind,
            quantity,
            net: round(net, shown),
            net_before_discount: round(net, shown),
            tax: round(kept, shown),
            taxes: taxes.collect(),
            ..Line::default()
        };
        line.codes.insert("vat_code".into(), percent.normalize().to_string());
        self.lines.push(line);
    }

    fn close(self, number: u64) -> Order {
        let decimals = self.currency.decimals();
        let taxes: Vec<TaxTotal> = self
            .taxes
            .iter()
            .map(|(rate, tax)| TaxTotal { rate_percent: *rate, goods: round(*tax, decimals), ..TaxTotal::default() })
            .collect();
        let total_tax: Decimal = taxes.iter().map(|tax| tax.goods).sum();
        let net: Decimal = self.gross - self.taxes.iter().map(|(_, tax)| *tax).sum::<Decimal>();
        let total =
            if self.setup.includes_tax { round(self.gross, decimals) } else { round(net, decimals) + total_tax };
        Order {
            id: number.to_string(),
            number: number.to_string(),
            reference: String::new(),
            status: String::new(),
            currency: self.currency,
            prices_include_tax: self.setup.includes_tax,
            created_at: DateTime::UNIX_EPOCH,
            modified_at: DateTime::UNIX_EPOCH,
            date: NaiveDate::default(),
            customer: Customer::default(),
            lines: self.lines,
            taxes,
            total_tax,
            total,
            vat_exempt: false,
            vat_check: None,
            payment: Payment::default(),
            shipping: Shipping::default(),
            coupons: Vec::new(),
            refunds: Vec::new(),
            credits: None,
            note: String::new(),
            custom: Default::default(),
            codes: Default::default(),
        }
    }
}
