//! Cuts a cell into tokens, each with its columns.

use rust_decimal::Decimal;

use crate::finding::{CellError, Columns, FindingCode};
use crate::{limits, number};

/// One token of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword; which of the two depends on where it stands.
    Name(String),
    Number(Decimal),
    Text(String),
    /// An operator or bracket.
    Sign(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub token: Token,
    pub columns: Columns,
}

/// Longest first, so that `<=` is not read as `<`.
const SIGNS: [&str; 19] =
    ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ",", ".", "|", "~", "+", "-", "*", "/", ":"];

pub(super) fn tokens(cell: &str) -> Result<Vec<Placed>, CellError> {
    let chars: Vec<char> = cell.chars().collect();
    if chars.len() > limits::CELL_CHARS {
        let columns = Columns::new(limits::CELL_CHARS + 1, chars.len());
        let message = format!("the cell has {} characters, {} are allowed", chars.len(), limits::CELL_CHARS);
        return Err(CellError::new(FindingCode::TooLarge, columns, message));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&first) = chars.get(at) {
        if first.is_whitespace() {
            at += 1;
            continue;
        }
        let start = at;
        let token = if first.is_ascii_digit() {
            number(&chars, &mut at)?
        } else if first == '"' || first == '\'' {
            text(&chars, &mut at, first)?
        } else if first.is_alphabetic() || first == '_' {
            while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
                at += 1;
            }
            Token::Name(chars[start..at].iter().collect())
        } else {
            Token::Sign(sign(&chars, &mut at)?)
        };
        found.push(Placed { token, columns: Columns::new(start + 1, at) });
    }
    Ok(found)
}

fn syntax(from: usize, to: usize, message: impl Into<String>) -> CellError {
    CellError::new(FindingCode::Syntax, Columns::new(from + 1, to.max(from + 1)), message)
}

fn sign(chars: &[char], at: &mut usize) -> Result<&'static str, CellError> {
    let start = *at;
    for sign in SIGNS {
        let length = sign.len();
        if chars[start..].iter().take(length).copied().eq(sign.chars()) {
            *at += length;
            return Ok(sign);
        }
    }
    let hint = match chars[start] {
        '=' => "to compare, write ==",
        '&' => "write and",
        '!' => "write not",
        '{' | '}' | '%' => "a cell is the expression alone, without braces or per cent signs",
        _ => "this character has no meaning here",
    };
    Err(syntax(start, start, format!("«{}»: {hint}", chars[start])))
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, CellError> {
    let start = *at;
    let digits = |at: &mut usize| {
        while chars.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
    };
    digits(at);
    if chars.get(*at) == Some(&'.') && chars.get(*at + 1).is_some_and(char::is_ascii_digit) {
        *at += 1;
        digits(at);
    }
    if chars.get(*at).is_some_and(|c| c.is_alphabetic() || *c == '_') {
        return Err(syntax(start, *at + 1, "a name cannot start with a digit; a text needs quotes"));
    }
    let written: String = chars[start..*at].iter().collect();
    // Leading zeros would silently vanish: `007` is a code, and a code is a text.
    if written.len() > 1 && written.starts_with('0') && !written.starts_with("0.") {
        return Err(syntax(start, *at, format!("a number does not start with 0; a code is a text: \"{written}\"")));
    }
    if written.len() > 29 {
        return Err(syntax(start, *at, "a number has at most 28 digits"));
    }
    number::parse_lossy(&written).map(Token::Number).ok_or_else(|| syntax(start, *at, "not a number"))
}

fn text(chars: &[char], at: &mut usize, quote: char) -> Result<Token, CellError> {
    let start = *at;
    let mut text = String::new();
    *at += 1;
    loop {
        let Some(&next) = chars.get(*at) else {
            return Err(syntax(start, chars.len(), format!("the text is not closed: {quote} is missing")));
        };
        *at += 1;
        match next {
            c if c == quote => return Ok(Token::Text(text)),
            '\\' => text.push(escape(chars, at)?),
            c => text.push(c),
        }
    }
}

fn escape(chars: &[char], at: &mut usize) -> Result<char, CellError> {
    let start = *at - 1;
    let escaped = chars.get(*at).copied();
    *at += 1;
    match escaped {
        Some(c @ ('"' | '\'' | '\\' | '/')) => Ok(c),
        Some('n') => Ok('\n'),
        Some('t') => Ok('\t'),
        Some('r') => Ok('\r'),
        Some('u') => {
            let digits: String = chars.iter().skip(*at).take(4).collect();
            *at += 4;
            let code = (digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
                .then(|| u32::from_str_radix(&digits, 16).ok())
                .flatten();
            code.and_then(char::from_u32).ok_or_else(|| {
                syntax(start, chars.len().min(*at), "\\u needs four hexadecimal digits of one character")
            })
        }
        _ => Err(syntax(start, chars.len().min(*at), "unknown escape; a backslash itself is written \\\\")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_know_escapes_and_refuse_loose_ends() {
        let read = |cell: &str| tokens(cell).map(|found| found[0].token.clone());
        assert_eq!(read(r#""a\"b\\\n\u00e9""#), Ok(Token::Text("a\"b\\\né".into())));
        assert_eq!(read("'it\\'s'"), Ok(Token::Text("it's".into())));
        for broken in [r#""abc"#, r#""abc\"#, r#""\u12"#, r#""\ud800""#, r#""\q""#, "'", "\"\\", r#""\u+123""#] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let found = tokens("'é' ~ naam").unwrap();
        assert_eq!(found[2].columns, Columns { from: 7, to: 10 });
    }
}
