//! Descriptive statistics and sizes of effects, as Kayenta computes them.

use super::mann_whitney::ranks_of_first;
use serde::{Deserialize, Serialize};

/// What a sample looks like; all 0 for an empty one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The least value.
    pub min: f64,
    /// The greatest value.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample (n − 1); 0 for one value.
    pub std: f64,
    /// How many values.
    pub count: usize,
}

impl Summary {
    /// Of a sample without NaN.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Summary::default();
        }
        let fold = |pick: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, pick);
        let std = if values.len() > 1 { (squares(values) / (values.len() - 1) as f64).sqrt() } else { 0.0 };
        Summary {
            min: fold(f64::min, f64::INFINITY),
            max: fold(f64::max, f64::NEG_INFINITY),
            mean: mean(values),
            std,
            count: values.len(),
        }
    }
}

/// The mean, corrected once for what rounding lost; NaN for an empty sample.
pub fn mean(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let first = values.iter().sum::<f64>() / n;
    first + values.iter().map(|value| value - first).sum::<f64>() / n
}

/// The sum of the squared distances from the mean.
pub(super) fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    let (squares, rest) = values.iter().fold((0.0, 0.0), |(squares, rest), value| {
        let distance = value - mean;
        (squares + distance * distance, rest + distance)
    });
    squares - rest * rest / values.len() as f64
}

/// The percentile `p` (0 to 100) by R's seventh rule, the linear one; NaN for an empty sample.
///
/// ```
/// use tidegate::core::judge::kayenta::percentile;
/// assert_eq!(percentile(&[3.0, 1.0, 2.0, 4.0], 50.0), 2.5);
/// ```
pub fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile_of_sorted(&sorted, p)
}

pub(super) fn percentile_of_sorted(sorted: &[f64], p: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let position = (last as f64 * p / 100.0).clamp(0.0, last as f64);
    let below = position.floor();
    let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(f64::NAN);
    if position == below { at(below) } else { at(below) + (position - below) * (at(below + 1.0) - at(below)) }
}

/// The experiment's mean over the control's; NaN where either is 0.
pub fn mean_ratio(control: &[f64], experiment: &[f64]) -> f64 {
    let (control, experiment) = (mean(control), mean(experiment));
    if control == 0.0 || experiment == 0.0 { f64::NAN } else { experiment / control }
}

/// Cohen's d: the distance of the means in pooled standard deviations.
pub fn cohens_d(control: &Summary, experiment: &Summary) -> f64 {
    let (n, m) = (control.count as f64, experiment.count as f64);
    let pooled = (((m - 1.0) * experiment.std.powi(2) + (n - 1.0) * control.std.powi(2)) / (n + m - 2.0)).sqrt();
    (experiment.mean - control.mean).abs() / pooled
}

/// The common language effect size (Vargha and Delaney 2000): the share of the pairs in which the experiment's value is the
/// greater one, ties for half; 0.5 where there is no difference.
pub fn cles(control: &[f64], experiment: &[f64]) -> f64 {
    let (m, n) = (experiment.len() as f64, control.len() as f64);
    (2.0 * ranks_of_first(experiment, control) - m * (m + 1.0)) / (2.0 * n * m)
}
