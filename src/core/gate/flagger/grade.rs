//! What becomes of the metrics of a canary's analysis.

use super::{Flagger, Metric};
use crate::core::gate::evaluation::{Answer, Basis, Evaluation, Evidence, Format, Graded, Limit, Objectives, Status, Verdict};
use crate::core::gate::number;
use std::collections::BTreeMap;

/// Grades `evidence`: every series of every metric must be within its range.
pub(super) fn grade(flagger: &Flagger, evidence: Evidence) -> Evaluation {
    let mut answers: BTreeMap<&str, Answer> = BTreeMap::new();
    for answer in &evidence.answers {
        let whole = answers.entry(&answer.id).or_default();
        whole.samples.extend(answer.samples.iter().cloned());
        whole.query = whole.query.take().or_else(|| answer.query.clone());
        whole.error = whole.error.take().or_else(|| answer.error.clone());
    }
    let indicators: Vec<Graded> =
        flagger.metrics.iter().map(|metric| one(metric, answers.remove(metric.name.as_str()).unwrap_or_default())).collect();
    let mut notes = flagger.notes.clone();
    if !answers.is_empty() {
        notes.push(format!("no metric is called {}", answers.into_keys().collect::<Vec<_>>().join(", ")));
    }
    let with = |status: Status| -> Vec<String> {
        let found = indicators.iter().filter(|one| one.status == status);
        found.map(|one| format!("{}: {}", one.id, one.why)).collect()
    };
    let (failed, errors) = (with(Status::Fail).join("; "), with(Status::Error).join("; "));
    let (verdict, reason) = match (failed.is_empty(), errors.is_empty()) {
        (false, _) => (Verdict::Fail, failed),
        (true, false) => (Verdict::Inconclusive, errors.clone()),
        (true, true) if indicators.is_empty() => (Verdict::Inconclusive, "the canary has no metrics".to_owned()),
        (true, true) => (Verdict::Pass, format!("all of {} within their ranges", indicators.len())),
    };
    Evaluation {
        format: Format::Flagger,
        verdict,
        reason,
        message: String::new(),
        error: (!errors.is_empty()).then_some(errors),
        score: indicators.iter().map(|one| one.score).sum(),
        max_score: indicators.iter().map(|one| one.max_score).sum(),
        objectives: Objectives::default(),
        indicators,
        compared: Vec::new(),
        notes,
        basis: Basis { gate: flagger.text.clone(), evidence },
    }
}

fn one(metric: &Metric, answer: Answer) -> Graded {
    let mut graded = Graded {
        id: metric.name.clone(),
        display_name: String::new(),
        source: "Prometheus".into(),
        query: answer.query,
        values: answer.samples,
        limits: Vec::new(),
        score: 0.0,
        max_score: 1.0,
        status: Status::Error,
        why: String::new(),
        breaches: Vec::new(),
        compared: None,
        key: false,
    };
    let numbers: Vec<f64> = graded.values.iter().filter_map(|sample| sample.number()).collect();
    let mut broken = Vec::new();
    for (rule, limit) in [("min", metric.min), ("max", metric.max)] {
        let Some(limit) = limit else { continue };
        let beyond = numbers.iter().find(|value| if rule == "min" { **value < limit } else { **value > limit });
        graded.limits.push(Limit { level: Status::Fail, rule: rule.into(), value: limit, violated: beyond.is_some() });
        let word = if rule == "min" { "below the least" } else { "above the most" };
        broken.extend(beyond.map(|value| format!("{} is {word}, {}", number::text(*value), number::text(limit))));
    }
    // Something divided by nothing is no measurement that could keep a limit.
    let missing = graded.values.len() - numbers.iter().filter(|value| value.is_finite()).count();
    (graded.status, graded.why) = match answer.error {
        Some(error) => (Status::Error, error),
        None if !broken.is_empty() => (Status::Fail, broken.join(", ")),
        None if graded.values.is_empty() => (Status::Error, "no values: does it receive traffic?".into()),
        None if missing > 0 => (Status::Error, format!("{missing} of {} series had no number", graded.values.len())),
        None => (Status::Pass, "within its range".into()),
    };
    graded.score = if graded.status == Status::Pass { 1.0 } else { 0.0 };
    graded
}
