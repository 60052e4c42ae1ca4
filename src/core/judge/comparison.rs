//! The candidate against the stable version, interval by interval.

use super::counts::Counts;
use super::dispersion::{Dispersion, Seen};
use super::evidence::{discount, divergence, log_grid, log_mean_exp, reaches, step};
use super::interval::Interval;
use super::verdict::{Decision, Missing, Side, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// How much worse than allowed the candidate may be, as factors: what the evidence for "worse" is spread over.
static WORSE: LazyLock<[f64; 28]> = LazyLock::new(|| grid(1.25, 400.0));
/// How much better than what is too bad, as factors: what the evidence for "not worse" is spread over.
static BETTER: LazyLock<[f64; 24]> = LazyLock::new(|| grid(0.02, 0.9));

fn grid<const N: usize>(low: f64, high: f64) -> [f64; N] {
    let mut points = [1.0; N];
    points.iter_mut().zip(log_grid(low, high, N)).for_each(|(point, value)| *point = value);
    points
}

/// After so many seconds without an error the next one belongs to a new burst, and not to one that drips.
const QUIET: f64 = 15.0;

/// What the candidate is allowed: `error-rate<=stable*times+plus`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allowed {
    /// So many times the stable version's bad share is allowed; 1 for "no worse than stable".
    pub times: f64,
    /// So much more is allowed, as a share: 0.01 for one percentage point.
    pub plus: f64,
    /// Passing proves that the candidate is less than `margin` times as bad as allowed: nobody can prove "exactly as good".
    /// `None` where a ratio is not to pass anything.
    pub margin: Option<f64>,
    /// Or it proves that the difference is smaller than this share, which nobody would notice. Without it two versions that
    /// never fail could never be told to be alike.
    pub negligible: f64,
}

impl Default for Allowed {
    /// No worse than stable; passing proves less than twice as bad, or a difference of less than one percentage point.
    fn default() -> Self {
        Allowed { times: 1.0, plus: 0.0, margin: Some(2.0), negligible: 0.01 }
    }
}

impl Allowed {
    /// The factors, held to what the formulas can work with.
    fn times(&self) -> f64 {
        positive(self.times, 1.0)
    }

    fn margin(&self) -> Option<f64> {
        self.margin.map(|margin| positive(margin, 2.0).max(1.01))
    }

    /// The difference that passes.
    fn difference(&self) -> f64 {
        self.plus.max(self.negligible)
    }
}

fn positive(value: f64, otherwise: f64) -> f64 {
    if value.is_finite() && value > 0.0 { value } else { otherwise }
}

/// A running comparison of the candidate with the stable version. Its state can be stored and read back; it does not know
/// the time and does not depend on how often one looks.
///
/// ```
/// use tidegate::core::judge::{Allowed, Comparison, Counts, Decision, Dispersion};
/// let mut comparison = Comparison::new(Allowed::default(), Dispersion::INDEPENDENT, 0.01);
/// let counts = |requests, bad| Counts::new(requests, bad).unwrap_or_default();
/// comparison.look(counts(20.0, 0.0), counts(180.0, 0.0), 15.0);
/// assert_eq!(comparison.verdict().decision, Decision::Inconclusive);
/// comparison.look(counts(40.0, 8.0), counts(360.0, 1.0), 15.0);
/// assert_eq!(comparison.verdict().decision, Decision::Fail);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    allowed: Allowed,
    dispersion: Dispersion,
    alpha: f64,
    candidate: Counts,
    stable: Counts,
    /// For each ratio of [`WORSE`]: the logarithm of the likelihood ratio, errors discounted for their bursts.
    worse: Vec<f64>,
    /// The same from bursts alone: the first errors after an interval without any.
    first: Vec<f64>,
    /// For each ratio of [`BETTER`].
    better: Vec<f64>,
    /// For so many seconds there was no error on either side.
    quiet: f64,
    /// How the stable version's errors came until now.
    seen: Seen,
    decided: Option<Decision>,
}

impl Comparison {
    /// Begins. `alpha` is the share of good candidates that may be failed: divided by their number where several indicators
    /// are judged together.
    pub fn new(allowed: Allowed, dispersion: Dispersion, alpha: f64) -> Self {
        Comparison {
            allowed,
            dispersion,
            alpha: if alpha > 0.0 && alpha < 1.0 { alpha } else { 0.01 },
            candidate: Counts::default(),
            stable: Counts::default(),
            worse: vec![0.0; WORSE.len()],
            first: vec![0.0; WORSE.len()],
            better: vec![0.0; BETTER.len()],
            quiet: 0.0,
            seen: Seen::default(),
            decided: None,
        }
    }

