//! Deployments: one replica set for each template, replaced step by step.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::{Controllers, by_owner, condition, events, labels, number};
use crate::sandbox::kinds::{DEPLOYMENTS, REPLICA_SETS};
use crate::sandbox::names;
use crate::sandbox::store::{Object, text};

const REVISION: &str = "deployment.kubernetes.io/revision";

/// Looks at all deployments.
pub fn reconcile(controllers: &mut Controllers) {
    let mut sets = by_owner(&controllers.store, &REPLICA_SETS);
    for deployment in controllers.store.list(&DEPLOYMENTS, "") {
        let own = sets.remove(text(&deployment, "/metadata/uid")).unwrap_or_default();
        one(controllers, &deployment, own);
    }
}

fn one(controllers: &mut Controllers, deployment: &Object, mut sets: Vec<Object>) {
    let template = deployment.pointer("/spec/template").cloned().unwrap_or(json!({}));
    let hash = names::template_hash(&canonical(template.clone()).to_string());
    let name = format!("{}-{hash}", text(deployment, "/metadata/name"));
    let current = sets.iter().position(|set| text(set, "/metadata/name") == name);
    let revision = sets.iter().map(|set| revision(set)).max().unwrap_or(0);
    let current = match current {
        Some(index) => sets.swap_remove(index),
        None => {
            let fresh = replica_set(deployment, template, &name, &hash, revision + 1);
            match controllers.create(&REPLICA_SETS, deployment, fresh) {
                Some(set) => set,
                None => return,
            }
        }
    };
    scale(controllers, deployment, &current, &sets, revision);
    status(controllers, deployment, &current, &sets);
}

/// A template without its accidents: the order of members, and members that are null.
fn canonical(mut template: Value) -> Value {
    fn without_null(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|_, member| !member.is_null());
                members.values_mut().for_each(without_null);
            }
            Value::Array(items) => items.iter_mut().for_each(without_null),
            _ => {}
        }
    }
    without_null(&mut template);
    template.sort_all_objects();
    template
}

fn revision(set: &Value) -> i64 {
    let annotation = set.pointer("/metadata/annotations").and_then(|annotations| annotations.get(REVISION)?.as_str());
    annotation.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn replica_set(deployment: &Value, mut template: Value, name: &str, hash: &str, revision: i64) -> Value {
    let mut own = labels(&template, "/metadata/labels");
    own.insert("pod-template-hash".into(), hash.into());
    template["metadata"]["labels"] = own.clone().into();
    let mut selector = labels(deployment, "/spec/selector/matchLabels");
    selector.insert("pod-template-hash".into(), hash.into());
    json!({
        "metadata": {"name": name, "labels": own, "annotations": {REVISION: revision.to_string()}},
        "spec": {"replicas": 0, "selector": {"matchLabels": selector}, "template": template},
        "status": {"replicas": 0},
    })
}

/// Moves replicas from the old sets to the current one, within the bounds of the strategy.
fn scale(controllers: &Controllers, deployment: &Value, current: &Object, old: &[Object], revision_now: i64) {
    let desired = number(deployment, "/spec/replicas");
    let replicas = |set: &Value| number(set, "/spec/replicas");
    let available = |set: &Value| number(set, "/status/availableReplicas");
    let bound = |name: &str, up: bool| {
        let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{name}"));
        share(value, desired, up)
    };
    let (surge, mut unavailable) = (bound("maxSurge", true), bound("maxUnavailable", false));
    if surge == 0 && unavailable == 0 {
        unavailable = 1;
    }
    let recreate = text(deployment, "/spec/strategy/type") == "Recreate";
    let pods: i64 = old.iter().map(|set| number(set, "/status/replicas")).sum();
    let total = replicas(current) + old.iter().map(|set| replicas(set)).sum::<i64>();
    let wanted = match () {
        () if recreate && pods > 0 => 0,
        () if recreate || replicas(current) >= desired => desired,
        () => desired.min(replicas(current) + (desired + surge - total).max(0)),
    };
    let mut new = Value::clone(current);
    tell(controllers, deployment, current, wanted);
    new["spec"]["replicas"] = wanted.into();
    // A template that comes back is the newest again.
    if revision(current) < revision_now {
        new["metadata"]["annotations"][REVISION] = (revision_now + 1).to_string().into();
    }
    controllers.write(&REPLICA_SETS, current, new);

    let least = if recreate { 0 } else { desired - unavailable };
    let starting = replicas(current) - available(current);
    let mut removable = total - least - starting.max(0);
    let mut healthy = available(current) + old.iter().map(|set| available(set)).sum::<i64>() - least;
    for set in old {
        // Pods that serve nobody go first, and cost nothing.
        let idle = (replicas(set) - available(set)).clamp(0, removable.max(0));
        removable -= idle;
        let serving = available(set).clamp(0, removable.min(healthy).max(0));
        removable -= serving;
        healthy -= serving;
        let mut smaller = Value::clone(set);
        let left = if recreate { 0 } else { replicas(set) - idle - serving };
        tell(controllers, deployment, set, left);
        smaller["spec"]["replicas"] = left.into();
        controllers.write(&REPLICA_SETS, set, smaller);
    }
}

/// Says in an event that a set is about to be scaled.
fn tell(controllers: &Controllers, deployment: &Value, set: &Value, to: i64) {
    let from = number(set, "/spec/replicas");
    let way = match to.cmp(&from) {
        Ordering::Greater => "up",
        Ordering::Less => "down",
        Ordering::Equal => return,
    };
    let name = text(set, "/metadata/name");
    let message = format!("Scaled {way} replica set {name} from {from} to {to}");
    events::record(controllers, deployment, "Normal", "ScalingReplicaSet", &message);
}

/// A number of pods, or a percentage of them.
fn share(value: Option<&Value>, of: i64, up: bool) -> i64 {
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(0),
        Some(Value::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(25);
            (of * percent + if up { 99 } else { 0 }) / 100
        }
        _ => 0,
    }
}

