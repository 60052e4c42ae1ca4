//! What becomes of the metrics of an analysis.

use super::{Argo, Metric, Provider};
use crate::core::gate::evaluation::{
    Answer, Basis, Evaluation, Evidence, Format, Graded, Limit, Objectives, Sample, Status, Verdict,
};
use crate::core::gate::expression::{Expression, Value};
use crate::core::gate::number;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Errors that Argo bears one behind the other, where the metric does not say.
const ERRORS: i64 = 4;

/// What one measurement is.
enum Phase {
    Successful,
    Failed(String),
    Inconclusive(String),
    Error(String),
}

/// Grades `evidence`: the answers to a metric are its measurements, the oldest first.
pub(super) fn grade(argo: &Argo, evidence: Evidence) -> Evaluation {
    let mut measured: BTreeMap<&str, Vec<&Answer>> = BTreeMap::new();
    for answer in &evidence.answers {
        measured.entry(&answer.id).or_default().push(answer);
    }
    let mut notes = argo.notes.clone();
    let mut indicators = Vec::new();
    for metric in &argo.metrics {
        let answers = measured.remove(metric.name.as_str()).unwrap_or_default();
        indicators.push(one(argo, metric, &answers, &evidence.arguments));
    }
    if !measured.is_empty() {
        notes.push(format!("no metric is called {}", measured.into_keys().collect::<Vec<_>>().join(", ")));
    }
    let with = |status: Status| -> Vec<&Graded> { indicators.iter().filter(|one| one.status == status).collect() };
    let told = |found: &[&Graded]| found.iter().map(|one| format!("{}: {}", one.id, one.why)).collect::<Vec<_>>().join("; ");
    let (failed, errors, open) = (with(Status::Fail), with(Status::Error), with(Status::Inconclusive));
    let score = indicators.iter().map(|one| one.score).sum();
    let max_score: f64 = indicators.iter().map(|one| one.max_score).sum();
    let (verdict, reason) = match (failed.as_slice(), errors.as_slice(), open.as_slice()) {
        ([], [], []) if max_score > 0.0 => (Verdict::Pass, format!("all of {max_score} successful")),
        ([], [], []) => (Verdict::Inconclusive, "no metric has a condition that counts: the values are only shown".to_owned()),
        ([], errors, open) => (Verdict::Inconclusive, told(&[errors, open].concat())),
        (failed, ..) => (Verdict::Fail, told(failed)),
    };
    Evaluation {
        format: Format::Argo,
        verdict,
        reason,
        message: String::new(),
        error: (!errors.is_empty()).then(|| told(&errors)),
        score,
        max_score,
        objectives: Objectives::default(),
        compared: Vec::new(),
        notes,
        basis: Basis { gate: argo.text.clone(), evidence: evidence.clone() },
        indicators,
    }
}

fn one(argo: &Argo, metric: &Metric, answers: &[&Answer], given: &BTreeMap<String, String>) -> Graded {
    let last = answers.last();
    let counts = !metric.dry_run && (metric.success.is_some() || metric.failure.is_some());
    let mut graded = Graded {
        id: metric.name.clone(),
        display_name: String::new(),
        source: match &metric.provider {
            Provider::Prometheus(_) => "Prometheus".into(),
            Provider::Web(_) => "Web".into(),
            Provider::Other => String::new(),
        },
        query: last.and_then(|answer| answer.query.clone()),
        values: last.map(|answer| answer.samples.clone()).unwrap_or_default(),
        limits: Vec::new(),
        score: 0.0,
        max_score: if counts { 1.0 } else { 0.0 },
        status: Status::Error,
        why: String::new(),
        breaches: Vec::new(),
        compared: None,
        key: false,
    };
    (graded.status, graded.why) = match conditions(argo, metric, given) {
        Ok(conditions) => {
            let judged = judge(argo, metric, &conditions, answers, given);
            let (status, why) = judged.unwrap_or_else(|error| (Status::Error, error.message));
            let limits = [(&conditions.success, "success", false), (&conditions.failure, "failure", true)];
            for (condition, word, holds) in limits {
                let Some((sign, value)) = condition.as_ref().and_then(Expression::limit) else { continue };
                let violated = status == Status::Fail && (conditions.failure.is_none() || holds);
                graded.limits.push(Limit { level: Status::Fail, rule: format!("{word} {sign}"), value, violated });
            }
            (status, why)
        }
        Err(why) => (Status::Error, why),
    };
    if !counts {
        let becomes = graded.status.word();
        graded.why = match metric.dry_run {
            true => format!("dry run, would be {becomes}: {}", graded.why),
            false => "only shown: it has no condition".into(),
        };
        graded.status = Status::Info;
    }
    graded.score = if graded.status == Status::Pass { 1.0 } else { 0.0 };
    graded
}

