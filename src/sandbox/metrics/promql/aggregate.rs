//! `sum`, `avg`, `min`, `max`, `count`, `topk` and `bottomk`.
use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::super::tsdb::Labels;
use super::ast::{Aggregation, Grouping};
use super::eval::Element;
use crate::sorted;

/// Folds the elements of each group; `param` is the k of `topk` and `bottomk`.
pub fn apply(op: Aggregation, grouping: &Grouping, param: f64, elements: Vec<Element>) -> Vec<Element> {
    let mut groups: BTreeMap<Labels, Vec<Element>> = BTreeMap::new();
    for element in elements {
        groups.entry(group(grouping, &element.labels)).or_default().push(element);
    }
    let mut out = Vec::new();
    for (labels, mut members) in groups {
        let values = members.iter().map(|e| e.value);
        let value = match op {
            Aggregation::Sum => values.sum(),
            Aggregation::Avg => mean(values),
            Aggregation::Count => members.len() as f64,
            Aggregation::Min => values.fold(f64::NAN, |a, b| if b < a || a.is_nan() { b } else { a }),
            Aggregation::Max => values.fold(f64::NAN, |a, b| if b > a || a.is_nan() { b } else { a }),
            Aggregation::Topk | Aggregation::Bottomk => {
                let descending = op == Aggregation::Topk;
                sorted::by(&mut members, |a, b| order(a.value, b.value, descending));
                members.truncate(param as usize);
                out.extend(members);
                continue;
            }
        };
        out.push(Element { labels, value });
    }
    out
}

/// NaN comes last either way.
fn order(a: f64, b: f64, descending: bool) -> Ordering {
    let natural = if descending { b.partial_cmp(&a) } else { a.partial_cmp(&b) };
    natural.unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn group(grouping: &Grouping, labels: &Labels) -> Labels {
    let listed = |name: &String| grouping.labels.contains(name);
    let kept =
        labels.iter().filter(|(name, _)| if grouping.without { !listed(name) && *name != "__name__" } else { listed(name) });
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// In steps, as Prometheus does it, so that large values do not overflow.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut mean = 0.0;
    for (i, value) in values.enumerate() {
        if i == 0 {
            mean = value;
        } else if !(mean.is_infinite() && (value == mean || value.is_finite())) {
            let count = (i + 1) as f64;
            mean += value / count - mean / count;
        }
    }
    mean
}
