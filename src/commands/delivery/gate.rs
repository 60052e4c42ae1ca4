//! The gate of a stage: which it is, and what it says of the version there.

use super::project::Project;
use super::store::{Kept, short};
use crate::cli::{self, Metrics};
use crate::commands::Context;
use crate::commands::evaluate::given::sources;
use crate::commands::evaluate::question::{Question, Sources, Span};
use crate::core::delivery::run::{Gate, Outcome, Place, Run, StageRun};
use crate::core::delivery::seen;
use crate::core::delivery::shipyard::TestStrategy;
use crate::core::gate::evaluation::{Evaluation, Graded, Previous, Sample, Status, Verdict};
use crate::core::gate::placeholders::{Context as Placeholders, Environment};
use crate::core::gate::sli::Sli;
use crate::core::gate::{self, legacy};
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The gate files of a service, of equally special ones the first that there is counts; each with the file that has its queries.
const FILES: [(&str, Option<&str>); 5] = [
    ("perfspec.json", None),
    ("slo.yaml", Some("sli.yaml")),
    ("service-objectives.yaml", Some("service-indicators.yaml")),
    ("analysistemplate.yaml", None),
    ("metrictemplate.yaml", None),
];

/// Whether a file of this name is read for a gate.
pub fn reads(name: &str) -> bool {
    FILES.iter().any(|(file, beside)| *file == name || *beside == Some(name))
}

/// The pause between two looks while too little is known.
const LOOK: Duration = Duration::from_secs(5);

/// The evidence of a stage takes no more room than this in the state of its run.
const MOST_BYTES: usize = 100_000;

/// The window of a stage without tests where the shipyard says none.
pub const WINDOW: u64 = 60;

/// The file that holds the gate of a service in a stage: the most special one, whatever its format.
pub fn file<'a>(project: &'a Project, stage: &str, service: &str) -> Option<(&'a str, &'a str)> {
    project.resource(stage, service, &FILES.map(|(file, _)| file))
}

/// The gate that a project's files hold for a service in a stage.
pub fn of_project(project: &Project, stage: &str, service: &str) -> Option<Gate> {
    let (name, text) = file(project, stage, service)?;
    let beside = FILES.into_iter().find(|(file, _)| name == *file || name.ends_with(&format!(".{file}"))).and_then(|one| one.1);
    let sli = beside.and_then(|beside| project.resource(stage, service, &[beside]));
    let sli = sli.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Some(Gate::File { name: name.to_owned(), text: text.to_owned(), sli })
}

/// Reads a gate.
///
/// # Errors
/// `Usage`, with file, line and caret.
pub fn parse(gate: &Gate) -> Result<(gate::Gate, Option<Sli>)> {
    match gate {
        Gate::Require(terms) => Ok((gate::Gate::require(terms.iter().map(String::as_str))?, None)),
        Gate::File { name, text, sli: Some(indicators) } if name.ends_with("service-objectives.yaml") => {
            let spec = legacy::convert((&indicators.0, &indicators.1), (name, text))?;
            Ok((gate::Gate::Perfspec(spec), None))
        }
        Gate::File { name, text, sli } => {
            let sli = sli.as_ref().map(|(name, text)| Sli::parse(name, text)).transpose()?;
            Ok((gate::Gate::parse(name, text)?, sli))
        }
    }
}

/// What is asked of the metrics of a version in a stage.
///
/// # Errors
/// `Usage` where the gate cannot be read.
pub fn question(run: &Run, stage: &StageRun, gate: &Gate, previous: &[Previous], settings: &Settings) -> Result<Question> {
    let (gate, sli) = parse(gate)?;
    let previous = match &gate {
        gate::Gate::Slo(slo) => slo.comparison.choose(previous.to_vec()),
        _ => Vec::new(),
    };
    let before = stage.before.as_ref();
    let direct = stage.plan.place == Place::Direct;
    let test = match stage.plan.test {
        TestStrategy::None => "",
        TestStrategy::Functional => "functional",
        TestStrategy::Performance => "performance",
    };
    let placeholders = Placeholders {
        project: Some(run.project.clone()),
        stage: Some(stage.stage.clone()),
        service: Some(run.service.clone()),
        deployment: Some(if direct { "direct" } else { "canary" }.into()),
        others: vec![("CONTEXT".into(), run.id.clone()), ("TESTSTRATEGY".into(), test.into())],
        labels: run.labels.clone().into_iter().collect(),
        environment: Environment::Namespace,
        ..Placeholders::default()
    };
    let configured = sources(&cli::Sources::default(), settings)?;
    Ok(Question {
        gate,
        sli,
        placeholders,
        service: Some(format!("{}.{}", run.service, stage.namespace)),
        candidate: before.and_then(|before| before.to.clone()),
        stable: before.and_then(|before| before.serving.clone()),
        arguments: BTreeMap::new(),
        metrics: if run.terms.envoy { Metrics::Envoy } else { Metrics::Istio },
        // Measured back from the source's own present: its clock need not agree with this one.
        span: Span { length: elapsed(stage), start: None, end: None },
        previous,
        sources: Sources { prometheus: run.terms.prometheus.clone().or_else(|| configured.prometheus.clone()), ..configured },
    })
}