struct Conditions {
    success: Option<Expression>,
    failure: Option<Expression>,
}

fn conditions(argo: &Argo, metric: &Metric, given: &BTreeMap<String, String>) -> Result<Conditions, String> {
    let read = |text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let text = argo.filled(text, given).map_err(|error| error.message)?;
        Expression::parse(&text).map(Some).map_err(|problem| format!("`{text}` is no condition: {}", problem.message))
    };
    Ok(Conditions { success: read(&metric.success)?, failure: read(&metric.failure)? })
}

/// Goes through the measurements as Argo's run does, and stops where it stops.
fn judge(
    argo: &Argo,
    metric: &Metric,
    conditions: &Conditions,
    answers: &[&Answer],
    given: &BTreeMap<String, String>,
) -> Result<(Status, String)> {
    let limit = |text: &Option<String>, default: i64| text.as_deref().map_or(Ok(default), |text| argo.number(text, given));
    let failure_limit = limit(&metric.failure_limit, 0)?;
    let inconclusive_limit = limit(&metric.inconclusive_limit, 0)?;
    let error_limit = limit(&metric.error_limit, ERRORS)?;
    let success_limit = limit(&metric.success_limit, 0)?;
    let endless = if metric.interval.is_some() { i64::MAX } else { 1 };
    let count = Some(limit(&metric.count, 0)?).filter(|count| *count > 0).unwrap_or(endless);
    check_limits([failure_limit, inconclusive_limit, error_limit, success_limit])
        .map_err(|(key, why)| Error::usage(format!("`{key}`: {why}")))?;
    let (mut failed, mut open, mut errors, mut in_row, mut successes, mut best) = (0, 0, 0, 0, 0, 0);
    let mut why = String::new();
    let many = answers.len() as i64;
    let of =
        |number: i64, what: &str, why: &str| if many == 1 { why.to_owned() } else { format!("{number} of {many} {what}: {why}") };
    for answer in answers {
        match measure(metric, conditions, answer) {
            Phase::Successful => (successes, in_row) = (successes + 1, 0),
            Phase::Failed(because) => (failed, successes, in_row, why) = (failed + 1, 0, 0, because),
            Phase::Inconclusive(because) => (open, successes, in_row, why) = (open + 1, 0, 0, because),
            Phase::Error(because) => (errors, successes, in_row, why) = (errors + 1, 0, in_row + 1, because),
        }
        best = best.max(successes);
        if failure_limit >= 0 && failed > failure_limit {
            return Ok((Status::Fail, of(failed, "failed", &why)));
        }
        if open > inconclusive_limit {
            return Ok((Status::Inconclusive, of(open, "inconclusive", &why)));
        }
        if in_row > error_limit {
            return Ok((Status::Error, of(errors, "without a value", &why)));
        }
        if success_limit > 0 && successes >= success_limit {
            return Ok((Status::Pass, format!("{successes} successes, one behind the other")));
        }
    }
    Ok(match () {
        () if answers.is_empty() => (Status::Error, "was not measured".to_owned()),
        // Argo would measure again; what stays unknown passes nothing.
        () if errors > 0 => (Status::Error, of(errors, "without a value", &why)),
        () if success_limit > 0 => {
            let status = if failure_limit < 0 { Status::Fail } else { Status::Inconclusive };
            (status, format!("{best} successes one behind the other, of {success_limit} that are needed"))
        }
        // Of so few of those that Argo takes, no failure could have been one too many.
        () if failed + open > 0 && many < count && many <= failure_limit.max(inconclusive_limit) => {
            let may = failure_limit.max(inconclusive_limit);
            let why = of(failed + open, "not successful", &why);
            (Status::Inconclusive, format!("{why}; {may} may be, and only {many} were measured"))
        }
        () if failed > 0 => (Status::Pass, format!("{failed} of {many} failed, {failure_limit} may")),
        () if open > 0 => (Status::Pass, format!("{open} of {many} inconclusive, {inconclusive_limit} may be")),
        () if many == 1 => (Status::Pass, "holds".to_owned()),
        () => (Status::Pass, format!("holds in all of {many}")),
    })
}

