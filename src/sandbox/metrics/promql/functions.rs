//! The functions, and Prometheus's algorithms behind `rate` and `histogram_quantile`.
use std::collections::BTreeMap;

use super::super::tsdb::{Labels, Sample};
use super::ExecutionError;
use super::ast::{Expr, Kind, Selector, Test, Type};
use super::eval::{Element, Evaluator, Value, distinct, map};
use crate::sorted;

/// What a function takes and gives.
#[derive(Clone, Copy)]
pub struct Signature {
    pub args: &'static [Type],
    /// How many of `args`, from the end, may be left out.
    pub optional: usize,
    pub returns: Type,
}

/// The signature of the function of that name; names are case-sensitive.
pub fn signature(name: &str) -> Option<Signature> {
    use Type::{Matrix, Scalar, Vector};
    let (args, optional, returns): (&[Type], usize, Type) = match name {
        "abs" | "absent" | "ceil" | "floor" | "timestamp" => (&[Vector], 0, Vector),
        "delta" | "increase" | "irate" | "rate" => (&[Matrix], 0, Vector),
        "avg_over_time" | "count_over_time" | "last_over_time" | "max_over_time" | "min_over_time" | "sum_over_time" => {
            (&[Matrix], 0, Vector)
        }
        "clamp_max" | "clamp_min" => (&[Vector, Scalar], 0, Vector),
        "histogram_quantile" => (&[Scalar, Vector], 0, Vector),
        "round" => (&[Vector, Scalar], 1, Vector),
        "scalar" => (&[Vector], 0, Scalar),
        "time" => (&[], 0, Scalar),
        "vector" => (&[Scalar], 0, Vector),
        _ => return None,
    };
    Some(Signature { args, optional, returns })
}

/// Runs a function on arguments that fit its signature, at a time in milliseconds.
pub fn call(run: &Evaluator<'_>, name: &str, args: &[Expr], at: i64) -> Result<Value, ExecutionError> {
    let each = |f: &dyn Fn(f64, f64) -> f64| {
        let (elements, parameter) = (run.vector(argument(args, 0)?, at)?, args.get(1));
        let parameter = parameter.map_or(Ok(f64::NAN), |p| run.scalar(p, at))?;
        map(elements, |v| f(v, parameter)).map(Value::Vector)
    };
    let over = |f: &dyn Fn(&[Sample], Window) -> Option<f64>| over_time(run, argument(args, 0)?, at, false, f);
    match name {
        "abs" => each(&|v, _| v.abs()),
        "ceil" => each(&|v, _| v.ceil()),
        "floor" => each(&|v, _| v.floor()),
        "clamp_max" => each(&|v, max| if v > max || max.is_nan() { max } else { v }),
        "clamp_min" => each(&|v, min| if v < min || min.is_nan() { min } else { v }),
        "round" if args.len() == 1 => each(&|v, _| (v + 0.5).floor()),
        "round" => each(&|v, to| (v * (1.0 / to) + 0.5).floor() / (1.0 / to)),
        "rate" => over(&|s, w| extrapolated(s, w, true, true)),
        "increase" => over(&|s, w| extrapolated(s, w, true, false)),
        "delta" => over(&|s, w| extrapolated(s, w, false, false)),
        "irate" => over(&|s, _| irate(s)),
        "avg_over_time" => over(&|s, _| Some(mean(s))),
        "count_over_time" => over(&|s, _| Some(s.len() as f64)),
        "last_over_time" => over_time(run, argument(args, 0)?, at, true, |s, _| Some(s.last()?.value)),
        "max_over_time" => over(&|s, _| extreme(s, |v, best| v > best)),
        "min_over_time" => over(&|s, _| extreme(s, |v, best| v < best)),
        "sum_over_time" => over(&|s, _| Some(sum(s))),
        "time" => Ok(Value::Scalar(seconds(at))),
        "vector" => {
            let value = run.scalar(argument(args, 0)?, at)?;
            Ok(Value::Vector(vec![Element { labels: Labels::new(), value }]))
        }
        "scalar" => match run.vector(argument(args, 0)?, at)?.as_slice() {
            [only] => Ok(Value::Scalar(only.value)),
            _ => Ok(Value::Scalar(f64::NAN)),
        },
        "absent" => {
            let argument = argument(args, 0)?;
            let found = run.vector(argument, at)?;
            let element = Element { labels: labels_of(argument), value: 1.0 };
            Ok(Value::Vector(if found.is_empty() { vec![element] } else { Vec::new() }))
        }
        "timestamp" => timestamp(run, argument(args, 0)?, at),
        "histogram_quantile" => {
            let quantile = run.scalar(argument(args, 0)?, at)?;
            histogram_quantile(quantile, run.vector(argument(args, 1)?, at)?).map(Value::Vector)
        }
        _ => Err(ExecutionError(format!("unknown function with name {name:?}"))),
    }
}

