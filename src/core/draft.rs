//! From target weights to a change: the division of what is left, the guarded edits, the record, the way back.

use super::object::Object;
use super::patch::{MAX_OPERATIONS, Patch};
use super::placed::{self, placed};
use super::plan::{Author, Change, Move};
use super::release::{self, Labelled, Phase, Release, Revision};
use super::route::{Destination, Protocol, Route, Stored};
use super::select::{Chosen, Service};
use super::shell;
use super::weight::{SUMS, Weights, apportion};
use crate::error::{Error, Kind, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// So many operations the record takes.
const RECORD: usize = 3;

/// More bytes of annotations than this an object cannot have (`TotalAnnotationSizeLimitB`).
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The weights that a route is to have.
pub(super) struct Target {
    pub weights: Vec<u32>,
    pub added: Option<Added>,
}

/// A destination beside the single one there is.
pub(super) struct Added {
    label: String,
    entry: Value,
    weight: u32,
}

pub(super) fn target(service: &Service, chosen: Chosen<'_>, weights: &Weights) -> Result<Target> {
    let route = chosen.route;
    let pairs = match weights {
        Weights::Positional(values) => return Ok(Target { weights: values.clone(), added: None }),
        Weights::Named(pairs) => pairs,
    };
    let mut places: Vec<(usize, u32)> = Vec::new();
    let mut added = None;
    for (name, weight) in pairs {
        match route.find(name) {
            Ok(place) => places.push((place, *weight)),
            Err(_) => {
                let raw = &service.objects[chosen.object].raw;
                let mut entry = raw
                    .pointer(&format!("/spec/{}/{}/route/0", route.id.protocol.key(), route.id.index))
                    .cloned()
                    .ok_or_else(|| Error::failed(format!("{} has no destination", route.id)))?;
                entry["destination"]["subset"] = json!(name);
                entry["weight"] = json!(weight);
                added = Some(Added { label: name.clone(), entry, weight: *weight });
            }
        }
    }
    for (index, (place, _)) in places.iter().enumerate() {
        if places[..index].iter().any(|(other, _)| other == place) {
            let label = &route.destinations()[*place].label;
            return Err(Error::usage(format!("`--weights` names {label} twice")));
        }
    }
    // Beside a destination that is added there is only the one that was named.
    let weights = match (&added, places.as_slice()) {
        (Some(_), [(_, weight)]) => vec![*weight],
        _ => divide(service, route, &places, weights.sum())?,
    };
    Ok(Target { weights, added })
}

pub(super) fn all_to(service: &Service, chosen: Chosen<'_>, winner: &str, loser: &str) -> Result<Target> {
    let route = chosen.route;
    let place = |label: &str| {
        route.find(label).map_err(|_| {
            Error::new(Kind::Conflict, format!("{} of `{}` has no destination `{label}` any more", route.id, service.name))
        })
    };
    let total: u64 = route.destinations().iter().map(|to| u64::from(to.weight.value())).sum();
    let sum = if SUMS.contains(&total) { total } else { SUMS[0] };
    let places = [(place(winner)?, u32::try_from(sum).unwrap_or(100)), (place(loser)?, 0)];
    Ok(Target { weights: divide(service, route, &places, sum)?, added: None })
}

/// Weights that sum to `sum`: destinations that are not named keep their share, the named ones divide the rest.
fn divide(service: &Service, route: &Route, named: &[(usize, u32)], sum: u64) -> Result<Vec<u32>> {
    let current: Vec<u64> = route.destinations().iter().map(|to| u64::from(to.weight.value())).collect();
    let is_named = |place: usize| named.iter().find(|(index, _)| *index == place).map(|(_, weight)| u64::from(*weight));
    let total: u64 = current.iter().sum();
    let others: u64 = current.iter().enumerate().filter(|(place, _)| is_named(*place).is_none()).map(|(_, weight)| weight).sum();
    if current.len() > named.len() && total > 0 && others == total {
        let holders = route.destinations().iter().filter(|to| to.weight.value() > 0).map(|to| to.label.as_str());
        let holders: Vec<&str> = holders.collect();
        return Err(Error::usage(format!(
            "{} of `{}`: {} has all the traffic, so there is nothing to divide; name it too",
            route.id,
            service.name,
            holders.join(", ")
        )));
    }
    if let ([(place, weight)], true) = (named, others > 0) {
        // One alone divides nothing: it would stay where it is, and look as if it had been moved.
        let all = current.iter().enumerate().map(|(index, _)| if index == *place { *weight } else { 0 });
        let labelled = route.destinations().iter().zip(all).map(|(to, weight)| format!("{}={weight}", to.label));
        let labelled: Vec<String> = labelled.collect();
        let label = &route.destinations()[*place].label;
        return Err(Error::usage(format!(
            "`{label}={weight}` alone changes nothing on {} of `{}`: destinations that are not named keep their share",
            route.id, service.name
        ))
        .hint(format!(
            "name them all: `tidegate shift {} --weights {}`",
            service.typed,
            shell::quoted(&labelled.join(","))
        )));
    }
    // In units of 1/(total·sum): another's share is weight/total, a named one's weight/sum of what the others leave.
    let rest = if total == 0 { 1 } else { total - others };
    let share = |place: usize| match is_named(place) {
        Some(weight) => weight * rest,
        None => current[place] * sum,
    };
    let shares: Vec<u64> = (0..current.len()).map(share).collect();
    Ok(apportion(sum, &shares).into_iter().map(|part| u32::try_from(part).unwrap_or(u32::MAX)).collect())
}

/// What the changes of one command have in common.
pub(super) struct Draft<'a> {
    pub verb: &'static str,
    pub phase: Phase,
    /// Stable and candidate, where the command knows them.
    pub roles: Option<(String, String)>,
    /// Begins a release of its own even where one is in progress.
    pub fresh: bool,
    pub author: &'a Author,
}

