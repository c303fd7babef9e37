//! Alerts in words that a person understands.

use koppel_core::event::{Event, EventKind};

/// SNS takes subjects of at most this many ASCII characters.
const SUBJECT_MAX_CHARS: usize = 100;

/// What is sent to the people who look after the flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// One line, ASCII.
    pub subject: String,
    /// Text.
    pub text: String,
}

/// The alert for `event`; `None` when nobody needs to do anything.
pub fn notice(event: &Event) -> Option<Notice> {
    let (subject, mut lines) = match &event.kind {
        // A run that ends well is no news; one whose counts do not add up has lost sight of a record.
        EventKind::RunFinished { funnel, .. } if funnel.adds_up() => return None,
        EventKind::RunFinished { flow, run, funnel } => (
            format!("{flow}: the counts of a run do not add up"),
            vec![format!("Run {run} of flow {flow} ended with {funnel}, which does not add up.")],
        ),
        EventKind::RecordsRejected { flow, run, count, causes } => {
            let mut lines = vec![format!("{count} record(s) were rejected in run {run} of flow {flow}:")];
            lines.extend(causes.iter().map(|cause| format!("- {cause}")));
            let left = count.saturating_sub(causes.len() as u64);
            if left > 0 {
                lines.push(format!("- and {left} more"));
            }
            (format!("{flow}: {count} record(s) rejected"), lines)
        }
        EventKind::RecordsWaiting { .. }
        | EventKind::RunInterrupted { .. }
        | EventKind::BudgetLow { .. }
        | EventKind::DeadLetters { .. }
        | EventKind::DeadMan { .. } => return None,
        EventKind::FlowNeedsSettings { flow, cause } => (
            format!("{flow}: settings needed"),
            vec![format!("Flow {flow} waits for a change of its settings."), cause.to_string()],
        ),
        EventKind::ConnectionNeedsConsent { connection, cause } => (
            format!("{connection}: consent needed"),
            vec![
                format!("Connection {connection} has lost its consent; its flows have stopped and lose nothing."),
                cause.to_string(),
                format!("Give consent again with: koppel connect {connection}"),
            ],
        ),
        EventKind::ConnectionPaused { connection, cause } => (
            format!("{connection}: does not answer"),
            vec![
                format!("Connection {connection} does not answer; its flows rest and lose nothing."),
                cause.to_string(),
                "It is probed, and goes on by itself when it answers.".to_owned(),
            ],
        ),
        EventKind::ConnectionResumed { connection, cause } => (
            format!("{connection}: goes on"),
            vec![
                format!("Connection {connection} goes on; what waited for it is delivered now."),
                format!("It had stopped because: {}", cause.message),
            ],
        ),
    };
    lines.push(String::new());
    lines.push(format!("Tenant {}, {}", event.tenant, event.at.format("%Y-%m-%d %H:%M:%S UTC")));
    Some(Notice { subject: ascii(&format!("Koppel {subject}")), text: lines.join("\n") })
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(SUBJECT_MAX_CHARS).collect()
}
