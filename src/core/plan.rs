//! From an intent and what was read to the changes: per object the moves, one guarded patch, and its inverse.

use super::object::Object;
use super::patch::{MAX_OPERATIONS, Patch};
use super::release::{self, Labelled, Phase, Release, Revision};
use super::route::{Destination, Route, RouteId, Stored};
use super::select::{self, Chosen, RoutePick, Service};
use super::suggest;
use super::weight::{SUMS, Weights, apportion};
use crate::error::{Error, Kind, Result};
use serde_json::{Value, json};

/// Who changes something, when and why.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who.
    pub by: String,
    /// Now, RFC 3339 in UTC.
    pub at: String,
    /// Why, where the user said.
    pub reason: Option<String>,
}

/// What the user wants of a service.
#[derive(Clone, Debug)]
pub enum Intent {
    /// These weights.
    Shift(Weights),
    /// The candidate, or the destination named, gets everything.
    Promote(Option<String>),
    /// Traffic as it was before the release began.
    Rollback,
    /// The destination named gets everything, as an emergency.
    RollbackTo(String),
    /// Traffic as a revision of the history left it.
    RollbackRevision(u32),
}

impl Intent {
    /// The command's name.
    pub fn verb(&self) -> &'static str {
        match self {
            Intent::Shift(_) => "shift",
            Intent::Promote(_) => "promote",
            Intent::Rollback | Intent::RollbackTo(_) | Intent::RollbackRevision(_) => "rollback",
        }
    }

    /// The word for it done: `shifted`.
    pub fn done(&self) -> &'static str {
        match self {
            Intent::Shift(_) => "shifted",
            Intent::Promote(_) => "promoted",
            _ => "rolled back",
        }
    }
}

/// The change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place in [`Service::objects`].
    pub object: usize,
    /// What moves, route by route.
    pub moves: Vec<Move>,
    /// The patch; `None` where everything is as wanted.
    pub patch: Option<Patch>,
    /// The patch that takes exactly this change back; holds until somebody else changes the routes.
    pub inverse: Patch,
    /// The weights to which `rollback` returns after this change, where there is a way back.
    pub way_back: Option<Vec<(String, Labelled)>>,
}

/// The change of one route.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Which.
    pub route: RouteId,
    /// Its name.
    pub name: Option<String>,
    /// The weights as they are.
    pub before: Labelled,
    /// The weights as they are to be.
    pub after: Labelled,
    /// The destination that is added.
    pub added: Option<String>,
}

impl Move {
    /// Whether any weight changes.
    pub fn changes(&self) -> bool {
        self.before != self.after
    }

    /// The places of the destinations whose part of the traffic grows, whatever the weights sum to before and after.
    pub fn gaining(&self) -> Vec<usize> {
        growing(&self.before, &self.after)
    }

    /// The places of the destinations whose part of the traffic shrinks.
    pub fn losing(&self) -> Vec<usize> {
        growing(&self.after, &self.before)
    }
}

/// The places whose part is greater in `after` than in `before`, by more than what rounding to whole weights makes of it.
fn growing(before: &Labelled, after: &Labelled) -> Vec<usize> {
    let sum = |side: &Labelled| -> u128 { side.iter().map(|(_, weight)| u128::from(*weight)).sum() };
    let (all_before, all_after) = (sum(before), sum(after));
    let grows = |place: &usize| {
        let weight = |side: &Labelled| side.get(*place).map_or(0, |(_, weight)| u128::from(*weight));
        // Fractions of nothing are none.
        match (all_before, all_after) {
            (_, 0) => false,
            (0, _) => weight(after) > 0,
            _ => weight(after) * all_before >= weight(before) * all_after + all_before.min(all_after),
        }
    };
    (0..after.len()).filter(grows).collect()
}

impl Change {
    /// Whether any weight changes.
    pub fn changes(&self) -> bool {
        self.moves.iter().any(Move::changes)
    }
}

