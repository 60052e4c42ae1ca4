//! The grammar and the types of PromQL.

use super::function::{self, AGGREGATIONS};
use super::lexer::{self, Kind, Token};
use super::{Checked, Problem, Range};
use crate::core::suggest;

/// What an expression answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Text,
    Vector,
    Matrix,
    /// Something with a placeholder.
    Unknown,
}

impl Type {
    fn told(self) -> &'static str {
        match self {
            Type::Scalar => "a number",
            Type::Text => "a text",
            Type::Vector => "a value now",
            Type::Matrix => "a range of values",
            Type::Unknown => "something",
        }
    }

    fn fits(self, wanted: Type) -> bool {
        self == wanted || self == Type::Unknown
    }
}

/// A type, and where the expression begins.
type Typed = (Type, usize);

/// Brackets deeper than this are nobody's query.
const DEPTH: usize = 64;

pub fn check(query: &str) -> Checked {
    let tokens = match lexer::lex(query) {
        Ok(tokens) => tokens,
        Err(error) => return Checked { error: Some(error), ..Checked::default() },
    };
    let mut parser = Parser { tokens, next: 0, depth: 0, found: Checked::default() };
    if let Err(error) = parser.query() {
        parser.found.error = Some(error);
    }
    parser.found
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    found: Checked,
}

impl Parser {
    fn query(&mut self) -> Result<(), Problem> {
        let (answers, at) = self.expression(0)?;
        match self.peek() {
            Kind::End if answers == Type::Matrix => {
                Err(Problem::new(at, "this answers a range of values, not one: use `rate(…)` or `avg_over_time(…)`"))
            }
            Kind::End => Ok(()),
            _ => self.unexpected("an operator"),
        }
    }

