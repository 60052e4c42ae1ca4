//! From counts to a verdict.

use super::measure::Measured;
use super::parse::{Bound, Indicator, Term};
use crate::core::gate::evaluation::{
    Answer, Basis, Evaluation, Evidence, Format, Graded, Limit as Shown, Objectives, Sample, Status, Verdict,
};
use crate::core::judge::{Allowed, Comparison, Counts, Decision, Dispersion, Limit};
use serde_json::{Value, json};

/// The share of good candidates that may be failed by all terms together.
const ALPHA: f64 = 0.01;

/// The length of the first interval in seconds, of which only the end is known.
const INTERVAL: f64 = 15.0;

/// The intervals of one side as evidence: `[end, requests, bad for certain, bad perhaps]` each.
pub(super) fn evidence(key: &str, measured: &[Measured]) -> Sample {
    let rows: Vec<Value> =
        measured.iter().map(|one| json!([one.at, one.least.requests(), one.least.bad(), one.most.bad()])).collect();
    Sample::of(key, Value::Array(rows))
}

fn intervals(answer: &Answer, key: &str) -> Vec<Measured> {
    let rows = answer.samples.iter().find(|sample| sample.key == key).and_then(|sample| sample.value.as_array());
    let row = |row: &Value| {
        let number = |place: usize| row.get(place).and_then(Value::as_f64);
        let (requests, least, most) = (number(1)?, number(2)?, number(3)?);
        Some(Measured { at: number(0)?, least: Counts::new(requests, least)?, most: Counts::new(requests, most)? })
    };
    rows.into_iter().flatten().filter_map(row).collect()
}

/// Grades terms: all must be proven.
pub fn grade(terms: &[Term], evidence: Evidence) -> Evaluation {
    #[allow(clippy::cast_precision_loss)] // a handful
    let (count, alpha) = (terms.len() as f64, ALPHA / terms.len().max(1) as f64);
    let mut notes = Vec::new();
    let indicators: Vec<Graded> = terms
        .iter()
        .map(|term| {
            let answer = evidence.answers.iter().find(|answer| answer.id == term.text);
            one(term, answer, alpha, &mut notes)
        })
        .collect();
    let with = |status: Status| -> Vec<&Graded> { indicators.iter().filter(|one| one.status == status).collect() };
    let told = |found: &[&Graded]| found.iter().map(|one| format!("{}: {}", one.id, one.why)).collect::<Vec<_>>().join("; ");
    let (failed, errors, open) = (with(Status::Fail), with(Status::Error), with(Status::Inconclusive));
    let (verdict, reason) = match (failed.as_slice(), errors.as_slice(), open.as_slice()) {
        ([], [], []) if !terms.is_empty() => (Verdict::Pass, format!("all of {} proven", terms.len())),
        ([], [], []) => (Verdict::Fail, "nothing was required".to_owned()),
        ([], [], open) => (Verdict::Inconclusive, told(open)),
        ([], errors, _) => (Verdict::Inconclusive, told(errors)),
        (failed, _, _) => (Verdict::Fail, told(failed)),
    };
    let error = (!errors.is_empty()).then(|| told(&errors));
    let score = indicators.iter().map(|one| one.score).sum();
    let gate = terms.iter().map(|term| term.text.as_str()).collect::<Vec<_>>().join("\n");
    notes.dedup();
    Evaluation {
        format: Format::Require,
        verdict,
        reason,
        message: String::new(),
        error,
        score,
        max_score: count,
        objectives: Objectives::default(),
        indicators,
        compared: Vec::new(),
        notes,
        basis: Basis { gate, evidence },
    }
}

