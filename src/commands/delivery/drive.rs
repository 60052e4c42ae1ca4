//! Drives a run: performs the step that is due, keeps the state, and goes on.
//!
//! Meanwhile it renews the lease and listens for what others leave beside the state. Ctrl-C leaves the run where it is, for
//! `resume` or `abort` from anywhere; a change of traffic that is under way is finished first.

use super::announce::Announcer;
use super::lease::{self, Lease};
use super::rollout::{self, Wanted};
use super::store::{self, Kept, short};
use super::target::Version;
use super::tell::Teller;
use super::tests::{self, Which};
use super::traffic::Mover;
use super::{gate, look};
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::delivery::image::Image;
use crate::core::delivery::run::{Before, Outcome, Phase, Place, Run, StageRun, Status, Step};
use crate::core::delivery::tests::Report;
use crate::core::plan::{Author, Intent};
use crate::core::release::Labelled;
use crate::core::weight::Weights;
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use jiff::Timestamp;
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::{Duration, Instant};

/// The pause between two looks at what others left.
const LISTEN: Duration = Duration::from_secs(2);

/// The pause before a step is tried again that nobody answered.
const AGAIN: Duration = Duration::from_secs(2);

/// How long one change of traffic may take, an admission webhook that is away included.
const ROUTING: Duration = Duration::from_secs(60);

/// Who drives a run, and how.
pub struct Driver<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// The settings.
    pub settings: &'a Settings,
    /// Where.
    pub cluster: &'a Cluster,
    /// Where the state is kept.
    pub kept: Kept,
    /// That nobody else drives.
    pub lease: Lease,
    /// Whether to wait for approvals.
    pub waits: bool,
    /// How long to wait at a time for a person, or for a server that does not answer: a way back that is due after an hour
    /// has as much of it as the first step.
    pub patience: Duration,
    /// What people see of it.
    pub teller: Teller<'a>,
    /// Who else is told of it.
    pub announcer: Announcer<'a>,
    run: RefCell<Run>,
    /// When the step ended that led to a way back.
    verdict: Cell<Option<Instant>>,
}

/// Why a step was broken off.
enum Stop {
    /// A person ended the run.
    Aborted(String),
    /// Somebody else drives it now.
    Lost(Error),
}

/// Everything but what comes of the run itself.
pub struct Way<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// The settings.
    pub settings: &'a Settings,
    /// Where.
    pub cluster: &'a Cluster,
    /// Whether to wait for approvals.
    pub waits: bool,
    /// How long to wait for a person, or for a server that does not answer.
    pub timeout: Duration,
}

impl<'a> Driver<'a> {
    /// Takes over a run whose lease is held.
    pub fn new(way: &Way<'a>, kept: Kept, lease: Lease, announcer: Announcer<'a>) -> Self {
        let run = RefCell::new(kept.run.clone());
        let teller = Teller::new(way.context, &kept.run);
        let Way { context, settings, cluster, waits, timeout: patience } = *way;
        Self { context, settings, cluster, kept, lease, waits, patience, teller, announcer, run, verdict: Cell::new(None) }
    }

    /// The run as it stands.
    pub fn run(&self) -> Run {
        self.run.borrow().clone()
    }

    /// Drives the run until nothing is due, and lets the lease go.
    ///
    /// # Errors
    /// Only where the run could not be driven to an end: `Waiting`, `Interrupted`, `Unreachable`, `Conflict`. How it ended
    /// says its status.
    pub async fn drive(&self) -> Result<()> {
        let result = self.steps().await;
        match &result {
            // Somebody else has it.
            Err(error) if error.kind == Kind::Conflict => {}
            _ => self.lease.release(self.cluster).await,
        }
        result
    }

    async fn steps(&self) -> Result<()> {
        let mut interrupted = pin!(crate::commands::interrupt());
        let mut late: Vec<(Run, usize, Phase, Outcome, Duration)> = Vec::new();
        if let Some(who) = self.kept.listen(self.cluster).await?.abort {
            self.run.borrow_mut().abort(&format!("aborted by {who}"), &stamp(Timestamp::now()));
            self.save().await?;
        }
        loop {
            let step = self.run.borrow().next();
            let Step::Do(index, phase) = step else { return Ok(()) };
            if phase == Phase::Approval && !self.waits && !self.is_approved(index).await? {
                return Err(self.waiting(index));
            }
            let breakable = !matches!(phase, Phase::Shift | Phase::Share | Phase::Promote | Phase::Reroute | Phase::Restore);
            let began = Instant::now();
            self.announcer.begins(&self.run(), index, phase).await;
            let outcome = tokio::select! {
                biased;
                outcome = self.persistently(index, phase) => outcome?,
                stop = self.listen(breakable) => match stop {
                    Stop::Aborted(why) => Outcome::Aborted(why),
                    Stop::Lost(error) => return Err(error),
                },
                () = &mut interrupted, if breakable => {
                    super::job::sweep(self.cluster, &self.run(), index, phase).await;
                    return Err(self.interrupted());
                }
            };
            if matches!(outcome, Outcome::Aborted(_)) {
                super::job::sweep(self.cluster, &self.run(), index, phase).await;
            }
            let now = Timestamp::now();
            if !matches!(phase, Phase::Reroute | Phase::Restore) && !matches!(outcome, Outcome::Done(_) | Outcome::Warned(_)) {
                self.verdict.set(Some(Instant::now()));
            }
            self.run.borrow_mut().done(step, outcome.clone(), &stamp(now));
            let (run, took) = (self.run(), began.elapsed());
            // Nothing comes before a way back: who is told of it is told when it is over.
            let back = matches!(run.next(), Step::Do(_, Phase::Reroute));
            self.keep(index).await?;
            self.teller.phase(&run, index, phase, &outcome, took);
            late.push((run, index, phase, outcome, took));
            if !back {
                for (run, index, phase, outcome, took) in late.drain(..) {
                    self.announcer.ended(&run, index, phase, &outcome, took).await;
                }
            }
        }
    }

