//! Literals of Visual FoxPro, and the filters of a list.

use chrono::NaiveDate;

/// A text literal. There is no escape inside one: it is put between signs that it does not hold, or made of pieces.
pub(super) fn text(text: &str) -> String {
    // A line end would end the expression.
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    for (open, close) in [('"', '"'), ('\'', '\''), ('[', ']')] {
        if !plain.contains(open) && !plain.contains(close) {
            return format!("{open}{plain}{close}");
        }
    }
    let pieces: Vec<String> = plain.split('"').map(|piece| format!("\"{piece}\"")).collect();
    pieces.join("+'\"'+")
}

/// A day in strict form.
pub(super) fn day(day: NaiveDate) -> String {
    format!("{{^{}}}", day.format("%Y-%m-%d"))
}

/// One condition: a numbered filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// Field.
    pub field: String,
    /// `Equal`, or a code.
    pub operator: String,
    /// `C`, `N` or `D`.
    pub value_type: String,
    /// Literal; a text as it is.
    pub value: String,
}

impl Filter {
    /// A text field equals a value.
    pub fn equal(field: &str, value: &str) -> Self {
        Self { field: field.into(), operator: "Equal".into(), value_type: "C".into(), value: value.into() }
    }
}

/// The query pairs of filters; `any` lets one of them suffice.
pub(super) fn pairs(filters: &[Filter], any: bool) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (at, filter) in filters.iter().enumerate() {
        let n = at + 1;
        pairs.push((format!("FilterControlSource{n}"), filter.field.clone()));
        pairs.push((format!("FilterOperator{n}"), filter.operator.clone()));
        pairs.push((format!("FilterValueType{n}"), filter.value_type.clone()));
        pairs.push((format!("FilterValue{n}"), filter.value.clone()));
        pairs.push((format!("FilterIsListOfValues{n}"), "false".into()));
    }
    if any && filters.len() > 1 {
        pairs.push(("MatchAnyFilter".into(), "true".into()));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_put_between_signs_that_it_does_not_hold() {
        for (given, wanted) in [
            ("jan@example.test", r#""jan@example.test""#),
            (r#"A "B""#, r#"'A "B"'"#),
            (r#"'t "Hof""#, r#"['t "Hof"]"#),
            (r#"'a' "b" [c]"#, r#""'a' "+'"'+"b"+'"'+" [c]""#),
            ("a\r\nb", r#""ab""#),
        ] {
            assert_eq!(text(given), wanted);
        }
        assert_eq!(day("2026-05-31".parse().unwrap()), "{^2026-05-31}");
    }

    #[test]
    fn filters_are_numbered_and_joined_by_any_only_when_there_are_several() {
        let one = [Filter::equal("ART_CODE", "A&B")];
        let names: Vec<String> = pairs(&one, true).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["FilterControlSource1", "FilterOperator1", "FilterValueType1", "FilterValue1", "FilterIsListOfValues1"]
        );
        let two = [one[0].clone(), Filter::equal("ART_CODE", "C")];
        let all = pairs(&two, true);
        assert_eq!(all.len(), 11);
        assert_eq!(all[8], ("FilterValue2".to_owned(), "C".to_owned()));
        assert_eq!(pairs(&two, false).len(), 10);
    }
}
