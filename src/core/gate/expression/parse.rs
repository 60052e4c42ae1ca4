//! A condition's text as a tree.

use super::{Node, Operator, Problem, Value};
use crate::core::suggest;

/// Brackets deeper than this are nobody's condition.
const DEPTH: usize = 64;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Word(String),
    Number(f64),
    Text(String),
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 31] = [
    "&&", "||", "==", "!=", "<=", ">=", "**", "??", "?.", "<", ">", "+", "-", "*", "/", "%", "^", "!", "?", ":", "(", ")", "[",
    "]", "{", "}", ",", ".", "#", "=", ";",
];

pub fn parse(text: &str) -> Result<Node, Problem> {
    let mut parser = Parser { tokens: lex(text)?, next: 0, depth: 0 };
    let node = parser.expression(0)?;
    if *parser.peek() != Kind::End {
        return parser.unexpected("an operator");
    }
    Ok(node)
}

fn lex(text: &str) -> Result<Vec<(Kind, usize)>, Problem> {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut tokens) = (0, Vec::new());
    while let Some(&first) = text.get(at) {
        let run = |from: usize, part: fn(&char) -> bool| from + text.iter().skip(from).take_while(|letter| part(letter)).count();
        let digit = |place: usize| text.get(place).is_some_and(char::is_ascii_digit);
        let start = at;
        let kind = if first.is_whitespace() {
            at += 1;
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' {
            at = run(at, |letter| letter.is_ascii_alphanumeric() || *letter == '_');
            Kind::Word(text.iter().skip(start).take(at - start).collect())
        } else if first.is_ascii_digit() || first == '.' && digit(at + 1) {
            at = run(at, |letter| letter.is_ascii_digit() || matches!(letter, '.' | '_'));
            if text.get(at).is_some_and(|letter| matches!(letter, 'e' | 'E')) {
                at += 1;
                at += usize::from(text.get(at).is_some_and(|letter| matches!(letter, '+' | '-')));
                at = run(at, char::is_ascii_digit);
            }
            let word: String = text.iter().skip(start).take(at - start).filter(|letter| **letter != '_').collect();
            let number = word.parse().map_err(|_| Problem { at: start, message: format!("`{word}` is not a number") })?;
            Kind::Number(number)
        } else if let '"' | '\'' | '`' = first {
            let mut inside = String::new();
            at += 1;
            loop {
                match text.get(at) {
                    None => return Err(Problem { at: start, message: "this quote is not closed".into() }),
                    Some(letter) if *letter == first => break,
                    Some('\\') if first != '`' => {
                        at += 1;
                        inside.extend(text.get(at));
                    }
                    Some(letter) => inside.push(*letter),
                }
                at += 1;
            }
            at += 1;
            Kind::Text(inside)
        } else {
            let here = |symbol: &&&str| symbol.chars().enumerate().all(|(place, letter)| text.get(at + place) == Some(&letter));
            let Some(symbol) = SYMBOLS.iter().find(here) else {
                return Err(Problem { at, message: format!("`{first}` says nothing here") });
            };
            at += symbol.len();
            Kind::Symbol(symbol)
        };
        tokens.push((kind, start));
    }
    tokens.push((Kind::End, text.len()));
    Ok(tokens)
}

