//! Money on AWS: what a thousand orders and a month without any cost, from counted requests and list prices.
//!
//! Requests are counted at the ports in the units that are charged. The billed time of the functions is the measured
//! CPU, stretched by the share of a processor that the memory buys, plus an assumed wait for each counted call.

use std::time::Duration;

use koppel_hosting::embedded::IN_MEMORY;
use rust_decimal::Decimal;

use crate::counting::{Counts, get};
use crate::failed::Failed;
use crate::machine::{cpu_time, micros};
use crate::prices::PriceList;
use crate::report::{Goal, Report};
use crate::stand_ins::{StandIns, begin_of};
use crate::world::{Setup, World};

const ORDERS: usize = 1000;
/// Looks at the schedule that are measured.
const TICKS: u32 = 20;
const MINUTES_OF_MONTH: u32 = 30 * 24 * 60;
const QUEUES: u32 = 4;
const MEMORY_MB: [u32; 2] = [128, 256];
/// Functions that seal or open what travels.
const SEALING_FUNCTIONS: u32 = 4;
const TEMPLATE: &str = "template.yaml";

/// What was used, in the units that are charged.
struct Used {
    cpu: Duration,
    invocations: Decimal,
    reads: Decimal,
    writes: Decimal,
    queue_requests: Decimal,
    events: Decimal,
    keys: Decimal,
    waited_ms: Decimal,
}

impl Used {
    fn of(counts: &Counts, prices: &PriceList, cpu: Duration, calls: (u64, u64)) -> Self {
        let number = |counter| Decimal::from(get(counter));
        let assumed = &prices.assumed;
        let messages = number(&counts.messages);
        let purposes = counts.purposes.lock().map_or(0, |purposes| purposes.len());
        Self {
            cpu,
            invocations: messages,
            reads: number(&counts.read_units),
            writes: number(&counts.write_units),
            // Sent and received by size, removed one by one.
            queue_requests: number(&counts.message_units) * Decimal::TWO + messages,
            events: number(&counts.events),
            keys: Decimal::from(purposes) * Decimal::from(SEALING_FUNCTIONS) * assumed.key_periods,
            waited_ms: number(&counts.store_calls) * assumed.store_call_ms
                + number(&counts.send_calls) * assumed.queue_call_ms
                + Decimal::from(calls.0) * assumed.books_call_ms
                + Decimal::from(calls.1) * assumed.shop_call_ms,
        }
    }

    fn billed_ms(&self, prices: &PriceList, memory_mb: u32) -> Decimal {
        let share = (Decimal::from(memory_mb) / prices.assumed.full_processor_mb).min(Decimal::ONE);
        // Each invocation is rounded up to a whole millisecond: half of one on average.
        let rounding = self.invocations / Decimal::TWO;
        micros(self.cpu) / Decimal::ONE_THOUSAND / share + self.waited_ms + rounding
    }

    /// Dollars.
    fn lambda(&self, prices: &PriceList, memory_mb: u32) -> Decimal {
        let gb = Decimal::from(memory_mb) / Decimal::from(1024);
        let seconds = self.billed_ms(prices, memory_mb) / Decimal::ONE_THOUSAND;
        seconds * gb * prices.prices.lambda_gb_second_arm64
            + million(self.invocations, prices.prices.lambda_million_requests)
    }

