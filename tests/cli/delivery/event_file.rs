//! `send event --file`: the event in a file asks for the delivery.

use super::*;
use serde_json::Value;

/// `send event --file` of an event.
fn event(event: &Value, flags: &str) -> Run {
    let run = tidegate(&format!("send event --file event.json {flags}"));
    std::fs::write(run.home().join("event.json"), event.to_string()).expect("a file");
    run
}

fn artifact() -> Value {
    json!({"type": "sh.keptn.events.new-artifact", "specversion": "0.2", "source": "ci", "contenttype": "application/json",
        "shkeptncontext": "08735340-6f9e-4b32-97ff-3b6c292bc509",
        "data": {"project": "sockshop", "service": "carts", "image": CARTS, "tag": "0.6.2", "labels": {"build": "17"}}})
}

fn runs(sandbox: &Sandbox) -> Vec<Value> {
    let runs = tidegate("get runs -p sockshop -o json").on(sandbox).succeeds();
    serde_json::from_str(&runs.raw).expect("JSON")
}

#[test]
fn an_event_of_either_era_asks_for_what_the_flags_do() {
    let sandbox = sockshop();
    let flags = send("0.6.2", "--dry-run").on(&sandbox).succeeds().stdout;
    let image = format!("{CARTS}:0.6.2");
    let change = json!({"type": "sh.keptn.event.configuration.change",
        "data": {"project": "sockshop", "service": "carts", "stage": "", "valuesCanary": {"image": image}}});
    let triggered = |stage: &str| {
        json!({"type": format!("sh.keptn.event.{stage}.delivery.triggered"), "data": {
        "project": "sockshop", "service": "carts", "stage": stage, "configurationChange": {"values": {"image": image}}}})
    };
    for asked in [artifact(), change, triggered("dev")] {
        assert_eq!(event(&asked, "--dry-run").on(&sandbox).succeeds().stdout, flags, "{asked}");
    }
    let piped = tidegate("send event --file=- --dry-run").stdin(&artifact().to_string()).on(&sandbox).succeeds();
    assert_eq!(piped.stdout, flags);
    let staging = event(&triggered("staging"), "--until staging --dry-run --stream-websocket").on(&sandbox).succeeds();
    assert_eq!(
        staging.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>(),
        ["STAGE", "staging"]
    );
}

#[test]
fn a_run_has_the_context_of_the_event_that_asked_for_it_first() {
    let sandbox = sockshop();
    event(&artifact(), "--until dev").on(&sandbox).succeeds();
    event(&artifact(), "--until dev").on(&sandbox).succeeds();
    let runs = runs(&sandbox);
    let own = |run: &&Value| run["id"] == artifact()["shkeptncontext"];
    assert_eq!((runs.len(), runs.iter().filter(own).count()), (2, 1), "{runs:?}");
    assert_eq!(runs[0]["labels"], json!({"build": "17"}));
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.2");
}

#[test]
fn what_asks_for_no_delivery_is_refused() {
    let sandbox = Sandbox::new();
    event(&json!({"type": "sh.keptn.events.problem", "data": {}}), "").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: event.json: an event of type `sh.keptn.events.problem` asks for no delivery
        hint: known are sh.keptn.events.new-artifact, sh.keptn.event.configuration.change and sh.keptn.event.STAGE.delivery.triggered
        [exit status: 2]
    "#]]);
    let mut imageless = artifact();
    imageless["data"].as_object_mut().expect("a map").remove("image");
    event(&imageless, "").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: event.json: the event has no image
        [exit status: 2]
    "#]]);
    tidegate("send event --file -").stdin("nonsense").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: standard input is no event: not JSON
        caused by: expected ident at line 1 column 2
        [exit status: 2]
    "#]]);
    tidegate("send event --file missing.json").on(&sandbox).shows(expect![[r#"
        ------- stderr -------
        error: cannot read missing.json
        caused by: No such file or directory (os error 2)
        [exit status: 2]
    "#]]);
    let both = tidegate("send event --file x new-artifact --project p --service s --image i:1").on(&sandbox).run();
    assert_eq!(both.status, Some(2), "{both}");
    let neither = tidegate("send event --until dev").on(&sandbox).run();
    assert_eq!(neither.status, Some(2), "{neither}");
}
