//! The release of a service that records none: what earlier versions of its manifests say of it.
//!
//! A version in which each split route sends everything to one destination is settled. Between two settled versions that
//! differ lies a release; where the weights came back to the version before, it was undone.

use super::draft::infer_roles;
use super::object::Object;
use super::patch::Patch;
use super::placed::{field, placed};
use super::plan::Move;
use super::release::{Labelled, Phase, Release};
use super::route::Route;
use super::select::Service;
use crate::error::{Error, Kind, Result};
use json_patch::PatchOperation;
use serde_json::{Value, json};

/// Earlier versions, looked at from the newest to the oldest.
pub struct Past<'a> {
    service: &'a Service,
    /// Whether a version was seen that stands as the manifests do now.
    present: bool,
    /// Whether the oldest of those versions was made by a rollback.
    undone: bool,
    /// Whether the weights were between two sides before they became what they are.
    moved: bool,
    /// Where to go back to, unless an older version says that it was left for good.
    back: Option<Vec<Release>>,
}

impl<'a> Past<'a> {
    /// Nothing is known yet.
    pub fn new(service: &'a Service) -> Self {
        Self { service, present: false, undone: false, moved: false, back: None }
    }

    /// Looks at the next older version, which `name` names; `rolled_back` where a rollback made it. Gives the release of
    /// each object once it is certain.
    ///
    /// # Errors
    /// `Conflict` where the version to go back to has other routes, `Usage` where two can be meant.
    pub fn look(&mut self, objects: &[Object], name: &str, rolled_back: bool) -> Result<Option<Vec<Release>>> {
        let releases: Vec<(Release, Option<String>)> =
            self.service.objects.iter().zip(objects).map(|(now, then)| release(now, then, name)).collect();
        let same = releases.iter().all(|(release, gone)| gone.is_none() && release.before.is_empty());
        if same && self.back.is_none() && !self.moved {
            (self.present, self.undone) = (true, rolled_back);
            return Ok(None);
        }
        // Of two objects with one name a rollback moves the one that stood otherwise before.
        if self.undone {
            return Ok(Some(self.undone()));
        }
        if !settled(objects) {
            self.moved = true;
            return Ok(None);
        }
        if let Some(back) = self.back.take() {
            return if same { Err(self.uncertain(name)) } else { Ok(Some(back)) };
        }
        if same {
            return Ok(Some(self.undone()));
        }
        if let Some(id) = releases.iter().find_map(|(_, gone)| gone.as_ref()) {
            let message = format!("`{}` has other routes now than in {name}, which it would go back to: {id}", self.service.name);
            return Err(Error::new(Kind::Conflict, message));
        }
        let phase = if settled(&self.service.objects) { Phase::Complete } else { Phase::Progressing };
        let back: Vec<Release> = releases.into_iter().map(|(release, _)| Release { phase, ..release }).collect();
        if self.present || phase == Phase::Progressing {
            return Ok(Some(back));
        }
        // What is not committed yet may be the way back itself: then the version before is what stands now.
        self.back = Some(back);
        Ok(None)
    }

    /// Whether the version looked at last, or one before it, is where to go back to as far as is known.
    pub fn leads(&self) -> bool {
        self.back.is_some()
    }

    /// When there are no older versions.
    pub fn end(self) -> Option<Vec<Release>> {
        let undone = self.undone.then(|| self.undone());
        undone.or(self.back)
    }

    /// What is not committed stands as it did before the newest commit: it is the way back from there, or a way there anew.
    fn uncertain(&self, name: &str) -> Error {
        let weights = self.service.routes().map(|chosen| chosen.route.weights()).find(|weights| weights.len() > 1);
        let served = weights.unwrap_or_default().into_iter().find(|(_, weight)| *weight > 0).map(|(label, _)| label);
        let message = format!(
            "it is not certain where `{}` is to go: what is not committed stands as it did in {name}, and sends everything to {}",
            self.service.name,
            served.unwrap_or_default()
        );
        Error::usage(message)
    }

    /// As a release is recorded that was rolled back: it leads to what stands.
    fn undone(&self) -> Vec<Release> {
        let stays = |object: &Object| {
            let before = splits(object).map(|route| (route.id.to_string(), route.weights())).collect();
            Release { phase: Phase::Undone, before, ..empty("") }
        };
        self.service.objects.iter().map(stays).collect()
    }
}

fn splits(object: &Object) -> impl Iterator<Item = &Route> {
    object.routes.iter().filter(|route| route.destinations().len() > 1)
}

fn settled(objects: &[Object]) -> bool {
    let one = |route: &Route| route.destinations().iter().filter(|to| to.weight.value() > 0).count() == 1;
    let mut all = objects.iter().flat_map(splits).peekable();
    all.peek().is_some() && all.all(one)
}

fn empty(name: &str) -> Release {
    Release {
        id: name.to_owned(),
        phase: Phase::Progressing,
        stable: None,
        candidate: None,
        since: name.to_owned(),
        by: String::new(),
        before: Vec::new(),
        undo: Patch::default(),
    }
}

/// The release that would lead back from `now` to `then`, of what differs; and the route that cannot be found again.
fn release(now: &Object, then: &Object, name: &str) -> (Release, Option<String>) {
    let mut undo = Patch::default();
    let mut before = Vec::new();
    for route in splits(then) {
        let index = route.id.index.to_string();
        let base = ["spec", route.id.protocol.key(), index.as_str()];
        for key in ["match", "name"] {
            undo.guard(base.into_iter().chain([key]), field(then, route.id, key));
        }
        for (place, to) in route.destinations().iter().enumerate() {
            let pointer = format!("route/{place}/destination");
            let place = place.to_string();
            let base = base.into_iter().chain(["route", place.as_str()]);
            undo.guard(base.clone().chain(["destination"]), field(then, route.id, &pointer));
            undo.set(base.chain(["weight"]), json!(to.weight.value()));
        }
        before.push((route.id.to_string(), route.weights()));
    }
    let whole = Release { before, undo, ..empty(name) };
    let (found, gone) = placed(&whole, now);
    let mut release = found.into_owned();
    let mut gone = gone.into_iter().next();
    let mut moves = Vec::new();
    let mut kept = Vec::new();
    for route in splits(now) {
        let id = route.id.to_string();
        let then = release.before.iter().find(|(known, _)| *known == id).map(|(_, then)| then);
        let weight = |label: &String| then?.iter().find(|(known, _)| known == label).map(|(_, weight)| *weight);
        let before: Option<Labelled> =
            route.weights().into_iter().map(|(label, _)| weight(&label).map(|weight| (label, weight))).collect();
        let Some(before) = before else {
            gone = gone.or(Some(id));
            continue;
        };
        let one = Move { route: route.id, name: route.name.clone(), before, after: route.weights(), added: None };
        // What stands as it did is no part of the release.
        if one.changes() {
            kept.push((id, one.before.clone()));
        }
        moves.push(one);
    }
    release.before = kept;
    release.undo.retain(|one| match one {
        PatchOperation::Add(add) => add.value != add.path.resolve(&now.raw).ok().and_then(Value::as_u64).unwrap_or(0),
        _ => true,
    });
    infer_roles(&mut release, &moves);
    (release, gone)
}

#[cfg(test)]
mod tests;
