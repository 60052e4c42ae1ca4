//! What somebody else does in a story told on the sandbox: deploying a version, looking at the metrics.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};

use super::auth::User;
use super::kinds::DEPLOYMENTS;
use super::request::{Call, Form, Query, Target};
use super::server::Server;
use super::verbs;

/// How long a rollout may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sets the image of a deployment's only container, as `kubectl set image` does, and waits until it is rolled out.
pub async fn set_image(server: &Server, namespace: &str, deployment: &str, container: &str, image: &str) -> anyhow::Result<()> {
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}});
    let call = Call {
        method: Method::PATCH,
        verb: "patch",
        target: Target {
            kind: &DEPLOYMENTS,
            version: DEPLOYMENTS.stored_version(),
            namespace: namespace.to_owned(),
            name: deployment.to_owned(),
            sub: String::new(),
        },
        query: Query::parse(""),
        user: User::admin(),
        form: Form::Plain,
        content_type: "application/strategic-merge-patch+json".into(),
        manager: "kubectl-set".into(),
        body: Bytes::from(patch.to_string()),
    };
    let mut warnings = Vec::new();
    if let Err(failure) = verbs::run(server, &call, &mut warnings).await {
        anyhow::bail!(failure.message);
    }
    let deadline = Instant::now() + PATIENCE;
    while !rolled_out(server.store.get(&DEPLOYMENTS, namespace, deployment).as_deref()) {
        anyhow::ensure!(Instant::now() < deadline, "deployment {deployment} is not rolled out after {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn rolled_out(deployment: Option<&Value>) -> bool {
    let number = |pointer: &str| deployment.and_then(|object| object.pointer(pointer)).and_then(Value::as_i64).unwrap_or(0);
    let wanted = number("/spec/replicas");
    number("/status/observedGeneration") >= number("/metadata/generation")
        && ["/status/replicas", "/status/updatedReplicas", "/status/availableReplicas"]
            .iter()
            .all(|pointer| number(pointer) == wanted)
}

/// The samples of an instant query: labels and value.
pub fn query(server: &Server, promql: &str) -> Vec<(Value, f64)> {
    let encoded: String = promql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let Ok(request) = Request::get(format!("/api/v1/query?query={encoded}")).body(Bytes::new()) else { return Vec::new() };
    let answer: Value = serde_json::from_slice(server.mesh.metrics(&request).body()).unwrap_or_default();
    let samples = answer.pointer("/data/result").and_then(Value::as_array).cloned().unwrap_or_default();
    samples
        .into_iter()
        .filter_map(|sample| {
            let value = sample.pointer("/value/1")?.as_str()?.parse().ok()?;
            Some((sample.get("metric")?.clone(), value))
        })
        .collect()
}
