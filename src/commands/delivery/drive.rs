//! Drives a run: performs the step that is due, keeps the state, and goes on.
//!
//! Meanwhile it renews the lease and listens for what others leave beside the state. Ctrl-C leaves the run where it is, for
//! `resume` or `abort` from anywhere; a change of traffic that is under way is finished first.

mod phases;

use super::announce::Announcer;
use super::lease::{self, Lease};
use super::store::Kept;
use super::tell::Teller;
use crate::cluster::Cluster;
use crate::commands::Context;
use crate::core::delivery::image::version;
use crate::core::delivery::run::{Outcome, Phase, Place, Run, StageRun, Status, Step};
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
            let now = Timestamp::now();
            if !matches!(phase, Phase::Reroute | Phase::Restore) && !matches!(outcome, Outcome::Done(_) | Outcome::Warned(_)) {
                self.verdict.set(Some(Instant::now()));
            }
            self.run.borrow_mut().done(step, outcome.clone(), &stamp(now));
            let (run, took) = (self.run(), began.elapsed());
            // Nothing comes before a way back: who is told of it is told when it is over, and tests that were broken off end then.
            let back = matches!(run.next(), Step::Do(_, Phase::Reroute));
            self.keep(index).await?;
            self.teller.phase(&run, index, phase, &outcome, took);
            late.push((run, index, phase, outcome, took));
            if !back {
                for (run, index, phase, outcome, took) in late.drain(..) {
                    if matches!(outcome, Outcome::Aborted(_)) {
                        super::job::sweep(self.cluster, &run, index, phase).await;
                    }
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
