//! Growth: what a record costs must not depend on how many there are. Each size runs in a process of its own, because
//! the most memory a process ever had cannot be taken back.

use std::process::Stdio;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::failed::Failed;
use crate::machine::{cpu_time, peak_memory};
use crate::report::{Goal, Report};
use crate::stand_ins::{StandIns, begin_of};
use crate::world::{Setup, World};

/// How much more a record may cost among many than among few.
const FLAT: &str = "1.15";

/// One size.
#[derive(clap::Args)]
pub struct Job {
    /// Records in the shop.
    #[arg(long)]
    records: usize,
    /// Address of the shop.
    #[arg(long)]
    shop: String,
    /// Address of the books.
    #[arg(long)]
    books: String,
}

#[derive(Serialize, Deserialize)]
struct Took {
    wall_us: u64,
    cpu_us: u64,
    peak_kib: u64,
}

/// The child: one run over a filled shop.
pub async fn work(job: &Job) -> Result<(), Failed> {
    let folder = tempfile::tempdir().map_err(Failed::io("a temporary folder"))?;
    let world = World::new(Setup::new(&job.shop, &job.books, &folder.path().join("koppel.db"))).await?;
    let before = cpu_time()?;
    let wall = world.run(begin_of(0), job.records).await?;
    let whole = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let took = Took { wall_us: whole(wall), cpu_us: whole(cpu_time()? - before), peak_kib: peak_memory()? };
    println!("{}", serde_json::to_string(&took)?);
    Ok(())
}

/// Measures the section.
pub async fn measure(report: &mut Report, full: bool) -> Result<(), Failed> {
    let sizes: &[usize] = if full { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000] };
    let mut first: Option<(Decimal, Decimal)> = None;
    for &records in sizes {
        let took = one(records).await?;
        let cpu = Decimal::from(took.cpu_us) / Decimal::from(records);
        let memory = Decimal::from(took.peak_kib) / Decimal::from(1024);
        let wall = Decimal::from(took.wall_us) / Decimal::from(records);
        report.row(format!("CPU per record, {records} records"), cpu, Goal::None, "µs/record");
        report.noted(
            format!("time per record, {records} records"),
            wall,
            Goal::None,
            "µs/record",
            "with the stand-ins, which search their rows one by one",
        );
        report.row(format!("most memory, {records} records"), memory, Goal::None, "MiB");
        match first {
            None => first = Some((cpu, memory)),
            Some((cpu_before, memory_before)) => {
                let name = |what: &str| format!("{what}, {records} to {} records", sizes[0]);
                report.row(name("CPU per record"), cpu / cpu_before, Goal::at_most(FLAT), "ratio");
                report.row(name("most memory"), memory / memory_before, Goal::at_most(FLAT), "ratio");
            }
        }
    }
    if !full {
        report.left_out("100000 records", "takes long: make bench ONLY=growth FULL=1");
    }
    Ok(())
}

async fn one(records: usize) -> Result<Took, Failed> {
    let stand_ins = StandIns::start().await?;
    stand_ins.add_new(records).await?;
    let program = std::env::current_exe().map_err(Failed::io("this program"))?;
    let output = Command::new(program)
        .args(["growth", "--records", &records.to_string(), "--shop", &stand_ins.shop, "--books", &stand_ins.books])
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(Failed::io("the process of one size"))?;
    if !output.status.success() {
        return Err(Failed::NotAsExpected(format!("the run over {records} records ended with {}", output.status)));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
