//! Errors come in bursts: how large they are is learned from the stable version's past.

use super::counts::Counts;
use serde::{Deserialize, Serialize};

/// So many intervals with errors make a measurement; with fewer it is an assumption.
const ENOUGH: usize = 20;
/// Assumed while it is not known: bursts of 3 on the average.
const CAUTIOUS: f64 = 5.0;
/// A client in a loop for the whole hour is not a burst any more; beyond this nothing could ever be decided.
const LARGEST: f64 = 200.0;

/// Variance over mean of the errors per interval (φ): 1 for independent errors, above it when they come in bursts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispersion {
    factor: f64,
    /// Whether too few intervals with errors were seen to know.
    pub provisional: bool,
}

impl Dispersion {
    /// Errors that have nothing to do with each other. Only for those who know it.
    pub const INDEPENDENT: Dispersion = Dispersion { factor: 1.0, provisional: false };

    /// Nothing is known: bursts of 3 are assumed.
    pub const UNKNOWN: Dispersion = Dispersion { factor: CAUTIOUS, provisional: true };

    /// Learned from the stable version's intervals before the release: an hour of them, each about 15 s long. Two and four
    /// of them together are measured too, because a burst may last longer than one; the largest φ counts.
    ///
    /// Pearson's statistic: each interval's errors against what its requests let expect, so that traffic that comes and
    /// goes is no burst.
    pub fn learn(history: &[Counts]) -> Self {
        let tally = |together: usize| {
            let mut tally = Tally::default();
            for intervals in history.chunks(together) {
                let mut sum = Counts::default();
                intervals.iter().for_each(|interval| sum += *interval);
                tally.add(sum);
            }
            tally
        };
        let factor = [1, 2, 4].into_iter().filter_map(|together| tally(together).factor()).reduce(f64::max);
        match factor {
            Some(factor) if tally(1).with_errors >= ENOUGH => Dispersion { factor, provisional: false },
            factor => Dispersion { factor: factor.unwrap_or(CAUTIOUS).max(CAUTIOUS), provisional: true },
        }
    }

    /// The same while it is not known for certain: what the release itself shows can only add caution.
    pub(super) fn with(self, seen: &Seen) -> Self {
        let shown = if self.provisional { seen.factor() } else { 1.0 };
        Dispersion { factor: self.factor().max(shown), ..self }
    }

    /// φ: at least 1.
    pub fn factor(self) -> f64 {
        // What was read from a stored state is not trusted either.
        if self.factor.is_finite() { self.factor.clamp(1.0, LARGEST) } else { CAUTIOUS }
    }

    /// The mean size of a burst, for geometric ones: φ = 2·mean − 1.
    pub fn burst(self) -> f64 {
        f64::midpoint(self.factor(), 1.0)
    }
}

/// Sums over intervals from which the dispersion follows; they can be added up as the intervals come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    total: Counts,
    /// The sum of errors²/requests.
    squares: f64,
    intervals: usize,
    with_errors: usize,
}

impl Tally {
    fn add(&mut self, interval: Counts) {
        if interval.requests() > 0.0 {
            self.total += interval;
            self.squares += interval.bad() * interval.bad() / interval.requests();
            self.intervals += 1;
            self.with_errors += usize::from(interval.bad() > 0.0);
        }
    }

    fn merge(&mut self, other: &Tally) {
        self.total += other.total;
        self.squares += other.squares;
        self.intervals += other.intervals;
        self.with_errors += other.with_errors;
    }

    /// φ; `None` where nothing varies. What chance alone explains is 1.
    fn factor(&self) -> Option<f64> {
        let share = self.total.share();
        if self.intervals < 2 || share <= 0.0 || share >= 1.0 {
            return None;
        }
        let degrees = (self.intervals - 1) as f64;
        let factor = (self.squares / share - self.total.bad()) / (1.0 - share) / degrees;
        let chance = 1.0 + 2.0 * (2.0 / degrees).sqrt();
        Some(if factor > chance { factor.min(LARGEST) } else { 1.0 })
    }
}

/// What the release itself shows, in windows of a quarter of a minute and of a minute, however short the intervals are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    windows: [Window; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    /// Seconds.
    length: f64,
    lasted: f64,
    counts: Counts,
    closed: Tally,
}

impl Default for Seen {
    fn default() -> Self {
        Seen { windows: [15.0, 60.0].map(|length| Window { length, ..Window::default() }) }
    }
}

impl Seen {
    pub(super) fn add(&mut self, interval: Counts, seconds: f64) {
        for window in &mut self.windows {
            window.counts += interval;
            window.lasted += seconds.max(0.0);
            if window.lasted >= window.length {
                window.closed.add(window.counts);
                (window.lasted, window.counts) = (0.0, Counts::default());
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Seen) {
        for (own, other) in self.windows.iter_mut().zip(&other.windows) {
            own.closed.merge(&other.closed);
        }
    }

    fn factor(&self) -> f64 {
        self.windows.iter().filter_map(|window| window.closed.factor()).fold(1.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(requests: f64, bad: f64) -> Counts {
        Counts::new(requests, bad).expect("counts")
    }

    #[test]
    fn traffic_that_comes_and_goes_is_no_burst() {
        let history: Vec<Counts> = (0..240).map(|k| f64::from(100 + (k % 10) * 200)).map(|n| counts(n, n / 100.0)).collect();
        assert_eq!(Dispersion::learn(&history), Dispersion { factor: 1.0, provisional: false });
    }

    #[test]
    fn errors_ten_at_a_time_are_told_from_single_ones() {
        let history: Vec<Counts> = (0..240).map(|k| counts(1000.0, if k % 10 == 0 { 10.0 } else { 0.0 })).collect();
        let learned = Dispersion::learn(&history);
        assert!((8.0..11.0).contains(&learned.factor()) && !learned.provisional, "{learned:?}");
    }

    #[test]
    fn without_a_past_it_is_an_assumption() {
        assert_eq!(Dispersion::learn(&[]), Dispersion::UNKNOWN);
        assert_eq!(Dispersion::learn(&[counts(1000.0, 0.0); 240]), Dispersion::UNKNOWN);
        let one = [vec![counts(100.0, 1.0)], vec![counts(100.0, 0.0); 239]].concat();
        assert!(Dispersion::learn(&one).provisional);
        let stored: Dispersion = serde_json::from_str(r#"{"factor":-3.0,"provisional":false}"#).expect("state");
        assert_eq!(stored.factor(), 1.0);
    }
}
