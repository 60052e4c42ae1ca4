//! A new image in a Deployment: the guarded change, how far it is, and what keeps it from getting there.

use crate::core::patch::Patch;
use serde_json::{Value, json};

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All pods are of the new version, and available.
    Done {
        /// How many.
        pods: i64,
    },
    /// It goes on; what it waits for.
    Waiting(String),
    /// Something is wrong that seldom mends itself: to be given up where it stays so.
    Troubled(String),
    /// It will not come to anything.
    Hopeless(String),
}

/// The place of the container that gets an image among those of a deployment: the one that was named, the one that runs
/// the same repository, or the only one.
///
/// # Errors
/// Says which there are.
pub fn container(deployment: &Value, named: Option<&str>, repository: &str) -> Result<usize, String> {
    let containers = containers(deployment);
    let names: Vec<&str> = containers.iter().map(|one| text(one, "/name")).collect();
    if let Some(named) = named {
        let place = names.iter().position(|name| *name == named);
        return place.ok_or_else(|| format!("it has no container `{}`; it has {}", named.escape_debug(), names.join(", ")));
    }
    let same = |one: &&Value| repository_of(text(one, "/image")) == repository;
    let fitting: Vec<usize> = containers.iter().enumerate().filter(|(_, one)| same(one)).map(|(place, _)| place).collect();
    match (fitting.as_slice(), containers.len()) {
        ([one], _) => Ok(*one),
        ([], 1) => Ok(0),
        ([], 0) => Err("it has no container".into()),
        ([], _) => Err(format!("none of its containers runs {repository}: {}", names.join(", "))),
        _ => Err(format!("several of its containers run {repository}: {}", names.join(", "))),
    }
}

/// The repository of an image: without tag and digest.
fn repository_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    image[name..].find(':').map_or(image, |colon| &image[..name + colon])
}

/// The image of a container.
pub fn image<'a>(deployment: &'a Value, container: &str) -> Option<&'a str> {
    let found = containers(deployment).iter().find(|one| text(one, "/name") == container)?;
    found.get("image").and_then(Value::as_str)
}