    fn peek(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |token| &token.kind)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek(), Kind::Symbol(here) if *here == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Kind::Word(here) if here.eq_ignore_ascii_case(word))
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let is = self.is(symbol);
        self.next += usize::from(is);
        is
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.accept(symbol) { Ok(()) } else { self.unexpected(&format!("`{symbol}`")) }
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, Problem> {
        let found = match self.peek() {
            Kind::End => "the query ends".to_owned(),
            Kind::Word(word) => format!("`{word}` stands"),
            Kind::Symbol(symbol) => format!("`{symbol}` stands"),
            Kind::Number => "a number stands".to_owned(),
            Kind::Duration(_) => "a duration stands".to_owned(),
            Kind::Text => "a text stands".to_owned(),
            Kind::Placeholder => "a placeholder stands".to_owned(),
        };
        Err(Problem::new(self.at(), format!("{found} where {wanted} is due")))
    }

    /// A binary operator and how tightly it binds.
    fn operator(&self) -> Option<(String, u8)> {
        let name = match self.peek() {
            Kind::Symbol(symbol) => (*symbol).to_owned(),
            Kind::Word(word) => word.to_ascii_lowercase(),
            _ => return None,
        };
        let binds = match name.as_str() {
            "or" => 1,
            "and" | "unless" => 2,
            "==" | "!=" | "<" | "<=" | ">" | ">=" => 3,
            "+" | "-" => 4,
            "*" | "/" | "%" | "atan2" => 5,
            "^" => 6,
            _ => return None,
        };
        Some((name, binds))
    }

    fn expression(&mut self, floor: u8) -> Result<Typed, Problem> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Problem::new(self.at(), "brackets are nested too deeply"));
        }
        let mut left = self.unary()?;
        while let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds > floor) {
            let at = self.at();
            self.next += 1;
            let bool = self.accept_word("bool");
            self.matching()?;
            // `^` groups to the right.
            let right = self.expression(if binds == 6 { 5 } else { binds })?;
            left = (binary(&operator, binds, bool, left, right, at)?, left.1);
        }
        self.depth -= 1;
        Ok(left)
    }

    /// `on (…) group_left (…)`
    fn matching(&mut self) -> Result<(), Problem> {
        if self.accept_word("on") || self.accept_word("ignoring") {
            self.labels()?;
            if (self.accept_word("group_left") || self.accept_word("group_right")) && self.is("(") {
                self.labels()?;
            }
        }
        Ok(())
    }

    fn labels(&mut self) -> Result<(), Problem> {
        self.expect("(")?;
        while !self.accept(")") {
            match self.peek() {
                Kind::Word(_) | Kind::Text | Kind::Placeholder => self.next += 1,
                _ => return self.unexpected("a label"),
            }
            if !self.accept(",") && !self.is(")") {
                return self.unexpected("`,` or `)`");
            }
        }
        Ok(())
    }

    /// A sign binds looser than `^` and tighter than `*`.
    fn unary(&mut self) -> Result<Typed, Problem> {
        let at = self.at();
        if !self.accept("-") && !self.accept("+") {
            let primary = self.primary()?;
            return self.modifiers(primary);
        }
        let (answers, inner) = self.expression(5)?;
        match answers {
            Type::Text | Type::Matrix => Err(Problem::new(inner, format!("a sign stands before {}", answers.told()))),
            _ => Ok((answers, at)),
        }
    }

    fn primary(&mut self) -> Result<Typed, Problem> {
        let at = self.at();
        let answers = match self.peek().clone() {
            // A duration counts as its seconds.
            Kind::Number | Kind::Duration(_) => {
                self.next += 1;
                Type::Scalar
            }
            Kind::Text => {
                self.next += 1;
                Type::Text
            }
            Kind::Placeholder => {
                self.next += 1;
                if self.is("(") {
                    self.arguments()?;
                } else if self.is("{") {
                    self.selector(true)?;
                }
                Type::Unknown
            }
            Kind::Symbol("(") => {
                self.next += 1;
                let (answers, _) = self.expression(0)?;
                self.expect(")")?;
                answers
            }
            Kind::Symbol("{") => self.selector(false)?,
            Kind::Word(word) => {
                self.next += 1;
                self.word(&word, at)?
            }
            _ => return self.unexpected("a metric, a function or a number"),
        };
        Ok((answers, at))
    }

    fn word(&mut self, word: &str, at: usize) -> Result<Type, Problem> {
        let lower = word.to_ascii_lowercase();
        let grouped = self.is("(") || self.is_word("by") || self.is_word("without");
        if let Some((_, before)) = AGGREGATIONS.iter().find(|(name, _)| *name == lower && grouped) {
            return self.aggregate(word, at, *before);
        }
        match lower.as_str() {
            "inf" | "nan" => Ok(Type::Scalar),
            _ if self.is("(") => self.call(word, at),
            _ if self.is("{") => self.selector(true),
            _ => Ok(Type::Vector),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Typed>, Problem> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.accept(")") {
            arguments.push(self.expression(0)?);
            if !self.accept(",") && !self.is(")") {
                return self.unexpected("`,` or `)`");
            }
        }
        Ok(arguments)
    }

    fn call(&mut self, name: &str, at: usize) -> Result<Type, Problem> {
        let arguments = self.arguments()?;
        let Some(signature) = function::signature(name) else {
            let near = suggest::nearest(name, function::names());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            self.found.unknown.push(Problem::new(at, format!("Prometheus has no function `{name}`{hint}")));
            return Ok(Type::Unknown);
        };
        let (got, most) = (arguments.len(), signature.arguments.len());
        let least = most - signature.optional.min(most);
        if got < least || got > most && !signature.repeats {
            let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
            return Err(Problem::new(at, format!("`{name}` takes {wanted} arguments, not {got}")));
        }
        let last = signature.arguments.last().copied();
        for (place, argument) in arguments.iter().enumerate() {
            let wanted = signature.arguments.get(place).copied().or(last);
            wanted.map_or(Ok(()), |wanted| fits(name, *argument, wanted))?;
        }
        Ok(signature.answers)
    }

    fn aggregate(&mut self, name: &str, at: usize, before: Option<Type>) -> Result<Type, Problem> {
        let grouped = self.grouping()?;
        let arguments = self.arguments()?;
        if !grouped {
            self.grouping()?;
        }
        let wanted: Vec<Type> = before.into_iter().chain([Type::Vector]).collect();
        if arguments.len() != wanted.len() {
            return Err(Problem::new(at, format!("`{name}` takes {} arguments, not {}", wanted.len(), arguments.len())));
        }
        arguments.iter().zip(wanted).try_for_each(|(argument, wanted)| fits(name, *argument, wanted))?;
        Ok(Type::Vector)
    }

    fn grouping(&mut self) -> Result<bool, Problem> {
        let grouped = self.accept_word("by") || self.accept_word("without");
        if grouped {
            self.labels()?;
        }
        Ok(grouped)
    }

    /// `{label="value", …}`; without a name before it, something in it must say what is selected.
    fn selector(&mut self, named: bool) -> Result<Type, Problem> {
        let at = self.at();
        self.expect("{")?;
        let mut any = named;
        while !self.accept("}") {
            any = true;
            let name = match self.peek() {
                Kind::Word(_) | Kind::Text | Kind::Placeholder => self.peek().clone(),
                _ => return self.unexpected("a label or `}`"),
            };
            self.next += 1;
            if ["=", "!=", "=~", "!~"].iter().any(|sign| self.accept(sign)) {
                match self.peek() {
                    Kind::Text | Kind::Placeholder => self.next += 1,
                    _ => return self.unexpected("a text in quotes"),
                }
            } else if matches!(name, Kind::Word(_)) {
                // A name in quotes stands alone, and a placeholder may be a whole matcher.
                return self.unexpected("`=`, `!=`, `=~` or `!~`");
            }
            if !self.accept(",") && !self.is("}") {
                return self.unexpected("`,` or `}`");
            }
        }
        if any { Ok(Type::Vector) } else { Err(Problem::new(at, "this selects nothing: name a metric or a label")) }
    }

    /// `[5m]`, `[1h:5m]`, `offset 1m` and `@ 0` behind an expression.
    fn modifiers(&mut self, (mut answers, start): Typed) -> Result<Typed, Problem> {
        loop {
            let at = self.at();
            if self.accept("[") {
                if !answers.fits(Type::Vector) {
                    return Err(Problem::new(at, format!("a range is one of values now, not of {}", answers.told())));
                }
                let seconds = self.duration()?;
                // The range of a subquery is as fine as its step, whatever the scrapes.
                if self.accept(":") {
                    if !self.is("]") {
                        self.duration()?;
                    }
                } else if let Some(seconds) = seconds {
                    self.found.ranges.push(Range { at, seconds });
                }
                self.expect("]")?;
                answers = Type::Matrix;
            } else if self.accept_word("offset") {
                let _ = self.accept("-") || self.accept("+");
                self.duration()?;
            } else if self.accept("@") {
                let _ = self.accept("-");
                match self.peek() {
                    Kind::Number | Kind::Placeholder => self.next += 1,
                    Kind::Word(word) if ["start", "end"].contains(&word.as_str()) => {
                        self.next += 1;
                        self.expect("(")?;
                        self.expect(")")?;
                    }
                    _ => return self.unexpected("a time, `start()` or `end()`"),
                }
            } else {
                return Ok((answers, start));
            }
        }
    }

    /// Seconds; `None` for a placeholder.
    fn duration(&mut self) -> Result<Option<f64>, Problem> {
        let seconds = match self.peek() {
            Kind::Duration(seconds) => Some(*seconds),
            Kind::Placeholder => None,
            // `ENV_PLACEHOLDER` and the like are names.
            Kind::Word(word) if word.contains("PLACEHOLDER") => None,
            Kind::Number => return Err(Problem::new(self.at(), "a duration has a unit: `30s`, `5m`")),
            _ => return self.unexpected("a duration like `5m`"),
        };
        self.next += 1;
        Ok(seconds)
    }
}

