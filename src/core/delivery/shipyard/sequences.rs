//! Reads a shipyard of the format 0.2: what its sequences come to as a walk through the stages.
//!
//! Each stage's sequence with a `deployment` task delivers; `triggeredOn` says after which stage. keptn would start two
//! stages side by side; here one comes after the other, and a finding says so.

use super::read::{approvers, deployment, named, test};
use super::{Approval, Approver, Stage, Strategy, TestStrategy};
use crate::core::duration;
use crate::core::lint::{Findings, join};
use crate::core::yaml;
use serde_json::{Map, Value};

/// Lighthouse's own window where nothing says it.
const TIMEFRAME: u64 = 300;

/// A stage with the sequence that delivers to it.
struct Delivery<'a> {
    name: String,
    pointer: String,
    /// Where its sequence stands.
    sequence: String,
    map: &'a Map<String, Value>,
    /// The stages that it comes after.
    after: Vec<String>,
    /// After which results: pass, warning.
    on: (bool, bool),
}

/// Names of a stage and its sequences, to look events up.
type Sequences<'a> = Vec<(&'a str, Vec<String>)>;

pub(super) fn stages(root: &Map<String, Value>, found: &mut Findings) -> Vec<Stage> {
    found.keys_or_notes("", root, &["apiVersion", "kind", "metadata", "spec"]);
    if root.get("kind").and_then(Value::as_str) != Some("Shipyard") {
        found.error("/kind", "the kind of a shipyard is `Shipyard`");
    }
    let Some(spec) = root.get("spec").and_then(Value::as_object) else {
        found.error("/spec", "a shipyard has a `spec` with `stages`");
        return Vec::new();
    };
    found.keys_or_notes("/spec", spec, &["stages"]);
    let listed = named(spec, "/spec", "stages", "stage", found);
    let stages: Vec<_> = listed
        .iter()
        .map(|(pointer, map, name)| {
            found.keys_or_notes(pointer, map, &["name", "sequences"]);
            (pointer, name, named(map, pointer, "sequences", "sequence", found))
        })
        .collect();
    let sequences: Sequences<'_> = stages
        .iter()
        .map(|(_, name, sequences)| (name.as_str(), sequences.iter().map(|(_, _, name)| name.clone()).collect()))
        .collect();
    let mut deliveries: Vec<Delivery<'_>> = Vec::new();
    for (pointer, name, own) in &stages {
        let deploys = |(_, map, _): &&(String, &Map<String, Value>, String)| task(map, "deployment").is_some();
        let chosen = own.iter().filter(deploys).find(|(_, _, name)| name == "delivery").or_else(|| own.iter().find(deploys));
        for (place, map, other) in own {
            found.keys_or_notes(place, map, &["name", "triggeredOn", "tasks"]);
            if chosen.is_none_or(|(chosen, ..)| chosen != place) {
                found.warning(join(place, "name"), format!("the sequence `{other}` has no meaning here: {}", why_not(map)));
            }
        }
        match chosen {
            None => found.warning(*pointer, format!("the stage `{name}` deploys nothing and is left out")),
            Some((place, map, sequence)) => {
                let mut delivery = Delivery {
                    name: (*name).clone(),
                    pointer: (*pointer).clone(),
                    sequence: place.clone(),
                    map,
                    after: Vec::new(),
                    on: (false, false),
                };
                triggers(&mut delivery, sequence, &sequences, found);
                deliveries.push(delivery);
            }
        }
    }
    if deliveries.is_empty() && !stages.is_empty() {
        found.error("/spec/stages", "no stage has a sequence with a `deployment` task");
    }
    ordered(deliveries, found).iter().enumerate().map(|(at, delivery)| stage(at, delivery, found)).collect()
}

/// Why a sequence is not walked.
fn why_not(map: &Map<String, Value>) -> &'static str {
    if task(map, "rollback").is_some() {
        "a version that fails is put back in any case"
    } else if task(map, "remediation").is_some() || task(map, "get-action").is_some() {
        "nothing is remedied"
    } else if task(map, "deployment").is_some() {
        "one sequence a stage delivers"
    } else {
        "it deploys nothing"
    }
}

/// A task of a sequence, with its place in the list.
fn task<'a>(sequence: &'a Map<String, Value>, name: &str) -> Option<(usize, &'a Map<String, Value>)> {
    let list = sequence.get("tasks")?.as_array()?;
    let mut tasks = list.iter().enumerate().filter_map(|(at, task)| Some((at, task.as_object()?)));
    tasks.find(|(_, task)| task.get("name").and_then(Value::as_str) == Some(name))
}

