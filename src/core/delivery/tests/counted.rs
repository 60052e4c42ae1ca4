//! What a test counted: requests, failures, latencies, in bounded memory.

use super::TestPlan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many different ways to fail are told apart.
const MOST_REASONS: usize = 20;

/// Values below this have a bucket each, and so many buckets has each doubling above it, halved: no value is told more than
/// a thirty-second too high.
const FINE: usize = 64;

/// Doublings above the fine buckets: up to 2^40 microseconds, twelve days.
const DOUBLINGS: usize = 34;

/// Latencies in microseconds, by buckets that grow with the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; FINE + DOUBLINGS * FINE / 2], total: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let place = bucket(micros).min(self.counts.len() - 1);
        self.counts[place] += 1;
        self.total += 1;
        self.max = self.max.max(micros);
    }

    /// The smallest value, in microseconds, that at least this share of all do not exceed.
    pub fn quantile(&self, share: f64) -> u64 {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(place).min(self.max);
            }
        }
        self.max
    }

    /// The figures of a report; none where nothing was counted.
    pub fn latency(&self) -> Option<Latency> {
        #[allow(clippy::cast_precision_loss)] // microseconds to milliseconds
        let millis = |micros: u64| micros as f64 / 1000.0;
        (self.total > 0).then(|| Latency {
            p50: millis(self.quantile(0.5)),
            p95: millis(self.quantile(0.95)),
            max: millis(self.max),
        })
    }
}

fn bucket(micros: u64) -> usize {
    let half = FINE as u64 / 2;
    match micros.checked_ilog2() {
        Some(power) if micros >= FINE as u64 => {
            let doubling = power - FINE.ilog2();
            let within = (micros >> (doubling + 1)) & (half - 1);
            FINE + doubling as usize * FINE / 2 + usize::try_from(within).unwrap_or(0)
        }
        _ => usize::try_from(micros).unwrap_or(0),
    }
}

/// The largest value of a bucket.
fn upper(place: usize) -> u64 {
    let half = FINE / 2;
    match place.checked_sub(FINE) {
        None => place as u64,
        Some(above) => (((half + above % half + 1) as u64) << (above / half + 1)) - 1,
    }
}

/// How long answers took, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them took at most this.
    pub p50: f64,
    /// All but one in twenty did.
    pub p95: f64,
    /// The longest did.
    pub max: f64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Requests that ended, well or not.
    pub requests: u64,
    /// Those of them that failed: no answer, or a status of 400 and above.
    pub failed: u64,
    /// The first failure: `GET /health: HTTP 503`.
    pub first: Option<String>,
    /// How often each failure was seen.
    pub reasons: BTreeMap<String, u64>,
    /// How long the answers took.
    pub latencies: Histogram,
    /// The deadline came before the end.
    pub late: bool,
    /// The health check failed; nothing else was asked.
    pub unhealthy: bool,
}

impl Tally {
    /// Counts one request.
    pub fn add(&mut self, title: &str, latency: Duration, outcome: Result<(), String>) {
        self.requests += 1;
        self.latencies.add(latency);
        if let Err(why) = outcome {
            self.failed += 1;
            self.first.get_or_insert_with(|| format!("{title}: {why}"));
            let known = self.reasons.len() < MOST_REASONS || self.reasons.contains_key(&why);
            *self.reasons.entry(if known { why } else { "others".into() }).or_default() += 1;
        }
    }

    /// Whether more have failed than may, whatever the rest does: of `planned` requests where their number is known.
    pub fn is_lost(&self, planned: Option<u64>, allowed: f64) -> bool {
        #[allow(clippy::cast_precision_loss)] // counts
        planned.is_some_and(|planned| self.failed as f64 > allowed * planned as f64)
    }

    /// Whether a test passed, and why.
    pub(super) fn judge(&self, plan: &TestPlan) -> (bool, String) {
        let Tally { requests, failed, .. } = self;
        let name = plan.title();
        let note = plan.note();
        let first = self.first.as_deref().unwrap_or("no answer");
        if self.unhealthy {
            return (false, format!("{name}the health check failed: {first}{note}"));
        }
        if self.late {
            let also = if *failed > 0 { format!(", {failed} of them failed: {first}") } else { String::new() };
            return (false, format!("{name}did not end in time: {requests} requests were sent{also}{note}"));
        }
        let Some(load) = plan.load else {
            return match failed {
                0 => (*requests > 0, format!("{name}{requests} of {requests} checks ok{note}")),
                _ => (false, format!("{name}{failed} of {requests} checks failed: {first}{note}")),
            };
        };
        // The health check is no part of the load.
        if *requests < 2 {
            return (false, format!("{name}no request was sent{note}"));
        }
        #[allow(clippy::cast_precision_loss)] // counts
        let share = *failed as f64 / *requests as f64;
        let allowed = percent(load.allowed);
        let often = self.reasons.iter().max_by_key(|(_, count)| **count).map_or("", |(why, _)| why.as_str());
        if self.is_lost(load.planned(plan.requests.len()), load.allowed) || share > load.allowed {
            let share = percent(share);
            return (
                false,
                format!("{name}{failed} of {requests} requests failed ({share}, allowed {allowed}), mostly {often}{note}"),
            );
        }
        let mut text = format!("{name}{requests} requests, {failed} failed ({}, allowed {allowed})", percent(share));
        if let Some(latency) = self.latencies.latency() {
            let Latency { p50, p95, max } = latency;
            text += &format!(", p50 {p50:.0} ms, p95 {p95:.0} ms, max {max:.0} ms");
        }
        (true, text + &note)
    }
}

/// A share as people read it: `0.24 %`.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}
