//! JMeter's own count, in the last line that it prints of it.

use super::counted::percent;

/// A line like `summary =   5000 in 00:02:10 =   38.5/s Avg:    12 Min:     3 Max:  1043 Err:    12 (0.24%)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Requests sent.
    pub requests: u64,
    /// The mean time of an answer, in milliseconds.
    pub average: u64,
    /// The longest time of an answer, in milliseconds.
    pub max: u64,
    /// Requests that failed.
    pub failed: u64,
}

impl Summary {
    /// Reads a line; `summary +` lines are parts of a later one and none of these.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line.split_once("summary =")?.1;
        let mut words = rest.split_whitespace();
        let requests = words.next()?.parse().ok()?;
        let words: Vec<&str> = words.collect();
        let after = |name: &str| {
            let place = words.iter().position(|word| *word == name)?;
            // Where nothing was sent, JMeter's least is above its most: -9223372036854775808.
            words.get(place + 1)?.parse::<i64>().ok().map(|number| u64::try_from(number).unwrap_or(0))
        };
        Some(Self { requests, average: after("Avg:")?, max: after("Max:")?, failed: after("Err:")? })
    }

    /// Why it is no pass, where so large a share of requests may fail.
    pub(super) fn failure(&self, allowed: f64) -> Option<String> {
        let Self { requests, failed, .. } = self;
        #[allow(clippy::cast_precision_loss)] // counts
        let share = *failed as f64 / (*requests).max(1) as f64;
        match () {
            () if *requests == 0 => Some("no request was sent".into()),
            () if share > allowed => {
                Some(format!("{failed} of {requests} requests failed ({}, allowed {})", percent(share), percent(allowed)))
            }
            () => None,
        }
    }

    pub(super) fn told(&self) -> String {
        let Self { requests, average, max, failed } = self;
        format!("{requests} requests, {failed} failed, mean {average} ms, max {max} ms")
    }
}
