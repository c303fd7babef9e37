//! Why records were not delivered, or would not be, and what to know of them.

use koppel_core::Cause;

use super::Output;

/// A titled list of reasons: label, what became of the record, and why. Each reason is said once: many records may have
/// the same one.
pub fn reasons<'a>(output: Output, title: &str, reasons: impl Iterator<Item = (&'a str, &'a str, &'a Cause)>) {
    let lines = lines(reasons);
    if !lines.is_empty() {
        output.text(&format!("\n{title}:\n{}", lines.join("\n")));
    }
}

fn lines<'a>(reasons: impl Iterator<Item = (&'a str, &'a str, &'a Cause)>) -> Vec<String> {
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (label, what, cause) in reasons {
        // The place repeats what the line says already, so only its row is shown.
        let row = cause.place.row.as_ref().map(|row| format!(" [{row}]")).unwrap_or_default();
        let advice = cause.advice.as_ref().map(|advice| format!(". To do: {advice}")).unwrap_or_default();
        let reason = format!("{what}: {}{row}{advice}", cause.message);
        match said.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, labels)) => labels.push(label),
            None => said.push((reason, vec![label])),
        }
    }
    said.into_iter().map(|(reason, labels)| format!("  {}  {reason}", labels.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_several_records_is_said_once() {
        let (gone, late) = (Cause::new("a", "gone").in_row("x"), Cause::new("b", "late").advice("wait"));
        let all = [("1", "skipped", &gone), ("2", "parked", &late), ("3", "skipped", &gone)];
        assert_eq!(lines(all.into_iter()), ["  1, 3  skipped: gone [x]", "  2  parked: late. To do: wait"]);
    }
}