fn argument(args: &[Expr], index: usize) -> Result<&Expr, ExecutionError> {
    args.get(index).ok_or_else(|| ExecutionError("missing argument".to_owned()))
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The time that a range selector covers, in milliseconds.
#[derive(Clone, Copy)]
struct Window {
    from: i64,
    to: i64,
}

fn over_time(
    run: &Evaluator<'_>,
    argument: &Expr,
    at: i64,
    keep_name: bool,
    f: impl Fn(&[Sample], Window) -> Option<f64>,
) -> Result<Value, ExecutionError> {
    let Kind::Selector(selector) = &argument.kind else {
        return Ok(Value::Vector(Vec::new()));
    };
    let range = selector.range.unwrap_or_default();
    let window = Window { from: at - selector.offset - range, to: at - selector.offset };
    let mut out = Vec::new();
    for (mut labels, samples) in run.range(selector, range, at)? {
        if let Some(value) = f(&samples, window) {
            if !keep_name {
                labels.remove("__name__");
            }
            out.push(Element { labels, value });
        }
    }
    distinct(out).map(Value::Vector)
}

/// How much a series grew in the window. The samples seldom touch the window's edges, so the growth between the
/// first and the last is extended to an edge that is near (1.1 times the mean distance of samples), else by half
/// that distance; a counter is never extended to before it was zero.
fn extrapolated(samples: &[Sample], window: Window, counter: bool, per_second: bool) -> Option<f64> {
    let [first, .., last] = samples else {
        return None;
    };
    let mut growth = last.value - first.value;
    if counter {
        // A counter that falls was reset: what it had before is added.
        for pair in samples.windows(2).filter(|pair| pair[1].value < pair[0].value) {
            growth += pair[0].value;
        }
    }
    let sampled = seconds(last.at - first.at);
    let mean_distance = sampled / (samples.len() - 1) as f64;
    let mut to_start = seconds(first.at - window.from);
    let to_end = seconds(window.to - last.at);
    if counter && growth > 0.0 && first.value >= 0.0 {
        to_start = to_start.min(sampled * (first.value / growth));
    }
    let near = mean_distance * 1.1;
    let extend = |gap: f64| if gap < near { gap } else { mean_distance / 2.0 };
    let mut factor = (sampled + extend(to_start) + extend(to_end)) / sampled;
    if per_second {
        factor /= seconds(window.to - window.from);
    }
    Some(growth * factor)
}

fn irate(samples: &[Sample]) -> Option<f64> {
    let [.., before, last] = samples else {
        return None;
    };
    let growth = if last.value < before.value { last.value } else { last.value - before.value };
    Some(growth / seconds(last.at - before.at))
}

fn extreme(samples: &[Sample], better: fn(f64, f64) -> bool) -> Option<f64> {
    let values = samples.iter().map(|s| s.value);
    values.reduce(|best, v| if better(v, best) || best.is_nan() { v } else { best })
}

/// Adds with Neumaier's correction: the sum and what rounding has lost of it.
fn add(value: f64, (sum, lost): (f64, f64)) -> (f64, f64) {
    let total = sum + value;
    if total.is_infinite() {
        return (total, 0.0);
    }
    let missing = if sum.abs() >= value.abs() { (sum - total) + value } else { (value - total) + sum };
    (total, lost + missing)
}

fn sum(samples: &[Sample]) -> f64 {
    let (sum, lost) = samples.iter().fold((0.0, 0.0), |state, s| add(s.value, state));
    if sum.is_infinite() { sum } else { sum + lost }
}

fn mean(samples: &[Sample]) -> f64 {
    let mut state = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let count = (i + 1) as f64;
        let mean: f64 = state.0;
        if !(mean.is_infinite() && (sample.value == mean || sample.value.is_finite())) {
            state = add(sample.value / count - mean / count, state);
        }
    }
    if state.0.is_infinite() { state.0 } else { state.0 + state.1 }
}

