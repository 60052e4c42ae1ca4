//! The result as keptn's Lighthouse prints it.

use super::super::evaluation::{Evaluation, Graded, Status, Verdict};
use super::super::number;
use serde_json::{Value, json};

/// What the original prints besides the grades; texts, as it writes them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Printed<'a> {
    /// The window's beginning.
    pub start: &'a str,
    /// The window's end.
    pub end: &'a str,
    /// The SLO file in Base64.
    pub slo_file_content: &'a str,
}

/// The data of the original's `evaluation.finished` event, key for key.
pub fn keptn(evaluation: &Evaluation, printed: Printed<'_>) -> Value {
    let result = match evaluation.verdict {
        Verdict::Pass => "pass",
        Verdict::Warning => "warning",
        Verdict::Fail | Verdict::Inconclusive => "fail",
    };
    let indicators: Vec<Value> = evaluation.indicators.iter().map(indicator).collect();
    let mut details = json!({
        "timeStart": printed.start,
        "timeEnd": printed.end,
        "result": result,
        "score": number::json(evaluation.score),
        "sloFileContent": printed.slo_file_content,
        "indicatorResults": indicators,
    });
    if let (Some(details), false) = (details.as_object_mut(), evaluation.compared.is_empty()) {
        details.insert("comparedEvents".into(), json!(evaluation.compared));
    }
    json!({
        "status": if evaluation.error.is_some() { "errored" } else { "succeeded" },
        "result": result,
        "message": evaluation.error.as_ref().unwrap_or(&evaluation.message),
        "evaluation": details,
    })
}

fn indicator(one: &Graded) -> Value {
    let targets = |level: Status| {
        let of = one.limits.iter().filter(|limit| limit.level == level);
        let list: Vec<Value> = of
            .map(|limit| json!({"criteria": limit.rule, "targetValue": number::json(limit.value), "violated": limit.violated}))
            .collect();
        // A list without entries is null in Go.
        if list.is_empty() { Value::Null } else { Value::Array(list) }
    };
    let sample = one.values.first();
    let measured = sample.and_then(|sample| sample.number()).filter(|_| one.values.len() == 1);
    // The original fills in the rest only for what it evaluated.
    let evaluated = measured.is_some() && one.status != Status::Info;
    let shown = measured.or_else(|| number::measured(&sample?.value)).unwrap_or(0.0);
    let mut value = json!({
        "metric": one.id,
        "value": number::json(shown),
        "comparedValue": number::json(one.compared.unwrap_or(0.0)),
        "success": measured.is_some(),
    });
    let message = match sample {
        Some(sample) if measured.is_some() => sample.message.as_str(),
        Some(_) | None => one.why.as_str(),
    };
    if let (Some(value), false) = (value.as_object_mut(), message.is_empty()) {
        value.insert("message".into(), json!(message));
    }
    let unanswered = one.values.is_empty() && one.status == Status::Info;
    json!({
        "score": number::json(one.score),
        "value": if unanswered { Value::Null } else { value },
        "displayName": if evaluated { one.display_name.as_str() } else { "" },
        "passTargets": targets(Status::Fail),
        "warningTargets": targets(Status::Warning),
        "keySli": evaluated && one.key,
        "status": one.status.word(),
    })
}
