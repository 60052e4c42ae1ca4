//! Moves the traffic of a stage, and moves it back: the same plans, records and patches as `shift`, `promote` and
//! `rollback`.

use super::look;
use crate::cluster::{Cluster, DryRun};
use crate::core::check;
use crate::core::delivery::run::{Run, StageRun};
use crate::core::object::Object;
use crate::core::plan::{self, Author, Change, Intent};
use crate::core::release::Labelled;
use crate::core::select::Service;
use crate::error::{Error, Kind, Result};
use crate::exec::{self, Journal, Outcome, Planned};
use serde_json::Value;
use std::time::Instant;

/// Who moves traffic, for which run, and until when it is tried.
pub struct Mover<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// What stands.
    pub journal: &'a Journal,
    /// Who, when and why.
    pub author: Author,
    /// Until when to keep trying.
    pub deadline: Instant,
    /// Says something while it runs.
    pub say: Box<dyn Fn(&str) + 'a>,
}

/// A change of traffic that is planned and checked.
pub struct Prepared {
    intent: Intent,
    planned: Planned,
}

impl Prepared {
    /// The objects as the change leaves them.
    pub fn after(&self) -> Vec<Value> {
        let changes = &self.planned.changes;
        let after = |(index, object): (usize, &Object)| {
            let change = changes.iter().find(|change| change.object == index);
            let patched = change.and_then(|change| change.patch.as_ref()).and_then(|patch| patch.applied(&object.raw));
            lean(patched.unwrap_or_else(|| object.raw.clone()))
        };
        self.planned.service.objects.iter().enumerate().map(after).collect()
    }
}

impl Prepared {
    /// Whether somebody moved the traffic away from where the run left it: who, and to what.
    pub fn drifted(&self, expected: &Labelled) -> Option<String> {
        if !self.planned.changes.iter().any(Change::changes) {
            // A process that is gone has carried this out already.
            return None;
        }
        let moves = self.planned.changes.iter().flat_map(|change| &change.moves);
        let now = moves.map(|one| &one.before).find(|now| !expected.iter().all(|pair| now.contains(pair)))?;
        let writer = self.planned.service.objects.iter().find_map(|object| object.writer.as_ref());
        let who = writer.map_or("somebody else", |writer| &writer.manager);
        Some(format!("{who} moved the traffic meanwhile: {}", crate::ui::weights_of(now)))
    }

    /// The weights that it leads to.
    pub fn told(&self) -> String {
        weights(&self.planned.changes)
    }
}

/// Without what the way back does not look at.
fn lean(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    object
}

impl Mover<'_> {
    /// Plans a change of a stage's traffic, and checks that somebody answers where it goes.
    ///
    /// # Errors
    /// As the planner and the checks say.
    pub async fn prepare(&self, run: &Run, stage: &StageRun, intent: Intent) -> Result<Prepared> {
        let mut found = self.cluster.find(&look::reference(&run.service, &stage.namespace), true).await?;
        let mut service = found
            .services
            .pop()
            .ok_or_else(|| Error::not_found(format!("no service `{}` in {}", run.service, stage.namespace)))?;
        service.typed = format!("{} -n {}", run.service, stage.namespace);
        let changes = plan::plan(&service, &intent, None, &self.author)?;
        let mut planned = vec![(service, changes)];
        self.cluster.complete(&planned, &mut found.facts).await?;
        let (service, changes) = planned.remove(0);
        check::destinations(&service, &changes, &found.facts)?;
        for warning in check::warnings(&service, &changes, &found.facts) {
            (self.say)(&format!("warning: {warning}"));
        }
        Ok(Prepared { intent, planned: Planned { service, changes, outcomes: Vec::new() } })
    }

    /// Sends what was prepared.
    ///
    /// # Errors
    /// As the API server says; `Failed` where it is not known whether it was carried out.
    pub async fn send(&self, prepared: &mut Prepared) -> Result<()> {
        let mut planned = [std::mem::replace(&mut prepared.planned, nothing())];
        let result = self.drive(&prepared.intent, &mut planned).await;
        let [one] = planned;
        prepared.planned = one;
        result
    }

    /// Puts the weights back that the last change of the run left behind it: planned from the run's own record, so that
    /// nothing need be read. Without a record what stands decides.
    ///
    /// # Errors
    /// `Conflict` where somebody else moved the traffic meanwhile; as the API server says.
    pub async fn back(&self, run: &Run, stage: &StageRun) -> Result<String> {
        let recorded: Vec<Object> = stage.routed.iter().cloned().map(Object::read).collect();
        if !recorded.is_empty() {
            let service = Service {
                name: run.service.clone(),
                typed: format!("{} -n {}", run.service, stage.namespace),
                objects: recorded,
            };
            let changes = plan::plan(&service, &Intent::Rollback, None, &self.author)?;
            let told = weights(&changes);
            let mut planned = [Planned { service, changes, outcomes: Vec::new() }];
            match self.drive(&Intent::Rollback, &mut planned).await {
                Ok(()) => return Ok(told),
                Err(error) if error.kind == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        self.back_by_reading(run, stage).await
    }

    /// What stands decides: traffic that is not on the version needs no way back.
    async fn back_by_reading(&self, run: &Run, stage: &StageRun) -> Result<String> {
        let service = look::service(self.cluster, run, stage).await?;
        let to = stage.before.as_ref().and_then(|before| before.to.as_deref()).unwrap_or_default();
        let on_version = service.routes().any(|chosen| {
            chosen.route.destinations().len() > 1
                && chosen.route.find(to).is_ok_and(|place| chosen.route.destinations()[place].weight.value() > 0)
        });
        if !on_version {
            let mut routes = service.routes().filter(|chosen| chosen.route.destinations().len() > 1);
            return Ok(routes.next().map(|chosen| crate::ui::weights_of(&chosen.route.weights())).unwrap_or_default());
        }
        let writer = service.objects.iter().find_map(|object| object.writer.as_ref());
        let who = writer.map_or("somebody else", |writer| &writer.manager);
        Err(Error::new(Kind::Conflict, format!("the traffic of `{}` was moved by {who} meanwhile", service.typed)))
    }

    async fn drive(&self, intent: &Intent, planned: &mut [Planned]) -> Result<()> {
        let run = exec::Run {
            cluster: self.cluster,
            intent,
            pick: None,
            author: &self.author,
            rehearse: true,
            journal: self.journal,
            deadline: self.deadline,
            say: &self.say,
        };
        run.drive(planned, DryRun::No).await;
        for outcome in planned.iter().flat_map(|one| &one.outcomes) {
            match outcome {
                Outcome::Changed(_) | Outcome::Unchanged => {}
                Outcome::Refused(error) | Outcome::Unknown(error) | Outcome::Stuck(error) => return Err(error.clone()),
                Outcome::Undone | Outcome::Left => return Err(Error::failed("another object refused the change")),
            }
        }
        Ok(())
    }
}

/// The weights after some changes, of the first route that moves.
fn weights(changes: &[Change]) -> String {
    let first = changes.iter().flat_map(|change| &change.moves).next();
    first.map(|one| crate::ui::weights_of(&one.after)).unwrap_or_default()
}

fn nothing() -> Planned {
    let service = Service { name: String::new(), typed: String::new(), objects: Vec::new() };
    Planned { service, changes: Vec::new(), outcomes: Vec::new() }
}
