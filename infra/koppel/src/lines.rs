//! Finds the line of a key in `koppel.yaml`, so that an error can be jumped to.

use koppel_core::Cause;

/// Adds `line N` to the file of a cause that lies in `file`.
pub fn with_line(cause: Cause, file: &str, text: &str) -> Cause {
    if cause.place.file.as_deref() != Some(file) {
        return cause;
    }
    let mut cause = cause;
    if let Some(line) = paths(&cause).iter().find_map(|path| line_of(text, path)) {
        cause.place.file = Some(format!("{file} line {line}"));
    }
    cause
}

/// Where a cause may lie, the most exact first.
fn paths(cause: &Cause) -> Vec<Vec<String>> {
    let place = &cause.place;
    let split = |path: &str| path.split('.').map(str::to_owned).collect::<Vec<_>>();
    let mut paths = Vec::new();
    let row = place.row.as_deref().unwrap_or_default();
    if row.starts_with("connections.") || row.starts_with("flows.") {
        paths.push(split(row));
        paths.push(split(row).into_iter().take(2).collect());
    }
    if let Some(flow) = &place.flow {
        let at = |keys: &[&str]| {
            let keys = keys.iter().map(|key| (*key).to_owned());
            ["flows".to_owned(), flow.clone()].into_iter().chain(keys).collect::<Vec<_>>()
        };
        for prefix in ["", "target.", "target.customer."] {
            paths.push(at(&["map", &format!("{prefix}{row}")]));
        }
        paths.push(at(&split(row).iter().map(String::as_str).collect::<Vec<_>>()));
        paths.push(at(&[]));
    }
    if let Some(connection) = &place.connection {
        paths.push(vec!["connections".to_owned(), connection.clone()]);
    }
    paths
}

/// Line of a key: each part is searched below the one before it.
fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    for part in path {
        at = (at..lines.len()).find(|&index| has_key(lines[index], part))?;
    }
    Some(at + 1)
}

fn has_key(line: &str, key: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with('#')
        && line.split([',', '{']).any(|piece| {
            let piece = piece.trim().trim_start_matches("- ").trim_start_matches(['"', '\'']);
            piece
                .strip_prefix(key)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "connections:\n  shop: { system: woocommerce }\nflows:\n  # vat_code: no\n  web-orders:\n    settings:\n      vat_code: \"4\"\n    map:\n      target.Notes: source.x\n";

    fn line(cause: Cause) -> String {
        with_line(cause.in_file("koppel.yaml"), "koppel.yaml", TEXT).place.file.unwrap_or_default()
    }

    #[test]
    fn settings_rows_connections_and_flows_are_found() {
        let cause = || Cause::new("x", "y");
        assert_eq!(line(cause().in_flow("web-orders").in_row("settings.vat_code")), "koppel.yaml line 7");
        assert_eq!(line(cause().in_flow("web-orders").in_row("Notes")), "koppel.yaml line 9");
        assert_eq!(line(cause().in_row("connections.shop.key")), "koppel.yaml line 2");
        assert_eq!(line(cause().in_flow("web-orders").in_row("elsewhere")), "koppel.yaml line 5");
        assert_eq!(line(cause()), "koppel.yaml");
    }
}