fn binary(operator: &str, binds: u8, bool: bool, left: Typed, right: Typed, at: usize) -> Result<Type, Problem> {
    if let Some((side, place)) = [left, right].iter().find(|(side, _)| matches!(side, Type::Matrix | Type::Text)) {
        return Err(Problem::new(*place, format!("`{operator}` has {} beside it", side.told())));
    }
    let numbers = left.0 == Type::Scalar && right.0 == Type::Scalar;
    match binds {
        1 | 2 if left.0 == Type::Scalar || right.0 == Type::Scalar => {
            Err(Problem::new(at, format!("`{operator}` stands between values now, not numbers")))
        }
        3 if numbers && !bool => Err(Problem::new(at, format!("between two numbers it is `{operator} bool`"))),
        _ if bool && binds != 3 => Err(Problem::new(at, "`bool` goes with comparisons alone")),
        _ if left.0 == Type::Unknown || right.0 == Type::Unknown => Ok(Type::Unknown),
        _ if numbers => Ok(Type::Scalar),
        _ => Ok(Type::Vector),
    }
}

fn fits(name: &str, (got, at): Typed, wanted: Type) -> Result<(), Problem> {
    match (got.fits(wanted), wanted) {
        (true, _) => Ok(()),
        (false, Type::Matrix) if got == Type::Vector => {
            Err(Problem::new(at, format!("`{name}` needs a range of values here: `x[5m]`")))
        }
        _ => Err(Problem::new(at, format!("`{name}` needs {} here, not {}", wanted.told(), got.told()))),
    }
}