/// Plans `intent` for `service`.
///
/// # Errors
/// `NotFound` where no route fits, `Usage` where several do or roles are uncertain, `Conflict` where the way back is
/// blocked by another's change.
pub fn plan(service: &Service, intent: &Intent, pick: Option<&RoutePick>, author: &Author) -> Result<Vec<Change>> {
    match intent {
        Intent::Shift(weights) => shift(service, weights, pick, author),
        Intent::Promote(None) => promote(service, pick, author),
        Intent::Promote(Some(to)) | Intent::RollbackTo(to) => everything_to(service, intent, to, pick, author),
        Intent::Rollback => rollback(service, author),
        Intent::RollbackRevision(number) => rollback_revision(service, *number, author),
    }
}

fn shift(service: &Service, weights: &Weights, pick: Option<&RoutePick>, author: &Author) -> Result<Vec<Change>> {
    let chosen = select::routes(service, weights, pick)?;
    let targets = chosen.iter().map(|c| Ok((*c, target(service, *c, weights)?))).collect::<Result<Vec<_>>>()?;
    let draft = Draft { verb: "shift", phase: Phase::Progressing, roles: None, fresh: false, author };
    draft.changes(service, targets)
}

fn promote(service: &Service, pick: Option<&RoutePick>, author: &Author) -> Result<Vec<Change>> {
    let released = |phase: Phase| -> Vec<(usize, &Release)> {
        let of = |(index, object): (usize, &'_ Object)| (index, object.release.as_ref().map(|release| release.phase));
        let places: Vec<usize> = service
            .objects
            .iter()
            .enumerate()
            .map(of)
            .filter(|(_, found)| *found == Some(phase))
            .map(|(index, _)| index)
            .collect();
        places.into_iter().filter_map(|index| Some((index, service.objects[index].release.as_ref()?))).collect()
    };
    let progressing = released(Phase::Progressing);
    if !progressing.is_empty() {
        let mut targets = Vec::new();
        let mut roles = None;
        for (object, release) in progressing {
            let (Some(stable), Some(candidate)) = (&release.stable, &release.candidate) else {
                return Err(uncertain(service, "promote"));
            };
            roles = Some((stable.clone(), candidate.clone()));
            for chosen in released_routes(service, object, release)? {
                targets.push((chosen, all_to(service, chosen, candidate, stable)?));
            }
        }
        let draft = Draft { verb: "promote", phase: Phase::Complete, roles, fresh: false, author };
        return draft.changes(service, targets);
    }
    if let Some((object, release)) = released(Phase::Complete).first() {
        let one = &service.objects[*object];
        if one.routes.iter().any(|route| release::drifted(&one.history, route.id, &route.weights())) {
            return Err(uncertain(service, "promote"));
        }
        let still = released_routes(service, *object, release)?.into_iter().map(|c| unmoved(c.route)).collect();
        return Ok(vec![Change { object: *object, moves: still, patch: None, inverse: Patch::default(), way_back: None }]);
    }
    if let Some((_, release)) = released(Phase::Undone).first() {
        let candidate = release.candidate.as_deref().unwrap_or("NAME");
        return Err(Error::usage(format!("the last release of `{}` was rolled back; none is in progress", service.name))
            .hint(format!("`tidegate promote {} --to {candidate}` gives {candidate} everything all the same", service.name)));
    }
    let certain = |c: &Chosen<'_>| {
        let to = c.route.destinations();
        to.len() == 2 && to.iter().filter(|one| one.weight.value() > 0).count() == 1
    };
    let splits: Vec<Chosen<'_>> = service.routes().filter(|c| c.route.destinations().len() > 1).collect();
    let splits: Vec<Chosen<'_>> = match pick {
        Some(pick) => select_by(splits, pick),
        None => splits,
    };
    if splits.is_empty() || !splits.iter().all(certain) {
        return Err(uncertain(service, "promote"));
    }
    let splits = select::alike(service, splits, pick)?;
    let mut targets = Vec::new();
    let mut roles = None;
    for chosen in splits {
        let weights = chosen.route.weights();
        let (serving, idle) = if weights[0].1 > 0 { (0, 1) } else { (1, 0) };
        roles = Some((weights[serving].0.clone(), weights[idle].0.clone()));
        targets.push((chosen, all_to(service, chosen, &weights[idle].0, &weights[serving].0)?));
    }
    Draft { verb: "promote", phase: Phase::Complete, roles, fresh: true, author }.changes(service, targets)
}

