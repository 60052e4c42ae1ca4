//! Reads an SLO file, and says what in it cannot be meant.

use super::{Comparison, Objective, Slo};
use crate::core::gate::criteria::{AGGREGATES, Criterion, Operator};
use crate::core::gate::number;
use crate::core::lint::{Findings, join};
use crate::core::yaml;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reads `text`. What has not the form of an SLO file is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Slo, Findings) {
    let mut found = Findings::default();
    let mut slo = Slo {
        objectives: Vec::new(),
        comparison: Comparison::default(),
        filter: Vec::new(),
        pass: None,
        warning: None,
        text: text.to_owned(),
    };
    let Some(root) = yaml::read(text, &mut found) else { return (slo, found) };
    found.keys_or_notes("", &root, &["spec_version", "filter", "comparison", "objectives", "total_score"]);
    if let Some(comparison) = map("", &root, "comparison", &mut found) {
        slo.comparison = self::comparison(comparison, &mut found);
    }
    if let Some(filter) = map("", &root, "filter", &mut found) {
        slo.filter = filter.iter().filter_map(|(key, value)| Some((key.clone(), yaml::scalar(value)?))).collect();
    }
    for (at, item) in entries("", &root, "objectives", &mut found) {
        slo.objectives.extend(objective(&at, item, &mut found));
    }
    if let Some(total) = map("", &root, "total_score", &mut found) {
        found.keys("/total_score", total, &["pass", "warning"]);
        slo.pass = text_at("/total_score", total, "pass", &mut found).filter(|goal| !goal.is_empty());
        slo.warning = text_at("/total_score", total, "warning", &mut found).filter(|goal| !goal.is_empty());
    }
    (slo, found)
}

fn comparison(map: &Map<String, Value>, found: &mut Findings) -> Comparison {
    let at = "/comparison";
    let known = ["compare_with", "include_result_with_score", "number_of_comparison_results", "aggregate_function"];
    found.keys(at, map, &known);
    let text = |key: &str, found: &mut Findings| text_at(at, map, key, found).unwrap_or_default();
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let number = whole(at, map, "number_of_comparison_results", found);
    Comparison {
        compare_with: text("compare_with", found),
        include: or(text("include_result_with_score", found), "all"),
        number: if number == 0 { 3 } else { number },
        aggregate: or(text("aggregate_function", found), "avg"),
    }
}

fn objective(at: &str, item: &Value, found: &mut Findings) -> Option<Objective> {
    let Some(map) = item.as_object() else {
        found.error(at, "an objective is a map with `sli` and `pass`");
        return None;
    };
    found.keys(at, map, &["sli", "displayName", "pass", "warning", "weight", "key_sli"]);
    let sli = text_at(at, map, "sli", found).filter(|sli| !sli.is_empty());
    if sli.is_none() {
        found.error(at, "an objective names its `sli`");
    }
    let key_sli = match map.get("key_sli") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(key)) => *key,
        Some(_) => {
            found.error(join(at, "key_sli"), "`key_sli` is true or false");
            false
        }
    };
    let weight = whole(at, map, "weight", found);
    Some(Objective {
        sli: sli.unwrap_or_default(),
        display_name: text_at(at, map, "displayName", found).unwrap_or_default(),
        pass: sets(at, map, "pass", found),
        warning: sets(at, map, "warning", found),
        weight: if weight == 0 { 1.0 } else { weight as f64 },
        key_sli,
    })
}

fn sets(at: &str, objective: &Map<String, Value>, key: &str, found: &mut Findings) -> Vec<Vec<String>> {
    let mut sets = Vec::new();
    for (at, item) in entries(at, objective, key, found) {
        let Some(map) = item.as_object() else {
            found.error(at, "a criteria set is a map with a list of `criteria`");
            continue;
        };
        found.keys(&at, map, &["criteria"]);
        let list = match map.get("criteria") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(list)) => list.as_slice(),
            Some(_) => {
                found.error(join(&at, "criteria"), "`criteria` is a list");
                &[][..]
            }
        };
        let mut set = Vec::new();
        for (place, criterion) in list.iter().enumerate() {
            match yaml::scalar(criterion) {
                Some(text) => set.push(text),
                None => found.error(format!("{at}/criteria/{place}"), "a criterion is a text like `<=500`"),
            }
        }
        sets.push(set);
    }
    sets
}

/// The entries of a list, with their pointers. Null entries are skipped, as in the original.
fn entries<'a>(at: &str, map: &'a Map<String, Value>, key: &str, found: &mut Findings) -> Vec<(String, &'a Value)> {
    let at = join(at, key);
    match map.get(key) {
        None | Some(Value::Null) => vec![],
        Some(Value::Array(list)) => {
            let entries = list.iter().enumerate().filter(|(_, item)| !item.is_null());
            entries.map(|(place, item)| (join(&at, place), item)).collect()
        }
        Some(_) => {
            found.error(at, format!("`{key}` is a list"));
            vec![]
        }
    }
}

fn map<'a>(at: &str, map: &'a Map<String, Value>, key: &str, found: &mut Findings) -> Option<&'a Map<String, Value>> {
    match map.get(key)? {
        Value::Null => None,
        Value::Object(map) => Some(map),
        _ => {
            found.error(join(at, key), format!("`{key}` is a map"));
            None
        }
    }
}

