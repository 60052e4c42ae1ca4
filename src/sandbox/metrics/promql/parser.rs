//! Tokens to a type-checked [`Expr`], by precedence climbing. Errors say what Prometheus says where it is cheap to.
use regex::Regex;

use super::ParseError;
use super::ast::{Aggregation, Expr, Grouping, Kind, Many, Matcher, Matching, Op, Selector, Test, Type};
use super::functions;
use super::lexer::{Token, TokenKind, lex};

/// Nesting beyond this is refused instead of overflowing the stack.
const MAX_DEPTH: usize = 60;

/// Reads a query.
pub fn parse(query: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser { query, tokens: lex(query)?, next: 0, depth: 0 };
    if parser.peek() == &TokenKind::End {
        return Err(ParseError::new(query, 0, "no expression found in input"));
    }
    let expr = parser.expression(0)?;
    parser.end()?;
    Ok(expr)
}

/// Reads a bare selector, as `match[]` takes it.
pub fn parse_selector(query: &str) -> Result<Vec<Matcher>, ParseError> {
    match parse(query)?.kind {
        Kind::Selector(Selector { matchers, range: None, offset: 0 }) => Ok(matchers),
        _ => Err(ParseError::new(query, 0, "expected a series selector")),
    }
}

struct Parser<'a> {
    query: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &TokenKind {
        self.tokens.get(self.next + ahead).map_or(&TokenKind::End, |t| &t.kind)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.next).map_or(self.query.len(), |t| t.start)
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Symbol(s) if *s == symbol);
        self.next += usize::from(found);
        found
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), TokenKind::Word(w) if w.eq_ignore_ascii_case(word))
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn fail<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(self.query, offset, message))
    }

    /// The next token has no place here.
    fn unexpected<T>(&self, context: &str) -> Result<T, ParseError> {
        let end = self.tokens.get(self.next + 1).map_or(self.query.len(), |t| t.start);
        let text = self.query.get(self.start()..end).unwrap_or_default().trim_end();
        let what = match self.peek() {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Word(_) => format!("identifier {text:?}"),
            TokenKind::Number(_) => format!("number {text:?}"),
            TokenKind::Duration(_) => format!("duration {text:?}"),
            TokenKind::Text(_) => format!("string {text:?}"),
            TokenKind::Symbol(")") => "right parenthesis ')'".to_owned(),
            TokenKind::Symbol("]") => "right bracket ']'".to_owned(),
            TokenKind::Symbol(s) if Op::from_token(s).is_some() => format!("<op:{s}>"),
            TokenKind::Symbol(s) => format!("{s:?}"),
        };
        self.fail(self.start(), format!("unexpected {what}{context}"))
    }

    fn end(&self) -> Result<(), ParseError> {
        if self.peek() == &TokenKind::End { Ok(()) } else { self.unexpected("") }
    }

    fn close(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.accept(symbol) {
            return Ok(());
        }
        match (symbol, self.peek()) {
            (")", TokenKind::End) => self.fail(self.start(), "unclosed left parenthesis"),
            ("]", TokenKind::End) => self.fail(self.start(), "unclosed left bracket"),
            _ => self.unexpected(""),
        }
    }

    /// An expression whose operators all bind tighter than `floor`.
    fn expression(&mut self, floor: u8) -> Result<Expr, ParseError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(self.start(), "expression is nested too deeply");
        }
        let mut left = self.unary()?;
        while let Some(op) = self.operator().filter(|op| op.precedence() > floor) {
            let at = self.start();
            self.next += 1;
            let bool = self.accept_word("bool");
            let matching = self.matching(at)?;
            // `^` groups to the right: what follows may hold another of the same strength.
            let right = self.expression(if op == Op::Pow { op.precedence() - 1 } else { op.precedence() })?;
            left = self.binary(op, bool, matching, left, right, at)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn operator(&self) -> Option<Op> {
        match self.peek() {
            TokenKind::Symbol(s) => Op::from_token(s),
            TokenKind::Word(w) => Op::from_token(&w.to_ascii_lowercase()),
            _ => None,
        }
    }

    fn binary(&self, op: Op, bool: bool, matching: Matching, l: Expr, r: Expr, at: usize) -> Result<Expr, ParseError> {
        let start = l.start;
        let types = (l.of_type(), r.of_type());
        for side in [&l, &r] {
            if !matches!(side.of_type(), Type::Scalar | Type::Vector) {
                let message = "binary expression must contain only scalar and instant vector types";
                return self.fail(side.start, message);
            }
        }
        if bool && !op.is_comparison() {
            return self.fail(at, "bool modifier can only be used on comparison operators");
        }
        if op.is_comparison() && !bool && types == (Type::Scalar, Type::Scalar) {
            return self.fail(at, "comparisons between scalars must use BOOL modifier");
        }
        if op.is_set() && types != (Type::Vector, Type::Vector) {
            let name = format!("{op:?}").to_ascii_lowercase();
            return self.fail(start, format!("set operator {name:?} not allowed in binary scalar expression"));
        }
        if matching != Matching::default() && types != (Type::Vector, Type::Vector) {
            return self.fail(start, "vector matching only allowed between instant vectors");
        }
        if op.is_set() && matching.many != Many::None {
            let name = format!("{op:?}").to_ascii_lowercase();
            return self.fail(start, format!("no grouping allowed for {name:?} operation"));
        }
        Ok(Expr { kind: Kind::Binary { op, bool, matching, left: Box::new(l), right: Box::new(r) }, start })
    }

    /// `at` is where the operator stands, for messages.
    fn matching(&mut self, at: usize) -> Result<Matching, ParseError> {
        let mut matching = Matching::default();
        if !self.is_word("on") && !self.is_word("ignoring") {
            return Ok(matching);
        }
        matching.on = self.is_word("on");
        self.next += 1;
        matching.labels = self.labels()?;
        matching.many = match (self.accept_word("group_left"), self.accept_word("group_right")) {
            (true, _) => Many::Left,
            (_, true) => Many::Right,
            _ => return Ok(matching),
        };
        if matches!(self.peek(), TokenKind::Symbol("(")) {
            matching.include = self.labels()?;
            if let Some(label) = matching.include.iter().find(|l| matching.on && matching.labels.contains(l)) {
                return self.fail(at, format!("label {label:?} must not occur in ON and GROUP clause at once"));
            }
        }
        Ok(matching)
    }

    fn labels(&mut self) -> Result<Vec<String>, ParseError> {
        if !self.accept("(") {
            return self.unexpected(" in grouping opts, expected \"(\"");
        }
        let mut labels = Vec::new();
        while !self.accept(")") {
            match self.peek().clone() {
                TokenKind::Word(label) => labels.push(label),
                TokenKind::End => return self.fail(self.start(), "unclosed left parenthesis"),
                _ => return self.unexpected(" in grouping opts, expected label"),
            }
            self.next += 1;
            if !self.accept(",") && !matches!(self.peek(), TokenKind::Symbol(")")) {
                self.close(")")?;
            }
        }
        Ok(labels)
    }

    /// A sign binds looser than `^` and tighter than `*`.
    fn unary(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        let negative = matches!(self.peek(), TokenKind::Symbol("-"));
        if !negative && !matches!(self.peek(), TokenKind::Symbol("+")) {
            let parenthesised = matches!(self.peek(), TokenKind::Symbol("("));
            let primary = self.primary()?;
            return if parenthesised { Ok(primary) } else { self.modifiers(primary) };
        }
        self.next += 1;
        let body = self.expression(Op::Mul.precedence())?;
        if !matches!(body.of_type(), Type::Scalar | Type::Vector) {
            let got = body.of_type().name();
            let message = "unary expression only allowed on expressions of type scalar or instant vector, got";
            return self.fail(start, format!("{message} {got:?}"));
        }
        Ok(if negative { Expr { kind: Kind::Negate(Box::new(body)), start } } else { body })
    }

    fn primary(&mut self) -> Result<Expr, ParseError> {
        let start = self.start();
        let kind = match self.peek().clone() {
            TokenKind::Number(n) => {
                self.next += 1;
                Kind::Number(n)
            }
            TokenKind::Text(text) => {
                self.next += 1;
                Kind::Text(text)
            }
            TokenKind::Symbol("(") => {
                self.next += 1;
                let body = self.expression(0)?;
                self.close(")")?;
                return Ok(Expr { start, ..body });
            }
            TokenKind::Symbol("{") => self.selector(None)?,
            TokenKind::Word(word) => {
                self.next += 1;
                return self.word(word, start);
            }
            _ => return self.unexpected(""),
        };
        Ok(Expr { kind, start })
    }

    fn word(&mut self, word: String, start: usize) -> Result<Expr, ParseError> {
        let lower = word.to_ascii_lowercase();
        let opens = matches!(self.peek(), TokenKind::Symbol("("));
        if let Some(op) = aggregation(&lower)
            && (opens || self.is_word("by") || self.is_word("without"))
        {
            return self.aggregate(op, start);
        }
        let kind = match lower.as_str() {
            "inf" => Kind::Number(f64::INFINITY),
            "nan" => Kind::Number(f64::NAN),
            _ if opens => return self.call(&word, start),
            _ => self.selector(Some(word))?,
        };
        Ok(Expr { kind, start })
    }

    fn arguments(&mut self) -> Result<Vec<Expr>, ParseError> {
        if !self.accept("(") {
            return self.unexpected(" in aggregation, expected \"(\"");
        }
        let mut args = Vec::new();
        if self.accept(")") {
            return Ok(args);
        }
        loop {
            if matches!(self.peek(), TokenKind::End) {
                self.close(")")?;
            }
            args.push(self.expression(0)?);
            if !self.accept(",") {
                self.close(")")?;
                return Ok(args);
            }
        }
    }

    fn call(&mut self, name: &str, start: usize) -> Result<Expr, ParseError> {
        let Some(function) = functions::signature(name) else {
            return self.fail(start, format!("unknown function with name {name:?}"));
        };
        let args = self.arguments()?;
        let (most, got) = (function.args.len(), args.len());
        if got > most || got + function.optional < most {
            let bound = match (function.optional, got > most) {
                (0, _) => "",
                (_, true) => "at most ",
                (_, false) => "at least ",
            };
            let wanted = if got > most { most } else { most - function.optional };
            return self.fail(start, format!("expected {bound}{wanted} argument(s) in call to {name:?}, got {got}"));
        }
        for (arg, wanted) in args.iter().zip(function.args) {
            self.check(arg, *wanted, &format!("call to function {name:?}"))?;
        }
        Ok(Expr { kind: Kind::Call { name: name.to_owned(), returns: function.returns, args }, start })
    }

    fn aggregate(&mut self, op: Aggregation, start: usize) -> Result<Expr, ParseError> {
        let before = self.grouping()?;
        let mut args = self.arguments()?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        let with_param = matches!(op, Aggregation::Topk | Aggregation::Bottomk);
        let wanted = 1 + usize::from(with_param);
        let got = args.len();
        let Some(body) = args.pop() else {
            return self.fail(start, "no arguments for aggregate expression provided");
        };
        if got != wanted {
            let message = "wrong number of arguments for aggregate expression provided, expected";
            return self.fail(start, format!("{message} {wanted}, got {got}"));
        }
        self.check(&body, Type::Vector, "aggregation expression")?;
        let param = args.pop();
        if let Some(param) = &param {
            self.check(param, Type::Scalar, "aggregation parameter")?;
        }
        let kind = Kind::Aggregate { op, grouping, param: param.map(Box::new), body: Box::new(body) };
        Ok(Expr { kind, start })
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.is_word("without");
        if !without && !self.is_word("by") {
            return Ok(None);
        }
        self.next += 1;
        Ok(Some(Grouping { without, labels: self.labels()? }))
    }

    fn check(&self, expr: &Expr, wanted: Type, place: &str) -> Result<(), ParseError> {
        let got = expr.of_type();
        if got == wanted {
            return Ok(());
        }
        self.fail(expr.start, format!("expected type {} in {place}, got {}", wanted.name(), got.name()))
    }

    fn selector(&mut self, name: Option<String>) -> Result<Kind, ParseError> {
        let start = self.tokens.get(self.next.saturating_sub(usize::from(name.is_some()))).map_or(0, |t| t.start);
        let mut matchers = Vec::new();
        if let Some(name) = name {
            matchers.push(Matcher { label: "__name__".to_owned(), test: Test::Equal(name) });
        }
        if self.accept("{") {
            while !self.accept("}") {
                matchers.push(self.matcher()?);
                if !self.accept(",") && !matches!(self.peek(), TokenKind::Symbol("}")) {
                    return self.unexpected_in_braces(" in label matching, expected \",\" or \"}\"");
                }
            }
        }
        if matchers.iter().all(|m| m.accepts("")) {
            return self.fail(start, "vector selector must contain at least one non-empty matcher");
        }
        Ok(Kind::Selector(Selector { matchers, range: None, offset: 0 }))
    }

    fn unexpected_in_braces<T>(&self, context: &str) -> Result<T, ParseError> {
        let ended = self.peek() == &TokenKind::End;
        self.unexpected(if ended { " inside braces" } else { context })
    }

    fn matcher(&mut self) -> Result<Matcher, ParseError> {
        let at = self.start();
        let TokenKind::Word(label) = self.peek().clone() else {
            return self.unexpected_in_braces(" in label matching, expected identifier or \"}\"");
        };
        self.next += 1;
        let op = match self.peek() {
            TokenKind::Symbol(op @ ("=" | "!=" | "=~" | "!~")) => *op,
            _ => {
                return self.unexpected_in_braces(" in label matching, expected label matching operator");
            }
        };
        self.next += 1;
        let TokenKind::Text(value) = self.peek().clone() else {
            return self.unexpected_in_braces(" in label matching, expected string");
        };
        self.next += 1;
        let pattern = || match Regex::new(&format!("^(?:{value})$")) {
            Ok(regex) => Ok(regex),
            Err(error) => self.fail(at, format!("error parsing regexp: {error}: `^(?:{value})$`")),
        };
        let test = match op {
            "=" => Test::Equal(value),
            "!=" => Test::NotEqual(value),
            "=~" => Test::Matches(pattern()?),
            _ => Test::Differs(pattern()?),
        };
        Ok(Matcher { label, test })
    }

    /// `[5m]` and `offset 1m` behind a selector.
    fn modifiers(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        loop {
            let at = self.start();
            if self.accept("[") {
                let Kind::Selector(selector) = &mut expr.kind else {
                    return self.fail(at, "ranges are only allowed for vector selectors (subqueries are not supported)");
                };
                if selector.offset != 0 {
                    return self.fail(at, "no offset modifiers allowed before range");
                }
                selector.range = Some(self.duration(" in range, expected duration")?);
                self.close("]")?;
            } else if self.accept_word("offset") {
                let negative = self.accept("-");
                let offset = self.duration(" in offset, expected duration")?;
                let Kind::Selector(selector) = &mut expr.kind else {
                    return self.fail(at, "offset modifier must be preceded by an instant or range vector selector");
                };
                selector.offset = if negative { -offset } else { offset };
            } else {
                return Ok(expr);
            }
        }
    }

    fn duration(&mut self, context: &str) -> Result<i64, ParseError> {
        match self.peek() {
            TokenKind::Duration(ms) => {
                let ms = *ms;
                self.next += 1;
                Ok(ms)
            }
            TokenKind::Number(_) => self.fail(self.start(), "missing unit character in duration"),
            _ => self.unexpected(context),
        }
    }
}

fn aggregation(word: &str) -> Option<Aggregation> {
    Some(match word {
        "sum" => Aggregation::Sum,
        "avg" => Aggregation::Avg,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "count" => Aggregation::Count,
        "topk" => Aggregation::Topk,
        "bottomk" => Aggregation::Bottomk,
        _ => return None,
    })
}
