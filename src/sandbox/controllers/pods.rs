//! Replica sets make pods; pods become ready, unless their image cannot be pulled.

use serde_json::{Map, Value, json};

use super::{Controllers, by_owner, condition, events, labels, number, ready};
use crate::sandbox::kinds::{PODS, REPLICA_SETS};
use crate::sandbox::store::{Object, text};
use crate::sandbox::{names, time};

/// Simulated seconds from a pod's creation until it is ready.
const START: f64 = 1.0;

/// Looks at all replica sets and pods.
pub fn reconcile(controllers: &mut Controllers) {
    let mut pods = by_owner(&controllers.store, &PODS);
    for set in controllers.store.list(&REPLICA_SETS, "") {
        let own = pods.remove(text(&set, "/metadata/uid")).unwrap_or_default();
        replicas(controllers, &set, own);
    }
    for pod in controllers.store.list(&PODS, "") {
        start(controllers, &pod);
    }
    let store = &controllers.store;
    let alive: Vec<Object> = store.list(&PODS, "");
    controllers.waiting.retain(|what, _| what.contains(' ') || alive.iter().any(|pod| text(pod, "/metadata/uid") == what));
}

fn replicas(controllers: &Controllers, set: &Object, mut pods: Vec<Object>) {
    let name = text(set, "/metadata/name");
    let wanted = usize::try_from(number(set, "/spec/replicas")).unwrap_or(0);
    // Those that serve nobody are the first to go.
    pods.sort_by_key(|pod| !ready(pod));
    while pods.len() > wanted {
        if let Some(pod) = pods.pop() {
            let last = Value::clone(&pod);
            controllers.store.remove(&PODS, &pod, last).ok();
        }
    }
    let mut attempt = 0;
    while pods.len() < wanted {
        let pod_name = format!("{name}-{}", names::suffix(name, attempt));
        attempt += 1;
        let fresh = pod(set, &pod_name);
        if pods.iter().all(|pod| text(pod, "/metadata/name") != pod_name) {
            match controllers.create(&PODS, set, fresh) {
                Some(pod) => pods.push(pod),
                None if attempt > 10_000 => return,
                None => {}
            }
        }
    }
    let ready = pods.iter().filter(|pod| ready(pod)).count();
    let mut status = Map::new();
    status.insert("replicas".into(), pods.len().into());
    for (field, count) in [("fullyLabeledReplicas", pods.len()), ("readyReplicas", ready), ("availableReplicas", ready)] {
        if count > 0 {
            status.insert(field.into(), count.into());
        }
    }
    status.insert("observedGeneration".into(), set["metadata"]["generation"].clone());
    let mut new = Value::clone(set);
    new["status"] = status.into();
    controllers.write(&REPLICA_SETS, set, new);
}

fn pod(set: &Value, name: &str) -> Value {
    let mut metadata = set.pointer("/spec/template/metadata").cloned().unwrap_or(json!({}));
    metadata["name"] = name.into();
    metadata["generateName"] = format!("{}-", text(set, "/metadata/name")).into();
    metadata["labels"] = labels(set, "/spec/template/metadata/labels").into();
    let mut spec = set.pointer("/spec/template/spec").cloned().unwrap_or(json!({}));
    spec["nodeName"] = "sandbox".into();
    json!({"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}})
}

/// Whether an image's tag says that there is no such image.
fn missing(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    ["broken", "does-not-exist"].iter().any(|word| tag.contains(word))
}

fn start(controllers: &mut Controllers, pod: &Object) {
    let uid = text(pod, "/metadata/uid").to_owned();
    if ready(pod) {
        return controllers.forget(&uid);
    }
    let waiting = text(pod, "/status/containerStatuses/0/state/waiting/reason");
    if waiting == "ImagePullBackOff" {
        // Nothing more will come of it.
        return controllers.forget(&uid);
    }
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let containers: Vec<Value> = containers.into_iter().flatten().cloned().collect();
    let bad = containers.iter().find(|c| missing(text(c, "/image")));
    let due = controllers.passed(&uid, START);
    let mut new = Value::clone(pod);
    if text(pod, "/status/podIP").is_empty() {
        controllers.addresses += 1;
        let (high, low) = (controllers.addresses / 250, controllers.addresses % 250 + 2);
        let address = format!("10.244.{high}.{low}");
        new["status"]["podIP"] = address.as_str().into();
        new["status"]["podIPs"] = json!([{"ip": address}]);
        new["status"]["hostIP"] = "192.0.2.1".into();
        new["status"]["qosClass"] = "BestEffort".into();
        new["status"]["startTime"] = text(pod, "/metadata/creationTimestamp").into();
        if text(pod, "/spec/nodeName").is_empty() {
            new["spec"]["nodeName"] = "sandbox".into();
        }
    }
    let running = due && bad.is_none();
    new["status"]["phase"] = if running { "Running" } else { "Pending" }.into();
    new["status"]["containerStatuses"] =
        containers.iter().map(|container| container_status(container, pod, running, due)).collect();
    let (status, reason, message) = match running {
        true => ("True", "", String::new()),
        false => {
            ("False", "ContainersNotReady", format!("containers with unready status: [{}]", text(pod, "/spec/containers/0/name")))
        }
    };
    new["status"]["conditions"] = json!([
        pod_condition(pod, "PodReadyToStartContainers", "True", "", ""),
        pod_condition(pod, "Initialized", "True", "", ""),
        pod_condition(pod, "Ready", status, reason, &message),
        pod_condition(pod, "ContainersReady", status, reason, &message),
        pod_condition(pod, "PodScheduled", "True", "", ""),
    ]);
    if let Some(bad) = bad.filter(|_| due) {
        let message = format!("Failed to pull image {:?}: manifest unknown", text(bad, "/image"));
        events::record(controllers, pod, "Warning", "Failed", &message);
    }
    controllers.write(&PODS, pod, new);
}

fn pod_condition(pod: &Value, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let mut made = condition(pod, kind, status, reason, message);
    if let Some(members) = made.as_object_mut() {
        members.shift_remove("lastUpdateTime");
        members.insert("lastProbeTime".into(), Value::Null);
        members.retain(|name, value| !(matches!(name.as_str(), "reason" | "message") && value == ""));
    }
    made
}

fn container_status(container: &Value, pod: &Value, running: bool, due: bool) -> Value {
    let image = text(container, "/image");
    let before = pod
        .pointer("/status/containerStatuses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|status| status["name"] == container["name"]);
    let state = match (running, missing(image) && due) {
        (true, _) => match before.and_then(|status| status.pointer("/state/running")) {
            Some(running) => json!({ "running": running }),
            None => json!({"running": {"startedAt": time::now()}}),
        },
        (false, true) => json!({"waiting": {
            "reason": "ImagePullBackOff", "message": format!("Back-off pulling image {image:?}: manifest unknown"),
        }}),
        (false, false) => json!({"waiting": {"reason": "ContainerCreating"}}),
    };
    json!({
        "name": container["name"], "image": image, "imageID": "", "ready": running, "started": running,
        "restartCount": 0, "state": state, "lastState": {},
    })
}