/// How many pods a deployment is to have.
pub fn replicas(deployment: &Value) -> i64 {
    deployment.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

/// The change to an image and a number of pods, guarded by what was read; none where both are as wanted, or the container is
/// gone.
pub fn change(deployment: &Value, container: &str, image: &str, pods: i64) -> Option<Patch> {
    let place = containers(deployment).iter().position(|one| text(one, "/name") == container)?;
    let now = text(&containers(deployment)[place], "/image");
    let mut patch = Patch::default();
    let index = place.to_string();
    let at = ["spec", "template", "spec", "containers", index.as_str()];
    patch.guard(["metadata", "uid"], deployment.pointer("/metadata/uid").cloned().unwrap_or_default());
    patch.guard(["spec", "selector"], deployment.pointer("/spec/selector").cloned().unwrap_or_default());
    patch.guard(at.into_iter().chain(["name"]), json!(container));
    patch.guard(at.into_iter().chain(["image"]), json!(now));
    let scaled = replicas(deployment) != pods;
    if scaled {
        patch.guard(["spec", "replicas"], deployment.pointer("/spec/replicas").cloned().unwrap_or_default());
        patch.set(["spec", "replicas"], json!(pods));
    }
    if now != image {
        patch.replace(at.into_iter().chain(["image"]), json!(image));
    }
    (scaled || now != image).then_some(patch)
}

/// How far the rollout of `image` is, by the deployment and the pods that its selector fits.
pub fn progress(deployment: &Value, pods: &[Value], container: &str, image: &str) -> Progress {
    let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Progress::Waiting("the deployment's controller".into());
    }
    let wanted = replicas(deployment);
    let (updated, available) = (number("/status/updatedReplicas"), number("/status/availableReplicas"));
    let all = number("/status/replicas");
    if updated == wanted && all == wanted && available >= wanted {
        return Progress::Done { pods: wanted };
    }
    let new = pods.iter().filter(|pod| {
        let own = pod.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
        own.into_iter().any(|one| text(one, "/name") == container && text(one, "/image") == image)
    });
    let troubles: Vec<Trouble> = new.filter_map(trouble).collect();
    let worst = troubles.iter().max_by_key(|trouble| trouble.gravity).map(|trouble| trouble.text.clone());
    let gravity = troubles.iter().map(|trouble| trouble.gravity).max();
    let conditions = deployment.pointer("/status/conditions").and_then(Value::as_array);
    let failed = conditions.into_iter().flatten().find(|one| {
        let (kind, status) = (text(one, "/type"), text(one, "/status"));
        kind == "Progressing" && status == "False" || kind == "ReplicaFailure" && status == "True"
    });
    match (failed, gravity, worst) {
        (Some(condition), _, worst) => {
            let (reason, message) = (text(condition, "/reason"), text(condition, "/message"));
            Progress::Hopeless(worst.unwrap_or_else(|| format!("{reason}: {message}")))
        }
        (None, Some(Gravity::Final), Some(worst)) => Progress::Hopeless(worst),
        (None, Some(Gravity::Grave), Some(worst)) => Progress::Troubled(worst),
        (None, _, Some(worst)) => Progress::Waiting(worst),
        _ => Progress::Waiting(format!("{} of {wanted} pods ready", updated.min(available))),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gravity {
    /// May mend itself: no CPU, no node.
    Light,
    /// Seldom mends itself: an image that cannot be pulled, a container that crashes.
    Grave,
    /// Never does.
    Final,
}

struct Trouble {
    gravity: Gravity,
    text: String,
}

/// What keeps a pod from being ready, where it says so.
fn trouble(pod: &Value) -> Option<Trouble> {
    let name = text(pod, "/metadata/name");
    for key in ["/status/initContainerStatuses", "/status/containerStatuses"] {
        for status in pod.pointer(key).and_then(Value::as_array).into_iter().flatten() {
            let (reason, message) = (text(status, "/state/waiting/reason"), text(status, "/state/waiting/message"));
            let gravity = match reason {
                "InvalidImageName" => Gravity::Final,
                "ErrImagePull"
                | "ImagePullBackOff"
                | "ErrImageNeverPull"
                | "CreateContainerConfigError"
                | "CreateContainerError"
                | "RunContainerError"
                | "CrashLoopBackOff" => Gravity::Grave,
                _ => continue,
            };
            let exit = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64);
            let why = match exit {
                Some(code) => format!("the container ended with {code}{}", quoted(text(status, "/lastState/terminated/message"))),
                None => message.to_owned(),
            };
            let colon = if why.is_empty() { "" } else { ": " };
            return Some(Trouble { gravity, text: format!("pod {name}: {reason}{colon}{}", first_line(&why)) });
        }
    }
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let unscheduled =
        conditions.into_iter().find(|one| text(one, "/type") == "PodScheduled" && text(one, "/status") == "False")?;
    let message = first_line(text(unscheduled, "/message"));
    Some(Trouble { gravity: Gravity::Light, text: format!("pod {name}: {}: {message}", text(unscheduled, "/reason")) })
}

fn quoted(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", first_line(text)) }
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

fn containers(deployment: &Value) -> &[Value] {
    deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(images: &[(&str, &str)]) -> Value {
        let containers: Vec<Value> = images.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
        json!({
            "metadata": {"uid": "u", "generation": 2},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "carts"}}, "template": {"spec": {"containers": containers}}},
            "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
        })
    }

    #[test]
    fn the_container_is_the_one_that_runs_the_repository() {
        let two = deployment(&[("proxy", "envoy:1"), ("carts", "registry:5000/x/carts:0.6.0@sha256:ab")]);
        assert_eq!(container(&two, None, "registry:5000/x/carts"), Ok(1));
        assert_eq!(container(&two, Some("proxy"), "registry:5000/x/carts"), Ok(0));
        assert_eq!(container(&two, Some("x"), "a"), Err("it has no container `x`; it has proxy, carts".into()));
        assert_eq!(container(&two, None, "orders"), Err("none of its containers runs orders: proxy, carts".into()));
        assert_eq!(container(&deployment(&[("a", "old:1")]), None, "new"), Ok(0));
        let twice = deployment(&[("a", "carts:1"), ("b", "carts:2")]);
        assert_eq!(container(&twice, None, "carts"), Err("several of its containers run carts: a, b".into()));
    }

    #[test]
    fn the_change_is_guarded_and_is_none_where_there_is_none() {
        let one = deployment(&[("carts", "carts:1")]);
        assert_eq!(change(&one, "carts", "carts:1", 2), None);
        assert_eq!(change(&one, "orders", "carts:1", 2), None);
        let patch = change(&one, "carts", "carts:2", 3).expect("a change").to_json();
        assert_eq!(
            patch,
            json!([
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "test", "path": "/spec/selector", "value": {"matchLabels": {"app": "carts"}}},
                {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "carts"},
                {"op": "test", "path": "/spec/template/spec/containers/0/image", "value": "carts:1"},
                {"op": "test", "path": "/spec/replicas", "value": 2},
                {"op": "add", "path": "/spec/replicas", "value": 3},
                {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "carts:2"},
            ])
        );
    }

    #[test]
    fn a_rollout_says_what_it_waits_for_and_why_it_fails() {
        let mut one = deployment(&[("carts", "carts:2")]);
        let pod = |status: Value| json!({"metadata": {"name": "carts-x"}, "spec": {"containers": [{"name": "carts", "image": "carts:2"}]}, "status": status});
        let at = |one: &Value, pods: &[Value]| progress(one, pods, "carts", "carts:2");
        assert_eq!(at(&one, &[]), Progress::Done { pods: 2 });
        one["metadata"]["generation"] = json!(3);
        assert_eq!(at(&one, &[]), Progress::Waiting("the deployment's controller".into()));
        one["status"] = json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2});
        assert_eq!(at(&one, &[]), Progress::Waiting("1 of 2 pods ready".into()));
        let waiting = |reason: &str, message: &str| {
            pod(json!({"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": message}}}]}))
        };
        let pull = waiting("ImagePullBackOff", "Back-off pulling image \"carts:2\"");
        let told = "pod carts-x: ImagePullBackOff: Back-off pulling image \"carts:2\"";
        assert_eq!(at(&one, std::slice::from_ref(&pull)), Progress::Troubled(told.into()));
        assert_eq!(at(&one, &[waiting("InvalidImageName", "")]), Progress::Hopeless("pod carts-x: InvalidImageName".into()));
        assert_eq!(at(&one, &[waiting("ContainerCreating", "")]), Progress::Waiting("1 of 2 pods ready".into()));
        let crash = pod(json!({"containerStatuses": [{
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"exitCode": 137, "message": "out of memory\nat x"}},
        }]}));
        let told = "pod carts-x: CrashLoopBackOff: the container ended with 137: out of memory";
        assert_eq!(at(&one, &[crash]), Progress::Troubled(told.into()));
        let pending = pod(json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: Insufficient cpu."},
        ]}));
        let told = "pod carts-x: Unschedulable: 0/1 nodes: Insufficient cpu.";
        assert_eq!(at(&one, std::slice::from_ref(&pending)), Progress::Waiting(told.into()));
        one["status"]["conditions"] = json!([{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out progressing",
        }]);
        assert_eq!(at(&one, &[pending]), Progress::Hopeless(told.into()));
        assert_eq!(at(&one, &[]), Progress::Hopeless("ProgressDeadlineExceeded: has timed out progressing".into()));
        // The troubles of a version that goes are not the new one's.
        let mut old = pull;
        old["spec"]["containers"][0]["image"] = json!("carts:1");
        one["status"]["conditions"] = json!([]);
        assert_eq!(at(&one, &[old]), Progress::Waiting("1 of 2 pods ready".into()));
    }
}
