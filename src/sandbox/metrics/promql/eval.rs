//! Evaluation of a query at one instant.
use std::cell::Cell;
use std::collections::HashSet;

use super::super::tsdb::{Labels, Sample, Tsdb};
use super::ast::{Expr, Kind, Selector};
use super::{ExecutionError, aggregate, binary, functions};

/// An instant selector finds values up to five minutes old.
const LOOKBACK_MS: i64 = 300_000;

/// As Prometheus's `--query.max-samples`; here counted over the whole query, so that none can hold the process for long.
const MAX_SAMPLES: u64 = 50_000_000;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its labels; `__name__` is gone after a calculation.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// What a query results in.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A text.
    Text(String),
    /// One value a label set.
    Vector(Vec<Element>),
    /// The samples of each label set.
    Matrix(Vec<(Labels, Vec<Sample>)>),
}

/// Answers queries about a store; counts the samples that they touch.
pub struct Evaluator<'a> {
    db: &'a Tsdb,
    samples: Cell<u64>,
}

impl<'a> Evaluator<'a> {
    /// For one HTTP request: the limit of samples spans all its evaluations.
    pub fn new(db: &'a Tsdb) -> Self {
        Self { db, samples: Cell::new(0) }
    }

    /// The value of a query at a time in milliseconds.
    pub fn eval(&self, expr: &Expr, at: i64) -> Result<Value, ExecutionError> {
        match &expr.kind {
            Kind::Number(n) => Ok(Value::Scalar(*n)),
            Kind::Text(text) => Ok(Value::Text(text.clone())),
            Kind::Selector(selector) => match selector.range {
                Some(range) => self.range(selector, range, at).map(Value::Matrix),
                None => {
                    let found = self.instant(selector, at)?;
                    Ok(Value::Vector(found.into_iter().map(|(labels, s)| Element { labels, value: s.value }).collect()))
                }
            },
            Kind::Negate(body) => match self.eval(body, at)? {
                Value::Scalar(n) => Ok(Value::Scalar(-n)),
                other => map(vector(other), |v| -v).map(Value::Vector),
            },
            Kind::Binary { op, bool, matching, left, right } => {
                binary::apply(*op, *bool, matching, self.eval(left, at)?, self.eval(right, at)?)
            }
            Kind::Aggregate { op, grouping, param, body } => {
                let param = match param {
                    Some(param) => self.scalar(param, at)?,
                    None => f64::NAN,
                };
                Ok(Value::Vector(aggregate::apply(*op, grouping, param, self.vector(body, at)?)))
            }
            Kind::Call { name, args, .. } => functions::call(self, name, args, at),
        }
    }

    pub(super) fn vector(&self, expr: &Expr, at: i64) -> Result<Vec<Element>, ExecutionError> {
        self.eval(expr, at).map(vector)
    }

    pub(super) fn scalar(&self, expr: &Expr, at: i64) -> Result<f64, ExecutionError> {
        match self.eval(expr, at)? {
            Value::Scalar(n) => Ok(n),
            _ => Ok(f64::NAN),
        }
    }

    /// The freshest sample of each series, unless it is too old or the series has ended.
    pub(super) fn instant(&self, selector: &Selector, at: i64) -> Result<Vec<(Labels, Sample)>, ExecutionError> {
        let at = at - selector.offset;
        let mut found = Vec::new();
        for series in self.db.select(&selector.matchers) {
            let newest = series.between(at - LOOKBACK_MS, at).next_back();
            if let Some(sample) = newest.filter(|s| !s.is_stale()) {
                self.count(1)?;
                found.push((series.labels.clone(), sample));
            }
        }
        Ok(found)
    }

    /// The samples of each series in the `range` that ends at `at - offset`, both ends included.
    pub(super) fn range(&self, selector: &Selector, range: i64, at: i64) -> Result<Vec<(Labels, Vec<Sample>)>, ExecutionError> {
        let at = at - selector.offset;
        let mut found = Vec::new();
        for series in self.db.select(&selector.matchers) {
            let samples: Vec<Sample> = series.between(at - range, at).filter(|s| !s.is_stale()).collect();
            if !samples.is_empty() {
                self.count(samples.len() as u64)?;
                found.push((series.labels.clone(), samples));
            }
        }
        Ok(found)
    }

    fn count(&self, samples: u64) -> Result<(), ExecutionError> {
        self.samples.set(self.samples.get() + samples);
        if self.samples.get() <= MAX_SAMPLES {
            return Ok(());
        }
        Err(ExecutionError("query processing would load too many samples into memory in query execution".to_owned()))
    }
}

/// The elements of a vector; what is none, the parser has refused.
fn vector(value: Value) -> Vec<Element> {
    match value {
        Value::Vector(elements) => elements,
        _ => Vec::new(),
    }
}

/// A calculation on every element: the result is no longer the metric of that name.
pub(super) fn map(elements: Vec<Element>, f: impl Fn(f64) -> f64) -> Result<Vec<Element>, ExecutionError> {
    let mapped = elements.into_iter().map(|mut e| {
        e.labels.remove("__name__");
        Element { value: f(e.value), ..e }
    });
    distinct(mapped.collect())
}

/// Refuses a vector in which a label set appears twice.
pub(super) fn distinct(elements: Vec<Element>) -> Result<Vec<Element>, ExecutionError> {
    let mut seen = HashSet::new();
    if elements.iter().all(|e| seen.insert(&e.labels)) {
        return Ok(elements);
    }
    Err(ExecutionError("vector cannot contain metrics with the same labelset".to_owned()))
}
