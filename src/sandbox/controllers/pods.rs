//! Pods start, or do not: no room, no image, a container that ends at once.

use serde_json::{Value, json};

use super::node::{self, Node};
use super::{Controllers, condition, events, jobs, ready};
use crate::sandbox::image::Start;
use crate::sandbox::kinds::PODS;
use crate::sandbox::store::{Object, text};
use crate::sandbox::time;

/// Simulated seconds from a pod's creation until its containers have been started.
const START: f64 = 1.0;

/// Simulated seconds from the first failure to pull an image until the kubelet holds back.
const SECOND_PULL: f64 = 2.0;

/// Simulated seconds before a container that ends at once is started again: twice as many each time, up to the limit.
const BACK_OFF: f64 = 10.0;
const MOST_BACK_OFF: f64 = 300.0;

/// Looks at all pods.
pub fn reconcile(controllers: &mut Controllers) {
    let pods = controllers.store.list(&PODS, "");
    let mut node = Node::with(&pods);
    for pod in &pods {
        if jobs::is_work(pod) {
            jobs::work(controllers, pod);
        }
        if !ready(pod) && !ended(pod) {
            start(controllers, &mut node, pod);
        }
    }
    let busy = |pod: &Object| !ready(pod) || jobs::is_work(pod);
    let alive = |what: &str| pods.iter().any(|pod| busy(pod) && text(pod, "/metadata/uid") == what);
    controllers.waiting.retain(|what, _| match what.strip_prefix("pod ") {
        Some(rest) => rest.split(' ').next().is_some_and(alive),
        None => true,
    });
}

/// Whether a pod has done its work, as a job's does.
pub fn ended(pod: &Value) -> bool {
    ["Succeeded", "Failed"].contains(&text(pod, "/status/phase"))
}

/// How a container stands.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Creating,
    Running,
    /// It runs, and fails its readiness probe.
    Unready,
    /// The image cannot be pulled; the kubelet waits before it tries once more.
    Unpulled {
        holding: bool,
    },
    /// It has ended so many times with this status; the kubelet waits before it starts it once more.
    Crashed {
        times: u32,
        status: u8,
    },
}