struct Parser {
    tokens: Vec<(Kind, usize)>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |(kind, _)| kind)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |(_, at)| *at)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let is = matches!(self.peek(), Kind::Symbol(here) if *here == symbol);
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.accept(symbol) { Ok(()) } else { self.unexpected(&format!("`{symbol}`")) }
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, Problem> {
        let found = match self.peek() {
            Kind::End => "the condition ends".to_owned(),
            Kind::Word(word) => format!("`{word}` stands"),
            Kind::Symbol("=") => return Err(Problem { at: self.at(), message: "equality is `==`".into() }),
            Kind::Symbol(symbol) => format!("`{symbol}` stands"),
            Kind::Number(number) => format!("{number} stands"),
            Kind::Text(_) => "a text stands".to_owned(),
        };
        Err(Problem { at: self.at(), message: format!("{found} where {wanted} is due") })
    }

    /// A binary operator and how tightly it binds.
    fn operator(&self) -> Option<(Operator, u8)> {
        Some(match self.peek() {
            Kind::Symbol("||") => (Operator::Or, 2),
            Kind::Symbol("&&") => (Operator::And, 3),
            Kind::Symbol("==") => (Operator::Equal, 4),
            Kind::Symbol("!=") => (Operator::Unequal, 4),
            Kind::Symbol("<") => (Operator::Less, 4),
            Kind::Symbol("<=") => (Operator::LessOrEqual, 4),
            Kind::Symbol(">") => (Operator::Greater, 4),
            Kind::Symbol(">=") => (Operator::GreaterOrEqual, 4),
            Kind::Symbol("+") => (Operator::Add, 5),
            Kind::Symbol("-") => (Operator::Subtract, 5),
            Kind::Symbol("*") => (Operator::Multiply, 6),
            Kind::Symbol("/") => (Operator::Divide, 6),
            Kind::Symbol("%") => (Operator::Remainder, 6),
            Kind::Symbol("**" | "^") => (Operator::Power, 8),
            Kind::Symbol("??") => (Operator::Otherwise, 9),
            Kind::Word(word) => match word.as_str() {
                "or" => (Operator::Or, 2),
                "and" => (Operator::And, 3),
                "in" => (Operator::In, 4),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn expression(&mut self, floor: u8) -> Result<Node, Problem> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Problem { at: self.at(), message: "brackets are nested too deeply".into() });
        }
        let mut left = self.unary()?;
        while let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds > floor) {
            self.next += 1;
            let right = self.expression(if operator == Operator::Power { binds - 1 } else { binds })?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        if floor == 0 && self.accept("?") {
            let then = self.expression(0)?;
            self.expect(":")?;
            let otherwise = self.expression(0)?;
            left = Node::Choice(Box::new(left), Box::new(then), Box::new(otherwise));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Problem> {
        if self.accept("!") || matches!(self.peek(), Kind::Word(word) if word == "not") && self.skip() {
            return Ok(Node::Not(Box::new(self.expression(7)?)));
        }
        if self.accept("-") {
            return Ok(Node::Negative(Box::new(self.expression(7)?)));
        }
        if self.accept("+") {
            return self.expression(7);
        }
        let mut node = self.primary()?;
        loop {
            if self.accept("[") {
                let index = self.expression(0)?;
                self.expect("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else if self.accept(".") || self.accept("?.") {
                node = Node::Field(Box::new(node), self.name()?);
            } else {
                return Ok(node);
            }
        }
    }

    fn skip(&mut self) -> bool {
        self.next += 1;
        true
    }

    fn name(&mut self) -> Result<String, Problem> {
        let Kind::Word(word) = self.peek().clone() else { return self.unexpected("the name of a field") };
        self.next += 1;
        Ok(word)
    }

    fn primary(&mut self) -> Result<Node, Problem> {
        let at = self.at();
        let node = match self.peek().clone() {
            Kind::Number(number) => Node::Constant(Value::Number(number)),
            Kind::Text(text) => Node::Constant(Value::Text(text)),
            Kind::Symbol("#") => Node::Entry,
            Kind::Symbol("(") => {
                self.next += 1;
                let node = self.expression(0)?;
                self.expect(")")?;
                return Ok(node);
            }
            Kind::Symbol("[") => {
                self.next += 1;
                return self.list("]").map(Node::List);
            }
            // A field of the entry that a closure looks at.
            Kind::Symbol(".") => {
                self.next += 1;
                return Ok(Node::Field(Box::new(Node::Entry), self.name()?));
            }
            Kind::Word(word) => {
                self.next += 1;
                return self.word(word, at);
            }
            _ => return self.unexpected("a value"),
        };
        self.next += 1;
        Ok(node)
    }

    fn word(&mut self, word: String, at: usize) -> Result<Node, Problem> {
        match word.as_str() {
            "true" => return Ok(Node::Constant(Value::Truth(true))),
            "false" => return Ok(Node::Constant(Value::Truth(false))),
            "nil" | "null" => return Ok(Node::Constant(Value::Nil)),
            _ => {}
        }
        if !self.accept("(") {
            return match word.as_str() {
                "result" => Ok(Node::Name(word)),
                _ => Err(Problem { at, message: format!("nothing is called `{word}`; what was measured is `result`") }),
            };
        }
        let Some((_, least, most)) = super::eval::FUNCTIONS.iter().find(|(name, ..)| *name == word) else {
            let near = suggest::nearest(&word, super::eval::FUNCTIONS.iter().map(|(name, ..)| *name));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(Problem { at, message: format!("there is no function `{word}`{hint}") });
        };
        let arguments = self.list(")")?;
        if !(*least..=*most).contains(&arguments.len()) {
            let wanted = if least == most { least.to_string() } else { format!("{least} or more") };
            return Err(Problem { at, message: format!("`{word}` takes {wanted} arguments, not {}", arguments.len()) });
        }
        Ok(Node::Call(word, arguments))
    }

    /// Expressions between commas. Those in braces are closures.
    fn list(&mut self, close: &'static str) -> Result<Vec<Node>, Problem> {
        let mut list = Vec::new();
        while !self.accept(close) {
            let closure = self.accept("{");
            list.push(self.expression(0)?);
            if closure {
                self.expect("}")?;
            }
            if !self.accept(",") && !matches!(self.peek(), Kind::Symbol(symbol) if *symbol == close) {
                return self.unexpected(&format!("`,` or `{close}`"));
            }
        }
        Ok(list)
    }
}
