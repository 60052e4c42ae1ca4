//! Quality gates: gate files, what they ask, and what the answers come to.
//!
//! Pure: a gate file becomes a [`Gate`], which says what to ask; sources answer elsewhere; the answers come back as
//! [`Evidence`] and are graded to an [`Evaluation`]. The evaluation's JSON holds the gate file and the evidence, so that
//! [`regrade`] comes to the same verdict anywhere.
//!
//! Nothing that was not measured passes: no series, null, NaN, an unknown source, a misspelt key. Where this differs from
//! the original programs, [`perfspec`] and [`slo`] say so in a table.

pub mod command;
pub mod criteria;
pub mod dynatrace;
pub mod evaluation;
mod index;
pub mod legacy;
pub mod lint;
mod locate;
pub mod number;
pub mod perfspec;
pub mod placeholders;
pub mod prometheus;
pub mod query;
pub mod replay;
pub mod require;
pub mod sli;
pub mod slo;
pub mod values;
pub mod web;
mod yaml;

use crate::error::{Error, Result};
use evaluation::{Evaluation, Evidence, Format};
use lint::Finding;
use perfspec::Perfspec;
use require::Term;
use slo::Slo;

/// A gate file of any format.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// `perfspec.json`.
    Perfspec(Perfspec),
    /// `slo.yaml`.
    Slo(Slo),
    /// Terms of `--require`.
    Require(Vec<Term>),
}

impl Gate {
    /// Reads a gate file: JSON is a perfspec, unless its `objectives` are a list; everything else is an SLO file. `file` is
    /// what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        Self::parse_as(format(text), file, text)
    }

    fn parse_as(format: Format, file: &str, text: &str) -> Result<Self> {
        match format {
            Format::Perfspec => Perfspec::parse(file, text).map(Self::Perfspec),
            Format::Slo => Slo::parse(file, text).map(Self::Slo),
            Format::Require => Self::require(text.lines()),
        }
    }

    /// The gate of some terms.
    ///
    /// # Errors
    /// `Usage` for what is no term, and for one that is there twice.
    pub fn require<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut terms: Vec<Term> = Vec::new();
        for text in texts {
            let term: Term = text.parse().map_err(Error::usage)?;
            if terms.iter().any(|known| known.text == term.text) {
                return Err(Error::usage(format!("`{}` is required twice", term.text)));
            }
            terms.push(term);
        }
        Ok(Self::Require(terms))
    }

    /// All that is wrong, or surely not meant, in a gate file.
    pub fn lint(text: &str) -> Vec<Finding> {
        match format(text) {
            Format::Perfspec => Perfspec::lint(text),
            Format::Slo | Format::Require => Slo::lint(text),
        }
    }

    /// Grades what was measured.
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        match self {
            Self::Perfspec(spec) => spec.grade(evidence),
            Self::Slo(slo) => slo.grade(evidence),
            Self::Require(terms) => require::grade(terms, evidence),
        }
    }
}

fn format(text: &str) -> Format {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let listed = || {
        let root = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        root.get("objectives").is_some_and(serde_json::Value::is_array)
    };
    if text.starts_with('{') && !listed() { Format::Perfspec } else { Format::Slo }
}

/// Grades again what an evaluation's JSON holds. `file` is what errors call it.
///
/// # Errors
/// `Usage` where it is not the JSON of an evaluation, or holds a gate file that cannot be read.
pub fn regrade(file: &str, json: &str) -> Result<Evaluation> {
    let read = |error: serde_json::Error| Error::usage(format!("{file}: this is no evaluation: {error}"));
    let Evaluation { format, basis, .. } = serde_json::from_str(json).map_err(read)?;
    Ok(Gate::parse_as(format, file, &basis.gate)?.grade(basis.evidence))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
