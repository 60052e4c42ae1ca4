//! Jobs: one pod after the other until one succeeds or too many have failed.
//!
//! A job's pod runs for a moment and then fails where its command or arguments hold `exit N` with N > 0, or where its
//! image's tag has the word `fail`; else it succeeds.

use serde_json::{Value, json};

use super::{Controllers, by_owner, condition, events, number, pod_of, pods};
use crate::sandbox::image;
use crate::sandbox::kinds::{JOBS, PODS};
use crate::sandbox::names;
use crate::sandbox::store::{Object, text};
use crate::sandbox::time;

/// Simulated seconds for which a job's pod runs.
const RUN: f64 = 1.0;

/// Simulated seconds between the failure of a pod and the next one: twice as many each time, up to the limit.
const BACK_OFF: f64 = 10.0;
const MOST_BACK_OFF: f64 = 360.0;

/// Looks at all jobs.
pub fn reconcile(controllers: &mut Controllers) {
    let mut pods = by_owner(&controllers.store, &PODS);
    let jobs = controllers.store.list(&JOBS, "");
    for job in &jobs {
        let own = pods.remove(text(job, "/metadata/uid")).unwrap_or_default();
        one(controllers, job, &own);
    }
    let alive = |uid: &str| jobs.iter().any(|job| text(job, "/metadata/uid") == uid);
    controllers.waiting.retain(|what, _| match what.strip_prefix("job ") {
        Some(rest) => rest.split(' ').next().is_some_and(alive),
        None => true,
    });
}

fn one(controllers: &mut Controllers, job: &Object, own: &[Object]) {
    let key = format!("job {}", text(job, "/metadata/uid"));
    if is(job, "Complete") || is(job, "Failed") {
        let left = job.pointer("/spec/ttlSecondsAfterFinished").and_then(Value::as_f64);
        if left.is_some_and(|left| controllers.passed(&format!("{key} ttl"), left)) {
            for pod in own {
                controllers.store.remove(&PODS, pod, Value::clone(pod)).ok();
            }
            controllers.store.remove(&JOBS, job, Value::clone(job)).ok();
        }
        return;
    }
    let count = |phase: &str| own.iter().filter(|pod| text(pod, "/status/phase") == phase).count();
    let (succeeded, failed) = (count("Succeeded"), count("Failed"));
    let active = own.len() - succeeded - failed;
    let wanted = usize::try_from(number(job, "/spec/completions").max(1)).unwrap_or(1);
    let limit = usize::try_from(number(job, "/spec/backoffLimit")).unwrap_or(0);
    let patience = job.pointer("/spec/activeDeadlineSeconds").and_then(Value::as_f64);
    let late = patience.is_some_and(|seconds| controllers.passed(&format!("{key} deadline"), seconds));
    let mut new = Value::clone(job);
    if number(job, "/status/ready") == 0 && text(job, "/status/startTime").is_empty() {
        new["status"]["startTime"] = time::now().into();
    }
    let status = &mut new["status"];
    for (name, count) in [("active", active), ("failed", failed), ("succeeded", succeeded)] {
        match count {
            0 => drop(status.as_object_mut().and_then(|status| status.shift_remove(name))),
            count => status[name] = count.into(),
        }
    }
    status["ready"] = own.iter().filter(|pod| super::ready(pod)).count().into();
    status["terminating"] = 0.into();
    status["uncountedTerminatedPods"] = json!({});
    let end = |kinds: [&str; 2], reason: &str, message: &str| -> Value {
        kinds.iter().map(|kind| probed(condition(job, kind, "True", reason, message))).collect()
    };
    let why = "Job has reached the specified backoff limit";
    if succeeded >= wanted {
        status["completionTime"] = time::now().into();
        let message = "Reached expected number of succeeded pods";
        status["conditions"] = end(["SuccessCriteriaMet", "Complete"], "CompletionsReached", message);
        events::record(controllers, job, "Normal", "Completed", "Job completed");
    } else if failed > limit {
        status["conditions"] = end(["FailureTarget", "Failed"], "BackoffLimitExceeded", why);
        events::record(controllers, job, "Warning", "BackoffLimitExceeded", why);
    } else if late {
        let why = "Job was active longer than specified deadline";
        status["conditions"] = end(["FailureTarget", "Failed"], "DeadlineExceeded", why);
        events::record(controllers, job, "Warning", "DeadlineExceeded", why);
        for pod in own.iter().filter(|pod| !pods::ended(pod)) {
            controllers.store.remove(&PODS, pod, Value::clone(pod)).ok();
        }
        status["ready"] = 0.into();
        drop(status.as_object_mut().and_then(|status| status.shift_remove("active")));
    } else if active == 0 && job.pointer("/spec/suspend") != Some(&Value::Bool(true)) {
        let back_off = (BACK_OFF * f64::from(1u32 << failed.min(16)) / 2.0).min(MOST_BACK_OFF);
        if failed == 0 || controllers.settling() || controllers.passed(&format!("{key} {failed}"), back_off) {
            let name = text(job, "/metadata/name");
            let pod_name = format!("{name}-{}", names::suffix(text(job, "/metadata/uid"), own.len() as u64));
            if controllers.create(&PODS, job, pod_of(job, &pod_name)).is_some() {
                let message = format!("Created pod: {pod_name}");
                events::record(controllers, job, "Normal", "SuccessfulCreate", &message);
            }
        }
    }
    controllers.write(&JOBS, job, new);
}

