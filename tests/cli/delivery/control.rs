use super::*;
use crate::support::run::{finish, wait};

#[test]
fn a_stage_waits_for_approval_from_elsewhere() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "waiting", "approval");
    let resumed = tidegate("resume carts -p sockshop").on(&sandbox).run();
    assert_eq!(resumed.status, Some(6), "{resumed}");
    assert!(resumed.stderr.contains("is being driven by alice@"), "{resumed}");
    let approved = tidegate("approve carts -p sockshop").on(&sandbox).succeeds();
    assert!(approved.stdout.contains("carts 0.6.2 approved for production by alice; alice"), "{approved}");
    let output = finish(child);
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [0, 100]);
}

#[test]
fn nobody_need_wait_for_an_approval() {
    let sandbox = asking();
    let output = send("0.6.2", "--allow-no-gate --no-wait").on(&sandbox).run();
    assert_eq!(output.status, Some(13), "{output}");
    assert!(output.stderr.contains("hint: `tidegate approve carts --project sockshop`"), "{output}");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [100, 0]);

    let runs = tidegate("get runs -p sockshop").on(&sandbox).succeeds();
    assert!(runs.stdout.contains("waiting, nobody drives"), "{runs}");

    // It is still the only one.
    let second = send("0.6.1", "--allow-no-gate").on(&sandbox).run();
    assert_eq!(second.status, Some(6), "{second}");
    assert!(second.stderr.contains("has not ended, and nobody drives it"), "{second}");

    let output = tidegate("send event approval.finished --project=sockshop --service=carts").on(&sandbox).run();
    assert_eq!(output.status, Some(0), "{output}");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [0, 100]);
    let again = tidegate("approve carts -p sockshop").on(&sandbox).run();
    assert_eq!(again.status, Some(5), "{again}");
}

#[test]
fn an_abort_reaches_whoever_drives() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "waiting", "approval");
    let aborted = tidegate("abort carts -p sockshop --reason oops").on(&sandbox).run();
    assert_eq!(aborted.status, Some(0), "{aborted}");
    let output = finish(child);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("aborted by alice: oops"), "{output}");
    assert_eq!(sandbox.weights("sockshop-production", "carts", 0), [100, 0]);
}

#[test]
fn a_second_artifact_is_refused_or_supersedes() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let first = background(&run);
    until(&sandbox, "waiting", "approval");
    let second = send("0.6.3", "--allow-no-gate").on(&sandbox).run();
    assert_eq!(second.status, Some(6), "{second}");
    assert!(second.stderr.contains("carts 0.6.2 is being delivered"), "{second}");
    assert!(second.stderr.contains("is being driven by alice@"), "{second}");
    let third = send("0.6.3", "--allow-no-gate --supersede --until dev").on(&sandbox).run();
    assert_eq!(third.status, Some(0), "{third}");
    let first = finish(first);
    assert_eq!(first.status, Some(1), "{first}");
    assert!(first.stderr.contains("superseded by 0.6.3"), "{first}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.3");
}

#[test]
fn a_second_artifact_waits_its_turn() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let first = background(&run);
    until(&sandbox, "waiting", "approval");
    let run = send("0.6.3", "--allow-no-gate --queue --until dev").on(&sandbox);
    let second = background(&run);
    tidegate("approve carts -p sockshop").on(&sandbox).succeeds();
    assert_eq!(finish(first).status, Some(0));
    let second = finish(second);
    assert_eq!(second.status, Some(0), "{second}");
    assert!(second.stderr.contains("waiting: carts 0.6.2 is being delivered"), "{second}");
}

/// Kills a run at a phase; whether what the phase does was carried out by then is left to chance.
fn killed(sandbox: &Sandbox, tag: &str, flags: &str, phase: &str) {
    let run = send(tag, &format!("--stage staging --until staging {flags}")).on(sandbox);
    let mut child = background(&run);
    until(sandbox, "running", phase);
    child.kill().expect("it runs");
    wait(&mut child);
}

#[test]
fn a_run_that_is_killed_is_resumed() {
    let sandbox = sockshop();
    killed(&sandbox, "0.6.0", "", "deploy");
    let resumed = tidegate("resume carts -p sockshop").on(&sandbox).run();
    assert_eq!(resumed.status, Some(0), "{resumed}");
    assert!(resumed.stderr.contains("sockshop carts 0.6.0 goes on: staging"), "{resumed}");
    assert_eq!(image(&sandbox, "sockshop-staging", "carts-green"), "0.6.0");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [0, 100]);
}

