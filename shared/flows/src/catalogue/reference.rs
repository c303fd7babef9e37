//! The reference page of settings, `docs/settings.md`, made of the catalogue.

use koppel_core::document::Entity;
use koppel_core::error::Failure;
use koppel_core::system::SystemKind;

use super::{Kind, Language, Texts, settings};

/// What stands above the reference.
const HEAD: &str = "\
# Settings of a flow

Settings stand under `settings` of a flow in `koppel.yaml`. This page is made of the catalogue in
`shared/flows/src/catalogue/`; `KOPPEL_BLESS=1 cargo nextest run -p koppel-flows` renews it. The same in Dutch, German,
French or Italian, with what your own flow has set: `koppel settings <flow> --lang nl`.

A **coded** setting is a code in quotes, or `{ force, table, by_country, default }`. What decides, the first that is
there: `force`, the entry of `table` for the value of the source, a mapping row, `by_country`, `default`. Codes are text:
`\"00\"` is not `0`.

## Lists

`koppel settings <flow> --list vat_code` shows the codes that the system really has. A list is kept for seven days and
shown with its age; `--refresh` asks again. Another division or address makes it ask by itself. The list of debtors names
persons, so it is never kept. `--list source.payment_method` (`source.shipping_method`, `source.tax_class`,
`source.category`) shows the words of the shop that are keys of tables.

## What `koppel apply` checks

Every code that a flow names is looked up before the configuration is put in force, with one question for each list. An
unknown code is refused with the row that names it and the nearest right spelling; so is a blocked one. Long lists (items,
debtors) are not read for a spelling: it comes from the list as `--list` has kept it. When a system cannot be asked,
because nobody has given consent yet or nobody answers, the configuration is put in force all the same, `koppel apply`
says that its codes were not checked, and the first run checks them. `--no-codes` asks nothing.
";

/// The page, in English.
pub fn reference_page() -> Result<String, Failure> {
    let (mut text, all) = (HEAD.to_owned(), settings()?);
    for (title, entity) in [
        ("Orders", Entity::Orders),
        ("Refunds", Entity::Refunds),
        ("Customers", Entity::Customers),
        ("Products", Entity::Products),
        ("Stock", Entity::Stock),
    ] {
        text.push_str(&format!(
            "\n## {title}\n\n| Setting | What it is | Values | Example |\n| --- | --- | --- | --- |\n"
        ));
        // What holds for orders holds for their refunds, and is said once.
        let is_new =
            |facts: &&super::SettingFacts| entity != Entity::Refunds || !facts.entities.contains(&Entity::Orders);
        for facts in all.iter().filter(|facts| facts.entities.contains(&entity)).filter(is_new) {
            let english = |texts: &Texts| texts.of(Language::En).to_owned();
            let mut values = match (facts.kind, facts.list) {
                (Kind::Coded, Some(list)) => format!("coded, list `{}`", list.name()),
                (Kind::Codes, Some(list)) => format!("codes, list `{}`", list.name()),
                (_, Some(list)) => format!("code, list `{}`", list.name()),
                (Kind::Choice, _) => facts.choices.join(", "),
                (Kind::YesNo, _) => "true, false".to_owned(),
                (Kind::Decimal, _) => "number in quotes".to_owned(),
                (Kind::List, _) => "texts".to_owned(),
                (Kind::Map, _) => "by key".to_owned(),
                (_, None) => "text".to_owned(),
            };
            if let Some(default) = &facts.default {
                values.push_str(&format!("; default {}", default.to_string().trim_matches('"')));
            }
            if facts.required {
                values.push_str("; needed with its group");
            }
            let into = facts
                .target_kind(entity)
                .map(|kind| if kind == SystemKind::Erp { " Into books." } else { " Into a shop." });
            let documents: Vec<&str> = facts.documents.iter().map(|document| document.name()).collect();
            let only =
                if documents.is_empty() { String::new() } else { format!(" Only for {}.", documents.join(", ")) };
            text.push_str(&format!(
                "| `{}` | {}. {}{}{only} | {values} | `{}` |\n",
                facts.name,
                english(&facts.label),
                english(&facts.help),
                into.unwrap_or_default(),
                facts.example
            ));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_is_that_of_the_catalogue() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        if std::env::var_os("KOPPEL_BLESS").is_some() {
            std::fs::write(file, reference_page().unwrap()).unwrap();
        }
        let written = std::fs::read_to_string(file).unwrap_or_default();
        assert_eq!(written, reference_page().unwrap(), "renew docs/settings.md with KOPPEL_BLESS=1");
    }
}