impl Draft<'_> {
    /// One change an object, in the order of the service's objects.
    pub fn changes(&self, service: &Service, targets: Vec<(Chosen<'_>, Target)>) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        for (index, object) in service.objects.iter().enumerate() {
            let own: Vec<(&Route, &Target)> = targets
                .iter()
                .filter(|(chosen, _)| chosen.object == index)
                .map(|(chosen, target)| (chosen.route, target))
                .collect();
            if !own.is_empty() {
                changes.push(self.change(index, object, &own)?);
            }
        }
        Ok(changes)
    }

    fn change(&self, index: usize, object: &Object, targets: &[(&Route, &Target)]) -> Result<Change> {
        let mut patch = Patch::default();
        patch.guard(["metadata", "uid"], json!(object.uid));
        let mut edits = Patch::default();
        let mut moves = Vec::new();
        for (route, target) in targets {
            moves.push(move_of(route, target));
            if !moves[moves.len() - 1].changes() {
                continue;
            }
            guard_route(&mut patch, object, route);
            edit_route(&mut edits, route, target);
        }
        patch.extend(edits);
        if patch.operations().len() + RECORD > MAX_OPERATIONS {
            return Err(Error::usage(format!(
                "{} routes of {} at once are more than the API server takes in one patch ({} operations, at most {MAX_OPERATIONS})",
                moves.len(),
                object.title(),
                patch.operations().len() + RECORD
            ))
            .hint("choose some of them with `--route`"));
        }
        let release = self.release(object, targets, &moves);
        let unchanged = !moves.iter().any(Move::changes);
        let in_progress = object.release.as_ref().is_some_and(|release| release.phase == Phase::Progressing);
        if unchanged && (self.phase == Phase::Progressing || !in_progress) {
            return Ok(Change { object: index, moves, patch: None, inverse: Patch::default(), way_back: None });
        }
        let inverse = restore(object, &moves, &patch);
        let way_back = (release.phase != Phase::Undone).then(|| release.before.clone());
        if self.record(object, &moves, release, &mut patch) > MAX_ANNOTATIONS {
            return Err(Error::usage(format!(
                "the way back of {} routes of {} at once is more than the API server keeps with an object ({MAX_ANNOTATIONS} bytes of annotations)",
                moves.len(),
                object.title()
            ))
            .hint("choose some of them with `--route`"));
        }
        Ok(Change { object: index, moves, patch: Some(patch), inverse, way_back })
    }

    /// The release after this change: the one in progress, or a new one whose before-image is what was read.
    fn release(&self, object: &Object, targets: &[(&Route, &Target)], moves: &[Move]) -> Release {
        let goes_on = |release: &Release| release.phase == Phase::Progressing || self.phase == Phase::Undone;
        let current = object.release.as_ref().filter(|release| goes_on(release) && !self.fresh);
        let current = current.map(|release| placed(release, object).0.into_owned()).filter(|found| !found.before.is_empty());
        let mut release = current.unwrap_or_else(|| Release {
            id: format!("{}-{}", object.name, self.author.at.replace([':', '-'], "").trim_end_matches('Z').replace('T', "-")),
            phase: self.phase,
            stable: None,
            candidate: None,
            since: self.author.at.clone(),
            by: self.author.by.clone(),
            before: Vec::new(),
            undo: Patch::default(),
        });
        // A way back is not a step that has one itself.
        let steps = targets.iter().zip(moves).filter(|_| self.phase != Phase::Undone);
        for ((route, target), change) in steps {
            remember(&mut release.before, &mut release.undo, object, route, target, change);
        }
        match &self.roles {
            Some((stable, candidate)) => {
                release.stable = Some(stable.clone());
                release.candidate = Some(candidate.clone());
            }
            None => infer_roles(&mut release, moves),
        }
        let back = |(id, before): &(String, Labelled)| {
            let now = moves.iter().find(|one| one.route.to_string() == *id).map(|one| one.after.clone());
            let now = now.or_else(|| object.routes.iter().find(|route| route.id.to_string() == *id).map(Route::weights));
            now.is_some_and(|now| before.iter().all(|was| now.contains(was)))
        };
        // Shifting back by hand is a rollback too.
        let back = self.phase == Phase::Progressing && !release.before.is_empty() && release.before.iter().all(back);
        release.phase = if back { Phase::Undone } else { self.phase };
        release
    }

    /// Writes release and history in the same patch as the weights, so that they cannot disagree. Returns the bytes of all
    /// annotations then.
    pub fn record(&self, object: &Object, moves: &[Move], release: Release, patch: &mut Patch) -> usize {
        let routes = |side: fn(&Move) -> &Labelled| moves.iter().map(|one| (one.route.to_string(), side(one).clone())).collect();
        let condition = |one: &Move| object.routes.iter().find(|route| route.id == one.route)?.condition.clone();
        let only: BTreeMap<String, String> =
            moves.iter().filter_map(|one| Some((one.route.to_string(), condition(one)?))).collect();
        let mut history = object.history.clone();
        if history.is_empty() {
            let by = object.writer.as_ref().map_or_else(|| "unknown".to_owned(), |writer| writer.manager.clone());
            let at = object.writer.as_ref().map_or_else(|| object.created.clone(), |writer| writer.at.clone());
            let (verb, routes, only) = ("found".into(), routes(|one| &one.before), only.clone());
            history.push(Revision { revision: 1, at, by, verb, routes, only, reason: None });
        }
        let next = history.last().map_or(1, |last| last.revision.saturating_add(1));
        let (at, by, reason) = (self.author.at.clone(), self.author.by.clone(), self.author.reason.clone());
        history.push(Revision { revision: next, at, by, verb: self.verb.into(), routes: routes(|one| &one.after), only, reason });
        let entries = [(release::RELEASE, release.render()), (release::HISTORY, release::render_history(&history))];
        let annotations = object.raw.pointer("/metadata/annotations").and_then(Value::as_object);
        let others =
            annotations.into_iter().flatten().filter(|(key, _)| ![release::RELEASE, release::HISTORY].contains(&key.as_str()));
        let others: usize = others.map(|(key, text)| key.len() + text.as_str().map_or(0, str::len)).sum();
        let size = others + entries.iter().map(|(key, text)| key.len() + text.len()).sum::<usize>();
        let Some(annotations) = annotations else {
            let all: serde_json::Map<String, Value> =
                entries.into_iter().map(|(key, text)| (key.to_owned(), json!(text))).collect();
            patch.guard(["metadata", "annotations"], Value::Null).set(["metadata", "annotations"], Value::Object(all));
            return size;
        };
        let old = annotations.get(release::RELEASE).cloned().unwrap_or(Value::Null);
        patch.guard(["metadata", "annotations", release::RELEASE], old);
        for (key, text) in entries {
            patch.set(["metadata", "annotations", key], json!(text));
        }
        size
    }
}

