//! One stage of a run.

use super::super::shipyard::{Approval, Approver, TestStrategy};
use crate::core::release::Labelled;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is due in a stage, in the order in which it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not reached.
    Ahead,
    /// A person is to let the version in.
    Approval,
    /// Find out what stands: where the version goes, and what to go back to.
    Look,
    /// Set the image, and wait until it runs.
    Deploy,
    /// See that it answers.
    Smoke,
    /// All traffic, before anything is known of it: keptn's order.
    Shift,
    /// A small part of the traffic, so that there is something to measure.
    Share,
    /// Run the tests.
    Tests,
    /// Ask the gate.
    Evaluate,
    /// All traffic.
    Promote,
    /// The weights as they were.
    Reroute,
    /// The deployment as it was.
    Restore,
    /// Nothing is due.
    Ended,
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Ahead => "ahead",
            Phase::Approval => "approval",
            Phase::Look => "look",
            Phase::Deploy => "deploy",
            Phase::Smoke => "smoke",
            Phase::Shift => "shift",
            Phase::Share => "share",
            Phase::Tests => "tests",
            Phase::Evaluate => "evaluate",
            Phase::Promote => "promote",
            Phase::Reroute => "re-route",
            Phase::Restore => "restore",
            Phase::Ended => "ended",
        }
    }
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// The version is in.
    Passed,
    /// It is, and the gate warned.
    Warned,
    /// It is not.
    Failed,
    /// It is not: nothing could be said of it.
    Inconclusive,
    /// It is not: a person ended the run.
    Aborted,
}

impl End {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            End::Passed => "passed",
            End::Warned => "warning",
            End::Failed => "failed",
            End::Inconclusive => "inconclusive",
            End::Aborted => "aborted",
        }
    }
}

/// Where a version goes in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Into the one deployment.
    Direct,
    /// To the destination without traffic.
    Idle,
    /// To the destination without traffic, which gets all of it before the tests.
    IdleAtOnce,
}

/// What is to happen in a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagePlan {
    /// Where the version goes.
    pub place: Place,
    /// How it is tested.
    pub test: TestStrategy,
    /// The service's own tests, where there are any: name and text of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<(String, String)>,
    /// Who lets it in.
    pub approval: Approval,
    /// The gate; none where the stage has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The percentage of traffic that it gets before it is judged, where it gets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u32>,
    /// The window of the evaluation in seconds, where the shipyard says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeframe: Option<u64>,
}

/// The gate of a stage, with all that its questions need: whoever resumes a run has no files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// A gate file.
    File {
        /// What it is called.
        name: String,
        /// Its text.
        text: String,
        /// The queries of an SLO's indicators: name and text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sli: Option<(String, String)>,
    },
    /// Terms of `--require`.
    Require(Vec<String>),
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Gate::File { name, .. } => f.write_str(name),
            Gate::Require(terms) => f.write_str(&terms.join(", ")),
        }
    }
}