    /// Takes in what both versions did in the same interval, which lasted so many seconds. The share of the traffic may
    /// change from one to the next; an interval in which one of them had no requests says nothing about the other, and
    /// only its requests are counted.
    pub fn look(&mut self, candidate: Counts, stable: Counts, seconds: f64) {
        self.candidate += candidate;
        self.stable += stable;
        let errors = candidate.bad() + stable.bad();
        if errors > 0.0 && candidate.requests() > 0.0 && stable.requests() > 0.0 {
            self.learn(candidate, stable);
        }
        self.quiet = if errors > 0.0 { 0.0 } else { self.quiet + seconds.max(0.0) };
        self.seen.add(stable, seconds);
        if self.decided.is_none() {
            self.decided = self.decide();
        }
    }

    /// Adds another service's comparison, made with the same settings over other requests: the evidence of both together.
    pub fn merge(&mut self, other: &Comparison) {
        self.candidate += other.candidate;
        self.stable += other.stable;
        for (own, others) in [(&mut self.worse, &other.worse), (&mut self.first, &other.first), (&mut self.better, &other.better)]
        {
            own.iter_mut().zip(others).for_each(|(own, other)| *own += other);
        }
        self.quiet = self.quiet.min(other.quiet);
        self.seen.merge(&other.seen);
        self.decided = match (self.decided, other.decided) {
            (Some(Decision::Fail), _) | (_, Some(Decision::Fail)) => Some(Decision::Fail),
            _ => self.decide(),
        };
    }

    fn dispersion(&self) -> Dispersion {
        self.dispersion.with(&self.seen)
    }

    /// A bad request is the candidate's with this probability when it is exactly `times` as bad as the stable version.
    fn share(candidate: f64, stable: f64, times: f64) -> f64 {
        times * candidate / (times * candidate + stable)
    }

    fn learn(&mut self, candidate: Counts, stable: Counts) {
        let (c, s) = (candidate.bad(), stable.bad());
        let burst = self.dispersion().burst();
        let at_most = Self::share(candidate.requests(), stable.requests(), self.allowed.times());
        // Which side has the first error after a quiet time depends on the number of bursts alone and not on their sizes.
        // Where only one side has, the odds of the candidate are (exp(aλ)−1)/(exp((1−a)λ)−1) ≤ a/(1−a), whatever
        // the rate λ, as long as a ≤ 1/2.
        let alone = self.quiet >= QUIET && at_most <= 0.5 && (c > 0.0) != (s > 0.0);
        for ((ratio, worse), first) in WORSE.iter().zip(&mut self.worse).zip(&mut self.first) {
            let (mine, theirs) = step(at_most, *ratio);
            *worse += discount(at_most, mine, -theirs, burst) * (c * mine + s * theirs);
            if alone {
                *first += if c > 0.0 { mine } else { theirs };
            }
        }
        let Some(margin) = self.allowed.margin() else { return };
        let too_bad = Self::share(candidate.requests(), stable.requests(), self.allowed.times() * margin);
        for (ratio, better) in BETTER.iter().zip(&mut self.better) {
            let (mine, theirs) = step(too_bad, *ratio);
            *better += discount(1.0 - too_bad, theirs, -mine, burst) * (c * mine + s * theirs);
        }
    }

    /// The logarithm of the evidence that the candidate is worse than allowed: the mean of the two ways of counting.
    fn log_worse(&self) -> f64 {
        log_mean_exp(self.ways())
    }

    fn ways(&self) -> impl Iterator<Item = f64> + Clone {
        self.worse.iter().chain(&self.first).copied()
    }

    fn log_better(&self) -> f64 {
        log_mean_exp(self.better.iter().copied())
    }

    fn decide(&self) -> Option<Decision> {
        let needed = -self.alpha.ln();
        let difference = self.allowed.difference();
        let (times, plus) = (self.allowed.times(), self.allowed.plus);
        let worse = reaches(self.ways(), needed);
        if worse && plus <= 0.0 {
            return Some(Decision::Fail);
        }
        if reaches(self.better.iter().copied(), needed) {
            return Some(Decision::Pass);
        }
        // With fewer requests than this the interval cannot be narrow enough even without errors.
        let narrow = self.candidate.requests() * difference >= needed;
        if worse || (narrow && self.candidate.share() < times * self.stable.share() + difference) {
            let (candidate, stable) = self.intervals();
            if worse && candidate.low - times * stable.high > plus {
                return Some(Decision::Fail);
            }
            if candidate.high - times * stable.low <= difference {
                return Some(Decision::Pass);
            }
        }
        None
    }

