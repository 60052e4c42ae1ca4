//! Reads a perfspec, and says what in it cannot be meant.

use super::query::{self, SOURCES};
use super::{Indicator, Number, Perfspec, Threshold, Thresholds};
use crate::core::gate::number;
use crate::core::gate::query::Query;
use crate::core::lint::{Findings, join};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reads `text`. What is missing or wrong is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Perfspec, Findings) {
    let mut found = Findings::default();
    let mut spec = Perfspec { indicators: Vec::new(), pass: None, warning: None, text: text.to_owned() };
    let root = match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(root)) => root,
        Ok(_) => {
            found.error("", "a perfspec is a JSON object with `indicators` and `objectives`");
            return (spec, found);
        }
        Err(error) => {
            found.syntax(error.line(), error.column(), format!("this is not JSON: {error}"));
            return (spec, found);
        }
    };
    found.keys_or_notes("", &root, &["spec_version", "indicators", "objectives"]);
    match root.get("indicators") {
        Some(Value::Array(list)) => {
            spec.indicators = list.iter().enumerate().map(|(at, item)| indicator(at, item, &mut found)).collect();
        }
        _ => found.error("/indicators", "a perfspec has a list of `indicators`"),
    }
    let mut ids = BTreeSet::new();
    for (at, indicator) in spec.indicators.iter().enumerate() {
        if !ids.insert(&indicator.id) {
            found.error(format!("/indicators/{at}/id"), format!("`{}` is the id of two indicators", indicator.id));
        }
    }
    match root.get("objectives") {
        Some(Value::Object(objectives)) => {
            found.keys("/objectives", objectives, &["pass", "warning"]);
            spec.pass = threshold_number("/objectives", objectives, "pass", &mut found);
            spec.warning = threshold_number("/objectives", objectives, "warning", &mut found);
        }
        _ => found.error("/objectives", "a perfspec has `objectives`: what the total must reach"),
    }
    (spec, found)
}

fn indicator(at: usize, item: &Value, found: &mut Findings) -> Indicator {
    let pointer = format!("/indicators/{at}");
    let empty = Map::new();
    let map = item.as_object().unwrap_or_else(|| {
        found.error(&pointer, "an indicator is an object with `id`, `source`, `query` and `grading`");
        &empty
    });
    found.keys_or_notes(&pointer, map, &["id", "source", "query", "grading", "metadata", "output"]);
    let mut text = |key: &str| {
        let value = map.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if value.is_none() {
            found.error(join(&pointer, key), format!("an indicator has a text `{key}`"));
        }
        value.unwrap_or_default().to_owned()
    };
    let (id, source) = (text("id"), text("source"));
    let query = map.get("query").cloned().unwrap_or_default();
    if !matches!(&query, Value::Object(_)) && query.as_str().is_none_or(str::is_empty) {
        found.error(join(&pointer, "query"), "an indicator has a `query`: a text, or an object for Dynatrace");
    }
    let pointer = join(&pointer, "grading");
    let grading = map.get("grading").and_then(Value::as_object).unwrap_or_else(|| {
        found.error(&pointer, "an indicator has a `grading` of type `Threshold`");
        &empty
    });
    if map.contains_key("grading") {
        found.keys_or_notes(&pointer, grading, &["type", "thresholds", "metricScore", "ignoreEmpty", "metadata"]);
        match grading.get("type").and_then(Value::as_str) {
            Some("Threshold") => {}
            Some(other) => found.error(join(&pointer, "type"), format!("unknown grading `{other}`; there is `Threshold`")),
            None => found.error(join(&pointer, "type"), "a grading has a `type`: `Threshold`"),
        }
    }
    let ignore_empty = match grading.get("ignoreEmpty") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(ignore)) => *ignore,
        Some(_) => {
            found.error(join(&pointer, "ignoreEmpty"), "`ignoreEmpty` is true or false");
            false
        }
    };
    let score = grading.get("metricScore").and_then(Value::as_f64);
    if score.is_none() && map.contains_key("grading") {
        found.error(join(&pointer, "metricScore"), "a grading has a `metricScore`: the number that it adds to the total");
    }
    let (lower, upper) = thresholds(&pointer, grading, map.contains_key("grading"), found);
    let metadata = grading.get("metadata").cloned();
    Indicator { id, source, query, score: score.unwrap_or_default(), ignore_empty, metadata, lower, upper }
}