/// Reads `triggeredOn`: after which stages, and after which results.
fn triggers(delivery: &mut Delivery<'_>, own: &str, sequences: &Sequences<'_>, found: &mut Findings) {
    let pointer = join(&delivery.sequence, "triggeredOn");
    let list = match delivery.map.get("triggeredOn") {
        None | Some(Value::Null) => return,
        Some(Value::Array(list)) => list,
        Some(_) => return found.error(pointer, "`triggeredOn` is a list of events"),
    };
    for (at, trigger) in list.iter().enumerate() {
        let pointer = join(&pointer, at);
        let Some(trigger) = trigger.as_object() else {
            found.error(pointer, "a trigger is a map with an `event`");
            continue;
        };
        found.keys_or_notes(&pointer, trigger, &["event", "selector"]);
        let event = trigger.get("event").and_then(Value::as_str).unwrap_or_default();
        let place = join(&pointer, "event");
        let parts: Vec<&str> = event.split('.').collect();
        let [stage, sequence, "finished"] = parts[..] else {
            found.error(place, format!("`{event}` is no end of a sequence; write `STAGE.SEQUENCE.finished`"));
            continue;
        };
        match sequences.iter().find(|(name, _)| *name == stage) {
            None => {
                found.error(place, format!("there is no stage `{stage}`"));
                continue;
            }
            Some((_, known)) if sequence != "evaluation" && known.iter().all(|name| name != sequence) => {
                found.error(place, format!("the stage `{stage}` has no sequence `{sequence}`"));
                continue;
            }
            Some(_) => {}
        }
        let (pass, warning) = results(&pointer, trigger, found);
        if !pass && !warning {
            found.warning(pointer, "this trigger has no meaning here: a failure leads to no other stage");
        } else if stage == delivery.name && sequence != own {
            found.warning(place, "this trigger has no meaning here: a stage is entered from another one");
        } else {
            delivery.after.push(stage.to_owned());
            delivery.on = (delivery.on.0 | pass, delivery.on.1 | warning);
        }
    }
    if delivery.after.len() > 1 {
        found.warning(pointer, format!("`{}` comes after all of these stages, not after the first that ends", delivery.name));
    }
}

/// After which results a trigger fires: pass, warning. Without a selector after both.
fn results(pointer: &str, trigger: &Map<String, Value>, found: &mut Findings) -> (bool, bool) {
    let pointer = join(pointer, "selector");
    let matched = match trigger.get("selector") {
        None | Some(Value::Null) => return (true, true),
        Some(selector) => selector.get("match").and_then(Value::as_object),
    };
    let Some(matched) = matched else {
        found.error(pointer, "a selector has a map `match`");
        return (true, true);
    };
    let pointer = join(&pointer, "match");
    let (mut pass, mut warning) = (true, true);
    for (key, value) in matched {
        let place = join(&pointer, key);
        if key != "result" && !key.ends_with(".result") {
            found.warning(place, format!("`{key}` has no meaning here: only results are looked at"));
            continue;
        }
        let value = yaml::scalar(value).unwrap_or_default();
        match value.as_str() {
            "pass" => warning = false,
            "warning" => pass = false,
            "fail" => (pass, warning) = (false, false),
            _ => found.error(place, format!("no result is `{value}`; known are pass, warning, fail")),
        }
    }
    (pass, warning)
}

/// The stages in an order in which each comes after those that it names; else as in the file.
fn ordered<'a>(mut rest: Vec<Delivery<'a>>, found: &mut Findings) -> Vec<Delivery<'a>> {
    let mut placed: Vec<Delivery<'a>> = Vec::new();
    while !rest.is_empty() {
        let waits = |delivery: &Delivery<'_>| delivery.after.iter().any(|name| rest.iter().any(|one| one.name == *name));
        match rest.iter().position(|delivery| !waits(delivery)) {
            Some(at) => placed.push(rest.remove(at)),
            None => {
                let circle: Vec<&str> = circle(&rest);
                let pointer = rest.iter().find(|one| Some(&one.name.as_str()) == circle.first()).map(|one| one.sequence.as_str());
                let message = format!("the stages start each other in a circle: {}", circle.join(" -> "));
                found.error(join(pointer.unwrap_or_default(), "triggeredOn"), message);
                return placed;
            }
        }
    }
    placed
}

