//! Values that somebody already has, and earlier evaluations, read from files.

use super::evaluation::{Answer, Evaluation, Previous, PreviousValue, Sample, Verdict};
use super::{kayenta, number};
use crate::core::lint::{self, Findings};
use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// What a file of values holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Single values.
    pub answers: Vec<Answer>,
    /// Values of both sides, to be compared by a judge.
    pub pairs: Vec<Pair>,
}

/// The values of one metric on both sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The metric.
    pub metric: String,
    /// The values of the stable version; NaN where one is missing.
    pub control: Vec<f64>,
    /// The values of the candidate; NaN where one is missing.
    pub experiment: Vec<f64>,
}

impl Pair {
    /// The values as an answer: a sample a side.
    pub fn answer(&self) -> Answer {
        Answer::new(self.metric.clone(), kayenta::samples(&self.control, &self.experiment))
    }
}

/// Reads values: `{"metric": number}`, `[{"metric","value","success","message"}]`, or
/// `{"metric": {"control": [numbers], "experiment": [numbers]}}`. `file` is what errors call it.
///
/// Entries of a list may have a `key`, the series: several of one metric are several series for a perfspec.
///
/// # Errors
/// `Usage` for anything else.
pub fn values(file: &str, text: &str) -> Result<Values> {
    let refused = |why: String| Error::usage(format!("{file}: {why}"));
    let mut values = Values::default();
    let read = json(file, text)?;
    if let Some(error) = lint::refuse(file, text, &Findings::default().located(text)) {
        return Err(error);
    }
    match read {
        Value::Object(map) => {
            for (metric, value) in &map {
                match value {
                    Value::Object(sides) => values.pairs.push(pair(metric, sides).map_err(refused)?),
                    value => values.answers.push(Answer::new(metric, vec![Sample::of("", value.clone())])),
                }
            }
        }
        Value::Array(list) => {
            for (at, item) in list.iter().enumerate() {
                values.answers.push(answer(item).ok_or_else(|| {
                    refused(format!("entry {at} is not of the form {{\"metric\", \"value\", \"success\", \"message\"}}"))
                })?);
            }
        }
        _ => return Err(refused("values are `{\"metric\": number}` or `[{\"metric\", \"value\"}]`".into())),
    }
    for answer in values.answers.iter().flat_map(|answer| &answer.samples) {
        if matches!(answer.value, Value::Array(_) | Value::Bool(_) | Value::Object(_)) {
            return Err(refused(format!("{} is not a number", answer.value)));
        }
    }
    Ok(values)
}

fn json(file: &str, text: &str) -> Result<Value> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map_err(|error| Error::usage(format!("{file}: this is not JSON: {error}")))
}

fn answer(item: &Value) -> Option<Answer> {
    let metric = item.get("metric")?.as_str().filter(|metric| !metric.is_empty())?;
    let text = |key: &str| item.get(key).map_or(Some(""), |text| text.as_str().or(text.is_null().then_some("")));
    let success = item.get("success").map_or(Some(true), Value::as_bool)?;
    let value = item.get("value").cloned().unwrap_or_default();
    let sample = Sample { key: text("key")?.into(), value, success, message: text("message")?.into() };
    Some(Answer::new(metric, vec![sample]))
}

fn pair(metric: &str, sides: &Map<String, Value>) -> std::result::Result<Pair, String> {
    if let Some(key) = sides.keys().find(|key| !["control", "experiment"].contains(&key.as_str())) {
        return Err(format!("`{metric}`: unknown key `{key}`; known are control, experiment"));
    }
    let side = |key: &str| {
        let list = sides.get(key).and_then(Value::as_array);
        let list = list.ok_or_else(|| format!("`{metric}`: `{key}` is a list of numbers"))?;
        let number = |value: &Value| match value {
            Value::Null => Ok(f64::NAN),
            Value::String(text) if text == "NaN" => Ok(f64::NAN),
            value => number::measured(value).ok_or_else(|| format!("`{metric}`: {value} is not a number")),
        };
        list.iter().map(number).collect::<std::result::Result<Vec<f64>, String>>()
    };
    Ok(Pair { metric: metric.into(), control: side("control")?, experiment: side("experiment")? })
}

/// Reads earlier evaluations, newest first: one or a list of our own (`-o json`), of
/// `{"result","score","values":[{"metric","value","success","status"}]}`, or of the originals' results. `file` is what
/// errors call it, and what an evaluation without a name is called in the output.
///
/// # Errors
/// `Usage` for anything else.
pub fn previous(file: &str, text: &str) -> Result<Vec<Previous>> {
    let list = match json(file, text)? {
        Value::Array(list) => list,
        one => vec![one],
    };
    let many = list.len() > 1;
    let read = |(at, item): (usize, Value)| {
        let one = earlier(&item).ok_or_else(|| Error::usage(format!("{file}: entry {at} is not an earlier evaluation")))?;
        let id = match (one.id.is_empty(), many) {
            (false, _) => one.id.clone(),
            (true, true) => format!("{file}[{at}]"),
            (true, false) => file.to_owned(),
        };
        Ok(Previous { id, ..one })
    };
    list.into_iter().enumerate().map(read).collect()
}