/// Whether the limits on failures, inconclusive measurements, errors and successes are such as Argo takes.
///
/// # Errors
/// The key of one that is not, and why.
pub(super) fn check_limits([failure, inconclusive, error, success]: [i64; 4]) -> Result<(), (&'static str, &'static str)> {
    let least = "a limit is 0 or more";
    match () {
        () if failure < -1 => Err(("failureLimit", "a limit is 0 or more, or -1 for none")),
        () if failure == -1 && success == 0 => {
            Err(("failureLimit", "with -1 and no `consecutiveSuccessLimit` nothing could fail this metric"))
        }
        () if inconclusive < 0 => Err(("inconclusiveLimit", least)),
        () if error < 0 => Err(("consecutiveErrorLimit", least)),
        () if success < 0 => Err(("consecutiveSuccessLimit", least)),
        () => Ok(()),
    }
}

fn measure(metric: &Metric, conditions: &Conditions, answer: &Answer) -> Phase {
    if let Some(error) = &answer.error {
        return Phase::Error(error.clone());
    }
    if let Some(failed) = answer.samples.iter().find(|sample| !sample.success) {
        return Phase::Error(failed.message.clone());
    }
    let result = result(&metric.provider, &answer.samples);
    let minded = |of: fn(&Expression) -> bool| [&conditions.success, &conditions.failure].into_iter().flatten().any(of);
    if result.has_nan() && !minded(Expression::minds_nan) {
        return Phase::Error("NaN: nothing was measured".into());
    }
    // An HTTP server's document without the value is an error for Argo, too.
    if answer.samples.is_empty() && (matches!(metric.provider, Provider::Web(_)) || !minded(Expression::minds_empty)) {
        return Phase::Error("the result is empty".into());
    }
    let holds = |condition: &Option<Expression>| condition.as_ref().map(|condition| condition.holds(&result)).transpose();
    let (success, failure) = match (holds(&conditions.success), holds(&conditions.failure)) {
        (Ok(success), Ok(failure)) => (success, failure),
        (Err(why), _) | (_, Err(why)) => return Phase::Error(why),
    };
    let shown = answer.samples.iter().map(|sample| plain(&sample.value)).collect::<Vec<_>>().join(", ");
    let text = |condition: &Option<String>| condition.clone().unwrap_or_default();
    match (success, failure) {
        (_, Some(true)) => Phase::Failed(format!("{shown}: {} holds", text(&metric.failure))),
        (Some(false), None) => Phase::Failed(format!("{shown}: {} does not hold", text(&metric.success))),
        (Some(false), Some(false)) => Phase::Inconclusive(format!("{shown}: neither condition holds")),
        // Something divided by nothing is no measurement that could keep a limit.
        _ if result.has_infinity() && !minded(Expression::minds_infinity) => {
            Phase::Error(format!("{shown}: no number was measured"))
        }
        _ => Phase::Successful,
    }
}

/// A vector of Prometheus is a list; a scalar, a document of a server and a value that was given stand alone.
fn result(provider: &Provider, samples: &[Sample]) -> Value {
    let value = |sample: &Sample| match (provider, &sample.value) {
        (Provider::Web(_), value) => Value::from(value),
        (_, value) if value.is_object() || value.is_array() || value.is_boolean() => Value::from(value),
        (_, value) => Value::Number(number::measured(value).unwrap_or(f64::NAN)),
    };
    match samples {
        [one] if one.key.is_empty() => value(one),
        many => Value::List(many.iter().map(value).collect()),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