pub(super) fn move_of(route: &Route, target: &Target) -> Move {
    let labels = route.destinations().iter().map(|to| to.label.clone());
    let mut after: Labelled = labels.zip(target.weights.iter().copied()).collect();
    let mut before = route.weights();
    let added = target.added.as_ref().map(|added| {
        // A single destination has everything, whatever its weight says.
        before[0].1 = after[0].1 + added.weight;
        before.push((added.label.clone(), 0));
        after.push((added.label.clone(), added.weight));
        added.label.clone()
    });
    Move { route: route.id, name: route.name.clone(), before, after, added }
}

/// Guards on everything that says which route this is and what it holds.
fn guard_route(patch: &mut Patch, object: &Object, route: &Route) {
    let index = route.id.index.to_string();
    let base = ["spec", route.id.protocol.key(), index.as_str()];
    let raw = object.raw.pointer(&format!("/spec/{}/{}", route.id.protocol.key(), route.id.index));
    let field = |key: &str| raw.and_then(|raw| raw.get(key)).cloned().unwrap_or(Value::Null);
    for key in ["match", "name"] {
        if route.id.protocol == Protocol::Http || key == "match" {
            patch.guard(base.into_iter().chain([key]), field(key));
        }
    }
    patch.guard(base.into_iter().chain(["route"]), field("route"));
}

