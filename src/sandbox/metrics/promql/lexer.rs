//! Text to tokens.
use super::ParseError;

/// A token and where it starts, as a byte offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// A name or a keyword; which of the two, the parser knows.
    Word(String),
    Number(f64),
    /// Milliseconds.
    Duration(i64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 22] =
    ["==", "!=", "<=", ">=", "=~", "!~", "=", "<", ">", "+", "-", "*", "/", "%", "^", "(", ")", "{", "}", "[", "]", ","];

/// Splits a query; the last token is always [`TokenKind::End`].
pub fn lex(query: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = query.get(at..).filter(|r| !r.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let start = at;
        let kind = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' || first == ':' {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
            at += end;
            TokenKind::Word(rest[..end].to_owned())
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let end = number_end(rest);
            at += end;
            let text = &rest[..end];
            match (duration(text), number(text)) {
                (Some(ms), _) => TokenKind::Duration(ms),
                (None, Some(n)) => TokenKind::Number(n),
                _ => {
                    let message = format!("bad number or duration syntax: {text:?}");
                    return Err(ParseError::new(query, start, message));
                }
            }
        } else if let '"' | '\'' | '`' = first {
            let (text, length) = string(rest, first).map_err(|m| ParseError::new(query, start, m))?;
            at += length;
            TokenKind::Text(text)
        } else if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            at += symbol.len();
            TokenKind::Symbol(symbol)
        } else {
            return Err(ParseError::new(query, start, format!("unexpected character: {first:?}")));
        };
        tokens.push(Token { kind, start });
    }
    tokens.push(Token { kind: TokenKind::End, start: query.len() });
    Ok(tokens)
}

/// Where a number or duration ends: letters belong to it (`0x1f`, `5m`), and the sign of an exponent.
fn number_end(text: &str) -> usize {
    let hex = text.starts_with("0x") || text.starts_with("0X");
    let mut previous = ' ';
    for (i, c) in text.char_indices() {
        let exponent_sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !hex;
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent_sign) {
            return i;
        }
        previous = c;
    }
    text.len()
}

fn number(text: &str) -> Option<f64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(|n| n as f64),
        None => text.parse().ok(),
    }
}

/// Reads `1h30m` into milliseconds: each unit once, larger units first. `None` for anything else, and for zero.
pub fn duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut total = 0i64;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (_, ms) = units.find(|(unit, _)| *unit == &rest[..unit_end])?;
        rest = &rest[unit_end..];
        total = total.checked_add(count.checked_mul(*ms)?)?;
    }
    (total > 0).then_some(total)
}

/// A quoted string with Go's escapes (back quotes: none), and its length in the query.
fn string(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((out, i + 1)),
            '\n' if quote != '`' => break,
            '\\' if quote != '`' => match chars.next().map(|(_, c)| c) {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(c @ ('\\' | '"' | '\'')) => out.push(c),
                Some(c) => return Err(format!("unknown escape sequence {:?}", format!("\\{c}"))),
                None => break,
            },
            c => out.push(c),
        }
    }
    Err("unterminated quoted string".to_owned())
}