#[test]
fn a_run_that_is_killed_anywhere_ends_the_same() {
    // Each answer takes a moment, so that the process dies in the middle of things.
    let sandbox = Sandbox::with_faults(&["latency=30ms"]);
    furnish(&sandbox);
    for phase in ["smoke", "share", "tests", "evaluate", "promote"] {
        killed(&sandbox, "0.6.2", "--share 10", phase);
        let resumed = tidegate("resume carts -p sockshop --force").on(&sandbox).run();
        assert_eq!(resumed.status, Some(0), "{phase}: {resumed}");
        assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [0, 100], "{phase}");
        tidegate("rollback carts -n sockshop-staging").on(&sandbox).succeeds();
        assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0], "{phase}");
    }
    for phase in ["shift", "evaluate", "reroute"] {
        killed(&sandbox, "0.6.1", "--keptn-order", phase);
        let resumed = tidegate("resume carts -p sockshop --force").on(&sandbox).run();
        assert_eq!(resumed.status, Some(10), "{phase}: {resumed}");
        assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0], "{phase}");
    }
}

#[test]
fn a_way_back_that_fails_is_said_and_can_be_tried_again() {
    let sandbox = sockshop();
    let run = send("0.6.2", "--stage staging --until staging --share 10 --prometheus http://127.0.0.1:9 --evaluation-timeout 4s");
    let run = run.on(&sandbox);
    let child = background(&run);
    until(&sandbox, "running", "evaluate");
    let carts = "/apis/networking.istio.io/v1/namespaces/sockshop-staging/virtualservices/carts";
    let mut object = sandbox.rest.get(carts).ok();
    sandbox.rest.delete(carts).ok();
    let output = finish(child);
    assert_eq!(output.status, Some(20), "{output}");
    assert!(output.stderr.contains("the way back failed"), "{output}");
    assert!(output.stderr.contains("hint: try again: `tidegate resume carts --project sockshop`"), "{output}");

    // Somebody puts it up again, as it was before.
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "annotations"] {
        object["metadata"].as_object_mut().expect("an object").remove(field);
    }
    object["spec"]["http"][0]["route"][0]["weight"] = json!(100);
    object["spec"]["http"][0]["route"][1]["weight"] = json!(0);
    sandbox.rest.post(carts.trim_end_matches("/carts"), &object).ok();
    let status = tidegate("status carts -n sockshop-staging").on(&sandbox).succeeds();
    assert!(
        status
            .stdout
            .contains("  staging, re-route: waits for somebody to try the way back again (traffic may still be on 0.6.2): "),
        "{status}"
    );
    assert!(status.stdout.ends_with("; nobody drives it\n  go on: `tidegate resume carts --project sockshop`\n"), "{status}");
    let resumed = tidegate("resume carts -p sockshop").on(&sandbox).run();
    assert_eq!(resumed.status, Some(12), "{resumed}");
    assert!(resumed.stderr.contains("back on blue 100, green 0"), "{resumed}");
}

#[test]
fn a_run_that_is_killed_behind_a_shift_is_aborted_from_elsewhere() {
    let sandbox = sockshop();
    let run = send("0.6.1", "--stage staging --until staging --share 10").on(&sandbox);
    let mut child = background(&run);
    until(&sandbox, "running", "tests");
    child.kill().expect("it runs");
    wait(&mut child);
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [90, 10]);
    let aborted = tidegate("abort carts -p sockshop").on(&sandbox).run();
    assert_eq!(aborted.status, Some(0), "{aborted}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
}

#[test]
fn ctrl_c_leaves_the_run_to_others() {
    let sandbox = asking();
    let run = send("0.6.2", "--allow-no-gate").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "waiting", "approval");
    interrupt(&child);
    let output = finish(child);
    assert_eq!(output.status, Some(130), "{output}");
    assert!(output.stderr.contains("the run stands in stage production at approval; no traffic was moved there"), "{output}");
    assert!(output.stderr.contains("hint: go on: `tidegate resume carts --project sockshop`"), "{output}");
    assert!(output.stderr.contains("hint: go back: `tidegate abort carts --project sockshop`"), "{output}");
    assert_eq!(tidegate("abort carts -p sockshop").on(&sandbox).run().status, Some(0));
}

#[test]
fn traffic_that_somebody_else_moves_is_not_moved_on() {
    let sandbox = sockshop();
    let run = send("0.6.2", "--stage staging --until staging --share 10").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "running", "tests");
    let carts = "/apis/networking.istio.io/v1/namespaces/sockshop-staging/virtualservices/carts";
    let weight = |place: usize, weight: u32| json!({"op": "replace", "path": format!("/spec/http/0/route/{place}/weight"), "value": weight});
    sandbox.rest.patch(carts, &json!([weight(0, 100), weight(1, 0)])).ok();
    let output = finish(child);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("tidegate-tests moved the traffic meanwhile: blue 100, green 0"), "{output}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
}

