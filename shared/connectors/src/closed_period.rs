//! How books say that a period is closed: in words of the language that they are used in. No system has a code for it
//! everywhere, so words for a period together with words for closed decide.

const PERIOD: &[&str] = &["period", "période", "boekjaar", "book year", "geschäftsjahr", "exercice"];
const CLOSED: &[&str] = &[
    "afgesloten",
    "gesloten",
    "closed",
    "inactive",
    "not active",
    "clôtur",
    "abgeschlossen",
    "geschlossen",
    "gesperrt",
    "geblokkeerd",
    "chius",
    "lukket",
    "stängd",
];

/// A refusal in these words means that the date lies in a closed period. `period` and `Periode` share their beginning.
pub(crate) fn says(text: &str) -> bool {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    has(PERIOD) && has(CLOSED)
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn a_closed_period_is_told_from_everything_else_that_is_closed() {
        for text in [
            "Ongeldig: Orderdatum - periode is afgesloten",
            "Invalid: EntryDate - period is closed",
            "Période clôturée",
            "Die Buchungsperiode ist abgeschlossen.",
            "The financial period '202610' is closed.",
            "The financial period '202610' is inactive.",
            "Het boekjaar is afgesloten",
        ] {
            assert!(says(text), "{text}");
        }
        for text in
            ["De order is afgesloten", "Relatie is geblokkeerd", "Periode: verplicht", "The period does not exist."]
        {
            assert!(!says(text), "{text}");
        }
    }
}
