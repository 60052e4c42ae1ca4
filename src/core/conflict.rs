//! What a refused patch means, judged on the object as it is now.

use super::object::Object;
use super::plan::Change;
use super::release;
use super::route::Route;
use super::select::Service;
use crate::error::{Error, Kind};

/// What to make of a refusal.
pub enum Judgement {
    /// The object has become what was wanted.
    AsWanted,
    /// Only what has nothing to do with the change moved: this change does the same on the object as it is now.
    Again(Box<Change>),
    /// Every guard holds, so the server refused for a reason of its own.
    ServersOwn,
    /// Somebody else changed what was relied on.
    Conflict(Error),
}

/// Judges the refusal of `change`, planned on `then`, by the object as it is `now` and the change planned anew on it.
pub fn judge(service: &Service, then: &Object, change: &Change, now: &Object, fresh: Option<&Change>) -> Judgement {
    if then.uid != now.uid {
        let message = format!("`{}` was deleted and created again while this ran; nothing was written", service.name);
        return Judgement::Conflict(hinted(Error::new(Kind::Conflict, message), service));
    }
    let holds = change.patch.as_ref().is_none_or(|patch| patch.broken(&now.raw).is_none());
    match fresh {
        _ if holds => Judgement::ServersOwn,
        Some(fresh) if fresh.patch.is_none() => Judgement::AsWanted,
        Some(fresh) if same_but_for_place(change, fresh) && !interfered(then, now) => Judgement::Again(Box::new(fresh.clone())),
        _ => Judgement::Conflict(explain(service, then, change, now)),
    }
}

/// The same routes, told by their name, destinations and weights, wherever they stand now.
fn same_but_for_place(old: &Change, new: &Change) -> bool {
    old.moves.len() == new.moves.len()
        && old.moves.iter().zip(&new.moves).all(|(a, b)| (&a.name, &a.before, &a.after) == (&b.name, &b.before, &b.after))
}

/// Whether another step of a release was recorded meanwhile.
fn interfered(then: &Object, now: &Object) -> bool {
    then.annotation(release::RELEASE) != now.annotation(release::RELEASE)
}

fn explain(service: &Service, then: &Object, change: &Change, now: &Object) -> Error {
    let by = now.writer.as_ref().map_or_else(String::new, |writer| format!(" by {} at {}", writer.manager, writer.at));
    let mut said = Vec::new();
    for one in &change.moves {
        let route = now.routes.iter().find(|route| route.id == one.route);
        let weights = route.map(Route::weights).unwrap_or_default();
        if route.is_none() || weights.is_empty() {
            said.push(format!("{} is gone", one.route));
            continue;
        }
        for (label, before) in then.routes.iter().find(|route| route.id == one.route).map(Route::weights).unwrap_or_default() {
            match weights.iter().find(|(other, _)| *other == label) {
                Some((_, weight)) if *weight == before => {}
                Some((_, weight)) => said.push(format!("{} {label} {before} -> {weight}", one.route)),
                None => said.push(format!("{} no longer has {label}", one.route)),
            }
        }
    }
    if said.is_empty() && interfered(then, now) {
        said.push("another step of a release was recorded".into());
    }
    let what = if said.is_empty() { "its routes".into() } else { said.join(", ") };
    hinted(
        Error::new(Kind::Conflict, format!("`{}` was changed while this ran: {what}{by}; nothing was written", service.name)),
        service,
    )
}

fn hinted(error: Error, service: &Service) -> Error {
    error.hint(format!("look at it: `tidegate status {}`; then run this again", service.typed))
}

#[cfg(test)]
mod tests;
