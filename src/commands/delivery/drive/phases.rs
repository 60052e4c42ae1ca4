//! What is done in each phase of a stage.

use super::super::rollout::{self, Wanted};
use super::super::store::{self, short};
use super::super::target::Version;
use super::super::tests::{self, Which};
use super::super::traffic::Mover;
use super::super::{gate, look};
use super::{Driver, LISTEN, stamp};
use crate::core::delivery::image::{Image, version};
use crate::core::delivery::run::{Before, Outcome, Phase};
use crate::core::delivery::tests::Report;
use crate::core::plan::{Author, Intent};
use crate::core::release::Labelled;
use crate::core::weight::Weights;
use crate::error::{Error, Result};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// How long one change of traffic may take, an admission webhook that is away included.
const ROUTING: Duration = Duration::from_secs(60);

impl Driver<'_> {
    /// Does what is due.
    pub(super) async fn perform(&self, index: usize, phase: Phase) -> Result<Outcome> {
        match phase {
            Phase::Ahead | Phase::Ended => Ok(Outcome::Done(String::new())),
            Phase::Approval => self.approval(index).await,
            Phase::Look => {
                let run = self.run();
                let before = look::look(self.cluster, &run, &run.stages[index]).await?;
                self.note(index, |stage| stage.before = Some(before)).await?;
                Ok(Outcome::Done(String::new()))
            }
            Phase::Deploy => self.deploy(index).await,
            Phase::Smoke => self.smoke(index).await,
            Phase::Shift | Phase::Promote => {
                let to = self.side(index, |before| before.to.clone())?;
                let stands = match self.run.borrow().stages[index].plan.share {
                    Some(share) if phase == Phase::Promote => self.shared(index, share)?,
                    _ => self.before(index)?.weights,
                };
                self.route(index, Intent::Promote(Some(to)), &stands).await
            }
            Phase::Share => {
                let share = self.run.borrow().stages[index].plan.share.unwrap_or_default();
                let (stands, wanted) = (self.before(index)?.weights, self.shared(index, share)?);
                self.route(index, Intent::Shift(Weights::Named(wanted)), &stands).await
            }
            Phase::Tests => self.tests(index).await,
            Phase::Evaluate => self.evaluate(index).await,
            Phase::Reroute => {
                let run = self.run();
                let told = self.mover(index).back(&run, &run.stages[index]).await?;
                let took = self.verdict.take().map(|since| format!(", {} ms after the verdict", since.elapsed().as_millis()));
                Ok(Outcome::Done(format!("{told}{}", took.unwrap_or_default())))
            }
            Phase::Restore => self.restore(index).await,
        }
    }

    /// What stood before; a step behind the look has it.
    fn before(&self, index: usize) -> Result<Before> {
        let run = self.run.borrow();
        let before = run.stages.get(index).and_then(|stage| stage.before.clone());
        before.ok_or_else(|| Error::failed("the run does not say what stood before"))
    }

    fn side(&self, index: usize, side: impl Fn(&Before) -> Option<String>) -> Result<String> {
        side(&self.before(index)?).ok_or_else(|| Error::failed("the run does not say which destination is meant"))
    }

    /// The weights with a share for the version.
    fn shared(&self, index: usize, share: u32) -> Result<Labelled> {
        let to = self.side(index, |before| before.to.clone())?;
        let serving = self.side(index, |before| before.serving.clone())?;
        Ok(vec![(to, share.min(100)), (serving, 100 - share.min(100))])
    }

    async fn deploy(&self, index: usize) -> Result<Outcome> {
        let (before, run) = (self.before(index)?, self.run());
        let stage = &run.stages[index];
        if let Some(why) = look::busy(self.cluster, &run, stage).await? {
            return Ok(Outcome::Failed(why));
        }
        let wanted = Wanted { namespace: &stage.namespace, before: &before, image: &run.image, pods: before.scale };
        let pods = self.roll(index, &wanted).await?;
        let quiet = Duration::from_secs(stage.quiet(run.terms.settle, Timestamp::now().as_second()));
        if quiet >= Duration::from_secs(5) {
            self.teller.line(index, &format!("waits {} s: what ran there before is still being measured", quiet.as_secs()));
        }
        tokio::time::sleep(quiet).await;
        let version = version(&run.image);
        let side = before.to.as_ref().map_or_else(String::new, |to| format!(" as {to}, without traffic"));
        Ok(Outcome::Done(format!(
            "{} runs {version}{side} ({pods} {})",
            before.deployment,
            if pods == 1 { "pod" } else { "pods" }
        )))
    }

    async fn restore(&self, index: usize) -> Result<Outcome> {
        let (before, run) = (self.before(index)?, self.run());
        let stage = &run.stages[index];
        if let Some(why) = look::busy(self.cluster, &run, stage).await? {
            return Ok(Outcome::Failed(format!("{why}; {} is left as it is", before.deployment)));
        }
        let wanted = Wanted { namespace: &stage.namespace, before: &before, image: &before.image, pods: before.replicas };
        self.roll(index, &wanted).await?;
        let pods = if before.replicas == 0 { ", asleep" } else { "" };
        Ok(Outcome::Done(format!("{} is back on {}{pods}", before.deployment, version(&before.image))))
    }

    async fn roll(&self, index: usize, wanted: &Wanted<'_>) -> Result<i64> {
        let limit = Duration::from_secs(self.run.borrow().terms.rollout);
        let say = |text: &str| self.teller.line(index, text);
        rollout::roll(self.cluster, wanted, Instant::now() + limit, &say).await
    }

    async fn smoke(&self, index: usize) -> Result<Outcome> {
        let report = self.test(index, Which::Smoke).await?;
        self.run.borrow_mut().stages[index].window = Some(Timestamp::now().as_second());
        Ok(match report {
            Some(report) if !report.passed => Outcome::Failed(report.reason),
            _ => Outcome::Done(String::new()),
        })
    }

    async fn tests(&self, index: usize) -> Result<Outcome> {
        let strategy = self.run.borrow().stages[index].plan.test;
        let Some(report) = self.test(index, Which::Of(strategy)).await? else { return Ok(Outcome::Done(String::new())) };
        let told = report.reason.clone();
        if let Some(stage) = self.run.borrow_mut().stages.get_mut(index) {
            stage.window = Some(report.started);
            stage.tested = Some(report.reason);
        }
        Ok(if report.passed { Outcome::Done(told) } else { Outcome::Failed(told) })
    }

    /// Runs one of the service's tests on the version.
    async fn test(&self, index: usize, which: Which) -> Result<Option<Report>> {
        let (before, run) = (self.before(index)?, self.run());
        let stage = &run.stages[index];
        let image = Image::parse(&run.image)?;
        let version = Version {
            project: &run.project,
            stage: &stage.stage,
            namespace: &stage.namespace,
            service: &run.service,
            deployment: &before.deployment,
            image: &image,
            idle: before.to.is_some(),
        };
        let suite = stage.plan.tests.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
        let deadline = Instant::now() + Duration::from_secs(run.terms.tests);
        tests::test(self.context, self.cluster, version, which, suite, deadline).await
    }

    fn mover(&self, index: usize) -> Mover<'_> {
        let run = self.run.borrow();
        let now = Timestamp::now();
        let why = run.stages.get(index).filter(|stage| stage.end.is_some()).map(|stage| format!(": {}", stage.reason));
        let reason = format!("{} {} (run {}){}", run.service, version(&run.image), short(&run.id), why.unwrap_or_default());
        let author = Author { by: run.by.clone(), at: stamp(now), reason: Some(reason) };
        let say = Box::new(move |text: &str| self.teller.line(index, text));
        Mover { cluster: self.cluster, journal: &self.context.journal, author, deadline: Instant::now() + ROUTING, say }
    }

    /// Moves traffic that stands as the run left it. What the way back needs is kept before anything is sent.
    async fn route(&self, index: usize, intent: Intent, stands: &Labelled) -> Result<Outcome> {
        let run = self.run();
        let mover = self.mover(index);
        let mut prepared = mover.prepare(&run, &run.stages[index], intent).await?;
        if let Some(why) = prepared.drifted(stands) {
            return Ok(Outcome::Failed(why));
        }
        let after = prepared.after();
        self.note(index, |stage| stage.routed.clone_from(&after)).await?;
        mover.send(&mut prepared).await?;
        let (sent, now) = (prepared.after(), Timestamp::now().as_second());
        self.run.borrow_mut().stages[index].window = Some(now);
        if sent != after {
            // Something unrelated had moved meanwhile, and the change was planned anew.
            self.note(index, |stage| stage.routed = sent).await?;
        }
        Ok(Outcome::Done(prepared.told()))
    }

    async fn evaluate(&self, index: usize) -> Result<Outcome> {
        let run = self.run();
        let stage = &run.stages[index];
        let Some(gate) = &stage.plan.gate else { return Ok(Outcome::Done(String::new())) };
        let after = gate::wait(&run, stage, Timestamp::now().as_second());
        if after >= Duration::from_secs(5) {
            self.teller.line(index, &format!("measures for {} s", after.as_secs()));
        }
        let deadline = Instant::now() + after + Duration::from_secs(run.terms.evaluation);
        let say = |text: &str| self.teller.line(index, text);
        let runs = store::runs(self.cluster, &self.kept.home, &run.project, Some(&run.service)).await?;
        let earlier = gate::earlier(&runs, &run, stage);
        let answer = gate::ask(self.context, self.settings, (&run, stage, gate, &earlier), after, deadline, &say).await?;
        if let Some(evaluation) = &answer.evaluation {
            self.run.borrow_mut().stages[index].evidence = Some(gate::evidence(evaluation));
        }
        Ok(answer.outcome)
    }

    /// Whether somebody let the version in.
    pub(super) async fn is_approved(&self, index: usize) -> Result<bool> {
        let words = self.kept.listen(self.cluster).await?;
        Ok(words.approvals.contains_key(&self.run.borrow().stages[index].stage))
    }

    /// Waits for a person.
    async fn approval(&self, index: usize) -> Result<Outcome> {
        let deadline = Instant::now() + self.patience;
        let mut said = false;
        loop {
            let words = self.kept.listen(self.cluster).await?;
            let who = words.approvals.get(&self.run.borrow().stages[index].stage).cloned();
            if let Some(who) = who {
                self.run.borrow_mut().stages[index].approved = Some(who.clone());
                return Ok(Outcome::Done(format!("approved by {who}")));
            }
            if Instant::now() + LISTEN >= deadline {
                return Err(self.waiting(index));
            }
            if !said {
                let commands = self.teller.commands(&self.run.borrow());
                self.teller.line(index, &format!("waits for approval: `{}`", commands.approve));
                said = true;
            }
            tokio::time::sleep(LISTEN).await;
        }
    }
}