fn one(term: &Term, answer: Option<&Answer>, alpha: f64, notes: &mut Vec<String>) -> Graded {
    let mut graded = Graded {
        id: term.text.clone(),
        display_name: String::new(),
        source: "Istio".into(),
        query: answer.and_then(|answer| answer.query.clone()),
        values: Vec::new(),
        limits: Vec::new(),
        score: 0.0,
        max_score: 1.0,
        status: Status::Error,
        why: "was not measured".into(),
        breaches: Vec::new(),
        compared: None,
        key: false,
    };
    let Some(answer) = answer else { return graded };
    if let Some(error) = &answer.error {
        graded.why.clone_from(error);
        return graded;
    }
    let candidate = intervals(answer, "candidate");
    let stable = intervals(answer, "stable");
    // The first interval is as long as the others: its requests are counted, too.
    let span = candidate.last().zip(candidate.first()).map_or(0.0, |(last, first)| last.at - first.at + INTERVAL);
    let requests: f64 = candidate.iter().map(|one| one.least.requests()).sum();
    let rate = if span > 0.0 { requests / span } else { 0.0 };
    if term.indicator == Indicator::Requests {
        requests_a_second(term, &mut graded, rate, span);
        return graded;
    }
    let history: Vec<Counts> = intervals(answer, "history").iter().map(|one| one.least).collect();
    let dispersion = if history.is_empty() { Dispersion::UNKNOWN } else { Dispersion::learn(&history) };
    let (verdict, limit) = match (term.bound, term.indicator) {
        (Bound::Stable { times, plus }, Indicator::SuccessRate | Indicator::ErrorRate) => {
            let mut comparison = Comparison::new(Allowed { times, plus, ..Allowed::default() }, dispersion, alpha);
            let mut beside = stable.iter().peekable();
            let mut last = None;
            for one in &candidate {
                let seconds = last.map_or(INTERVAL, |last| one.at - last);
                last = Some(one.at);
                // The same interval of both sides: an outage that hits both fails nobody.
                while beside.peek().is_some_and(|other| other.at < one.at) {
                    beside.next();
                }
                let other = beside.peek().filter(|other| other.at <= one.at).map_or_else(Counts::default, |other| other.least);
                comparison.look(one.least, other, seconds);
            }
            let verdict = comparison.verdict();
            graded.compared = verdict.stable.as_ref().map(|stable| stable.share());
            (verdict, None)
        }
        _ => {
            let share = term.allowed_share().unwrap_or(0.0);
            let mut limit = Limit::new(share, dispersion, alpha);
            candidate.iter().for_each(|one| limit.look_between(one.least, one.most));
            (limit.verdict(), Some(share))
        }
    };
    let derived = answer.samples.iter().find(|sample| sample.key == "limit").and_then(Sample::number);
    let value = match term.indicator {
        Indicator::SuccessRate => 1.0 - verdict.candidate.share(),
        _ => verdict.candidate.share(),
    };
    if requests > 0.0 {
        graded.values.push(Sample::of("candidate", value));
    }
    (graded.status, graded.why) = match verdict.decision {
        Decision::Pass => (Status::Pass, verdict.to_string()),
        Decision::Fail => (Status::Fail, verdict.to_string()),
        Decision::Inconclusive if requests == 0.0 => (Status::Inconclusive, "no requests were seen".into()),
        Decision::Inconclusive => (Status::Inconclusive, verdict.progress(rate)),
    };
    graded.why = graded.why.trim_start_matches("pass: ").trim_start_matches("fail: ").to_owned();
    graded.score = if graded.status == Status::Pass { 1.0 } else { 0.0 };
    if let Some(value) = derived.or(limit) {
        let violated = graded.status == Status::Fail;
        graded.limits.push(Shown { level: Status::Fail, rule: term.text.clone(), value, violated });
    }
    notes.extend(verdict.notes());
    graded
}

fn requests_a_second(term: &Term, graded: &mut Graded, rate: f64, span: f64) {
    let Bound::Fixed(bound) = term.bound else { return };
    let holds = match (term.at_least, term.inclusive) {
        (true, true) => rate >= bound,
        (true, false) => rate > bound,
        (false, true) => rate <= bound,
        (false, false) => rate < bound,
    };
    // In a single interval the traffic may just have begun: it can show that there is enough, and nothing else.
    if span <= INTERVAL && !(term.at_least && holds && span > 0.0) {
        graded.status = Status::Inconclusive;
        graded.why = match rate > 0.0 {
            true => format!("{rate:.2} requests/s, but over {span:.0} s alone"),
            false => "no traffic was measured".into(),
        };
        return;
    }
    graded.values.push(Sample::of("candidate", rate));
    graded.limits.push(Shown { level: Status::Fail, rule: term.text.clone(), value: bound, violated: !holds });
    graded.status = if holds { Status::Pass } else { Status::Fail };
    graded.score = if holds { 1.0 } else { 0.0 };
    graded.why = format!("{rate:.2} requests/s over {span:.0} s");
}
