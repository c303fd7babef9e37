//! The functions as they are deployed: size, time from the start of the process until it asks for work, memory then.
//!
//! A listener on this machine stands for the runtime interface of Lambda; the function is told its address as Lambda
//! tells it, and its first question is what the measurement waits for.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::failed::Failed;
use crate::machine::{median, micros, resident_memory};
use crate::report::{Goal, Report};

const FUNCTIONS: [&str; 6] = ["schedule", "fetch", "map", "check", "write", "notify"];
/// Starts of each function. The first one also reads the file from disk.
const STARTS: usize = 15;
const LONGEST: Duration = Duration::from_secs(20);
const NEXT: &str = "/runtime/invocation/next";

/// Measures the section.
pub async fn measure(report: &mut Report, folder: &Path) -> Result<(), Failed> {
    for name in FUNCTIONS {
        let path = folder.join(name);
        let Ok(file) = std::fs::metadata(&path) else {
            report.left_out(name, format!("{} is not there; build them with make build", path.display()));
            continue;
        };
        let megabytes = Decimal::from(file.len()) / Decimal::from(1_000_000);
        report.row(format!("{name}: size"), megabytes, Goal::at_most("8"), "MB");
        let (mut starts, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let (start, kib) = start(&path).await?;
            starts.push(start);
            memory.push(kib);
        }
        let start = median(&starts).unwrap_or_default();
        report.row(
            format!("{name}: start to first question"),
            micros(start) / Decimal::ONE_THOUSAND,
            Goal::at_most("15"),
            "ms",
        );
        let resident = Decimal::from(median(&memory).unwrap_or_default()) / Decimal::from(1024);
        report.row(format!("{name}: resident memory then"), resident, Goal::at_most("15"), "MiB");
    }
    Ok(())
}

/// Starts one function and waits until it asks for work: the time that took, and its resident memory in KiB.
async fn start(path: &Path) -> Result<(Duration, u64), Failed> {
    let name = path.display().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failed::io("a listener"))?;
    let address = listener.local_addr().map_err(Failed::io("a listener"))?.to_string();
    let begun = Instant::now();
    let mut process = Command::new(path)
        .env_clear()
        .envs(environment(&address))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failed::io(name.clone()))?;
    let asked = tokio::time::timeout(LONGEST, question(&listener)).await;
    let took = begun.elapsed();
    let resident = process.id().and_then(resident_memory);
    // It waits for an answer that will not come.
    let _ = process.kill().await;
    match (asked, resident) {
        (Ok(Ok(())), Some(kib)) => Ok((took, kib)),
        (Ok(Err(error)), _) => Err(Failed::io(name)(error)),
        _ => Err(Failed::NotAsExpected(format!("{name} does not ask for work"))),
    }
}

/// Returns when somebody has asked for the next invocation.
async fn question(listener: &TcpListener) -> std::io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let (mut head, mut part) = (Vec::new(), [0; 1024]);
        loop {
            let n = stream.read(&mut part).await?;
            head.extend_from_slice(&part[..n]);
            let text = String::from_utf8_lossy(&head);
            if text.starts_with("GET ") && text.lines().next().is_some_and(|line| line.contains(NEXT)) {
                return Ok(());
            }
            if n == 0 || text.contains("\r\n\r\n") {
                break;
            }
        }
    }
}

/// What Lambda and the template give a function.
fn environment(address: &str) -> Vec<(&'static str, String)> {
    let url = |step: &str| format!("https://sqs.eu-west-1.amazonaws.com/000000000000/koppel-{step}.fifo");
    vec![
        ("AWS_LAMBDA_RUNTIME_API", address.to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", "koppel-bench".into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".into()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "bench".into()),
        ("AWS_REGION", "eu-west-1".into()),
        ("AWS_ACCESS_KEY_ID", "bench".into()),
        ("AWS_SECRET_ACCESS_KEY", "bench".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("KOPPEL_LOG", "info".into()),
        ("KOPPEL_TABLE", "koppel".into()),
        ("KOPPEL_BUS", "koppel".into()),
        ("KOPPEL_KMS_KEY", "arn:aws:kms:eu-west-1:000000000000:key/00000000-0000-0000-0000-000000000000".into()),
        ("KOPPEL_TOPIC", "arn:aws:sns:eu-west-1:000000000000:koppel".into()),
        ("KOPPEL_QUEUE_FETCH", url("fetch")),
        ("KOPPEL_QUEUE_MAP", url("map")),
        ("KOPPEL_QUEUE_CHECK", url("check")),
        ("KOPPEL_QUEUE_WRITE", url("write")),
        ("KOPPEL_DEAD_LETTERS_FETCH", url("fetch-dead")),
        ("KOPPEL_DEAD_LETTERS_MAP", url("map-dead")),
        ("KOPPEL_DEAD_LETTERS_CHECK", url("check-dead")),
        ("KOPPEL_DEAD_LETTERS_WRITE", url("write-dead")),
    ]
}