fn text_at(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Option<String> {
    let text = yaml::scalar(map.get(key)?);
    if text.is_none() {
        found.error(join(at, key), format!("`{key}` is a text"));
    }
    text
}

/// A whole number; 0 where there is none.
fn whole(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> i64 {
    let Some(value) = map.get(key).filter(|value| !value.is_null()) else { return 0 };
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15);
    if number.is_none() {
        found.error(join(at, key), format!("`{key}` is a whole number"));
    }
    number.map_or(0, |number| number as i64)
}

/// What can be graded, but is hardly meant.
pub(super) fn doubts(slo: &Slo, found: &mut Findings) {
    if !AGGREGATES.contains(&slo.comparison.aggregate.as_str()) {
        let message = format!("unknown function `{}`; known are {}", slo.comparison.aggregate, AGGREGATES.join(", "));
        found.error("/comparison/aggregate_function", message);
    }
    let known = |text: &str, words: &[&str]| text.is_empty() || words.contains(&text);
    if !known(&slo.comparison.compare_with, &["single_result", "several_results"]) {
        found.warning("/comparison/compare_with", "neither `single_result` nor `several_results`: three are compared with");
    }
    if !known(&slo.comparison.include, &["all", "pass", "pass_or_warn"]) {
        found.warning("/comparison/include_result_with_score", "none of `all`, `pass`, `pass_or_warn`: all are included");
    }
    let mut seen = BTreeSet::new();
    for (at, objective) in slo.objectives.iter().enumerate() {
        let pointer = format!("/objectives/{at}");
        if !seen.insert(&objective.sli) {
            let message = format!("`{}` has two objectives; the second one never gets a value", objective.sli);
            found.error(format!("{pointer}/sli"), message);
        }
        for (key, sets) in [("pass", &objective.pass), ("warning", &objective.warning)] {
            for (set, criteria) in sets.iter().enumerate() {
                let at = format!("{pointer}/{key}/{set}");
                if criteria.is_empty() {
                    found.warning(&at, "an empty set of criteria always holds");
                }
                for (place, text) in criteria.iter().enumerate() {
                    criterion(&format!("{at}/criteria/{place}"), text, found);
                }
            }
        }
        if objective.pass.is_empty() && !objective.warning.is_empty() {
            found.warning(format!("{pointer}/warning"), "without `pass`, the value is only shown: `warning` says nothing");
        }
        if objective.pass.is_empty() && objective.key_sli {
            found.warning(format!("{pointer}/key_sli"), "without `pass`, a key SLI never fails");
        }
        if objective.weight < 0.0 {
            found.warning(format!("{pointer}/weight"), "a negative weight: holding the objective lowers the total");
        }
        unreachable(&pointer, objective, found);
    }
    totals(slo, found);
}

fn criterion(at: &str, text: &str, found: &mut Findings) {
    match Criterion::parse(text) {
        Err(error) => found.error(at, format!("`{text}`: {error}")),
        Ok(one) if one.percentage && !text.contains(['+', '-']) => {
            let percent = number::text(one.value);
            let sign = one.operator.sign();
            found.warning(
                at,
                format!("`{text}` compares with earlier values: it means `{sign}+{percent}%`; a share is `{sign}{percent}` in its unit"),
            );
        }
        Ok(one) if one.comparison && !one.percentage && !one.increase => {
            let message = format!("`{text}` compares with earlier values: a limit below zero cannot be written");
            found.warning(at, message);
        }
        Ok(_) => {}
    }
}

/// A warning level that is passed before it is reached, where each level is one fixed limit.
fn unreachable(pointer: &str, objective: &Objective, found: &mut Findings) {
    let fixed = |sets: &[Vec<String>]| match sets {
        [set] => match set.as_slice() {
            [text] => Criterion::parse(text).ok().filter(|one| !one.comparison),
            _ => None,
        },
        _ => None,
    };
    let (Some(pass), Some(warning)) = (fixed(&objective.pass), fixed(&objective.warning)) else { return };
    let one_side = pass.operator.is_upper() == warning.operator.is_upper();
    let exact = [pass, warning].iter().any(|one| one.operator == Operator::Equal);
    let further = if pass.operator.is_upper() { warning.value > pass.value } else { warning.value < pass.value };
    // `<=5` lets more through than `<5`.
    let includes = warning.value == pass.value && warning.operator.sign().len() > pass.operator.sign().len();
    if one_side && !exact && !further && !includes {
        found.warning(format!("{pointer}/warning"), "all that this warning level lets through passes before");
    }
}

fn totals(slo: &Slo, found: &mut Findings) {
    let goal = |text: &Option<String>| text.as_ref().map(|text| number::go(text.strip_suffix('%').unwrap_or(text)));
    let (pass, warning) = (goal(&slo.pass), goal(&slo.warning));
    for (key, value) in [("pass", pass), ("warning", warning)] {
        if value == Some(None) {
            found.error(format!("/total_score/{key}"), format!("`{key}` is a percentage like `90%`"));
        }
    }
    if slo.objectives.is_empty() {
        found.error("/objectives", "no objectives: nothing is graded");
    }
    let Some(pass) = pass else {
        found.error("/total_score", "a `total_score` with `pass` says what the total must reach");
        return;
    };
    let (pass, warning) = (pass.unwrap_or(f64::NAN), warning.flatten());
    if pass > 100.0 {
        found.warning("/total_score/pass", "more than 100% is never reached");
    }
    if warning.is_some_and(|warning| warning >= pass) {
        found.warning("/total_score/warning", "`warning` is not below `pass`: the gate never passes with a warning");
    }
    let lowest = warning.map_or(pass, |warning| warning.min(pass));
    let key = slo.objectives.iter().any(|objective| objective.key_sli && !objective.pass.is_empty());
    if slo.objectives.iter().all(|objective| objective.pass.is_empty()) && !slo.objectives.is_empty() {
        found.warning("/objectives", "no objective has `pass`: nothing can fail this gate");
    } else if lowest <= 0.0 && !key {
        found.warning("/total_score", "a total of 0% is always reached: nothing can fail this gate");
    }
}
