//! `slo.yaml`: objectives graded as keptn's Lighthouse 1.4.5 does.
//!
//! An objective holds if one of its criteria sets does, and a set if all of its criteria do. It then gets its weight; half
//! of that if only its `warning` sets hold. The total is the share of the weights in per cent.
//!
//! | original | here |
//! |---|---|
//! | unknown keys are not looked at | an error: a misspelt `pass` would turn a limit into information |
//! | a value that is null, NaN, infinite or no number is 0 | no value: the objective fails |
//! | an unknown `aggregate_function` makes earlier values 0 | the same number is shown; the criterion does not hold |
//! | no `slo.yaml`: pass | there is no gate without a file |
//! | a criterion of an objective without value is not evaluated, but called violated | the same |
//! | an invalid warning criterion: the warning level of that objective does not count | the same; `lint` calls it an error |

mod grade;
mod output;
mod read;

use super::evaluation::{Evaluation, Evidence, Previous};
use crate::core::lint::{self, Finding, Options};
use crate::error::Result;
pub use output::{Printed, keptn};

/// A set of objectives.
#[derive(Clone, Debug, PartialEq)]
pub struct Slo {
    /// The objectives in the order of the file.
    pub objectives: Vec<Objective>,
    /// Which earlier evaluations count, and how.
    pub comparison: Comparison,
    /// What SLI queries are to be narrowed to: their placeholders.
    pub filter: Vec<(String, String)>,
    /// What the total must reach to pass, as written: `90%` or `90`.
    pub pass: Option<String>,
    /// What it must reach to pass with a warning.
    pub warning: Option<String>,
    text: String,
}

/// One objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objective {
    /// The indicator.
    pub sli: String,
    /// What it is called for people.
    pub display_name: String,
    /// The criteria sets to pass. Without any, the value is only shown.
    pub pass: Vec<Vec<String>>,
    /// The criteria sets to pass with a warning.
    pub warning: Vec<Vec<String>>,
    /// Its share of the total.
    pub weight: f64,
    /// Whether its failure fails everything.
    pub key_sli: bool,
}

/// Which earlier evaluations count, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// `single_result` or `several_results`.
    pub compare_with: String,
    /// Which of them: `all`, `pass`, `pass_or_warn`.
    pub include: String,
    /// How many of several.
    pub number: i64,
    /// What makes one number of theirs: `avg`, `p50`, `p90`, `p95`.
    pub aggregate: String,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { compare_with: "single_result".into(), include: "all".into(), number: 1, aggregate: "avg".into() }
    }
}

impl Comparison {
    /// How many earlier evaluations are wanted.
    pub fn wanted(&self) -> usize {
        match self.compare_with.as_str() {
            "single_result" => 1,
            "several_results" => usize::try_from(self.number).unwrap_or(0),
            _ => 3,
        }
    }

    /// Those of `history`, newest first, that are to be compared with.
    pub fn choose(&self, history: Vec<Previous>) -> Vec<Previous> {
        let included = |previous: &Previous| match self.include.to_ascii_lowercase().as_str() {
            "pass" => previous.result == "pass",
            "pass_or_warn" => matches!(previous.result.as_str(), "pass" | "warning"),
            _ => true,
        };
        history.into_iter().filter(included).take(self.wanted()).collect()
    }
}

impl Slo {
    /// Reads an SLO file. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret, for what has not the form of one; see [`Slo::lint`] for the rest.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (slo, findings) = read::read(text);
        let findings = findings.located(text);
        match lint::refuse(file, text, &findings) {
            Some(error) => Err(error),
            None => Ok(slo),
        }
    }

    /// All that is wrong, or surely not meant, in an SLO file.
    pub fn lint(text: &str, options: Options) -> Vec<Finding> {
        let (slo, mut findings) = read::read(text);
        findings.options = options;
        read::doubts(&slo, &mut findings);
        findings.located(text)
    }

    /// Grades what was measured against the objectives and the earlier evaluations in `evidence`.
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
