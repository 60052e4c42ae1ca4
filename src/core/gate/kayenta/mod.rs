//! Kayenta's canary configuration: which metrics are compared how, and which score passes.
//!
//! The judge is [`crate::core::judge::kayenta`]; this reads the configuration, and grades values of both sides with it.
//!
//! | original | here |
//! |---|---|
//! | the score thresholds may come with each run | those of `classifier`, else 95 and 75 |
//! | no data with a `nanStrategy` of `replace` pass | the same, where somebody was asked for them |
//! | a group without data counts as 100 | the same score; but it does not pass: what was not measured is inconclusive |
//! | `judge.name` chooses the judge | there is the one that they all name |
//! | queries are made from a metric's name, `scope`, `location` and a filter | only those of a `customInlineTemplate` with `PromQL:` are asked; for others the values are given |
//! | `${scope}` is that of the run's control and experiment | that of `--arg control=…` and `--arg experiment=…` |

mod read;

use super::evaluation::{Basis, Evaluation, Evidence, Format, Graded, Limit, Objectives, Sample, Status, Verdict};
use super::number;
use super::query::Query;
use crate::core::judge::kayenta::{self, Analysis, Classification, MetricResult, ScoreClassification, Settings};
use crate::core::lint::{self, Finding, Options};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;

/// A canary configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Kayenta {
    /// The metrics; their names differ.
    pub metrics: Vec<Metric>,
    /// The weights of the groups in per cent.
    pub weights: BTreeMap<String, f64>,
    /// The score that passes.
    pub pass: f64,
    /// The score that is marginal: a warning.
    pub marginal: f64,
    /// What has another meaning here.
    pub notes: Vec<String>,
    text: String,
}

/// A metric and how it is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The groups in which it counts.
    pub groups: Vec<String>,
    /// How it is judged.
    pub analysis: Analysis,
    /// Its query, where the configuration has it as PromQL: with `${scope}` for the side.
    pub query: Option<String>,
}

/// Seconds between two values, as Kayenta has them.
const STEP: i64 = 60;

/// The names of the two sides, as keys of an answer's samples.
pub const SIDES: [&str; 2] = ["control", "experiment"];

impl Kayenta {
    /// Reads a configuration. `file` is what errors call it.
    ///
    /// # Errors
    /// `Usage`, with file, line and caret.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let (kayenta, findings) = read::read(text);
        let findings = findings.located(text);
        match lint::refuse(file, text, &findings) {
            Some(error) => Err(error),
            None => Ok(kayenta),
        }
    }

    /// All that is wrong, surely not meant, or means something else here.
    pub fn lint(text: &str, options: Options) -> Vec<Finding> {
        let (kayenta, mut found) = read::read(text);
        found.options = options;
        read::doubts(text, &kayenta, &mut found);
        found.located(text)
    }

    /// What to ask, by metric: the values of the control, then those of the experiment.
    ///
    /// # Errors
    /// `Usage` for a metric without PromQL, and for what `${…}` stands for nothing.
    pub fn queries(&self, given: &BTreeMap<String, String>) -> Result<Vec<(String, Query)>> {
        let step = given.get("step").map_or(Ok(STEP), |text| {
            let step = text.parse().ok().filter(|step| *step > 0);
            step.ok_or_else(|| Error::usage(format!("`{}` is not a number of seconds", text.escape_debug())))
        })?;
        let mut queries = Vec::new();
        for metric in &self.metrics {
            let query = metric.query.as_ref().ok_or_else(|| {
                Error::usage(format!("the metric `{}` has no PromQL of its own", metric.name))
                    .hint("give the values with `--values FILE`: `{\"metric\": {\"control\": […], \"experiment\": […]}}`")
            })?;
            for side in SIDES {
                queries.push((metric.name.clone(), Query::PrometheusRange { query: filled(query, side, given)?, step, side }));
            }
        }
        Ok(queries)
    }

    /// Judges what was measured: each answer has the values of both sides, see [`SIDES`].
    pub fn grade(&self, evidence: Evidence) -> Evaluation {
        let answers = |name: &str| {
            let name = name.to_owned();
            evidence.answers.iter().filter(move |answer| answer.id == name)
        };
        let side = |name: &str, side: &str| {
            let mut samples = answers(name).flat_map(|answer| &answer.samples);
            let sample = samples.find(|sample| sample.key == side);
            let values = sample.and_then(|sample| sample.value.as_array()).map_or(&[][..], Vec::as_slice);
            values.iter().map(|value| number::measured(value).unwrap_or(f64::NAN)).collect::<Vec<f64>>()
        };
        let [control, experiment] = SIDES;
        let metric = |metric: &Metric| kayenta::Metric {
            name: metric.name.clone(),
            groups: metric.groups.clone(),
            analysis: metric.analysis.clone(),
            control: side(&metric.name, control),
            experiment: side(&metric.name, experiment),
        };
        let metrics: Vec<kayenta::Metric> = self.metrics.iter().map(metric).collect();
        let judged = kayenta::judge(&metrics, &self.weights, self.pass, self.marginal, &Settings::default());
        let mut notes = self.notes.clone();
        for result in &judged.results {
            notes.extend(result.findings.iter().map(|finding| format!("{}: {}", result.name, finding.text)));
        }
        notes.extend(judged.findings.iter().map(|finding| finding.text.clone()));
        let unknown: Vec<&str> = evidence
            .answers
            .iter()
            .map(|answer| answer.id.as_str())
            .filter(|id| self.metrics.iter().all(|metric| metric.name != *id))
            .collect();
        if !unknown.is_empty() {
            notes.push(format!("no metric is called {}", unknown.join(", ")));
        }
        let mut indicators: Vec<Graded> = judged.results.iter().map(graded).collect();
        for one in &mut indicators {
            let queries: Vec<&str> = answers(&one.id).filter_map(|answer| answer.query.as_deref()).collect();
            one.query = (!queries.is_empty()).then(|| queries.join(" against "));
            // A `nanStrategy` of `replace` says what missing values are, not that nobody was asked.
            let unasked = answers(&one.id).next().is_none() && one.status == Status::Pass;
            let error = unasked.then(|| "was not measured".to_owned());
            if let Some(error) = error.or_else(|| answers(&one.id).find_map(|answer| answer.error.clone())) {
                (one.status, one.score, one.why) = (Status::Error, 0.0, error);
            }
        }
        let missing: Vec<&str> = indicators.iter().filter(|one| one.status == Status::Error).map(|one| one.id.as_str()).collect();
        let score = judged.score.score;
        let told = format!("score {}", number::brief(score, &[self.pass, self.marginal]));
        let failed: Vec<&str> = indicators.iter().filter(|one| one.status == Status::Fail).map(|one| one.why.as_str()).collect();
        let because = judged.score.reason.clone().unwrap_or_else(|| failed.join("; "));
        let because = if because.is_empty() { because } else { format!(": {because}") };
        let (verdict, reason) = match judged.classification {
            _ if self.metrics.is_empty() => (Verdict::Inconclusive, "no metrics: nothing was judged".to_owned()),
            ScoreClassification::Fail if missing.len() == indicators.len() && indicators.iter().all(|one| !one.key) => {
                (Verdict::Inconclusive, "nothing was measured on both sides".to_owned())
            }
            ScoreClassification::Fail => (Verdict::Fail, format!("{told} is below {}{because}", number::text(self.marginal))),
            _ if !missing.is_empty() => (Verdict::Inconclusive, format!("{told}, without {}", missing.join(", "))),
            ScoreClassification::Marginal => {
                (Verdict::Warning, format!("{told} is marginal, below {}{because}", number::text(self.pass)))
            }
            ScoreClassification::Pass => (Verdict::Pass, format!("{told} reaches {}", number::text(self.pass))),
        };
        Evaluation {
            format: Format::Kayenta,
            verdict,
            reason,
            message: String::new(),
            error: None,
            score,
            max_score: 100.0,
            objectives: Objectives { pass: Some(number::json(self.pass)), warning: Some(number::json(self.marginal)) },
            indicators,
            compared: Vec::new(),
            notes,
            basis: Basis { gate: self.text.clone(), evidence: evidence.clone() },
        }
    }
}

