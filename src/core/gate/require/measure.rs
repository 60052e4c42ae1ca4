//! From a side of a release to queries of Istio's standard metrics or of Envoy's cluster statistics, and from their answers
//! to counts by interval.
//!
//! Counters are read as they are, series by series, and subtracted here: `rate` would invent fractions of requests, lose
//! the first requests of a new version, and hide a target that is gone.

use super::grade::evidence;
use super::parse::{Bound, Indicator, Term};
use crate::core::gate::evaluation::{Answer, Sample};
use crate::core::judge::{Counts, Slower, increase};
use crate::sorted;
use serde_json::Value;
use std::collections::BTreeMap;

/// What requests are counted: those to a service, or to one side of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The service, as `destination_service` has it: `carts.shop.svc.cluster.local`.
    pub service: String,
    /// Which part of it.
    pub target: Target,
}

/// How the metrics tell one side from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The whole service: the sides are services of their own, or only one is asked about.
    Service,
    /// By the label `version` of its pods.
    Version(String),
    /// By the names of its deployments, where its subset has other labels.
    Workloads(Vec<String>),
    /// By Envoy's cluster for a subset, as Istio names clusters: `outbound|80|SUBSET|HOST`. All of them where it is empty.
    Cluster(String),
}

impl Side {
    /// All requests to its service.
    fn whole(&self) -> Side {
        let target = match self.target {
            Target::Cluster(_) => Target::Cluster(String::new()),
            _ => Target::Service,
        };
        Side { service: self.service.clone(), target }
    }

    /// The label matchers. Requests are counted where they were sent: at the destination nobody sees those that never
    /// arrived.
    fn matchers(&self) -> String {
        let text = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
        if let Target::Cluster(subset) = &self.target {
            let subset = if subset.is_empty() { "[^|]*".to_owned() } else { text(&literal(subset)) };
            // istiod ends the name with a `;` where it is used for statistics.
            return format!(r#"envoy_cluster_name=~"outbound\\|[0-9]+\\|{subset}\\|{};?""#, text(&literal(&self.service)));
        }
        let base = format!(r#"reporter=~"source|waypoint",destination_service="{}""#, text(&self.service));
        match &self.target {
            Target::Service => base,
            Target::Version(version) => format!(r#"{base},destination_version="{}""#, text(version)),
            Target::Workloads(names) => {
                let names: Vec<String> = names.iter().map(|name| text(&literal(name))).collect();
                format!(r#"{base},destination_workload=~"{}""#, names.join("|"))
            }
            Target::Cluster(_) => base,
        }
    }
}

/// A regular expression for a name, of which only the dots mean something else.
fn literal(name: &str) -> String {
    name.replace('.', r"\.")
}

/// The counters of a side's requests.
pub fn query_requests(side: &Side) -> String {
    let name = if matches!(side.target, Target::Cluster(_)) { "envoy_cluster_upstream_rq" } else { "istio_requests_total" };
    format!("{name}{{{}}}", side.matchers())
}

/// The counters of a side's latency histogram, in milliseconds.
pub fn query_buckets(side: &Side) -> String {
    let name = match side.target {
        Target::Cluster(_) => "envoy_cluster_upstream_rq_time_bucket",
        _ => "istio_request_duration_milliseconds_bucket",
    };
    format!("sum by (le, pod, instance) ({name}{{{}}})", side.matchers())
}

/// When the newest sample of a side's service was taken, in seconds since the epoch.
pub fn freshness(side: &Side) -> String {
    format!("max(timestamp({}))", query_requests(&side.whole()))
}

/// The samples of a side's counters in the last minute, as they were taken.
pub fn query_samples(side: &Side) -> String {
    format!("{}[1m]", query_requests(side))
}

/// The seconds from one scrape to the next, from an answer to [`query_samples`]: in the middle, of the series that has most.
pub fn cadence(body: &Value) -> Option<f64> {
    let series = matrix(body)?.into_iter().max_by_key(|one| one.values.len())?;
    let times: Vec<i64> = series.values.keys().copied().collect();
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).map(|gap| seconds(*gap))
}

/// The single number of an instant answer.
pub fn latest(body: &Value) -> Option<f64> {
    let result = body.pointer("/data/result")?;
    let pair = result.get(0).and_then(|sample| sample.get("value")).or(Some(result))?;
    pair.get(1)?.as_str()?.parse().ok()
}

/// What one side did in one interval: requests, those bad for certain, those perhaps bad.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Measured {
    /// The end of the interval, in seconds since the epoch.
    pub at: f64,
    /// Requests and the bad ones among them for certain.
    pub least: Counts,
    /// Requests and the bad ones among them at most.
    pub most: Counts,
}

/// The end of an interval, and the cumulative buckets in it: edges with the requests at or below them.
type Histogram = (f64, Vec<(f64, f64)>);

/// One series: its labels, its values by time.
struct Series<'a> {
    labels: &'a Value,
    values: BTreeMap<i64, f64>,
}

fn matrix(body: &Value) -> Option<Vec<Series<'_>>> {
    let series = body.pointer("/data/result")?.as_array()?;
    series
        .iter()
        .map(|one| {
            let pairs = one.get("values")?.as_array()?;
            let point = |pair: &Value| Some((millis(pair.get(0)?.as_f64()?), pair.get(1)?.as_str()?.parse().ok()?));
            Some(Series { labels: one.get("metric")?, values: pairs.iter().map(point).collect::<Option<_>>()? })
        })
        .collect()
}

