//! `service-indicators.yaml` with `service-objectives.yaml` (keptn 0.5), turned into a perfspec.
//!
//! A metric's `threshold` is the perfspec's `upperSevere`, its `score` the `metricScore`. `timeframe` is not used, as in
//! the original. The original drops an objective whose metric has no indicator, and with it the limit; here it is an error.

use super::File;
use super::number;
use super::perfspec::Perfspec;
use crate::core::lint::{self, Finding, Findings, Options, join};
use crate::core::yaml;
use crate::error::Result;
use serde_json::{Map, Value, json};

/// Turns the two files into a perfspec.
///
/// # Errors
/// `Usage`, with file, line and caret.
pub fn convert(indicators: File<'_>, objectives: File<'_>) -> Result<Perfspec> {
    let (known, found) = read_indicators(indicators.1);
    if let Some(error) = lint::refuse(indicators.0, indicators.1, &found.located(indicators.1)) {
        return Err(error);
    }
    let (spec, found) = read_objectives(objectives.1, Some(&known));
    if let Some(error) = lint::refuse(objectives.0, objectives.1, &found.located(objectives.1)) {
        return Err(error);
    }
    let text = serde_json::to_string_pretty(&spec).unwrap_or_default();
    Perfspec::parse(objectives.0, &text)
}

/// All that is wrong, or surely not meant, in the indicators.
pub fn lint_indicators(text: &str, options: Options) -> Vec<Finding> {
    let (indicators, mut found) = read_indicators(text);
    found.options = options;
    for (at, (_, source, query)) in indicators.iter().enumerate() {
        if let (Some("prometheus"), Some(query)) = (source.as_str().map(str::to_ascii_lowercase).as_deref(), query.as_str()) {
            found.promql(&format!("/indicators/{at}/query"), query);
        }
    }
    found.located(text)
}

/// All that is wrong, or surely not meant, in the objectives; with the text of the indicators, what measures none of them.
pub fn lint_objectives(text: &str, indicators: Option<&str>) -> Vec<Finding> {
    let known = indicators.map(|indicators| read_indicators(indicators).0);
    let (spec, mut found) = read_objectives(text, known.as_deref());
    doubts(text, &spec, &mut found);
    found.located(text)
}

/// What can be graded, but is hardly meant.
fn doubts(text: &str, spec: &Value, found: &mut Findings) {
    let Some(root) = yaml::read(text, &mut Findings::default()) else { return };
    let list = root.get("objectives").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let score = |objective: &Value| objective.get("score").and_then(Value::as_f64).unwrap_or_default();
    let most: f64 = list.iter().map(score).fold(0.0, |total, score| total + score.max(0.0));
    let goal = |key: &str| spec.pointer(&format!("/objectives/{key}")).and_then(number::measured);
    let (pass, warning) = (goal("pass"), goal("warning"));
    if pass.is_none() {
        found.warning("", "no `pass`: the gate never passes without a warning");
    }
    if pass.is_some_and(|pass| pass > most) {
        found.warning("/pass", format!("the scores sum to {}: `pass` is never reached", number::text(most)));
    }
    if pass.zip(warning).is_some_and(|(pass, warning)| warning >= pass) {
        found.warning("/warning", "`warning` is not below `pass`: the gate never passes with a warning");
    }
    if [pass, warning].iter().flatten().any(|goal| *goal <= 0.0) {
        found.warning("", "a total of 0 is always reached: nothing can fail this gate");
    }
    for (at, objective) in list.iter().enumerate() {
        if objective.get("timeframe").is_some() {
            found.note(
                format!("/objectives/{at}/timeframe"),
                "`timeframe` says nothing, as in the original: the window is that of the evaluation",
            );
        }
        let same = |other: &Value| other.get("metric") == objective.get("metric");
        if list.iter().take(at).any(same) {
            found.error(format!("/objectives/{at}/metric"), "this metric has an objective before");
        }
    }
}

/// An indicator: its metric, source and query.
type Indicator = (String, Value, Value);

fn read_indicators(text: &str) -> (Vec<Indicator>, Findings) {
    let mut found = Findings::default();
    let Some(root) = yaml::read(text, &mut found) else { return (vec![], found) };
    found.keys_or_notes("", &root, &["spec_version", "indicators"]);
    let mut indicators: Vec<Indicator> = Vec::new();
    for (at, map) in maps(&root, "indicators", &mut found) {
        found.keys(&at, map, &["metric", "source", "query", "queryObject"]);
        let metric = text_of(&at, map, "metric", &mut found);
        if indicators.iter().any(|(known, ..)| *known == metric) {
            found.error(join(&at, "metric"), format!("`{metric}` has two indicators"));
        }
        let source = text_of(&at, map, "source", &mut found);
        let query = match map.get("queryObject").and_then(Value::as_array) {
            Some(pairs) => Value::Object(pairs.iter().filter_map(pair).collect()),
            None => Value::from(text_of(&at, map, "query", &mut found)),
        };
        indicators.push((metric, Value::from(source), query));
    }
    (indicators, found)
}

/// A `{key, value}` pair of a query object. Lists are written as texts with commas.
fn pair(item: &Value) -> Option<(String, Value)> {
    let key = item.get("key")?.as_str()?;
    let value = item.get("value").cloned().unwrap_or_default();
    let value = match (key, value.as_str()) {
        ("tags" | "entityIds", Some(list)) => json!(list.split(',').map(str::trim).collect::<Vec<_>>()),
        _ => value,
    };
    Some((key.to_owned(), value))
}