fn everything_to(service: &Service, intent: &Intent, to: &str, pick: Option<&RoutePick>, author: &Author) -> Result<Vec<Change>> {
    let splits: Vec<Chosen<'_>> =
        service.routes().filter(|c| c.route.destinations().len() > 1 && c.route.find(to).is_ok()).collect();
    let splits = match pick {
        Some(pick) => select_by(splits, pick),
        None => splits,
    };
    if splits.is_empty() {
        // The selection knows how to say what there is instead.
        let weights = Weights::Named(vec![(to.to_owned(), 100)]);
        let mut error = select::routes(service, &weights, pick).err().unwrap_or_else(|| uncertain(service, intent.verb()));
        if error.kind == Kind::NotFound {
            let labels: Vec<String> = service.routes().flat_map(|c| c.route.weights()).map(|(label, _)| label).collect();
            let near = suggest::nearest(to, labels.iter().map(String::as_str));
            let hint = |near| format!("`tidegate {} {} --to {near}`", intent.verb(), service.name);
            error.hints = near.map(hint).into_iter().collect();
        }
        return Err(error);
    }
    let mut targets = Vec::new();
    let mut roles = None;
    for chosen in select::alike(service, splits, pick)? {
        let weights = chosen.route.weights();
        let label = chosen.route.find(to).map(|index| weights[index].0.clone()).unwrap_or_default();
        let others: Vec<&String> = weights.iter().filter(|(other, _)| *other != label).map(|(other, _)| other).collect();
        let serving: Vec<&String> =
            weights.iter().filter(|(other, weight)| *other != label && *weight > 0).map(|(other, _)| other).collect();
        let from = match (others.as_slice(), serving.as_slice()) {
            ([other], _) | (_, [other]) => (*other).clone(),
            (_, []) => others[0].clone(),
            _ => {
                let names = serving.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
                return Err(Error::usage(format!(
                    "{names} share the traffic of `{}` beside {label}: which of them is to lose it?",
                    service.name
                ))
                .hint(format!("name all weights: `tidegate shift {} --weights {label}=100,…=0`", service.name)));
            }
        };
        targets.push((chosen, all_to(service, chosen, &label, &from)?));
        roles = Some((from, label));
    }
    // A promotion ends the release that is in progress; an emergency is a change of its own, which can be undone.
    let fresh = intent.verb() == "rollback";
    Draft { verb: intent.verb(), phase: Phase::Complete, roles, fresh, author }.changes(service, targets)
}

fn rollback(service: &Service, author: &Author) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for (index, object) in service.objects.iter().enumerate() {
        let Some(release) = &object.release else {
            if object.annotation(release::RELEASE).is_some() {
                return Err(Error::failed(format!("the release recorded on {} cannot be read", object.title()))
                    .hint(format!("name the destination that is to serve: `tidegate rollback {} --to NAME`", service.name)));
            }
            continue;
        };
        let undo = release
            .undo_patch()
            .ok_or_else(|| Error::failed(format!("the way back recorded on {} cannot be read", object.title())))?;
        let change = match undo.broken(&object.raw) {
            None => undone(service, index, release, undo, author)?,
            Some(_) => relocated(service, index, release, author)?,
        };
        if release.phase == Phase::Undone && change.changes() {
            return Err(Error::usage(format!(
                "the last release of `{}` was rolled back already, and its weights were changed since",
                service.name
            ))
            .hint(format!(
                "`tidegate status {}` shows them; `tidegate rollback {} --to NAME` gives NAME everything",
                service.name, service.name
            )));
        }
        changes.push(change);
    }
    if !changes.is_empty() {
        return Ok(changes);
    }
    let splits: Vec<Chosen<'_>> = service.routes().filter(|c| c.route.destinations().len() > 1).collect();
    let settled = |c: &Chosen<'_>| c.route.destinations().iter().filter(|to| to.weight.value() > 0).count() == 1;
    if splits.iter().all(settled) {
        // Nothing was ever moved by tidegate, and nothing is between two sides.
        let still = |c: &Chosen<'_>| Change {
            object: c.object,
            moves: vec![unmoved(c.route)],
            patch: None,
            inverse: Patch::default(),
            way_back: None,
        };
        return Ok(splits.iter().map(still).collect());
    }
    Err(uncertain(service, "rollback"))
}

