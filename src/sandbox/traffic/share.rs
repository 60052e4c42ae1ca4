//! Whole requests from fractions: exact in the long run, with a little jitter on the way.
use std::collections::HashMap;

/// How many choices in four follow chance alone; the others settle what that leaves uneven.
const JITTER: f64 = 0.25;

/// What each split still owes to its parts, and the generator of the jitter.
#[derive(Debug)]
pub struct Shares {
    owed: HashMap<String, Owed>,
    round: u64,
    state: u64,
}

#[derive(Debug, Default)]
struct Owed {
    parts: Vec<f64>,
    round: u64,
}

impl Default for Shares {
    fn default() -> Self {
        Self { owed: HashMap::new(), round: 0, state: 0x5eed }
    }
}

impl Shares {
    /// Begins another second, and forgets splits that have not been asked for in a minute.
    pub fn next_round(&mut self) {
        self.round += 1;
        let round = self.round;
        self.owed.retain(|_, owed| round - owed.round < 60);
    }

    /// Uniform in 0..1 (SplitMix64).
    pub fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The whole part of `amount` and of what was left of it before.
    pub fn whole(&mut self, key: &str, amount: f64) -> u64 {
        let owed = self.owed(key, 1);
        let total = owed.first().copied().unwrap_or_default() + amount;
        *owed = vec![total.fract()];
        total as u64
    }

    /// Divides `count` by shares that add up to 1; a share of 0 gets nothing.
    pub fn split(&mut self, key: &str, shares: &[f64], count: u64) -> Vec<u64> {
        let mut owed = std::mem::take(self.owed(key, shares.len()));
        let mut counts = vec![0; shares.len()];
        for _ in 0..count {
            for (part, share) in owed.iter_mut().zip(shares) {
                *part += share;
            }
            let chosen = if self.chance() < JITTER { self.any(shares) } else { most_owed(&owed, shares) };
            if let (Some(part), Some(count)) = (owed.get_mut(chosen), counts.get_mut(chosen)) {
                *part -= 1.0;
                *count += 1;
            }
        }
        *self.owed(key, shares.len()) = owed;
        counts
    }

    fn any(&mut self, shares: &[f64]) -> usize {
        let mut rest = self.chance();
        let last = shares.iter().rposition(|s| *s > 0.0).unwrap_or_default();
        let chosen = shares.iter().position(|share| {
            rest -= share;
            rest < 0.0
        });
        chosen.unwrap_or(last)
    }

    /// The debts of a split; another number of parts is another split.
    fn owed(&mut self, key: &str, parts: usize) -> &mut Vec<f64> {
        if !self.owed.contains_key(key) {
            self.owed.insert(key.to_owned(), Owed::default());
        }
        let owed = self.owed.entry(key.to_owned()).or_default();
        owed.round = self.round;
        if owed.parts.len() != parts {
            owed.parts = vec![0.0; parts];
        }
        &mut owed.parts
    }
}

fn most_owed(owed: &[f64], shares: &[f64]) -> usize {
    let candidates = owed.iter().zip(shares).enumerate().filter(|(_, (_, share))| **share > 0.0);
    candidates.max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b)).map_or(0, |(i, _)| i)
}
