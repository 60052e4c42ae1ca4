//! What people see of a run: a line a phase as it goes, a table of the stages at the end, and what to type next.

use super::store::short;
use crate::cli::Format;
use crate::commands::Context;
use crate::core::delivery::image::version;
use crate::core::delivery::run::{End, Outcome, Phase, Place, Run, StageRun, Status};
use crate::error::{Error, Kind, Result};
use crate::ui::{self, data};
use serde_json::{Value, json};
use std::time::Duration;

/// Tells of one run.
pub struct Teller<'a> {
    context: &'a Context,
    stages: Vec<String>,
    width: usize,
    place: String,
}

/// The commands that go on with a run.
pub struct Commands {
    /// Lets the stage that waits go on.
    pub approve: String,
    /// Goes on.
    pub resume: String,
    /// Goes back.
    pub abort: String,
}

impl<'a> Teller<'a> {
    /// For a run.
    pub fn new(context: &'a Context, run: &Run) -> Self {
        let stages: Vec<String> = run.stages.iter().map(|stage| stage.stage.clone()).collect();
        let width = stages.iter().map(String::len).max().unwrap_or(0);
        Self { context, stages, width, place: place(context) }
    }

    /// What the run is.
    pub fn begin(&self, run: &Run, word: &str) {
        let stages = self.stages.join(", ");
        let told = format!("{} {} {}{word}: {stages} (run {})\n", run.project, run.service, version(&run.image), short(&run.id));
        self.context.ui.say(&told);
    }

    /// A line about a stage.
    pub fn line(&self, index: usize, text: &str) {
        let stage = self.stages.get(index).map_or("", String::as_str);
        self.context.ui.say(&format!("{stage:width$}  {}\n", ui::printable(text), width = self.width));
    }

    /// How a phase ended, and the stage with it.
    pub fn phase(&self, run: &Run, index: usize, phase: Phase, outcome: &Outcome, took: Duration) {
        let Some(stage) = run.stages.get(index) else { return };
        let text = outcome.text();
        let time = match took.as_secs() {
            0 => String::new(),
            seconds => format!(", {seconds} s"),
        };
        match outcome {
            Outcome::Done(_) | Outcome::Warned(_) if text.is_empty() => {}
            Outcome::Done(_) | Outcome::Warned(_) => match phase {
                Phase::Share => self.line(index, &format!("a share of the traffic: {text}")),
                Phase::Shift => self.line(index, &format!("all traffic, before the verdict: {text}")),
                Phase::Promote => self.line(index, &format!("all traffic: {text}")),
                Phase::Reroute => self.line(index, &format!("back on {text}")),
                _ => self.line(index, &format!("{text}{time}")),
            },
            Outcome::Failed(_) | Outcome::Inconclusive(_) | Outcome::Aborted(_) => {
                self.line(index, &format!("{}: {text}{time}", phase.name()));
            }
        }
        if stage.phase == Phase::Ended {
            let serves = serves(run, stage).map(|serves| format!(": {serves} serves")).unwrap_or_default();
            self.line(index, &format!("{}{serves}", stage.end.map_or("ended", End::name)));
        }
    }

    /// The commands that go on with a run.
    pub fn commands(&self, run: &Run) -> Commands {
        let of = |verb: &str| format!("tidegate {verb} {} --project {}{}", run.service, run.project, self.place);
        Commands { approve: of("approve"), resume: of("resume"), abort: of("abort") }
    }

    /// The answer: the stages of the run, and what came of it as an exit code.
    ///
    /// # Errors
    /// Where the version did not get where it was to go.
    pub fn end(&self, run: &Run, output: Format) -> Result<()> {
        self.context.ui.answer(&answer(run, output));
        self.verdict(run)
    }

    /// What came of the run as an exit code.
    pub fn verdict(&self, run: &Run) -> Result<()> {
        let commands = self.commands(run);
        let name = format!("{} {}", run.service, version(&run.image));
        let look =
            format!("`tidegate get event --keptn-context {} --project {}{}` has the evidence", run.id, run.project, self.place);
        let last = run.stages.iter().rev().find(|stage| stage.phase != Phase::Ahead);
        let (stage, reason) = last.map_or(("", ""), |stage| (stage.stage.as_str(), stage.reason.as_str()));
        let failed = last.and_then(|stage| stage.failed);
        match run.status {
            Status::Passed => {
                let split = run.stages.iter().rev().find(|stage| stage.plan.place != Place::Direct);
                if let Some(stage) = split {
                    let flag = format!("-n {}{}", stage.namespace, self.place);
                    self.context.ui.hint(&format!("`tidegate rollback {} {flag}` puts {} back", run.service, stage.stage));
                }
                Ok(())
            }
            Status::Running => Ok(()),
            Status::Waiting => {
                let message = format!("{name} waits for approval of stage {stage}");
                Err(Error::new(Kind::Waiting, message).hint(format!("`{}`", commands.approve)))
            }
            Status::Failed => {
                let kind = if matches!(failed, Some(Phase::Evaluate | Phase::Tests)) { Kind::GateFailed } else { Kind::Failed };
                Err(Error::new(kind, format!("{name} failed in {stage}: {reason}")).hint(look))
            }
            Status::Inconclusive => {
                Err(Error::new(Kind::Inconclusive, format!("{name} could not be judged in {stage}: {reason}")).hint(look))
            }
            Status::Aborted => Err(Error::failed(format!("{name} was ended in {stage}: {reason}"))),
            Status::Stuck => {
                let why = last.and_then(|stage| stage.stuck.clone()).unwrap_or_default();
                let message = format!("{name} failed in {stage}, and the way back failed: {why}; traffic may still be on it");
                let mut error = Error::new(Kind::RollbackFailed, message).hint(format!("try again: `{}`", commands.resume));
                if let Some(stage) = last.filter(|stage| stage.plan.place != Place::Direct) {
                    error = error.hint(format!("or: `tidegate rollback {} -n {}{}`", run.service, stage.namespace, self.place));
                }
                Err(error)
            }
        }
    }
}

