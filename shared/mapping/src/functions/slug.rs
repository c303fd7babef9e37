//! `slug`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "slug",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Makes a text fit for a web address: small letters, digits and hyphens.",
    examples: &[(r#""Crème brûlée (groot)" | slug"#, r#""creme-brulee-groot""#)],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    let mut slug = String::new();
    for c in input_text(input).to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            // A combining accent belongs to the letter before it, which is kept bare.
            '\u{300}'..='\u{36f}' | '\'' | '’' => {}
            c => match bare(c) {
                Some(letters) => slug.push_str(letters),
                None if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                None => {}
            },
        }
    }
    Ok(slug.trim_end_matches('-').into())
}

/// The letters without accent of the languages our shops sell in.
fn bare(c: char) -> Option<&'static str> {
    Some(match c {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' | 'ä' => "a",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ő' | 'ø' => "o",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ť' | 'ţ' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn never_starts_or_ends_with_a_hyphen() {
        assert_eq!(json("' --Ærø & Łódź!-- ' | slug"), "\"aero-lodz\"");
        assert_eq!(json("'日本' | slug"), "\"\"");
        assert_eq!(json("'e\\u0301t\\u0301 l’eau' | slug"), "\"et-leau\"");
    }
}
