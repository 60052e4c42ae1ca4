//! What is done to a series before it is judged.

use super::stats::{mean, percentile_of_sorted, squares};
use serde::{Deserialize, Serialize};

/// What a missing value (NaN) means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NanStrategy {
    /// Nothing was measured; also for words that are not known.
    #[default]
    Remove,
    /// It was 0, as for counts of errors.
    Replace,
}

impl NanStrategy {
    /// The series without NaN.
    pub fn apply(self, values: &[f64]) -> Vec<f64> {
        match self {
            NanStrategy::Remove => values.iter().copied().filter(|value| !value.is_nan()).collect(),
            NanStrategy::Replace => values.iter().map(|&value| if value.is_nan() { 0.0 } else { value }).collect(),
        }
    }
}

/// Which values lie more than `k` standard deviations (of the population) from the mean.
pub fn k_sigma_outliers(values: &[f64], k: f64) -> Vec<bool> {
    let mean = mean(values);
    let deviation = (squares(values).max(0.0) / values.len() as f64).sqrt();
    values.iter().map(|value| (value - mean).abs() > k * deviation).collect()
}

/// Which values lie more than `factor` interquartile ranges outside the quartiles. With `reduced` sensitivity the first and
/// the last percentile are never cut either, which is what the judge uses.
pub fn iqr_outliers(values: &[f64], factor: f64, reduced: bool) -> Vec<bool> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |p: f64| percentile_of_sorted(&sorted, p);
    let range = at(75.0) - at(25.0);
    let (mut low, mut high) = (at(25.0) - factor * range, at(75.0) + factor * range);
    if reduced {
        (low, high) = (low.min(at(1.0)), high.max(at(99.0)));
    }
    values.iter().map(|&value| value < low || value > high).collect()
}

/// NaN first, then outliers where a factor says so.
pub(super) fn prepared(values: &[f64], nan: NanStrategy, outlier_factor: Option<f64>) -> Vec<f64> {
    let values = nan.apply(values);
    let Some(factor) = outlier_factor else { return values };
    let outliers = iqr_outliers(&values, factor, true);
    values.into_iter().zip(outliers).filter(|(_, is_outlier)| !is_outlier).map(|(value, _)| value).collect()
}
