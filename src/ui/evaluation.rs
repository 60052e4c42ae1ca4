//! An evaluation, as people and CI servers read it.

use super::text::printable;
use super::{GREEN, RED, YELLOW};
use crate::core::gate::criteria::Criterion;
use crate::core::gate::evaluation::{Evaluation, Format, Graded, Limit, Status, Verdict};
use crate::core::judge::kayenta::{Judgement, ScoreClassification};
use std::fmt::Write as _;

/// The word of a verdict.
pub fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Warning => "warning",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// One line an indicator, then the verdict and its reason.
pub fn evaluation(result: &Evaluation, wide: bool) -> String {
    let mut header = vec!["INDICATOR", "VALUE", "LIMIT", "SCORE", "STATUS", "WHY"];
    if wide {
        header.push("QUERY");
    }
    let rows: Vec<Vec<String>> = result
        .indicators
        .iter()
        .map(|one| {
            let score = format!("{}/{}", plain(one.score), plain(one.max_score));
            let mut row = vec![
                one.id.clone(),
                values(result.format, one),
                limits(one),
                score,
                one.status.word().to_owned(),
                one.why.clone(),
            ];
            if wide {
                row.push(one.query.clone().unwrap_or_else(|| "<none>".into()));
            }
            row
        })
        .collect();
    let mut text = super::status::columns(&header, &rows);
    for note in &result.notes {
        let _ = writeln!(text, "{}", printable(note));
    }
    if !result.compared.is_empty() {
        let names: Vec<String> = result.compared.iter().map(|name| printable(name).to_string()).collect();
        let _ = writeln!(text, "compared with {}", names.join(", "));
    }
    text + &sentence(result)
}

/// `fail: 50 of 100, passes from 90: response_time_p95 …`.
fn sentence(result: &Evaluation) -> String {
    let style = match result.verdict {
        Verdict::Pass => GREEN,
        Verdict::Fail => RED,
        _ => YELLOW,
    };
    format!("{style}{}{style:#}: {}\n", verdict_word(result.verdict), printable(&result.reason))
}

/// What was measured: the value that decided, of several series their number, too.
fn values(format: Format, one: &Graded) -> String {
    let numbers: Vec<f64> = one.values.iter().filter_map(crate::core::gate::evaluation::Sample::number).collect();
    let share = format == Format::Require && !one.id.starts_with("rps");
    let told = |value: &f64| if share { format!("{}%", plain(value * 100.0)) } else { plain(*value) };
    match numbers.as_slice() {
        [] => "<none>".into(),
        [value] => told(value),
        [experiment, control] if format == Format::Kayenta => format!("{} against {}", told(experiment), told(control)),
        [first, rest @ ..] => format!("{} (+{} series)", told(first), rest.len()),
    }
}

fn limits(one: &Graded) -> String {
    // Without anything to compare with a relative limit comes to no number.
    let relative = |limit: &Limit| Criterion::parse(&limit.rule).is_ok_and(|criterion| criterion.comparison);
    let numberless = |limit: &Limit| limit.rule == one.id || one.compared.is_none() && relative(limit);
    let told: Vec<String> = one
        .limits
        .iter()
        .map(|limit| if numberless(limit) { limit.rule.clone() } else { format!("{} {}", limit.rule, plain(limit.value)) })
        .collect();
    if told.is_empty() { "<none>".into() } else { told.join(", ") }
}

/// A number without needless digits.
pub(super) fn plain(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = if value.abs() >= 100.0 { 1 } else { 3 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A table for a merge request.
pub fn markdown(result: &Evaluation) -> String {
    let cell = |text: &str| printable(text).replace('|', r"\|").replace('\n', " ");
    let mut text = format!(
        "**{}**: {}\n\n| indicator | value | limit | score | why |\n|---|---|---|---|---|\n",
        verdict_word(result.verdict),
        cell(&result.reason)
    );
    for one in &result.indicators {
        let (values, limits) = (values(result.format, one), limits(one));
        let score = format!("{}/{}", plain(one.score), plain(one.max_score));
        let _ = writeln!(text, "| {} | {} | {} | {score} | {} |", cell(&one.id), cell(&values), cell(&limits), cell(&one.why));
    }
    text
}

/// One test case an indicator: what CI servers show beside the tests.
pub fn junit(result: &Evaluation) -> String {
    let count = |wanted: &[Status]| result.indicators.iter().filter(|one| wanted.contains(&one.status)).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuite name=\"tidegate evaluate\" tests=\"{}\" failures=\"{}\" errors=\"{}\">",
        result.indicators.len(),
        count(&[Status::Fail]),
        count(&[Status::Error, Status::Inconclusive])
    );
    for one in &result.indicators {
        let (id, why) = (escaped(&one.id), escaped(&one.why));
        let inside = match one.status {
            Status::Fail => format!("<failure message=\"{why}\"/>"),
            Status::Error | Status::Inconclusive => format!("<error message=\"{why}\"/>"),
            _ => format!("<system-out>{why}</system-out>"),
        };
        let _ = writeln!(text, "  <testcase classname=\"gate\" name=\"{id}\">{inside}</testcase>");
    }
    text + "</testsuite>\n"
}

fn escaped(text: &str) -> String {
    printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\n', " ")
}

/// One line a metric, the doubts, then the score.
pub fn judgement(result: &Judgement) -> String {
    let rows: Vec<Vec<String>> = result
        .results
        .iter()
        .map(|one| {
            let why = one.judged.reason.clone().unwrap_or_else(|| "<none>".into());
            vec![one.name.clone(), format!("{:?}", one.judged.classification), plain(one.judged.deviation), why]
        })
        .collect();
    let mut text = super::status::columns(&["METRIC", "CLASSIFICATION", "DEVIATION", "WHY"], &rows);
    let about =
        result.results.iter().flat_map(|one| one.findings.iter().map(move |finding| format!("{}: {}", one.name, finding.text)));
    for finding in about.chain(result.findings.iter().map(|finding| finding.text.clone())) {
        let _ = writeln!(text, "{}", printable(&finding));
    }
    let (style, word) = match result.classification {
        ScoreClassification::Pass => (GREEN, "pass"),
        ScoreClassification::Marginal => (YELLOW, "warning"),
        ScoreClassification::Fail => (RED, "fail"),
    };
    let reason = result.score.reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
    let _ = writeln!(text, "{style}{word}{style:#}: score {}{reason}", plain(result.score.score));
    text
}