/// Somebody gives the colour traffic while nobody drives: what runs there serves people now.
#[test]
fn a_colour_that_was_given_traffic_meanwhile_is_not_touched() {
    let sandbox = sockshop();
    let run = send("0.6.2-unready", "--stage staging --until staging").on(&sandbox);
    let child = background(&run);
    until(&sandbox, "running", "deploy");
    eventually("the image is set", || (image(&sandbox, "sockshop-staging", "carts-green") == "0.6.2-unready").then_some(()));
    interrupt(&child);
    assert_eq!(finish(child).status, Some(130));
    tidegate("shift carts -n sockshop-staging --weights blue=50,green=50 --force").on(&sandbox).succeeds();
    let requests = sandbox.requests_of(|| {
        let resumed = tidegate("resume carts -p sockshop").on(&sandbox).run();
        assert_eq!(resumed.status, Some(1), "{resumed}");
        assert!(resumed.stderr.contains("tidegate gave green traffic meanwhile: blue 50, green 50"), "{resumed}");
        assert!(resumed.stderr.contains("carts-green is left as it is"), "{resumed}");
    });
    assert!(!requests.lines().any(|line| line.starts_with("PATCH") && line.contains("/deployments/")), "{requests}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [50, 50]);
}

#[test]
fn a_way_back_does_not_hang_on_the_record() {
    let sandbox = sockshop();
    let flags = "--stage staging --until staging --share 10 --prometheus http://127.0.0.1:9 --evaluation-timeout 4s";
    let run = send("0.6.2", flags).on(&sandbox);
    let child = background(&run);
    until(&sandbox, "running", "evaluate");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [90, 10]);
    let maps = sandbox.rest.get("/api/v1/namespaces/sockshop-dev/configmaps?labelSelector=tidegate%2Frun").ok();
    let name = maps["items"][0]["metadata"]["name"].as_str().expect("a name");
    sandbox.rest.delete(&format!("/api/v1/namespaces/sockshop-dev/configmaps/{name}")).ok();
    let output = finish(child);
    assert_eq!(output.status, Some(12), "{output}");
    assert!(output.stderr.contains("warning: the state of the run is not kept"), "{output}");
    assert_eq!(sandbox.weights("sockshop-staging", "carts", 0), [100, 0]);
}

/// A Prometheus that the settings name is one: the cluster need not have its own.
#[test]
fn the_settings_say_where_prometheus_is() {
    let sandbox = sockshop();
    sandbox.rest.delete("/api/v1/namespaces/monitoring/services/prometheus-service").ok();
    let refused = send("0.6.2", "--dry-run").on(&sandbox).run();
    assert_eq!(refused.status, Some(5), "{refused}");
    assert!(refused.stderr.contains("no Prometheus was found"), "{refused}");
    let run = send("0.6.2", "--dry-run").on(&sandbox);
    std::fs::write(run.home().join("tidegate.yaml"), "prometheus: http://127.0.0.1:9\n").expect("a file");
    run.succeeds();
}

#[test]
fn a_jobs_work_ends_with_the_run_that_is_aborted() {
    // A Job takes five seconds there.
    let sandbox = Sandbox::fast(0.2);
    project(&sandbox, "stages:\n- {name: dev, deployment_strategy: direct, test_strategy: functional}\n");
    let add = tidegate("add-resource -p sockshop --service carts --resource tests.yaml").on(&sandbox);
    std::fs::write(add.home().join("tests.yaml"), "functional: {job: {image: 'k6:1', keep: true}}").expect("a file");
    add.succeeds();
    let jobs = || sandbox.rest.get("/apis/batch/v1/namespaces/sockshop-dev/jobs").ok()["items"].as_array().map(Vec::len);
    let run = send("0.6.2", "").on(&sandbox);
    let child = background(&run);
    eventually("a job runs", || (jobs() == Some(1)).then_some(()));
    tidegate("abort carts -p sockshop").on(&sandbox).succeeds();
    let output = finish(child);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("aborted by alice"), "{output}");
    assert_eq!(jobs(), Some(0), "{output}");
    assert_eq!(image(&sandbox, "sockshop-dev", "carts"), "0.6.0");
}

/// What the tests left behind is cleared away when the traffic is back.
#[test]
fn nothing_comes_before_the_way_back_of_an_abort() {
    let sandbox = Sandbox::fast(0.2);
    furnish(&sandbox);
    let add = tidegate("add-resource -p sockshop --service carts --resource tests.yaml").on(&sandbox);
    std::fs::write(add.home().join("tests.yaml"), "performance: {job: {image: 'k6:1', keep: true}}").expect("a file");
    add.succeeds();
    let run = send("0.6.2", "--stage staging --until staging --share 10").on(&sandbox);
    let child = background(&run);
    let place = "/apis/batch/v1/namespaces/sockshop-staging/jobs";
    let jobs = || sandbox.rest.get(place).ok()["items"].as_array().map(Vec::len);
    eventually("a job runs", || (jobs() == Some(1)).then_some(()));
    let requests = sandbox.requests_of(|| {
        tidegate("abort carts -p sockshop").on(&sandbox).succeeds();
        let output = finish(child);
        assert_eq!(output.status, Some(1), "{output}");
    });
    assert_eq!((jobs(), sandbox.weights("sockshop-staging", "carts", 0)), (Some(0), vec![json!(100), json!(0)]));
    let at = |begin: &str| requests.lines().position(|line| line.starts_with(begin));
    let back = at("PATCH /apis/networking.istio.io/v1/namespaces/sockshop-staging/virtualservices/carts");
    let swept = at(&format!("GET {place}?"));
    assert!(back.is_some() && back < swept, "{requests}");
}
