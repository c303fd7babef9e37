//! `split_street`

use super::*;
use crate::value::Group;

pub(super) const FUNCTION: Function = Function {
    name: "split_street",
    input: Kind::Text,
    arguments: &[optional("country", Kind::Text)],
    returns: Kind::Group,
    doc: "Splits a street line into street, number and addition. The country (NL unless given) tells on which side the number stands when both could be.",
    examples: &[
        (r#""Dorpsstraat 12b" | split_street"#, r#"{"street": "Dorpsstraat", "number": "12", "addition": "b"}"#),
        (r#"("12 rue de la Paix" | split_street("FR")).number"#, r#""12""#),
        (r#""Stationsplein" | split_street"#, r#"{"street": "Stationsplein", "number": null, "addition": null}"#),
    ],
    takes_empty: false,
    call,
};

/// Countries where the number comes before the street.
const NUMBER_FIRST: [&str; 7] = ["FR", "LU", "MC", "GB", "IE", "US", "CA"];
/// What may stand between street and number without being part of either.
const MARKERS: [&str; 8] = ["nr", "nr.", "no", "no.", "n°", "nº", "num.", "nummer"];
/// What opens an addition: a box, a flat, a floor.
const ADDITIONS: [&str; 19] = [
    "bus", "bte", "bte.", "boîte", "boite", "box", "app", "app.", "appt", "apt", "apt.", "huis", "hs", "bis", "ter",
    "quater", "int.", "interno", "scala",
];

fn call(input: &Value, call: &Call<'_>) -> Result<Value, String> {
    let country = call.text(0).trim().to_uppercase();
    let line = input_text(input).split_whitespace().collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = line.split(' ').collect();
    let front = || number_first(&words);
    let back = || number_last(&words);
    let found = if NUMBER_FIRST.contains(&country.as_str()) { front().or_else(back) } else { back().or_else(front) };
    let (street, number, addition) = found.unwrap_or((line.clone(), String::new(), String::new()));
    let part = |text: String| if text.is_empty() { Value::Empty } else { Value::Text(text) };
    let parts = [("street", part(street)), ("number", part(number)), ("addition", part(addition))];
    Ok(Value::Group(parts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Group>()))
}

type Parts = (String, String, String);

/// `12 rue de la Paix`, `12 bis, rue …`, `12B Baker Street`.
fn number_first(words: &[&str]) -> Option<Parts> {
    let (number, mut addition) = house_number(words.first()?.trim_end_matches(','))?;
    let mut used = 1;
    if let Some(word) = words.get(1).map(|word| word.trim_end_matches(',')) {
        // «12 bis rue …» and «12 B, rue …», but not «12 A Street», where the letter may be a word.
        let closed = words[1].ends_with(',') && word.chars().count() == 1;
        if addition.is_empty() && (["bis", "ter", "quater"].contains(&word.to_lowercase().as_str()) || closed) {
            addition = word.to_owned();
            used = 2;
        }
    }
    let street = words.get(used..)?.join(" ");
    street.chars().any(char::is_alphabetic).then_some((street, number, addition))
}

/// `Dorpsstraat 12b`, `Kerkstraat 12 bus 3`, `Plein 1944 nr 3`, `Straße des 17. Juni 135`, `Via Roma, 12/A`.
fn number_last(words: &[&str]) -> Option<Parts> {
    // The last word that can be a house number counts: an earlier number belongs to the name of the street. Words
    // after it must look like an addition, else the number is not a house number at all («Plein 1944 Noord»).
    for at in (1..words.len()).rev() {
        let Some((number, glued)) = house_number(words[at].trim_end_matches(',')) else { continue };
        let behind = &words[at + 1..];
        if !behind.is_empty() && !is_addition(behind) {
            return None;
        }
        // «bus 3» and «nr 4 bus 3»: the number behind the word is part of the addition.
        let opened = words[at - 1].trim_end_matches(',').to_lowercase();
        if at > 1 && ADDITIONS.contains(&opened.as_str()) {
            continue;
        }
        // «12 3» and «12 - 3»: a bare number right behind a house number is its addition, unless a marker says not.
        let before = words[at - 1];
        let earlier = if before == "-" { at.checked_sub(2) } else { at.checked_sub(1) };
        if earlier.is_some_and(|earlier| earlier > 0 && house_number(words[earlier].trim_end_matches(',')).is_some()) {
            continue;
        }
        let mut end = at;
        if end > 1 && MARKERS.contains(&opened.as_str()) {
            end -= 1;
        }
        let street = words[..end].join(" ").trim_end_matches([',', ' ']).to_owned();
        let mut addition = vec![glued];
        addition.extend(behind.iter().map(|word| word.trim_matches(',').to_owned()));
        let addition = addition.join(" ").trim_matches(['-', ' ']).to_owned();
        return street.chars().any(char::is_alphabetic).then_some((street, number, addition));
    }
    None
}

/// Digits, and what is glued to them: `12`, `12b`, `12-14`, `12/A`, `12bis`. Not `17.`, `2e` or `1e`, which count.
fn house_number(word: &str) -> Option<(String, String)> {
    let end = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, rest) = word.split_at(end);
    if number.is_empty() || number.len() > 6 {
        return None;
    }
    let ordinal = ["e", "de", "ste", "er", "ère", "ème", "eme", "th", "st", "nd", "rd", "."];
    if rest.ends_with('.') || (rest.chars().count() > 1 && ordinal.contains(&rest.to_lowercase().as_str())) {
        return None;
    }
    let addition = rest.trim_start_matches(['-', '/', ' ']);
    let fits = addition.chars().count() <= 6 && addition.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '/'));
    fits.then(|| (number.to_owned(), addition.to_owned()))
}

