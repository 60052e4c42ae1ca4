//! The routes of a release, found again in an object that others may have rearranged since.

use super::object::Object;
use super::patch::Patch;
use super::release::{Labelled, Release};
use super::route::{Protocol, Route, RouteId};
use crate::sorted;
use json_patch::{AddOperation, PatchOperation, TestOperation};
use serde_json::{Value, json};
use std::borrow::Cow;

/// What a way back says of one route: how to know it again, and the weights to put back.
struct Recorded {
    id: RouteId,
    /// Its `match` and its name; earlier versions recorded neither.
    guards: Vec<(String, Value)>,
    places: Vec<Place>,
}

/// What it says of one destination.
struct Place {
    index: usize,
    destination: Value,
    weight: Option<u32>,
}

/// Whether the way back can be understood, and leads to the weights of the before-image.
pub(super) fn is_whole(release: &Release) -> bool {
    let Some(recorded) = recorded(release) else { return false };
    let sorted = |mut weights: Vec<Option<u32>>| {
        sorted::by(&mut weights, Ord::cmp);
        weights
    };
    let agrees = |(id, before): &(String, Labelled)| {
        let place = recorded.iter().find(|one| one.id.to_string() == *id);
        let undo = place.map(|one| one.places.iter().map(|place| place.weight).collect()).unwrap_or_default();
        sorted(undo) == sorted(before.iter().map(|(_, weight)| Some(*weight)).collect())
    };
    let known = |one: &Recorded| release.before.iter().any(|(id, _)| one.id.to_string() == *id);
    recorded.iter().any(|one| !one.places.is_empty()) && recorded.iter().all(known) && release.before.iter().all(agrees)
}

/// The release with its record at the places where its routes and destinations stand in `object` now, and the routes that
/// cannot be told with certainty, which the record then lacks.
pub(super) fn placed<'a>(release: &'a Release, object: &Object) -> (Cow<'a, Release>, Vec<String>) {
    if release.undo.broken(&object.raw).is_none() {
        return (Cow::Borrowed(release), Vec::new());
    }
    let mut before: Vec<(String, Labelled)> = Vec::new();
    let mut undo = Patch::default();
    let mut gone = Vec::new();
    for one in recorded(release).unwrap_or_default() {
        let Some((route, at)) = find(&one, object) else {
            // A route that was as wanted has nothing to put back.
            gone.extend((!one.places.is_empty()).then(|| one.id.to_string()));
            continue;
        };
        let id = route.id.to_string();
        // What was recorded first is what stood before the release.
        if before.iter().any(|(known, _)| *known == id) {
            continue;
        }
        let index = route.id.index.to_string();
        let base = ["spec", route.id.protocol.key(), index.as_str()];
        for (key, _) in &one.guards {
            undo.guard(base.into_iter().chain([key.as_str()]), field(object, route.id, key));
        }
        let mut labelled = Labelled::new();
        for (place, at) in one.places.iter().zip(at) {
            let (Some(to), Some(weight)) = (route.destinations().get(at), place.weight) else { continue };
            labelled.push((to.label.clone(), weight));
            let at = at.to_string();
            let base = base.into_iter().chain(["route", at.as_str()]);
            undo.guard(base.clone().chain(["destination"]), place.destination.clone());
            undo.set(base.chain(["weight"]), json!(weight));
        }
        before.push((id, labelled));
    }
    (Cow::Owned(Release { before, undo, ..release.clone() }), gone)
}

/// What identifies a route beside its destinations.
pub(super) fn field(object: &Object, route: RouteId, key: &str) -> Value {
    object.raw.pointer(&format!("/spec/{}/{}/{key}", route.protocol.key(), route.index)).cloned().unwrap_or(Value::Null)
}

/// The route and the places of its destinations: the one that takes the same requests, at its old place where several do;
/// else the only one with these destinations.
fn find<'a>(one: &Recorded, object: &'a Object) -> Option<(&'a Route, Vec<usize>)> {
    let holding = object.routes.iter().filter(|route| route.id.protocol == one.id.protocol);
    let holding: Vec<_> = holding.filter_map(|route| Some((route, places(one, object, route)?))).collect();
    let same = |route: &Route| one.guards.iter().all(|(key, value)| field(object, route.id, key) == *value);
    let mut fitting: Vec<_> = holding.iter().filter(|(route, _)| same(route)).collect();
    if fitting.is_empty() && !one.places.is_empty() {
        fitting = holding.iter().collect();
    } else if let Some(there) = fitting.iter().find(|(route, _)| route.id == one.id) {
        return Some((*there).clone());
    }
    match fitting.as_slice() {
        [only] => Some((*only).clone()),
        _ => None,
    }
}

/// Where the route has each of the destinations.
fn places(one: &Recorded, object: &Object, route: &Route) -> Option<Vec<usize>> {
    let list = field(object, route.id, "route");
    let list = list.as_array()?;
    let is = |at: usize, place: &Place| list.get(at).and_then(|entry| entry.get("destination")) == Some(&place.destination);
    let mut taken = Vec::new();
    for place in &one.places {
        let old = Some(place.index).filter(|at| is(*at, place) && !taken.contains(at));
        let at = old.or_else(|| (0..list.len()).find(|at| is(*at, place) && !taken.contains(at)))?;
        taken.push(at);
    }
    (route.destinations().len() == list.len()).then_some(taken)
}

/// The way back, route by route; `None` where it holds anything but guards and weights.
fn recorded(release: &Release) -> Option<Vec<Recorded>> {
    let mut all: Vec<Recorded> = Vec::new();
    for operation in release.undo.operations() {
        let (path, value, guards) = match operation {
            PatchOperation::Test(TestOperation { path, value }) => (path, value, true),
            PatchOperation::Add(AddOperation { path, value }) => (path, value, false),
            _ => return None,
        };
        let tokens: Vec<Cow<'_, str>> = path.tokens().map(|token| token.decoded().into_owned().into()).collect();
        let tokens: Vec<&str> = tokens.iter().map(AsRef::as_ref).collect();
        let ["spec", list, index, rest @ ..] = tokens.as_slice() else { return None };
        let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.key() == *list)?;
        let id = RouteId { protocol, index: index.parse().ok()? };
        let at = all.iter().position(|one| one.id == id).unwrap_or_else(|| {
            all.push(Recorded { id, guards: Vec::new(), places: Vec::new() });
            all.len() - 1
        });
        let one = &mut all[at];
        match rest {
            [key @ ("match" | "name")] if guards => one.guards.push(((*key).to_owned(), value.clone())),
            ["route", index, "destination"] if guards => {
                one.places.push(Place { index: index.parse().ok()?, destination: value.clone(), weight: None });
            }
            ["route", index, "weight"] if !guards => {
                let index: usize = index.parse().ok()?;
                let place = one.places.iter_mut().find(|place| place.index == index)?;
                place.weight = Some(value.as_u64().and_then(|weight| u32::try_from(weight).ok())?);
            }
            _ => return None,
        }
    }
    Some(all)
}