    fn intervals(&self) -> (Interval, Interval) {
        let of = |counts| Interval::of(counts, self.dispersion(), self.alpha / 2.0);
        (of(self.candidate), of(self.stable))
    }

    /// What was decided, if anything was.
    pub fn decided(&self) -> Option<Decision> {
        self.decided
    }

    /// What it says now.
    pub fn verdict(&self) -> Verdict {
        let decision = self.decided.unwrap_or(Decision::Inconclusive);
        let side = |counts| Side::of(counts, self.dispersion(), self.alpha / 2.0);
        Verdict {
            decision,
            candidate: side(self.candidate),
            stable: Some(side(self.stable)),
            limit: None,
            alpha: self.alpha,
            confidence: 1.0 - self.alpha / 2.0,
            worse: self.log_worse(),
            good: self.log_better(),
            dispersion: self.dispersion(),
            missing: if decision == Decision::Inconclusive { self.missing() } else { None },
            twice_would_show: self.candidate.requests() >= self.to_find_twice(),
        }
    }

    /// The requests of stable for each of the candidate's.
    fn stable_per_request(&self) -> f64 {
        if self.candidate.requests() > 0.0 && self.stable.requests() > 0.0 {
            self.stable.requests() / self.candidate.requests()
        } else {
            1.0
        }
    }

    /// The requests of the candidate that prove one version of `bad` shares against the other, on the average.
    fn to_tell(&self, candidate: f64, stable: f64, times: f64) -> f64 {
        let others = self.stable_per_request();
        let errors = candidate + others * stable;
        let told = divergence(candidate / errors, Self::share(1.0, others, times)) * errors / self.dispersion().factor();
        (1.5 - self.alpha.ln()) / told
    }

    /// The requests of the candidate after which twice of what is allowed, and at least a noticeable difference, would
    /// have been found.
    fn to_find_twice(&self) -> f64 {
        let stable = self.stable.share().max(1e-6);
        let allowed = self.allowed.times() * stable + self.allowed.plus;
        self.to_tell((2.0 * allowed).max(allowed + self.allowed.negligible).min(1.0), stable, self.allowed.times())
    }

    fn missing(&self) -> Option<Missing> {
        let seen = self.candidate.requests();
        let stable = self.stable.share();
        let (candidate, times) = (self.candidate.share(), self.allowed.times());
        let needed = -self.alpha.ln() + 1.5;
        let difference = self.allowed.difference();
        // What one more request adds on the average, as far as it went; the nearest of the ends is told.
        let mut ends = Vec::new();
        if candidate > times * stable + self.allowed.plus {
            let all = self.to_tell(candidate, stable.max(1e-9), times);
            let so_far = (self.log_worse() / needed).clamp(0.0, 0.95);
            ends.push((all * (1.0 - so_far)).max(all - seen));
        } else if let Some(margin) = self.allowed.margin() {
            let all = self.to_tell(candidate.max(1e-9), stable.max(1e-9), times * margin);
            ends.push((all * (1.0 - (self.log_better() / needed).clamp(0.0, 0.95))).max(all - seen));
        }
        if candidate < times * stable + difference {
            // Half a width of the candidate's interval must fit in between.
            let room = candidate.max(1e-9)..(times * stable + difference).min(1.0 - 1e-9);
            let all = (needed + 2f64.ln()) * self.dispersion().factor() / divergence(room.start, room.end);
            ends.push((all - seen).max(0.02 * all));
        }
        let requests = ends.into_iter().filter(|end| end.is_finite()).fold(f64::INFINITY, f64::min).ceil().max(1.0);
        (requests < 1e9).then_some(Missing { requests, of: seen + requests })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: f64, bad: f64) -> Counts {
        Counts::new(requests, bad).expect("counts")
    }

    fn comparison() -> Comparison {
        Comparison::new(Allowed::default(), Dispersion::INDEPENDENT, 0.01)
    }

    #[test]
    fn an_outage_of_both_sides_fails_nobody() {
        let mut judged = comparison();
        for _ in 0..60 {
            judged.look(counts(10.0, 0.0), counts(90.0, 0.0), 1.0);
        }
        for _ in 0..10 {
            judged.look(counts(10.0, 10.0), counts(90.0, 90.0), 1.0);
        }
        assert_ne!(judged.decided(), Some(Decision::Fail));
    }

    #[test]
    fn the_share_of_the_traffic_may_change_on_the_way() {
        // One error in a hundred on both sides, while the candidate goes from 1 % to 99 % of the traffic.
        let mut judged =
            Comparison::new(Allowed { margin: None, negligible: 0.0, ..Allowed::default() }, Dispersion::INDEPENDENT, 0.01);
        for step in 1..100 {
            let mine = f64::from(step) * 100.0;
            judged.look(counts(mine, mine / 100.0), counts(10_000.0 - mine, 100.0 - mine / 100.0), 1.0);
        }
        assert_eq!(judged.decided(), None);
        assert!(judged.verdict().worse < 0.0);
    }

