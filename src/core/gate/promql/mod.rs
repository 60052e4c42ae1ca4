//! Whether a query is PromQL, and where it stops being it.
//!
//! A checker, not an engine: it knows the grammar, the types and the functions of Prometheus 3, and says at which character
//! something is wrong. Placeholders (`$SERVICE`, `${scope}`, `{{ args.name }}`, `ENV_PLACEHOLDER`) may stand for a name, a
//! number, a duration, a text, or a part of one; what they become is not judged. Regular expressions are not looked into.

mod function;
mod lexer;
mod parser;

/// Something at a place of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How many characters of the query stand before it.
    pub at: usize,
    /// What, in one sentence.
    pub message: String,
}

impl Problem {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A range selector, `x[5m]`, whose length is written in the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// How many characters of the query stand before its bracket.
    pub at: usize,
    /// Its length in seconds.
    pub seconds: f64,
}

/// What was found in a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// Why it is no query. What comes behind was not read.
    pub error: Option<Problem>,
    /// Functions that Prometheus does not have; what extends it may.
    pub unknown: Vec<Problem>,
    /// Its range selectors, in their order.
    pub ranges: Vec<Range>,
}

/// Checks a query that is to answer instant values.
///
/// ```
/// use tidegate::core::gate::promql::check;
/// assert!(check("sum(rate(requests_total{job=\"$SERVICE\"}[$DURATION])) by (le)").error.is_none());
/// let error = check("rate(requests_total)").error.expect("an error");
/// assert_eq!((error.at, error.message.as_str()), (5, "`rate` needs a range of values here: `x[5m]`"));
/// ```
pub fn check(query: &str) -> Checked {
    parser::check(query)
}

#[cfg(test)]
mod tests;
