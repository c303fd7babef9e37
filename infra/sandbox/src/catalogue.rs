//! Made-up articles by the thousand, the same on both sides: the shop and the books link them by SKU.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::faults::roll;

/// One article, as both sides know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// SKU in the shop, code in the books.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// With a valid check digit.
    pub ean: String,
    /// Price without VAT.
    pub price: Decimal,
    /// Stock in the books.
    pub stock: i64,
    /// Stock the shop still shows; of so many of a hundred it differs.
    pub shop_stock: i64,
}

/// Articles number `1…n` of a seed: the same ones for the same numbers.
pub fn generate_articles(seed: u64, n: usize, differs_percent: u64) -> Vec<Article> {
    const THINGS: &[&str] = &["Mok", "Kan", "Schaal", "Plank", "Kaars", "Vaas", "Lamp", "Kussen"];
    const LOOKS: &[&str] = &["wit", "zwart", "rood", "groen", "blauw", "eiken", "koper"];
    (1..=n)
        .map(|number| {
            let mut state = seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
            let mut pick = |below: usize| (roll(&mut state) % below.max(1) as u64) as usize;
            let (thing, look) = (THINGS[pick(THINGS.len())], LOOKS[pick(LOOKS.len())]);
            let price = Decimal::new(pick(9_900) as i64 + 100, 2);
            let stock = pick(200) as i64;
            let differs = (pick(100) as u64) < differs_percent;
            Article {
                sku: format!("ART-{seed}-{number:05}"),
                name: format!("{thing} {look} {number}"),
                ean: ean(seed % 1_000, number),
                price,
                stock,
                shop_stock: if differs { stock + 1 + pick(9) as i64 } else { stock },
            }
        })
        .collect()
}

fn ean(seed: u64, number: usize) -> String {
    let digits = format!("29{seed:03}{:07}", number % 10_000_000);
    let sum: u32 = digits
        .chars()
        .enumerate()
        .map(|(at, digit)| digit.to_digit(10).unwrap_or(0) * if at % 2 == 0 { 1 } else { 3 })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// What a call to generate asks: `{"seed":1,"n":1000,"differs_percent":50}`.
pub(crate) fn asked(body: &Value) -> Result<Vec<Article>, String> {
    let empty = Map::new();
    for name in body.as_object().unwrap_or(&empty).keys() {
        if !["seed", "n", "differs_percent"].contains(&name.as_str()) {
            return Err(format!("generate: unknown field \"{name}\"; it takes seed, n and differs_percent"));
        }
    }
    let number = |name: &str, usual: u64| body.get(name).map_or(Some(usual), Value::as_u64);
    let n = number("n", 1000).filter(|n| *n <= 100_000).ok_or("generate: n is a number up to 100000")?;
    let seed = number("seed", 1).ok_or("generate: seed is a number")?;
    let percent = number("differs_percent", 50).ok_or("generate: differs_percent is a number")?;
    Ok(generate_articles(seed, n as usize, percent))
}

/// The answer to it.
pub(crate) fn told(articles: &[Article]) -> Value {
    let differs = articles.iter().filter(|one| one.stock != one.shop_stock).count();
    json!({"count": articles.len(), "differs": differs, "first": articles.first().map(|one| one.sku.as_str()),
        "last": articles.last().map(|one| one.sku.as_str())})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn articles_repeat_and_have_codes_of_their_own() {
        let all = generate_articles(7, 500, 50);
        assert_eq!(all, generate_articles(7, 500, 50));
        assert_eq!(all[..10], generate_articles(7, 10, 50)[..]);
        let skus: std::collections::BTreeSet<&str> = all.iter().map(|one| one.ean.as_str()).collect();
        assert_eq!(skus.len(), 500);
        assert_eq!(ean(0, 12).len(), 13);
        let sum: u32 = all[3]
            .ean
            .chars()
            .enumerate()
            .map(|(at, d)| d.to_digit(10).unwrap() * if at % 2 == 0 { 1 } else { 3 })
            .sum();
        assert_eq!(sum % 10, 0);
        assert_eq!(generate_articles(7, 100, 0).iter().filter(|one| one.stock != one.shop_stock).count(), 0);
        assert_eq!(generate_articles(7, 100, 100).iter().filter(|one| one.stock != one.shop_stock).count(), 100);
    }
}
