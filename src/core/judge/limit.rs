//! The candidate against a limit on its bad share: `success-rate>=99`, `p95<500ms`.

use super::counts::Counts;
use super::dispersion::Dispersion;
use super::evidence::{divergence, log_grid, log_mean_exp};
use super::verdict::{Decision, Missing, Side, Verdict};
use serde::{Deserialize, Serialize};

/// Nobody can prove that something never happens: a limit of 0 is read as one in a thousand million.
const LEAST: f64 = 1e-9;

/// A running comparison of the candidate with a limit on its bad share. Its state can be stored and read back.
///
/// ```
/// use tidegate::core::judge::{Counts, Decision, Dispersion, Limit};
/// let mut limit = Limit::new(0.01, Dispersion::INDEPENDENT, 0.01);
/// limit.look(Counts::new(700.0, 0.0).unwrap_or_default());
/// assert_eq!(limit.verdict().decision, Decision::Pass);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    limit: f64,
    dispersion: Dispersion,
    alpha: f64,
    /// What was bad for certain.
    at_least: Counts,
    /// What may have been bad.
    at_most: Counts,
    decided: Option<Decision>,
}

impl Limit {
    /// Begins. `limit` is the bad share that is still allowed, 0.01 for `success-rate>=99`, 0.05 for `p95<500ms`; `alpha`
    /// as for [`super::Comparison`].
    pub fn new(limit: f64, dispersion: Dispersion, alpha: f64) -> Self {
        Limit {
            limit: if limit.is_finite() { limit.clamp(LEAST, 1.0 - LEAST) } else { LEAST },
            dispersion,
            alpha: if alpha > 0.0 && alpha < 1.0 { alpha } else { 0.01 },
            at_least: Counts::default(),
            at_most: Counts::default(),
            decided: None,
        }
    }

    /// Takes in an interval.
    pub fn look(&mut self, counts: Counts) {
        self.look_between(counts, counts);
    }

    /// Takes in an interval of which only bounds are known, as where a latency limit lies inside a histogram's bucket: it
    /// fails by what was bad for certain and passes by what may have been.
    pub fn look_between(&mut self, at_least: Counts, at_most: Counts) {
        self.at_least += at_least;
        self.at_most += at_most;
        if self.decided.is_none() {
            self.decided = self.decide();
        }
    }

    /// Adds another service's counts, judged by the same limit.
    pub fn merge(&mut self, other: &Limit) {
        self.at_least += other.at_least;
        self.at_most += other.at_most;
        self.decided = match (self.decided, other.decided) {
            (Some(Decision::Fail), _) | (_, Some(Decision::Fail)) => Some(Decision::Fail),
            _ => self.decide(),
        };
    }

    fn decide(&self) -> Option<Decision> {
        let needed = -self.alpha.ln();
        if self.log_worse() >= needed {
            return Some(Decision::Fail);
        }
        (self.log_good() >= needed).then_some(Decision::Pass)
    }

    /// Upwards from the limit, to nearly everything.
    fn worse(&self) -> impl Iterator<Item = f64> + use<> {
        let p = self.limit;
        log_grid((1.15 * p).min(p + 0.15 * (1.0 - p)), 0.95f64.max(1.0 - (1.0 - p) / 4.0), 24)
    }

    fn better(&self) -> impl Iterator<Item = f64> + use<> {
        log_grid(0.02 * self.limit, 0.9 * self.limit, 24)
    }

    fn evidence(&self, counts: Counts, shares: impl Iterator<Item = f64>) -> f64 {
        let logs: Vec<f64> = shares.map(|p| self.log_ratio(counts, p)).collect();
        log_mean_exp(logs.into_iter())
    }

    /// The logarithm of the likelihood of the bad share `p` over that of the limit.
    fn log_ratio(&self, counts: Counts, p: f64) -> f64 {
        let (bad, good) = (counts.bad(), counts.requests() - counts.bad());
        let (up, down) = ((p / self.limit).ln(), ((1.0 - p) / (1.0 - self.limit)).ln());
        self.discount(up, down) * (bad * up + good * down)
    }

    /// As [`super::evidence::discount`], where the other outcome is not somebody else's error but a request that went well:
    /// bursts of geometric size `m` begin at rate `limit/m` a request, and the exponent `w` must satisfy
    /// `(limit/m)·(G(exp(w·(up − down))) − 1) + w·down ≤ 0`.
    fn discount(&self, up: f64, down: f64) -> f64 {
        let burst = self.dispersion.burst();
        if burst <= 1.0 {
            return 1.0;
        }
        let unfair = |w: f64| {
            let s = (w * (up - down)).exp();
            let pole = burst - (burst - 1.0) * s;
            pole <= 0.0 || self.limit / burst * (s / pole - 1.0) + w * down > 0.0
        };
        let (mut fair, mut too_much) = (0.0, 1.0);
        for _ in 0..30 {
            let middle = f64::midpoint(fair, too_much);
            *(if unfair(middle) { &mut too_much } else { &mut fair }) = middle;
        }
        fair
    }