/// What the gate of a stage measured in earlier runs, the newest first.
pub fn earlier(runs: &[Kept], run: &Run, stage: &StageRun) -> Vec<Previous> {
    let others = runs.iter().map(|kept| &kept.run).filter(|other| other.id != run.id);
    let evidence = others.filter_map(|other| {
        let same = other.stages.iter().find(|other| other.stage == stage.stage)?;
        let evaluation: Evaluation = serde_json::from_value(same.evidence.clone()?).ok()?;
        compares(&evaluation).then(|| Previous::of(short(&other.id), &evaluation))
    });
    evidence.collect()
}

/// Whether an earlier evaluation can be compared with. Against one that was kept without its values, every criterion
/// would hold.
fn compares(earlier: &Evaluation) -> bool {
    earlier.verdict != Verdict::Inconclusive && earlier.indicators.iter().any(|one| !one.values.is_empty())
}

/// What is kept of an evaluation: all of it, or where it rests on very many samples the grades without them. A run's
/// ConfigMap holds a megabyte, and a state that cannot be kept is a run that cannot be resumed.
pub fn evidence(evaluation: &Evaluation) -> Value {
    let mut evidence = serde_json::to_value(evaluation).unwrap_or_default();
    if evidence.to_string().len() > MOST_BYTES {
        let mut slight = evaluation.clone();
        slight.basis.evidence.answers.clear();
        for one in &mut slight.indicators {
            one.values.clear();
            one.breaches.clear();
        }
        slight.notes.push("its samples were too many to be kept".into());
        evidence = serde_json::to_value(&slight).unwrap_or_default();
    }
    evidence
}

/// How long the window of a stage's evaluation is by now.
fn elapsed(stage: &StageRun) -> Duration {
    let now = jiff::Timestamp::now().as_second();
    let seconds = stage.window.map_or(WINDOW, |begun| u64::try_from(now.saturating_sub(begun)).unwrap_or(0));
    Duration::from_secs(seconds.max(1))
}

/// What came of a gate.
pub struct Answer {
    /// How the step ended.
    pub outcome: Outcome,
    /// The evaluation, where there was one.
    pub evaluation: Option<Evaluation>,
}

