//! A query in words.

use super::Problem;

/// A word of a query and where it begins, in characters.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: Kind,
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A name or a keyword.
    Word(String),
    Number,
    /// Seconds.
    Duration(f64),
    Text,
    Symbol(&'static str),
    /// A placeholder, with the letters before and behind it.
    Placeholder,
    End,
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 25] = [
    "==", "!=", "<=", ">=", "=~", "!~", "=", "<", ">", "+", "-", "*", "/", "%", "^", "(", ")", "{", "}", "[", "]", ",", ":", "@",
    ";",
];

/// The words of a query; the last one is always [`Kind::End`].
pub fn lex(query: &str) -> Result<Vec<Token>, Problem> {
    let text: Vec<char> = query.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut behind) = (0, 0);
    while let Some(&first) = text.get(at) {
        if first.is_whitespace() {
            at += 1;
        } else if first == '#' {
            at += text.iter().skip(at).take_while(|letter| **letter != '\n').count();
        } else {
            let (kind, end) = token(&text, at, first)?;
            tokens.push(Token { kind, at });
            (at, behind) = (end, end);
        }
    }
    // What is missing is missing behind the last word, not behind the blanks that may follow it.
    tokens.push(Token { kind: Kind::End, at: behind });
    Ok(tokens)
}

fn token(text: &[char], at: usize, first: char) -> Result<(Kind, usize), Problem> {
    let follows = |sign: &str| sign.chars().enumerate().all(|(place, letter)| text.get(at + place) == Some(&letter));
    let digit = |place: usize| text.get(place).is_some_and(char::is_ascii_digit);
    if let '"' | '\'' | '`' = first {
        return quoted(text, at, first).map(|end| (Kind::Text, end));
    }
    // `{{{` is the brace of a selector, and a placeholder in it.
    if !follows("{{{")
        && let Some(end) = placeholder(text, at)
    {
        return Ok((Kind::Placeholder, glued(text, name_end(text, end))));
    }
    let number = digit(at) || first == '.' && digit(at + 1);
    if number || in_name(first) {
        let end = if number { number_end(text, at) } else { name_end(text, at) };
        let whole = glued(text, end);
        if whole > end {
            return Ok((Kind::Placeholder, whole));
        }
        let word: String = text.iter().skip(at).take(end - at).collect();
        if !number {
            return Ok((Kind::Word(word), end));
        }
        return match (duration(&word), is_number(&word)) {
            (Some(seconds), _) => Ok((Kind::Duration(seconds), end)),
            (None, true) => Ok((Kind::Number, end)),
            _ => Err(Problem::new(at, format!("`{word}` is neither a number nor a duration like `5m`"))),
        };
    }
    match SYMBOLS.iter().find(|symbol| follows(symbol)) {
        Some(symbol) => Ok((Kind::Symbol(symbol), at + symbol.len())),
        None => Err(Problem::new(at, format!("`{first}` says nothing here"))),
    }
}

fn in_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// Colons stand in the names of recorded metrics.
fn name_end(text: &[char], at: usize) -> usize {
    at + text.iter().skip(at).take_while(|letter| in_name(**letter) || **letter == ':').count()
}

/// The end of the placeholder that begins at `at`.
fn placeholder(text: &[char], at: usize) -> Option<usize> {
    let close = |open: usize, sign: &[char]| {
        let inside = text.get(at + open..)?;
        inside.windows(sign.len()).position(|here| here == sign).map(|place| at + open + place + sign.len())
    };
    match (text.get(at)?, text.get(at + 1)?) {
        ('$', '{') => close(2, &['}']),
        ('$', letter) if letter.is_ascii_alphabetic() || *letter == '_' => {
            Some(at + 1 + text.iter().skip(at + 1).take_while(|letter| in_name(**letter) || **letter == '.').count())
        }
        ('{', '{') => close(2, &['}', '}']),
        _ => None,
    }
}

/// The end of what hangs together with a name or placeholder that ends at `end`.
fn glued(text: &[char], mut end: usize) -> usize {
    while let Some(next) = placeholder(text, end).filter(|_| text.get(end + 2) != Some(&'{')) {
        end = name_end(text, next);
    }
    end
}

/// Letters belong to a number (`0x1f`, `5m`, `1e3`), and the sign of an exponent.
fn number_end(text: &[char], at: usize) -> usize {
    let hexadecimal = text.get(at + 1).is_some_and(|letter| letter.eq_ignore_ascii_case(&'x'));
    let mut before = ' ';
    for (place, &letter) in text.iter().enumerate().skip(at) {
        let sign = matches!(letter, '+' | '-') && matches!(before, 'e' | 'E') && !hexadecimal;
        if !(in_name(letter) || letter == '.' || sign) {
            return place;
        }
        before = letter;
    }
    text.len()
}

fn is_number(word: &str) -> bool {
    let digits = word.replace('_', "").to_ascii_lowercase();
    match digits.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).is_ok(),
        None => digits.parse::<f64>().is_ok(),
    }
}

/// `1h30m` in seconds: each unit once, larger ones first.
pub fn duration(word: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 7] =
        [("y", 31_536_000.0), ("w", 604_800.0), ("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001)];
    let (mut rest, mut total, mut units) = (word, 0.0, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (count, behind) = rest.split_at(digits);
        let (unit, behind) = behind.split_at(behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len()));
        let (_, seconds) = units.find(|(known, _)| *known == unit)?;
        total += count.parse::<f64>().ok()? * seconds;
        rest = behind;
    }
    (!word.is_empty()).then_some(total)
}

/// The end of a text in quotes. Back quotes know no escapes, and may go on in the next line.
fn quoted(text: &[char], at: usize, quote: char) -> Result<usize, Problem> {
    let mut place = at + 1;
    while let Some(&letter) = text.get(place) {
        match letter {
            letter if letter == quote => return Ok(place + 1),
            '\n' if quote != '`' => break,
            '\\' if quote != '`' => match text.get(place + 1) {
                Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '\'' | '"' | 'x' | 'u' | 'U' | '0'..='7') => place += 2,
                Some(letter) => return Err(Problem::new(place, format!("`\\{letter}` is no escape; write `\\\\{letter}`"))),
                None => break,
            },
            _ => place += 1,
        }
    }
    Err(Problem::new(at, "this quote is not closed"))
}