    fn log_worse(&self) -> f64 {
        self.evidence(self.at_least, self.worse())
    }

    fn log_good(&self) -> f64 {
        self.evidence(self.at_most, self.better())
    }

    /// What was decided, if anything was.
    pub fn decided(&self) -> Option<Decision> {
        self.decided
    }

    /// What it says now. The candidate's counts are those that were bad for certain; its interval reaches from their lower
    /// end to the upper end of what may have been bad.
    pub fn verdict(&self) -> Verdict {
        let decision = self.decided.unwrap_or(Decision::Inconclusive);
        let mut candidate = Side::of(self.at_least, self.dispersion, self.alpha);
        candidate.interval.high = Side::of(self.at_most, self.dispersion, self.alpha).interval.high;
        Verdict {
            decision,
            candidate,
            stable: None,
            limit: Some(self.limit),
            alpha: self.alpha,
            confidence: 1.0 - self.alpha,
            worse: self.log_worse(),
            good: self.log_good(),
            dispersion: self.dispersion,
            missing: if decision == Decision::Inconclusive { self.missing() } else { None },
            twice_would_show: self.at_least.requests() >= self.to_tell((2.0 * self.limit).min(f64::midpoint(1.0, self.limit))),
        }
    }

    /// The requests that prove a bad share of `p` to be another than the limit, on the average.
    fn to_tell(&self, p: f64) -> f64 {
        (1.5 - self.alpha.ln()) * self.dispersion.factor() / divergence(p, self.limit)
    }

    fn missing(&self) -> Option<Missing> {
        let seen = self.at_least.requests();
        let (share, so_far) = if self.at_least.share() > self.limit {
            (self.at_least.share(), self.log_worse())
        } else if self.at_most.share() < self.limit {
            (self.at_most.share(), self.log_good())
        } else {
            return None;
        };
        let all = self.to_tell(share);
        let left = 1.0 - (so_far / (1.5 - self.alpha.ln())).clamp(0.0, 0.95);
        let requests = (all * left).max(all - seen).ceil().max(1.0);
        (requests < 1e9).then_some(Missing { requests, of: seen + requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: f64, bad: f64) -> Counts {
        Counts::new(requests, bad).expect("counts")
    }

    #[test]
    fn a_limit_inside_a_bucket_fails_and_passes_only_by_what_is_certain() {
        let mut limit = Limit::new(0.05, Dispersion::INDEPENDENT, 0.01);
        // Between 0 and 20 % were too slow: nobody knows.
        limit.look_between(counts(5000.0, 0.0), counts(5000.0, 1000.0));
        assert_eq!(limit.verdict().decision, Decision::Inconclusive);
        assert_eq!(limit.verdict().missing, None);
        limit.look_between(counts(5000.0, 2000.0), counts(5000.0, 2500.0));
        assert_eq!(limit.verdict().decision, Decision::Fail);
    }

    #[test]
    fn a_decision_stays() {
        let mut limit = Limit::new(0.01, Dispersion::INDEPENDENT, 0.01);
        limit.look(counts(100.0, 50.0));
        limit.look(counts(1e7, 0.0));
        assert_eq!(limit.verdict().decision, Decision::Fail);
    }

    #[test]
    fn a_limit_of_nothing_fails_by_one_error_and_never_passes_early() {
        let mut limit = Limit::new(0.0, Dispersion::INDEPENDENT, 0.01);
        limit.look(counts(10_000.0, 0.0));
        assert_eq!(limit.verdict().decision, Decision::Inconclusive);
        limit.look(counts(100.0, 1.0));
        assert_eq!(limit.verdict().decision, Decision::Fail);
    }

    #[test]
    fn evidence_grows_with_errors_and_bursts_ask_for_more() {
        let judged = |bad: f64, dispersion| {
            let mut limit = Limit::new(0.01, dispersion, 0.01);
            limit.look(counts(1000.0, bad));
            limit.verdict()
        };
        let mut last = f64::NEG_INFINITY;
        for bad in 0..40 {
            let verdict = judged(f64::from(bad), Dispersion::INDEPENDENT);
            assert!(verdict.worse > last);
            last = verdict.worse;
        }
        let (single, bursts) = (judged(40.0, Dispersion::INDEPENDENT), judged(40.0, Dispersion::UNKNOWN));
        assert!(bursts.worse < single.worse && bursts.worse > 0.0);
    }
}
