//! A test as a Kubernetes Job, beside the version.

use super::tests::{ingress, now, pods};
use crate::cluster::{Cluster, Created, DryRun, JOBS, PODS};
use crate::commands::Context;
use crate::core::delivery::project::{MANAGED, PROJECT, SERVICE, STAGE};
use crate::core::delivery::run::{Phase, Run};
use crate::core::delivery::tests::{Job, Report, Target, TestPlan, Through, job};
use crate::error::{Error, Kind, Result};
use crate::ui::printable;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The pause between two looks at a Job.
const LOOK: Duration = Duration::from_millis(500);

/// So many of the last lines that it printed are kept.
const KEPT_LINES: usize = 40;

/// Deletes the tests of a stage that still run, where its tests were broken off: nobody waits for them any more. Where that
/// fails they end by themselves, at their deadline.
pub async fn sweep(cluster: &Cluster, run: &Run, index: usize, phase: Phase) {
    let Some(stage) = run.stages.get(index).filter(|_| phase == Phase::Tests) else { return };
    let labels =
        format!("{}={},{PROJECT}={},{STAGE}={},{SERVICE}={}", MANAGED.0, MANAGED.1, run.project, stage.stage, run.service);
    let left = cluster.list(&JOBS, Some(&stage.namespace), &labels).await.unwrap_or_default();
    for job in left.iter().filter(|job| job::ended(job).is_none()) {
        let name = job.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let _ = cluster.delete(&JOBS, &stage.namespace, name).await;
    }
}

/// Runs a Job to its end, and deletes it unless it is to be kept.
///
/// # Errors
/// Where it cannot be created or looked at.
pub async fn run(
    context: &Context,
    cluster: &Cluster,
    plan: &TestPlan,
    target: &Target,
    work: &Job,
    deadline: Instant,
) -> Result<Report> {
    let started = now();
    let url = match &plan.through {
        Through::Url(url) => url.clone(),
        // The service leads to all versions; a version alone is its pods.
        Through::Pods if !target.pods.is_empty() => {
            let address = pods(cluster, target).await?.into_iter().find_map(|pod| pod.address);
            format!("http://{}", address.ok_or_else(|| Error::not_found("the version's pods have no address"))?)
        }
        // A job can set no header: the name that users have must lead there.
        Through::Ingress => match ingress(target)? {
            (_, Some(host), address) if address.port == 80 => format!("http://{host}"),
            (_, Some(host), address) => format!("http://{host}:{}", address.port),
            (url, None, _) => url,
        },
        _ => format!("http://{}:{}", target.dns(), target.port),
    };
    let short: String = target.service.chars().take(32).collect();
    let name = format!("tidegate-test-{short}-{:x}", jiff::Timestamp::now().as_millisecond());
    let seconds = deadline.saturating_duration_since(Instant::now()).as_secs();
    let manifest = job::manifest(&name, work, plan, target, &url, seconds);
    if let Created::Exists = cluster.create(&JOBS, &target.namespace, manifest, DryRun::No).await? {
        return Err(Error::new(Kind::Conflict, format!("there is a job {name} already")));
    }
    context.ui.say(&format!("    job {name} in {}\n", target.namespace));
    let ended = wait(cluster, target, &name, deadline).await;
    let pods = cluster.list(&PODS, Some(&target.namespace), &format!("job-name={name}")).await.unwrap_or_default();
    let output = output(cluster, target, &pods).await;
    let events = cluster.events(&target.namespace, "Job", &name).await.unwrap_or_default();
    if !work.keep {
        // It goes by itself later where this fails.
        let _ = cluster.delete(&JOBS, &target.namespace, &name).await;
    }
    let failure = match (ended?, job::exit_code(&pods)) {
        (Ok(()), _) => None,
        (Err(_), Some(code)) if code != 0 => Some(format!("ended with exit code {code}")),
        (Err(why), _) => Some(match job::held_up(&pods, &events) {
            Some(cause) => format!("{why}: {cause}"),
            None => why,
        }),
    };
    if failure.is_some() {
        output.iter().for_each(|line| context.ui.say(&format!("    {}\n", printable(line))));
    }
    Ok(plan.report_of_output(failure, output, started, now()))
}

async fn wait(cluster: &Cluster, target: &Target, name: &str, deadline: Instant) -> Result<Result<(), String>> {
    loop {
        let Some(now) = cluster.object(&JOBS, &target.namespace, name).await? else {
            return Ok(Err("the job was deleted".into()));
        };
        if let Some(ended) = job::ended(&now) {
            return Ok(ended);
        }
        let pods = cluster.list(&PODS, Some(&target.namespace), &format!("job-name={name}")).await?;
        if let Some(why) = job::stuck(&pods) {
            return Ok(Err(why));
        }
        if Instant::now() + LOOK >= deadline {
            return Ok(Err("did not end in time".into()));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn output(cluster: &Cluster, target: &Target, pods: &[Value]) -> Vec<String> {
    let mut names = pods.iter().filter_map(|pod| pod.pointer("/metadata/name").and_then(Value::as_str));
    let Some(pod) = names.next_back() else { return Vec::new() };
    match cluster.logs(&target.namespace, pod, job::CONTAINER, KEPT_LINES).await {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) => vec![format!("(its output cannot be read: {})", error.message)],
    }
}