/// The flags that say where, but for the namespace: a run knows its own.
pub fn place(context: &Context) -> String {
    let connection = &context.global.connection;
    let file = connection.kubeconfig.as_ref().map(|path| path.to_string_lossy().into_owned());
    let flags = [("--context", &connection.context), ("--kubeconfig", &file)];
    flags.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", value.as_ref()?))).collect()
}

/// The stages of a run, in the format that was asked for.
pub fn answer(run: &Run, output: Format) -> String {
    match output {
        Format::Json => data(&public(run), false),
        Format::Yaml => data(&public(run), true),
        Format::Name => format!("{}\n", run.id),
        Format::Table | Format::Wide => table(run),
    }
}

/// A run without what only its driver needs.
pub fn public(run: &Run) -> Value {
    let mut run = serde_json::to_value(run).unwrap_or_default();
    for stage in run.get_mut("stages").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = stage.as_object_mut() {
            fields.remove("routed");
        }
    }
    run
}

fn table(run: &Run) -> String {
    let none = || "<none>".to_owned();
    let rows: Vec<Vec<String>> = run
        .stages
        .iter()
        .map(|stage| {
            vec![
                stage.stage.clone(),
                result(stage).to_owned(),
                serves(run, stage).unwrap_or_else(none),
                stage.verdict().unwrap_or_else(none),
                if stage.reason.is_empty() { none() } else { stage.reason.clone() },
            ]
        })
        .collect();
    ui::columns(&["STAGE", "RESULT", "SERVES", "GATE", "WHY"], &rows)
}

/// How a stage ended, or how far it is.
fn result(stage: &StageRun) -> &'static str {
    match (stage.phase, stage.end) {
        (Phase::Ended, Some(end)) => end.name(),
        (Phase::Ahead, _) => "not reached",
        (phase, _) => phase.name(),
    }
}

/// What serves in a stage, as far as the run knows.
fn serves(run: &Run, stage: &StageRun) -> Option<String> {
    let before = stage.before.as_ref()?;
    let new = matches!((stage.phase, stage.end), (Phase::Ended, Some(End::Passed | End::Warned)));
    let image = match (stage.plan.place, new) {
        (_, true) => Some(&run.image),
        (Place::Direct, false) => Some(&before.image),
        (_, false) => before.serving_image.as_ref(),
    };
    let side = if new { &before.to } else { &before.serving };
    let version = image.map_or_else(|| "<unknown>".to_owned(), |image| version(image));
    Some(side.as_ref().map_or_else(|| version.clone(), |side| format!("{side} {version}")))
}

/// One line a run, with its project where `project`; `drivers` are those who drive one now.
pub fn runs(runs: &[&Run], drivers: &[&str], project: bool, terminal: bool) -> String {
    let mut rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let at = run.stages.iter().rev().find(|stage| stage.phase != Phase::Ahead);
            let when = if terminal { ui::age(&run.started, jiff::Timestamp::now()) } else { run.started.clone() };
            vec![
                short(&run.id).to_owned(),
                run.service.clone(),
                version(&run.image),
                match run.ended() || drivers.iter().any(|driver| driver.contains(short(&run.id))) {
                    true => run.status.name().to_owned(),
                    false => format!("{}, nobody drives", run.status.name()),
                },
                at.map_or_else(|| "<none>".into(), |stage| stage.stage.clone()),
                when,
                run.by.clone(),
                at.map(|stage| stage.reason.clone()).filter(|why| !why.is_empty()).unwrap_or_else(|| "<none>".into()),
            ]
        })
        .collect();
    let mut header = vec!["RUN", "SERVICE", "VERSION", "STATUS", "STAGE", "STARTED", "BY", "WHY"];
    if project {
        header.insert(0, "PROJECT");
        rows.iter_mut().zip(runs).for_each(|(row, run)| row.insert(0, run.project.clone()));
    }
    ui::columns(&header, &rows)
}

/// One line a stage of each run.
pub fn stages(runs: &[&Run], terminal: bool) -> String {
    let none = || "<none>".to_owned();
    let now = jiff::Timestamp::now();
    let when = |time: &str| if terminal { ui::age(time, now) } else { time.to_owned() };
    let row = |run: &Run, stage: &StageRun| {
        vec![
            short(&run.id).to_owned(),
            version(&run.image),
            format!("{} by {}", when(&run.started), run.by),
            stage.stage.clone(),
            result(stage).to_owned(),
            stage.ended.as_deref().map_or_else(none, when),
            stage.verdict().unwrap_or_else(none),
            if stage.reason.is_empty() { none() } else { stage.reason.clone() },
        ]
    };
    let rows: Vec<Vec<String>> = runs.iter().flat_map(|run| run.stages.iter().map(|stage| row(run, stage))).collect();
    ui::columns(&["RUN", "VERSION", "SENT", "STAGE", "RESULT", "ENDED", "GATE", "WHY"], &rows)
}

/// Several runs, for machines.
pub fn list(runs: &[&Run]) -> Value {
    json!(runs.iter().map(|run| public(run)).collect::<Vec<_>>())
}
