//! `perfspec.json` 1.0: the gate files of Pitometer 1.0.4 with its threshold grader 1.0.1.
//!
//! An indicator has up to four thresholds and a score. Every series is graded by itself: a severe threshold that is reached
//! takes the whole score, a warning threshold half of it, below and above apart; an indicator gets the least of its series.
//! The total is the plain sum, and is held against `objectives.pass` and `objectives.warning`.
//!
//! Where the original passes what nobody measured, this does not:
//!
//! | original | here |
//! |---|---|
//! | NaN reaches no threshold: full score | no value was measured: that series does not count; with none left, "The indicator returned no values", score 0 unless `ignoreEmpty` |
//! | knows no value that could not be measured | it fails its indicator, with `ignoreEmpty` as well |
//! | `+Inf`, `-Inf` are NaN | infinities: they reach every upper or lower threshold; where they reach none, no value was measured |
//! | a scalar answer ends the run | one value with an empty key |
//! | null is 0 | no value was measured |
//! | a threshold of 0 is never checked | it is; but a lower 0 says nothing about a number of relations (Smartscape), which the samples rely on |
//! | two texts are compared letter by letter (`"10" >= "9"` is false) | as numbers |
//! | unknown threshold keys (`"lowerWarning "`) are not looked at | an error, as for every unknown key of the format |
//! | `metricScore` missing: the total is NaN, the result `fail`; a text: texts are joined | an error |
//! | an unknown `source` drops the indicator | an error, unless its values are given |
//! | `prometheus` is not `Prometheus` | it is |
//! | the last of several equal ids counts | an error |
//! | ids like `10` come first | the order of the file |
//! | `objectives.pass: null` is 0 | it is missing: nothing passes |
//! | a source that does not answer ends the run | inconclusive, with what the others answered |
//! | 1.1.0's `*Perc` of an earlier 0 is a threshold of 0, never checked | it is; but 0 again does not reach it |
//! | 1.1.0's `*Perc`: only the first earlier series is compared, and its threshold stays for the next series | every series with its own earlier value; one without has no such threshold |

mod grade;
mod output;
mod query;
mod read;

use super::evaluation::{Evaluation, Evidence};
use super::placeholders::Context;
use super::query::Query;
use crate::core::lint::{self, Finding, Options};
use crate::error::Result;
pub use output::pitometer;
use serde_json::Value;

/// What the original calls the breach of an indicator without values.
pub const NO_VALUES: &str = "The indicator returned no values";

/// A perfspec.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfspec {
    /// The indicators in the order of the file; their ids differ.
    pub indicators: Vec<Indicator>,
    /// What the total must reach to pass. Nothing passes without it.
    pub pass: Option<Number>,
    /// What it must reach to pass with a warning.
    pub warning: Option<Number>,
    text: String,
}

/// An indicator and how it is graded.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicator {
    /// Its name.
    pub id: String,
    /// Where to ask, as written.
    pub source: String,
    /// What to ask, as written.
    pub query: Value,
    /// What it gets within its thresholds.
    pub score: f64,
    /// Whether it gets that without any value, too.
    pub ignore_empty: bool,
    /// What a violation is to carry.
    pub metadata: Option<Value>,
    /// The thresholds at which a value is too small.
    pub lower: Thresholds,
    /// The thresholds at which a value is too big.
    pub upper: Thresholds,
}

/// The thresholds of one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// Takes the whole score.
    pub severe: Threshold,
    /// Takes half of it.
    pub warning: Threshold,
}

/// One threshold: a number, or a distance from the earlier value, or both; the distance counts where it can be told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Threshold {
    /// The number.
    pub fixed: Option<Number>,
    /// Per cent of the earlier value (1.1.0).
    pub percent: Option<Number>,
}

/// A number and how the file writes it: `90` or `"90"`.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The number.
    pub value: f64,
    /// As written.
    pub written: Value,
}

impl Perfspec {
    /// Reads a perfspec. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret, for what cannot be graded as it is meant; see [`Perfspec::lint`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (spec, findings) = read::read(text);
        let findings = findings.located(text);
        match lint::refuse(file, text, &findings) {
            Some(error) => Err(error),
            None => Ok(spec),
        }
    }

    /// All that is wrong, or surely not meant, in a perfspec.
    pub fn lint(text: &str, options: Options) -> Vec<Finding> {
        let (spec, mut findings) = read::read(text);
        findings.options = options;
        read::doubts(&spec, &mut findings);
        findings.located(text)
    }

    /// What to ask which source, by indicator.
    ///
    /// # Errors
    /// `Usage` for an unknown source, and for a query that its source does not know.
    pub fn queries(&self) -> Result<Vec<(String, Query)>> {
        self.indicators.iter().map(|indicator| Ok((indicator.id.clone(), query::of(indicator)?))).collect()
    }

    /// The same with the placeholders of its queries replaced.
    ///
    /// # Errors
    /// `Usage` for a placeholder that stands for nothing.
    pub fn resolve(mut self, context: &Context) -> Result<Self> {
        for indicator in &mut self.indicators {
            indicator.query = context.resolve_all(&indicator.query)?;
        }
        Ok(self)
    }

    /// Grades what was measured.
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        grade::grade(self, evidence)
    }

    /// The file it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests;
