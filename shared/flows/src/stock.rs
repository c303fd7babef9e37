//! What a shop may sell of an article: the flow's calculation over the warehouses that count.

use koppel_core::document::{StockLevel, StockPosition};
use koppel_core::error::{Cause, Failure};
use rust_decimal::Decimal;

use crate::config::{Calculation, StockSettings};

/// Fills in `available`, and the sums over the warehouses that count.
///
/// `on_their_way` is the quantity that orders ask for which the books do not know yet.
pub fn complete(level: &mut StockLevel, settings: &StockSettings, on_their_way: Decimal) -> Result<(), Failure> {
    let counts = |position: &&StockPosition| {
        settings.warehouses.is_empty() || settings.warehouses.iter().any(|code| code.0 == position.warehouse.trim())
    };
    let mut safety = Decimal::ZERO;
    let mut free = None;
    if !level.positions.is_empty() || !settings.warehouses.is_empty() {
        let positions: Vec<&StockPosition> = level.positions.iter().filter(counts).collect();
        let sum = |of: fn(&StockPosition) -> Decimal| positions.iter().map(|position| of(position)).sum::<Decimal>();
        (level.on_hand, level.reserved, level.incoming) =
            (sum(|p| p.on_hand), sum(|p| p.reserved), sum(|p| p.incoming));
        safety = sum(|p| p.safety);
        free = positions.iter().map(|position| position.free).sum::<Option<Decimal>>();
    }
    let quantity = match settings.calculation {
        Calculation::OnHand => level.on_hand,
        Calculation::Available => level.on_hand - level.reserved,
        Calculation::Projected => level.on_hand - level.reserved + level.incoming,
        Calculation::Free => free.ok_or_else(|| {
            Failure::settings(
                Cause::new("no_free_stock", format!("the source does not say how much of «{}» is free", level.sku))
                    .advice("use settings.stock.calculation: available")
                    .in_row("settings.stock.calculation"),
            )
        })?,
    };
    let kept = settings.keep_back + if settings.safety_stock { safety } else { Decimal::ZERO };
    let mut available = quantity - kept - on_their_way;
    if let Some(most) = settings.at_most {
        available = available.min(most);
    }
    if !settings.below_zero {
        available = available.max(Decimal::ZERO);
    }
    level.available = available.normalize();
    if let Some(manage) = settings.manage_stock {
        level.manage_stock = manage;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level() -> StockLevel {
        let position = |warehouse: &str, on_hand: i64, reserved: i64, incoming: i64, safety: i64| StockPosition {
            warehouse: warehouse.into(),
            on_hand: on_hand.into(),
            reserved: reserved.into(),
            incoming: incoming.into(),
            free: Some((on_hand - reserved - 1).into()),
            safety: safety.into(),
        };
        StockLevel {
            sku: "MOK".into(),
            manage_stock: true,
            positions: vec![position("1 ", 10, 3, 5, 2), position("2", 4, 0, 0, 1)],
            ..StockLevel::default()
        }
    }

    fn available(settings: &str, on_their_way: i64) -> Decimal {
        let settings: StockSettings = serde_saphyr::from_str(settings).unwrap();
        let mut level = level();
        complete(&mut level, &settings, on_their_way.into()).unwrap();
        level.available
    }

    #[test]
    fn each_calculation_counts_what_it_says() {
        for (settings, expected) in [
            ("{}", 11),
            ("{ calculation: on_hand }", 14),
            ("{ calculation: projected }", 16),
            ("{ calculation: free }", 9),
            ("{ warehouses: [\"1\"] }", 7),
            ("{ warehouses: [\"9\"] }", 0),
            ("{ safety_stock: true }", 8),
            ("{ keep_back: \"2\" }", 9),
            ("{ at_most: \"5\" }", 5),
        ] {
            assert_eq!(available(settings, 0), Decimal::from(expected), "{settings}");
        }
    }

    #[test]
    fn orders_on_their_way_are_taken_off_and_nothing_is_below_zero_unless_wanted() {
        assert_eq!(available("{}", 4), Decimal::from(7));
        assert_eq!(available("{}", 40), Decimal::ZERO);
        assert_eq!(available("{ below_zero: true }", 40), Decimal::from(-29));
    }

    #[test]
    fn free_stock_that_the_source_does_not_tell_is_a_setting_to_change() {
        let mut level = level();
        level.positions[0].free = None;
        let settings = StockSettings { calculation: Calculation::Free, ..StockSettings::default() };
        let failure = complete(&mut level, &settings, Decimal::ZERO).unwrap_err();
        assert!(matches!(failure, Failure::Settings(_)), "{failure:?}");
    }
}
