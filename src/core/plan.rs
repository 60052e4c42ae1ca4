//! From an intent and what was read to the changes: per object the moves, one guarded patch, and its inverse.

use super::draft::{Draft, Target, all_to, restore, target};
use super::object::Object;
use super::patch::Patch;
use super::placed::placed;
use super::release::{self, Labelled, Phase, Release, Revision};
use super::route::{Route, RouteId};
use super::select::{self, Chosen, RoutePick, Service};
use super::shell;
use super::suggest;
use super::weight::Weights;
use crate::error::{Error, Kind, Result};
use serde_json::json;

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
        for (object, release) in progressing {
            let (Some(stable), Some(candidate)) = (&release.stable, &release.candidate) else {
                return Err(uncertain(service, "promote"));
            };
            for chosen in released_routes(service, object, release)? {
                if let Some(pick) = pick.filter(|pick| !pick.fits(chosen.route)) {
                    return Err(left_out(service, chosen, pick, candidate));
                }
                targets.push((chosen, all_to(service, chosen, candidate, stable)?));
            }
        }
        // Each object's release knows its own roles.
        let draft = Draft { verb: "promote", phase: Phase::Complete, roles: None, fresh: false, author };
        return draft.changes(service, targets);
    }
    if let Some((object, release)) = released(Phase::Complete).first() {
        let one = &service.objects[*object];
        if one.routes.iter().any(|route| release::drifted(&one.history, route)) {
            return Err(uncertain(service, "promote"));
        }
        let still = released_routes(service, *object, release)?.into_iter().map(|c| unmoved(c.route)).collect();
        return Ok(vec![Change { object: *object, moves: still, patch: None, inverse: Patch::default(), way_back: None }]);
    }
    if let Some((_, release)) = released(Phase::Undone).first() {
        let candidate = release.candidate.as_deref().unwrap_or("NAME");
        return Err(Error::usage(format!("the last release of `{}` was rolled back; none is in progress", service.name)).hint(
            format!(
                "`tidegate promote {} --to {}` gives {candidate} everything all the same",
                service.typed,
                shell::quoted(candidate)
            ),
        ));
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

/// `--route` that names a part of the release in progress: half of a release cannot end.
fn left_out(service: &Service, chosen: Chosen<'_>, pick: &RoutePick, candidate: &str) -> Error {
    let message = format!(
        "the release of `{}` is promoted as a whole, and {} belongs to it too",
        service.name,
        service.route_title(chosen)
    );
    Error::usage(message).hint(format!(
        "without `--route` all of it is promoted; `tidegate promote {} --to {} --route {}` moves only what is named",
        service.typed,
        shell::quoted(candidate),
        shell::quoted(&pick.to_string())
    ))
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
            let hint = |near| format!("`tidegate {} {} --to {}`", intent.verb(), service.typed, shell::quoted(near));
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
                let all = weights.iter().map(|(other, _)| format!("{other}={}", if *other == label { 100 } else { 0 }));
                let all: Vec<String> = all.collect();
                return Err(Error::usage(format!(
                    "{names} share the traffic of `{}` beside {label}: which of them is to lose it?",
                    service.name
                ))
                .hint(format!(
                    "name all weights: `tidegate shift {} --weights {}`",
                    service.typed,
                    shell::quoted(&all.join(","))
                )));
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
                    .hint(format!("name the destination that is to serve: `tidegate rollback {} --to NAME`", service.typed)));
            }
            continue;
        };
        let (release, gone) = placed(release, object);
        if let Some(id) = gone.first() {
            return Err(Error::new(
                Kind::Conflict,
                format!(
                    "the routes of {} were rearranged since {}: {id} no longer holds what the release changed",
                    object.title(),
                    release.since
                ),
            )
            .hint(format!(
                "`tidegate status {}`; then `tidegate rollback {} --to NAME --route ROUTE`",
                service.typed, service.typed
            )));
        }
        let change = undone(index, object, &release, release.undo.clone(), author)?;
        if release.phase == Phase::Undone && change.changes() {
            return Err(Error::usage(format!(
                "the last release of `{}` was rolled back already, and its weights were changed since",
                service.name
            ))
            .hint(format!(
                "`tidegate status {}` shows them; `tidegate rollback {} --to NAME` gives NAME everything",
                service.typed, service.typed
            )));
        }
        changes.push(change);
    }
    if !changes.is_empty() {
        return Ok(changes);
    }
    let splits: Vec<Chosen<'_>> = service.routes().filter(|c| c.route.destinations().len() > 1).collect();
    let settled = |c: &Chosen<'_>| c.route.destinations().iter().filter(|to| to.weight.value() > 0).count() == 1;
    if !splits.is_empty() && splits.iter().all(settled) {
        // Nothing was ever moved by tidegate, and nothing is between two sides.
        let mut changes: Vec<Change> = Vec::new();
        for chosen in &splits {
            match changes.last_mut().filter(|change| change.object == chosen.object) {
                Some(change) => change.moves.push(unmoved(chosen.route)),
                None => changes.push(Change {
                    object: chosen.object,
                    moves: vec![unmoved(chosen.route)],
                    patch: None,
                    inverse: Patch::default(),
                    way_back: None,
                }),
            }
        }
        return Ok(changes);
    }
    Err(uncertain(service, "rollback"))
}

