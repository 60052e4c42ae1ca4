//! Mixtures of likelihood ratios: evidence that may be looked at after every scrape.

/// `count` points from `low` to `high`, evenly in their logarithm.
pub(super) fn log_grid(low: f64, high: f64, count: usize) -> impl Iterator<Item = f64> {
    let step = (high / low).ln() / (count.max(2) - 1) as f64;
    (0..count).map(move |index| low * (step * index as f64).exp())
}

/// The logarithm of the mean of `exp(log)`, with the maximum taken out so that nothing overflows; 0 (no evidence) for none.
pub(super) fn log_mean_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() {
        return if max == f64::INFINITY { max } else { 0.0 };
    }
    let (sum, count) = logs.fold((0.0, 0usize), |(sum, count), log| (sum + (log - max).exp(), count + 1));
    max + (sum / count as f64).ln()
}

/// Whether the mean of `exp(log)` is at least `exp(needed)`. Their maximum is, then, which is cheaper to know.
pub(super) fn reaches(logs: impl Iterator<Item = f64> + Clone, needed: f64) -> bool {
    logs.clone().any(|log| log >= needed) && log_mean_exp(logs) >= needed
}

/// The logarithms of the likelihood ratio after one bad request of the candidate, and after one of stable, when the
/// candidate's rate is `ratio` times what the null hypothesis says and a bad request is the candidate's with probability
/// `share` under it.
pub(super) fn step(share: f64, ratio: f64) -> (f64, f64) {
    let norm = (ratio * share + 1.0 - share).ln();
    (ratio.ln() - norm, -norm)
}

/// The exponent below 1 that keeps a likelihood ratio a fair bet although bad requests come in bursts.
///
/// A burst (geometric size, mean `burst`) goes to one side: with probability `share` it adds `up` for each bad request to
/// the logarithm, otherwise it takes `down` away. The exponent `w` is the root of `E exp(w · change) = 1`. With the
/// generating function of the geometric distribution that is
///
/// ```text
/// (1 − share)/(1 − exp(−w·up)) − share/(exp(w·down) − 1) = burst
/// ```
///
/// For small steps it is `1/φ`, φ = 2·burst − 1 being variance over mean; for large ones it must be smaller than that.
pub(super) fn discount(share: f64, up: f64, down: f64, burst: f64) -> f64 {
    if burst <= 1.0 {
        return 1.0;
    }
    let first = (1.0 - share) / up - share / down;
    if !(first > 0.0 && first.is_finite()) {
        return 0.0;
    }
    let (mut fair, mut unfair) = (0.0, 1.0);
    let mut w = 1.0 / (2.0 * burst - 1.0);
    for _ in 0..60 {
        let left = (1.0 - share) / -(-w * up).exp_m1() - share / (w * down).exp_m1();
        let is_fair = left >= burst;
        *(if is_fair { &mut fair } else { &mut unfair }) = w;
        if unfair - fair <= 1e-3 * unfair {
            break;
        }
        // The left side is first/w plus a remainder that hardly changes with w. Aimed a hair beyond the root, so that the
        // bracket closes from both sides.
        let next = first / (burst - left + first / w) * if is_fair { 1.0005 } else { 0.9995 };
        w = if next > fair && next < unfair { next } else { f64::midpoint(fair, unfair) };
    }
    fair
}

/// The Kullback-Leibler divergence of two Bernoulli distributions: what one request tells, in nats.
pub(super) fn divergence(p: f64, q: f64) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    term(p, q) + term(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `E exp(w · change)` of one burst.
    fn fairness(share: f64, up: f64, down: f64, burst: f64, w: f64) -> f64 {
        let generating = |s: f64| s / (burst - (burst - 1.0) * s);
        let up = (w * up).exp();
        assert!((burst - 1.0) * up < burst, "beyond the pole");
        share * generating(up) + (1.0 - share) * generating((-w * down).exp())
    }

    #[test]
    fn a_discounted_ratio_is_a_fair_bet_for_every_size_of_burst() {
        for burst in [1.05, 1.5, 3.0, 10.0, 50.0] {
            for share in [0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99] {
                for ratio in log_grid(1.25, 400.0, 28) {
                    let (up, down) = step(share, ratio);
                    let w = discount(share, up, -down, burst);
                    let mean = fairness(share, up, -down, burst, w);
                    assert!(mean <= 1.0 + 1e-9, "burst {burst} share {share} ratio {ratio}: {mean} at {w}");
                    // And not wastefully small: half as much again would be unfair.
                    assert!(w > 0.0 && w <= 1.0);
                    let most = (burst / (burst - 1.0)).ln() / up;
                    if 1.5 * w < most.min(1.0) {
                        assert!(fairness(share, up, -down, burst, 1.5 * w) > 1.0, "burst {burst} share {share} ratio {ratio}");
                    }
                }
            }
        }
        assert_eq!(discount(0.1, 1.0, 1.0, 1.0), 1.0);
    }

    #[test]
    fn the_mean_of_large_evidence_does_not_overflow() {
        let logs = [5000.0, 0.0];
        assert!((log_mean_exp(logs.iter().copied()) - (5000.0 - 2f64.ln())).abs() < 1e-9);
        assert_eq!(log_mean_exp(std::iter::empty()), 0.0);
    }
}