/// The stored inverse, as it is, with the record of it.
fn undone(service: &Service, index: usize, release: &Release, undo: Patch, author: &Author) -> Result<Change> {
    let object = &service.objects[index];
    let after = undo
        .applied(&object.raw)
        .ok_or_else(|| Error::failed(format!("the way back recorded on {} does not apply", object.title())))?;
    let after = Object::read(after);
    let mut moves = Vec::new();
    for (route, now) in object.routes.iter().zip(&after.routes) {
        if release.before.iter().any(|(id, _)| *id == route.id.to_string()) {
            moves.push(Move {
                route: route.id,
                name: route.name.clone(),
                before: route.weights(),
                after: now.weights(),
                added: None,
            });
        }
    }
    let mut patch = Patch::default();
    patch.guard(["metadata", "uid"], json!(object.uid)).extend(undo);
    let inverse = restore(object, &moves, &patch);
    if release.phase == Phase::Undone {
        return Ok(Change { object: index, moves, patch: None, inverse, way_back: None });
    }
    let draft = Draft { verb: "rollback", phase: Phase::Undone, roles: None, fresh: false, author };
    draft.record(object, &moves, Release { phase: Phase::Undone, ..release.clone() }, &mut patch);
    Ok(Change { object: index, moves, patch: Some(patch), inverse, way_back: None })
}

/// The destinations are no longer where they were recorded: put the weights back where they are now, if that is certain.
fn relocated(service: &Service, index: usize, release: &Release, author: &Author) -> Result<Change> {
    let object = &service.objects[index];
    let mut targets = Vec::new();
    for (recorded, weights) in &release.before {
        let carries = |route: &&Route| weights.iter().all(|(label, _)| route.find(label).is_ok());
        let fitting: Vec<&Route> = object.routes.iter().filter(|route| route.destinations().len() > 1).filter(carries).collect();
        let [route] = fitting.as_slice() else {
            return Err(Error::new(
                Kind::Conflict,
                format!(
                    "the routes of {} were rearranged since {}: {recorded} no longer holds what the release changed",
                    object.title(),
                    release.since
                ),
            )
            .hint(format!(
                "`tidegate status {}`; then `tidegate rollback {} --to NAME --route ROUTE`",
                service.name, service.name
            )));
        };
        let mut target: Vec<u32> = route.weights().into_iter().map(|(_, weight)| weight).collect();
        for (label, weight) in weights {
            if let Ok(place) = route.find(label) {
                target[place] = *weight;
            }
        }
        targets.push((Chosen { object: index, route }, Target { weights: target, added: None }));
    }
    let draft = Draft { verb: "rollback", phase: Phase::Undone, roles: None, fresh: false, author };
    let changes = draft.changes(service, targets)?;
    changes.into_iter().next().ok_or_else(|| Error::failed(format!("the release recorded on {} names no route", object.title())))
}

fn rollback_revision(service: &Service, number: u32, author: &Author) -> Result<Vec<Change>> {
    let mut targets = Vec::new();
    for (index, object) in service.objects.iter().enumerate() {
        let Some(revision) = object.history.iter().find(|revision| revision.revision == number) else { continue };
        for (id, weights) in &revision.routes {
            let route = object.routes.iter().find(|route| route.id.to_string() == *id);
            let places = route.and_then(|route| {
                let places = weights.iter().map(|(label, weight)| Some((route.find(label).ok()?, *weight)));
                Some((route, places.collect::<Option<Vec<_>>>()?))
            });
            let Some((route, places)) = places else {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("{id} of {} no longer has the destinations of revision {number}", object.title()),
                )
                .hint(format!("`tidegate history {}` has the weights", service.name)));
            };
            let mut target: Vec<u32> = route.weights().into_iter().map(|(_, weight)| weight).collect();
            for (place, weight) in places {
                target[place] = weight;
            }
            targets.push((Chosen { object: index, route }, Target { weights: target, added: None }));
        }
    }
    if targets.is_empty() {
        return Err(Error::not_found(format!("`{}` has no revision {number}", service.name))
            .hint(format!("`tidegate history {}` lists them", service.name)));
    }
    Draft { verb: "rollback", phase: Phase::Complete, roles: None, fresh: true, author }.changes(service, targets)
}

