//! Carries out what was planned in a cluster: the only place that writes there.
//!
//! One object is one patch. Several objects are checked by the server first (a dry run of each), then written, and where
//! one is refused the ones already written are put back, so that a group of services moves as a whole or not at all. Who
//! leaves out the checks leaves out the dry runs as well, which are two fifths of the server's work: then a group whose
//! last service is refused has moved for a moment.

use crate::cluster::{Cluster, DryRun, Patched, rejection};
use crate::core::conflict::{self, Judgement};
use crate::core::object::Object;
use crate::core::plan::{self, Author, Change, Intent};
use crate::core::select::{RoutePick, Service};
use crate::error::{Error, Kind, Result};
use futures_util::StreamExt as _;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So many requests are under way at once; the server's own limits for one client are about ten.
const CONCURRENCY: usize = 8;

/// The pause between tries while an admission webhook cannot be reached.
const WEBHOOK_PAUSE: Duration = Duration::from_secs(2);

/// What stands of each object: kept while it runs, so that an interrupted run can say it.
#[derive(Debug, Default)]
pub struct Journal {
    entries: RefCell<BTreeMap<String, State>>,
    /// The files that were edited and are still to be committed.
    files: RefCell<Vec<String>>,
}

/// What stands of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent that could write.
    Untouched,
    /// A patch is under way.
    Sent,
    /// The server has it.
    Written,
}

impl Journal {
    fn set(&self, name: &str, state: State) {
        self.entries.borrow_mut().insert(name.to_owned(), state);
    }

    /// Notes files that were edited for a commit that is under way.
    pub fn edited(&self, files: Vec<String>) {
        self.files.replace(files);
    }

    /// The files that were edited and are not committed.
    pub fn files(&self) -> Vec<String> {
        self.files.borrow().clone()
    }

    /// The services of which something was sent, with what stands.
    pub fn touched(&self) -> Vec<(String, State)> {
        self.entries
            .borrow()
            .iter()
            .filter(|(_, state)| **state != State::Untouched)
            .map(|(name, state)| (name.clone(), *state))
            .collect()
    }
}

/// How the change of one object ended.
#[derive(Debug)]
pub enum Outcome {
    /// It was as wanted.
    Unchanged,
    /// Done, or would be, in a dry run of the server; with the server's warnings.
    Changed(Vec<String>),
    /// Refused; nothing of it was written.
    Refused(Error),
    /// Sent, and what became of it cannot be found out.
    Unknown(Error),
    /// Written, and put back because another was refused.
    Undone,
    /// Written, and not put back.
    Stuck(Error),
    /// Not tried, because another was refused.
    Left,
}

impl Outcome {
    /// Whether the change did not come about, as far as is known.
    pub fn failed(&self) -> bool {
        matches!(self, Outcome::Refused(_) | Outcome::Unknown(_))
    }
}

/// What one command is to do.
pub struct Run<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// What the user wants.
    pub intent: &'a Intent,
    /// Of which routes.
    pub pick: Option<&'a RoutePick>,
    /// Who.
    pub author: &'a Author,
    /// Whether the server checks several changes before the first of them is written.
    pub rehearse: bool,
    /// What stands.
    pub journal: &'a Journal,
    /// Until when to keep trying.
    pub deadline: Instant,
    /// Says something to the user while it runs.
    pub say: &'a dyn Fn(&str),
}

/// The plan of one service, and how each of its changes ended.
pub struct Planned {
    /// The service.
    pub service: Service,
    /// Its changes.
    pub changes: Vec<Change>,
    /// How they ended, in the same order; empty until they did.
    pub outcomes: Vec<Outcome>,
}