/// A circle among stages that all wait for another of them, its first stage again at its end.
fn circle<'a>(stages: &'a [Delivery<'_>]) -> Vec<&'a str> {
    let before = |name: &str| {
        let stage = stages.iter().find(|stage| stage.name == name)?;
        stages.iter().find(|one| stage.after.contains(&one.name)).map(|one| one.name.as_str())
    };
    let mut path: Vec<&str> = stages.first().map(|stage| stage.name.as_str()).into_iter().collect();
    while let Some(name) = path.last().and_then(|last| before(last)) {
        let seen = path.iter().position(|one| *one == name);
        path.push(name);
        if let Some(seen) = seen {
            path.drain(..seen);
            break;
        }
    }
    path.reverse();
    path
}

/// What the tasks of a sequence come to.
fn stage(at: usize, delivery: &Delivery<'_>, found: &mut Findings) -> Stage {
    let mut stage = Stage {
        name: delivery.name.clone(),
        deployment: Strategy::Direct,
        test: TestStrategy::None,
        approval: Approval::default(),
        timeframe: None,
    };
    let mut evaluation = None;
    for (pointer, task, name) in named(delivery.map, &delivery.sequence, "tasks", "task", found) {
        found.keys_or_notes(&pointer, task, &["name", "properties", "triggeredAfter"]);
        if task.contains_key("triggeredAfter") {
            found.warning(join(&pointer, "triggeredAfter"), "`triggeredAfter` has no meaning here: nothing waits between tasks");
        }
        let empty = Map::new();
        let place = join(&pointer, "properties");
        let properties = task.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let known: &[&str] = match name.as_str() {
            "deployment" => {
                stage.deployment = deployment(&place, properties, "deploymentstrategy", found);
                &["deploymentstrategy"]
            }
            "test" => {
                stage.test = test(&place, properties, "teststrategy", found);
                if stage.test == TestStrategy::None {
                    found.warning(&pointer, "without a `teststrategy` this task runs nothing");
                }
                &["teststrategy"]
            }
            "approval" => {
                // What it does not say is asked of a person.
                let said = approvers(&place, properties, found);
                let person = |key: &str, said| if properties.contains_key(key) { said } else { Approver::Manual };
                stage.approval = Approval { pass: person("pass", said.pass), warning: person("warning", said.warning) };
                &["pass", "warning"]
            }
            "evaluation" => {
                let text = properties.get("timeframe").and_then(yaml::scalar).filter(|text| !text.is_empty());
                stage.timeframe = text.as_deref().and_then(seconds);
                if let Some(text) = text.filter(|_| stage.timeframe.is_none()) {
                    found.error(join(&place, "timeframe"), format!("`{text}` is no time; write `30s`, `5m` or `1h`"));
                }
                evaluation = Some(pointer);
                &["timeframe"]
            }
            // Both are what becomes of a version in any case.
            "release" | "rollback" => &[],
            _ => {
                found.warning(pointer, format!("the task `{name}` has no meaning here"));
                continue;
            }
        };
        found.keys_or_notes(&place, properties, known);
    }
    if let Some(pointer) = evaluation.filter(|_| !stage.is_gated()) {
        stage.timeframe = Some(TIMEFRAME);
        found.warning(pointer, "this evaluation has no `timeframe`: it looks at the last 5 minutes");
    }
    entrance(at, delivery, &mut stage, found);
    stage
}

/// Who lets a version in where keptn would not start the stage by itself: a person.
fn entrance(at: usize, delivery: &Delivery<'_>, stage: &mut Stage, found: &mut Findings) {
    if delivery.after.is_empty() {
        if at > 0 {
            stage.approval = Approval { pass: Approver::Manual, warning: Approver::Manual };
            let message = format!("nothing starts the stage `{}`: somebody approves it after the one before", stage.name);
            found.warning(&delivery.pointer, message);
        }
        return;
    }
    let pointer = join(&delivery.sequence, "triggeredOn");
    if !delivery.on.0 {
        stage.approval.pass = Approver::Manual;
        found.warning(&pointer, format!("nothing starts the stage `{}` after a pass: somebody approves it", stage.name));
    }
    if !delivery.on.1 && stage.approval.warning == Approver::Automatic {
        stage.approval.warning = Approver::Manual;
        found.warning(&pointer, format!("nothing starts the stage `{}` after a warning: somebody approves it", stage.name));
    }
}

/// A duration in whole seconds: `90s`, `1h30m`, `5m`.
fn seconds(text: &str) -> Option<u64> {
    duration::parse(text).ok().map(|span| span.as_secs()).filter(|seconds| *seconds > 0)
}
