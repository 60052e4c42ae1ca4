//! What every verdict rests on: how many requests there were, and how many of them were bad.

use serde::{Deserialize, Serialize};

/// Up to here floating point counts every single one.
const MOST: f64 = 9_007_199_254_740_992.0;

/// The requests of one version in one interval, and how many of them were bad (failed, or slower than a limit).
///
/// Whole numbers by nature; kept as floating point because counters are. Always finite, not negative, and never more bad
/// ones than requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Counts {
    requests: f64,
    bad: f64,
}

/// The fields before they were checked.
#[derive(Deserialize)]
struct Raw {
    requests: f64,
    bad: f64,
}

impl TryFrom<Raw> for Counts {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, Self::Error> {
        Counts::new(raw.requests, raw.bad).ok_or("counts are finite, not negative, and at most all requests are bad")
    }
}

impl Counts {
    /// `requests` of which `bad` were bad; `None` for what no counters can say (NaN, negative, more than 2⁵³, more bad ones than
    /// requests): unknown, which is neither good nor bad.
    pub fn new(requests: f64, bad: f64) -> Option<Self> {
        (requests <= MOST && bad >= 0.0 && bad <= requests).then_some(Counts { requests, bad })
    }

    /// How many requests.
    pub fn requests(self) -> f64 {
        self.requests
    }

    /// How many of them were bad.
    pub fn bad(self) -> f64 {
        self.bad
    }

    /// The bad share, from 0 to 1; 0 without requests.
    pub fn share(self) -> f64 {
        if self.requests > 0.0 { self.bad / self.requests } else { 0.0 }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.requests += other.requests;
        self.bad += other.bad;
    }
}

/// By how much a counter grew between two readings: a drop means that it was restarted from 0. Without an earlier reading
/// the counter is new and grew from 0. `None` for a reading that is no count.
///
/// Not `rate`: its extrapolation invents fractions of requests, and it loses the first reading of a new counter.
///
/// ```
/// use tidegate::core::judge::increase;
/// assert_eq!(increase(Some(100.0), 130.0), Some(30.0));
/// assert_eq!(increase(Some(100.0), 7.0), Some(7.0));
/// assert_eq!(increase(None, 3.0), Some(3.0));
/// assert_eq!(increase(Some(1.0), f64::NAN), None);
/// ```
pub fn increase(before: Option<f64>, now: f64) -> Option<f64> {
    let is_count = |value: f64| value.is_finite() && value >= 0.0;
    let before = before.unwrap_or(0.0);
    (is_count(before) && is_count(now)).then_some(if now < before { now } else { now - before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_counter_can_say_is_unknown() {
        for (requests, bad) in [(f64::NAN, 0.0), (1.0, f64::NAN), (-1.0, 0.0), (1.0, -1.0), (1.0, 2.0), (f64::INFINITY, 1.0)] {
            assert_eq!(Counts::new(requests, bad), None, "{requests} {bad}");
        }
        assert!(serde_json::from_str::<Counts>(r#"{"requests":1.0,"bad":2.0}"#).is_err());
        assert_eq!(Counts::new(0.0, 0.0).map(Counts::share), Some(0.0));
    }
}
