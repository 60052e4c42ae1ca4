use serde_json::{Value, json};

use super::*;

const BLUE: &str = "/apis/apps/v1/namespaces/sockshop-production/deployments/carts-blue";
const PODS: &str = "/api/v1/namespaces/sockshop-production/pods?labelSelector=deployment%3Dcarts-blue";
const SLICES: &str =
    "/apis/discovery.k8s.io/v1/namespaces/sockshop-production/endpointslices?labelSelector=kubernetes.io/service-name%3Dcarts";

fn image(tag: &str) -> Value {
    let container = json!({"name": "carts", "image": format!("docker.io/keptnexamples/carts:{tag}")});
    json!({"spec": {"template": {"spec": {"containers": [container]}}}})
}

/// As `kubectl rollout status` sees it.
fn rolled_out(deployment: &Value) -> bool {
    let (status, wanted) = (&deployment["status"], &deployment["spec"]["replicas"]);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|count| status[*count] == *wanted)
}

#[tokio::test]
async fn what_it_is_seeded_with_is_ready_at_once() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let all = client.get("/apis/apps/v1/deployments").await?.body;
    let deployments = all["items"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(deployments.len() > 20 && deployments.iter().all(rolled_out));
    let slice = &client.get(SLICES).await?.body["items"][0];
    let endpoints = slice["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(endpoints.len(), 4);
    assert!(endpoints.iter().all(|endpoint| endpoint["conditions"]["ready"] == true));
    assert_eq!(slice["ports"][0]["port"], 8080);
    Ok(())
}

#[tokio::test]
async fn a_new_image_rolls_out() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    client.ask("PATCH", BLUE, "application/strategic-merge-patch+json", &image("0.6.1")).await?;
    client.wait(BLUE, rolled_out).await?;
    let pods = client.get(PODS).await?.body;
    let images: Vec<&Value> =
        pods["items"].as_array().into_iter().flatten().map(|pod| &pod["spec"]["containers"][0]["image"]).collect();
    assert_eq!(images, ["docker.io/keptnexamples/carts:0.6.1"; 2]);
    Ok(())
}

#[tokio::test]
async fn an_image_that_is_not_there_leaves_the_old_pods_serving() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    client.ask("PATCH", BLUE, "application/strategic-merge-patch+json", &image("does-not-exist")).await?;
    let waiting = |pods: &Value| {
        let pods = pods["items"].as_array().into_iter().flatten();
        let reasons = pods.map(|pod| pod.pointer("/status/containerStatuses/0/state/waiting/reason").cloned());
        reasons.flatten().any(|reason| reason == "ImagePullBackOff")
    };
    client.wait(PODS, waiting).await?;
    let blue = client.get(BLUE).await?.body;
    assert_eq!(blue["status"]["availableReplicas"], 2);
    assert!(!rolled_out(&blue));
    Ok(())
}

#[tokio::test]
async fn a_scaled_deployment_follows_and_takes_its_endpoints_along() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let scale = json!({"spec": {"replicas": 0}});
    let scaled = client.ask("PATCH", &format!("{BLUE}/scale"), MERGE_PATCH, &scale).await?;
    assert_eq!((scaled.status, &scaled.body["kind"]), (200, &json!("Scale")));
    client.wait(PODS, |pods| pods["items"] == json!([])).await?;
    let two = |slices: &Value| slices["items"][0]["endpoints"].as_array().is_some_and(|all| all.len() == 2);
    client.wait(SLICES, two).await?;
    Ok(())
}

#[tokio::test]
async fn pods_are_named_alike_in_each_run() -> anyhow::Result<()> {
    let names = async || -> anyhow::Result<Vec<Value>> {
        let running = start(&[]).await?;
        let pods = running.admin()?.get("/api/v1/pods").await?.body;
        Ok(pods["items"].as_array().into_iter().flatten().map(|pod| pod["metadata"]["name"].clone()).collect())
    };
    let first = names().await?;
    assert!(!first.is_empty());
    assert_eq!(first, names().await?);
    Ok(())
}

#[tokio::test]
async fn a_version_that_is_never_ready_runs_and_serves_nobody() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    client.ask("PATCH", BLUE, "application/strategic-merge-patch+json", &image("0.6.3-unready")).await?;
    let list = client
        .wait(PODS, |pods| {
            let pods = pods["items"].as_array().into_iter().flatten();
            let mut statuses = pods.map(|pod| &pod["status"]["containerStatuses"][0]);
            statuses.any(|status| status["state"]["running"].is_object() && status["ready"] == false)
        })
        .await?;
    let pods = list["items"].as_array().into_iter().flatten();
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let unready = pods.filter(|pod| pod["status"]["containerStatuses"][0]["ready"] == false).map(name).next();
    let unready = unready.unwrap_or_default();
    let health = format!("/api/v1/namespaces/sockshop-production/pods/{unready}:8080/proxy/health");
    assert_eq!(client.get(&health).await?.status, 503);
    let events = "/api/v1/namespaces/sockshop-production/events?fieldSelector=reason%3DUnhealthy";
    assert_eq!(client.get(events).await?.body["items"][0]["involvedObject"]["name"], unready);
    // The old ones go on.
    assert_eq!(client.get(BLUE).await?.body["status"]["availableReplicas"], 2);
    let late = |blue: &Value| blue["status"]["conditions"][1]["reason"] == "ProgressDeadlineExceeded";
    client.wait(BLUE, late).await?;
    Ok(())
}