/// The time of the sample itself for a bare selector, the time of the evaluation for anything calculated.
fn timestamp(run: &Evaluator<'_>, argument: &Expr, at: i64) -> Result<Value, ExecutionError> {
    let dated = |mut labels: Labels, ms: i64| {
        labels.remove("__name__");
        Element { labels, value: seconds(ms) }
    };
    let elements: Vec<Element> = match &argument.kind {
        Kind::Selector(selector) => run.instant(selector, at)?.into_iter().map(|(l, s)| dated(l, s.at)).collect(),
        _ => run.vector(argument, at)?.into_iter().map(|e| dated(e.labels, at)).collect(),
    };
    distinct(elements).map(Value::Vector)
}

/// What is known of a series that is not there: the labels that its selector demands.
fn labels_of(expr: &Expr) -> Labels {
    let Kind::Selector(Selector { matchers, .. }) = &expr.kind else {
        return Labels::new();
    };
    let mut labels = Labels::new();
    for matcher in matchers.iter().filter(|m| m.label != "__name__") {
        let again = matchers.iter().filter(|m| m.label == matcher.label).count() > 1;
        if let (Test::Equal(value), false) = (&matcher.test, again) {
            labels.insert(matcher.label.clone(), value.clone());
        }
    }
    labels
}

/// One quantile per histogram: elements that differ only in `le` are its buckets.
fn histogram_quantile(quantile: f64, elements: Vec<Element>) -> Result<Vec<Element>, ExecutionError> {
    let mut histograms: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for Element { mut labels, value } in elements {
        let Some(edge) = labels.remove("le").and_then(|le| le.parse().ok()) else {
            continue;
        };
        labels.remove("__name__");
        histograms.entry(labels).or_default().push((edge, value));
    }
    Ok(histograms.into_iter().map(|(labels, b)| Element { labels, value: bucket_quantile(quantile, b) }).collect())
}

/// The quantile of cumulative buckets (upper edge, count), linear inside a bucket.
fn bucket_quantile(quantile: f64, mut buckets: Vec<(f64, f64)>) -> f64 {
    if quantile.is_nan() {
        return f64::NAN;
    } else if quantile < 0.0 {
        return f64::NEG_INFINITY;
    } else if quantile > 1.0 {
        return f64::INFINITY;
    }
    sorted::by(&mut buckets, |a, b| a.0.total_cmp(&b.0));
    // Equal edges spelled differently are one bucket, and counts never fall: rates can differ a little in time.
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (edge, count) in buckets {
        match merged.last_mut() {
            Some(last) if last.0 == edge => last.1 += count,
            _ => merged.push((edge, count)),
        }
    }
    let mut highest = f64::NEG_INFINITY;
    for (_, count) in &mut merged {
        if *count > highest {
            highest = *count;
        } else if *count < highest {
            *count = highest;
        }
    }
    let [finite @ .., (f64::INFINITY, total)] = merged.as_slice() else {
        return f64::NAN;
    };
    let Some((highest_edge, _)) = finite.last().filter(|_| *total != 0.0) else {
        return f64::NAN;
    };
    let rank = quantile * total;
    let Some(index) = finite.iter().position(|(_, count)| *count >= rank) else {
        return if rank.is_nan() { f64::NAN } else { *highest_edge };
    };
    let (end, count) = finite[index];
    let (start, below) = match index.checked_sub(1) {
        Some(previous) => finite[previous],
        None if end <= 0.0 => return end,
        None => (0.0, 0.0),
    };
    start + (end - start) * ((rank - below) / (count - below))
}
