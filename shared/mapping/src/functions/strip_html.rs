//! `strip_html`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "strip_html",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::Text,
    doc: "Takes away HTML tags and turns entities such as `&amp;` into the characters they stand for.",
    examples: &[
        (r#""Tea &amp; <b>mugs</b>" | strip_html"#, r#""Tea & mugs""#),
        (r#""<p>One</p><p>Two<br>Three</p>" | strip_html"#, r#""One\nTwo\nThree""#),
    ],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    let decoded = decode(&without_tags(input_text(input)));
    Ok(decoded.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").into())
}

/// Tags that end a line of text.
const BREAKS: [&str; 12] = ["br", "p", "div", "li", "ul", "ol", "tr", "h1", "h2", "h3", "h4", "h5"];
/// Tags whose content is not text.
const HIDDEN: [&str; 2] = ["script", "style"];

fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let inside = &rest[open + 1..];
        // `a < b` is not a tag.
        let is_tag = inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!'));
        let Some(close) = inside.find('>').filter(|_| is_tag) else {
            text.push('<');
            rest = inside;
            continue;
        };
        let name = inside.trim_start_matches('/');
        let name = name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())].to_ascii_lowercase();
        if BREAKS.contains(&name.as_str()) {
            text.push('\n');
        }
        rest = &inside[close + 1..];
        if HIDDEN.contains(&name.as_str()) && !inside.starts_with('/') {
            // What follows is code up to the closing tag, or all of it if that is missing.
            let end = rest.to_ascii_lowercase().find(&format!("</{name}"));
            rest = end.map_or("", |end| &rest[end..]);
        }
    }
    text.push_str(rest);
    text
}

/// The named entities that shops write; all others are written by number.
const NAMED: [(&str, &str); 24] = [
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("euro", "€"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("deg", "°"),
    ("ndash", "–"),
    ("mdash", "—"),
    ("hellip", "…"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("euml", "ë"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("iuml", "ï"),
];

fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((meant, end)) => {
                decoded.push_str(&meant);
                rest = &rest[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn entity(name: &str) -> Option<String> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code).filter(|c| *c == '\n' || !c.is_control()).map(String::from);
    }
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, meant)| (*meant).to_owned())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    fn stripped(html: &str) -> String {
        super::call(
            &html.into(),
            &super::Call { arguments: &[], scope: &crate::Scope::new(chrono::DateTime::UNIX_EPOCH) },
        )
        .map(|value| value.as_text().unwrap_or_default().to_owned())
        .unwrap()
    }

    #[test]
    fn broken_html_stays_readable() {
        assert_eq!(stripped("1 < 2 & 3 > 2"), "1 < 2 & 3 > 2");
        assert_eq!(stripped("a <b"), "a <b");
        assert_eq!(stripped("&#8211; &#x20AC; &unknown; &#0; &é; &"), "– € &unknown; &#0; &é; &");
        assert_eq!(stripped("<a title='x'>Tea</a><!-- no -->"), "Tea");
        assert_eq!(stripped("a<script>let b = '<i>';</script>c<STYLE>x"), "ac");
        assert_eq!(stripped("&amp;lt;"), "&lt;");
        assert_eq!(json("'' | strip_html"), "\"\"");
    }
}