fn edit_route(edits: &mut Patch, route: &Route, target: &Target) {
    let index = route.id.index.to_string();
    let base = ["spec", route.id.protocol.key(), index.as_str(), "route"];
    let weights = match &target.added {
        Some(added) => vec![move_of(route, target).after[0].1, added.weight],
        None => target.weights.clone(),
    };
    for (place, (to, weight)) in route.destinations().iter().zip(&weights).enumerate() {
        let place = place.to_string();
        let path = base.into_iter().chain([place.as_str(), "weight"]);
        match to.weight {
            Stored::Missing if *weight == 0 => {}
            Stored::Missing => drop(edits.set(path, json!(weight))),
            Stored::Number(old) if old == *weight => {}
            // A quoted weight is written anew even where it stays: the API server refuses the route otherwise.
            Stored::Number(_) | Stored::Quoted(_) => drop(edits.replace(path, json!(weight))),
        }
    }
    if let Some(added) = &target.added {
        edits.set(base.into_iter().chain(["1"]), added.entry.clone());
    }
}

/// Adds to the before-image what this change is the first of the release to touch, and its way back.
fn remember(
    before: &mut Vec<(String, Labelled)>,
    undo: &mut Patch,
    object: &Object,
    route: &Route,
    target: &Target,
    change: &Move,
) {
    let id = route.id.to_string();
    let index = route.id.index.to_string();
    let base = ["spec", route.id.protocol.key(), index.as_str(), "route"];
    let at = before.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
        // Another route can have the same destinations: which requests it takes tells them apart.
        undo.guard([base[0], base[1], base[2], "match"], placed::field(object, route.id, "match"));
        if route.name.is_some() {
            undo.guard([base[0], base[1], base[2], "name"], placed::field(object, route.id, "name"));
        }
        before.push((id, Vec::new()));
        before.len() - 1
    });
    let identity = |place: usize, to: Option<&Destination>| match (to, &target.added) {
        (Some(_), _) => object
            .raw
            .pointer(&format!("/spec/{}/{}/route/{place}/destination", route.id.protocol.key(), route.id.index))
            .cloned(),
        (None, Some(added)) => added.entry.get("destination").cloned(),
        (None, None) => None,
    };
    for (place, ((label, was), (_, now))) in change.before.iter().zip(&change.after).enumerate() {
        if was == now || before[at].1.iter().any(|(known, _)| known == label) {
            continue;
        }
        before[at].1.push((label.clone(), *was));
        let place_text = place.to_string();
        let place_base = base.into_iter().chain([place_text.as_str()]);
        if let Some(identity) = identity(place, route.destinations().get(place)) {
            undo.guard(place_base.clone().chain(["destination"]), identity);
        }
        undo.set(place_base.chain(["weight"]), json!(was));
    }
}

/// Candidate is the only one that gains, from nothing; stable is the only one that loses. Anything else is uncertain, and
/// stays so.
pub(super) fn infer_roles(release: &mut Release, moves: &[Move]) {
    let Some(first) = moves.iter().find(|one| one.changes()) else { return };
    if release.stable.is_some() || release.candidate.is_some() {
        return;
    }
    if let ([stable], [candidate]) = (first.losing().as_slice(), first.gaining().as_slice())
        && let (Some((stable, _)), Some((candidate, 0))) = (first.before.get(*stable), first.before.get(*candidate))
    {
        release.stable = Some(stable.clone());
        release.candidate = Some(candidate.clone());
    }
}

/// The exact inverse of `patch`'s edits on `object`: the route lists and annotations as they were, guarded by the lists
/// as this change leaves them.
pub(super) fn restore(object: &Object, moves: &[Move], patch: &Patch) -> Patch {
    let mut inverse = Patch::default();
    let Some(after) = patch.applied(&object.raw) else { return inverse };
    inverse.guard(["metadata", "uid"], json!(object.uid));
    for one in moves.iter().filter(|one| one.changes()) {
        let index = one.route.index.to_string();
        let path = ["spec", one.route.protocol.key(), index.as_str(), "route"];
        let pointer = format!("/spec/{}/{}/route", one.route.protocol.key(), one.route.index);
        if let (Some(old), Some(new)) = (object.raw.pointer(&pointer), after.pointer(&pointer)) {
            inverse.guard(path, new.clone()).replace(path, old.clone());
        }
    }
    for key in [release::RELEASE, release::HISTORY] {
        match object.annotation(key) {
            Some(text) => inverse.set(["metadata", "annotations", key], json!(text)),
            None => inverse.remove(["metadata", "annotations", key]),
        };
    }
    inverse
}
