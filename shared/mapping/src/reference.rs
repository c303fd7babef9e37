//! The reference page of the functions, made from their definitions.

use std::fmt::Write as _;

use crate::functions;
use crate::value::Kind;

/// The page `docs/mapping-functions.md`. A test holds the file to this text.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Mapping functions\n\n\
         This page is made from the functions themselves; every example is run as a test. How cells and row files work is\n\
         told in [mapping.md](mapping.md).\n\n\
         A function given *empty* gives empty; only `default` looks at it. A function that works on text also takes a number,\n\
         as its plain decimal text. `?` marks an argument that may be left out, `…` one that may be repeated.\n\n\
         | Function | Works on | Gives | What it does |\n| --- | --- | --- | --- |\n",
    );
    // Writing to a String cannot fail.
    for function in functions::all() {
        let _ = writeln!(
            page,
            "| [`{}`](#{}) | {} | {} | {} |",
            function.name,
            function.name,
            function.input.word(),
            function.returns.word(),
            function.doc.replace('|', "\\|")
        );
    }
    page.push_str("\nThe examples work on this record, as `source`, with a table `payment_terms` of `bacs`: `\"30\"` and `ideal`: `\"00\"`:\n\n```json\n");
    page.push_str(functions::EXAMPLE_JSON);
    page.push_str("```\n");
    for function in functions::all() {
        let _ = write!(page, "\n## {}\n\n`{}`\n\n{}\n", function.name, function.signature(), function.doc);
        for argument in function.arguments.iter().filter(|argument| argument.kind != Kind::Any) {
            let _ = write!(page, "\n- `{}`: {}", argument.name, argument.kind.word());
        }
        if function.arguments.iter().any(|argument| argument.kind != Kind::Any) {
            page.push('\n');
        }
        page.push_str("\n| Cell | Gives |\n| --- | --- |\n");
        for (cell, result) in function.examples {
            let _ = writeln!(page, "| `{}` | `{}` |", cell.replace('|', "\\|"), result.replace('|', "\\|"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    /// Renew the file with `KOPPEL_BLESS=1 cargo test -p koppel-mapping`.
    #[test]
    fn the_page_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mapping-functions.md");
        let page = super::reference_markdown();
        if std::env::var_os("KOPPEL_BLESS").is_some() {
            std::fs::write(file, &page).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert!(written == page, "docs/mapping-functions.md is out of date: run the tests once with KOPPEL_BLESS=1");
    }
}
