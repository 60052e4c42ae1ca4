//! What tidegate writes on the object beside the weights, in the same patch: the release and the history.
//!
//! Annotations, because nothing is to be installed in the cluster. Their keys must not contain `istio.io`: istiod would
//! take each change of them for a change of configuration (`model/config_compare.go`, `NeedsPush`).

use super::patch::Patch;
use super::placed;
use super::route::Route;
use crate::sorted;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The annotation that holds the [`Release`].
pub const RELEASE: &str = "tidegate/release";
/// The annotation that holds the list of [`Revision`]s.
pub const HISTORY: &str = "tidegate/history";
/// So many changes are kept.
const KEPT: usize = 20;
/// All annotations of an object together may have 256 KiB; the history takes at most this much of it.
const MAX_HISTORY_BYTES: usize = 64 * 1024;

/// Weights by label of the destination, in the order of the route.
pub type Labelled = Vec<(String, u32)>;

/// One attempt to move traffic: it begins with the first change and ends with `promote` or `rollback`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Names it: the object's name and the time at which it began.
    pub id: String,
    /// How far it is.
    pub phase: Phase,
    /// The destination that served before, where that was certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// The destination that is to take over, where that is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// When it began, RFC 3339.
    pub since: String,
    /// Who began it.
    pub by: String,
    /// The weights before it began, of the destinations that it changed, by route.
    #[serde(with = "by_route")]
    pub before: Vec<(String, Labelled)>,
    /// The patch that puts them back: RFC 6902, guarded by the destinations' identity and not by their weights, so that
    /// it holds whatever happened to the weights since.
    pub undo: Patch,
}

/// How far a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Traffic is between the two sides, or may be.
    Progressing,
    /// Ended with everything where it was to go; `rollback` undoes it.
    Complete,
    /// Ended by `rollback`.
    Undone,
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Progressing => "progressing",
            Phase::Complete => "complete",
            Phase::Undone => "undone",
        }
    }
}

impl Release {
    /// Reads the annotation; `None` for text that is not a release, or whose way back does not lead to its before-image.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(placed::is_whole)
    }

    /// The annotation's text.
    pub fn render(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The roles as they stand: when a release is complete its candidate has become stable.
    pub fn role_of(&self, label: &str) -> Option<Role> {
        let is = |side: &Option<String>| side.as_deref() == Some(label);
        match self.phase {
            Phase::Progressing if is(&self.stable) => Some(Role::Stable),
            Phase::Progressing if is(&self.candidate) => Some(Role::Candidate),
            Phase::Complete if is(&self.candidate) => Some(Role::Stable),
            Phase::Undone if is(&self.stable) => Some(Role::Stable),
            _ => None,
        }
    }
}

/// The two sides of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What serves.
    Stable,
    /// What is to take over.
    Candidate,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Stable => "stable",
            Role::Candidate => "candidate",
        }
    }
}

/// One change in the history of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// Counts from 1.
    pub revision: u32,
    /// When, RFC 3339.
    pub at: String,
    /// Who.
    pub by: String,
    /// The command; `found` for the state before the first change.
    pub verb: String,
    /// The weights after it, by route.
    #[serde(with = "by_route")]
    pub routes: Vec<(String, Labelled)>,
    /// Which requests the routes took, in words, of those that did not take all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, String>,
    /// Why, where the user said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Reads the history annotation; empty for text that is not a history.
pub fn parse_history(text: &str) -> Vec<Revision> {
    serde_json::from_str(text).unwrap_or_default()
}

/// The history annotation's text: the newest changes, as many as are kept and fit.
pub fn render_history(history: &[Revision]) -> String {
    let mut kept = &history[history.len().saturating_sub(KEPT)..];
    loop {
        let text = serde_json::to_string(kept).unwrap_or_default();
        if text.len() <= MAX_HISTORY_BYTES || kept.len() <= 1 {
            return text;
        }
        kept = &kept[1..];
    }
}

impl Revision {
    /// Whether what it says of the route at `id` is said of `route`: it stands there, and takes the same requests.
    pub fn is_of(&self, id: &str, route: &Route) -> bool {
        route.id.to_string() == id && self.only.get(id) == route.condition.as_ref()
    }
}

