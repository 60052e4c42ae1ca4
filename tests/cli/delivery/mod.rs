//! Deliveries, as a user runs them, against the sandbox.

mod bad_input;
mod control;
mod event_file;
mod events;
mod mesh;
mod standing;
mod story;
mod tests;

use crate::support::*;
use std::process::{Child, Stdio};

/// keptn's own, of its examples.
const SHIPYARD: &str = "stages:
- name: dev
  deployment_strategy: direct
  test_strategy: functional
- name: staging
  deployment_strategy: blue_green_service
  test_strategy: performance
- name: production
  deployment_strategy: blue_green_service
";

/// A gate on the slower of the two colours.
const PERFSPEC: &str = r#"{"spec_version": "1.0", "objectives": {"pass": 90, "warning": 75}, "indicators": [
  {"id": "response_time", "source": "Prometheus", "query": "max(histogram_quantile(0.95, sum by (le, destination_workload) (rate(istio_request_duration_milliseconds_bucket{destination_workload_namespace='$ENVIRONMENT',destination_workload=~'carts-.*'}[$DURATION]))))",
   "grading": {"type": "Threshold", "thresholds": {"upperSevere": 800}, "metricScore": 100}}]}"#;

/// A load that takes a moment.
const TESTS: &str = "performance: {users: 5, loops: 2, think: 0s, requests: [{path: /carts/1/items}]}\n";

/// A person lets versions into production.
const ASKING: &str = "stages:
- {name: dev, deployment_strategy: direct}
- {name: production, deployment_strategy: blue_green, approval_strategy: {pass: manual, warning: manual}}
";

const CARTS: &str = "docker.io/keptnexamples/carts";

/// A sandbox with the project, its gate and its tests.
fn sockshop() -> Sandbox {
    let sandbox = Sandbox::new();
    furnish(&sandbox);
    sandbox
}

/// A sandbox with a project whose production asks.
fn asking() -> Sandbox {
    let sandbox = Sandbox::new();
    project(&sandbox, ASKING);
    sandbox
}

/// Makes the project in a sandbox, with its gate and its tests.
fn furnish(sandbox: &Sandbox) {
    project(sandbox, SHIPYARD);
    for (file, text) in [("perfspec.json", PERFSPEC), ("tests.yaml", TESTS)] {
        let run = tidegate(&format!("add-resource -p sockshop --service carts --resource {file}")).on(sandbox);
        std::fs::write(run.home().join(file), text).expect("a file");
        run.succeeds();
    }
}

/// Makes the project of the sandbox's namespaces.
fn project(sandbox: &Sandbox, shipyard: &str) {
    let run = tidegate("create project sockshop --shipyard shipyard.yaml").on(sandbox);
    std::fs::write(run.home().join("shipyard.yaml"), shipyard).expect("a file");
    run.succeeds();
}

/// `send new-artifact` of a version of carts, with short waits.
fn send(tag: &str, flags: &str) -> Run {
    let image = format!("--image {CARTS} --tag {tag}");
    tidegate(&format!("send new-artifact -p sockshop --service carts {image} --settle 2s --timeframe 3s {flags}"))
}

/// The image of a deployment.
fn image(sandbox: &Sandbox, namespace: &str, name: &str) -> String {
    let deployment = sandbox.rest.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}")).ok();
    let image = deployment.pointer("/spec/template/spec/containers/0/image").and_then(serde_json::Value::as_str);
    image.expect("an image").rsplit(':').next().expect("a tag").to_owned()
}

/// Starts a run that goes on beside the test.
fn background(run: &Run) -> Child {
    let mut command = run.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// Waits until the newest run stands at `status` and its current stage at `phase`.
#[track_caller]
fn until(sandbox: &Sandbox, status: &str, phase: &str) {
    eventually(&format!("a run that is {status}, at {phase}"), || {
        let maps = sandbox.rest.get("/api/v1/namespaces/sockshop-dev/configmaps?labelSelector=tidegate%2Frun").ok();
        let items = maps["items"].as_array().cloned().unwrap_or_default();
        let runs = items.iter().filter_map(|map| serde_json::from_str(map["data"]["run.json"].as_str()?).ok());
        let mut runs: Vec<serde_json::Value> = runs.collect();
        runs.sort_by_key(|run| run["started"].as_str().unwrap_or_default().to_owned());
        let run = runs.pop()?;
        let stages = run["stages"].as_array()?;
        let at = stages.iter().find(|stage| stage["phase"] != "ended").is_some_and(|stage| stage["phase"] == phase);
        (run["status"] == status && at).then_some(())
    });
}
