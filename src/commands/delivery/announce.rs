//! What a step of a run is as an event.

use super::notify::{Messenger, Noted};
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::delivery::events::{Delivery, Ended, Era, Happened, Stage};
use crate::core::delivery::image::{Image, version};
use crate::core::delivery::run::{End, Outcome, Phase, Place, Run, StageRun};
use crate::core::delivery::shipyard::Strategy;
use crate::core::gate::evaluation::{Evaluation, Verdict};
use crate::error::Result;
use serde_json::Value;
use std::time::Duration;

/// Tells those who listen to a run.
pub struct Announcer<'a> {
    context: &'a Context,
    cluster: &'a Cluster,
    messenger: Messenger,
}

impl<'a> Announcer<'a> {
    /// For a run.
    ///
    /// # Errors
    /// `Usage` for a receiver that cannot be opened.
    pub fn open(context: &'a Context, cluster: &'a Cluster, run: &Run) -> Result<Self> {
        let image = Image::parse(&run.image)?;
        let delivery = Delivery {
            context: run.id.clone(),
            project: run.project.clone(),
            service: run.service.clone(),
            tag: version(&run.image),
            image: image.repository,
            labels: run.labels.clone(),
        };
        let era = if run.terms.early_events { Era::Early } else { Era::Late };
        Ok(Self { context, cluster, messenger: Messenger::open(&run.terms.events, era, delivery)? })
    }

    /// That an artifact was sent.
    pub async fn sent(&self, run: &Run) {
        if let Some(stage) = run.stages.first() {
            self.tell(stage, Happened::Sent).await;
        }
    }

    /// That a step begins. A way back is told when it is there: nothing comes before it.
    pub async fn begins(&self, run: &Run, index: usize, phase: Phase) {
        let Some(stage) = run.stages.get(index) else { return };
        let before = index.checked_sub(1).and_then(|index| run.stages.get(index));
        match phase {
            Phase::Approval => {
                let warned = before.is_some_and(|stage| stage.end == Some(End::Warned));
                let verdict = if warned { Verdict::Warning } else { Verdict::Pass };
                self.tell(stage, Happened::ApprovalAsked(verdict)).await;
            }
            Phase::Look => self.tell(stage, Happened::Entered).await,
            Phase::Deploy => self.tell(stage, Happened::Deploying).await,
            Phase::Tests => self.tell(stage, Happened::Testing).await,
            Phase::Evaluate => {
                let (start, end) = (time(stage.window), time(None));
                self.tell(stage, Happened::Evaluating { start, end }).await;
            }
            Phase::Shift | Phase::Promote => self.tell(stage, Happened::Promoting).await,
            _ => {}
        }
    }

    /// How a step ended, and the stage with it.
    pub async fn ended(&self, run: &Run, index: usize, phase: Phase, outcome: &Outcome, took: Duration) {
        let Some(stage) = run.stages.get(index) else { return };
        let ended = ended(outcome);
        if let Outcome::Aborted(why) = outcome {
            self.tell(stage, Happened::Aborted(why.clone())).await;
        }
        match phase {
            Phase::Approval => self.tell(stage, Happened::ApprovalGiven(ended)).await,
            Phase::Deploy => {
                let names = stage.before.iter().map(|before| before.deployment.clone()).collect();
                let local = vec![format!("http://{}.{}", run.service, stage.namespace)];
                self.tell(stage, Happened::Deployed { ended, names, local, public: Vec::new() }).await;
            }
            Phase::Tests => {
                let seconds = i64::try_from(took.as_secs()).unwrap_or(0);
                let start = time(Some(jiff::Timestamp::now().as_second() - seconds));
                self.tell(stage, Happened::Tested { ended, start, end: time(None) }).await;
            }
            Phase::Evaluate => {
                let evaluation = stage.evidence.clone().and_then(|value| serde_json::from_value::<Evaluation>(value).ok());
                let details = evaluation.map_or(Value::Null, |evaluation| self.messenger.details(&evaluation));
                self.tell(stage, Happened::Evaluated { ended, details }).await;
            }
            Phase::Shift | Phase::Promote => self.tell(stage, Happened::Promoted(ended)).await,
            Phase::Reroute | Phase::Restore => {
                self.tell(stage, Happened::GoingBack(stage.reason.clone())).await;
                self.tell(stage, Happened::WentBack(ended)).await;
            }
            _ => {}
        }
        if stage.phase == Phase::Ended {
            let verdict = match stage.end {
                Some(End::Passed) => Verdict::Pass,
                Some(End::Warned) => Verdict::Warning,
                Some(End::Inconclusive) => Verdict::Inconclusive,
                _ => Verdict::Fail,
            };
            self.tell(stage, Happened::Left(Ended { verdict, message: stage.reason.clone() })).await;
        }
    }

    async fn tell(&self, stage: &StageRun, happened: Happened) {
        let told = Stage {
            name: stage.stage.clone(),
            deployment: if stage.plan.place == Place::Direct { Strategy::Direct } else { Strategy::BlueGreen },
            test: stage.plan.test,
            approval: stage.plan.approval,
        };
        self.messenger.tell(self.context, &told, &happened).await;
        let object = stage.routed.first().and_then(|object| object.pointer("/metadata/name")).and_then(Value::as_str);
        let at = Noted {
            namespace: &stage.namespace,
            deployment: stage.before.as_ref().map(|before| before.deployment.as_str()),
            virtual_service: object,
        };
        self.messenger.note(self.context, self.cluster, at, &told, &happened).await;
    }
}

fn ended(outcome: &Outcome) -> Ended {
    let verdict = match outcome {
        Outcome::Done(_) => Verdict::Pass,
        Outcome::Warned(_) => Verdict::Warning,
        Outcome::Inconclusive(_) => Verdict::Inconclusive,
        Outcome::Failed(_) | Outcome::Aborted(_) => Verdict::Fail,
    };
    Ended { verdict, message: outcome.text().to_owned() }
}

/// A time in seconds since 1970, or now, as RFC 3339.
fn time(seconds: Option<i64>) -> String {
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    super::drive::stamp(time.unwrap_or_else(jiff::Timestamp::now))
}
