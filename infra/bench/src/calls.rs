//! Calls: how many the books and the shop are asked for, over a thousand orders.

use koppel_hosting::embedded::IN_MEMORY;
use rust_decimal::Decimal;

use crate::failed::Failed;
use crate::report::{Goal, Report};
use crate::stand_ins::{Counted, StandIns, begin_of};
use crate::world::{Setup, World};

const ORDERS: usize = 1000;

/// Measures the section.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    let stand_ins = StandIns::start().await?;
    let world = World::new(Setup::new(&stand_ins.shop, &stand_ins.books, IN_MEMORY.as_ref())).await?;
    stand_ins.add(1, ORDERS).await?;
    world.run(begin_of(1), ORDERS).await?;
    // From here on customers and codes are known; the orders are new.
    stand_ins.add(2, ORDERS).await?;
    stand_ins.reset_counts().await?;
    world.run(begin_of(2), ORDERS).await?;
    per_order(report, "known customers and items", "1.15", &stand_ins.counted(&stand_ins.books).await?);
    let shop = stand_ins.counted(&stand_ins.shop).await?;
    report.row("calls to read 1,000 orders of the shop", shop.total.into(), Goal::at_most("11"), "calls");

    let stand_ins = StandIns::start().await?;
    let world = World::new(Setup::new(&stand_ins.shop, &stand_ins.books, IN_MEMORY.as_ref())).await?;
    stand_ins.add_new(ORDERS).await?;
    stand_ins.reset_counts().await?;
    world.run(begin_of(0), ORDERS).await?;
    per_order(report, "new customers, a fifth of them companies", "2.4", &stand_ins.counted(&stand_ins.books).await?);
    Ok(())
}

fn per_order(report: &mut Report, name: &str, goal: &str, counted: &Counted) {
    let orders = Decimal::from(ORDERS);
    report.row(
        format!("{name}: calls per order"),
        Decimal::from(counted.total) / orders,
        Goal::at_most(goal),
        "calls/order",
    );
    for (endpoint, calls) in &counted.by_endpoint {
        report.row(format!("· {endpoint}"), Decimal::from(*calls) / orders, Goal::None, "calls/order");
    }
}
