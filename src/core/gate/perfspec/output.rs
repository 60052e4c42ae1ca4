//! The result as Pitometer 1.0.4 prints it.

use super::super::evaluation::{Breach, Evaluation, Verdict, Window};
use super::super::number;
use serde_json::{Map, Value, json};

/// The original's result, key for key. `context` is what it calls the run.
pub fn pitometer(evaluation: &Evaluation, context: Option<&str>) -> Value {
    if let Some(error) = &evaluation.error {
        return json!({"result": "failed", "error": format!("Error: {error}")});
    }
    let mut options = Map::new();
    if let Some(context) = context {
        options.insert("context".into(), json!(context));
    }
    if let Some(Window { start, end }) = evaluation.basis.evidence.window {
        options.insert("timeStart".into(), json!(start));
        options.insert("timeEnd".into(), json!(end));
    }
    let indicators: Vec<Value> = evaluation
        .indicators
        .iter()
        .map(|one| {
            let violations: Vec<Value> = one.breaches.iter().map(violation).collect();
            json!({"id": one.id, "violations": violations, "score": number::json(one.score)})
        })
        .collect();
    json!({
        "options": options,
        "totalScore": number::json(evaluation.score),
        "objectives": evaluation.objectives,
        "indicatorResults": indicators,
        "result": match evaluation.verdict {
            Verdict::Pass => "pass",
            Verdict::Warning => "warning",
            Verdict::Fail | Verdict::Inconclusive => "fail",
        },
    })
}

fn violation(breach: &Breach) -> Value {
    let mut map = Map::new();
    let Some(sample) = &breach.sample else {
        map.insert("breach".into(), json!(breach.breach));
        map.extend(breach.metadata.clone().map(|metadata| ("metadata".into(), metadata)));
        return Value::Object(map);
    };
    map.extend(breach.metadata.clone().map(|metadata| ("metadata".into(), metadata)));
    map.insert("value".into(), sample.value.clone());
    map.insert("key".into(), json!(sample.key));
    map.insert("breach".into(), json!(breach.breach));
    map.extend(breach.threshold.clone().map(|threshold| ("threshold".into(), threshold)));
    Value::Object(map)
}
