//! Text to tokens.

use crate::org::error::Refusal;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A word, a path with dots, a function's name, or a keyword.
    Word(String),
    Text(String),
    Number(f64),
    /// An unquoted day or moment.
    Date(String),
    /// One of `( ) , = != < <= > >= :`.
    Sign(&'static str),
}

const SIGNS: [&str; 10] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ","];
/// Longer literals are refused (Salesforce transport reference, section 3.4).
const LONGEST_TEXT: usize = 4_000;

pub(super) fn tokens(query: &str) -> Result<Vec<Token>, Refusal> {
    let mut found = Vec::new();
    let mut rest = query.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, used) = if first == '\'' {
            text(rest)?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (
                Token::Sign(if *sign == "<>" { "!=" } else { sign }),
                sign.len(),
            )
        } else if first.is_ascii_digit() || matches!(first, '-' | '+') {
            number_or_date(rest)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let used = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':')))
                .unwrap_or(rest.len());
            (Token::Word(rest[..used].to_owned()), used)
        } else {
            return Err(malformed(format!("unexpected token: '{first}'")));
        };
        found.push(token);
        rest = rest[used..].trim_start();
    }
    Ok(found)
}

pub(super) fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new("MALFORMED_QUERY", message)
}

fn text(rest: &str) -> Result<(Token, usize), Refusal> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' if value.chars().count() > LONGEST_TEXT => {
                return Err(malformed("a string literal is longer than 4000 characters"));
            }
            '\'' => return Ok((Token::Text(value), at + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n' | 'N') => value.push('\n'),
                Some('r' | 'R') => value.push('\r'),
                Some('t' | 'T') => value.push('\t'),
                Some('b' | 'B') => value.push('\u{8}'),
                Some('f' | 'F') => value.push('\u{c}'),
                Some(c @ ('\\' | '\'' | '"')) => value.push(c),
                // Kept with its backslash: LIKE tells an escaped wildcard from a wildcard by it.
                Some(c @ ('%' | '_')) => value.extend(['\\', c]),
                _ => return Err(malformed("illegal character sequence in a string literal")),
            },
            c => value.push(c),
        }
    }
    Err(malformed("line has an unterminated string literal"))
}

fn number_or_date(rest: &str) -> Result<(Token, usize), Refusal> {
    let used = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '+')))
        .unwrap_or(rest.len());
    let word = &rest[..used];
    if let Ok(number) = word.parse() {
        return Ok((Token::Number(number), used));
    }
    let looks_like_date =
        word.len() >= 10 && word.as_bytes()[4] == b'-' && word.as_bytes()[7] == b'-';
    if looks_like_date {
        Ok((Token::Date(word.to_owned()), used))
    } else {
        Err(malformed(format!("unexpected token: '{word}'")))
    }
}