/// A job's conditions say when they were looked at.
fn probed(mut condition: Value) -> Value {
    if let Some(members) = condition.as_object_mut() {
        let looked = members.shift_remove("lastUpdateTime");
        members.extend(looked.map(|time| ("lastProbeTime".to_owned(), time)));
    }
    condition
}

fn is(job: &Value, kind: &str) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Whether a pod is a job's, and runs.
pub fn is_work(pod: &Value) -> bool {
    text(pod, "/metadata/ownerReferences/0/kind") == "Job" && text(pod, "/status/phase") == "Running"
}

/// Lets the running pod of a job come to its end.
pub fn work(controllers: &mut Controllers, pod: &Object) {
    if !controllers.passed(&format!("pod {} work", text(pod, "/metadata/uid")), RUN) {
        return;
    }
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let ends: Vec<(&Value, u8)> = containers.into_iter().flatten().map(|one| (one, exit_status(one))).collect();
    let failed = ends.iter().any(|(_, status)| *status != 0);
    let mut new = Value::clone(pod);
    new["status"]["phase"] = if failed { "Failed" } else { "Succeeded" }.into();
    let statuses = ends.iter().enumerate().map(|(at, (container, status))| {
        let reason = if *status == 0 { "Completed" } else { "Error" };
        let started = text(pod, &format!("/status/containerStatuses/{at}/state/running/startedAt"));
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "started": false,
            "restartCount": 0, "lastState": {},
            "state": {"terminated": {
                "exitCode": status, "reason": reason, "startedAt": started, "finishedAt": time::now(),
            }},
        })
    });
    new["status"]["containerStatuses"] = statuses.collect();
    let reason = if failed { "PodFailed" } else { "PodCompleted" };
    if let Some(Value::Array(conditions)) = new.pointer_mut("/status/conditions") {
        for condition in conditions {
            if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
                condition["status"] = "False".into();
                condition["reason"] = reason.into();
            }
        }
    }
    controllers.write(&PODS, pod, new);
}

/// The status with which a container ends.
pub fn exit_status(container: &Value) -> u8 {
    if image::tag(text(container, "/image")).split('-').any(|word| word == "fail") {
        return 1;
    }
    let words = |part: &str| container.get(part).and_then(Value::as_array).cloned().unwrap_or_default();
    let line: Vec<String> =
        words("command").into_iter().chain(words("args")).filter_map(|word| word.as_str().map(str::to_owned)).collect();
    let line = line.join(" ");
    let said = line.split("exit ").skip(1).filter_map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest.get(..digits)?.parse().ok()
    });
    said.last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_tells_how_it_ends() {
        let container = |line: &str| json!({"image": "busybox:1", "command": ["sh", "-c", line]});
        for (line, status) in [("true", 0), ("echo; exit 3", 3), ("exit 0", 0), ("test -f x || exit 7; exit 0", 0)] {
            assert_eq!(exit_status(&container(line)), status, "{line}");
        }
        assert_eq!(exit_status(&json!({"image": "k6:1-fail"})), 1);
    }
}