fn thresholds(grading: &str, map: &Map<String, Value>, expected: bool, found: &mut Findings) -> (Thresholds, Thresholds) {
    let pointer = join(grading, "thresholds");
    let Some(map) = map.get("thresholds").and_then(Value::as_object) else {
        if expected {
            found.error(pointer, "a grading has `thresholds`");
        }
        return Default::default();
    };
    let known = [
        ["lowerSevere", "lowerWarning", "upperSevere", "upperWarning"],
        ["lowerSeverePerc", "lowerWarningPerc", "upperSeverePerc", "upperWarningPerc"],
    ];
    found.keys(&pointer, map, &known.concat());
    let mut threshold = |name: &str| Threshold {
        fixed: threshold_number(&pointer, map, name, found),
        percent: threshold_number(&pointer, map, &format!("{name}Perc"), found),
    };
    (
        Thresholds { severe: threshold("lowerSevere"), warning: threshold("lowerWarning") },
        Thresholds { severe: threshold("upperSevere"), warning: threshold("upperWarning") },
    )
}

/// A number, or a text that says one. Null and an empty text are none, as in the original.
fn threshold_number(pointer: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Option<Number> {
    let written = map.get(key)?;
    let value = match written {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        written => number::measured(written),
    };
    if value.is_none() {
        found.error(join(pointer, key), format!("`{key}` is a number, not {written}"));
    }
    Some(Number { value: value?, written: written.clone() })
}

/// What can be graded, but is hardly meant.
pub(super) fn doubts(spec: &Perfspec, found: &mut Findings) {
    for (at, indicator) in spec.indicators.iter().enumerate() {
        let pointer = format!("/indicators/{at}");
        if !indicator.source.is_empty() {
            source(&pointer, indicator, found);
        }
        let limits = format!("{pointer}/grading/thresholds");
        if indicator.score < 0.0 {
            found.warning(format!("{pointer}/grading/metricScore"), "a negative score: breaking the limits raises the total");
        } else if indicator.score == 0.0 {
            found.warning(format!("{pointer}/grading/metricScore"), "a score of 0: this indicator never decides anything");
        }
        let pairs = [("lower", &indicator.lower), ("upper", &indicator.upper)];
        if pairs
            .iter()
            .all(|(_, pair)| [&pair.severe, &pair.warning].iter().all(|one| one.fixed.is_none() && one.percent.is_none()))
        {
            found.warning(&limits, "no thresholds: any value gets the full score");
        }
        for (side, pair) in pairs {
            let (Some(severe), Some(warning)) = (&pair.severe.fixed, &pair.warning.fixed) else { continue };
            let hidden = if side == "lower" { warning.value <= severe.value } else { warning.value >= severe.value };
            if hidden {
                let message = format!("{side}Warning is never reached before {side}Severe ({})", number::text(severe.value));
                found.warning(format!("{limits}/{side}Warning"), message);
            }
        }
        let above = |one: &Threshold, other: &Threshold| match (&one.fixed, &other.fixed) {
            (Some(one), Some(other)) => one.value >= other.value,
            _ => false,
        };
        if above(&indicator.lower.severe, &indicator.upper.severe) {
            found.warning(format!("{limits}/lowerSevere"), "lowerSevere is not below upperSevere: every value is broken");
        }
    }
    totals(spec, found);
}

fn source(pointer: &str, indicator: &Indicator, found: &mut Findings) {
    if !SOURCES.iter().any(|source| source.eq_ignore_ascii_case(&indicator.source)) {
        let message = format!("unknown source `{}`; known are {}", indicator.source, SOURCES.join(", "));
        found.error(format!("{pointer}/source"), message);
    } else if let Err(error) = query::of(indicator) {
        found.error(format!("{pointer}/query"), error.message);
    } else if let Ok(Query::Prometheus(query)) = query::of(indicator) {
        found.promql(&format!("{pointer}/query"), &query);
    }
    if let Some(query) = indicator.query.as_object() {
        let known =
            ["timeseriesId", "aggregation", "entityIds", "tags", "startTimestamp", "endTimestamp", "entityType", "smartscape"];
        for key in query.keys().filter(|key| !known.contains(&key.as_str())) {
            found.warning(format!("{pointer}/query/{key}"), format!("`{key}` says nothing in a query"));
        }
    }
}

fn totals(spec: &Perfspec, found: &mut Findings) {
    let most = spec.indicators.iter().map(|indicator| indicator.score.max(0.0)).fold(0.0, |total, score| total + score);
    let least = spec.indicators.iter().map(|indicator| indicator.score.min(0.0)).fold(0.0, |total, score| total + score);
    let (pass, warning) = (spec.pass.as_ref().map(|goal| goal.value), spec.warning.as_ref().map(|goal| goal.value));
    if spec.indicators.is_empty() {
        found.warning("/indicators", "no indicators: nothing is measured");
    }
    if pass.is_none() {
        found.warning("/objectives", "no `pass`: the gate never passes without a warning");
    }
    if let Some(pass) = pass.filter(|pass| *pass > most) {
        let message = format!("the scores sum to {}: `pass` {} is never reached", number::text(most), number::text(pass));
        found.warning("/objectives/pass", message);
    }
    if most != 100.0 && !spec.indicators.is_empty() {
        found.warning("/indicators", format!("the scores sum to {}, not to 100", number::text(most)));
    }
    if let (Some(pass), Some(warning)) = (pass, warning)
        && warning >= pass
    {
        found.warning("/objectives/warning", "`warning` is not below `pass`: the gate never passes with a warning");
    }
    let goals = [pass, warning];
    unreachable(spec, most, &goals, found);
    if goals.iter().flatten().any(|goal| *goal <= least) {
        found.warning("/objectives", "no value of any indicator can fail this gate");
    } else if let Some(single) = spec.indicators.iter().find(|one| survives(one, most, &goals)) {
        let message = format!("`{}` alone cannot fail this gate: the others reach the objectives without it", single.id);
        found.warning("/objectives", message);
    }
}

/// A warning takes half of an indicator's score. Where the total then misses every goal, it fails the gate as a severe breach
/// does: keptn's own file for Dynatrace, with one indicator of 100 points and the goals 90 and 75, is of this kind.
fn unreachable(spec: &Perfspec, most: f64, goals: &[Option<f64>], found: &mut Findings) {
    let Some(lowest) = goals.iter().flatten().copied().reduce(f64::min) else { return };
    for (place, indicator) in spec.indicators.iter().enumerate() {
        let total = most - indicator.score / 2.0;
        for (side, pair) in [("lower", &indicator.lower), ("upper", &indicator.upper)] {
            let warns = pair.warning.fixed.is_some() || pair.warning.percent.is_some();
            if warns && indicator.score > 0.0 && most >= lowest && total < lowest {
                let message = format!(
                    "a warning of `{}` fails the gate: half of its score leaves {}, and {} is needed",
                    indicator.id,
                    number::text(total),
                    number::text(lowest)
                );
                found.warning(format!("/indicators/{place}/grading/thresholds/{side}Warning"), message);
            }
        }
    }
}

/// Whether the gate passes with the score of `indicator` lost.
fn survives(indicator: &Indicator, most: f64, goals: &[Option<f64>]) -> bool {
    indicator.score > 0.0 && goals.iter().flatten().any(|goal| most - indicator.score >= *goal)
}
