//! The Mann-Whitney test with the confidence interval of the shift between two samples (Hodges and Lehmann 1963), by
//! R's asymptotic method: the ends are where the standardised rank sum of the shifted sample crosses a quantile.
//!
//! Both samples are sorted once; each trial shift is then one merge, so that everything is O(n log n).

use super::normal::{above, exceeded_with};
use serde::{Deserialize, Serialize};

/// How the ends of the interval are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arithmetic {
    /// As Kayenta does: Brent's method to within 1e-4 in the metric's unit. Values below that are judged by chance.
    #[default]
    Kayenta,
    /// Exactly: the ends are differences of two values, in whatever unit.
    Exact,
}

/// What the test found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// The lower end of the interval for experiment − control.
    pub low: f64,
    /// The upper end. With Kayenta's arithmetic it can lie below the lower one.
    pub high: f64,
    /// The Hodges-Lehmann estimate: the median of all differences.
    pub estimate: f64,
    /// The two-sided p-value of "no shift".
    pub p_value: f64,
}

/// The test cannot be made: all values are tied at some shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tied;

/// Kayenta's tolerance, in the metric's unit.
const TOLERANCE: f64 = 1e-4;

/// Two samples, sorted.
pub(super) struct Samples {
    experiment: Vec<f64>,
    control: Vec<f64>,
    /// The control with NaN at its end.
    ended: Vec<f64>,
}

/// The rank sum of the first sample, and the sum of t³ − t over groups of t tied values.
struct Ranks {
    first: f64,
    ties: f64,
}

