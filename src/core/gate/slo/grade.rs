//! The grader of objectives.

use super::{Objective, Slo};
use crate::core::gate::criteria::{self, Criterion};
use crate::core::gate::evaluation::{Answer, Basis, Evaluation, Evidence, Format, Graded, Limit, Objectives, Status, Verdict};
use crate::core::gate::index::{Earlier, Supply};
use crate::core::gate::number;
use serde_json::Value;

/// What the original says of an indicator that nobody answered for.
const NO_ANSWER: &str = "no value received from SLI provider";

/// Grades `evidence`.
pub(super) fn grade(slo: &Slo, evidence: Evidence) -> Evaluation {
    let mut supply = Supply::new(&evidence.answers);
    let earlier = Earlier::new(&evidence.previous);
    let mut graded = Vec::new();
    let mut key_failed = None;
    for objective in &slo.objectives {
        // Each answer counts once: a second objective for the same indicator has none.
        let answer = supply.take(&objective.sli);
        let one = match one(slo, objective, answer, &earlier) {
            Ok(one) => one,
            Err(error) => {
                let message = format!("error with {}: {error}", objective.sli);
                return refused(slo, &evidence, message);
            }
        };
        if objective.key_sli && one.status == Status::Fail && key_failed.is_none() {
            let why = match one.values.first().filter(|sample| sample.number().is_none_or(f64::is_infinite)) {
                None if answer.is_none() => NO_ANSWER.to_owned(),
                None => format!("failed evaluation with score {:.6}", one.score),
                Some(_) => one.why.clone(),
            };
            key_failed = Some((one.id.clone(), objective.display_name.clone(), why));
        }
        graded.push(one);
    }
    if slo.objectives.is_empty() {
        return refused(slo, &evidence, "lighthouse failed because no SLO objective was provided".into());
    }
    let leftover = supply.names();
    let mut evaluation = Evaluation { indicators: graded, ..blank(slo, &evidence) };
    if !leftover.is_empty() {
        let names = leftover.join(", ");
        evaluation.notes.push(format!("no objective for {names}"));
        evaluation.message = format!(
            "Lighthouse received additional SLIs, which are not specified as SLO: {names} . Please consider using them as an SLO."
        );
    }
    if evaluation.indicators.iter().any(|one| one.compared.is_some()) {
        evaluation.compared = evidence.previous.iter().map(|previous| previous.id.clone()).collect();
    }
    total(slo, &mut evaluation, key_failed);
    evaluation
}

/// An evaluation before anything is graded.
fn blank(slo: &Slo, evidence: &Evidence) -> Evaluation {
    let counted = slo.objectives.iter().filter(|objective| !objective.pass.is_empty());
    Evaluation {
        format: Format::Slo,
        verdict: Verdict::Fail,
        reason: String::new(),
        message: String::new(),
        error: None,
        score: 0.0,
        max_score: counted.fold(0.0, |sum, objective| sum + objective.weight),
        objectives: Objectives { pass: slo.pass.clone().map(Value::from), warning: slo.warning.clone().map(Value::from) },
        indicators: Vec::new(),
        compared: Vec::new(),
        notes: Vec::new(),
        basis: Basis { gate: slo.text.clone(), evidence: evidence.clone() },
    }
}

/// An evaluation that fails as a whole.
fn refused(slo: &Slo, evidence: &Evidence, message: String) -> Evaluation {
    Evaluation { reason: message.clone(), message, max_score: 100.0, ..blank(slo, evidence) }
}

