//! Sets an image, and waits until it runs.

use crate::cluster::{Cluster, DEPLOYMENTS, DryRun, PODS, Patched};
use crate::core::delivery::rollout::{self, Progress};
use crate::core::delivery::run::Before;
use crate::error::{Error, Kind, Result};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The pause between two looks at a rollout.
const LOOK: Duration = Duration::from_millis(500);

/// Trouble that lasts this long is not waited for any more: an image that cannot be pulled is tried again a few times, and
/// a container that crashes may have come too early once.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a deployment is to be.
pub struct Wanted<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Which, and what it was.
    pub before: &'a Before,
    /// The image of its container.
    pub image: &'a str,
    /// How many pods.
    pub pods: i64,
}

/// Brings a deployment to what is wanted, and waits until it is; says what stands.
///
/// # Errors
/// `Failed` with the reason where it does not come up, `Conflict` where somebody else changed it, `Timeout` after the
/// deadline.
pub async fn roll(cluster: &Cluster, wanted: &Wanted<'_>, deadline: Instant, say: &dyn Fn(&str)) -> Result<i64> {
    set(cluster, wanted).await?;
    wait(cluster, wanted, deadline, say).await
}

async fn set(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<()> {
    let Wanted { namespace, before, image, pods } = wanted;
    let title = format!("deployment {} in {namespace}", before.deployment);
    for attempt in 0..2 {
        let deployment = read(cluster, wanted).await?;
        if rollout::image(&deployment, &before.container).is_none() {
            return Err(Error::new(Kind::Conflict, format!("{title} has no container `{}` any more", before.container)));
        }
        let Some(patch) = rollout::change(&deployment, &before.container, image, *pods) else { return Ok(()) };
        match cluster.edit(&DEPLOYMENTS, namespace, &before.deployment, &patch, DryRun::No).await? {
            Patched::Done(_) => return Ok(()),
            Patched::Unanswered(error) => return Err(error),
            Patched::Refused(reply) => {
                // Somebody else wrote meanwhile, or the server has a reason of its own.
                let now = read(cluster, wanted).await?;
                if attempt == 0 && patch.broken(&now).is_some() {
                    continue;
                }
                let said = reply.body.get("message").and_then(Value::as_str).unwrap_or("the change was refused");
                return Err(Error::failed(format!("{title}: {said}")));
            }
        }
    }
    Err(Error::new(Kind::Conflict, format!("{title} keeps being changed by others")))
}

async fn wait(cluster: &Cluster, wanted: &Wanted<'_>, deadline: Instant, say: &dyn Fn(&str)) -> Result<i64> {
    let mut trouble: Option<(String, Instant)> = None;
    let mut said = String::new();
    loop {
        let deployment = read(cluster, wanted).await?;
        let selector = selector(&deployment);
        let pods = cluster.list(&PODS, Some(wanted.namespace), &selector).await?;
        let waits_for = match rollout::progress(&deployment, &pods, &wanted.before.container, wanted.image) {
            Progress::Done { pods } => return Ok(pods),
            Progress::Hopeless(why) => return Err(Error::failed(why)),
            Progress::Troubled(why) => {
                let since = trouble.get_or_insert_with(|| (why.clone(), Instant::now())).1;
                if since.elapsed() >= PATIENCE {
                    return Err(Error::failed(why));
                }
                why
            }
            Progress::Waiting(why) => {
                trouble = None;
                why
            }
        };
        if Instant::now() + LOOK >= deadline {
            let reason = last_event(cluster, wanted).await;
            let error = Error::new(Kind::Timeout, format!("not rolled out in time: {waits_for}"));
            return Err(reason.into_iter().fold(error, Error::caused_by));
        }
        // Pods' own reasons are told when they come up; counts are not.
        if waits_for.starts_with("pod ") && said != waits_for {
            say(&waits_for);
            said = waits_for;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn read(cluster: &Cluster, wanted: &Wanted<'_>) -> Result<Value> {
    let Wanted { namespace, before, .. } = wanted;
    let found = cluster.object(&DEPLOYMENTS, namespace, &before.deployment).await?;
    found.ok_or_else(|| Error::new(Kind::Conflict, format!("deployment {} in {namespace} is gone", before.deployment)))
}

fn selector(deployment: &Value) -> String {
    let labels = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect::<Vec<_>>().join(",")
}

/// The newest warning about the deployment itself, such as a quota that forbids its pods.
async fn last_event(cluster: &Cluster, wanted: &Wanted<'_>) -> Option<String> {
    let events = cluster.events(wanted.namespace, "Deployment", &wanted.before.deployment).await.ok()?;
    let text = |event: &Value, key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let warning = events.iter().rev().find(|event| text(event, "type") == "Warning")?;
    Some(format!("{}: {}", text(warning, "reason"), text(warning, "message")))
}