/// The stored inverse, as it is, with the record of it.
fn undone(index: usize, object: &Object, release: &Release, undo: Patch, author: &Author) -> Result<Change> {
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

fn rollback_revision(service: &Service, number: u32, author: &Author) -> Result<Vec<Change>> {
    let mut targets = Vec::new();
    let having =
        || service.objects.iter().filter_map(|object| Some((object, object.history.iter().find(|one| one.revision == number)?)));
    if let (Some((object, one)), true) = (having().next_back(), having().count() > 1)
        && !having().all(|(_, other)| (&other.at, &other.verb) == (&one.at, &one.verb))
    {
        return Err(Error::usage(format!("several objects of `{}` have a revision {number}, each its own", service.name)).hint(
            format!(
                "name the delegate, as in `vs/{} -n {}`, or the weights: `tidegate history {}` has them",
                object.name, object.namespace, service.typed
            ),
        ));
    }
    for (index, object) in service.objects.iter().enumerate() {
        let Some(revision) = object.history.iter().find(|revision| revision.revision == number) else { continue };
        for (id, weights) in &revision.routes {
            let Some((route, places)) = then(object, revision, id, weights) else {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("{id} of {} no longer has the destinations of revision {number}, or other requests", object.title()),
                )
                .hint(format!("`tidegate history {}` has the weights", service.typed)));
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
            .hint(format!("`tidegate history {}` lists them", service.typed)));
    }
    Draft { verb: "rollback", phase: Phase::Complete, roles: None, fresh: true, author }.changes(service, targets)
}

/// The route that a revision means, with the places of its weights: the one that takes the same requests, at its old place
/// where several do.
fn then<'a>(object: &'a Object, revision: &Revision, id: &str, weights: &Labelled) -> Option<(&'a Route, Vec<(usize, u32)>)> {
    let only = revision.only.get(id);
    let list = |id: &str| id.split('[').next().unwrap_or_default().to_owned();
    let same = |route: &&Route| list(&route.id.to_string()) == list(id) && route.condition.as_ref() == only;
    let places = |route: &'a Route| {
        let places = weights.iter().map(|(label, weight)| Some((route.find(label).ok()?, *weight)));
        Some((route, places.collect::<Option<Vec<_>>>()?))
    };
    let mut fitting: Vec<_> = object.routes.iter().filter(same).filter_map(places).collect();
    if let Some(there) = fitting.iter().position(|(route, _)| route.id.to_string() == id) {
        return Some(fitting.swap_remove(there));
    }
    fitting.pop().filter(|_| fitting.is_empty())
}

fn select_by<'a>(splits: Vec<Chosen<'a>>, pick: &RoutePick) -> Vec<Chosen<'a>> {
    splits.into_iter().filter(|chosen| pick.fits(chosen.route)).collect()
}

fn unmoved(route: &Route) -> Move {
    Move { route: route.id, name: route.name.clone(), before: route.weights(), after: route.weights(), added: None }
}

/// The routes that a release changed, where they stand now.
fn released_routes<'a>(service: &'a Service, object: usize, release: &Release) -> Result<Vec<Chosen<'a>>> {
    let one = &service.objects[object];
    let (found, gone) = placed(release, one);
    if let Some(id) = gone.first() {
        let message = format!("{id} of {} no longer holds the destinations of the release", one.title());
        return Err(Error::new(Kind::Conflict, message)
            .hint(format!("name the destination: `tidegate promote {} --to NAME`", service.typed)));
    }
    let routes = one.routes.iter().filter(|route| found.before.iter().any(|(id, _)| *id == route.id.to_string()));
    Ok(routes.map(|route| Chosen { object, route }).collect())
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
    Error::usage(message).hint(format!(
        "name the destination that is to serve everything, as in `tidegate {verb} {} --to {}`",
        service.typed,
        shell::quoted(&last)
    ))
}

#[cfg(test)]
mod tests;