fn earlier(item: &Value) -> Option<Previous> {
    if item.get("basis").is_some() {
        return serde_json::from_value::<Evaluation>(item.clone()).ok().map(|one| Previous::of("", &one));
    }
    if item.get("values").is_some_and(Value::is_array) {
        return serde_json::from_value(item.clone()).ok();
    }
    // keptn's event holds its evaluation; Pitometer's result stands alone.
    let item = item.get("evaluation").or_else(|| item.get("evaluationdetails")).unwrap_or(item);
    let indicators = item.get("indicatorResults")?.as_array()?;
    let score = item.get("score").or_else(|| item.get("totalScore")).and_then(number::measured);
    let result = item.get("result").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Previous { id: String::new(), result, score, values: indicators.iter().flat_map(original).collect() })
}

/// The values of an indicator of an original's result.
fn original(indicator: &Value) -> Vec<PreviousValue> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let status = text(indicator, "status");
    if let Some(value) = indicator.get("value").filter(|value| value.is_object()) {
        let success = value.get("success").and_then(Value::as_bool).unwrap_or(true);
        let number = value.get("value").and_then(number::measured);
        return vec![PreviousValue { metric: text(value, "metric"), key: String::new(), value: number, success, status }];
    }
    let series = indicator.get("individualResults").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of = |one: &Value| PreviousValue {
        metric: text(indicator, "id"),
        key: text(one, "key"),
        value: one.get("value").and_then(number::measured),
        success: true,
        status: status.clone(),
    };
    series.iter().map(of).collect()
}

impl Previous {
    /// What later evaluations need of this one. `id` is what they call it.
    pub fn of(id: impl Into<String>, evaluation: &Evaluation) -> Self {
        let result = match evaluation.verdict {
            Verdict::Pass => "pass",
            Verdict::Warning => "warning",
            Verdict::Fail => "fail",
            Verdict::Inconclusive => "inconclusive",
        };
        let values = evaluation.indicators.iter().flat_map(|one| {
            one.values.iter().map(|sample| PreviousValue {
                metric: one.id.clone(),
                key: sample.key.clone(),
                value: sample.number(),
                success: sample.number().is_some(),
                status: one.status.word().into(),
            })
        });
        Self { id: id.into(), result: result.into(), score: Some(evaluation.score), values: values.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_values() {
        let read = |text: &str| values("v.json", text).expect("values");
        let numbers = |values: &Values| -> Vec<(String, Option<f64>)> {
            values.answers.iter().map(|answer| (answer.id.clone(), answer.samples[0].number())).collect()
        };
        let one = |id: &str, number: Option<f64>| (id.to_owned(), number);
        let map = read(r#"{"p95": 12.5, "errors": "0.1", "none": null, "nan": "NaN"}"#);
        assert_eq!(numbers(&map), [one("p95", Some(12.5)), one("errors", Some(0.1)), one("none", None), one("nan", None)]);
        let list =
            read(r#"[{"metric": "a", "value": 1, "success": false, "message": "timeout"}, {"metric": "b", "success": true}]"#);
        assert_eq!(numbers(&list), [one("a", None), one("b", None)]);
        assert_eq!(list.answers[0].single(), Err("timeout".into()));
        let pairs = read(r#"{"latency": {"control": [1, 2], "experiment": [3, null]}, "p95": 1}"#);
        assert_eq!((pairs.answers.len(), pairs.pairs[0].control.as_slice()), (1, &[1.0, 2.0][..]));
        assert!(pairs.pairs[0].experiment[1].is_nan());
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for (text, says) in [
            ("7", "values are"),
            ("{", "v.json: this is not JSON"),
            ("[7]", "entry 0"),
            (r#"[{"metric": "a", "value": [1]}]"#, "[1] is not a number"),
            (r#"[{"metric": "a", "success": "yes"}]"#, "entry 0"),
            (r#"{"a": true}"#, "true is not a number"),
            (r#"{"a": 20, "a": 5}"#, "v.json:1:11: this key is written twice"),
            (r#"{"a": {"control": [1]}}"#, "`experiment` is a list"),
            (r#"{"a": {"control": [1], "experiment": ["x"]}}"#, "\"x\" is not a number"),
            (r#"{"a": {"control": [1], "experimant": [1]}}"#, "unknown key `experimant`"),
        ] {
            let error = values("v.json", text).expect_err(says);
            assert!(error.message.contains(says), "{}", error.message);
        }
    }

    #[test]
    fn earlier_evaluations_of_every_origin() {
        let read = |text: &str| previous("before.json", text).expect("earlier evaluations");
        let ours = read(
            r#"[{"result": "pass", "score": 100, "values": [{"metric": "m", "value": 10, "success": true, "status": "pass"}]}, {"result": "fail", "values": []}]"#,
        );
        assert_eq!(
            (ours[0].id.as_str(), ours[0].values[0].value, ours[1].result.as_str()),
            ("before.json[0]", Some(10.0), "fail")
        );
        let keptn = read(
            r#"{"evaluation": {"result": "warning", "score": 75, "indicatorResults": [{"value": {"metric": "m", "value": 3, "success": true}, "status": "warning"}]}}"#,
        );
        assert_eq!((keptn[0].score, keptn[0].values[0].value), (Some(75.0), Some(3.0)));
        assert_eq!(keptn[0].id, "before.json");
        let pitometer = read(
            r#"{"result": "pass", "totalScore": 100, "indicatorResults": [{"id": "a", "individualResults": [{"key": "s", "value": "100"}]}]}"#,
        );
        assert_eq!((pitometer[0].values[0].key.as_str(), pitometer[0].values[0].value), ("s", Some(100.0)));
        assert!(previous("before.json", "[1]").is_err());
    }
}
