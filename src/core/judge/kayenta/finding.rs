//! Where Kayenta's answer deserves a doubt: what its users complain of, said next to the verdict.

use super::analysis::Measure;
use super::classify::{Classification, Classified, Settings, classify, enough};
use super::mann_whitney::Arithmetic;
use super::{Metric, Score};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// So few values that none of their orders would be rare: the normal approximation fails every fourth good version of
    /// two values.
    TooFewValues,
    /// Kayenta's tolerance of 1e-4 is coarse in this metric's unit.
    Unit,
    /// The control is always 0: no ratio can be computed, and errors are better compared as counts.
    Sparse,
    /// A mean is negative, so that the ratio of the means turns round what is more and less.
    Negative,
    /// The values are spread otherwise though their middle is the same, which the test cannot see.
    Spread,
    /// Neighbouring values are alike, so that there are fewer independent ones than it seems.
    Autocorrelated,
    /// So many metrics that one of them fails by chance.
    ManyMetrics,
    /// No canary can reach the score for passing.
    Unreachable,
    /// A metric has no group and never counts.
    NoGroup,
}

/// A doubt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What is doubtful.
    pub kind: Kind,
    /// A sentence about it.
    pub text: String,
}

impl Finding {
    fn new(kind: Kind, text: String) -> Self {
        Finding { kind, text }
    }
}

/// From so much correlation of neighbours on it is worth a word.
const ALIKE: f64 = 0.5;

/// The doubts about one metric's classification, and what exact arithmetic says.
pub(super) fn about(
    metric: &Metric,
    control: &[f64],
    experiment: &[f64],
    judged: &Classified,
    settings: &Settings,
) -> (Classification, Vec<Finding>) {
    let exact =
        classify(&metric.name, control, experiment, &metric.analysis, &Settings { arithmetic: Arithmetic::Exact, ..*settings });
    let mut findings = Vec::new();
    let Some(shift) = judged.shift.or(exact.shift) else { return (exact.classification, few(control, experiment, settings)) };
    findings.extend(few(control, experiment, settings));
    if let Some(exactly) = exact.shift {
        let width = exactly.high - exactly.low;
        if exact.classification != judged.classification || (width > 0.0 && width < 1e-3 && shift != exactly) {
            let text = format!(
                "Kayenta computes to 1e-4 in the metric's unit, which is coarse here; exactly the shift lies between {:e} and {:e}: {:?}",
                exactly.low, exactly.high, exact.classification
            );
            findings.push(Finding::new(Kind::Unit, text));
        }
    }
    if control.iter().all(|&value| value == 0.0) {
        let text = "the control is always 0, so that no ratio limits the effect; compare counts of errors instead".to_owned();
        findings.push(Finding::new(Kind::Sparse, text));
    }
    let negative = super::mean(control) < 0.0 || super::mean(experiment) < 0.0;
    if negative && metric.analysis.measure == Measure::MeanRatio {
        let text = "a mean is negative: the ratio of the means, which limits the effect, turns round what is more and less; measure the effect by `cles`";
        findings.push(Finding::new(Kind::Negative, text.to_owned()));
    }
    if judged.classification == Classification::Pass {
        findings.extend(spread(control, experiment, settings.confidence));
    }
    for (name, values) in [("control", control), ("experiment", experiment)] {
        if let Some(correlation) = autocorrelation(values).filter(|&correlation| correlation > ALIKE) {
            let worth = values.len() as f64 * (1.0 - correlation) / (1.0 + correlation);
            let text = format!(
                "neighbouring values of the {name} are alike (correlation {correlation:.2}): its {} values are worth about {:.0}",
                values.len(),
                worth.max(1.0)
            );
            findings.push(Finding::new(Kind::Autocorrelated, text));
        }
    }
    (exact.classification, findings)
}

fn few(control: &[f64], experiment: &[f64], settings: &Settings) -> Vec<Finding> {
    let (n, m) = (control.len(), experiment.len());
    if n == 0 || m == 0 || enough(n, m, settings.confidence) {
        return Vec::new();
    }
    let needed = (1..1000).find(|&size| enough(size, size, settings.confidence)).unwrap_or(1000);
    let text = format!(
        "{n} and {m} values cannot show a difference at {:.0} % confidence; {needed} a side can",
        settings.confidence * 100.0
    );
    vec![Finding::new(Kind::TooFewValues, text)]
}

/// The test of Kolmogorov and Smirnov: the greatest distance of the two distributions, once their medians are the same.
fn spread(control: &[f64], experiment: &[f64], confidence: f64) -> Option<Finding> {
    let centred = |values: &[f64]| {
        let median = super::percentile(values, 50.0);
        let mut values: Vec<f64> = values.iter().map(|value| value - median).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (x, y) = (centred(experiment), centred(control));
    let (m, n) = (x.len() as f64, y.len() as f64);
    let distance = x
        .iter()
        .chain(&y)
        .map(|&at| {
            let below = |values: &[f64]| values.partition_point(|&value| value <= at) as f64;
            (below(&x) / m - below(&y) / n).abs()
        })
        .fold(0.0, f64::max);
    let chance = ((2.0 / (1.0 - confidence)).ln() / 2.0 * (m + n) / (m * n)).sqrt();
    (distance > chance).then(|| {
        let text = format!("the values are spread otherwise than the control's (distance {distance:.2}, by chance up to {chance:.2}), which this test cannot see");
        Finding::new(Kind::Spread, text)
    })
}

/// The correlation of each value with the next one; `None` for few values or constant ones.
fn autocorrelation(values: &[f64]) -> Option<f64> {
    if values.len() < 10 {
        return None;
    }
    let mean = super::mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let correlation = products / squares;
    correlation.is_finite().then_some(correlation)
}

/// The doubts about the whole.
pub(super) fn about_all(
    metrics: &[Metric],
    score: &Score,
    weights: &BTreeMap<String, f64>,
    pass: f64,
    settings: &Settings,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let counted: Vec<&Metric> = metrics.iter().filter(|metric| !metric.analysis.muted).collect();
    let one = 1.0 - settings.confidence.powi(i32::try_from(counted.len()).unwrap_or(i32::MAX));
    if counted.len() >= 5 {
        let text = format!(
            "{} metrics at {:.0} % confidence each: one of them may differ by chance in up to {:.0} % of the good versions",
            counted.len(),
            settings.confidence * 100.0,
            one * 100.0
        );
        findings.push(Finding::new(Kind::ManyMetrics, text));
    }
    let reachable: f64 = score.groups.iter().map(|group| group.weight).sum();
    if !score.groups.is_empty() && reachable < pass {
        let absent: Vec<&str> =
            weights.keys().map(String::as_str).filter(|name| score.groups.iter().all(|group| group.name != *name)).collect();
        let mut text = format!("the weights of the groups sum to {reachable}: a score of {pass} cannot be reached");
        if !absent.is_empty() {
            text += &format!("; no metric is in {}", absent.join(", "));
        }
        findings.push(Finding::new(Kind::Unreachable, text));
    }
    for metric in counted.iter().filter(|metric| metric.groups.is_empty()) {
        findings.push(Finding::new(
            Kind::NoGroup,
            format!("{} has no group and counts for nothing unless it is critical", metric.name),
        ));
    }
    findings
}