/// Grades one objective.
///
/// # Errors
/// An invalid pass criterion of an indicator that has a value.
fn one(slo: &Slo, objective: &Objective, answer: Option<&Answer>, earlier: &Earlier<'_>) -> Result<Graded, &'static str> {
    let mut graded = Graded {
        id: objective.sli.clone(),
        display_name: objective.display_name.clone(),
        source: String::new(),
        query: answer.and_then(|answer| answer.query.clone()),
        values: answer.map(|answer| answer.samples.clone()).unwrap_or_default(),
        limits: Vec::new(),
        score: 0.0,
        max_score: if objective.pass.is_empty() { 0.0 } else { objective.weight },
        status: Status::Info,
        why: String::new(),
        breaches: Vec::new(),
        compared: None,
        key: objective.key_sli,
    };
    let value = answer.map_or_else(|| Err(NO_ANSWER.to_owned()), Answer::single);
    let value = match value {
        Ok(value) if !objective.pass.is_empty() => value,
        other => {
            // What is not evaluated counts as violated in the original's output.
            graded.limits = unevaluated(objective);
            graded.status = if objective.pass.is_empty() { Status::Info } else { Status::Fail };
            graded.why = other.err().unwrap_or_else(|| "only shown".into());
            return Ok(graded);
        }
    };
    let earlier: Vec<f64> = earlier.of(&objective.sli).iter().filter_map(|value| value.value).collect();
    let context = Context { value, function: &slo.comparison.aggregate, earlier: &earlier };
    graded.compared = criteria::aggregate(context.function, &earlier);
    let (passes, limits) = context.any(&objective.pass, Status::Fail)?;
    graded.limits = limits;
    // One invalid criterion, and none of the warning level counts.
    let (warns, limits) = context.any(&objective.warning, Status::Warning).unwrap_or_default();
    graded.limits.extend(limits);
    (graded.status, graded.score) = match (passes, warns) {
        (true, _) => (Status::Pass, objective.weight),
        (false, true) => (Status::Warning, objective.weight / 2.0),
        (false, false) => (Status::Fail, 0.0),
    };
    graded.why = why(&graded, value);
    Ok(graded)
}

/// What criteria are held against.
struct Context<'a> {
    value: f64,
    function: &'a str,
    earlier: &'a [f64],
}

impl Context<'_> {
    /// Whether any of the sets holds. All are evaluated, so that all limits can be shown.
    fn any(&self, sets: &[Vec<String>], level: Status) -> Result<(bool, Vec<Limit>), &'static str> {
        let (mut any, mut limits) = (false, Vec::new());
        for set in sets {
            let mut all = true;
            for text in set {
                let (target, holds) = self.holds(text)?;
                all &= holds;
                limits.push(Limit { level, rule: text.clone(), value: target, violated: !holds });
            }
            any |= all;
        }
        Ok((any, limits))
    }

    /// The number that a criterion comes to, and whether it holds. Without earlier values every comparison does.
    fn holds(&self, text: &str) -> Result<(f64, bool), &'static str> {
        let criterion = Criterion::parse(text)?;
        if criterion.comparison && self.earlier.is_empty() {
            return Ok((0.0, true));
        }
        let earlier = criteria::aggregate(self.function, self.earlier);
        let target = criterion.target(earlier.unwrap_or(0.0));
        let known = !criterion.comparison || earlier.is_some();
        Ok((target, known && criterion.holds(self.value, target)))
    }
}

fn unevaluated(objective: &Objective) -> Vec<Limit> {
    let limit = |level: Status, text: &String| {
        let fixed = Criterion::parse(text).ok().filter(|criterion| !criterion.comparison);
        Limit { level, rule: text.clone(), value: fixed.map_or(0.0, |criterion| criterion.value), violated: true }
    };
    let pass = objective.pass.iter().flatten().map(|text| limit(Status::Fail, text));
    pass.chain(objective.warning.iter().flatten().map(|text| limit(Status::Warning, text))).collect()
}

fn why(graded: &Graded, value: f64) -> String {
    let of = |level: Status| graded.limits.iter().filter(move |limit| limit.level == level && limit.violated);
    let said = |limit: &Limit| {
        let target = if is_relative(&limit.rule) { format!(" ({})", number::text(limit.value)) } else { String::new() };
        format!("{} is not {}{target}", number::text(value), limit.rule)
    };
    match graded.status {
        Status::Pass if graded.compared.is_none() && graded.limits.iter().any(|limit| is_relative(&limit.rule)) => {
            "holds: there is nothing to compare with yet".into()
        }
        Status::Pass => "holds".into(),
        Status::Warning => of(Status::Fail).map(said).collect::<Vec<_>>().join(", "),
        _ => of(Status::Fail).chain(of(Status::Warning)).map(said).collect::<Vec<_>>().join(", "),
    }
}

