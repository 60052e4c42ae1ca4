//! Counters, and what a scrape every simulated second saw of them.
use std::collections::{BTreeMap, HashMap, VecDeque};

use super::promql::Matcher;

/// Label names and values of a series, `__name__` among them.
pub type Labels = BTreeMap<String, String>;

/// Prometheus's own bit pattern for "this series ended here"; a NaN that no calculation produces.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// Every sample of the last ten minutes is kept; of what is older, as much as a usual scrape interval would leave.
const FULL_MS: i64 = 600_000;

/// One observed value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// The value then.
    pub value: f64,
}

impl Sample {
    /// Whether this marks the end of the series instead of a value.
    pub fn is_stale(&self) -> bool {
        self.value.to_bits() == STALE
    }
}

/// The samples of one label set, oldest first.
#[derive(Debug)]
pub struct Series {
    /// The identity of the series.
    pub labels: Labels,
    target: String,
    value: f64,
    live: bool,
    /// Thinned out, and before all of `recent`.
    old: VecDeque<Sample>,
    recent: VecDeque<Sample>,
}

impl Series {
    /// The samples from `from` to `to`, both included, in milliseconds; markers of staleness among them.
    pub fn between(&self, from: i64, to: i64) -> impl DoubleEndedIterator<Item = Sample> + '_ {
        let within = move |samples: &VecDeque<Sample>| {
            let start = samples.partition_point(|s| s.at < from);
            start..samples.partition_point(|s| s.at <= to).max(start)
        };
        self.old.range(within(&self.old)).chain(self.recent.range(within(&self.recent))).copied()
    }

    /// Drops what is older than `oldest`, and of what is older than `thin` all but one sample in fifteen seconds.
    fn age(&mut self, thin: i64, oldest: i64) {
        while let Some(sample) = self.recent.front().copied().filter(|s| s.at < thin) {
            self.recent.pop_front();
            if sample.is_stale() || self.old.back().is_none_or(|last| sample.at - last.at >= 15_000) {
                self.old.push_back(sample);
            }
        }
        while self.old.front().is_some_and(|s| s.at < oldest) {
            self.old.pop_front();
        }
    }

    /// Whether every matcher accepts the labels.
    pub fn accepts(&self, matchers: &[Matcher]) -> bool {
        matchers.iter().all(|m| m.accepts(self.labels.get(m.label()).map_or("", String::as_str)))
    }
}

/// Names a counter of a [`Tsdb`]; it counts nothing any more once its target is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter(u64);

/// Counters of scraped targets, and their past. Bounded: samples older than ten minutes are thinned out to one in
/// fifteen seconds, those older than the retention are dropped, and a label
/// set beyond the limit of series is not taken up (it never happens below some hundreds of pods).
#[derive(Debug)]
pub struct Tsdb {
    series: BTreeMap<u64, Series>,
    index: HashMap<Labels, u64>,
    targets: BTreeMap<String, Labels>,
    next: u64,
    retention_ms: i64,
    max_series: usize,
}

impl Default for Tsdb {
    /// One hour of samples of at most 20,000 series.
    fn default() -> Self {
        Self::new(3600.0, 20_000)
    }
}

impl Tsdb {
    /// An empty store that keeps `retention` seconds of at most `max_series` series.
    pub fn new(retention: f64, max_series: usize) -> Self {
        Self {
            series: BTreeMap::new(),
            index: HashMap::new(),
            targets: BTreeMap::new(),
            next: 0,
            retention_ms: (retention * 1000.0) as i64,
            max_series,
        }
    }

    /// Makes `targets` (instance to the labels that a scrape adds) the ones that are scraped from now on, each with
    /// `up` = 1. Series of those that are gone end with a marker of staleness, dated `now` in milliseconds.
    pub fn set_targets(&mut self, targets: BTreeMap<String, Labels>, now: i64) {
        for series in self.series.values_mut() {
            if series.live && !targets.contains_key(&series.target) {
                series.live = false;
                series.value = 0.0;
                series.recent.push_back(Sample { at: now, value: f64::from_bits(STALE) });
            }
        }
        self.targets = targets;
        let instances: Vec<String> = self.targets.keys().cloned().collect();
        for instance in instances {
            if let Some(up) = self.counter(&instance, named("up", &Labels::new()))
                && let Some(series) = self.series.get_mut(&up.0)
            {
                series.value = 1.0;
            }
        }
    }

    /// The counter of a target with these labels, created at 0 where there is none yet; the target's own labels are
    /// added. `None` for an unknown target or beyond the limit of series.
    pub fn counter(&mut self, target: &str, mut labels: Labels) -> Option<Counter> {
        labels.extend(self.targets.get(target)?.clone());
        if let Some(&id) = self.index.get(&labels) {
            if let Some(series) = self.series.get_mut(&id) {
                series.live = true;
            }
            return Some(Counter(id));
        }
        if self.series.len() >= self.max_series {
            return None;
        }
        let id = self.next;
        self.next += 1;
        self.index.insert(labels.clone(), id);
        let target = target.to_owned();
        self.series.insert(id, Series { labels, target, value: 0.0, live: true, old: VecDeque::new(), recent: VecDeque::new() });
        Some(Counter(id))
    }

    /// Counts up; seen by the next scrape.
    pub fn add(&mut self, counter: Counter, by: f64) {
        if let Some(series) = self.series.get_mut(&counter.0).filter(|s| s.live) {
            series.value += by;
        }
    }

    /// Appends the value of every live counter, dated `now` in milliseconds, and forgets what is too old.
    pub fn scrape(&mut self, now: i64) {
        let (thin, oldest) = (now - FULL_MS, now - self.retention_ms);
        let index = &mut self.index;
        self.series.retain(|_, series| {
            if series.live {
                series.recent.push_back(Sample { at: now, value: series.value });
            }
            series.age(thin, oldest);
            let keep = series.live || !series.recent.is_empty() || !series.old.is_empty();
            if !keep {
                index.remove(&series.labels);
            }
            keep
        });
    }

    /// A series with a past of its own, for tests.
    #[cfg(test)]
    pub(super) fn insert(&mut self, labels: Labels, samples: impl IntoIterator<Item = Sample>) {
        let id = self.next;
        self.next += 1;
        self.index.insert(labels.clone(), id);
        let (old, recent) = (VecDeque::new(), samples.into_iter().collect());
        self.series.insert(id, Series { labels, target: String::new(), value: 0.0, live: false, old, recent });
    }

    /// The series that every matcher accepts, in the order of their birth.
    pub fn select<'a>(&'a self, matchers: &'a [Matcher]) -> impl Iterator<Item = &'a Series> {
        self.series.values().filter(move |series| series.accepts(matchers))
    }
}

/// `labels` under a metric name.
pub(crate) fn named(name: &str, labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.insert("__name__".to_owned(), name.to_owned());
    labels
}
