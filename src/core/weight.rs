//! Weights: what a user may write, and how a total is divided.

use crate::sorted;
use std::str::FromStr;

/// The sums that a set of weights may have: per cent, per mille, and a hundredth of a per cent.
pub const SUMS: [u64; 3] = [100, 1000, 10_000];

/// What `--weights` said.
///
/// ```
/// use tidegate::core::weight::Weights;
/// assert_eq!("80/20".parse(), Ok(Weights::Positional(vec![80, 20])));
/// assert_eq!("old=80,new=20".parse(), Ok(Weights::Named(vec![("old".into(), 80), ("new".into(), 20)])));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    /// `80/20`: in the order in which the route lists its destinations.
    Positional(Vec<u32>),
    /// `old=80,new=20`: by name of the destination.
    Named(Vec<(String, u32)>),
}

impl Weights {
    /// The weights without their names.
    pub fn values(&self) -> Vec<u32> {
        match self {
            Weights::Positional(values) => values.clone(),
            Weights::Named(pairs) => pairs.iter().map(|(_, weight)| *weight).collect(),
        }
    }

    /// The sum, which is one of [`SUMS`].
    pub fn sum(&self) -> u64 {
        self.values().iter().map(|&weight| u64::from(weight)).sum()
    }
}

impl std::fmt::Display for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = match self {
            Weights::Positional(values) => return f.write_str(&values.iter().map(u32::to_string).collect::<Vec<_>>().join("/")),
            Weights::Named(pairs) => pairs.iter().map(|(name, weight)| format!("{name}={weight}")).collect(),
        };
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let weights = if text.contains('=') { named(text)? } else { positional(text)? };
        let sum = weights.sum();
        if !SUMS.contains(&sum) {
            return Err(format!("the weights sum to {sum}; they must sum to 100, 1000 or 10000"));
        }
        Ok(weights)
    }
}

fn positional(text: &str) -> Result<Weights, String> {
    let values = text.split('/').map(number).collect::<Result<Vec<_>, _>>()?;
    if values.len() < 2 {
        return Err("one weight is not a split: write `80/20`, or by name `old=80,new=20`".into());
    }
    Ok(Weights::Positional(values))
}

fn named(text: &str) -> Result<Weights, String> {
    let mut pairs: Vec<(String, u32)> = Vec::new();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not NAME=WEIGHT"))?;
        let name = name.trim();
        if name.is_empty() {
            return Err(format!("`{part}` names no destination"));
        }
        if pairs.iter().any(|(seen, _)| seen == name) {
            return Err(format!("`{name}` is named twice"));
        }
        pairs.push((name.to_owned(), number(value)?));
    }
    Ok(Weights::Named(pairs))
}

fn number(text: &str) -> Result<u32, String> {
    let text = text.trim();
    // Istio's weight is an int32.
    text.parse::<u32>()
        .ok()
        .filter(|&weight| i32::try_from(weight).is_ok() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .ok_or_else(|| format!("`{text}` is not a weight: a whole number from 0"))
}

/// Divides `total` in proportion to `shares` by the method of the largest remainder, so that the parts are whole and
/// sum to `total` exactly. Equal remainders go to the earlier part. All parts are 0 where the shares are.
///
/// ```
/// use tidegate::core::weight::apportion;
/// assert_eq!(apportion(100, &[1, 1, 1]), [34, 33, 33]);
/// assert_eq!(apportion(80, &[999, 1]), [80, 0]);
/// ```
pub fn apportion(total: u64, shares: &[u64]) -> Vec<u64> {
    let sum: u128 = shares.iter().map(|&share| u128::from(share)).sum();
    if sum == 0 {
        return vec![0; shares.len()];
    }
    let exact = |share: u64| u128::from(total) * u128::from(share);
    // A quotient is at most `total`, so it fits.
    let mut parts: Vec<u64> = shares.iter().map(|&share| u64::try_from(exact(share) / sum).unwrap_or(total)).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    sorted::by_key(&mut by_remainder, |&index| std::cmp::Reverse(exact(shares[index]) % sum));
    let missing = usize::try_from(total - parts.iter().sum::<u64>()).unwrap_or(0);
    for &index in by_remainder.iter().take(missing) {
        parts[index] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_a_split() {
        for (text, says) in [
            ("80", "one weight is not a split"),
            ("80/30", "sum to 110"),
            ("-1/101", "`-1` is not a weight"),
            ("+80/20", "`+80` is not a weight"),
            ("80.0/20", "`80.0` is not a weight"),
            ("new=20", "sum to 20"),
            ("old=80,old=20", "`old` is named twice"),
            ("old=80,20", "`20` is not NAME=WEIGHT"),
            ("=80,new=20", "names no destination"),
            ("", "`` is not a weight"),
            ("0/0", "sum to 0"),
            ("4294967296/0", "is not a weight"),
            ("2147483648/0", "is not a weight"),
        ] {
            let error = text.parse::<Weights>().expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn accepts_per_cent_per_mille_and_hundredths() {
        for text in ["80/20", "999/1", "9999/1", "0/100", "50/30/20", "a=100,b=0"] {
            assert_eq!(text.parse::<Weights>().map(|weights| weights.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn parts_always_sum_to_the_total_and_stay_within_one_of_their_share() {
        let mut state = 1u64;
        let mut next = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for _ in 0..10_000 {
            let total = next(10_001);
            let shares: Vec<u64> = (0..=next(6)).map(|_| next(3000)).collect();
            let sum: u64 = shares.iter().sum();
            let parts = apportion(total, &shares);
            if sum == 0 {
                assert!(parts.iter().all(|&part| part == 0));
                continue;
            }
            assert_eq!(parts.iter().sum::<u64>(), total);
            for (part, share) in parts.iter().zip(&shares) {
                assert!((part * sum).abs_diff(total * share) < sum);
            }
        }
    }
}
