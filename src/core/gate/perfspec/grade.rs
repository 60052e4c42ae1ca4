//! The threshold grader.

use super::{Indicator, NO_VALUES, Perfspec, Threshold, Thresholds, query};
use crate::core::gate::dynatrace::Dynatrace;
use crate::core::gate::evaluation::{
    Answer, Basis, Breach, Evaluation, Evidence, Format, Graded, Limit, Objectives, Sample, Status, Verdict,
};
use crate::core::gate::index::Earlier;
use crate::core::gate::number;
use crate::core::gate::query::Query;
use serde_json::Value;
use std::collections::BTreeMap;

/// Grades `evidence`. An indicator that it has no answer for has no values.
pub(super) fn grade(spec: &Perfspec, evidence: Evidence) -> Evaluation {
    let mut answers = answers(&evidence);
    let earlier = Earlier::new(&evidence.previous);
    let mut answer = |id: &str| answers.remove(id).unwrap_or_default();
    let indicators: Vec<Graded> =
        spec.indicators.iter().map(|indicator| one(indicator, answer(&indicator.id), &earlier)).collect();
    // A plain left fold, as the original's: an order of its own could miss an objective by the last bit.
    let score = indicators.iter().fold(0.0, |total, indicator| total + indicator.score);
    let max_score = spec.indicators.iter().fold(0.0, |total, indicator| total + indicator.score);
    let error = indicators.iter().find(|one| one.status == Status::Error).map(|one| format!("{}: {}", one.id, one.why));
    let reaches = |goal: &Option<super::Number>| goal.as_ref().is_some_and(|goal| goal.value <= score);
    let verdict = match () {
        () if error.is_some() => Verdict::Inconclusive,
        () if reaches(&spec.pass) => Verdict::Pass,
        () if reaches(&spec.warning) => Verdict::Warning,
        () => Verdict::Fail,
    };
    let unused: Vec<&str> = answers.into_keys().collect();
    let notes = if unused.is_empty() { vec![] } else { vec![format!("no indicator is called {}", unused.join(", "))] };
    let relative = indicators.iter().any(|indicator| indicator.compared.is_some());
    let compared = if relative { evidence.previous.iter().map(|previous| previous.id.clone()).collect() } else { vec![] };
    Evaluation {
        format: Format::Perfspec,
        verdict,
        reason: reason(spec, verdict, score, max_score, &indicators, error.as_deref()),
        message: String::new(),
        error,
        score,
        max_score,
        objectives: Objectives {
            pass: spec.pass.as_ref().map(|goal| goal.written.clone()),
            warning: spec.warning.as_ref().map(|goal| goal.written.clone()),
        },
        indicators,
        compared,
        notes,
        basis: Basis { gate: spec.text.clone(), evidence },
    }
}

/// What was answered, by indicator: the series of all its answers.
fn answers(evidence: &Evidence) -> BTreeMap<&str, Answer> {
    let mut by_id: BTreeMap<&str, Answer> = BTreeMap::new();
    for answer in &evidence.answers {
        let whole = by_id.entry(&answer.id).or_default();
        whole.samples.extend(answer.samples.iter().cloned());
        whole.query = whole.query.take().or_else(|| answer.query.clone());
        whole.error = whole.error.take().or_else(|| answer.error.clone());
    }
    by_id
}

fn one(indicator: &Indicator, answer: Answer, earlier: &Earlier<'_>) -> Graded {
    let mut graded = Graded {
        id: indicator.id.clone(),
        display_name: String::new(),
        source: indicator.source.clone(),
        query: answer.query.or_else(|| query::of(indicator).ok().map(|query| query.line())),
        values: answer.samples,
        limits: Vec::new(),
        score: indicator.score,
        max_score: indicator.score,
        status: Status::Pass,
        why: String::new(),
        breaches: Vec::new(),
        compared: None,
        key: false,
    };
    if let Some(error) = answer.error {
        (graded.score, graded.status, graded.why) = (0.0, Status::Error, error);
        return graded;
    }
    let measured: Vec<(&Sample, f64)> = graded.values.iter().filter_map(|one| Some((one, one.number()?))).collect();
    let (mut severe, mut counted) = (false, 0);
    for (sample, value) in &measured {
        let before = graded.breaches.len();
        let base = earlier.of(&indicator.id).iter().find(|one| one.key == sample.key).and_then(|one| one.value);
        graded.compared = graded.compared.or(base);
        let mut left = indicator.score;
        for (side, pair) in [(Side::Lower, &indicator.lower), (Side::Upper, &indicator.upper)] {
            let Some((level, rule, threshold)) = reached(indicator, side, pair, *value, base, &mut graded.limits) else {
                continue;
            };
            severe |= level == Status::Fail;
            left = if level == Status::Fail { 0.0 } else { left / 2.0 };
            graded.breaches.push(Breach {
                breach: rule,
                sample: Some((*sample).clone()),
                threshold: Some(threshold),
                metadata: indicator.metadata.clone(),
            });
        }
        graded.score = graded.score.min(left);
        // Something divided by nothing is no measurement that could keep a limit.
        counted += usize::from(value.is_finite() || graded.breaches.len() > before);
    }
    // A measurement that failed is neither an empty answer nor a series with nothing in it.
    let failed = graded.values.iter().any(|sample| !sample.success);
    if failed || counted == 0 && !indicator.ignore_empty {
        severe = true;
        graded.score = 0.0;
        let metadata = indicator.metadata.clone();
        graded.breaches.push(Breach { breach: NO_VALUES.into(), sample: None, threshold: None, metadata });
    }
    graded.status = match (severe, graded.breaches.is_empty()) {
        (true, _) => Status::Fail,
        (false, false) => Status::Warning,
        (false, true) => Status::Pass,
    };
    graded.why = why(indicator, &graded, counted);
    graded
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Lower,
    Upper,
}