impl Run<'_> {
    /// Carries out all changes, or lets the server check them.
    pub async fn drive(&self, planned: &mut [Planned], dry_run: DryRun) {
        let tasks: Vec<(usize, usize)> = planned
            .iter()
            .enumerate()
            .flat_map(|(service, one)| (0..one.changes.len()).map(move |change| (service, change)))
            .filter(|&(service, change)| planned[service].changes[change].patch.is_some())
            .collect();
        let mut outcomes: Vec<Outcome>;
        if dry_run == DryRun::Server || self.rehearse && tasks.len() > 1 {
            outcomes = self.each(planned, &tasks, DryRun::Server).await;
            let refused = outcomes.iter().any(Outcome::failed);
            if refused {
                // Nothing was written at all.
                for outcome in &mut outcomes {
                    if matches!(outcome, Outcome::Changed(_)) {
                        *outcome = Outcome::Left;
                    }
                }
            } else if dry_run == DryRun::No {
                outcomes = self.write_all(planned, &tasks).await;
            }
        } else {
            outcomes = self.write_all(planned, &tasks).await;
        }
        for one in planned.iter_mut() {
            one.outcomes = one.changes.iter().map(|_| Outcome::Unchanged).collect();
        }
        for ((service, change), outcome) in tasks.into_iter().zip(outcomes) {
            planned[service].outcomes[change] = outcome;
        }
    }

    async fn write_all(&self, planned: &mut [Planned], tasks: &[(usize, usize)]) -> Vec<Outcome> {
        let mut outcomes = self.each(planned, tasks, DryRun::No).await;
        if !outcomes.iter().any(Outcome::failed) {
            return outcomes;
        }
        for (&(service, change), outcome) in tasks.iter().zip(&mut outcomes) {
            if matches!(outcome, Outcome::Changed(_)) {
                let one = &planned[service];
                *outcome = self.put_back(&one.service, &one.changes[change]).await;
            }
        }
        outcomes
    }

    /// Sends every change, some at a time; after a refusal no further one is begun.
    async fn each(&self, planned: &mut [Planned], tasks: &[(usize, usize)], dry_run: DryRun) -> Vec<Outcome> {
        let stopped = Cell::new(false);
        let results: Vec<(usize, Outcome, Option<Change>)> = {
            let planned = &*planned;
            let stopped = &stopped;
            let sending = tasks.iter().enumerate().map(|(place, &(service, change))| async move {
                if stopped.get() {
                    return (place, Outcome::Left, None);
                }
                let one = &planned[service];
                let (outcome, replanned) = self.send(&one.service, &one.changes[change], dry_run).await;
                if outcome.failed() {
                    stopped.set(true);
                }
                (place, outcome, replanned)
            });
            futures_util::stream::iter(sending).buffer_unordered(CONCURRENCY).collect().await
        };
        let mut outcomes: Vec<Outcome> = tasks.iter().map(|_| Outcome::Left).collect();
        for (place, outcome, replanned) in results {
            if let Some(change) = replanned {
                let (service, at) = tasks[place];
                planned[service].changes[at] = change;
            }
            outcomes[place] = outcome;
        }
        outcomes
    }

    /// Sends one change; where only something unrelated moved meanwhile, sends the same change of the object as it is now.
    async fn send(&self, service: &Service, change: &Change, dry_run: DryRun) -> (Outcome, Option<Change>) {
        // Mostly the first try is the last: nothing is copied for it.
        let mut current = Cow::Borrowed(change);
        let mut service = Cow::Borrowed(service);
        for attempt in 0..2 {
            let reply = match self.patch(&service.objects[current.object], &current, dry_run).await {
                Ok(Patched::Done(warnings)) => return (Outcome::Changed(warnings), (attempt > 0).then(|| current.into_owned())),
                Ok(Patched::Refused(reply)) => reply,
                Ok(Patched::Unanswered(error)) if dry_run == DryRun::Server => return (Outcome::Refused(error), None),
                Ok(Patched::Unanswered(error)) => return (self.found_out(&service, &current, error).await, None),
                Err(error) => return (Outcome::Refused(gone(error, &service)), None),
            };
            let now = match self.cluster.reread(&service.objects[current.object]).await {
                Ok(now) => now,
                // Nothing was written, unless this answers a second try and the first was carried out.
                Err(error) if dry_run == DryRun::No && error.kind != Kind::NotFound && reply.follows_loss() => {
                    return (Outcome::Unknown(error.hint(format!("look: `tidegate status {}`", service.typed))), None);
                }
                Err(error) => return (Outcome::Refused(gone(error, &service)), None),
            };
            // The first try was carried out and its answer lost: the record is this very command's, not somebody else's.
            if dry_run == DryRun::No && current.patch.as_ref().is_some_and(|patch| patch.is_in(&now.raw)) {
                self.journal.set(&entry(&now), State::Written);
                return (Outcome::Changed(Vec::new()), (attempt > 0).then(|| current.into_owned()));
            }
            let then = std::mem::replace(&mut service.to_mut().objects[current.object], now);
            let fresh = plan::plan(&service, self.intent, self.pick, self.author).ok();
            let fresh = fresh.and_then(|changes| changes.into_iter().find(|fresh| fresh.object == current.object));
            let now = &service.objects[current.object];
            match conflict::judge(&service, &then, &current, now, fresh.as_ref()) {
                Judgement::AsWanted => return (Outcome::Unchanged, None),
                Judgement::Again(again) if attempt == 0 => current = Cow::Owned(*again),
                Judgement::ServersOwn if reply.status == 409 && attempt == 0 => {}
                Judgement::ServersOwn => return (Outcome::Refused(rejection(&reply, now)), None),
                Judgement::Conflict(error) => return (Outcome::Refused(error), None),
                Judgement::Again(_) => break,
            }
        }
        let message = format!("`{}` keeps being changed by others; nothing was written", service.name);
        (Outcome::Refused(Error::new(Kind::Conflict, message)), None)
    }

    /// After a patch without an answer: what does the object say?
    async fn found_out(&self, service: &Service, change: &Change, mut error: Error) -> Outcome {
        let object = &service.objects[change.object];
        match self.cluster.reread(object).await {
            Ok(now) if change.patch.as_ref().is_some_and(|patch| patch.is_in(&now.raw)) => {
                self.journal.set(&entry(object), State::Written);
                Outcome::Changed(Vec::new())
            }
            Ok(_) => {
                self.journal.set(&entry(object), State::Untouched);
                error.message += "; it was not carried out";
                Outcome::Refused(error)
            }
            Err(_) => {
                error.message += "; it may have been carried out";
                error.kind = Kind::Failed;
                Outcome::Unknown(error.hint(format!("look: `tidegate status {}`", service.typed)))
            }
        }
    }

    /// Patches; a way back does not give up while only the admission webhook is away.
    async fn patch(&self, object: &Object, change: &Change, dry_run: DryRun) -> Result<Patched> {
        let Some(patch) = &change.patch else {
            return Err(Error::failed(format!("nothing to change on {}", object.title())));
        };
        self.persistently(object, patch, dry_run, self.intent.verb() == "rollback").await
    }

    async fn persistently(
        &self,
        object: &Object,
        patch: &crate::core::patch::Patch,
        dry_run: DryRun,
        persist: bool,
    ) -> Result<Patched> {
        let name = entry(object);
        let mut said = false;
        loop {
            if dry_run == DryRun::No {
                self.journal.set(&name, State::Sent);
            }
            let result = self.cluster.patch(object, patch, dry_run).await;
            if dry_run == DryRun::No {
                let state = match result {
                    Ok(Patched::Done(..)) => State::Written,
                    Ok(Patched::Unanswered(_)) => State::Sent,
                    _ => State::Untouched,
                };
                self.journal.set(&name, state);
            }
            match result {
                Err(error) if persist && error.message.contains("admission webhook") && error.kind == Kind::Unreachable => {
                    if Instant::now() + WEBHOOK_PAUSE >= self.deadline {
                        return Err(error);
                    }
                    if !said {
                        let left = self.deadline.saturating_duration_since(Instant::now()).as_secs();
                        (self.say)(&format!("{}; trying again for {left} s\n", error.message));
                        said = true;
                    }
                    tokio::time::sleep(WEBHOOK_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// Takes back what was written a moment ago.
    async fn put_back(&self, service: &Service, change: &Change) -> Outcome {
        let object = &service.objects[change.object];
        match self.persistently(object, &change.inverse, DryRun::No, true).await {
            Ok(Patched::Done(..)) => Outcome::Undone,
            Ok(Patched::Refused(reply)) => match self.cluster.reread(object).await {
                Ok(now) if change.inverse.is_in(&now.raw) => Outcome::Undone,
                Ok(now) if change.inverse.broken(&now.raw).is_some() => {
                    let by = now.writer.as_ref().map_or("somebody else", |writer| &writer.manager);
                    Outcome::Stuck(Error::new(Kind::Conflict, format!("{} was changed again by {by}", object.title())))
                }
                _ => Outcome::Stuck(rejection(&reply, object)),
            },
            Ok(Patched::Unanswered(error)) => match self.cluster.reread(object).await {
                Ok(now) if change.inverse.is_in(&now.raw) => Outcome::Undone,
                _ => Outcome::Stuck(error),
            },
            Err(error) => Outcome::Stuck(error),
        }
    }
}

/// The name of an object in the journal.
fn entry(object: &Object) -> String {
    format!("{}/{}", object.namespace, object.name)
}

fn gone(error: Error, service: &Service) -> Error {
    match error.kind {
        Kind::NotFound => {
            Error::new(Kind::Conflict, format!("`{}` was deleted while this ran; nothing was written", service.name))
        }
        _ => error,
    }
}