/// A query with its `${…}` filled in.
fn filled(query: &str, side: &str, given: &BTreeMap<String, String>) -> Result<String> {
    let mut whole = String::with_capacity(query.len());
    let mut rest = query;
    while let Some((before, (name, after))) =
        rest.split_once("${").and_then(|(before, from)| Some((before, from.split_once('}')?)))
    {
        let argument = if name == "scope" { side } else { name };
        let value = given.get(argument).ok_or_else(|| {
            Error::usage(format!("nothing is known for `${{{}}}`", name.escape_debug()))
                .hint(format!("give it: `--arg {argument}=VALUE`"))
        })?;
        whole += before;
        whole += value;
        rest = after;
    }
    Ok(whole + rest)
}

/// A judged metric; its values are the means of both sides.
fn graded(result: &MetricResult) -> Graded {
    let status = match result.judged.classification {
        _ if result.muted => Status::Info,
        Classification::Pass => Status::Pass,
        Classification::High | Classification::Low | Classification::NodataFailMetric => Status::Fail,
        Classification::Nodata | Classification::Error => Status::Error,
    };
    let why = match (&result.judged.reason, result.judged.classification) {
        (Some(reason), _) => reason.clone(),
        (None, Classification::Pass) => format!("like the control, {} of its mean", number::brief(result.judged.deviation, &[])),
        (None, other) => format!("{other:?}"),
    };
    let mean = |key: &str, summary: &kayenta::Summary| (summary.count > 0).then(|| Sample::of(key, number::json(summary.mean)));
    let [control, experiment] = SIDES;
    Graded {
        id: result.name.clone(),
        display_name: String::new(),
        source: String::new(),
        query: None,
        values: [mean(experiment, &result.experiment), mean(control, &result.control)].into_iter().flatten().collect(),
        limits: Vec::<Limit>::new(),
        score: if status == Status::Pass { 1.0 } else { 0.0 },
        max_score: if result.muted { 0.0 } else { 1.0 },
        status,
        why,
        breaches: Vec::new(),
        compared: (result.control.count > 0).then_some(result.control.mean),
        key: result.judged.critical,
    }
}

/// The values of both sides as the samples of an answer.
pub fn samples(control: &[f64], experiment: &[f64]) -> Vec<Sample> {
    let side =
        |key: &str, values: &[f64]| Sample::of(key, Value::Array(values.iter().map(|value| number::json(*value)).collect()));
    let [first, second] = SIDES;
    vec![side(first, control), side(second, experiment)]
}

#[cfg(test)]
mod tests;
