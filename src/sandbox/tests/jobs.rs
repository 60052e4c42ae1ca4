use serde_json::{Value, json};

use super::*;

const JOBS: &str = "/apis/batch/v1/namespaces/sockshop-dev/jobs";

fn job(name: &str, image: &str, line: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"backoffLimit": 1, "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "tests", "image": image, "command": ["sh", "-c", line]}],
        }}},
    })
}

fn ended(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |job| {
        let conditions = job["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| condition["type"] == kind)
    }
}

#[tokio::test]
async fn a_job_fails_when_its_command_says_so_or_its_image() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    for (name, image, line) in [("exits", "k6:1", "run; exit 3"), ("fails", "k6:1-fail", "run")] {
        client.ask("POST", JOBS, "application/json", &job(name, image, line)).await?;
        let failed = client.wait(&format!("{JOBS}/{name}"), ended("Failed")).await?;
        // One try more than the limit.
        assert_eq!(failed["status"]["failed"], 2);
        assert_eq!(failed["status"]["conditions"][1]["reason"], "BackoffLimitExceeded");
    }
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_done_has_a_log() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    client.ask("POST", JOBS, "application/json", &job("tests", "k6:1", "run")).await?;
    client.wait(&format!("{JOBS}/tests"), ended("Complete")).await?;
    let pods = client.get("/api/v1/namespaces/sockshop-dev/pods?labelSelector=job-name%3Dtests").await?.body;
    let name = pods["items"][0]["metadata"]["name"].as_str().unwrap_or_default();
    let log = client.get(&format!("/api/v1/namespaces/sockshop-dev/pods/{name}/log")).await?;
    assert_eq!((log.status, log.body), (200, json!("tests 1 is starting\ntests 1 is done\n")));
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_done_goes_after_a_while() -> anyhow::Result<()> {
    let running = start(&[]).await?;
    let client = running.admin()?;
    let mut soon = job("tests", "k6:1", "run");
    soon["spec"]["ttlSecondsAfterFinished"] = json!(30);
    client.ask("POST", JOBS, "application/json", &soon).await?;
    client.wait(&format!("{JOBS}/tests"), |answer| answer["reason"] == "NotFound").await?;
    let pods = client.get("/api/v1/namespaces/sockshop-dev/pods?labelSelector=job-name%3Dtests").await?.body;
    assert_eq!(pods["items"], json!([]));
    Ok(())
}
