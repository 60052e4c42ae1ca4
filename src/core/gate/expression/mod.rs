//! Conditions on a measured `result`, as Argo writes them: `result[0] >= 0.95`, `all(result, # < 1000)`.
//!
//! The part of the language expr that conditions use: numbers, texts, lists, fields, arithmetic, comparisons, `&&`, `||`, `!`,
//! `? :`, `??`, `in`, closures with `#`, and the functions of [`eval`]'s table. What is not measured has no truth: a value of
//! the wrong type is an error, never false.

mod eval;
mod parse;

use serde_json::Value as Json;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: a missing field.
    Nil,
    /// A number; NaN is one.
    Number(f64),
    /// A truth.
    Truth(bool),
    /// A text.
    Text(String),
    /// A list, as a vector of Prometheus.
    List(Vec<Value>),
    /// Fields by name.
    Fields(Vec<(String, Value)>),
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Value::Nil,
            Json::Bool(truth) => Value::Truth(*truth),
            Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(list) => Value::List(list.iter().map(Value::from).collect()),
            Json::Object(map) => Value::Fields(map.iter().map(|(name, value)| (name.clone(), value.into())).collect()),
        }
    }
}

impl Value {
    /// Whether a NaN is in it.
    pub fn has_nan(&self) -> bool {
        self.has(f64::is_nan)
    }

    /// Whether an infinity is in it.
    pub fn has_infinity(&self) -> bool {
        self.has(f64::is_infinite)
    }

    fn has(&self, odd: fn(f64) -> bool) -> bool {
        match self {
            Value::Number(number) => odd(*number),
            Value::List(list) => list.iter().any(|one| one.has(odd)),
            _ => false,
        }
    }
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    Constant(Value),
    /// `result`, or another name.
    Name(String),
    /// `#`, the entry that a closure looks at.
    Entry,
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
    Index(Box<Node>, Box<Node>),
    Field(Box<Node>, String),
    List(Vec<Node>),
    Call(String, Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Otherwise,
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How many characters stand before it.
    pub at: usize,
    /// What, in one sentence.
    pub message: String,
}

impl Expression {
    /// Reads a condition.
    ///
    /// ```
    /// use tidegate::core::gate::expression::{Expression, Value};
    /// let condition = Expression::parse("len(result) > 0 && result[0] >= 0.95").expect("a condition");
    /// assert_eq!(condition.holds(&Value::List(vec![Value::Number(0.97)])), Ok(true));
    /// assert_eq!(condition.holds(&Value::List(vec![])), Ok(false));
    /// ```
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        parse::parse(text).map(Self)
    }

    /// Whether it holds for what was measured.
    ///
    /// # Errors
    /// Says why that cannot be told: an entry that is not there, a value of another type.
    pub fn holds(&self, result: &Value) -> Result<bool, String> {
        match eval::eval(&self.0, &eval::Scope { result, entry: None, minds_nan: self.minds_nan() })? {
            Value::Truth(truth) => Ok(truth),
            other => Err(format!("the condition comes to {}, not to true or false", eval::told(&other))),
        }
    }

    /// Whether it looks for NaN itself.
    pub fn minds_nan(&self) -> bool {
        self.calls("isNaN")
    }

    /// Whether it looks for infinities itself.
    pub fn minds_infinity(&self) -> bool {
        self.calls("isInf")
    }

    /// Whether it says what a result without any series means.
    pub fn minds_empty(&self) -> bool {
        ["len", "default", "isNil"].iter().any(|function| self.calls(function))
    }

    /// Whether it calls a function.
    fn calls(&self, function: &str) -> bool {
        fn within(node: &Node, function: &str) -> bool {
            match node {
                Node::Constant(_) | Node::Name(_) | Node::Entry => false,
                Node::Not(one) | Node::Negative(one) | Node::Field(one, _) => within(one, function),
                Node::Binary(_, one, other) | Node::Index(one, other) => within(one, function) || within(other, function),
                Node::Choice(one, two, three) => [one, two, three].iter().any(|node| within(node, function)),
                Node::List(nodes) => nodes.iter().any(|node| within(node, function)),
                Node::Call(name, nodes) => name == function || nodes.iter().any(|node| within(node, function)),
            }
        }
        within(&self.0, function)
    }

    /// Whether it says anything about what was measured.
    pub fn looks_at_the_result(&self) -> bool {
        fn within(node: &Node) -> bool {
            match node {
                Node::Constant(_) | Node::Entry => false,
                Node::Name(_) => true,
                Node::Not(one) | Node::Negative(one) | Node::Field(one, _) => within(one),
                Node::Binary(_, one, other) | Node::Index(one, other) => within(one) || within(other),
                Node::Choice(one, two, three) => [one, two, three].iter().any(|node| within(node)),
                Node::List(nodes) | Node::Call(_, nodes) => nodes.iter().any(within),
            }
        }
        within(&self.0)
    }

    /// The sign and the number of a comparison that decides: `>=` and 0.95 of `result[0] >= 0.95`, with or without something
    /// and `&&` before it.
    pub fn limit(&self) -> Option<(&'static str, f64)> {
        fn of(node: &Node) -> Option<(&'static str, f64)> {
            let Node::Binary(operator, left, right) = node else { return None };
            let sign = match operator {
                Operator::And => return of(right),
                Operator::Less => "<",
                Operator::LessOrEqual => "<=",
                Operator::Greater => ">",
                Operator::GreaterOrEqual => ">=",
                Operator::Equal => "==",
                _ => return None,
            };
            match (left.as_ref(), right.as_ref()) {
                (Node::Constant(_), _) => None,
                (_, Node::Constant(Value::Number(number))) => Some((sign, *number)),
                _ => None,
            }
        }
        of(&self.0)
    }
}

#[cfg(test)]
mod tests;
