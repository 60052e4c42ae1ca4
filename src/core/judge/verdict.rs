//! What a comparison says at one look, what it rests on, and what is still missing.

use super::counts::Counts;
use super::dispersion::Dispersion;
use super::interval::Interval;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Proven good enough.
    Pass,
    /// Proven too bad.
    Fail,
    /// Too few requests to say either.
    Inconclusive,
}

/// One version's requests and where its bad share lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Requests since the comparison began.
    pub requests: f64,
    /// How many of them were bad.
    pub bad: f64,
    /// The bad share lies here, at every look, with `confidence` of the [`Verdict`].
    pub interval: Interval,
}

impl Side {
    pub(super) fn of(counts: Counts, dispersion: Dispersion, alpha: f64) -> Self {
        Side { requests: counts.requests(), bad: counts.bad(), interval: Interval::of(counts, dispersion, alpha) }
    }

    /// The bad share, from 0 to 1.
    pub fn share(&self) -> f64 {
        if self.requests > 0.0 { self.bad / self.requests } else { 0.0 }
    }
}

/// About how much is missing before a decision, if things go on as they did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The candidate's requests that are missing.
    pub requests: f64,
    /// The candidate's requests in total that a decision would then rest on.
    pub of: f64,
}

impl Missing {
    /// How long that takes at `rate` candidate requests a second, in seconds; `None` without traffic.
    pub fn seconds(&self, rate: f64) -> Option<f64> {
        (rate.is_finite() && rate > 0.0).then(|| self.requests / rate)
    }
}

/// What a comparison says at one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was decided. Once decided it stays: the proof does not go away.
    pub decision: Decision,
    /// The candidate's requests.
    pub candidate: Side,
    /// The stable version's requests in the same intervals, where it was compared with them.
    pub stable: Option<Side>,
    /// The limit on the bad share, where it was compared with one.
    pub limit: Option<f64>,
    /// At most this share of good candidates is ever failed, however often one looks.
    pub alpha: f64,
    /// The confidence of the intervals, from 0 to 1.
    pub confidence: f64,
    /// The logarithm of the evidence for "worse"; a decision needs `ln(1/alpha)`.
    pub worse: f64,
    /// The logarithm of the evidence for "good enough".
    pub good: f64,
    /// How the errors come.
    pub dispersion: Dispersion,
    /// What is missing while it is inconclusive; `None` where it cannot be told, because the candidate is so near to the
    /// limit that no number of requests decides.
    pub missing: Option<Missing>,
    /// Whether a version twice as bad as allowed would have been found by now. A step that ends inconclusive may go on
    /// where this holds; it is no proof.
    pub twice_would_show: bool,
}

impl Verdict {
    /// What must be said beside the decision, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let burst = self.dispersion.burst();
        if self.dispersion.provisional && self.dispersion.factor() > 1.0 {
            notes.push(format!(
                "too few past errors to know whether they come in bursts: bursts of about {} are assumed",
                count(burst)
            ));
        } else if self.dispersion.factor() > 1.5 {
            notes.push(format!("errors come in bursts of about {}: more requests are needed", count(burst)));
        }
        notes
    }

    /// How far it is, at `rate` candidate requests a second:
    /// `12 of about 200 requests; 3 more minutes at 1.3 rps`.
    pub fn progress(&self, rate: f64) -> String {
        let seen = count(self.candidate.requests);
        if self.decision != Decision::Inconclusive {
            return format!("{seen} requests");
        }
        let Some(missing) = self.missing else {
            return format!("{seen} requests; so near to what is allowed that more of them may never decide");
        };
        let mut text = format!("{seen} of about {} requests", count(missing.of));
        match missing.seconds(rate) {
            Some(seconds) => text += &format!("; {} at {} rps", duration(seconds), rounded(rate)),
            None => text += "; no traffic",
        }
        text
    }
}

impl fmt::Display for Verdict {
    /// `fail: 5.2 % bad of 96 requests (1.9 % to 11 %) against 0.1 % of 864 (0.02 % to 0.6 %)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = match self.decision {
            Decision::Pass => "pass",
            Decision::Fail => "fail",
            Decision::Inconclusive => "inconclusive",
        };
        let side = |side: &Side| {
            let Interval { low, high } = side.interval;
            (percent(side.share()), count(side.requests), percent(low), percent(high))
        };
        let (share, requests, low, high) = side(&self.candidate);
        write!(f, "{decision}: {share} bad of {requests} requests ({low} to {high})")?;
        if let Some(stable) = &self.stable {
            let (share, requests, low, high) = side(stable);
            write!(f, " against {share} of {requests} ({low} to {high})")?;
        }
        if let Some(limit) = self.limit {
            write!(f, ", limit {}", percent(limit))?;
        }
        Ok(())
    }
}

/// A number of requests: two digits are enough above a hundred where it is an estimate, exact below.
fn count(value: f64) -> String {
    if (value - value.round()).abs() < 0.05 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Two digits.
fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let decimals = (1.0 - value.abs().log10().floor()).clamp(0.0, 6.0);
    let text = format!("{value:.*}", decimals as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn percent(share: f64) -> String {
    format!("{} %", rounded(share * 100.0))
}

fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 90.0 => (s, "second"),
        s if s < 5400.0 => (s / 60.0, "minute"),
        s if s < 172_800.0 => (s / 3600.0, "hour"),
        s => (s / 86_400.0, "day"),
    };
    let value = value.ceil().max(1.0);
    format!("{value:.0} more {unit}{}", if value > 1.0 { "s" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in
            [(0.052, "5.2 %"), (0.001, "0.1 %"), (0.5, "50 %"), (0.0, "0 %"), (1.0, "100 %"), (0.00012, "0.012 %")]
        {
            assert_eq!(percent(value), text);
        }
        for (value, text) in
            [(3.0, "3 more seconds"), (1.0, "1 more second"), (500.0, "9 more minutes"), (7300.0, "3 more hours")]
        {
            assert_eq!(duration(value), text);
        }
        assert_eq!(rounded(1.34), "1.3");
        assert_eq!(rounded(132.0), "132");
    }
}