fn read_objectives(text: &str, known: Option<&[Indicator]>) -> (Value, Findings) {
    let mut found = Findings::default();
    let Some(root) = yaml::read(text, &mut found) else { return (Value::Null, found) };
    found.keys_or_notes("", &root, &["spec_version", "pass", "warning", "objectives"]);
    let mut indicators = Vec::new();
    for (at, map) in maps(&root, "objectives", &mut found) {
        found.keys(&at, map, &["metric", "threshold", "timeframe", "score"]);
        let metric = text_of(&at, map, "metric", &mut found);
        for key in ["threshold", "score"] {
            if !map.get(key).is_some_and(Value::is_number) {
                found.error(join(&at, key), format!("an objective has a number `{key}`"));
            }
        }
        let Some(known) = known else { continue };
        match known.iter().find(|(name, ..)| *name == metric) {
            None => found.error(join(&at, "metric"), format!("no indicator measures `{metric}`: its limit would be dropped")),
            Some((id, source, query)) => indicators.push(json!({
                "id": id, "source": source, "query": query,
                "grading": {"type": "Threshold", "thresholds": {"upperSevere": map.get("threshold")}, "metricScore": map.get("score")},
            })),
        }
    }
    let goals = ["pass", "warning"].iter().filter_map(|key| Some(((*key).to_owned(), root.get(*key)?.clone())));
    let goals: Map<String, Value> = goals.collect();
    (json!({"spec_version": "1.0", "indicators": indicators, "objectives": goals}), found)
}

/// The maps of a list, with their pointers.
fn maps<'a>(root: &'a Map<String, Value>, key: &str, found: &mut Findings) -> Vec<(String, &'a Map<String, Value>)> {
    let Some(list) = root.get(key).and_then(Value::as_array) else {
        found.error(join("", key), format!("the file has a list of `{key}`"));
        return vec![];
    };
    let mut maps = Vec::new();
    for (at, item) in list.iter().enumerate() {
        let at = format!("/{key}/{at}");
        match item.as_object() {
            Some(map) => maps.push((at, map)),
            None => found.error(at, "this is not a map"),
        }
    }
    maps
}

fn text_of(at: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> String {
    let text = map.get(key).and_then(yaml::scalar).filter(|text| !text.is_empty());
    if text.is_none() {
        found.error(join(at, key), format!("`{key}` is missing"));
    }
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::dynatrace::Dynatrace;
    use crate::core::gate::evaluation::{Answer, Evidence, Sample, Verdict};
    use crate::core::gate::query::Query;

    const INDICATORS: &str = "indicators:\n- metric: latency\n  source: Prometheus\n  query: rate(x[$DURATION])\n- metric: slow\n  source: Dynatrace\n  queryObject:\n  - {key: timeseriesId, value: t}\n  - {key: aggregation, value: AVG}\n  - {key: tags, value: \"a:b, c\"}\n";
    const OBJECTIVES: &str = "pass: 90\nwarning: 75\nobjectives:\n- {metric: latency, threshold: 0.8, timeframe: 5m, score: 60}\n- {metric: slow, threshold: 100, score: 40}\n";

    #[test]
    fn two_files_make_a_perfspec() {
        let spec = convert(("i.yaml", INDICATORS), ("o.yaml", OBJECTIVES)).expect("a perfspec");
        let queries = spec.queries().expect("queries");
        assert_eq!(queries[0].1, Query::Prometheus("rate(x[$DURATION])".into()));
        assert!(
            matches!(&queries[1].1, Query::Dynatrace(Dynatrace::Timeseries(query)) if query.tags == Some(json!(["a:b", "c"])))
        );
        let answers = vec![Answer::new("latency", vec![Sample::of("{}", "0.8")]), Answer::new("slow", vec![Sample::of("S", 1)])];
        let evaluation = spec.grade(Evidence { answers, ..Evidence::default() });
        assert_eq!((evaluation.score, evaluation.verdict), (40.0, Verdict::Fail));
    }

    #[test]
    fn doubts_are_told() {
        let told = |objectives: &str, indicators: Option<&str>| -> Vec<String> {
            lint_objectives(objectives, indicators).into_iter().map(|one| one.message).collect()
        };
        assert_eq!(told(OBJECTIVES, Some(INDICATORS)).len(), 1, "the time frame");
        assert!(told(&OBJECTIVES.replace("metric: slow", "metric: nope"), None).len() == 1, "the indicators are not known");
        assert!(told(&OBJECTIVES.replace("metric: slow", "metric: latency"), None)[1].contains("an objective before"));
        assert!(told(&OBJECTIVES.replace("pass: 90", "pass: 0"), None).iter().any(|one| one.contains("nothing can fail")));
        assert!(told(&OBJECTIVES.replace("pass: 90", "pass: 190"), None).iter().any(|one| one.contains("never reached")));
    }

    #[test]
    fn a_limit_that_would_be_dropped_is_an_error() {
        for (objectives, says) in [
            (OBJECTIVES.replace("metric: slow", "metric: nope"), "o.yaml:5:4: no indicator measures `nope`"),
            (OBJECTIVES.replace("threshold: 100", "treshold: 100"), "did you mean `threshold`?"),
            (OBJECTIVES.replace("score: 40", "score: x"), "has a number `score`"),
            ("pass: 1".into(), "a list of `objectives`"),
        ] {
            let error = convert(("i.yaml", INDICATORS), ("o.yaml", &objectives)).expect_err(says);
            assert!(error.message.contains(says), "{}", error.message);
        }
        let error = convert(("i.yaml", "indicators: [{metric: a}]"), ("o.yaml", OBJECTIVES)).expect_err("no source");
        assert!(error.message.contains("i.yaml:1:14: `source` is missing"), "{}", error.message);
        assert!(lint_indicators(INDICATORS, Options::default()).is_empty());
    }
}
