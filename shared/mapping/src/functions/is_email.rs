//! `is_email`

use super::*;

pub(super) const FUNCTION: Function = Function {
    name: "is_email",
    input: Kind::Text,
    arguments: &[],
    returns: Kind::YesNo,
    doc: "Whether a text has the form of one e-mail address.",
    examples: &[(r#""info@example.com" | is_email"#, "true"), (r#""info@example" | is_email"#, "false")],
    takes_empty: false,
    call,
};

fn call(input: &Value, _: &Call<'_>) -> Result<Value, String> {
    let text = input_text(input);
    let Some((mailbox, domain)) = text.rsplit_once('@') else { return Ok(false.into()) };
    let odd =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"' | '(' | ')');
    let mailbox_fits = !mailbox.is_empty()
        && mailbox.len() <= 64
        && !mailbox.contains(odd)
        && !mailbox.starts_with('.')
        && !mailbox.ends_with('.')
        && !mailbox.contains("..");
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let domain_fits = domain.contains('.') && domain.len() <= 253 && domain.split('.').all(label);
    Ok((mailbox_fits && domain_fits).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::*;

    #[test]
    fn judges_the_form_only() {
        for good in ["a.b+c@ex-ample.co.uk", "jörg@müller.de", "o'neil@example.com"] {
            assert_eq!(json(&format!("\"{good}\" | is_email")), "true", "{good}");
        }
        for bad in [
            "",
            "a@b@c.nl",
            " a@b.nl",
            "a@b.nl, c@d.nl",
            "a@.nl",
            "a@-b.nl",
            "@b.nl",
            "a..b@c.nl",
            "a@b..nl",
            "a b@c.nl",
        ] {
            assert_eq!(json(&format!("\"{bad}\" | is_email")), "false", "{bad}");
        }
    }
}