/// Whether the words behind a number add to it: `b`, `bus 3`, `2 hoog`, `III`, `- 4`.
fn is_addition(words: &[&str]) -> bool {
    let first = words[0].trim_matches(',').to_lowercase();
    ADDITIONS.contains(&first.as_str())
        || (words.len() <= 2
            && words.iter().all(|word| {
                let word = word.trim_matches(',');
                word == "-"
                    || word == "hoog"
                    || word.chars().count() <= 2
                    || house_number(word).is_some()
                    || roman(word)
            }))
}

fn roman(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| matches!(c, 'I' | 'V' | 'X'))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    fn split(line: &str, country: &str) -> String {
        let value = cell(&format!("\"{line}\" | split_street(\"{country}\")")).unwrap();
        ["street", "number", "addition"].map(|part| value.get(part).as_text().unwrap_or("-").to_owned()).join("|")
    }

    #[test]
    fn street_lines_of_our_countries() {
        for (country, line, expected) in [
            ("NL", "Dorpsstraat 12b", "Dorpsstraat|12|b"),
            ("NL", "Dorpsstraat 12 b", "Dorpsstraat|12|b"),
            ("NL", "Dorpsstraat 12-14", "Dorpsstraat|12|14"),
            ("NL", "Kerkstraat 5 II", "Kerkstraat|5|II"),
            ("NL", "Kerkstraat 5 2 hoog", "Kerkstraat|5|2 hoog"),
            ("NL", "Kerkstraat 5-huis", "Kerkstraat|5|huis"),
            ("NL", "Plein 1944 nr 3", "Plein 1944|3|-"),
            ("NL", "2e Dorpsstraat 7", "2e Dorpsstraat|7|-"),
            ("NL", "Laan van de 7de Dag", "Laan van de 7de Dag|-|-"),
            ("NL", "Stationsplein", "Stationsplein|-|-"),
            ("NL", "  Dorpsstraat   12 ", "Dorpsstraat|12|-"),
            ("BE", "Kerkstraat 12 bus 3", "Kerkstraat|12|bus 3"),
            ("BE", "Rue Haute 12 bte 3", "Rue Haute|12|bte 3"),
            ("BE", "Avenue Louise 230/4", "Avenue Louise|230|4"),
            ("FR", "12 rue de la Paix", "rue de la Paix|12|-"),
            ("FR", "12 bis rue de la Paix", "rue de la Paix|12|bis"),
            ("FR", "12bis, rue de la Paix", "rue de la Paix|12|bis"),
            ("FR", "8 rue du 11 Novembre 1918", "rue du 11 Novembre 1918|8|-"),
            ("", "12 rue de la Paix", "rue de la Paix|12|-"),
            ("DE", "Straße des 17. Juni 135", "Straße des 17. Juni|135|-"),
            ("DE", "Hauptstr. 5a", "Hauptstr.|5|a"),
            ("IT", "Via Roma, 12/A", "Via Roma|12|A"),
            ("IT", "Via XX Settembre 3", "Via XX Settembre|3|-"),
            ("GB", "221B Baker Street", "Baker Street|221|B"),
        ] {
            assert_eq!(split(line, country), expected, "{country}: {line}");
        }
    }

    #[test]
    fn a_number_alone_is_no_address() {
        assert_eq!(split("12", "NL"), "12|-|-");
        assert_eq!(json("'' | split_street"), r#"{"street":null,"number":null,"addition":null}"#);
    }
}