fn status(controllers: &mut Controllers, deployment: &Object, current: &Object, old: &[Object]) {
    let all = |pointer: &str| number(current, pointer) + old.iter().map(|set| number(set, pointer)).sum::<i64>();
    let desired = number(deployment, "/spec/replicas");
    let (replicas, available) = (all("/status/replicas"), all("/status/availableReplicas"));
    let updated = number(current, "/status/replicas");
    let done = updated == desired && replicas == desired && available >= desired;
    let mut status = Map::new();
    status.insert("observedGeneration".into(), deployment.pointer("/metadata/generation").cloned().unwrap_or(1.into()));
    for (name, value) in [
        ("replicas", replicas),
        ("updatedReplicas", updated),
        ("readyReplicas", all("/status/readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (desired - available).max(0)),
    ] {
        // A count of none is left out.
        if value != 0 {
            status.insert(name.into(), value.into());
        }
    }
    let share = |name: &str, up: bool| {
        let value = deployment.pointer(&format!("/spec/strategy/rollingUpdate/{name}"));
        share(value, desired, up)
    };
    let enough = available >= desired - share("maxUnavailable", false);
    let available = match enough {
        true => condition(deployment, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => condition(
            deployment,
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        ),
    };
    let progressing = progressing(controllers, deployment, current, done, updated);
    status.insert("conditions".into(), json!([available, progressing]));
    let mut new = Value::clone(deployment);
    new["status"] = status.into();
    new["metadata"]["annotations"][REVISION] = revision(current).max(1).to_string().into();
    controllers.write(&DEPLOYMENTS, deployment, new);
}

fn progressing(controllers: &mut Controllers, deployment: &Value, current: &Value, done: bool, updated: i64) -> Value {
    let name = text(current, "/metadata/name");
    let progress = format!("{name} {updated} {}", number(current, "/status/availableReplicas"));
    let key = |progress: &str| format!("{} {progress}", text(deployment, "/metadata/uid"));
    let limit = number(deployment, "/spec/progressDeadlineSeconds");
    let prefix = key("");
    let key = key(&progress);
    controllers.waiting.retain(|what, _| *what == key || !what.starts_with(&prefix));
    if done {
        controllers.forget(&key);
        let message = format!("ReplicaSet {name:?} has successfully progressed.");
        return condition(deployment, "Progressing", "True", "NewReplicaSetAvailable", &message);
    }
    let late = limit > 0 && !controllers.settling() && controllers.passed(&key, limit as f64);
    if late {
        let message = format!("ReplicaSet {name:?} has timed out progressing.");
        return condition(deployment, "Progressing", "False", "ProgressDeadlineExceeded", &message);
    }
    let message = format!("ReplicaSet {name:?} is progressing.");
    condition(deployment, "Progressing", "True", "ReplicaSetUpdated", &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_pods_round_as_their_bound_does() {
        assert_eq!(share(Some(&json!("25%")), 2, true), 1);
        assert_eq!(share(Some(&json!("25%")), 2, false), 0);
        assert_eq!(share(Some(&json!("25%")), 4, true), 1);
        assert_eq!(share(Some(&json!(3)), 2, true), 3);
    }
}