/// Ranks two sorted samples. This is where the time goes, a few hundred times a test: which sample is next is as good as
/// random, so that the usual case of one or two equal values takes no branch that depends on it.
fn rank(mut first: Vec<f64>, second: &[f64]) -> Ranks {
    // NaN ends a sample: it is equal to nothing, and the minimum of it and a number is the number.
    first.push(f64::NAN);
    let mut ranks = Ranks { first: 0.0, ties: 0.0 };
    let (mut i, mut j, mut before) = (0, 0, 0.0);
    while let (Some(&a), Some(&b)) = (first.get(i), second.get(j)) {
        let value = a.min(b);
        let (mut ours, mut theirs) = (usize::from(a == value), usize::from(b == value));
        if ours + theirs == 0 {
            break;
        }
        while first.get(i + ours) == Some(&value) {
            ours += 1;
        }
        while second.get(j + theirs) == Some(&value) {
            theirs += 1;
        }
        let tied = (ours + theirs) as f64;
        ranks.first += ours as f64 * (before + (tied + 1.0) / 2.0);
        ranks.ties += tied * tied * tied - tied;
        before += tied;
        i += ours;
        j += theirs;
    }
    ranks
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn ended(values: &[f64]) -> Vec<f64> {
    values.iter().copied().chain([f64::NAN]).collect()
}

/// The sum of the ranks of the first sample among both, ties averaged.
pub(super) fn ranks_of_first(first: &[f64], second: &[f64]) -> f64 {
    rank(sorted(first), &ended(&sorted(second))).first
}

/// Tests two samples, which are not empty and hold no NaN. `confidence` is from 0 to 1.
pub fn mann_whitney(control: &[f64], experiment: &[f64], confidence: f64, arithmetic: Arithmetic) -> Result<Shift, Tied> {
    Samples::new(control, experiment).shift(confidence, arithmetic)
}

impl Samples {
    pub(super) fn new(control: &[f64], experiment: &[f64]) -> Self {
        let control = sorted(control);
        Samples { experiment: sorted(experiment), ended: ended(&control), control }
    }

    /// The rank sum of the experiment when `shift` is taken from it, as the distance from what no difference lets expect;
    /// it falls as `shift` grows. And its standard deviation.
    fn distance(&self, shift: f64) -> Result<(f64, f64), Tied> {
        let (m, n) = (self.experiment.len() as f64, self.control.len() as f64);
        let ranks = rank(self.experiment.iter().map(|value| value - shift).collect(), &self.ended);
        let distance = ranks.first - m * (m + 1.0) / 2.0 - m * n / 2.0;
        let variance = m * n / 12.0 * ((m + n + 1.0) - ranks.ties / ((m + n) * (m + n - 1.0)));
        let deviation = variance.sqrt();
        // Not `== 0`: rounding can make the variance negative.
        if deviation > 0.0 { Ok((distance, deviation)) } else { Err(Tied) }
    }

    /// The distance in standard deviations, corrected for continuity.
    pub(super) fn statistic(&self, shift: f64) -> Result<f64, Tied> {
        let (distance, deviation) = self.distance(shift)?;
        let correction = if distance == 0.0 { 0.0 } else { 0.5 * distance.signum() };
        Ok((distance - correction) / deviation)
    }

    /// The least and the greatest shift that a pair of values shows.
    pub(super) fn range(&self) -> (f64, f64) {
        let ends = |values: &[f64]| Some((*values.first()?, *values.last()?));
        match (ends(&self.experiment), ends(&self.control)) {
            (Some(x), Some(y)) => (x.0 - y.1, x.1 - y.0),
            _ => (f64::NAN, f64::NAN),
        }
    }

    pub(super) fn shift(&self, confidence: f64, arithmetic: Arithmetic) -> Result<Shift, Tied> {
        let z = exceeded_with((1.0 - confidence) / 2.0);
        let p_value = (2.0 * above(self.statistic(0.0)?.abs())).min(1.0);
        let (low, high, estimate) = match arithmetic {
            Arithmetic::Kayenta => (self.root(z)?, self.root(-z)?, self.zero(0.0)?),
            Arithmetic::Exact => {
                let end = |quantile: f64| self.crossing(|shift| Ok(self.statistic(shift)? > quantile));
                let from = self.crossing(|shift| Ok(self.distance(shift)?.0 > 0.0))?;
                let to = self.crossing(|shift| Ok(self.distance(shift)?.0 >= 0.0))?;
                (end(z)?, end(-z)?, f64::midpoint(from, to))
            }
        };
        Ok(Shift { low, high, estimate, p_value })
    }

    /// Where the statistic is `quantile`, held to the range.
    fn root(&self, quantile: f64) -> Result<f64, Tied> {
        let (low, high) = self.range();
        if self.statistic(low)? - quantile <= 0.0 {
            return Ok(low);
        }
        if self.statistic(high)? - quantile >= 0.0 {
            return Ok(high);
        }
        self.zero(quantile)
    }

    fn zero(&self, quantile: f64) -> Result<f64, Tied> {
        let (low, high) = self.range();
        brent(low, high, TOLERANCE, |shift| Ok(self.statistic(shift)? - quantile))
    }

    /// The difference of two values from which on `before` no longer holds. Halving down to rounding, then the nearest of
    /// the differences, so that the answer is one of them.
    fn crossing(&self, before: impl Fn(f64) -> Result<bool, Tied>) -> Result<f64, Tied> {
        let (low, high) = self.range();
        if !before(low)? {
            return Ok(low);
        }
        if before(high)? {
            return Ok(high);
        }
        let (mut inside, mut outside) = (low, high);
        for _ in 0..52 {
            let middle = f64::midpoint(inside, outside);
            *(if before(middle)? { &mut inside } else { &mut outside }) = middle;
        }
        Ok(self.nearest_difference(f64::midpoint(inside, outside)))
    }

    fn nearest_difference(&self, shift: f64) -> f64 {
        let mut best = f64::INFINITY;
        let mut consider = |difference: f64| {
            if (difference - shift).abs() < (best - shift).abs() {
                best = difference;
            }
        };
        for &value in &self.experiment {
            let at = self.control.partition_point(|&other| value - other > shift);
            for other in self.control[at.saturating_sub(1)..].iter().take(2) {
                consider(value - other);
            }
        }
        best
    }
}

/// Brent's method for a zero between `low` and `high` (Algorithms for Minimization without Derivatives, chapter 4), in the
/// variant of R's `zeroin`: at least half the tolerance is stepped each time.
fn brent(low: f64, high: f64, tolerance: f64, f: impl Fn(f64) -> Result<f64, Tied>) -> Result<f64, Tied> {
    // `best` is the best guess, `last` the one before it, and the zero lies between `best` and `other`.
    let (mut last, mut best) = ((low, f(low)?), (high, f(high)?));
    if last.1 == 0.0 {
        return Ok(last.0);
    }
    let mut other = last;
    for _ in 0..1001 {
        let before = best.0 - last.0;
        if other.1.abs() < best.1.abs() {
            (last, best, other) = (best, other, best);
        }
        let least = 2.0 * f64::EPSILON * best.0.abs() + tolerance / 2.0;
        let half = (other.0 - best.0) / 2.0;
        if half.abs() <= least || best.1 == 0.0 {
            break;
        }
        let mut step = half;
        if before.abs() >= least && last.1.abs() > best.1.abs() {
            let width = other.0 - best.0;
            let ratio = best.1 / last.1;
            let (p, q) = if last.0 == other.0 {
                (width * ratio, 1.0 - ratio)
            } else {
                let (q, t) = (last.1 / other.1, best.1 / other.1);
                (ratio * (width * q * (q - t) - (best.0 - last.0) * (t - 1.0)), (q - 1.0) * (t - 1.0) * (ratio - 1.0))
            };
            let (p, q) = if p > 0.0 { (p, -q) } else { (-p, q) };
            if p < 0.75 * width * q - (least * q).abs() / 2.0 && p < (before * q / 2.0).abs() {
                step = p / q;
            }
        }
        if step.abs() < least {
            step = if step > 0.0 { least } else { -least };
        }
        last = best;
        best.0 += step;
        best.1 = f(best.0)?;
        if (best.1 > 0.0 && other.1 > 0.0) || (best.1 < 0.0 && other.1 < 0.0) {
            other = last;
        }
    }
    Ok(best.0)
}
