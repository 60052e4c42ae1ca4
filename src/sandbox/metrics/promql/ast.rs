//! What a query says.
use regex::Regex;

/// The four types of PromQL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    Scalar,
    String,
    Vector,
    Matrix,
}

impl Type {
    /// Prometheus's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// One condition on a label; a missing label counts as empty.
#[derive(Clone, Debug)]
pub struct Matcher {
    pub(super) label: String,
    pub(super) test: Test,
}

/// How a label's value is compared.
#[derive(Clone, Debug)]
pub(super) enum Test {
    Equal(String),
    NotEqual(String),
    Matches(Regex),
    Differs(Regex),
}

impl Matcher {
    /// The label that is looked at.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Whether this value of the label passes.
    pub fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal(wanted) => value == wanted,
            Test::NotEqual(unwanted) => value != unwanted,
            Test::Matches(pattern) => pattern.is_match(value),
            Test::Differs(pattern) => !pattern.is_match(value),
        }
    }
}

/// `name{label="value"}[range] offset …`; durations in milliseconds.
#[derive(Clone, Debug)]
pub struct Selector {
    pub matchers: Vec<Matcher>,
    pub range: Option<i64>,
    pub offset: i64,
}

/// Which labels decide that two elements belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// `on`: only `labels` count. Otherwise all but `labels` (`ignoring`).
    pub on: bool,
    pub labels: Vec<String>,
    pub many: Many,
    /// Labels that `group_left` and `group_right` copy from the "one" side.
    pub include: Vec<String>,
}

/// The side on which several elements may meet the same element of the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Many {
    #[default]
    None,
    Left,
    Right,
}

/// `by (…)` or `without (…)`.
#[derive(Clone, Debug, Default)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

/// An expression whose types have been checked.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(super) kind: Kind,
    /// Byte offset in the query, for messages.
    pub(super) start: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Selector(Selector),
    Negate(Box<Expr>),
    Binary { op: Op, bool: bool, matching: Matching, left: Box<Expr>, right: Box<Expr> },
    Aggregate { op: Aggregation, grouping: Grouping, param: Option<Box<Expr>>, body: Box<Expr> },
    Call { name: String, returns: Type, args: Vec<Expr> },
}

impl Expr {
    pub(super) fn of_type(&self) -> Type {
        match &self.kind {
            Kind::Number(_) => Type::Scalar,
            Kind::Text(_) => Type::String,
            Kind::Selector(s) if s.range.is_some() => Type::Matrix,
            Kind::Selector(_) | Kind::Aggregate { .. } => Type::Vector,
            Kind::Negate(e) => e.of_type(),
            Kind::Call { returns, .. } => *returns,
            Kind::Binary { left, right, .. } => {
                let scalar = left.of_type() == Type::Scalar && right.of_type() == Type::Scalar;
                if scalar { Type::Scalar } else { Type::Vector }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Topk,
    Bottomk,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Unless,
}

impl Op {
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }

    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Higher binds tighter.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod => 5,
            Self::Pow => 6,
            _ => 3,
        }
    }

    /// The operator that a token spells, in lower case.
    pub fn from_token(token: &str) -> Option<Self> {
        Some(match token {
            "+" => Self::Add,
            "-" => Self::Sub,
            "*" => Self::Mul,
            "/" => Self::Div,
            "%" => Self::Mod,
            "^" => Self::Pow,
            "==" => Self::Eq,
            "!=" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            "and" => Self::And,
            "or" => Self::Or,
            "unless" => Self::Unless,
            _ => return None,
        })
    }
}