fn select_by<'a>(splits: Vec<Chosen<'a>>, pick: &RoutePick) -> Vec<Chosen<'a>> {
    splits.into_iter().filter(|chosen| pick.fits(chosen.route)).collect()
}

fn unmoved(route: &Route) -> Move {
    Move { route: route.id, name: route.name.clone(), before: route.weights(), after: route.weights(), added: None }
}

/// The routes that a release changed, where they still hold its destinations.
fn released_routes<'a>(service: &'a Service, object: usize, release: &Release) -> Result<Vec<Chosen<'a>>> {
    release
        .before
        .iter()
        .map(|(id, weights)| {
            let mut routes = service.objects[object].routes.iter();
            let route =
                routes.find(|route| route.id.to_string() == *id && weights.iter().all(|(label, _)| route.find(label).is_ok()));
            route.map(|route| Chosen { object, route }).ok_or_else(|| {
                Error::new(
                    Kind::Conflict,
                    format!("{id} of {} no longer holds the destinations of the release", service.objects[object].title()),
                )
                .hint(format!("name the destination: `tidegate promote {} --to NAME`", service.name))
            })
        })
        .collect()
}

fn uncertain(service: &Service, verb: &str) -> Error {
    let mut message = format!("it is not certain which side of `{}` is stable:", service.name);
    let splits: Vec<Chosen<'_>> = service.routes().filter(|c| c.route.destinations().len() > 1).collect();
    let Some(first) = splits.first() else {
        return Error::not_found(format!("no route of `{}` has weights", service.name));
    };
    for chosen in splits.iter().take(20) {
        message += &format!("\n  {}", select::describe(service, *chosen));
    }
    let last = first.route.weights().pop().map(|(label, _)| label).unwrap_or_default();
    Error::usage(message)
        .hint(format!("name the destination that is to serve everything, as in `tidegate {verb} {} --to {last}`", service.name))
}

/// The weights that a route is to have.
struct Target {
    weights: Vec<u32>,
    added: Option<Added>,
}

/// A destination beside the single one there is.
struct Added {
    label: String,
    entry: Value,
    weight: u32,
}

fn target(service: &Service, chosen: Chosen<'_>, weights: &Weights) -> Result<Target> {
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
    // What is added takes its weight from the same sum.
    let rest = weights.sum() - added.as_ref().map_or(0, |added: &Added| u64::from(added.weight));
    Ok(Target { weights: divide(service, route, &places, rest)?, added })
}

fn all_to(service: &Service, chosen: Chosen<'_>, winner: &str, loser: &str) -> Result<Target> {
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
struct Draft<'a> {
    verb: &'static str,
    phase: Phase,
    /// Stable and candidate, where the command knows them.
    roles: Option<(String, String)>,
    /// Begins a release of its own even where one is in progress.
    fresh: bool,
    author: &'a Author,
}

