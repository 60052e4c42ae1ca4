//! Reads a canary configuration, and says what in it cannot be meant.

use super::{Kayenta, Metric};
use crate::core::gate::number;
use crate::core::judge::kayenta::Analysis;
use crate::core::lint::{Findings, join};
use crate::core::yaml;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Kayenta's scores for passing and for marginal, where its users set none.
const PASS: f64 = 95.0;
const MARGINAL: f64 = 75.0;

/// Reads `text`. What is missing or wrong is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Kayenta, Findings) {
    let mut found = Findings::default();
    let mut kayenta = Kayenta {
        metrics: Vec::new(),
        weights: BTreeMap::new(),
        pass: PASS,
        marginal: MARGINAL,
        notes: Vec::new(),
        text: text.to_owned(),
    };
    let Some(root) = yaml::read(text, &mut found) else { return (kayenta, found) };
    let known = [
        "id",
        "name",
        "description",
        "configVersion",
        "applications",
        "judge",
        "metrics",
        "templates",
        "classifier",
        "createdTimestamp",
        "createdTimestampIso",
        "updatedTimestamp",
        "updatedTimestampIso",
    ];
    found.keys_or_notes("", &root, &known);
    if let Some(name) = root.get("judge").and_then(|judge| judge.get("name")).and_then(Value::as_str)
        && name != "NetflixACAJudge-v1.0"
    {
        found.note("/judge/name", format!("the judge `{name}` is not here: NetflixACAJudge-v1.0 judges"));
    }
    for (at, item) in root.get("metrics").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let at = format!("/metrics/{at}");
        match item.as_object() {
            Some(map) => kayenta.metrics.push(metric(&at, map, &mut found)),
            None => found.error(at, "a metric is a map with `name` and `analysisConfigurations`"),
        }
    }
    for (place, metric) in kayenta.metrics.iter().enumerate() {
        if kayenta.metrics.iter().take(place).any(|other| other.name == metric.name) {
            found.error(format!("/metrics/{place}/name"), format!("`{}` is the name of two metrics", metric.name));
        }
    }
    if let Some(classifier) = root.get("classifier").and_then(Value::as_object) {
        found.keys("/classifier", classifier, &["groupWeights", "scoreThresholds"]);
        let numbers = |key: &str, found: &mut Findings| {
            let mut numbers = BTreeMap::new();
            for (name, value) in classifier.get(key).and_then(Value::as_object).into_iter().flatten() {
                match value.as_f64() {
                    Some(number) => drop(numbers.insert(name.clone(), number)),
                    None if value.is_null() => {}
                    None => found.error(format!("/classifier/{key}{}", join("", name)), format!("a number is due, not {value}")),
                }
            }
            numbers
        };
        kayenta.weights = numbers("groupWeights", &mut found);
        if let Some(scores) = classifier.get("scoreThresholds").and_then(Value::as_object) {
            found.keys("/classifier/scoreThresholds", scores, &["pass", "marginal"]);
        }
        let scores = numbers("scoreThresholds", &mut found);
        kayenta.pass = scores.get("pass").copied().unwrap_or(PASS);
        kayenta.marginal = scores.get("marginal").copied().unwrap_or(MARGINAL);
    }
    kayenta.notes = found.notes();
    (kayenta, found)
}

fn metric(at: &str, map: &Map<String, Value>, found: &mut Findings) -> Metric {
    found.keys_or_notes(at, map, &["name", "query", "groups", "analysisConfigurations", "scopeName"]);
    let name = map.get("name").and_then(yaml::scalar).unwrap_or_default();
    if name.is_empty() {
        found.error(join(at, "name"), "a metric has a `name`");
    }
    let groups = map.get("groups").and_then(Value::as_array).into_iter().flatten();
    let groups: Vec<String> = groups.filter_map(Value::as_str).map(str::to_owned).collect();
    let configurations = map.get("analysisConfigurations").and_then(Value::as_object);
    let inside = join(at, "analysisConfigurations");
    if let Some(configurations) = configurations {
        found.keys_or_notes(&inside, configurations, &["canary"]);
    }
    let empty = Value::Null;
    let canary = configurations.and_then(|all| all.get("canary")).unwrap_or(&empty);
    let (analysis, odd) = Analysis::read(canary);
    for what in odd {
        found.error(join(&inside, "canary"), what);
    }
    let inline = map.get("query").and_then(|query| query.get("customInlineTemplate")).and_then(Value::as_str);
    let query = inline.and_then(|text| text.strip_prefix("PromQL:")).map(|query| query.trim().to_owned());
    Metric { name, groups, analysis, query }
}

/// What can be judged, but is hardly meant.
pub(super) fn doubts(text: &str, kayenta: &Kayenta, found: &mut Findings) {
    if kayenta.metrics.is_empty() {
        found.warning("/metrics", "no metrics: nothing can fail this gate");
        return;
    }
    let root = yaml::read(text, &mut Findings::default()).unwrap_or_default();
    for place in 0..kayenta.metrics.len() {
        let at = format!("/metrics/{place}/query");
        let query = root.get("metrics").and_then(|metrics| metrics.get(place)).and_then(|metric| metric.get("query"));
        let Some(query) = query else { continue };
        let text = query.get("customInlineTemplate").and_then(Value::as_str).unwrap_or_default();
        // Behind its sign the text is a query as it stands; the blanks keep what is wrong at its place.
        if let Some(rest) = text.strip_prefix("PromQL:") {
            found.promql(&join(&at, "customInlineTemplate"), &format!("       {rest}"));
        }
    }
    if kayenta.metrics.iter().all(|metric| metric.analysis.muted) {
        found.warning("/metrics", "every metric is muted: nothing can fail this gate");
    }
    if kayenta.marginal > kayenta.pass {
        found.warning("/classifier/scoreThresholds/marginal", "`marginal` is above `pass`: no score is marginal");
    }
    if kayenta.marginal <= 0.0 {
        found.warning("/classifier/scoreThresholds/marginal", "a score of 0 is always reached: nothing can fail this gate");
    }
    let used: Vec<&String> = kayenta.metrics.iter().flat_map(|metric| &metric.groups).collect();
    for name in kayenta.weights.keys().filter(|name| !used.contains(name)) {
        found.warning(
            format!("/classifier/groupWeights{}", join("", name)),
            format!("no metric is in the group `{name}`: its weight is lost"),
        );
    }
    let sum: f64 = kayenta.weights.values().sum();
    let open = used.iter().any(|name| !kayenta.weights.contains_key(*name));
    if !kayenta.weights.is_empty() && (sum > 100.0 || sum < 100.0 && !open) {
        found.warning("/classifier/groupWeights", format!("the weights sum to {}, not to 100", number::text(sum)));
    }
    for (place, metric) in
        kayenta.metrics.iter().enumerate().filter(|(_, metric)| metric.groups.is_empty() && !metric.analysis.critical)
    {
        found.warning(format!("/metrics/{place}"), format!("`{}` is in no group: it counts for nothing", metric.name));
    }
}