fn start(controllers: &mut Controllers, node: &mut Node, pod: &Object) {
    let mut new = Value::clone(pod);
    new["status"]["qosClass"] = if node::asks(pod) { "Burstable" } else { "BestEffort" }.into();
    if text(pod, "/spec/nodeName").is_empty()
        && let Err(why) = node.take(pod)
    {
        new["status"]["phase"] = "Pending".into();
        new["status"]["conditions"] = json!([pod_condition(pod, "PodScheduled", "False", "Unschedulable", &why)]);
        if new != **pod {
            events::record(controllers, pod, "Warning", "FailedScheduling", &why);
        }
        return controllers.write(&PODS, pod, new);
    }
    if text(pod, "/status/podIP").is_empty() {
        place(controllers, pod, &mut new);
    }
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let containers: Vec<Value> = containers.into_iter().flatten().cloned().collect();
    let states: Vec<State> = containers.iter().map(|container| state(controllers, pod, container)).collect();
    let statuses: Vec<Value> = containers.iter().zip(&states).map(|(container, state)| status(pod, container, *state)).collect();
    for (container, (state, status)) in containers.iter().zip(states.iter().zip(&statuses)) {
        tell(controllers, pod, container, *state, status);
    }
    let running = states.iter().all(|state| *state == State::Running);
    let waiting = states.iter().any(|state| matches!(state, State::Creating | State::Unpulled { .. }));
    new["status"]["phase"] = if waiting { "Pending" } else { "Running" }.into();
    new["status"]["containerStatuses"] = statuses.into();
    let unready: Vec<&str> =
        containers.iter().zip(&states).filter(|(_, s)| **s != State::Running).map(|(c, _)| text(c, "/name")).collect();
    let (value, reason, message) = match running {
        true => ("True", "", String::new()),
        false => ("False", "ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" "))),
    };
    new["status"]["conditions"] = json!([
        pod_condition(pod, "PodReadyToStartContainers", "True", "", ""),
        pod_condition(pod, "Initialized", "True", "", ""),
        pod_condition(pod, "Ready", value, reason, &message),
        pod_condition(pod, "ContainersReady", value, reason, &message),
        pod_condition(pod, "PodScheduled", "True", "", ""),
    ]);
    controllers.write(&PODS, pod, new);
}

/// Puts a pod on the node.
fn place(controllers: &mut Controllers, pod: &Value, new: &mut Value) {
    controllers.addresses += 1;
    let (high, low) = (controllers.addresses / 250, controllers.addresses % 250 + 2);
    let address = format!("10.244.{high}.{low}");
    new["spec"]["nodeName"] = node::NAME.into();
    let status = &mut new["status"];
    status["podIP"] = address.as_str().into();
    status["podIPs"] = json!([{"ip": address}]);
    status["hostIP"] = "192.0.2.1".into();
    status["startTime"] = text(pod, "/metadata/creationTimestamp").into();
}

fn state(controllers: &mut Controllers, pod: &Value, container: &Value) -> State {
    let key = format!("pod {} {}", text(pod, "/metadata/uid"), text(container, "/name"));
    if !controllers.passed(&key, START) {
        return State::Creating;
    }
    match Start::of_image(text(container, "/image")) {
        Start::Runs => State::Running,
        Start::Unready => State::Unready,
        Start::Missing => {
            State::Unpulled { holding: controllers.settling() || controllers.passed(&format!("{key} pull"), SECOND_PULL) }
        }
        Start::Crashes(status) => {
            let mut times = 1;
            let mut back_off = BACK_OFF;
            while !controllers.settling() && controllers.passed(&format!("{key} {times}"), back_off) {
                times += 1;
                back_off = (2.0 * back_off).min(MOST_BACK_OFF);
            }
            State::Crashed { times, status }
        }
    }
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

/// What containerd says of an image that is not there.
fn not_found(image: &str) -> String {
    let full = if image.contains('/') { image.to_owned() } else { format!("docker.io/library/{image}") };
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\": {full}: not found"
    )
}

fn status(pod: &Value, container: &Value, state: State) -> Value {
    let image = text(container, "/image");
    let name = text(container, "/name");
    let before = before(pod, container);
    let (now, last, restarts) = match state {
        State::Creating => (json!({"waiting": {"reason": "ContainerCreating"}}), json!({}), 0),
        State::Running | State::Unready => (json!({"running": {"startedAt": time::now()}}), json!({}), 0),
        State::Unpulled { holding: false } => {
            (json!({"waiting": {"reason": "ErrImagePull", "message": not_found(image)}}), json!({}), 0)
        }
        State::Unpulled { holding: true } => {
            let message = format!("Back-off pulling image {image:?}: ErrImagePull: {}", not_found(image));
            (json!({"waiting": {"reason": "ImagePullBackOff", "message": message}}), json!({}), 0)
        }
        State::Crashed { times, status } => {
            let seconds = (BACK_OFF * f64::from(2u32.saturating_pow(times - 1))).min(MOST_BACK_OFF);
            let who =
                format!("{}_{}({})", text(pod, "/metadata/name"), text(pod, "/metadata/namespace"), text(pod, "/metadata/uid"));
            let wait =
                if seconds < 60.0 { format!("{seconds}s") } else { format!("{}m{}s", (seconds / 60.0).floor(), seconds % 60.0) };
            let message = format!("back-off {wait} restarting failed container={name} pod={who}");
            let reason = if status == 137 {
                "OOMKilled"
            } else if status == 0 {
                "Completed"
            } else {
                "Error"
            };
            let stamp = time::now();
            let last = json!({"terminated": {
                "exitCode": status, "reason": reason, "startedAt": stamp, "finishedAt": stamp,
            }});
            (json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}), last, times)
        }
    };
    // What has not changed keeps its times.
    let (now, last) = match before {
        Some(before) if before["restartCount"] == restarts && same_state(&before["state"], &now) => {
            (before["state"].clone(), before["lastState"].clone())
        }
        _ => (now, last),
    };
    let (ready, started) = (state == State::Running, matches!(state, State::Running | State::Unready));
    json!({
        "name": name, "image": image, "imageID": "", "ready": ready, "started": started,
        "restartCount": restarts, "state": now, "lastState": last,
    })
}

fn before<'a>(pod: &'a Value, container: &Value) -> Option<&'a Value> {
    let statuses = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    statuses.into_iter().flatten().find(|status| status["name"] == container["name"])
}

fn same_state(one: &Value, other: &Value) -> bool {
    let told = |state: &Value| {
        let (kind, content) = state.as_object()?.iter().next()?;
        Some((kind.clone(), content.get("reason").cloned()))
    };
    told(one) == told(other)
}

/// Says in events what has just become of a container.
fn tell(controllers: &Controllers, pod: &Value, container: &Value, state: State, status: &Value) {
    let before = before(pod, container);
    let changed = before
        .is_none_or(|before| before["restartCount"] != status["restartCount"] || !same_state(&before["state"], &status["state"]));
    if !changed {
        return;
    }
    let image = text(container, "/image");
    let say = |kind: &str, reason: &str, message: &str| events::record(controllers, pod, kind, reason, message);
    match state {
        State::Creating | State::Running => {}
        State::Unready => say("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"),
        State::Unpulled { holding: false } => {
            say("Normal", "Pulling", &format!("Pulling image {image:?}"));
            say("Warning", "Failed", &format!("Failed to pull image {image:?}: {}", not_found(image)));
            say("Warning", "Failed", "Error: ErrImagePull");
        }
        State::Unpulled { holding: true } => {
            say("Normal", "BackOff", &format!("Back-off pulling image {image:?}"));
            say("Warning", "Failed", "Error: ImagePullBackOff");
        }
        State::Crashed { .. } => {
            let (name, pod_name) = (text(container, "/name"), text(pod, "/metadata/name"));
            let who = format!("{pod_name}_{}({})", text(pod, "/metadata/namespace"), text(pod, "/metadata/uid"));
            say("Warning", "BackOff", &format!("Back-off restarting failed container {name} in pod {who}"));
        }
    }
}