    async fn save(&self) -> Result<()> {
        let run = self.run();
        self.kept.save(self.cluster, &run).await
    }

    /// Keeps the state behind a step. A way back does not hang on it, nor does the end; only whoever drives the run now is
    /// not to be disturbed.
    async fn keep(&self, index: usize) -> Result<()> {
        let Err(error) = self.save().await else { return Ok(()) };
        let onward = !matches!(self.run.borrow().next(), Step::Nothing | Step::Do(_, Phase::Reroute | Phase::Restore));
        if onward || error.kind == Kind::Conflict {
            return Err(self.standing(error));
        }
        self.teller.line(index, &format!("warning: the state of the run is not kept: {}", error.message));
        Ok(())
    }

    /// Changes the state of a stage, and keeps it.
    async fn note(&self, index: usize, change: impl FnOnce(&mut StageRun)) -> Result<()> {
        if let Some(stage) = self.run.borrow_mut().stages.get_mut(index) {
            change(stage);
        }
        self.save().await
    }

    /// Performs a step; where nobody answers, again and again until the deadline. What else goes wrong is how it ended.
    async fn persistently(&self, index: usize, phase: Phase) -> Result<Outcome> {
        let deadline = Instant::now() + self.patience;
        let mut said = false;
        loop {
            match self.perform(index, phase).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if matches!(error.kind, Kind::Waiting) => return Err(error),
                Err(error) if error.kind == Kind::Unreachable => {
                    if Instant::now() + AGAIN >= deadline {
                        return Err(self.standing(error));
                    }
                    if !said {
                        self.teller.line(index, &format!("{}: trying again", error.message));
                        said = true;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Ok(Outcome::Failed(sentence(&error))),
            }
        }
    }

    async fn perform(&self, index: usize, phase: Phase) -> Result<Outcome> {
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

    async fn is_approved(&self, index: usize) -> Result<bool> {
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

    /// Renews the lease, and listens for an abort; ends when there is reason to stop.
    async fn listen(&self, breakable: bool) -> Stop {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(LISTEN).await;
            if renewed.elapsed() >= lease::RENEW {
                match self.lease.renew(self.cluster).await {
                    Ok(()) => renewed = Instant::now(),
                    Err(error) if error.kind == Kind::Conflict && breakable => return Stop::Lost(self.standing(error)),
                    // It is tried again; who is not heard of for too long is found out by the next who comes.
                    Err(_) => {}
                }
            }
            if breakable
                && let Ok(words) = self.kept.listen(self.cluster).await
                && let Some(who) = words.abort
            {
                return Stop::Aborted(format!("aborted by {who}"));
            }
        }
    }

    fn waiting(&self, index: usize) -> Error {
        let run = self.run.borrow();
        let commands = self.teller.commands(&run);
        let message = format!("{} {} waits for approval of stage {}", run.service, version(&run.image), run.stages[index].stage);
        Error::new(Kind::Waiting, message).hint(format!("`{}`", commands.approve)).hint(format!("or `{}`", commands.abort))
    }

    fn interrupted(&self) -> Error {
        self.standing(Error::new(Kind::Interrupted, "interrupted"))
    }

    /// What stands of the run, and the commands that go on or undo.
    fn standing(&self, mut error: Error) -> Error {
        let run = self.run.borrow();
        let commands = self.teller.commands(&run);
        if let Some(index) = run.current() {
            let stage = &run.stages[index];
            let traffic = match (&stage.plan.place, stage.routed.is_empty()) {
                (Place::Direct, _) => String::new(),
                (_, true) => "; no traffic was moved there".to_owned(),
                (_, false) => "; traffic may be on the new version there".to_owned(),
            };
            error.message += &format!("; the run stands in stage {} at {}{traffic}", stage.stage, stage.phase.name());
        }
        if run.status != Status::Stuck {
            error = error.hint(format!("go on: `{}`", commands.resume)).hint(format!("go back: `{}`", commands.abort));
        }
        error
    }
}

/// What people call the version of an image.
pub fn version(image: &str) -> String {
    Image::parse(image).map_or_else(|_| image.to_owned(), |image| image.version().to_owned())
}

/// A time as the state writes it.
pub fn stamp(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// An error in one line.
fn sentence(error: &Error) -> String {
    let causes = error.causes.iter().map(|cause| format!(" ({cause})"));
    let message = error.message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    message + &causes.collect::<String>()
}