    /// Dollars, without the functions.
    fn services(&self, list: &PriceList) -> [(&'static str, Decimal); 5] {
        let prices = &list.prices;
        let log_bytes = self.invocations * list.assumed.log_bytes_per_invocation;
        [
            (
                "store",
                million(self.reads, prices.dynamodb_million_read_units)
                    + million(self.writes, prices.dynamodb_million_write_units),
            ),
            ("queues", million(self.queue_requests, prices.sqs_fifo_million_requests)),
            ("events", million(self.events, prices.eventbridge_million_events)),
            ("keys", million(self.keys, prices.kms_million_requests)),
            ("logs", log_bytes / Decimal::from(1_u64 << 30) * prices.logs_gb),
        ]
    }
}

fn million(count: Decimal, price: Decimal) -> Decimal {
    count / Decimal::from(1_000_000) * price
}

/// Measures the section.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    let list = PriceList::read()?;
    let stand_ins = StandIns::start().await?;
    let setup = Setup::new(&stand_ins.shop, &stand_ins.books, IN_MEMORY.as_ref());
    let world = World::counting(setup).await?;
    stand_ins.add(1, ORDERS).await?;
    world.run(begin_of(1), ORDERS).await?;
    stand_ins.add(2, ORDERS).await?;
    stand_ins.reset_counts().await?;
    world.counts.reset();
    let before = cpu_time()?;
    world.run(begin_of(2), ORDERS).await?;
    let cpu = cpu_time()? - before;
    let calls = (stand_ins.counted(&stand_ins.books).await?.total, stand_ins.counted(&stand_ins.shop).await?.total);
    requests(report, &world.counts);
    let used = Used::of(&world.counts, &list, cpu, calls);
    let checked = if list.checked { "" } else { ", to be checked" };
    let note = format!("list prices of {} in {}{checked}", list.date, list.region);
    for memory in MEMORY_MB {
        let services: Decimal = used.services(&list).iter().map(|(_, dollars)| *dollars).sum();
        let name = format!("1,000 orders of known customers, {memory} MB");
        report.noted(name, used.lambda(&list, memory) + services, Goal::None, "USD", note.clone());
        report.row(format!("· functions, {memory} MB"), used.lambda(&list, memory), Goal::None, "USD");
        report.row(
            format!("· billed time, {memory} MB"),
            used.billed_ms(&list, memory) / Decimal::from(ORDERS),
            Goal::None,
            "ms/order",
        );
    }
    for (name, dollars) in used.services(&list) {
        report.row(format!("· {name}"), dollars, Goal::None, "USD");
    }
    idle(report, &list, &world).await
}

fn requests(report: &mut Report, counts: &Counts) {
    let per_order = |counter| Decimal::from(get(counter)) / Decimal::from(ORDERS);
    for (name, counter, unit) in [
        ("requests to the store", &counts.store_calls, "per order"),
        ("read units of 4 KiB", &counts.read_units, "per order"),
        ("write units of 1 KiB", &counts.write_units, "per order"),
        ("bytes written to the store", &counts.written_bytes, "per order"),
        ("messages sent", &counts.messages, "per order"),
        ("64 KiB of messages sent", &counts.message_units, "per order"),
        ("events", &counts.events, "per order"),
        ("sealings and openings", &counts.vault_calls, "per order"),
    ] {
        report.row(name, per_order(counter), Goal::None, unit);
    }
}

/// A month in which nothing happens: the schedule is looked at each minute, Lambda asks the queues, alarms and key stay.
async fn idle(report: &mut Report, list: &PriceList, world: &World) -> Result<(), Failed> {
    world.counts.reset();
    let before = cpu_time()?;
    for _ in 0..TICKS {
        world.host.schedule().await;
    }
    let mut used = Used::of(&world.counts, list, cpu_time()? - before, (0, 0));
    used.invocations = TICKS.into();
    // Nothing is sealed by a look.
    used.keys = Decimal::ZERO;
    let times = Decimal::from(MINUTES_OF_MONTH) / Decimal::from(TICKS);
    let (prices, assumed) = (&list.prices, &list.assumed);
    let looks: Decimal = used.services(list).iter().map(|(_, dollars)| *dollars).sum();
    let functions = used.lambda(list, MEMORY_MB[1]);
    let wakes = million(MINUTES_OF_MONTH.into(), prices.scheduler_million_invocations);
    let receives = assumed.receives_per_queue_and_minute * Decimal::from(QUEUES * MINUTES_OF_MONTH);
    let receives = million(receives, prices.sqs_fifo_million_requests);
    let template = std::fs::read_to_string(TEMPLATE).map_err(Failed::file(TEMPLATE.as_ref()))?;
    let alarms = template.matches("Type: AWS::CloudWatch::Alarm").count();
    let alarms = Decimal::from(alarms) * prices.alarm_month;
    let parts = [
        ("schedule: functions, store, logs", (looks + functions) * times + wakes),
        ("asking the queues", receives),
        ("alarms", alarms),
        ("key", prices.kms_key_month),
    ];
    report.row("a month without orders", parts.iter().map(|(_, dollars)| *dollars).sum(), Goal::None, "USD");
    for (name, dollars) in parts {
        report.row(format!("· {name}"), dollars, Goal::None, "USD");
    }
    Ok(())
}