/// The weights that the last recorded change left on a route.
fn recorded<'a>(history: &'a [Revision], route: &Route) -> Option<&'a Labelled> {
    let of =
        |revision: &'a Revision| revision.routes.iter().find(|(id, _)| revision.is_of(id, route)).map(|(_, weights)| weights);
    history.iter().rev().find_map(of)
}

/// Whether the weights of a route are other than the last recorded change left them.
pub fn drifted(history: &[Revision], route: &Route) -> bool {
    recorded(history, route).is_some_and(|then| {
        let now = sorted::map(route.weights());
        then.iter().any(|(label, weight)| now.get(label) != Some(weight))
    })
}

/// `{"http[1]": {"blue": 80, "green": 20}}`: what people can read with `kubectl get -o yaml`.
mod by_route {
    use super::{Labelled, Map, Value};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(routes: &[(String, Labelled)], serializer: S) -> Result<S::Ok, S::Error> {
        let weights =
            |labelled: &Labelled| Value::Object(labelled.iter().map(|(label, w)| (label.clone(), (*w).into())).collect());
        let map: Map<String, Value> = routes.iter().map(|(route, labelled)| (route.clone(), weights(labelled))).collect();
        map.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Labelled)>, D::Error> {
        let map = Map::deserialize(deserializer)?;
        let weight = |value: &Value| value.as_u64().and_then(|weight| u32::try_from(weight).ok());
        map.into_iter()
            .map(|(route, value)| {
                let weights = value.as_object().ok_or_else(|| D::Error::custom("weights are an object"))?;
                let weights = weights.iter().map(|(label, value)| Some((label.clone(), weight(value)?)));
                Ok((route, weights.collect::<Option<_>>().ok_or_else(|| D::Error::custom("weights are whole numbers"))?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revision(revision: u32, blue: u32) -> Revision {
        Revision {
            revision,
            at: "2026-01-02T03:04:05Z".into(),
            by: "ci".into(),
            verb: "shift".into(),
            routes: vec![("http[1]".into(), vec![("blue".into(), blue), ("green".into(), 100 - blue)])],
            only: BTreeMap::new(),
            reason: None,
        }
    }

    #[test]
    fn the_history_is_readable_and_bounded() {
        let history: Vec<Revision> = (1..=30).map(|number| revision(number, number)).collect();
        let text = render_history(&history);
        assert!(text.contains(r#""routes":{"http[1]":{"blue":30,"green":70}}"#), "{text}");
        let read = parse_history(&text);
        assert_eq!(read, history[10..]);
        assert!(parse_history("not json").is_empty());

        let mut large = history;
        for revision in &mut large {
            revision.reason = Some("x".repeat(10_000));
        }
        let text = render_history(&large);
        assert!(text.len() <= MAX_HISTORY_BYTES);
        assert_eq!(parse_history(&text).last().map(|revision| revision.revision), Some(30));
    }

    #[test]
    fn drift_is_a_weight_that_nobody_recorded() {
        let route = |blue: u32, matches: Value| {
            let to = |subset: &str, weight: u32| json!({"destination": {"host": "a", "subset": subset}, "weight": weight});
            let route = json!({"match": matches, "route": [to("blue", blue), to("green", 100 - blue)]});
            crate::core::route::read(&json!({"http": [{}, route]})).remove(1)
        };
        let history = [revision(1, 100), revision(2, 80)];
        assert!(!drifted(&history, &route(80, json!(null))));
        assert!(drifted(&history, &route(50, json!(null))));
        assert!(!drifted(&[], &route(50, json!(null))));
        // Another route stands where the recorded one stood.
        assert!(!drifted(&history, &route(50, json!([{"uri": {"prefix": "/x"}}]))));
    }

    #[test]
    fn what_is_not_a_release_is_none() {
        for text in ["", "{}", "[]", r#"{"id":"x","phase":"odd"}"#] {
            assert_eq!(Release::parse(text), None, "{text}");
        }
    }
}