/// What stood in a stage before the version came: what to go back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The deployment that gets the version.
    pub deployment: String,
    /// Its container.
    pub container: String,
    /// Its image.
    pub image: String,
    /// How many pods it was to have.
    pub replicas: i64,
    /// How many it gets: as many as serve now, where it had none.
    pub scale: i64,
    /// The destination that gets the version, in a stage that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The destination that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<String>,
    /// What it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving_image: Option<String>,
    /// The weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Labelled,
    /// When its traffic was moved last, in seconds since the epoch, where that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<i64>,
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRun {
    /// The stage.
    pub stage: String,
    /// Its namespace.
    pub namespace: String,
    /// What is due.
    pub phase: Phase,
    /// How it ended; before that, how it will end when everything is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// What was due when it turned out not to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Phase>,
    /// Why it ended so, or what was last said of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is to happen.
    pub plan: StagePlan,
    /// What stood before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// The virtual services as the last shift left them: the way back is planned from them, and nothing need be read for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routed: Vec<Value>,
    /// When the window of the evaluation begins, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<i64>,
    /// What the tests said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<String>,
    /// The evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// Why the way back failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// Whether the deployment goes back to what it was, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restore: bool,
    /// When its first step ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

impl StageRun {
    /// A stage that is not reached yet.
    pub fn new(stage: &str, namespace: &str, plan: StagePlan) -> Self {
        Self {
            stage: stage.to_owned(),
            namespace: namespace.to_owned(),
            phase: Phase::Ahead,
            end: None,
            failed: None,
            reason: String::new(),
            plan,
            before: None,
            routed: Vec::new(),
            window: None,
            tested: None,
            evidence: None,
            approved: None,
            stuck: None,
            restore: false,
            started: None,
            ended: None,
        }
    }

    /// How long a version that is in place is not to be tested yet, in seconds: what its side did for an earlier version, which
    /// a moment ago still had traffic, is measured late, and would be taken for its own. Metrics arrive within `settle`
    /// seconds; the requests that were on their way when the traffic moved have as long to end.
    pub fn quiet(&self, settle: u64, now: i64) -> u64 {
        let before = self.before.as_ref().filter(|_| self.plan.gate.is_some());
        let moved = before.and_then(|before| if self.plan.place == Place::Direct { Some(now) } else { before.moved });
        let since = moved.and_then(|moved| u64::try_from(now.saturating_sub(moved).max(0)).ok());
        since.map_or(0, |since| settle.saturating_mul(2).saturating_sub(since))
    }

    /// The phases on the way to a pass, after a stage that warned or did not.
    pub fn path(&self, warned: bool) -> Vec<Phase> {
        let plan = &self.plan;
        let approver = if warned { plan.approval.warning } else { plan.approval.pass };
        let when = |wanted: bool, phase: Phase| wanted.then_some(phase);
        [
            when(approver == Approver::Manual, Phase::Approval),
            Some(Phase::Look),
            Some(Phase::Deploy),
            Some(Phase::Smoke),
            when(plan.place == Place::IdleAtOnce, Phase::Shift),
            when(plan.place == Place::Idle && plan.share.is_some(), Phase::Share),
            when(plan.test != TestStrategy::None, Phase::Tests),
            when(plan.gate.is_some(), Phase::Evaluate),
            when(plan.place == Place::Idle, Phase::Promote),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What the gate said: `pass`, `warning`, `fail`, `inconclusive`.
    pub fn verdict(&self) -> Option<String> {
        self.evidence.as_ref()?.get("verdict")?.as_str().map(str::to_owned)
    }

    pub(super) fn begin(&mut self, warned: bool) {
        self.phase = self.path(warned).first().copied().unwrap_or(Phase::Ended);
    }

    /// On to the next phase; behind the last one the stage has passed.
    pub(super) fn forward(&mut self, warned: bool, text: String) {
        let rest = self.path(warned).into_iter().find(|phase| *phase > self.phase);
        // Why it passed is what the gate or the tests say, not that it got its traffic.
        if !text.is_empty() && !matches!(self.phase, Phase::Shift | Phase::Share | Phase::Promote) {
            self.reason = text;
        }
        self.phase = rest.unwrap_or(Phase::Ended);
        if self.phase == Phase::Ended {
            self.end.get_or_insert(End::Passed);
        }
    }

    /// Back to what stood before.
    pub(super) fn back(&mut self, end: End, why: String) {
        self.end = Some(end);
        self.failed = Some(self.phase);
        self.reason = why;
        let routes = [Phase::Shift, Phase::Share, Phase::Promote];
        // A shift that was due may have been carried out by a process that is gone, or its answer was lost.
        let moved = routes.into_iter().any(|phase| phase <= self.phase && self.path(false).contains(&phase));
        let deployed = self.phase >= Phase::Deploy;
        // A version that did not even come up is taken away again; one that failed later stays where no traffic goes, to
        // be looked at.
        let asleep = self.before.as_ref().is_some_and(|before| before.replicas == 0);
        self.restore = deployed && (self.plan.place == Place::Direct || self.phase == Phase::Deploy || asleep);
        self.phase = match (moved, self.restore) {
            (true, _) => Phase::Reroute,
            (false, true) => Phase::Restore,
            (false, false) => Phase::Ended,
        };
    }

    pub(super) fn after_reroute(&mut self) {
        self.phase = if self.restore { Phase::Restore } else { Phase::Ended };
    }
}
