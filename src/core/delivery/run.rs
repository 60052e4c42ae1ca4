//! One delivery: where it stands, what it does next, and what comes of what was done.
//!
//! A state machine without I/O. [`Run::next`] says which step is due, [`Run::done`] takes how it ended; whoever drives it
//! keeps the state somewhere before and after each step that changes anything. A step that is due may have been begun
//! already by a process that is gone: every step can be done again.
//!
//! | after | what fails leads to |
//! |---|---|
//! | approval, look | the end: nothing was touched |
//! | deploy | the previous image |
//! | smoke, tests, evaluation without traffic | the end; in a direct stage the previous image |
//! | share, shift, promotion, and everything behind one of them | the re-route, then as above |
//!
//! A stage that does not pass ends the run: no later stage is ever touched.

mod stage;

pub use stage::{Before, End, Gate, Phase, Place, StagePlan, StageRun};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One delivery of one artifact through the stages of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Names it: a version 4 UUID, keptn's context id.
    pub id: String,
    /// The project.
    pub project: String,
    /// The service.
    pub service: String,
    /// The image that is delivered.
    pub image: String,
    /// What the sender says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who sent it.
    pub by: String,
    /// When it was sent, RFC 3339.
    pub started: String,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How it stands.
    pub status: Status,
    /// How it is driven.
    pub terms: Terms,
    /// The stages that it walks through, in their order.
    pub stages: Vec<StageRun>,
}

/// How a run is driven, from whichever machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How long a rollout may take, in seconds.
    pub rollout: u64,
    /// How long an evaluation may wait for data, in seconds.
    pub evaluation: u64,
    /// How long tests may take, in seconds.
    pub tests: u64,
    /// How long the metrics of what has just happened may take to arrive, in seconds.
    pub settle: u64,
    /// The container that gets the image, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The destination that gets the version, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether terms of `--require` count by Envoy's own statistics, in place of Istio's metrics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub envoy: bool,
    /// Who is told of it: `-`, files, URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Whether they are told in the words of keptn before 0.8.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early_events: bool,
    /// The URL of Prometheus, where it was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Something is due.
    Running,
    /// A person is to approve a stage.
    Waiting,
    /// Every stage passed.
    Passed,
    /// A stage failed, and is as it was before.
    Failed,
    /// A stage could not be judged, and is as it was before.
    Inconclusive,
    /// It was aborted, and the stage is as it was before.
    Aborted,
    /// A way back failed: traffic may still be on the version.
    Stuck,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Waiting => "waiting",
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Inconclusive => "inconclusive",
            Status::Aborted => "aborted",
            Status::Stuck => "stuck",
        }
    }
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next thing of a stage, by its place.
    Do(usize, Phase),
    /// Nothing: the run has ended.
    Nothing,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it is for; with what there is to say of it.
    Done(String),
    /// It did, with a warning.
    Warned(String),
    /// It did not; why.
    Failed(String),
    /// It could not be said in time; why.
    Inconclusive(String),
    /// A person ended the run; who and why.
    Aborted(String),
}

impl Run {
    /// The stage that something is due in, if any.
    pub fn current(&self) -> Option<usize> {
        match self.status {
            Status::Running | Status::Waiting => self.stages.iter().position(|stage| stage.phase != Phase::Ended),
            _ => None,
        }
    }

    /// What is due.
    pub fn next(&self) -> Step {
        match self.current() {
            Some(index) => Step::Do(index, self.stages[index].phase),
            None => Step::Nothing,
        }
    }

    /// Whether nothing is due any more; a run that is stuck can be resumed.
    pub fn ended(&self) -> bool {
        self.current().is_none()
    }

    /// Takes how `step` ended at `now` (RFC 3339). An outcome of a step that is not due changes nothing.
    pub fn done(&mut self, step: Step, outcome: Outcome, now: &str) {
        let Step::Do(index, phase) = step else { return };
        if self.next() != step {
            return;
        }
        let warned = index > 0 && self.stages[index - 1].end == Some(End::Warned);
        let stage = &mut self.stages[index];
        stage.started.get_or_insert_with(|| now.to_owned());
        match (phase, outcome) {
            (Phase::Reroute, Outcome::Done(_) | Outcome::Warned(_)) => stage.after_reroute(),
            (Phase::Reroute, other) => {
                stage.stuck = Some(other.text().to_owned());
                self.status = Status::Stuck;
                return;
            }
            (Phase::Restore, Outcome::Done(_) | Outcome::Warned(_)) => stage.phase = Phase::Ended,
            (Phase::Restore, other) => {
                stage.stuck = Some(other.text().to_owned());
                // Where no traffic goes nothing is at stake.
                if stage.plan.place == Place::Direct {
                    self.status = Status::Stuck;
                    return;
                }
                stage.phase = Phase::Ended;
            }
            (_, Outcome::Done(text)) => stage.forward(warned, text),
            (_, Outcome::Warned(text)) => {
                stage.end = Some(End::Warned);
                stage.forward(warned, text);
            }
            (_, Outcome::Failed(why)) => stage.back(End::Failed, why),
            (_, Outcome::Inconclusive(why)) => stage.back(End::Inconclusive, why),
            (_, Outcome::Aborted(why)) => stage.back(End::Aborted, why),
        }
        self.settle(index, now);
    }

    /// Ends the run by a person's will: what was touched of the stage goes back. A way back that is under way goes on.
    pub fn abort(&mut self, why: &str, now: &str) {
        let Step::Do(_, phase) = self.next() else { return };
        if !matches!(phase, Phase::Reroute | Phase::Restore) {
            self.done(self.next(), Outcome::Aborted(why.to_owned()), now);
        }
    }

    /// Tries a failed way back again.
    pub fn retry(&mut self) {
        if self.status == Status::Stuck {
            self.status = Status::Running;
            self.stages.iter_mut().for_each(|stage| stage.stuck = None);
        }
    }

    /// After a step of the stage at `index`: what stands of the run.
    fn settle(&mut self, index: usize, now: &str) {
        let stage = &mut self.stages[index];
        self.status = Status::Running;
        if stage.phase == Phase::Ended {
            stage.ended = Some(now.to_owned());
            match stage.end {
                Some(End::Failed) => self.status = Status::Failed,
                Some(End::Inconclusive) => self.status = Status::Inconclusive,
                Some(End::Aborted) => self.status = Status::Aborted,
                Some(End::Passed | End::Warned) | None => {
                    let warned = stage.end == Some(End::Warned);
                    match self.stages.get_mut(index + 1) {
                        Some(next) => next.begin(warned),
                        None => self.status = Status::Passed,
                    }
                }
            }
        }
        let waiting = |stage: &StageRun| stage.phase == Phase::Approval;
        if self.current().is_some_and(|index| waiting(&self.stages[index])) {
            self.status = Status::Waiting;
        }
        if self.ended() {
            self.ended = Some(now.to_owned());
        }
    }

    /// Begins: the first stage is due.
    pub fn begin(&mut self) {
        if let Some(first) = self.stages.first_mut() {
            first.begin(false);
            if first.phase == Phase::Approval {
                self.status = Status::Waiting;
            }
        }
    }
}

impl Outcome {
    /// What it says.
    pub fn text(&self) -> &str {
        match self {
            Outcome::Done(text)
            | Outcome::Warned(text)
            | Outcome::Failed(text)
            | Outcome::Inconclusive(text)
            | Outcome::Aborted(text) => text,
        }
    }
}

#[cfg(test)]
mod tests;
