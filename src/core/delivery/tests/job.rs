//! The Kubernetes Job of a test.

use super::{Job, Target, TestPlan, expand};
use crate::core::delivery::project::{MANAGED, PROJECT, SERVICE, STAGE};
use serde_json::{Value, json};

/// A finished Job that nobody deleted goes by itself after so many seconds: its starter may have been killed.
const LEFT_BEHIND: u64 = 3600;

/// The name of the container.
pub const CONTAINER: &str = "test";

/// The manifest of a Job named `name` that has `seconds` for its work.
pub fn manifest(name: &str, job: &Job, plan: &TestPlan, target: &Target, url: &str, seconds: u64) -> Value {
    let labels = json!({MANAGED.0: MANAGED.1, PROJECT: target.project, STAGE: target.stage, SERVICE: target.service});
    let mut environment = plan.environment(target, url);
    let own = job.env.iter().map(|(name, value)| (name.clone(), expand(value, &environment)));
    let own: Vec<(String, String)> = own.collect();
    environment.retain(|(name, _)| !job.env.contains_key(name));
    environment.extend(own);
    let variables: Vec<Value> = environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let mut container = json!({"name": CONTAINER, "image": job.image, "env": variables});
    if !job.command.is_empty() {
        // Kubernetes puts the variables in.
        container["command"] = json!(job.command);
    }
    let mut pod_labels = labels.clone();
    // A sidecar never ends, and so would the Job. Old versions of Istio read the annotation, newer ones the label.
    pod_labels["sidecar.istio.io/inject"] = "false".into();
    let mut spec = json!({
        "backoffLimit": 0, "activeDeadlineSeconds": seconds.max(1),
        "template": {
            "metadata": {"labels": pod_labels, "annotations": {"sidecar.istio.io/inject": "false"}},
            "spec": {"restartPolicy": "Never", "containers": [container]},
        },
    });
    if !job.keep {
        spec["ttlSecondsAfterFinished"] = LEFT_BEHIND.into();
    }
    json!({"metadata": {"name": name, "labels": labels}, "spec": spec})
}

/// How a Job ended: `Ok` where it completed, else why not; none while it runs.
pub fn ended(job: &Value) -> Option<Result<(), String>> {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array)?;
    let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    conditions.iter().filter(|one| text(one, "status") == "True").find_map(|one| match text(one, "type").as_str() {
        "Complete" => Some(Ok(())),
        "Failed" if text(one, "reason") == "DeadlineExceeded" => Some(Err("did not end in time".into())),
        "Failed" => Some(Err(text(one, "message"))),
        _ => None,
    })
}

/// The exit code of the container among a Job's pods, where it ended.
pub fn exit_code(pods: &[Value]) -> Option<i64> {
    let statuses = pods.iter().filter_map(|pod| pod.pointer("/status/containerStatuses")?.as_array()).flatten();
    let mut own = statuses.filter(|status| status.get("name").and_then(Value::as_str) == Some(CONTAINER));
    own.find_map(|status| status.pointer("/state/terminated/exitCode").and_then(Value::as_i64))
}

/// What keeps a Job's pods from running, where something does: no node takes them, or they cannot be made.
pub fn held_up(pods: &[Value], events: &[Value]) -> Option<String> {
    let text = |one: &Value, key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let conditions = pods.iter().filter_map(|pod| pod.pointer("/status/conditions")?.as_array()).flatten();
    let mut unscheduled = conditions.filter(|one| text(one, "type") == "PodScheduled" && text(one, "status") == "False");
    let refused = events.iter().rev().filter(|_| pods.is_empty()).find(|event| text(event, "reason") == "FailedCreate");
    let told = unscheduled.next().or(refused).map(|one| text(one, "message"));
    told.filter(|message| !message.is_empty())
}

/// Why a Job's pods will never begin, where that is so: `ImagePullBackOff: manifest unknown`.
pub fn stuck(pods: &[Value]) -> Option<String> {
    const HOPELESS: [&str; 5] =
        ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"];
    let statuses = pods.iter().filter_map(|pod| pod.pointer("/status/containerStatuses")?.as_array()).flatten();
    statuses.filter_map(|status| status.pointer("/state/waiting")).find_map(|waiting| {
        let text = |key: &str| waiting.get(key).and_then(Value::as_str).unwrap_or_default();
        HOPELESS.contains(&text("reason")).then(|| match text("message") {
            "" => text("reason").to_owned(),
            message => format!("{}: {message}", text("reason")),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_job_up_is_told() {
        let pending = json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}]}});
        let events = [
            json!({"type": "Warning", "reason": "FailedCreate", "message": "pods \"test-x\" is forbidden: exceeded quota"}),
            json!({"type": "Normal", "reason": "Other", "message": "no"}),
        ];
        assert_eq!(held_up(&[pending], &events).as_deref(), Some("0/1 nodes are available"));
        assert_eq!(held_up(&[], &events).as_deref(), Some("pods \"test-x\" is forbidden: exceeded quota"));
        let running = json!({"status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}});
        assert_eq!(held_up(&[running], &events), None);
        assert_eq!(held_up(&[], &[]), None);
    }
}