impl Draft<'_> {
    /// One change an object, in the order of the service's objects.
    fn changes(&self, service: &Service, targets: Vec<(Chosen<'_>, Target)>) -> Result<Vec<Change>> {
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
        let release = self.release(object, targets, &moves);
        let unchanged = !moves.iter().any(Move::changes);
        let in_progress = object.release.as_ref().is_some_and(|release| release.phase == Phase::Progressing);
        if unchanged && (self.phase == Phase::Progressing || !in_progress) {
            return Ok(Change { object: index, moves, patch: None, inverse: Patch::default(), way_back: None });
        }
        let inverse = restore(object, &moves, &patch);
        let way_back = (release.phase != Phase::Undone).then(|| release.before.clone());
        self.record(object, &moves, release, &mut patch);
        if patch.operations().len() > MAX_OPERATIONS {
            return Err(Error::usage(format!(
                "{} routes of {} at once are more than the API server takes in one patch ({} operations, at most {MAX_OPERATIONS})",
                moves.len(),
                object.title(),
                patch.operations().len()
            ))
            .hint("choose some of them with `--route`"));
        }
        Ok(Change { object: index, moves, patch: Some(patch), inverse, way_back })
    }

    /// The release after this change: the one in progress, or a new one whose before-image is what was read.
    fn release(&self, object: &Object, targets: &[(&Route, &Target)], moves: &[Move]) -> Release {
        let goes_on = |release: &Release| release.phase == Phase::Progressing || self.phase == Phase::Undone;
        let current = object.release.clone().filter(|release| goes_on(release) && !self.fresh);
        let mut release = current.unwrap_or_else(|| Release {
            id: format!("{}-{}", object.name, self.author.at.replace([':', '-'], "").trim_end_matches('Z').replace('T', "-")),
            phase: self.phase,
            stable: None,
            candidate: None,
            since: self.author.at.clone(),
            by: self.author.by.clone(),
            before: Vec::new(),
            undo: json!([]),
        });
        let mut undo = release.undo_patch().unwrap_or_default();
        for ((route, target), change) in targets.iter().zip(moves) {
            remember(&mut release.before, &mut undo, object, route, target, change);
        }
        release.undo = undo.to_json();
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

    /// Writes release and history in the same patch as the weights, so that they cannot disagree.
    fn record(&self, object: &Object, moves: &[Move], release: Release, patch: &mut Patch) {
        let routes = |side: fn(&Move) -> &Labelled| moves.iter().map(|one| (one.route.to_string(), side(one).clone())).collect();
        let mut history = object.history.clone();
        if history.is_empty() {
            let by = object.writer.as_ref().map_or_else(|| "unknown".to_owned(), |writer| writer.manager.clone());
            let at = object.writer.as_ref().map_or_else(|| object.created.clone(), |writer| writer.at.clone());
            history.push(Revision { revision: 1, at, by, verb: "found".into(), routes: routes(|one| &one.before), reason: None });
        }
        let next = history.last().map_or(1, |last| last.revision.saturating_add(1));
        let (at, by, reason) = (self.author.at.clone(), self.author.by.clone(), self.author.reason.clone());
        history.push(Revision { revision: next, at, by, verb: self.verb.into(), routes: routes(|one| &one.after), reason });
        let entries = [(release::RELEASE, release.render()), (release::HISTORY, release::render_history(&history))];
        let annotations = object.raw.pointer("/metadata/annotations").filter(|value| value.is_object());
        let Some(annotations) = annotations else {
            let all: serde_json::Map<String, Value> =
                entries.into_iter().map(|(key, text)| (key.to_owned(), json!(text))).collect();
            patch.guard(["metadata", "annotations"], Value::Null).set(["metadata", "annotations"], Value::Object(all));
            return;
        };
        let old = annotations.get(release::RELEASE).cloned().unwrap_or(Value::Null);
        patch.guard(["metadata", "annotations", release::RELEASE], old);
        for (key, text) in entries {
            patch.set(["metadata", "annotations", key], json!(text));
        }
    }
}

fn move_of(route: &Route, target: &Target) -> Move {
    let labels = route.destinations().iter().map(|to| to.label.clone());
    let mut after: Labelled = labels.zip(target.weights.iter().copied()).collect();
    let mut before = route.weights();
    let added = target.added.as_ref().map(|added| {
        // A single destination has everything, whatever its weight says.
        before[0].1 = after[0].1 + added.weight;
        before.push((added.label.clone(), 0));
        after[0].1 = before[0].1 - added.weight;
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
        if route.id.protocol == super::route::Protocol::Http || key == "match" {
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
    let at = before.iter().position(|(known, _)| *known == id).unwrap_or_else(|| {
        before.push((id, Vec::new()));
        before.len() - 1
    });
    let index = route.id.index.to_string();
    let base = ["spec", route.id.protocol.key(), index.as_str(), "route"];
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
fn infer_roles(release: &mut Release, moves: &[Move]) {
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
fn restore(object: &Object, moves: &[Move], patch: &Patch) -> Patch {
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
