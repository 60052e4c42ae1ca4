//! Reads a shipyard of the format 0.1, and the words that both formats share.

use super::{Approval, Approver, Shipyard, Stage, Strategy, TestStrategy, sequences};
use crate::core::lint::{Findings, join};
use crate::core::{suggest, yaml};
use serde_json::{Map, Value};

const STAGE: [&str; 5] = ["name", "deployment_strategy", "test_strategy", "approval_strategy", "remediation_strategy"];

/// Reads `text`. What is missing or wrong is among the findings, as errors; the rest is read all the same.
pub(super) fn read(text: &str) -> (Shipyard, Findings) {
    let mut found = Findings::default();
    let Some(root) = yaml::read(text, &mut found) else { return (Shipyard::default(), found) };
    let version = root.get("apiVersion").and_then(yaml::scalar);
    let stages = match version.as_deref() {
        None => stages(&root, &mut found),
        Some(version) if version.starts_with("spec.keptn.sh/0.2") => sequences::stages(&root, &mut found),
        Some(version) => {
            found
                .error("/apiVersion", format!("`{version}` is no version of a shipyard; known are spec.keptn.sh/0.2.0 to 0.2.4"));
            Vec::new()
        }
    };
    (Shipyard { stages }, found)
}

fn stages(root: &Map<String, Value>, found: &mut Findings) -> Vec<Stage> {
    found.keys_or_notes("", root, &["registry", "stages"]);
    if root.contains_key("registry") {
        found.warning("/registry", "`registry` has no meaning here: an artifact is named with its registry");
    }
    let mut stages: Vec<Stage> = Vec::new();
    for (pointer, map, name) in named(root, "", "stages", "stage", found) {
        found.keys_or_notes(&pointer, map, &STAGE);
        if map.contains_key("remediation_strategy") {
            found.warning(
                join(&pointer, "remediation_strategy"),
                "`remediation_strategy` has no meaning here: nothing is remedied",
            );
        }
        stages.push(Stage {
            name,
            deployment: deployment(&pointer, map, "deployment_strategy", found),
            test: test(&pointer, map, "test_strategy", found),
            approval: match map.get("approval_strategy") {
                None | Some(Value::Null) => Approval::default(),
                Some(Value::Object(approval)) => {
                    let pointer = join(&pointer, "approval_strategy");
                    found.keys(&pointer, approval, &["pass", "warning"]);
                    approvers(&pointer, approval, found)
                }
                Some(_) => {
                    found.error(
                        join(&pointer, "approval_strategy"),
                        "an approval strategy says who approves after `pass` and `warning`",
                    );
                    Approval::default()
                }
            },
            timeframe: None,
        });
    }
    stages
}

/// The entries of a list of maps that have a name, each with its pointer. A missing list, and names that are missing, wrong
/// or there twice, are errors.
pub(super) fn named<'a>(
    map: &'a Map<String, Value>,
    pointer: &str,
    key: &str,
    what: &str,
    found: &mut Findings,
) -> Vec<(String, &'a Map<String, Value>, String)> {
    let pointer = join(pointer, key);
    let list = match map.get(key) {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => {
            found.error(pointer, format!("there is no {what}: `{key}` is a list of at least one"));
            return Vec::new();
        }
    };
    let mut entries: Vec<(String, &Map<String, Value>, String)> = Vec::new();
    for (at, item) in list.iter().enumerate() {
        let pointer = join(&pointer, at);
        let Some(map) = item.as_object() else {
            found.error(pointer, format!("a {what} is a map with a `name`"));
            continue;
        };
        let name = map.get("name").and_then(yaml::scalar).unwrap_or_default();
        if name.is_empty() {
            found.error(pointer, format!("this {what} has no `name`"));
        } else if !is_label(&name) {
            found.error(join(&pointer, "name"), format!("`{name}` cannot name a {what}: {LABEL}"));
        } else if entries.iter().any(|(_, _, known)| *known == name) {
            found.error(join(&pointer, "name"), format!("there are two {what}s `{name}`"));
        } else {
            entries.push((pointer, map, name));
        }
    }
    entries
}

/// What [`is_label`] asks for.
pub(crate) const LABEL: &str = "use small letters, digits and `-`, at most 63, a letter or digit first and last";

/// Whether `name` can be part of the names of objects: a DNS label (RFC 1123).
pub(crate) fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 63 && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// How a new version comes into a stage: `key` of `map`.
pub(super) fn deployment(pointer: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> Strategy {
    if map.get(key).and_then(Value::as_str) == Some("user_managed") {
        found.error(
            join(pointer, key),
            "`user_managed` leaves the deployment to others; tidegate deploys itself: `direct` or `blue_green`",
        );
        return Strategy::Direct;
    }
    let known = [
        ("direct", Strategy::Direct),
        ("blue_green", Strategy::BlueGreen),
        ("blue_green_service", Strategy::BlueGreen),
        ("canary", Strategy::BlueGreen),
    ];
    word(pointer, map, key, &known, "deployment strategy", found)
}

/// How a new version is tested: `key` of `map`.
pub(super) fn test(pointer: &str, map: &Map<String, Value>, key: &str, found: &mut Findings) -> TestStrategy {
    let known = [("functional", TestStrategy::Functional), ("performance", TestStrategy::Performance)];
    word(pointer, map, key, &known, "test strategy", found)
}

/// Who approves: `pass` and `warning` of `map`.
pub(super) fn approvers(pointer: &str, map: &Map<String, Value>, found: &mut Findings) -> Approval {
    let known = [("automatic", Approver::Automatic), ("manual", Approver::Manual)];
    let mut one = |key| word(pointer, map, key, &known, "way to approve", found);
    Approval { pass: one("pass"), warning: one("warning") }
}

/// One of a few words; absent and empty mean the default.
fn word<T: Copy + Default>(
    pointer: &str,
    map: &Map<String, Value>,
    key: &str,
    known: &[(&str, T)],
    what: &str,
    found: &mut Findings,
) -> T {
    let text = match map.get(key) {
        None | Some(Value::Null) => return T::default(),
        Some(value) => yaml::scalar(value).unwrap_or_else(|| value.to_string()),
    };
    if text.is_empty() {
        return T::default();
    }
    let value = known.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    value.unwrap_or_else(|| {
        let words = known.iter().map(|(word, _)| *word);
        let hint = match suggest::nearest(&text, words.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", words.collect::<Vec<_>>().join(", ")),
        };
        found.error(join(pointer, key), format!("`{text}` is no {what}; {hint}"));
        T::default()
    })
}
