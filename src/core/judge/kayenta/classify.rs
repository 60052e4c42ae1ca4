//! Whether the experiment's values are higher or lower than the control's.

use super::analysis::{Analysis, Direction, Measure};
use super::mann_whitney::{Arithmetic, Samples, Shift, Tied};
use super::normal::exceeded_with;
use super::prepare::NanStrategy;
use super::stats::{cles, mean, mean_ratio};
use crate::sorted;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What became of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Classification {
    /// No relevant difference.
    Pass,
    /// The experiment is higher.
    High,
    /// The experiment is lower.
    Low,
    /// Nothing to compare; not counted.
    Nodata,
    /// Nothing to compare where there must be something; counts as a failure.
    NodataFailMetric,
    /// It could not be judged; not counted.
    Error,
}

/// The judge's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The share of the estimated shift by which the interval must be away from 0.
    pub tolerance: f64,
    /// The confidence of the interval, from 0 to 1.
    pub confidence: f64,
    /// How the interval is computed.
    pub arithmetic: Arithmetic,
}

impl Default for Settings {
    /// What Kayenta uses in production, whatever its configuration says.
    fn default() -> Self {
        Settings { tolerance: 0.25, confidence: 0.98, arithmetic: Arithmetic::Kayenta }
    }
}

/// A classified metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Classified {
    /// What became of it.
    pub classification: Classification,
    /// Whether that fails the canary alone.
    pub critical: bool,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// The experiment's mean over the control's, whatever measure decided; NaN where one of them is 0, 1 where nothing was
    /// compared.
    pub deviation: f64,
    /// What the test found, where it was made.
    pub shift: Option<Shift>,
}

impl Classified {
    fn uncompared(classification: Classification, critical: bool, reason: Option<String>) -> Self {
        Classified { classification, critical, reason, deviation: 1.0, shift: None }
    }

    fn by_means(classification: Classification, critical: bool, reason: &str, deviation: f64) -> Self {
        Classified { classification, critical, reason: Some(reason.to_owned()), deviation, shift: None }
    }
}

/// Nothing on one side or on both.
fn missing(name: &str, analysis: &Analysis) -> Classified {
    if analysis.nan_strategy == NanStrategy::Replace {
        return Classified::uncompared(Classification::Pass, false, None);
    }
    let reason = Some(format!("Missing data for {name}"));
    if analysis.must_have_data && !analysis.critical {
        return Classified::uncompared(Classification::NodataFailMetric, false, reason);
    }
    Classified::uncompared(Classification::Nodata, analysis.critical, reason)
}

fn same_values(a: &[f64], b: &[f64]) -> bool {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        sorted::by(&mut values, |a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        values
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

fn constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// Kayenta adds normal noise of a hundred-thousandth of the value where both sides are constant, because the test is not
/// defined there. Its mean order statistics (Blom) take the place of random numbers, so that the answer is the same twice.
fn with_noise(values: &[f64]) -> Cow<'_, [f64]> {
    let n = values.len() as f64;
    let score = |rank: usize| {
        let above = (n - rank as f64 - 0.375) / (n + 0.25);
        if above <= 0.5 { exceeded_with(above) } else { -exceeded_with(1.0 - above) }
    };
    values.iter().enumerate().map(|(index, value)| value + value.abs() * 1e-5 * score(index)).collect()
}

/// Classifies values that were prepared: neither side holds NaN.
pub fn classify(name: &str, control: &[f64], experiment: &[f64], analysis: &Analysis, settings: &Settings) -> Classified {
    if control.is_empty() || experiment.is_empty() {
        return missing(name, analysis);
    }
    if same_values(control, experiment) {
        let reason = "The experiment and control data are identical".to_owned();
        return Classified::uncompared(Classification::Pass, false, Some(reason));
    }
    let both_constant = constant(control) && constant(experiment);
    if both_constant && control.first() == experiment.first() {
        return Classified::uncompared(Classification::Pass, false, None);
    }
    let failed = |why: &str| {
        let reason = format!("{name} could not be judged: {why}");
        Classified::uncompared(Classification::Error, analysis.critical, Some(reason))
    };
    if control.iter().chain(experiment).any(|value| !value.is_finite()) {
        return failed("it has infinite values");
    }
    if settings.arithmetic == Arithmetic::Exact && !enough(control.len(), experiment.len(), settings.confidence) {
        let reason = format!("{name} has too few values to show any difference");
        return Classified::uncompared(Classification::Nodata, analysis.critical, Some(reason));
    }
    let (control, experiment) = if both_constant {
        (with_noise(control), with_noise(experiment))
    } else {
        (Cow::Borrowed(control), Cow::Borrowed(experiment))
    };
    match Samples::new(&control, &experiment).shift(settings.confidence, settings.arithmetic) {
        Ok(shift) => decide(name, &control, &experiment, shift, analysis, settings),
        Err(Tied) => failed("all values are tied"),
    }
}

fn decide(name: &str, control: &[f64], experiment: &[f64], shift: Shift, analysis: &Analysis, settings: &Settings) -> Classified {
    let deviation = mean_ratio(control, experiment);
    let effect = match analysis.measure {
        Measure::MeanRatio => deviation,
        Measure::Cles => cles(control, experiment),
    };
    let bound = settings.tolerance * shift.estimate.abs();
    // An effect that cannot be computed hinders nothing.
    let at_least = |size: f64| effect.is_nan() || effect >= size;
    let at_most = |size: f64| effect.is_nan() || effect <= size;
    let (classification, severe) = if analysis.direction != Direction::Decrease
        && shift.low > bound
        && at_least(analysis.allowed_increase)
    {
        (Classification::High, at_least(analysis.critical_increase))
    } else if analysis.direction != Direction::Increase && shift.high < -bound && at_most(analysis.allowed_decrease) {
        (Classification::Low, at_most(analysis.critical_decrease))
    } else {
        return Classified { classification: Classification::Pass, critical: false, reason: None, deviation, shift: Some(shift) };
    };
    let critical = analysis.critical && severe;
    let reason = if critical {
        format!("The metric {name} was classified as {classification:?} (Critical)")
    } else {
        format!("{name} was classified as {classification:?}")
    };
    Classified { classification, critical, reason: Some(reason), deviation, shift: Some(shift) }
}

/// Whether samples of these sizes can show a difference at all: of all `C(m+n, m)` orders of the values the two extreme
/// ones together must be rarer than what the confidence leaves.
pub(super) fn enough(m: usize, n: usize, confidence: f64) -> bool {
    let (few, many) = (m.min(n), m.max(n));
    let mut orders = 1.0;
    for chosen in 1..=few {
        orders *= (many + chosen) as f64 / chosen as f64;
        if 2.0 / orders <= 1.0 - confidence {
            return true;
        }
    }
    false
}

/// Kayenta's simplest classifier, which it uses to measure the other one against: any difference of the means counts.
pub fn classify_by_means(name: &str, control: &[f64], experiment: &[f64], analysis: &Analysis) -> Classified {
    if control.is_empty() || experiment.is_empty() {
        return missing(name, analysis);
    }
    let (ours, theirs) = (mean(experiment), mean(control));
    if analysis.direction != Direction::Decrease && ours > theirs {
        let reason = "The experiment mean was greater than the control mean";
        return Classified::by_means(Classification::High, analysis.critical, reason, ours / theirs);
    }
    if analysis.direction != Direction::Increase && ours < theirs {
        let reason = "The experiment mean was less than the control mean";
        return Classified::by_means(Classification::Low, analysis.critical, reason, ours / theirs);
    }
    Classified::uncompared(Classification::Pass, false, None)
}