/// Asks until there is an answer, or the time for one has passed.
///
/// # Errors
/// `Usage` where the gate's files lack something.
pub async fn ask(
    context: &Context,
    settings: &Settings,
    (run, stage, gate, previous): (&Run, &StageRun, &Gate, &[Previous]),
    after: Duration,
    deadline: Instant,
    say: &dyn Fn(&str),
) -> Result<Answer> {
    // The window of a file must be over before it is asked: its queries look back over all of it at once.
    tokio::time::sleep(after).await;
    let mut said = String::new();
    loop {
        let question = question(run, stage, gate, previous, settings)?;
        let (why, evaluation) = match question.ask(context, settings, deadline, true).await {
            Ok(evaluation) => {
                let good = !matches!(evaluation.verdict, Verdict::Fail | Verdict::Inconclusive);
                match (decided(&evaluation), foreign(stage, &evaluation).filter(|_| good)) {
                    (_, Some(why)) => (why, Some(evaluation)),
                    (Some(outcome), None) => return Ok(Answer { outcome, evaluation: Some(evaluation) }),
                    (None, None) => (evaluation.reason.clone(), Some(evaluation)),
                }
            }
            Err(error) if error.kind == Kind::Timeout => ("the metrics source did not answer in time".to_owned(), None),
            Err(error) if matches!(error.kind, Kind::Unreachable | Kind::NotFound) => (error.message, None),
            Err(error) => return Err(error),
        };
        if Instant::now() + LOOK >= deadline {
            return Ok(Answer { outcome: Outcome::Inconclusive(why), evaluation });
        }
        if said != why {
            say(&format!("no verdict yet: {why}"));
            said = why;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The outcome of an evaluation, where it rests on what was measured.
fn decided(evaluation: &Evaluation) -> Option<Outcome> {
    let reason = evaluation.reason.clone();
    match evaluation.verdict {
        Verdict::Pass => Some(Outcome::Done(reason)),
        Verdict::Warning => Some(Outcome::Warned(reason)),
        Verdict::Inconclusive => None,
        // A value that is not there yet may still come; one that is too high will not go away.
        Verdict::Fail => {
            let measured = |one: &Graded| one.values.iter().any(|value: &Sample| value.number().is_some());
            let failing = |one: &&Graded| matches!(one.status, Status::Fail | Status::Warning);
            let mut failing = evaluation.indicators.iter().filter(failing).peekable();
            (failing.peek().is_none() || failing.any(measured)).then_some(Outcome::Failed(reason))
        }
    }
}

/// Why an evaluation says nothing of the version: what was measured is of others. Where the one deployment has every
/// version, its series are not told apart.
fn foreign(stage: &StageRun, evaluation: &Evaluation) -> Option<String> {
    let deployment = &stage.before.as_ref().filter(|_| stage.plan.place != Place::Direct)?.deployment;
    let indicator = seen::unseen(evaluation, deployment)?;
    Some(format!("`{}` has no values of {deployment} yet, only of others", indicator.id))
}

/// How long to wait before the gate is asked: until the window of a file is long enough, and what happened in it has been
/// measured. Requirements say themselves whether they have seen enough.
pub fn wait(run: &Run, stage: &StageRun, now: i64) -> Duration {
    let Some(Gate::File { .. }) = stage.plan.gate else { return Duration::ZERO };
    let begun = stage.window.unwrap_or(now);
    let tested = stage.tested.is_some();
    let length = match stage.plan.timeframe {
        Some(timeframe) => timeframe,
        None if tested => 0,
        None => WINDOW,
    };
    let passed = u64::try_from(now.saturating_sub(begun)).unwrap_or(0);
    Duration::from_secs(length.saturating_sub(passed).max(run.terms.settle))
}

/// No gate where the stage should have one.
pub fn missing(project: &str, stage: &str, service: &str) -> Error {
    let names = FILES.map(|(name, _)| name).join(", ");
    Error::usage(format!("stage {stage} has no gate for `{service}`: the project has none of {names}")).hint(format!(
        "`tidegate add-resource --project {project} --stage {stage} --service {service} --resource perfspec.json` adds one; \
         `--gate FILE` or `--require 'success-rate>=99'` give one for this run; `--allow-no-gate` goes without"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::gate::evaluation::{Answer, Evidence};

    const PERFSPEC: &str = r#"{"indicators": [
        {"id": "time", "source": "Prometheus", "query": "t",
         "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800}, "metricScore": 50}},
        {"id": "errors", "source": "Prometheus", "query": "e",
         "grading": {"type": "Threshold", "thresholds": {"upperSevere": 1}, "metricScore": 50}}],
        "objectives": {"pass": 90, "warning": 75}}"#;

    /// What comes of these values: texts, as Prometheus sends them.
    fn outcome(time: Option<&str>, errors: Option<&str>) -> Option<Outcome> {
        let answer =
            |id: &str, value: Option<&str>| Answer::new(id, value.into_iter().map(|value| Sample::of("{}", value)).collect());
        let gate = gate::Gate::parse("perfspec.json", PERFSPEC).expect("a gate");
        let answers = vec![answer("time", time), answer("errors", errors)];
        decided(&gate.grade(Evidence { answers, ..Evidence::default() }))
    }

    #[test]
    fn a_value_that_is_missing_may_still_come_and_one_that_is_too_high_decides() {
        assert!(matches!(outcome(Some("412"), Some("0.4")), Some(Outcome::Done(_))));
        assert!(matches!(outcome(Some("1043"), Some("0.4")), Some(Outcome::Failed(_))));
        assert!(matches!(outcome(Some("1043"), None), Some(Outcome::Failed(_))));
        for (time, errors) in [(None, None), (Some("412"), None), (Some("NaN"), Some("0.4"))] {
            assert_eq!(outcome(time, errors), None, "{time:?} {errors:?}");
        }
    }

    #[test]
    fn evidence_that_is_too_large_is_kept_without_its_samples() {
        let gate = gate::Gate::parse("perfspec.json", PERFSPEC).expect("a gate");
        let samples =
            |id: &str| Answer::new(id, (0..5000).map(|at| Sample::of(format!(r#"{{"pod": "carts-{at}"}}"#), 0.4)).collect());
        let of = |answers| gate.grade(Evidence { answers, ..Evidence::default() });
        let large = of(vec![samples("time"), samples("errors")]);
        let kept = evidence(&large);
        assert!(kept.to_string().len() <= MOST_BYTES, "{}", kept.to_string().len());
        let again: Evaluation = serde_json::from_value(kept).expect("an evaluation");
        assert_eq!((again.verdict, again.score), (large.verdict, large.score));
        assert!(compares(&large) && !compares(&again));
        let small = of(vec![Answer::new("time", vec![Sample::of("{}", 1)])]);
        assert_eq!(evidence(&small), serde_json::to_value(&small).expect("JSON"));
    }
}
