//! Names and texts as WordPress keeps them: escaped names, slugs, paragraphs.

/// A name with its ampersands escaped; what is escaped already stays.
pub(super) fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, letter) in name.char_indices() {
        out.push(letter);
        if letter == '&' {
            let rest = &name[at + 1..];
            let entity = rest.find(';').map(|end| &rest[..end]).is_some_and(|word| {
                !word.is_empty() && word.trim_start_matches('#').chars().all(|letter| letter.is_ascii_alphanumeric())
            });
            if !entity {
                out.push_str("amp;");
            }
        }
    }
    out
}

/// A name as part of an address.
pub(super) fn slug(name: &str) -> String {
    let plain = name.replace("&amp;", " ");
    let mut out = String::new();
    let mut tag = false;
    for letter in plain.to_lowercase().chars() {
        match letter {
            '<' => tag = true,
            '>' => tag = false,
            _ if tag => {}
            'à'..='å' => out.push('a'),
            'ç' => out.push('c'),
            'è'..='ë' => out.push('e'),
            'ì'..='ï' => out.push('i'),
            'ñ' => out.push('n'),
            'ò'..='ö' => out.push('o'),
            'ù'..='ü' => out.push('u'),
            letter if letter.is_alphanumeric() || letter == '_' => out.push(letter),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A slug that is not taken: `-2`, `-3`, … behind it.
pub(super) fn free(slug: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{slug}-{number}"));
    std::iter::once(slug.to_owned()).chain(numbered).find(|slug| !taken(slug)).unwrap_or_default()
}

/// A description: scripts out, paragraphs in.
pub(super) fn described(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(start) = rest.to_ascii_lowercase().find("<script") {
        out.push_str(&rest[..start]);
        let end = rest[start..].to_ascii_lowercase().find("</script>");
        rest = end.map_or("", |end| &rest[start + end + "</script>".len()..]);
    }
    out.push_str(rest);
    let out = out.trim();
    let block = ["<p", "<ul", "<ol", "<h", "<div", "<table", "<blockquote"].iter().any(|tag| out.starts_with(tag));
    match (out.is_empty(), block) {
        (true, _) => String::new(),
        (_, true) => format!("{out}\n"),
        _ => out.split("\n\n").map(|part| format!("<p>{}</p>\n", part.trim().replace('\n', "<br />\n"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_slugs_and_descriptions() {
        assert_eq!(escaped("Thee & koffie &amp; meer"), "Thee &amp; koffie &amp; meer");
        assert_eq!(slug("Thee &amp; Koffie, één <b>pak</b>!"), "thee-koffie-een-pak");
        assert_eq!(free("a", |slug| slug == "a" || slug == "a-2"), "a-3");
        assert_eq!(described("Wol.<script>x()</script>\n\nRood."), "<p>Wol.</p>\n<p>Rood.</p>\n");
        assert_eq!(described("<p>Wol.</p>\n"), "<p>Wol.</p>\n");
    }
}