    #[test]
    fn more_errors_of_the_candidate_are_more_evidence_and_more_of_stable_are_less() {
        let evidence = |mine: f64, theirs: f64| {
            let mut judged = comparison();
            judged.look(counts(100.0, mine), counts(900.0, theirs), 1.0);
            judged.verdict().worse
        };
        for errors in 1..50 {
            let errors = f64::from(errors);
            assert!(evidence(errors + 1.0, 3.0) > evidence(errors, 3.0));
            assert!(evidence(20.0, errors + 1.0) < evidence(20.0, errors));
        }
    }

    #[test]
    fn a_stored_state_goes_on_where_it_was() {
        let mut whole = comparison();
        let mut stored = comparison();
        for second in 0..100 {
            let interval = (counts(10.0, f64::from(second % 7 / 6)), counts(90.0, f64::from(second % 5 / 4)));
            whole.look(interval.0, interval.1, 1.0);
            let text = serde_json::to_string(&stored).expect("state");
            stored = serde_json::from_str(&text).expect("state");
            stored.look(interval.0, interval.1, 1.0);
        }
        // JSON rounds the last digit.
        let (whole, stored) = (whole.verdict(), stored.verdict());
        assert!((whole.worse - stored.worse).abs() < 1e-9 && (whole.good - stored.good).abs() < 1e-9);
        assert_eq!((whole.decision, whole.candidate, whole.stable), (stored.decision, stored.candidate, stored.stable));
    }

    #[test]
    fn two_services_together_know_more() {
        let half = |seed: u32| {
            let mut judged = comparison();
            for second in 0..10 {
                judged.look(counts(10.0, f64::from((second + seed) % 5 / 4)), counts(90.0, 0.0), 1.0);
            }
            judged
        };
        let (mut both, other) = (half(0), half(2));
        assert_eq!(both.decided(), None);
        let alone = both.verdict().worse;
        both.merge(&other);
        assert!(both.verdict().worse > alone);
        assert_eq!(both.verdict().candidate.requests, 200.0);
        assert_eq!(both.decided(), Some(Decision::Fail));
    }

    #[test]
    fn a_tolerance_forgives_what_it_allows() {
        let judged = |allowed| {
            let mut judged = Comparison::new(allowed, Dispersion::INDEPENDENT, 0.01);
            for _ in 0..200 {
                judged.look(counts(100.0, 1.0), counts(900.0, 1.0), 1.0);
            }
            judged.decided()
        };
        assert_eq!(judged(Allowed::default()), Some(Decision::Fail));
        assert_eq!(judged(Allowed { plus: 0.02, ..Allowed::default() }), Some(Decision::Pass));
        assert_eq!(judged(Allowed { times: 20.0, ..Allowed::default() }), Some(Decision::Pass));
    }

    #[test]
    fn an_inconclusive_verdict_says_what_is_missing() {
        let mut judged = comparison();
        judged.look(counts(12.0, 0.0), counts(108.0, 0.0), 1.0);
        let verdict = judged.verdict();
        assert_eq!(verdict.decision, Decision::Inconclusive);
        let text = verdict.progress(1.3);
        assert!(text.starts_with("12 of about ") && text.contains("more minutes at 1.3 rps"), "{text}");
        assert_eq!(comparison().verdict().progress(0.0), "0 of about 677 requests; no traffic");
        assert_eq!(verdict.to_string().split(" (").next(), Some("inconclusive: 0 % bad of 12 requests"));
    }

    #[test]
    fn whatever_is_counted_nothing_panics_and_nothing_is_nan() {
        let values = [0.0, 1e-300, 0.5, 1.0, 3.0, 1e6, 1e15];
        for allowed in [Allowed::default(), Allowed { times: f64::NAN, plus: -1.0, margin: Some(0.0), negligible: f64::NAN }] {
            for &n in &values {
                for &m in &values {
                    for part in [0.0, 0.3, 1.0] {
                        let mut judged = Comparison::new(allowed, Dispersion::UNKNOWN, 0.01);
                        judged.look(counts(n, n * part), counts(m, m * (1.0 - part)), 1.0);
                        let verdict = judged.verdict();
                        assert!(!verdict.worse.is_nan() && !verdict.good.is_nan(), "{n} {m} {part}: {verdict:?}");
                        assert!(verdict.missing.is_none_or(|missing| missing.requests >= 0.0));
                    }
                }
            }
        }
    }
}