/// The threshold of one side that `value` reaches, the severe one first. Notes the thresholds that it looked at.
fn reached(
    indicator: &Indicator,
    side: Side,
    pair: &Thresholds,
    value: f64,
    base: Option<f64>,
    limits: &mut Vec<Limit>,
) -> Option<(Status, String, Value)> {
    let prefix = if side == Side::Lower { "lower" } else { "upper" };
    let mut found = None;
    for (level, name, threshold) in [(Status::Fail, "Severe", &pair.severe), (Status::Warning, "Warning", &pair.warning)] {
        let Some((limit, written)) = resolve(side, threshold, base) else { continue };
        if limit == 0.0 && side == Side::Lower && matches!(query::of(indicator), Ok(Query::Dynatrace(Dynatrace::Smartscape(_)))) {
            continue;
        }
        // No distance from 0 but 0: to stay there is not to move by it.
        let stays = threshold.percent.is_some() && base == Some(0.0) && value == 0.0;
        let violated = !stays && if side == Side::Lower { value <= limit } else { value >= limit };
        let rule = format!("{prefix}{name}");
        match limits.iter_mut().find(|known| known.rule == rule && known.value == limit) {
            Some(known) => known.violated |= violated,
            None => limits.push(Limit { level, rule: rule.clone(), value: limit, violated }),
        }
        if violated && found.is_none() {
            found = Some((level, rule, written));
        }
    }
    found
}

/// The number that a threshold comes to, and how to write it.
fn resolve(side: Side, threshold: &Threshold, base: Option<f64>) -> Option<(f64, Value)> {
    if let (Some(percent), Some(base)) = (&threshold.percent, base) {
        let percent = if side == Side::Lower { 100.0 - percent.value } else { 100.0 + percent.value };
        let limit = base * percent / 100.0;
        return Some((limit, number::json(limit)));
    }
    threshold.fixed.as_ref().map(|fixed| (fixed.value, fixed.written.clone()))
}

fn why(indicator: &Indicator, graded: &Graded, measured: usize) -> String {
    let missing = graded.values.len() - measured;
    let breaches = graded.breaches.iter().map(|breach| match (&breach.sample, &breach.threshold) {
        (Some(sample), Some(threshold)) => {
            let sign = if breach.breach.starts_with("lower") { "<=" } else { ">=" };
            let goals: Vec<f64> = number::measured(threshold).into_iter().collect();
            let value = sample.number().map_or_else(|| plain(&sample.value), |value| number::measure(value, &goals));
            format!("{value} {sign} {} {}", breach.breach, plain(threshold))
        }
        _ if missing > 0 => "no number was measured".into(),
        _ => "no values".into(),
    });
    let mut said: Vec<String> = breaches.collect();
    if said.is_empty() {
        let pairs = [&indicator.lower.severe, &indicator.lower.warning, &indicator.upper.severe, &indicator.upper.warning];
        said.push(match (measured, graded.limits.is_empty(), pairs.iter().any(|one| one.percent.is_some())) {
            (0, _, _) => "no values, which it may have".into(),
            (_, true, true) => "no earlier value to compare with".into(),
            (_, true, false) => "it has no limits".into(),
            (_, false, _) => "within its limits".into(),
        });
    }
    if missing > 0 && measured > 0 {
        said.push(format!("{missing} of {} series had no number", graded.values.len()));
    }
    said.join(", ")
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn reason(spec: &Perfspec, verdict: Verdict, score: f64, most: f64, graded: &[Graded], error: Option<&str>) -> String {
    let goal = |goal: &Option<super::Number>| goal.as_ref().map_or_else(String::new, |goal| number::text(goal.value));
    let goals: Vec<f64> = [&spec.pass, &spec.warning].into_iter().flatten().map(|goal| goal.value).collect();
    let total = format!("score {} of {}", number::brief(score, &goals), number::brief(most, &[]));
    let broken = || {
        let names = graded.iter().filter(|one| !one.breaches.is_empty()).map(|one| format!("{} ({})", one.id, one.why));
        names.collect::<Vec<_>>().join("; ")
    };
    match verdict {
        Verdict::Inconclusive => format!("not every indicator could be asked: {}", error.unwrap_or_default()),
        Verdict::Pass => format!("{total} reaches {}", goal(&spec.pass)),
        Verdict::Warning if spec.pass.is_none() => format!("{total} reaches the warning level {}", goal(&spec.warning)),
        Verdict::Warning => {
            format!("{total} reaches the warning level {}, not {}: {}", goal(&spec.warning), goal(&spec.pass), broken())
        }
        Verdict::Fail => match (spec.warning.as_ref().or(spec.pass.as_ref()), broken()) {
            (None, _) => format!("{total}, and there are no objectives that it could reach"),
            (Some(goal), broken) if broken.is_empty() => format!("{total} is below {}", number::text(goal.value)),
            (Some(goal), broken) => format!("{total} is below {}: {broken}", number::text(goal.value)),
        },
    }
}
