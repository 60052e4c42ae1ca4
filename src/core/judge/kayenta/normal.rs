//! The normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// The probability of a value above `z`, exact to the last digits in the tail too.
pub(super) fn above(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - above(-z);
    }
    let x = z / SQRT_2;
    if x < 2.5 {
        // erf(x) = 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)): no cancellation.
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return 0.5 - sum * (-x * x).exp() / PI.sqrt();
    }
    // erfc(x) = exp(−x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))), from the far end.
    let tail = (1..=60).rev().fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    (-x * x).exp() / PI.sqrt() / tail / 2.0
}

/// The value that is exceeded with the probability `p`, from 0 to 1/2; by halving.
pub(super) fn exceeded_with(p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        *(if above(middle) > p { &mut low } else { &mut high }) = middle;
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (p, z) in [(0.5, 0.0), (0.025, 1.959_963_984_540_054), (0.01, 2.326_347_874_040_841), (1e-6, 4.753_424_308_822_899)] {
            assert!((exceeded_with(p) - z).abs() < 1e-9, "{p}: {}", exceeded_with(p));
            assert!((above(z) - p).abs() < 1e-12 * p.max(1e-3), "{z}: {}", above(z));
        }
        assert!((above(-1.0) + above(1.0) - 1.0).abs() < 1e-15);
        // Where the series hands over to the fraction.
        let (before, after) = (above(2.5 * SQRT_2 - 1e-9), above(2.5 * SQRT_2 + 1e-9));
        assert!(before > after && before / after < 1.0 + 1e-7);
    }
}
