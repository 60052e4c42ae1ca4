//! Kayenta's judge (NetflixACAJudge-v1.0): each metric's values of the experiment against the control's by the test of Mann
//! and Whitney, the share of passed metrics as a score.
//!
//! The answers are Kayenta's own, with its arithmetic, unless [`Arithmetic::Exact`] is asked for; it is deterministic where
//! Kayenta adds random noise. What its users complain of is said next to the answer as a [`Finding`]:
//!
//! | weakness | here |
//! |---|---|
//! | the verdict depends on the unit: a tolerance of 1e-4 in the metric's own (error ratios of 0.01 % are judged by chance) | [`Arithmetic::Exact`]; otherwise the exact answer beside it, and a finding where it differs |
//! | two values a side fail 24 % of the good versions, three 4 % | a finding; [`Arithmetic::Exact`] does not judge where no order of the values is rare enough |
//! | a control that is always 0 makes every ratio meaningless | a finding |
//! | the ratio of negative means turns round what is more and less | a finding |
//! | values spread otherwise around the same middle pass | a finding, by the test of Kolmogorov and Smirnov |
//! | neighbouring values count as independent | a finding |
//! | many metrics, no correction | a finding with the probability |
//! | no p-value | [`Shift::p_value`] |
//! | weights that make passing impossible, metrics without a group | findings |
//! | minutes with 3 and with 30,000 requests weigh the same | not repairable here: [`super::Comparison`] judges counts |

mod analysis;
mod classify;
mod finding;
mod mann_whitney;
mod normal;
mod prepare;
mod score;
mod stats;
#[cfg(test)]
mod tests;

pub use analysis::{Analysis, Direction, Measure};
pub use classify::{Classification, Classified, Settings, classify, classify_by_means};
pub use finding::{Finding, Kind};
pub use mann_whitney::{Arithmetic, Shift, Tied, mann_whitney};
pub use prepare::{NanStrategy, iqr_outliers, k_sigma_outliers};
pub use score::{Graded, GroupScore, Score, ScoreClassification};
pub use stats::{Summary, cles, cohens_d, mean, mean_ratio, percentile};

use serde::Serialize;
use std::collections::BTreeMap;

/// A metric and its values in the order of time; NaN where nothing was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The groups in which it counts.
    pub groups: Vec<String>,
    /// How it is to be judged.
    pub analysis: Analysis,
    /// The stable version's values.
    pub control: Vec<f64>,
    /// The candidate's values.
    pub experiment: Vec<f64>,
}

/// A judged metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricResult {
    /// Its name.
    pub name: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Whether it is shown without being counted.
    pub muted: bool,
    /// What became of it, and why.
    #[serde(flatten)]
    pub judged: Classified,
    /// What exact arithmetic and a minimum of values would have made of it.
    pub exact: Classification,
    /// The control's values as they were compared.
    pub control: Summary,
    /// The experiment's values as they were compared.
    pub experiment: Summary,
    /// Doubts about it.
    pub findings: Vec<Finding>,
}

/// What the judge says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// Pass, marginal or fail.
    pub classification: ScoreClassification,
    /// The score and its groups.
    #[serde(flatten)]
    pub score: Score,
    /// The metrics, in the order in which they came.
    pub results: Vec<MetricResult>,
    /// Doubts about the whole.
    pub findings: Vec<Finding>,
}

/// Judges all metrics. `weights` are those of the groups, in per cent; a score of at least `pass` passes, of at least
/// `marginal` is marginal.
pub fn judge(metrics: &[Metric], weights: &BTreeMap<String, f64>, pass: f64, marginal: f64, settings: &Settings) -> Judgement {
    let results: Vec<MetricResult> = metrics.iter().map(|metric| judge_metric(metric, settings)).collect();
    let graded: Vec<Graded<'_>> = results
        .iter()
        .filter(|result| !result.muted)
        .map(|result| Graded {
            groups: &result.groups,
            classification: result.judged.classification,
            critical: result.judged.critical,
            reason: result.judged.reason.as_deref(),
        })
        .collect();
    let score = Score::of(&graded, weights);
    let findings = finding::about_all(metrics, &score, weights, pass, settings);
    Judgement { classification: score.classify(pass, marginal), score, results, findings }
}

/// Judges one metric: prepares its values, classifies them, and doubts.
pub fn judge_metric(metric: &Metric, settings: &Settings) -> MetricResult {
    let Analysis { nan_strategy, outlier_factor, .. } = metric.analysis;
    let control = prepare::prepared(&metric.control, nan_strategy, outlier_factor);
    let experiment = prepare::prepared(&metric.experiment, nan_strategy, outlier_factor);
    let judged = classify(&metric.name, &control, &experiment, &metric.analysis, settings);
    let (exact, findings) = finding::about(metric, &control, &experiment, &judged, settings);
    MetricResult {
        name: metric.name.clone(),
        groups: metric.groups.clone(),
        muted: metric.analysis.muted,
        judged,
        exact,
        control: Summary::of(&control),
        experiment: Summary::of(&experiment),
        findings,
    }
}