#[allow(clippy::cast_possible_truncation)] // times are far from the limits of an i64
fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

#[allow(clippy::cast_precision_loss)] // milliseconds since the epoch fit a double
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// The growth of every series between two neighbouring times at which the source had any series at all. Across a gap
/// nothing is known: it begins anew.
fn growth(series: &[Series<'_>], mut take: impl FnMut(usize, i64, f64)) -> Vec<i64> {
    let mut times: Vec<i64> = series.iter().flat_map(|one| one.values.keys().copied()).collect();
    times.sort_unstable();
    times.dedup();
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(0);
    let mut ends = Vec::new();
    for pair in times.windows(2) {
        if pair[1] - pair[0] > step {
            continue;
        }
        ends.push(pair[1]);
        for (place, one) in series.iter().enumerate() {
            let Some(now) = one.values.get(&pair[1]) else { continue };
            if let Some(grown) = increase(one.values.get(&pair[0]).copied(), *now) {
                take(place, pair[1], grown);
            }
        }
    }
    ends
}

/// The requests and errors by interval, from a range answer to [`query_requests`].
///
/// # Errors
/// Says what is wrong with an answer that is no range of series.
fn counts(body: &Value) -> Result<Vec<Measured>, String> {
    let series = matrix(body).ok_or("the answer is not a range of series")?;
    let failed = |labels: &Value| {
        let label = |name: &str| labels.get(name).and_then(Value::as_str).unwrap_or_default();
        let failed = |code: &str| code.starts_with('5');
        failed(label("response_code"))
            || failed(label("envoy_response_code"))
            || !matches!(label("grpc_response_status"), "" | "0")
    };
    // Where Envoy's tags are set so that `2xx` and `200` are one metric, each request is there twice.
    let class =
        |one: &Series<'_>| one.labels.get("envoy_response_code").and_then(Value::as_str).is_some_and(|code| code.ends_with("xx"));
    let series: Vec<Series<'_>> = series.into_iter().filter(|one| !class(one)).collect();
    let bad: Vec<bool> = series.iter().map(|one| failed(one.labels)).collect();
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let ends = growth(&series, |place, at, grown| {
        let sum = sums.entry(at).or_default();
        sum.0 += grown;
        sum.1 += if bad[place] { grown } else { 0.0 };
    });
    let of = |at: &i64| sums.get(at).copied().unwrap_or_default();
    Ok(ends
        .iter()
        .filter_map(|at| Counts::new(of(at).0, of(at).1).map(|counts| Measured { at: seconds(*at), least: counts, most: counts }))
        .collect())
}

/// The cumulative buckets by interval, from a range answer to [`query_buckets`]: the end of the interval, and edges with
/// the requests at or below them.
///
/// # Errors
/// As [`counts`].
fn histogram(body: &Value) -> Result<Vec<Histogram>, String> {
    let series = matrix(body).ok_or("the answer is not a range of series")?;
    let edge = |labels: &Value| match labels.get("le").and_then(Value::as_str) {
        Some("+Inf") => Some(f64::INFINITY),
        text => text?.parse::<f64>().ok(),
    };
    let edges: Vec<Option<f64>> = series.iter().map(|one| edge(one.labels)).collect();
    let mut sums: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    let ends = growth(&series, |place, at, grown| {
        let Some(edge) = edges[place] else { return };
        let buckets = sums.entry(at).or_default();
        match buckets.iter_mut().find(|(known, _)| *known == edge) {
            Some(bucket) => bucket.1 += grown,
            None => buckets.push((edge, grown)),
        }
    });
    Ok(ends.iter().filter_map(|at| sums.remove(at).map(|buckets| (seconds(*at), buckets))).collect())
}

/// The requests slower than a limit by interval, with the note of the first interval where the limit lies inside a bucket.
fn slower(limit: f64, histogram: &[Histogram]) -> (Vec<Measured>, Option<String>) {
    let mut note = None;
    let mut measured = Vec::new();
    for (at, buckets) in histogram {
        if let Some(slower) = Slower::than(limit, buckets) {
            note = note.or_else(|| slower.note());
            measured.push(Measured { at: *at, least: slower.at_least, most: slower.at_most });
        }
    }
    (measured, note)
}

/// A percentile of all intervals together, interpolated inside its bucket as Prometheus does; `None` without requests.
fn percentile(quantile: f64, histogram: &[Histogram]) -> Option<f64> {
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (edge, count) in histogram.iter().flat_map(|(_, buckets)| buckets) {
        match sums.iter_mut().find(|(known, _)| known == edge) {
            Some(sum) => sum.1 += count,
            None => sums.push((*edge, *count)),
        }
    }
    sorted::by(&mut sums, |a, b| a.0.total_cmp(&b.0));
    let total = sums.last().filter(|(edge, _)| *edge == f64::INFINITY)?.1;
    let rank = quantile * total;
    let place = sums.iter().position(|(_, count)| *count >= rank).filter(|_| total > 0.0)?;
    let (below_edge, below) = if place == 0 { (0.0, 0.0) } else { sums[place - 1] };
    let (edge, count) = sums[place];
    match edge == f64::INFINITY {
        true => Some(below_edge),
        false => Some(below_edge + (edge - below_edge) * if count > below { (rank - below) / (count - below) } else { 1.0 }),
    }
}

/// What one side did in a window: its requests, and where a term asks for latencies its histogram.
#[derive(Clone, Debug, Default)]
pub struct Sampled {
    requests: Vec<Measured>,
    histogram: Vec<Histogram>,
}

impl Sampled {
    /// From the range answers to [`query_requests`] and, where it was asked, [`query_buckets`].
    ///
    /// # Errors
    /// As [`counts`].
    pub fn read(requests: &Value, buckets: Option<&Value>) -> Result<Self, String> {
        Ok(Self { requests: counts(requests)?, histogram: buckets.map(histogram).transpose()?.unwrap_or_default() })
    }

    /// The query of a term, for a side.
    pub fn query(term: &Term, side: &Side) -> String {
        match term.indicator {
            Indicator::Latency(_) => query_buckets(side),
            _ => query_requests(side),
        }
    }
}

/// What was measured for a term, from what both sides did and what the stable side did before.
pub fn answer(term: &Term, side: &Side, candidate: &Sampled, stable: Option<&Sampled>, history: Option<&Sampled>) -> Answer {
    let query = Some(Sampled::query(term, side));
    let Indicator::Latency(quantile) = term.indicator else {
        let of = |side: Option<&Sampled>| side.map(|side| side.requests.clone()).unwrap_or_default();
        return Answer { query, ..of_term(term, &candidate.requests, &of(stable), &of(history), None) };
    };
    let limit = match term.bound {
        Bound::Fixed(limit) => Some(limit),
        Bound::Stable { times, plus } => {
            stable.and_then(|stable| percentile(quantile, &stable.histogram)).map(|own| own * times + plus)
        }
    };
    let Some(limit) = limit else {
        return Answer { query, ..Answer::refused(term.text.clone(), "the stable side had no requests") };
    };
    let (measured, _) = slower(limit, &candidate.histogram);
    let before = history.map(|history| slower(limit, &history.histogram).0).unwrap_or_default();
    Answer { query, ..of_term(term, &measured, &[], &before, Some(limit)) }
}

/// The candidate's intervals, the stable side's over the same time, those before the release from which bursts are
/// learned, and the latency limit in milliseconds, as evidence.
fn of_term(term: &Term, candidate: &[Measured], stable: &[Measured], history: &[Measured], limit: Option<f64>) -> Answer {
    let mut samples = vec![evidence("candidate", candidate), evidence("stable", stable), evidence("history", history)];
    samples.extend(limit.map(|limit| Sample::of("limit", limit)));
    Answer::new(term.text.clone(), samples)
}
