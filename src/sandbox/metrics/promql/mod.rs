//! PromQL: instant and range selectors, the functions and aggregations that gates use, and binary operators with
//! vector matching. The functions are those of `functions::signature`.
mod aggregate;
mod ast;
mod binary;
mod eval;
mod functions;
mod lexer;
mod parser;

pub use ast::{Expr, Matcher};
pub use eval::{Element, Evaluator, Value};
pub use lexer::duration;
pub use parser::{parse, parse_selector};

use std::fmt;

/// A query that cannot be read. Shown as Prometheus shows it: `1:36: parse error: unexpected end of input`.
#[derive(Debug, PartialEq)]
pub struct ParseError {
    line: usize,
    column: usize,
    message: String,
}

impl ParseError {
    /// An error at a byte offset of the query.
    fn new(query: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = query.get(..offset).unwrap_or(query);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Self { line: before.matches('\n').count() + 1, column: before.len() - line_start + 1, message: message.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)
    }
}

/// A query that cannot be answered, in Prometheus's words (`errorType` execution).
#[derive(Debug, PartialEq)]
pub struct ExecutionError(pub String);

impl fmt::Display for ExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
