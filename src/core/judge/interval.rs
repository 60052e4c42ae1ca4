//! A confidence interval for a share that stays true however often one looks.

use super::counts::Counts;
use super::dispersion::Dispersion;
use super::evidence::{log_grid, log_mean_exp};
use serde::{Deserialize, Serialize};

/// Where a share lies, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// All shares `p` that the counts do not refute: `M / (p^e · (1−p)^(n−e)) < 1/alpha`, where `M` is the mean of
    /// `q^e · (1−q)^(n−e)` over a fixed mixture of `q`. With probability `1 − alpha` the true share lies inside at every
    /// look. Counts are divided by the dispersion.
    pub fn of(counts: Counts, dispersion: Dispersion, alpha: f64) -> Self {
        let likelihood = Likelihood::of(counts, dispersion);
        let bound = likelihood.log_mixture() + alpha.ln();
        let inside = |p: f64| likelihood.log_at(p) > bound;
        let centre = counts.share();
        // The likelihood falls on both sides of its maximum, so the ends are found by halving.
        let end = |outside: f64| {
            if inside(outside) {
                return outside;
            }
            let (mut inner, mut outer) = (centre, outside);
            for _ in 0..48 {
                let middle = f64::midpoint(inner, outer);
                *(if inside(middle) { &mut inner } else { &mut outer }) = middle;
            }
            outer
        };
        Interval { low: end(0.0), high: end(1.0) }
    }
}

/// How well shares explain counts; the counts are divided by the dispersion.
struct Likelihood {
    bad: f64,
    good: f64,
}

impl Likelihood {
    fn of(counts: Counts, dispersion: Dispersion) -> Self {
        let factor = dispersion.factor();
        Likelihood { bad: counts.bad() / factor, good: (counts.requests() - counts.bad()) / factor }
    }

    /// The logarithm of the likelihood of the share `p`.
    fn log_at(&self, p: f64) -> f64 {
        let term = |count: f64, p: f64| if count > 0.0 { count * p.ln() } else { 0.0 };
        term(self.bad, p) + term(self.good, 1.0 - p)
    }

    /// The logarithm of its mean over a fixed mixture of shares. Three quarters of it are 40 points evenly in the
    /// logarithm, for shares near 0; one quarter is Jeffreys' distribution (Beta(½, ½)), for shares near 1 and for so many
    /// requests that the truth lies between two points.
    fn log_mixture(&self) -> f64 {
        let points = log_mean_exp(log_grid(1e-5, 0.95, 40).map(|p| self.log_at(p)).collect::<Vec<_>>().into_iter());
        let total = self.bad + self.good;
        let jeffreys =
            log_gamma(self.bad + 0.5) + log_gamma(self.good + 0.5) - log_gamma(total + 1.0) - std::f64::consts::PI.ln();
        log_mean_exp([points, points, points, jeffreys].into_iter())
    }
}

/// The logarithm of the gamma function for `x ≥ 1/2`: Stirling's series, after a shift to where it is exact.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 1.0);
    while x < 10.0 {
        shift *= x;
        x += 1.0;
    }
    let squared = x * x;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * squared)) / squared) / squared) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - f64::ln(shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_share_and_narrows() {
        let mut width = f64::INFINITY;
        for n in [10.0, 100.0, 1000.0, 10_000.0, 1e6] {
            let counts = Counts::new(n, n / 10.0).expect("counts");
            let interval = Interval::of(counts, Dispersion::INDEPENDENT, 0.005);
            assert!(interval.low < 0.1 && 0.1 < interval.high, "{interval:?}");
            assert!(interval.high - interval.low < width);
            width = interval.high - interval.low;
            let bursts = Interval::of(counts, Dispersion::UNKNOWN, 0.005);
            assert!(bursts.high - bursts.low > width);
        }
        assert!(width < 0.004, "{width}");
    }

    #[test]
    fn the_gamma_function_is_a_factorial() {
        let mut factorial = 1.0f64;
        for n in 1..30 {
            assert!((log_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-11, "{n}");
            factorial *= f64::from(n);
        }
        assert!((log_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-11);
    }

    #[test]
    fn nothing_seen_says_nothing_and_no_errors_bound_from_above() {
        assert_eq!(Interval::of(Counts::default(), Dispersion::INDEPENDENT, 0.01), Interval { low: 0.0, high: 1.0 });
        let clean = Interval::of(Counts::new(1000.0, 0.0).expect("counts"), Dispersion::INDEPENDENT, 0.005);
        assert!(clean.low == 0.0 && (0.004..0.01).contains(&clean.high), "{clean:?}");
        let all = Interval::of(Counts::new(1000.0, 1000.0).expect("counts"), Dispersion::INDEPENDENT, 0.005);
        assert!(all.high == 1.0 && all.low > 0.98, "{all:?}");
    }
}