/// Whether a criterion compares with earlier values.
fn is_relative(rule: &str) -> bool {
    Criterion::parse(rule).is_ok_and(|criterion| criterion.comparison)
}

/// Adds up the scores and holds them against the goals.
fn total(slo: &Slo, evaluation: &mut Evaluation, key_failed: Option<(String, String, String)>) {
    let (pass, warning) = match goals(slo) {
        Ok(goals) => goals,
        Err(error) => {
            evaluation.message.clear();
            evaluation.reason = error.into();
            evaluation.error = Some(error.into());
            return;
        }
    };
    if evaluation.max_score == 0.0 {
        (evaluation.verdict, evaluation.score) = (Verdict::Pass, 100.0);
        evaluation.reason = "no objective counts: the values are only shown".into();
        return;
    }
    // An objective without a single criterion holds, but the original does not count it.
    let counts = |one: &&Graded| one.limits.iter().any(|limit| limit.level == Status::Fail);
    let sum = evaluation.indicators.iter().filter(counts).fold(0.0, |sum, one| sum + one.score);
    // This order of the operations is the original's: another one misses a goal by the last bit.
    let score = 100.0 * (sum / evaluation.max_score);
    evaluation.score = score;
    let shown = number::text(score);
    let goals: Vec<f64> = std::iter::once(pass).chain(warning).collect();
    let short = number::brief(score, &goals);
    let failed = failed(evaluation);
    let (verdict, message, reason) = match (key_failed, warning) {
        (Some((id, name, why)), _) => {
            let reason = format!("key indicator {id} failed: {why}");
            (Verdict::Fail, Some(format!("Evaluation failed due to key_sli objective '{name}': {why}")), reason)
        }
        (None, _) if score >= pass => (Verdict::Pass, None, format!("{short} % reaches {}", number::text(pass))),
        (None, Some(warning)) if score >= warning => {
            let goal = number::text(warning);
            let message = format!(
                "Evaluation returned a warning: the calculated score of {shown} is close to the warning target value of {goal}"
            );
            let reason = format!("{short} % reaches the warning level {goal}, not {}{failed}", number::text(pass));
            (Verdict::Warning, Some(message), reason)
        }
        (None, warning) => {
            let (what, goal) = warning.map_or(("target", pass), |warning| ("warning", warning));
            let goal = number::text(goal);
            let message = format!("Evaluation failed since the calculated score of {shown} is below the {what} value of {goal}");
            (Verdict::Fail, Some(message), format!("{short} % is below {goal}{failed}"))
        }
    };
    evaluation.verdict = verdict;
    evaluation.reason = reason;
    evaluation.message = message.unwrap_or_else(|| std::mem::take(&mut evaluation.message));
}

/// What the total must reach to pass, and to pass with a warning.
fn goals(slo: &Slo) -> Result<(f64, Option<f64>), &'static str> {
    let number = |text: &String| number::go(text.strip_suffix('%').unwrap_or(text));
    let pass = slo.pass.as_ref().ok_or("no target score defined")?;
    let pass = number(pass).ok_or("could not parse pass target percentage")?;
    let warning = slo.warning.as_ref().map(|text| number(text).ok_or("could not parse warning target percentage"));
    Ok((pass, warning.transpose()?))
}

fn failed(evaluation: &Evaluation) -> String {
    let missed = evaluation.indicators.iter().filter(|one| matches!(one.status, Status::Fail | Status::Warning));
    let names: Vec<String> = missed.map(|one| format!("{} ({})", one.id, one.why)).collect();
    if names.is_empty() { String::new() } else { format!(": {}", names.join("; ")) }
}
