//! Binary operators: scalars, vectors, and how the elements of two vectors find each other.
use std::collections::{HashMap, HashSet};

use super::super::tsdb::Labels;
use super::ExecutionError;
use super::ast::{Many, Matching, Op};
use super::eval::{Element, Value, distinct};

/// The result of an operator whose operand types the parser has checked.
pub fn apply(op: Op, bool: bool, matching: &Matching, left: Value, right: Value) -> Result<Value, ExecutionError> {
    match (left, right) {
        (Value::Scalar(l), Value::Scalar(r)) => Ok(Value::Scalar(calculate(op, l, r))),
        (Value::Vector(l), Value::Vector(r)) if op.is_set() => Ok(Value::Vector(set(op, matching, l, r))),
        (Value::Vector(l), Value::Vector(r)) => pairs(op, bool, matching, l, r).map(Value::Vector),
        (Value::Vector(l), Value::Scalar(r)) => with_scalar(op, bool, l, |v| (v, r)),
        (Value::Scalar(l), Value::Vector(r)) => with_scalar(op, bool, r, |v| (l, v)),
        _ => Err(ExecutionError("binary expression must contain only scalar and instant vector types".to_owned())),
    }
}

/// Comparisons give 1 or 0.
fn calculate(op: Op, l: f64, r: f64) -> f64 {
    match op {
        Op::Add => l + r,
        Op::Sub => l - r,
        Op::Mul => l * r,
        Op::Div => l / r,
        Op::Mod => l % r,
        Op::Pow => l.powf(r),
        Op::Eq => f64::from(l == r),
        Op::Ne => f64::from(l != r),
        Op::Lt => f64::from(l < r),
        Op::Le => f64::from(l <= r),
        Op::Gt => f64::from(l > r),
        Op::Ge => f64::from(l >= r),
        Op::And | Op::Or | Op::Unless => f64::NAN,
    }
}

/// A comparison without `bool` filters and leaves `kept`; everything else gives the calculated value.
fn outcome(op: Op, bool: bool, l: f64, r: f64, kept: f64) -> Option<f64> {
    let value = calculate(op, l, r);
    if !op.is_comparison() || bool {
        return Some(value);
    }
    (value != 0.0).then_some(kept)
}

fn with_scalar(op: Op, bool: bool, elements: Vec<Element>, sides: impl Fn(f64) -> (f64, f64)) -> Result<Value, ExecutionError> {
    let mut out = Vec::new();
    for mut element in elements {
        let (l, r) = sides(element.value);
        if let Some(value) = outcome(op, bool, l, r, element.value) {
            if !op.is_comparison() || bool {
                element.labels.remove("__name__");
            }
            out.push(Element { value, ..element });
        }
    }
    distinct(out).map(Value::Vector)
}

fn set(op: Op, matching: &Matching, left: Vec<Element>, right: Vec<Element>) -> Vec<Element> {
    let of = |elements: &[Element]| -> HashSet<Labels> { elements.iter().map(|e| signature(matching, &e.labels)).collect() };
    let (in_left, in_right) = (of(&left), of(&right));
    let missing = |e: &Element, known: &HashSet<Labels>| !known.contains(&signature(matching, &e.labels));
    match op {
        Op::And => left.into_iter().filter(|e| !missing(e, &in_right)).collect(),
        Op::Unless => left.into_iter().filter(|e| missing(e, &in_right)).collect(),
        _ => {
            let added = right.into_iter().filter(|e| missing(e, &in_left));
            left.into_iter().chain(added).collect()
        }
    }
}

fn pairs(
    op: Op,
    bool: bool,
    matching: &Matching,
    left: Vec<Element>,
    right: Vec<Element>,
) -> Result<Vec<Element>, ExecutionError> {
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    // The "one" side is looked up; with group_right that is the left.
    let swapped = matching.many == Many::Right;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let mut by_signature: HashMap<Labels, Element> = HashMap::new();
    for element in one {
        let key = signature(matching, &element.labels);
        if let Some(other) = by_signature.get(&key) {
            let (side, key) = (if swapped { "left" } else { "right" }, show(&key));
            let (a, b) = (show(&element.labels), show(&other.labels));
            return Err(ExecutionError(format!(
                "found duplicate series for the match group {key} on the {side} hand-side of the operation: \
                 [{a}, {b}];many-to-many matching not allowed: matching labels must be unique on one side"
            )));
        }
        by_signature.insert(key, element);
    }
    let mut used: HashSet<Labels> = HashSet::new();
    let mut out = Vec::new();
    for element in many {
        let key = signature(matching, &element.labels);
        let Some(other) = by_signature.get(&key) else {
            continue;
        };
        let (l, r) = if swapped { (other.value, element.value) } else { (element.value, other.value) };
        let Some(value) = outcome(op, bool, l, r, l) else {
            continue;
        };
        let labels = result_labels(op, bool, matching, element.labels, &other.labels);
        // With a "many" side results must differ; without one, so must their signatures.
        let grouped = matching.many != Many::None;
        if !used.insert(if grouped { labels.clone() } else { key }) {
            let reason = if grouped {
                "grouping labels must ensure unique matches"
            } else {
                "many-to-one matching must be explicit (group_left/group_right)"
            };
            return Err(ExecutionError(format!("multiple matches for labels: {reason}")));
        }
        out.push(Element { labels, value });
    }
    Ok(out)
}

fn signature(matching: &Matching, labels: &Labels) -> Labels {
    let listed = |name: &String| matching.labels.contains(name);
    let kept = labels.iter().filter(|(name, _)| if matching.on { listed(name) } else { !listed(name) && *name != "__name__" });
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn result_labels(op: Op, bool: bool, matching: &Matching, mut labels: Labels, one: &Labels) -> Labels {
    if !op.is_comparison() || bool {
        labels.remove("__name__");
    }
    if matching.many == Many::None {
        labels.retain(|name, _| matching.labels.contains(name) == matching.on);
    }
    for name in &matching.include {
        match one.get(name) {
            Some(value) => labels.insert(name.clone(), value.clone()),
            None => labels.remove(name),
        };
    }
    labels
}

fn show(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
