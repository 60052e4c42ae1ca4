//! Quality gates: gate files, what they ask, and what the answers come to.
//!
//! Pure: a gate file becomes a [`Gate`], which says what to ask; sources answer elsewhere; the answers come back as
//! [`Evidence`] and are graded to an [`Evaluation`]. The evaluation's JSON holds the gate file and the evidence, so that
//! [`regrade`] comes to the same verdict anywhere.
//!
//! Nothing that was not measured passes: no series, null, NaN, an unknown source, a misspelt key. Where this differs from
//! the original programs, the modules of the formats say so in a table.

pub mod argo;
pub mod command;
pub mod criteria;
pub mod dynatrace;
pub mod evaluation;
pub mod expression;
pub mod flagger;
mod index;
pub mod jsonpath;
pub mod kayenta;
pub mod legacy;
pub mod number;
pub mod perfspec;
pub mod placeholders;
pub mod prometheus;
pub mod promql;
pub mod query;
pub mod recognise;
pub mod replay;
pub mod require;
pub mod sli;
pub mod slo;
pub mod values;
pub mod web;

use crate::error::{Error, Result};
use argo::Argo;
use evaluation::{Evaluation, Evidence, Format};
use flagger::Flagger;
use kayenta::Kayenta;
use perfspec::Perfspec;
use recognise::Kind;
use require::Term;
use sli::Sli;
use slo::Slo;

/// A file: what errors call it, and its text.
pub type File<'a> = (&'a str, &'a str);

/// A gate file of any format.
#[derive(Clone, Debug, PartialEq)]
pub enum Gate {
    /// `perfspec.json`.
    Perfspec(Perfspec),
    /// `slo.yaml`.
    Slo(Slo),
    /// `AnalysisTemplate`.
    Argo(Argo),
    /// flagger's `Canary`.
    Flagger(Flagger),
    /// Kayenta's canary configuration.
    Kayenta(Kayenta),
    /// Terms of `--require`.
    Require(Vec<Term>),
}

impl Gate {
    /// Reads a gate file, whose format its text tells. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        Self::read((file, text), None).map(|(gate, _)| gate)
    }

    /// Reads a gate file and the one that has its queries, if it has none of its own.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn read(gate: File<'_>, queries: Option<File<'_>>) -> Result<(Self, Option<Sli>)> {
        let (file, text) = gate;
        let format = match (Kind::likely(text), queries) {
            (Kind::Perfspec, _) => Format::Perfspec,
            (Kind::Slo, _) => Format::Slo,
            (Kind::AnalysisTemplate, _) => Format::Argo,
            (Kind::Canary, templates) => return Ok((Self::Flagger(Flagger::parse(gate, templates)?), None)),
            (Kind::CanaryConfig, _) => Format::Kayenta,
            (Kind::ServiceObjectives, Some(indicators)) => {
                return legacy::convert(indicators, gate).map(|spec| (Self::Perfspec(spec), None));
            }
            (Kind::ServiceObjectives, None) => {
                return Err(Error::usage(format!("{file}: a service-objectives.yaml has no indicators of its own"))
                    .hint("name the file that has them: `--sli service-indicators.yaml`"));
            }
            (kind @ (Kind::Sli | Kind::ServiceIndicators | Kind::MetricTemplate), _) => {
                return Err(Error::usage(format!("{file}: this is a {}: it has queries, and no limits", kind.name()))
                    .hint("name it with `--sli FILE`, and the file with the objectives with `--gate FILE`"));
            }
        };
        let sli = queries.map(|(file, text)| Sli::parse(file, text)).transpose()?;
        Ok((Self::parse_as(format, file, text)?, sli))
    }

    fn parse_as(format: Format, file: &str, text: &str) -> Result<Self> {
        match format {
            Format::Perfspec => Perfspec::parse(file, text).map(Self::Perfspec),
            Format::Slo => Slo::parse(file, text).map(Self::Slo),
            Format::Argo => Argo::parse(file, text).map(Self::Argo),
            Format::Flagger => Flagger::parse((file, text), None).map(Self::Flagger),
            Format::Kayenta => Kayenta::parse(file, text).map(Self::Kayenta),
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

    /// Grades what was measured.
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        match self {
            Self::Perfspec(spec) => spec.grade(evidence),
            Self::Slo(slo) => slo.grade(evidence),
            Self::Argo(argo) => argo.grade(evidence),
            Self::Flagger(flagger) => flagger.grade(evidence),
            Self::Kayenta(kayenta) => kayenta.grade(evidence),
            Self::Require(terms) => require::grade(terms, evidence),
        }
    }
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
