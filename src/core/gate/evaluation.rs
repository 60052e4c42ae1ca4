//! What was measured, and what a gate makes of it: the words that all gate formats share.

use super::number;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The answer to "may this version have the traffic?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Yes.
    Pass,
    /// Yes, with a warning.
    Warning,
    /// No.
    Fail,
    /// It cannot be said: something could not be asked.
    Inconclusive,
}

/// The format of a gate file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `perfspec.json` (Pitometer).
    Perfspec,
    /// `slo.yaml` (Lighthouse).
    Slo,
    /// `AnalysisTemplate` (Argo).
    Argo,
    /// `Canary` (flagger).
    Flagger,
    /// A canary configuration (Kayenta).
    Kayenta,
    /// Terms of `--require`.
    Require,
}

/// What became of one indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Within its limits.
    Pass,
    /// Beyond a warning limit.
    Warning,
    /// Beyond a hard limit, or without a value.
    Fail,
    /// Only shown: it has no limits.
    Info,
    /// It could not be asked.
    Error,
    /// Too little was seen to judge it.
    Inconclusive,
}

impl Status {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warning => "warning",
            Status::Fail => "fail",
            Status::Info => "info",
            Status::Error => "error",
            Status::Inconclusive => "inconclusive",
        }
    }
}

/// One measured value of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The series: the JSON of its labels (Prometheus) or an entity (Dynatrace). Empty for a bare value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The value as the source wrote it: a number or a text. See [`Sample::number`].
    #[serde(default)]
    pub value: Value,
    /// Whether the source calls it a success.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub success: bool,
    /// What the source adds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

fn yes() -> bool {
    true
}

fn is_yes(word: &bool) -> bool {
    *word
}

impl Sample {
    /// The value of one series.
    pub fn of(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into(), success: true, message: String::new() }
    }

    /// A measurement that failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { key: String::new(), value: Value::Null, success: false, message: message.into() }
    }

    /// The number, if one was measured: NaN, null and failures are none; `+Inf` and `-Inf` are infinities; truth values are
    /// 1 and 0.
    pub fn number(&self) -> Option<f64> {
        let number = match self.value {
            Value::Bool(truth) => Some(f64::from(u8::from(truth))),
            ref value => number::measured(value),
        };
        number.filter(|_| self.success)
    }
}

/// What was answered for one indicator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The indicator: a perfspec's `id`, an SLO's `sli`.
    pub id: String,
    /// The query as it was sent, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Its series. None of them means that the source has no data.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// Why the source could not answer at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Answer {
    /// An answer with these series.
    pub fn new(id: impl Into<String>, samples: Vec<Sample>) -> Self {
        Self { id: id.into(), samples, ..Self::default() }
    }

    /// A source that could not answer.
    pub fn refused(id: impl Into<String>, error: impl Into<String>) -> Self {
        Self { id: id.into(), error: Some(error.into()), ..Self::default() }
    }

    /// The one value of an SLI.
    ///
    /// # Errors
    /// Says why there is not exactly one valid value, in the words of keptn's providers.
    pub fn single(&self) -> Result<f64, String> {
        match (&self.error, self.samples.as_slice()) {
            (Some(error), _) => Err(error.clone()),
            (None, []) => Err("query did not return any values".into()),
            (None, [sample]) if !sample.success => Err(sample.message.clone()),
            // Something divided by nothing is no measurement.
            (None, [sample]) => {
                sample.number().filter(|value| value.is_finite()).ok_or_else(|| "query did not return valid values".into())
            }
            (None, _) => Err("query did return multiple values".into()),
        }
    }
}

/// An earlier evaluation, to compare with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// What it is called in the output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its verdict: `pass`, `warning`, `fail`.
    #[serde(default)]
    pub result: String,
    /// Its score.
    #[serde(default, with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What it measured.
    #[serde(default)]
    pub values: Vec<PreviousValue>,
}

/// One value of an earlier evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousValue {
    /// The indicator.
    pub metric: String,
    /// The series, for indicators that have several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The number that was measured.
    #[serde(default, with = "number::optional")]
    pub value: Option<f64>,
    /// Whether it was measured. Nothing said is a success, as the value is there.
    #[serde(default = "yes")]
    pub success: bool,
    /// What became of it: `pass`, `warning`, `fail`, `info`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
}

/// A time span in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// From.
    pub start: i64,
    /// To.
    pub end: i64,
}

impl Window {
    /// A window with a beginning and an end.
    ///
    /// # Errors
    /// `Usage` where one of them is missing (0), or the end is before the beginning.
    pub fn new(start: i64, end: i64) -> Result<Self> {
        match (start > 0 && end > 0, start <= end) {
            (true, true) => Ok(Self { start, end }),
            (true, false) => Err(Error::usage("the window ends before it begins")),
            (false, _) => Err(Error::usage("the window has no beginning or no end")),
        }
    }
}

/// All that a verdict rests on besides the gate file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The span that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What the sources answered.
    pub answers: Vec<Answer>,
    /// The earlier evaluations to compare with, newest first, already chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
    /// The arguments that the gate file was given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
}

/// A gate's file and what was measured: what is needed to come to the same verdict again, anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// The gate file, byte for byte.
    pub gate: String,
    /// What was measured.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// A limit of an indicator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// What breaking it leads to: `warning` or `fail`.
    pub level: Status,
    /// How the gate file says it: `upperSevere`, `<=+10%`.
    pub rule: String,
    /// The number that it comes to.
    #[serde(with = "number")]
    pub value: f64,
    /// Whether it was broken.
    pub violated: bool,
}

/// A broken limit of a perfspec, by series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breach {
    /// `lowerSevere`, `lowerWarning`, `upperSevere`, `upperWarning`, or that there were no values.
    pub breach: String,
    /// The series and its value; `None` where there were no values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// The threshold, as the gate file writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Value>,
    /// What the gate file wants to be told with a violation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

/// One indicator, graded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graded {
    /// Its name.
    pub id: String,
    /// What an SLO calls it for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Where it was asked for: `Prometheus`, `Dynatrace`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The query as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What was measured.
    pub values: Vec<Sample>,
    /// Its limits.
    pub limits: Vec<Limit>,
    /// What it got.
    #[serde(with = "number")]
    pub score: f64,
    /// What it could get.
    #[serde(with = "number")]
    pub max_score: f64,
    /// What became of it.
    pub status: Status,
    /// Why, in a few words.
    pub why: String,
    /// The broken limits of a perfspec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
    /// What the earlier values come to, where it was compared with any.
    #[serde(default, with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub compared: Option<f64>,
    /// Whether its failure fails the gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
}

/// What the total must reach, as the gate file writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Objectives {
    /// To pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Value>,
    /// To pass with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<Value>,
}

/// A gate's verdict and all that led to it. Its JSON is the stable output of `evaluate -o json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// The format of the gate file.
    pub format: Format,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict's reason in one sentence.
    pub reason: String,
    /// What the original says of such an evaluation, where it says anything.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Why no grade could be given: a source that did not answer, or a gate file without a goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The total: a sum of points (perfspec) or a percentage (slo).
    #[serde(with = "number")]
    pub score: f64,
    /// The most that could be reached, in points.
    #[serde(with = "number")]
    pub max_score: f64,
    /// What the total is held against.
    pub objectives: Objectives,
    /// The indicators in the order of the gate file.
    pub indicators: Vec<Graded>,
    /// The earlier evaluations that were compared with, newest first, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<String>,
    /// What else should be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is needed to grade again.
    pub basis: Basis,
}
