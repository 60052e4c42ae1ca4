//! Who listens hears of each step, in keptn's words.

use super::*;
use serde_json::Value;

/// The events that a run appended to a file of its home.
fn heard(run: Run) -> (Option<i32>, Vec<Value>) {
    let file = run.home().join("events.jsonl");
    let run = run.arg("--events").arg(file.to_string_lossy());
    let ended = run.command().output().expect("it runs");
    let text = std::fs::read_to_string(&file).expect("events");
    (ended.status.code(), text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

fn types(events: &[Value]) -> String {
    events.iter().map(|event| format!("{}\n", event["type"].as_str().expect("a type"))).collect()
}

#[test]
fn a_version_that_fails_is_told_in_the_words_of_keptn_0_8() {
    let sandbox = sockshop();
    let (status, events) = heard(send("0.6.1", "--label build=17").on(&sandbox));
    assert_eq!(status, Some(10));
    expect![[r#"
        sh.keptn.event.dev.delivery.triggered
        sh.keptn.event.deployment.triggered
        sh.keptn.event.deployment.started
        sh.keptn.event.deployment.finished
        sh.keptn.event.test.triggered
        sh.keptn.event.test.started
        sh.keptn.event.test.finished
        sh.keptn.event.dev.delivery.finished
        sh.keptn.event.staging.delivery.triggered
        sh.keptn.event.deployment.triggered
        sh.keptn.event.deployment.started
        sh.keptn.event.deployment.finished
        sh.keptn.event.test.triggered
        sh.keptn.event.test.started
        sh.keptn.event.test.finished
        sh.keptn.event.evaluation.triggered
        sh.keptn.event.evaluation.started
        sh.keptn.event.evaluation.finished
        sh.keptn.event.staging.delivery.finished
    "#]]
    .assert_eq(&types(&events));
    let context = &events[0]["shkeptncontext"];
    for event in &events {
        assert_eq!((&event["shkeptncontext"], &event["specversion"]), (context, &json!("1.0")), "{event}");
        assert_eq!(event["data"]["labels"], json!({"build": "17"}), "{event}");
        let named = |id: &Value| events.iter().any(|other| other["id"] == *id);
        assert!(event.get("triggeredid").is_none_or(named), "{event}");
    }
    let evaluated = events.iter().find(|event| event["type"] == "sh.keptn.event.evaluation.finished").expect("an evaluation");
    assert_eq!((&evaluated["data"]["result"], &evaluated["data"]["evaluation"]["result"]), (&json!("fail"), &json!("fail")));
    assert_eq!(evaluated["data"]["evaluation"]["indicatorResults"][0]["value"]["metric"], "response_time");
    let last = events.last().expect("events");
    assert_eq!((&last["data"]["result"], &last["data"]["stage"]), (&json!("fail"), &json!("staging")));
    // The objects know of it, too.
    let noted = sandbox.rest.get("/api/v1/namespaces/sockshop-staging/events").ok();
    let noted = noted["items"].as_array().expect("a list");
    let gate = noted.iter().find(|event| event["reason"] == "DeliveryGateFailed").expect("an Event");
    assert_eq!((&gate["type"], &gate["involvedObject"]["kind"]), (&json!("Warning"), &json!("Deployment")));
    assert_eq!(gate["involvedObject"]["name"], "carts-green");
    assert!(gate["involvedObject"]["uid"].is_string());
}

#[test]
fn a_version_that_passes_is_told_in_the_words_of_keptn_0_4() {
    let sandbox = sockshop();
    let (status, events) = heard(send("0.6.2", "--until staging --events-era early").on(&sandbox));
    assert_eq!(status, Some(0));
    expect![[r#"
        sh.keptn.events.new-artifact
        sh.keptn.event.configuration.change
        sh.keptn.events.deployment-finished
        sh.keptn.events.tests-finished
        sh.keptn.event.configuration.change
        sh.keptn.events.deployment-finished
        sh.keptn.events.tests-finished
        sh.keptn.events.evaluation-done
        sh.keptn.event.configuration.change
    "#]]
    .assert_eq(&types(&events));
    assert_eq!(events[0]["data"], json!({"project": "sockshop", "service": "carts", "image": CARTS, "tag": "0.6.2"}));
    let done = &events[7]["data"];
    assert_eq!((&done["evaluationpassed"], &done["evaluationdetails"]["result"]), (&json!(true), &json!("pass")));
    assert_eq!(done["evaluationdetails"]["indicatorResults"][0]["id"], "response_time", "as Pitometer printed it");
    assert_eq!(events[8]["data"]["canary"], json!({"action": "promote"}));
}

#[test]
fn a_receiver_that_is_away_stops_nothing() {
    let sandbox = sockshop();
    let run = send("0.6.2", "--until dev --events http://127.0.0.1:1/events").on(&sandbox).run();
    assert_eq!(run.status, Some(0), "{run}");
    assert_eq!(run.stderr.matches("warning: events do not reach http://127.0.0.1:").count(), 1, "{run}");
    assert_eq!(run.stderr.matches("connection refused; the delivery goes on").count(), 1, "{run}");
    let refused = send("0.6.2", "--until dev --events no/such/folder/events").on(&sandbox).run();
    assert_eq!(refused.status, Some(2), "{refused}");
}
