//! Latency as a share: the requests slower than a limit, from a histogram's buckets.
//!
//! `p95 < 500 ms` is the same as "less than 5 % are slower than 500 ms", and a share of counts can be judged exactly, which
//! an interpolated quantile cannot.

use super::counts::Counts;
use crate::sorted;
use serde::{Deserialize, Serialize};

/// The requests slower than a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slower {
    /// Slower for certain: above the first edge at or above the limit.
    pub at_least: Counts,
    /// Perhaps slower: above the last edge at or below the limit.
    pub at_most: Counts,
    /// The edges of the bucket in which the limit lies; both are the limit where it is an edge itself. Infinite above the
    /// last edge, 0 below the first; in the unit of the histogram.
    pub edges: (f64, f64),
}

impl Slower {
    /// Reads cumulative buckets, `(upper edge, requests at or below it)` in any order, as they grew in one interval; the
    /// bucket `+Inf` holds all requests. `None` without that bucket, without any other, or where counts are impossible.
    /// `limit` is in the unit of the edges.
    ///
    /// ```
    /// use tidegate::core::judge::Slower;
    /// let buckets = [(250.0, 80.0), (500.0, 95.0), (1000.0, 99.0), (f64::INFINITY, 100.0)];
    /// let slower = Slower::than(500.0, &buckets).ok_or("no histogram")?;
    /// assert_eq!((slower.at_least.bad(), slower.note()), (5.0, None));
    /// let slower = Slower::than(400.0, &buckets).ok_or("no histogram")?;
    /// assert_eq!((slower.at_least.bad(), slower.at_most.bad()), (5.0, 20.0));
    /// # Ok::<(), &str>(())
    /// ```
    pub fn than(limit: f64, buckets: &[(f64, f64)]) -> Option<Self> {
        let mut sorted = buckets.to_vec();
        sorted::by(&mut sorted, |a, b| a.0.total_cmp(&b.0));
        let (&(last, total), finite) = sorted.split_last()?;
        if last != f64::INFINITY || finite.is_empty() || limit.is_nan() {
            return None;
        }
        // Each bucket was read at its own moment: a cumulative count can lag behind a smaller one by a request or two.
        let mut below = 0.0;
        for (_, count) in &mut sorted {
            if !count.is_finite() || *count < 0.0 {
                return None;
            }
            *count = count.max(below).min(total);
            below = *count;
        }
        let is_edge = |edge: f64| (edge - limit).abs() <= 1e-9 * limit.abs();
        let (mut under, mut over) = ((0.0, 0.0), (f64::INFINITY, total));
        for &(edge, count) in &sorted {
            if is_edge(edge) || edge < limit {
                under = (edge, count);
            }
            if is_edge(edge) || edge > limit {
                over = (edge, count);
                break;
            }
        }
        let slower = |count: f64| Counts::new(total, total - count);
        Some(Slower { at_least: slower(over.1)?, at_most: slower(under.1)?, edges: (under.0, over.0) })
    }

    /// Whether the limit is an edge, so that both counts are the same.
    pub fn is_exact(&self) -> bool {
        self.edges.0 == self.edges.1
    }

    /// What to say where the limit lies inside a bucket.
    pub fn note(&self) -> Option<String> {
        let (under, over) = self.edges;
        (!self.is_exact()).then(|| {
            if over == f64::INFINITY {
                format!("the limit lies above the histogram's last edge {under}: nothing can prove requests to be slower")
            } else {
                format!("the limit lies inside the bucket from {under} to {over}: failed by requests above {over}, passed by requests up to {under}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUCKETS: [(f64, f64); 4] = [(f64::INFINITY, 100.0), (0.5, 95.0), (0.25, 80.0), (1.0, 99.0)];

    #[test]
    fn an_edge_is_exact_in_whatever_unit_it_was_computed() {
        let slower = Slower::than(500.0 / 1000.0 + 1e-14, &BUCKETS).expect("histogram");
        assert!(slower.is_exact() && slower.note().is_none());
        let scaled: Vec<(f64, f64)> = BUCKETS.iter().map(|(edge, count)| (edge * 1e6, *count)).collect();
        assert_eq!(Slower::than(0.4e6, &scaled).map(|s| s.at_most), Slower::than(0.4, &BUCKETS).map(|s| s.at_most));
    }

    #[test]
    fn outside_the_edges_nothing_is_certain() {
        let slower = Slower::than(0.1, &BUCKETS).expect("histogram");
        assert_eq!((slower.at_least.bad(), slower.at_most.bad(), slower.edges), (20.0, 100.0, (0.0, 0.25)));
        let slower = Slower::than(5.0, &BUCKETS).expect("histogram");
        assert_eq!((slower.at_least.bad(), slower.at_most.bad()), (0.0, 1.0));
        assert!(slower.note().is_some_and(|note| note.contains("above the histogram's last edge 1")));
    }

    #[test]
    fn what_is_no_histogram_is_none() {
        assert_eq!(Slower::than(1.0, &[]), None);
        assert_eq!(Slower::than(1.0, &BUCKETS[1..]), None);
        assert_eq!(Slower::than(1.0, &[(f64::INFINITY, 3.0)]), None);
        assert_eq!(Slower::than(f64::NAN, &BUCKETS), None);
        assert_eq!(Slower::than(1.0, &[(1.0, f64::NAN), (f64::INFINITY, 3.0)]), None);
        // A bucket that was read late.
        let late = Slower::than(0.5, &[(0.25, 80.0), (0.5, 79.0), (f64::INFINITY, 100.0)]).expect("histogram");
        assert_eq!(late.at_least.bad(), 20.0);
    }
}
